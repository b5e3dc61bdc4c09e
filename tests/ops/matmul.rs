//! Matrix products.

use gradiron::device::{Buf, Kernels, Precision};
use gradiron::ops::matmul::{Layout, Matmul, MatmulSpec, reference};

use crate::harness::*;

const LAYOUTS: [Layout; 3] = [Layout::NN, Layout::NT, Layout::TN];

struct Product(MatmulSpec);

impl KernelCall for Product {
    #[inline(always)]
    fn call<K: Kernels>(&self, k: &mut K, y: &[Buf], x: &[Buf]) {
        k.matmul(y[0], x[0], x[1], self.0);
    }
}

fn check(spec: MatmulSpec) {
    check_in(Precision::F32, spec, |x| x, 0.0);
}

/// `error` is that of the product of two factors, which are first mapped by `exact`.
fn check_in(precision: Precision, spec: MatmulSpec, exact: impl Fn(f32) -> f32, error: f64) {
    let MatmulSpec { m, k, n, .. } = spec;
    let mut rng = Rng((m * 1_000_003 + k * 1009 + n) as u64);
    let mut floats = |len| rng.floats(len).into_iter().map(&exact).collect::<Vec<_>>();
    let (a, b) = (floats(m * k), floats(k * n));
    let (a64, b64) = (wide(&a), wide(&b));
    let (mut want, mut size) = (vec![0.0; m * n], vec![0.0; m * n]);
    reference::matmul(&mut want, &a64, &b64, spec);
    reference::matmul(&mut size, &abs(&a64), &abs(&b64), spec);
    let call = Call { outputs: &[m * n], inputs: &[&a, &b], indices: &[], scratch: 0 };
    let check = |level: &str, y: &[Vec<f32>]| {
        let bound = |i: usize| ((k + 2) as f64 * EPSILON + error) * size[i];
        assert_close(&format!("{spec:?} {level}"), &y[0], &want, bound);
    };
    call.run_in(precision, |step, y, x, _| step.matmul(y[0], x[0], x[1], spec), check);
    call.run_tiny(Product(spec), check);
}

#[test]
fn products_of_all_layouts() {
    for layout in LAYOUTS {
        for m in SIZES {
            for k in SIZES {
                for n in SIZES {
                    check(MatmulSpec { layout, m, k, n });
                }
            }
        }
    }
}

#[test]
fn products_beyond_one_block() {
    for layout in LAYOUTS {
        for (m, k, n) in
            [(300, 300, 300), (5, 2100, 9), (1030, 3, 70), (33, 600, 1100), (64, 784, 128)]
        {
            check(MatmulSpec { layout, m, k, n });
        }
    }
}

/// Sizes around the smallest products that are computed in bf16, odd numbers of terms, several
/// blocks.
const BF16_SIZES: [(usize, usize, usize); 7] = [
    (16, 4096, 16),
    (17, 4001, 33),
    (100, 101, 131),
    (300, 300, 300),
    (64, 784, 128),
    (33, 600, 1100),
    (257, 1027, 300),
];

/// Factors with an error of `2^-8` each: their product errs by `2·2^-8 + 2^-16`.
#[test]
fn bf16_products_round_their_factors() {
    for layout in LAYOUTS {
        for (m, k, n) in BF16_SIZES {
            let factors = 2.0 / 256.0 + 1.0 / 65_536.0;
            check_in(Precision::Bf16, MatmulSpec { layout, m, k, n }, |x| x, factors);
        }
    }
}

/// Factors that are bf16 already are not rounded, and sums are `f32`.
#[test]
fn bf16_products_sum_in_f32() {
    for layout in LAYOUTS {
        for (m, k, n) in BF16_SIZES {
            let upper = |x: f32| f32::from_bits(x.to_bits() & 0xffff_0000);
            check_in(Precision::Bf16, MatmulSpec { layout, m, k, n }, upper, 0.0);
        }
    }
}

/// Few rows whose terms are more than a chunk of columns has floats: at 2^17 and beyond.
#[test]
fn few_rows_of_many_terms() {
    for (m, k, n) in [(1, 131_072, 3), (2, 131_073, 2), (8, 262_147, 1), (9, 131_073, 2)] {
        check(MatmulSpec { layout: Layout::NT, m, k, n });
    }
}

#[test]
fn empty_products() {
    for layout in LAYOUTS {
        for (m, k, n) in [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)] {
            check(MatmulSpec { layout, m, k, n });
        }
    }
}

/// Gradients are products of other layouts, as the module says.
#[test]
fn gradients() {
    for layout in LAYOUTS {
        let spec = MatmulSpec { layout, m: 5, k: 7, n: 3 };
        let mut rng = Rng(1);
        let (a, b) = (wide(&rng.floats(35)), wide(&rng.floats(21)));
        let d_y = wide(&rng.floats(15));
        let (mut d_a, mut d_b) = (vec![0.0; 35], vec![0.0; 21]);
        reference::matmul_grad(&mut d_a, &mut d_b, &d_y, &a, &b, spec);
        let loss = |a: &[f64], b: &[f64]| {
            let mut y = vec![0.0; 15];
            reference::matmul(&mut y, a, b, spec);
            weighted(&y, &d_y)
        };
        assert_gradient("d_a", &a, &d_a, |a| loss(a, &b));
        assert_gradient("d_b", &b, &d_b, |b| loss(&a, b));
    }
}

/// `x [M, K]`, `w [N, K]`: the three products of a linear layer.
#[test]
fn the_products_of_a_linear_layer() {
    let (m, k, n) = (17, 65, 7);
    let forward = MatmulSpec { layout: Layout::NT, m, k, n };
    let mut rng = Rng(2);
    let (x, w, d_y) = (rng.floats(m * k), rng.floats(n * k), rng.floats(m * n));
    let (mut d_x, mut d_w) = (vec![0.0; m * k], vec![0.0; n * k]);
    reference::matmul_grad(&mut d_x, &mut d_w, &wide(&d_y), &wide(&x), &wide(&w), forward);
    let call = Call { outputs: &[m * k, n * k], inputs: &[&d_y, &x, &w], indices: &[], scratch: 0 };
    call.run(
        |step, y, x, _| {
            let input = MatmulSpec { layout: Layout::NN, m, k: n, n: k };
            let weight = MatmulSpec { layout: Layout::TN, m: n, k: m, n: k };
            step.matmul(y[0], x[0], x[2], input);
            step.matmul(y[1], x[0], x[1], weight);
        },
        |level, y| {
            // Every factor is at most 1.
            let bound = |terms: usize| ((terms + 2) * terms) as f64 * EPSILON;
            assert_close(level, &y[0], &d_x, |_| bound(n));
            assert_close(level, &y[1], &d_w, |_| bound(m));
        },
    );
}
