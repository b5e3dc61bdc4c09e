//! Interpolation.

use gradiron::ops::interpolate::{Interpolate, InterpolateMode, InterpolateSpec, reference};

use crate::harness::*;

fn specs() -> Vec<InterpolateSpec> {
    let mut specs = Vec::new();
    for mode in
        [InterpolateMode::Nearest, InterpolateMode::Bilinear, InterpolateMode::BilinearCorners]
    {
        let base = InterpolateSpec { planes: 3, height: 5, width: 7, scale: [2, 2], mode };
        specs.extend([
            base,
            InterpolateSpec { scale: [1, 1], ..base },
            InterpolateSpec { scale: [1, 2], ..base },
            InterpolateSpec { scale: [3, 4], ..base },
            InterpolateSpec { scale: [2, 7], ..base },
            InterpolateSpec { scale: [8, 3], height: 2, ..base },
            InterpolateSpec { height: 1, ..base },
            InterpolateSpec { width: 1, ..base },
            InterpolateSpec { height: 1, width: 1, scale: [3, 5], ..base },
            InterpolateSpec { planes: 1, height: 3, width: 2, ..base },
            // Several tiles, whole and not.
            InterpolateSpec { planes: 2, width: 64, ..base },
            InterpolateSpec { planes: 2, width: 65, ..base },
            InterpolateSpec { planes: 2, width: 200, ..base },
            InterpolateSpec { planes: 2, width: 300, scale: [2, 1], ..base },
            InterpolateSpec { planes: 2, width: 130, scale: [1, 3], ..base },
            // Several chunks, with planes across their borders.
            InterpolateSpec { planes: 65, height: 17, width: 16, ..base },
            InterpolateSpec { planes: 17, height: 31, width: 33, scale: [2, 3], ..base },
            // Nothing to do.
            InterpolateSpec { planes: 0, ..base },
        ]);
    }
    specs
}

#[test]
fn planes_and_their_gradients() {
    for spec in specs() {
        let mut rng = Rng(32);
        let (x, d_y) = (rng.floats(spec.input_len()), rng.floats(spec.output_len()));
        let (x64, d_y64) = (wide(&x), wide(&d_y));
        let (mut y, mut y_size) = (vec![0.0; d_y.len()], vec![0.0; d_y.len()]);
        reference::interpolate(&mut y, &x64, spec);
        reference::interpolate(&mut y_size, &abs(&x64), spec);
        let (mut d_x, mut d_x_size) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        reference::interpolate_grad(&mut d_x, &d_y64, spec);
        reference::interpolate_grad(&mut d_x_size, &abs(&d_y64), spec);
        // The rounding of both weights, of their products, and of the sums.
        let terms = match spec.mode {
            InterpolateMode::Nearest => spec.scale[0] + spec.scale[1],
            // Outputs that one element meets along an axis; corners may be farther apart.
            _ => 8 + 3 * (spec.scale[0] + spec.scale[1]),
        } as f64;
        let exact = if spec.mode == InterpolateMode::Nearest { 0.0 } else { 8.0 };
        let call =
            Call { outputs: &[y.len(), x.len()], inputs: &[&x, &d_y], indices: &[], scratch: 0 };
        call.run(
            |step, y, x, _| {
                step.interpolate(y[0], x[0], spec);
                step.interpolate_grad(y[1], x[1], spec);
            },
            |level, got| {
                let name = format!("{spec:?} {level}");
                assert_close(&name, &got[0], &y, |i| exact * EPSILON * y_size[i]);
                assert_close(&name, &got[1], &d_x, |i| terms * EPSILON * d_x_size[i]);
            },
        );
        assert_gradient("interpolate", &x64, &d_x, |x| {
            let mut y = vec![0.0; d_y.len()];
            reference::interpolate(&mut y, x, spec);
            weighted(&y, &d_y64)
        });
    }
}

/// An infinity or a NaN, at each place of a plane, reaches what it has a weight in, and so does
/// that of a gradient.
#[test]
fn places_that_are_not_finite() {
    for spec in specs().into_iter().filter(|spec| spec.planes > 0 && spec.height * spec.width <= 35)
    {
        for value in [f32::INFINITY, f32::NAN] {
            let (places, outputs) =
                (spec.height * spec.width, spec.output_len() / spec.planes.max(1));
            let spec = InterpolateSpec { planes: outputs.max(places), ..spec };
            let mut rng = Rng(34);
            let mut draw = |len: usize, each: usize| {
                let mut x = rng.floats(len);
                for (plane, x) in x.chunks_exact_mut(each).enumerate() {
                    x[plane % each] = value;
                }
                x
            };
            let (x, d_y) = (draw(spec.input_len(), places), draw(spec.output_len(), outputs));
            let (mut y, mut d_x) = (vec![0.0; d_y.len()], vec![0.0; x.len()]);
            reference::interpolate(&mut y, &wide(&x), spec);
            reference::interpolate_grad(&mut d_x, &wide(&d_y), spec);
            let terms = 2.0 * (spec.scale[0] * spec.scale[1]) as f64 + 32.0;
            let size = 9.0 * (spec.scale[0] * spec.scale[1]) as f64;
            let call = Call {
                outputs: &[y.len(), x.len()],
                inputs: &[&x, &d_y],
                indices: &[],
                scratch: 0,
            };
            call.run(
                |step, y, x, _| {
                    step.interpolate(y[0], x[0], spec);
                    step.interpolate_grad(y[1], x[1], spec);
                },
                |level, got| {
                    let name = format!("{spec:?} {value} {level}");
                    assert_close(&name, &got[0], &y, |_| 8.0 * EPSILON);
                    assert_close(&name, &got[1], &d_x, |_| terms * EPSILON * size);
                },
            );
        }
    }
}
