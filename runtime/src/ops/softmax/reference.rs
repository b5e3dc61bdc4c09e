//! Naive softmax in `f64`.

use super::SoftmaxSpec;

/// Calls `f` with the places of the elements of each distribution.
pub fn distributions(spec: SoftmaxSpec, mut f: impl FnMut(&[usize])) {
    for outer in 0..spec.outer {
        for inner in 0..spec.inner {
            let place = |c: usize| (outer * spec.size + c) * spec.inner + inner;
            f(&(0..spec.size).map(place).collect::<Vec<_>>());
        }
    }
}

/// `log Σ e^x` over the elements at `places`.
pub fn log_sum_exp(x: &[f64], places: &[usize]) -> f64 {
    let max = places.iter().fold(f64::NEG_INFINITY, |max, &at| max.max(x[at]));
    max + places.iter().map(|&at| (x[at] - max).exp()).sum::<f64>().ln()
}

/// `softmax`, plain.
pub fn softmax(y: &mut [f64], x: &[f64], spec: SoftmaxSpec) {
    log_softmax(y, x, spec);
    y.iter_mut().for_each(|y| *y = y.exp());
}

/// `log_softmax`, plain.
pub fn log_softmax(y: &mut [f64], x: &[f64], spec: SoftmaxSpec) {
    distributions(spec, |places| {
        // Less the maximum: far from zero it would hide the logarithm.
        let max = places.iter().fold(f64::NEG_INFINITY, |max, &at| max.max(x[at]));
        let log = places.iter().map(|&at| (x[at] - max).exp()).sum::<f64>().ln();
        places.iter().for_each(|&at| y[at] = (x[at] - max) - log);
    });
}

/// The gradient of `softmax`.
pub fn softmax_grad(d_x: &mut [f64], d_y: &[f64], y: &[f64], spec: SoftmaxSpec) {
    distributions(spec, |places| {
        let dot: f64 = places.iter().map(|&at| d_y[at] * y[at]).sum();
        places.iter().for_each(|&at| d_x[at] = y[at] * (d_y[at] - dot));
    });
}

/// The gradient of `log_softmax`.
pub fn log_softmax_grad(d_x: &mut [f64], d_y: &[f64], y: &[f64], spec: SoftmaxSpec) {
    distributions(spec, |places| {
        let sum: f64 = places.iter().map(|&at| d_y[at]).sum();
        places.iter().for_each(|&at| d_x[at] = d_y[at] - y[at].exp() * sum);
    });
}
