//! Permuted axes.

use gradiron::ops::fill::Fill as _;
use gradiron::ops::permute::{Permute, inverse, reference};

use crate::harness::*;

fn check<const R: usize>(dims: [usize; R], axes: [usize; R]) {
    let x = Rng(15).floats(dims.iter().product());
    let mut want = vec![0.0; x.len()];
    reference::permute(&mut want, &wide(&x), dims, axes);
    let mut back = vec![0.0; x.len()];
    reference::permute_grad(&mut back, &want, dims, axes);
    assert_eq!(back, wide(&x));
    if x.len() <= 300 {
        // The gradient of Σ w · y.
        let w = wide(&Rng(16).floats(x.len()));
        let mut d_x = vec![0.0; x.len()];
        reference::permute_grad(&mut d_x, &w, dims, axes);
        assert_gradient("permute", &wide(&x), &d_x, |x| {
            let mut y = vec![0.0; x.len()];
            reference::permute(&mut y, x, dims, axes);
            weighted(&y, &w)
        });
    }
    let scratch = x.len() + 7;
    let call = Call { outputs: &[x.len(); 3], inputs: &[&x], indices: &[], scratch };
    call.run(
        |step, y, x, scratch| {
            let at_once = aligned(scratch, x[0].len);
            step.permute(at_once, x[0], dims, axes);
            step.copy(y[2], at_once);
            step.permute(y[0], x[0], dims, axes);
            step.permute(y[1], y[0], axes.map(|axis| dims[axis]), inverse(axes));
        },
        |level, y| {
            assert_close(&format!("{dims:?} {axes:?} {level}"), &y[0], &want, |_| 0.0);
            assert_eq!(y[1], x);
            assert_eq!(y[2], y[0]);
        },
    );
}

/// All orders of `0..R`.
fn orders<const R: usize>() -> Vec<[usize; R]> {
    let all = (0..R.pow(R as u32)).map(|n| std::array::from_fn(|i| n / R.pow(i as u32) % R));
    all.filter(|axes: &[usize; R]| (0..R).all(|axis| axes.contains(&axis))).collect()
}

#[test]
fn transposes() {
    for m in SIZES {
        for n in SIZES {
            check([m, n], [1, 0]);
            check([m, n], [0, 1]);
        }
    }
    check([300, 500], [1, 0]);
}

/// Heads of attention, pictures with channels last, and back.
#[test]
fn rows_and_tiles_of_more_axes() {
    for dims in [[2, 9, 3, 16], [3, 8, 12, 40], [2, 33, 9, 10]] {
        for axes in [[0, 2, 1, 3], [0, 2, 3, 1], [0, 3, 1, 2], [3, 1, 0, 2], [1, 3, 2, 0]] {
            check(dims, axes);
        }
    }
}

#[test]
fn every_order() {
    orders().into_iter().for_each(|axes| check([3, 17, 65], axes));
    orders().into_iter().for_each(|axes| check([40, 33, 50], axes));
    for dims in [[2, 3, 7, 5], [17, 1, 3, 64], [1, 1, 1, 1], [2, 0, 3, 4]] {
        orders().into_iter().for_each(|axes| check(dims, axes));
    }
    check([], []);
    check([65], [0]);
}
