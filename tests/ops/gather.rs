//! Elements chosen along an axis.

use gradiron::device::Indices;
use gradiron::ops::gather::{Gather, GatherSpec, reference};

use crate::harness::*;

#[test]
fn choices_and_their_gradients() {
    for [outer, size, inner] in AXES {
        for count in [1, 3, 70] {
            let spec = GatherSpec { outer, size, count, inner };
            let mut rng = Rng(6);
            let (x, d_y) = (rng.floats(outer * size * inner), rng.floats(outer * count * inner));
            let index = rng.labels(d_y.len(), size);
            let mut y = vec![0.0; d_y.len()];
            reference::gather(&mut y, &wide(&x), &index, spec);
            let [mut d_x, mut sums] = [0, 1].map(|_| vec![0.0; x.len()]);
            reference::gather_grad(&mut d_x, &wide(&d_y), &index, spec);
            reference::gather_grad(&mut sums, &abs(&wide(&d_y)), &index, spec);
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
                    reference::gather(&mut y, x, &index, spec);
                    weighted(&y, &wide(&d_y))
                });
            }
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
