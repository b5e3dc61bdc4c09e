//! Naive selection in `f64`.

use super::First;

/// `advance`, plain.
pub fn advance(y: &mut [f64], new: &[f64], old: &[f64], length: &[u32], t: usize) {
    let row = y.len() / length.len();
    for (i, y) in y.iter_mut().enumerate() {
        let is_held = t >= length[i / row] as usize;
        *y = match (is_held, old.is_empty()) {
            (false, _) => new[i],
            (true, false) => old[i],
            (true, true) => 0.0,
        };
    }
}

/// `zero_padding`, plain.
pub fn zero_padding(y: &mut [f64], x: &[f64], length: &[u32], steps: usize) {
    let row = y.len() / (length.len() * steps);
    for (i, y) in y.iter_mut().enumerate() {
        let (sample, step) = (i / row / steps, i / row % steps);
        *y = if step < length[sample] as usize { x[i] } else { 0.0 };
    }
}

/// `replay`, plain.
pub fn replay(y: &mut [f64], now: &[f64], all: &[f64], length: &[u32], t: usize, first: First) {
    let row = y.len() / length.len();
    for (i, y) in y.iter_mut().enumerate() {
        let sample = i / row;
        let other = (0..length.len()).find(|other| length[*other] > 0);
        let source = if length[sample] > 0 { Some(sample) } else { other };
        *y = match source {
            _ if t < length[sample] as usize => now[i],
            Some(source) => {
                let place = match first {
                    First::At(place) => place,
                    First::Last => length[source] as usize - 1,
                    First::Before(place) => place - length[source] as usize,
                };
                all[(place * length.len() + source) * row + i % row]
            }
            None => 1.0,
        };
    }
}
