//! Running sums, choices along an axis, and places of maxima.

use gradiron::device::Indices;
use gradiron::ops::argmax::{Argmax, reference as argmax};
use gradiron::ops::cumsum::{Cumsum, CumsumSpec, reference as cumsum};
use gradiron::ops::gather::{Gather, GatherSpec, reference as gather};
use gradiron::ops::softmax::SoftmaxSpec;

use crate::harness::*;

const SHAPES: [[usize; 3]; 6] =
    [[1, 1, 1], [1, 70, 1], [3, 5, 4], [130, 7, 3], [2, 300, 33], [5, 1, 9]];

#[test]
fn running_sums() {
    // More than a block has threads.
    for [outer, size, inner] in SHAPES.into_iter().chain([[3, 2500, 1], [2, 1025, 1]]) {
        for reverse in [false, true] {
            let spec = CumsumSpec { outer, size, inner, reverse };
            let x = Rng(4).floats(outer * size * inner);
            let [mut y, mut sums] = [0, 1].map(|_| vec![0.0; x.len()]);
            cumsum::cumsum(&mut y, &wide(&x), spec);
            cumsum::cumsum(&mut sums, &abs(&wide(&x)), spec);
            let call = Call { outputs: &[x.len()], inputs: &[&x], indices: &[], scratch: 0 };
            call.run(
                |step, y, x, _| step.cumsum(y[0], x[0], spec),
                |level, got| {
                    // The last rounding, and on a GPU those of a scan by a block's threads.
                    let bound = |i: usize| 16.0 * EPSILON * sums[i];
                    assert_close(&format!("{spec:?} {level}"), &got[0], &y, bound);
                },
            );
            if x.len() <= 300 {
                // The gradient of Σ w · y is the sum of w from the other end.
                let w = wide(&Rng(5).floats(x.len()));
                let mut d_x = vec![0.0; x.len()];
                cumsum::cumsum(&mut d_x, &w, CumsumSpec { reverse: !reverse, ..spec });
                assert_gradient("cumsum", &wide(&x), &d_x, |x| {
                    let mut y = vec![0.0; x.len()];
                    cumsum::cumsum(&mut y, x, spec);
                    weighted(&y, &w)
                });
            }
        }
    }
}

#[test]
fn long_running_sums() {
    // 5,000,000 · 0.0005 = 2500, and as many columns of fewer.
    for [outer, size, inner] in [[1, 5_000_000, 1], [1, 70_000, 70]] {
        for reverse in [false, true] {
            let spec = CumsumSpec { outer, size, inner, reverse };
            let x = vec![0.0005; size * inner];
            let call = Call { outputs: &[x.len()], inputs: &[&x], indices: &[], scratch: 0 };
            call.run(
                |step, y, x, _| step.cumsum(y[0], x[0], spec),
                |level, got| {
                    for (i, y) in got[0].iter().enumerate() {
                        let turn = i / inner;
                        let terms = if reverse { size - turn } else { turn + 1 };
                        let want = terms as f64 * f64::from(0.0005_f32);
                        let error = (f64::from(*y) - want).abs();
                        assert!(error <= 16.0 * EPSILON * want, "{level} {spec:?}: {y} not {want}");
                    }
                },
            );
        }
    }
}

#[test]
fn many_choices_of_one_place() {
    // Whatever the number of choices.
    for [outer, size, count, inner] in
        [[1, 4, 500_000, 1], [2, 3, 30_000, 17], [1, 9000, 70_000, 1]]
    {
        let spec = GatherSpec { outer, size, count, inner };
        let d_y = vec![0.1; outer * count * inner];
        let index: Vec<u32> = (0..d_y.len()).map(|i| (i / inner % count % 2) as u32).collect();
        let call =
            Call { outputs: &[outer * size * inner], inputs: &[&d_y], indices: &index, scratch: 0 };
        let indices = Indices::new(0, index.len());
        call.run(
            |step, y, x, _| step.gather_grad(y[0], x[0], indices, spec),
            |level, got| {
                for (i, d_x) in got[0].iter().enumerate() {
                    let hits = if i / inner % size < 2 { count / 2 } else { 0 };
                    let want = hits as f64 * f64::from(0.1_f32);
                    let error = (f64::from(*d_x) - want).abs();
                    assert!(error <= 4.0 * EPSILON * want, "{level} {spec:?}: {d_x} not {want}");
                }
            },
        );
    }
}

#[test]
fn choices_and_their_gradients() {
    for [outer, size, inner] in SHAPES {
        for count in [1, 3, 70] {
            let spec = GatherSpec { outer, size, count, inner };
            let mut rng = Rng(6);
            let (x, d_y) = (rng.floats(outer * size * inner), rng.floats(outer * count * inner));
            let index = rng.labels(d_y.len(), size);
            let mut y = vec![0.0; d_y.len()];
            gather::gather(&mut y, &wide(&x), &index, spec);
            let [mut d_x, mut sums] = [0, 1].map(|_| vec![0.0; x.len()]);
            gather::gather_grad(&mut d_x, &wide(&d_y), &index, spec);
            gather::gather_grad(&mut sums, &abs(&wide(&d_y)), &index, spec);
            let outputs = [y.len(), x.len()];
            let inputs: [&[f32]; 2] = [&x, &d_y];
            let call = Call { outputs: &outputs, inputs: &inputs, indices: &index, scratch: 0 };
            let indices = Indices::new(0, index.len());
            call.run(
                |step, y, x, _| {
                    step.gather(y[0], x[0], indices, spec);
                    step.gather_grad(y[1], x[1], indices, spec);
                },
                |level, got| {
                    let name = format!("{spec:?} {level}");
                    assert_close(&name, &got[0], &y, |_| 0.0);
                    let bound = |i: usize| count as f64 * EPSILON * sums[i];
                    assert_close(&name, &got[1], &d_x, bound);
                },
            );
            if x.len() <= 300 {
                assert_gradient("gather", &wide(&x), &d_x, |x| {
                    let mut y = vec![0.0; d_y.len()];
                    gather::gather(&mut y, x, &index, spec);
                    weighted(&y, &wide(&d_y))
                });
            }
        }
    }
}

#[test]
fn places_of_maxima() {
    for [outer, size, inner] in SHAPES {
        let spec = SoftmaxSpec { outer, size, inner };
        let mut x = Rng(7).floats(outer * size * inner);
        // Equal ones, and what is no number.
        let last = x.len() - 1;
        (x[last], x[last / 2]) = (x[0], f32::NAN);
        let mut y = vec![0.0; outer * inner];
        argmax::argmax(&mut y, &wide(&x), spec);
        let call = Call { outputs: &[y.len()], inputs: &[&x], indices: &[], scratch: 0 };
        call.run(
            |step, y, x, _| step.argmax(y[0], x[0], spec),
            |level, got| assert_close(&format!("{spec:?} {level}"), &got[0], &y, |_| 0.0),
        );
    }
}
