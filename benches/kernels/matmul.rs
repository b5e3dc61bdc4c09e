//! Matrix products.

use gradiron::device::Precision;
use gradiron::ops::matmul::{Layout, Matmul, MatmulSpec};

use crate::bench::{Bench, Work, operand};

pub fn run(bench: &mut Bench) {
    let linear = [(64, 784, 128), (64, 128, 10), (64, 400, 120), (1, 784, 128)];
    let square = [(32, 32, 32), (128, 128, 128), (1024, 1024, 1024)];
    layouts(bench, "f32", &linear);
    layouts(bench, "f32", &square);
    bench.with_cpu(
        |cpu| cpu.with_precision(Precision::Bf16),
        |bench| layouts(bench, "bf16", &[(64, 784, 128), (256, 2048, 2048), (1024, 1024, 1024)]),
    );
}

fn layouts(bench: &mut Bench, precision: &str, sizes: &[(usize, usize, usize)]) {
    for layout in [Layout::NN, Layout::NT, Layout::TN] {
        for &(m, k, n) in sizes {
            let spec = MatmulSpec { layout, m, k, n };
            let (y, a, b) = (operand(0, m * n), operand(1, m * k), operand(2, k * n));
            let work = Work { flops: 2 * m * n * k, floats: y.len + a.len + b.len };
            let name = format!("matmul {precision} {layout:?} {m}x{k}x{n}");
            bench.time(&name, work, |step| step.matmul(y, a, b, spec));
        }
    }
}
