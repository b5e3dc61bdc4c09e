//! Reductions.

use gradiron::device::{Buf, Kernels};
use gradiron::ops::reduce::{Reduce, ReduceKind, ReduceSpec, reference};

use crate::harness::*;

const KINDS: [ReduceKind; 3] = [ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min];

struct Reduction<const R: usize>(ReduceSpec<R>);

impl<const R: usize> KernelCall for Reduction<R> {
    #[inline(always)]
    fn call<K: Kernels>(&self, k: &mut K, y: &[Buf], x: &[Buf]) {
        k.reduce(y[0], x[0], self.0);
    }
}

fn check<const R: usize>(dims: [usize; R], kept: [bool; R]) {
    for kind in KINDS {
        let spec = ReduceSpec { dims, kept, kind, scale: 0.3 };
        let mut rng = Rng(10);
        let x = rng.floats(dims.iter().product());
        let x64 = wide(&x);
        let (mut want, mut size) = (vec![0.0; spec.output_len()], vec![0.0; spec.output_len()]);
        reference::reduce(&mut want, &x64, spec);
        reference::reduce(&mut size, &abs(&x64), ReduceSpec { kind: ReduceKind::Sum, ..spec });
        // The bound that the module states, and the factor.
        let chain = 160.0_f64.min(spec.reduced_len() as f64) + 2.0;
        let call = Call { outputs: &[spec.output_len()], inputs: &[&x], indices: &[], scratch: 0 };
        let check = |level: &str, y: &[Vec<f32>]| {
            let name = format!("{spec:?} {level}");
            assert_close(&name, &y[0], &want, |i| chain * EPSILON * size[i]);
        };
        call.run(|step, y, x, _| step.reduce(y[0], x[0], spec), check);
        call.run_halves([&[0], &[0]], 1e-4, |step, y, x, _| step.reduce(y[0], x[0], spec));
        call.run_tiny(Reduction(spec), check);
        if x.len() > 2000 || x.is_empty() {
            continue;
        }
        let d_y = wide(&rng.floats(spec.output_len()));
        let mut d_x = vec![0.0; x.len()];
        reference::reduce_grad(&mut d_x, &d_y, &x64, spec);
        assert_gradient("reduce", &x64, &d_x, |x| {
            let mut y = vec![0.0; d_y.len()];
            reference::reduce(&mut y, x, spec);
            weighted(&y, &d_y)
        });
    }
}

#[test]
fn matrices() {
    for m in SIZES {
        for n in SIZES {
            for kept in [[true, true], [true, false], [false, true], [false, false]] {
                check([m, n], kept);
            }
        }
    }
}

#[test]
fn every_choice_of_four_axes() {
    for dims in [[2, 3, 7, 5], [3, 1, 17, 2], [4, 65, 3, 64], [5, 6, 1, 1]] {
        for mask in 0..16 {
            check(dims, std::array::from_fn(|i| mask >> i & 1 == 1));
        }
    }
}

#[test]
fn long_sums() {
    check([1_000_003], [false]);
    check([3, 200_001], [true, false]);
    check([40_000, 7], [false, true]);
    check([64, 6, 784], [false, true, false]);
    check([3000, 72], [false, true]);
    check([600, 2056], [false, true]);
    check([40, 4104], [true, false]);
    check([20_000, 3, 5], [false, true, false]);
}

#[test]
fn equal_numbers_by_the_million() {
    // Roundings of equal numbers do not even out.
    const N: usize = 5_000_000;
    let x = vec![0.0005; N];
    let scale = 1.0 / N as f32;
    let whole = ReduceSpec { dims: [N], kept: [false], kind: ReduceKind::Sum, scale: 1.0 };
    let [rows, columns] = [[true, false], [false, true]].map(|kept| {
        let dims = if kept[0] { [5, N / 5] } else { [N / 5, 5] };
        ReduceSpec { dims, kept, kind: ReduceKind::Sum, scale: 1.0 }
    });
    let planes = [false, true, false];
    let planes =
        ReduceSpec { dims: [1000, 5, 1000], kept: planes, kind: ReduceKind::Sum, scale: 1.0 };
    let call = Call { outputs: &[1, 1, 5, 5, 5], inputs: &[&x], indices: &[], scratch: 0 };
    call.run(
        |step, y, x, _| {
            step.reduce(y[0], x[0], whole);
            step.reduce(y[1], x[0], ReduceSpec { scale, ..whole });
            step.reduce(y[2], x[0], rows);
            step.reduce(y[3], x[0], columns);
            step.reduce(y[4], x[0], planes);
        },
        |level, y| {
            let (term, n) = (f64::from(0.0005_f32), N as f64);
            let bound = |want: f64| move |_: usize| 32.0 * EPSILON * want;
            assert_close(level, &y[0], &[n * term], bound(2500.0));
            assert_close(level, &y[1], &[term], bound(term));
            for y in &y[2..] {
                assert_close(level, y, &[n / 5.0 * term; 5], bound(500.0));
            }
        },
    );
}

#[test]
fn nothing() {
    check([], []);
    check([0], [true]);
    check([0], [false]);
    check([0, 3], [false, true]);
    check([3, 0], [true, false]);
}

#[test]
fn nan_wins() {
    for kind in [ReduceKind::Max, ReduceKind::Min] {
        for at in [0, 5, 63, 64, 100] {
            let mut x = vec![1.0; 101 * 3];
            x[at * 3 + 1] = f32::NAN;
            let spec = ReduceSpec { dims: [101, 3], kept: [false, true], kind, scale: 1.0 };
            let call = Call { outputs: &[3, 101, 1], inputs: &[&x], indices: &[], scratch: 0 };
            call.run(
                |step, y, x, _| {
                    step.reduce(y[0], x[0], spec);
                    step.reduce(y[1], x[0], ReduceSpec { kept: [true, false], ..spec });
                    step.reduce(y[2], x[0], ReduceSpec { kept: [false, false], ..spec });
                },
                |_, y| {
                    assert_eq!(
                        y[0].iter().map(|y| y.is_nan()).collect::<Vec<_>>(),
                        [false, true, false]
                    );
                    assert!(y[1].iter().enumerate().all(|(i, y)| y.is_nan() == (i == at)));
                    assert!(y[2][0].is_nan());
                },
            );
        }
    }
}
