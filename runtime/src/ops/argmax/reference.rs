//! Naive places in `f64`.

use crate::ops::softmax::SoftmaxSpec;

/// `argmax`, plain.
pub fn argmax(y: &mut [f64], x: &[f64], s: SoftmaxSpec) {
    for (at, y) in y.iter_mut().enumerate() {
        let (o, i) = (at / s.inner, at % s.inner);
        let element = |k: usize| x[(o * s.size + k) * s.inner + i];
        let mut best = 0;
        for k in 1..s.size {
            let larger = element(k) > element(best) || element(k).is_nan();
            if larger && !element(best).is_nan() {
                best = k;
            }
        }
        *y = best as f64;
    }
}
