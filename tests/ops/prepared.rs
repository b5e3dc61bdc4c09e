//! Kernels that are given what was prepared of their weights.

use gradiron::device::{Buf, Kernels, Precision};
use gradiron::ops::conv2d::{Algorithm, Conv2d, Conv2dSpec, Pass, reference as conv2d};
use gradiron::ops::matmul::{Layout, MatmulSpec, reference as matmul};

use crate::conv2d::{bound, specs};
use crate::harness::*;

struct Packed(MatmulSpec);

impl KernelCall for Packed {
    #[inline(always)]
    fn call<K: Kernels>(&self, k: &mut K, y: &[Buf], x: &[Buf]) {
        k.matmul_pack(y[1], x[1], self.0);
        k.matmul_packed(y[0], x[0], x[1], y[1], self.0);
    }
}

/// `error` is that of the product of two factors.
fn check(precision: Precision, spec: MatmulSpec, error: f64) {
    let MatmulSpec { m, k, n, .. } = spec;
    let mut rng = Rng((m * 1_000_003 + k * 1009 + n) as u64);
    let (a, b) = (rng.floats(m * k), rng.floats(k * n));
    let (a64, b64) = (wide(&a), wide(&b));
    let (mut want, mut size) = (vec![0.0; m * n], vec![0.0; m * n]);
    matmul::matmul(&mut want, &a64, &b64, spec);
    matmul::matmul(&mut size, &abs(&a64), &abs(&b64), spec);
    let outputs = [m * n, spec.packed_len()];
    let call = Call { outputs: &outputs, inputs: &[&a, &b], indices: &[], scratch: 0 };
    let check = |level: &str, y: &[Vec<f32>]| {
        let bound = |i: usize| ((k + 2) as f64 * EPSILON + error) * size[i];
        assert_close(&format!("{spec:?} {level}"), &y[0], &want, bound);
    };
    let packed = Packed(spec);
    call.run_in(precision, |step, y, x, _| packed.call(step, y, x), check);
    call.run_tiny(packed, check);
}

#[test]
fn products() {
    let weights =
        [(0, 5), (7, 17), (128, 128), (784, 128), (300, 700), (65, 257), (2100, 9), (1, 17_000)];
    for (k, n) in weights {
        for m in [0, 1, 2, 3, 7, 8, 9, 17, 33, 64, 65, 300] {
            check(Precision::F32, MatmulSpec { layout: Layout::NT, m, k, n }, 0.0);
        }
    }
}

/// Large products round their factors as they do without packed ones.
#[test]
fn bf16_products() {
    for m in [1, 2, 64] {
        let factors = 1.0 / 256.0 + 1.0 / 262_144.0;
        check(Precision::Bf16, MatmulSpec { layout: Layout::NT, m, k: 784, n: 128 }, factors);
    }
}

#[test]
fn convolutions() {
    for spec in specs() {
        let mut rng = Rng(3);
        let (x, w) = (rng.floats(spec.input_len()), rng.floats(spec.weight_len()));
        let (x64, w64) = (wide(&x), wide(&w));
        let (mut want, mut size) = (vec![0.0; spec.output_len()], vec![0.0; spec.output_len()]);
        conv2d::conv2d(&mut want, &x64, &w64, spec);
        conv2d::conv2d(&mut size, &abs(&x64), &abs(&w64), spec);
        let terms = spec.weight_len() / spec.out_channels.max(1);
        let winograd = spec.algorithm(Pass::Forward) == Algorithm::Winograd;
        let error = |i: usize| match winograd {
            true => bound(Pass::Forward, spec, i),
            false => (terms + 2) as f64 * EPSILON * size[i],
        };
        // Prepared for planes of this size, or for planes of any by those of another.
        let other = Conv2dSpec { height: spec.height + 40, width: spec.width + 40, ..spec };
        for (from, to) in [(spec, spec), (other.any_size(), spec.any_size())] {
            let call = Call {
                outputs: &[spec.output_len(), from.prepared_len()],
                inputs: &[&x, &w],
                indices: &[],
                scratch: to.prepared_scratch(),
            };
            call.run(
                |step, y, x, scratch| {
                    step.conv2d_prepare(y[1], x[1], from);
                    step.conv2d_prepared(y[0], x[0], [x[1], y[1]], scratch, to);
                },
                |level, y| assert_close(&format!("{to:?} {level}"), &y[0], &want, error),
            );
        }
    }
}
