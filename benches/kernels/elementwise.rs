//! Elementwise chains.

use gradiron::math::Arith;
use gradiron::ops::elementwise::{Elementwise, Map, functions};

use crate::bench::{Bench, Work, operand};

/// Defines chains of one output for [`Map`].
macro_rules! chains {
    ($($name:ident($($x:ident),*) = $($func:ident)|+;)*) => {
        $(struct $name;
        impl Elementwise<{ [$(stringify!($x)),*].len() }, 1, 0> for $name {
            const TEXT: &'static str = stringify!($name);
            #[inline(always)]
            fn eval<A: Arith>([$($x),*]: [f32; [$(stringify!($x)),*].len()], []: [f32; 0]) -> [f32; 1] {
                chains!(@apply A ($($x),*) $($func)|+)
            }
        })*
    };
    (@apply $A:ident ($($x:expr),*) $func:ident) => {
        [functions::$func::<$A>($($x),*)]
    };
    (@apply $A:ident ($($x:expr),*) $func:ident | $($rest:ident)|+) => {
        chains!(@apply $A (functions::$func::<$A>($($x),*)) $($rest)|+)
    };
}

chains! {
    AddRelu(x, b) = add | relu;
    Add(x, b) = add;
    ReluGrad(d, y) = relu_grad;
    Gelu(x) = gelu;
    GeluGrad(d, x) = gelu_grad;
    TanhExp(x) = tanh | exp;
}

pub fn run(bench: &mut Bench) {
    let full = [true; 3];
    let row = |n, len| (operand(n, len), [true; 2]);
    let image = 64 * 6 * 784;
    let (y, x, d) = (operand(0, image), operand(1, image), operand(2, image));
    let bias = (operand(3, 6), [false, true, false]);
    bench.time("add + relu [64, 6, 784] + [6, 1]", Work::floats(2 * image), |step| {
        step.map::<AddRelu, 2, 1, 0, 3>([y], [(x, full), bias], [64, 6, 784], []);
    });
    bench.time("relu_grad [64, 6, 784]", Work::floats(3 * image), |step| {
        step.map::<ReluGrad, 2, 1, 0, 1>([y], [(d, [true]), (x, [true])], [image], []);
    });
    let wide = 2048 * 1536;
    let (y, x, d) = (operand(0, wide), operand(1, wide), operand(2, wide));
    bench.time("gelu [2048, 1536]", Work::floats(2 * wide), |step| {
        step.map::<Gelu, 1, 1, 0, 1>([y], [(x, [true])], [wide], []);
    });
    bench.time("gelu_grad [2048, 1536]", Work::floats(3 * wide), |step| {
        step.map::<GeluGrad, 2, 1, 0, 1>([y], [(d, [true]), (x, [true])], [wide], []);
    });
    bench.time("tanh + exp [2048, 1536]", Work::floats(2 * wide), |step| {
        step.map::<TanhExp, 1, 1, 0, 1>([y], [(x, [true])], [wide], []);
    });
    for (rows, cols) in [(64, 10), (64, 128), (100, 1), (2048, 10), (2048, 1536)] {
        let len = rows * cols;
        bench.time(&format!("add [{rows}, {cols}] + [{cols}]"), Work::floats(2 * len), |step| {
            let bias = (operand(3, cols), [false, true]);
            step.map::<Add, 2, 1, 0, 2>([y.part(0, len)], [row(1, len), bias], [rows, cols], []);
        });
        bench.time(&format!("add [{rows}, {cols}] + [{rows}, 1]"), Work::floats(2 * len), |step| {
            let column = (operand(3, rows), [true, false]);
            step.map::<Add, 2, 1, 0, 2>([y.part(0, len)], [row(1, len), column], [rows, cols], []);
        });
    }
}
