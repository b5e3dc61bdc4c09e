//! Naive choices in `f64`.

use super::GatherSpec;

/// The place in `x` of element `at` of `y`.
fn chosen(at: usize, index: &[u32], s: GatherSpec) -> usize {
    let (o, i) = (at / (s.count * s.inner), at % s.inner);
    (o * s.size + index[at] as usize) * s.inner + i
}

/// `gather`, plain.
pub fn gather(y: &mut [f64], x: &[f64], index: &[u32], s: GatherSpec) {
    for (at, y) in y.iter_mut().enumerate() {
        *y = x[chosen(at, index, s)];
    }
}

/// Its gradient.
pub fn gather_grad(d_x: &mut [f64], d_y: &[f64], index: &[u32], s: GatherSpec) {
    d_x.fill(0.0);
    for (at, d_y) in d_y.iter().enumerate() {
        d_x[chosen(at, index, s)] += d_y;
    }
}
