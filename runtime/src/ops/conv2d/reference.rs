//! Naive convolutions in `f64`.

use super::Conv2dSpec;

/// Calls `f(place in y, place in x, place in w)` for every product of the sum.
fn products(spec: Conv2dSpec, mut f: impl FnMut(usize, usize, usize)) {
    let Conv2dSpec { height, width, kernel, stride, padding, dilation, .. } = spec;
    let (group_in, group_out) = (spec.in_channels / spec.groups, spec.out_channels / spec.groups);
    let place = |out: usize, tap: usize, axis: usize, size: usize| {
        (out * stride[axis] + tap * dilation[axis]).checked_sub(padding[axis]).filter(|&i| i < size)
    };
    let mut y = 0;
    for n in 0..spec.batch {
        for o in 0..spec.out_channels {
            for i in 0..spec.out_height() {
                for j in 0..spec.out_width() {
                    for c in 0..group_in {
                        let plane = n * spec.in_channels + o / group_out * group_in + c;
                        for u in 0..kernel[0] {
                            for v in 0..kernel[1] {
                                let row = place(i, u, 0, height);
                                if let Some((row, col)) = row.zip(place(j, v, 1, width)) {
                                    let w = ((o * group_in + c) * kernel[0] + u) * kernel[1] + v;
                                    f(y, (plane * height + row) * width + col, w);
                                }
                            }
                        }
                    }
                    y += 1;
                }
            }
        }
    }
}

/// `conv2d`, plain.
pub fn conv2d(y: &mut [f64], x: &[f64], w: &[f64], spec: Conv2dSpec) {
    y.fill(0.0);
    products(spec, |at_y, at_x, at_w| y[at_y] += x[at_x] * w[at_w]);
}

/// The gradient of the input of `conv2d`.
pub fn conv2d_input_grad(d_x: &mut [f64], d_y: &[f64], w: &[f64], spec: Conv2dSpec) {
    d_x.fill(0.0);
    products(spec, |at_y, at_x, at_w| d_x[at_x] += d_y[at_y] * w[at_w]);
}

/// The gradient of the weight of `conv2d`.
pub fn conv2d_weight_grad(d_w: &mut [f64], d_y: &[f64], x: &[f64], spec: Conv2dSpec) {
    d_w.fill(0.0);
    products(spec, |at_y, at_x, at_w| d_w[at_w] += d_y[at_y] * x[at_x]);
}
