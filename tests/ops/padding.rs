//! Sequences of different lengths.

use gradiron::device::Indices;
use gradiron::ops::padding::{First, Padding, reference};

use crate::harness::*;

#[test]
fn the_new_or_the_old() {
    for (batch, row) in [(1, 1), (3, 5), (7, 64), (300, 33), (2, 20_000)] {
        let mut rng = Rng(3);
        let (new, old) = (rng.floats(batch * row), rng.floats(batch * row));
        let length = rng.labels(batch, 9);
        for t in [0, 3, 8] {
            if new.len() <= 300 {
                // The gradient of Σ w · y goes where the new was taken.
                let w = wide(&old);
                let mut d_new = vec![0.0; new.len()];
                reference::advance(&mut d_new, &w, &[], &length, t);
                assert_gradient("advance", &wide(&new), &d_new, |new| {
                    let mut y = vec![0.0; new.len()];
                    reference::advance(&mut y, new, &wide(&old), &length, t);
                    weighted(&y, &w)
                });
            }
            let (mut held, mut cut) = (vec![0.0; new.len()], vec![0.0; new.len()]);
            reference::advance(&mut held, &wide(&new), &wide(&old), &length, t);
            reference::advance(&mut cut, &wide(&new), &[], &length, t);
            let indices = Indices::new(0, batch);
            let outputs = [new.len(), new.len()];
            let inputs: [&[f32]; 2] = [&new, &old];
            let call = Call { outputs: &outputs, inputs: &inputs, indices: &length, scratch: 0 };
            call.run(
                |step, y, x, _| {
                    step.advance(y[0], x[0], x[1], indices, t);
                    step.advance(y[1], x[0], x[1].part(0, 0), indices, t);
                },
                |level, got| {
                    let name = format!("{batch} {row} {t} {level}");
                    assert_close(&name, &got[0], &held, |_| 0.0);
                    assert_close(&name, &got[1], &cut, |_| 0.0);
                },
            );
        }
    }
}

/// Numbers behind the end are not read.
#[test]
fn zeros_behind_the_end() {
    for (batch, steps, row) in [(1, 1, 1), (3, 5, 7), (300, 4, 33), (2, 3, 9000)] {
        let mut rng = Rng(4);
        let mut x = rng.floats(batch * steps * row);
        let length = rng.labels(batch, steps + 1);
        let mut want = vec![0.0; x.len()];
        reference::zero_padding(&mut want, &wide(&x), &length, steps);
        if x.len() <= 300 {
            // The gradient of Σ w · y is cut as y is.
            let w = wide(&Rng(6).floats(x.len()));
            let mut d_x = vec![0.0; x.len()];
            reference::zero_padding(&mut d_x, &w, &length, steps);
            assert_gradient("zero_padding", &wide(&x), &d_x, |x| {
                let mut y = vec![0.0; x.len()];
                reference::zero_padding(&mut y, x, &length, steps);
                weighted(&y, &w)
            });
        }
        for (i, x) in x.iter_mut().enumerate() {
            if i / row % steps >= length[i / row / steps] as usize {
                *x = f32::NAN;
            }
        }
        let call = Call { outputs: &[x.len()], inputs: &[&x], indices: &length, scratch: 0 };
        call.run(
            |step, y, x, _| step.zero_padding(y[0], x[0], Indices::new(0, batch), steps),
            |level, y| assert_close(&format!("{batch} {steps} {level}"), &y[0], &want, |_| 0.0),
        );
    }
}

#[test]
fn the_first_step_again() {
    for (batch, steps, row) in [(1, 2, 1), (3, 5, 7), (300, 4, 33), (2, 3, 9000)] {
        let mut rng = Rng(5);
        let (now, all) = (rng.floats(batch * row), rng.floats((steps + 1) * batch * row));
        let some = rng.labels(batch, steps + 1);
        for length in [some, vec![0; batch]] {
            for first in [First::At(0), First::At(1), First::Last, First::Before(steps + 1)] {
                for t in [0, steps - 1] {
                    let mut want = vec![0.0; now.len()];
                    reference::replay(&mut want, &wide(&now), &wide(&all), &length, t, first);
                    let call = Call {
                        outputs: &[now.len()],
                        inputs: &[&now, &all],
                        indices: &length,
                        scratch: 0,
                    };
                    let indices = Indices::new(0, batch);
                    call.run(
                        |step, y, x, _| step.replay(y[0], x[0], x[1], indices, t, first),
                        |level, y| {
                            let name = format!("{batch} {steps} {first:?} {t} {level}");
                            assert_close(&name, &y[0], &want, |_| 0.0);
                        },
                    );
                }
            }
        }
    }
}
