//! Steady-state training steps and batch-1 inference with dfdx.

mod mlp;

use dfdx::{
    optim::{Adam, AdamConfig, Sgd, SgdConfig},
    prelude::*,
};
use peer_common::{Lcg, Report, LEARNING_RATE};

type Large = ((Linear<784, 2048>, ReLU), (Linear<2048, 2048>, ReLU), Linear<2048, 10>);
type Tiny = ((Linear<4, 32>, Tanh), (Linear<32, 32>, Tanh), Linear<32, 2>);

/// One training step of a module; dfdx hands the gradient store back and forth by value.
macro_rules! train {
    ($report:expr, $name:expr, $dev:expr, $model:ty, $opt:expr, $loss:expr, $x:expr, $y:expr) => {
        if $report.wants($name) {
            let (x, y) = ($x, $y);
            let mut model = $dev.build_module::<$model, f32>();
            let mut grads = Some(model.alloc_grads());
            let mut opt = $opt(&model);
            $report.run($name, || {
                let loss = $loss(model.forward_mut(x.trace(grads.take().unwrap())), y.clone());
                let mut g = loss.backward();
                opt.update(&mut model, &g).unwrap();
                model.zero_grads(&mut g);
                grads = Some(g);
            });
        }
    };
}

fn main() {
    let dev = Cpu::default();
    let report = Report::new("dfdx");
    let floats = |n: usize| Lcg::new(1).floats(n);
    let one_hot = |n: usize| {
        let mut v = vec![0f32; n * 10];
        for (i, l) in Lcg::new(2).below(n, 10).into_iter().enumerate() {
            v[i * 10 + l as usize] = 1.0;
        }
        v
    };

    train!(
        report, "linear_regression", dev, Linear<1, 1>,
        |m| Sgd::new(m, SgdConfig { lr: LEARNING_RATE, ..Default::default() }),
        mse_loss,
        dev.tensor_from_vec(floats(100), (Const::<100>, Const::<1>)),
        dev.tensor_from_vec(floats(100), (Const::<100>, Const::<1>))
    );
    train!(
        report, "mlp", dev, mlp::Mlp,
        |m| Adam::new(m, AdamConfig { lr: LEARNING_RATE, ..Default::default() }),
        cross_entropy_with_logits_loss,
        dev.tensor_from_vec(floats(64 * 784), (Const::<64>, Const::<784>)),
        dev.tensor_from_vec(one_hot(64), (Const::<64>, Const::<10>))
    );
    train!(
        report, "mlp_large", dev, Large,
        |m| Adam::new(m, AdamConfig { lr: LEARNING_RATE, ..Default::default() }),
        cross_entropy_with_logits_loss,
        dev.tensor_from_vec(floats(256 * 784), (Const::<256>, Const::<784>)),
        dev.tensor_from_vec(one_hot(256), (Const::<256>, Const::<10>))
    );
    let m = dev.build_module::<Tiny, f32>();
    let x = dev.tensor_from_vec(floats(4), (Const::<1>, Const::<4>));
    report.run("infer_control_mlp", || drop(m.forward(x.clone())));
    let m = dev.build_module::<mlp::Mlp, f32>();
    let x = dev.tensor_from_vec(floats(784), (Const::<1>, Const::<784>));
    report.run("infer_mlp", || drop(m.forward(x.clone())));
}
