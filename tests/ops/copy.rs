//! Copies and constants.

use gradiron::device::{Buf, Kernels};

use crate::harness::*;

struct CopyAndFill;

impl AnyKernels for CopyAndFill {
    #[inline(always)]
    fn call<K: Kernels>(&self, k: &mut K, y: &[Buf], x: &[Buf]) {
        k.copy(y[0], x[0]);
        k.fill(y[1], 0.5);
    }
}

#[test]
fn copies_and_constants() {
    for len in SIZES.into_iter().chain([0, 100_000]) {
        let x = Rng(16).floats(len);
        let call = Call { outputs: &[len, len], inputs: &[&x], indices: &[], scratch: 0 };
        let check = |_: &str, y: &[Vec<f32>]| {
            assert_eq!(y[0], x);
            assert!(y[1].iter().all(|&y| y == 0.5));
        };
        call.run(|step, y, x, _| CopyAndFill.call(step, y, x), check);
        call.run_tiny(CopyAndFill, check);
    }
}
