//! Naive pooling in `f64`.

use super::Pool2dSpec;

/// Calls `f(output, place in the plane)` for every element of every window, in order.
fn windows(spec: Pool2dSpec, mut f: impl FnMut(usize, usize, Option<usize>)) {
    let Pool2dSpec { height, width, kernel, stride, padding, dilation, .. } = spec;
    let place = |out: usize, tap: usize, axis: usize, size: usize| {
        (out * stride[axis] + tap * dilation[axis]).checked_sub(padding[axis]).filter(|&i| i < size)
    };
    let mut output = 0;
    for plane in 0..spec.planes {
        for i in 0..spec.out_height() {
            for j in 0..spec.out_width() {
                for ki in 0..kernel[0] {
                    for kj in 0..kernel[1] {
                        let row = place(i, ki, 0, height);
                        let at = row.zip(place(j, kj, 1, width)).map(|(r, c)| r * width + c);
                        f(output, plane * height * width, at);
                    }
                }
                output += 1;
            }
        }
    }
}

/// `max_pool2d`, plain.
pub fn max_pool2d(y: &mut [f64], index: &mut [u32], x: &[f64], spec: Pool2dSpec) {
    y.fill(f64::NEG_INFINITY);
    index.fill(u32::MAX);
    windows(spec, |output, plane, at| {
        if let Some(at) = at {
            let value = x[plane + at];
            if index[output] == u32::MAX || value > y[output] || value.is_nan() {
                (y[output], index[output]) = (value, at as u32);
            }
        }
    });
}

/// The gradient of `max_pool2d`.
pub fn max_pool2d_grad(d_x: &mut [f64], d_y: &[f64], index: &[u32], spec: Pool2dSpec) {
    d_x.fill(0.0);
    let outputs = spec.out_height() * spec.out_width();
    for (output, (d_y, index)) in d_y.iter().zip(index).enumerate() {
        if *index != u32::MAX {
            d_x[output / outputs * spec.height * spec.width + *index as usize] += d_y;
        }
    }
}

/// `avg_pool2d`, plain.
pub fn avg_pool2d(y: &mut [f64], x: &[f64], spec: Pool2dSpec) {
    y.fill(0.0);
    let size = (spec.kernel[0] * spec.kernel[1]) as f64;
    windows(spec, |output, plane, at| {
        y[output] += at.map_or(0.0, |at| x[plane + at] / size);
    });
}

/// The gradient of `avg_pool2d`.
pub fn avg_pool2d_grad(d_x: &mut [f64], d_y: &[f64], spec: Pool2dSpec) {
    d_x.fill(0.0);
    let size = (spec.kernel[0] * spec.kernel[1]) as f64;
    windows(spec, |output, plane, at| {
        if let Some(at) = at {
            d_x[plane + at] += d_y[output] / size;
        }
    });
}
