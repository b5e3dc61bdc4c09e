//! Copies and constants.

use gradiron::device::{Buf, Kernels};
use gradiron::ops::fill::Fill as _;

use crate::harness::*;

struct CopyAndFill;

impl KernelCall for CopyAndFill {
    #[inline(always)]
    fn call<K: Kernels>(&self, k: &mut K, y: &[Buf], x: &[Buf]) {
        k.copy(y[0], x[0]);
        k.fill(y[1], 0.5);
        let at_once = aligned(y[3], x[0].len);
        k.copy(at_once, x[0]);
        k.accumulate(at_once, x[0]);
        k.copy(y[2], at_once);
        k.fill(at_once, 0.5);
        k.accumulate(y[1], at_once);
    }
}

#[test]
fn copies_and_constants() {
    for len in SIZES.into_iter().chain([0, 100_000]) {
        let x = Rng(16).floats(len);
        let outputs = [len, len, len, len + 7];
        let call = Call { outputs: &outputs, inputs: &[&x], indices: &[], scratch: 0 };
        let check = |_: &str, y: &[Vec<f32>]| {
            assert_eq!(y[0], x);
            assert!(y[1].iter().all(|&y| y == 1.0));
            assert!(y[2].iter().zip(&x).all(|(&y, &x)| y == 2.0 * x));
        };
        call.run(|step, y, x, _| CopyAndFill.call(step, y, x), check);
        call.run_tiny(CopyAndFill, check);
    }
}

#[test]
fn sums() {
    for len in SIZES {
        let (x, y) = (Rng(1).floats(len), Rng(2).floats(len));
        let expected: Vec<f64> = x.iter().zip(&y).map(|(x, y)| f64::from(x + y)).collect();
        let call = Call { outputs: &[len], inputs: &[&x, &y], indices: &[], scratch: 0 };
        let sum = |got: &[Vec<f32>]| assert_close("sum", &got[0], &expected, |_| 0.0);
        call.run(
            |step, out, x, _| {
                step.copy(out[0], x[0]);
                step.accumulate(out[0], x[1]);
            },
            |_, got| sum(got),
        );
    }
}
