//! Naive running sums in `f64`.

use super::CumsumSpec;

/// `cumsum`, plain.
pub fn cumsum(y: &mut [f64], x: &[f64], s: CumsumSpec) {
    for (o, i) in (0..s.outer).flat_map(|o| (0..s.inner).map(move |i| (o, i))) {
        let mut sum = 0.0;
        for turn in 0..s.size {
            let place = if s.reverse { s.size - 1 - turn } else { turn };
            let at = (o * s.size + place) * s.inner + i;
            sum += x[at];
            y[at] = sum;
        }
    }
}
