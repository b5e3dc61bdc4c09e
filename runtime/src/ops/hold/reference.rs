//! Naive selection in `f64`.

/// `hold`, plain.
pub fn hold(y: &mut [f64], new: &[f64], old: &[f64], length: &[u32], t: usize) {
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
