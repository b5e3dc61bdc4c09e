//! Models of layers and free parameters.

use gradiron::init::Init;
use gradiron::prelude::*;

use crate::data::{Labels, batch};

model! {
    struct Smooth {
        fc1: Linear(3 -> 6),
        fc2: Linear(5),
        fc3: Linear(5 -> 5, bias = false),
        fc4: Linear(5, 4),
        gelu: Gelu(),
        silu: Silu(),
        sigmoid: Sigmoid(),
        tanh: Tanh(),
        softplus: Softplus(beta = 2.0),
        elu: Elu(),
        softmax: Softmax(),
        log_softmax: LogSoftmax(dim = 1),
    }

    pub fn forward(&self, x: [batch, 3]) -> [batch, 4] {
        let x = self.gelu(self.fc1(x));
        let x = self.tanh(self.silu(self.fc2(x)));
        let x = self.fc3(x + self.softplus(x) * self.elu(x));
        self.log_softmax(self.fc4(self.sigmoid(x)) + self.softmax(x).sum(dim = 1, keepdim = true))
    }

    pub fn loss(&self, x: [batch, 3], label: Classes[batch]) -> [] {
        nll_loss(self.forward(x), label)
    }
}

#[test]
fn smooth_layers() {
    let (x, label) = (batch::<[f32; 3]>(1, 4), Labels(vec![0, 3, 1, 1]));
    gradients!(
        Smooth::init(Seed(1)), Smooth::workspace(4),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    gradients!(
        Smooth::init(Seed(2)), Smooth::workspace(9),
        [loss, loss_grad, loss_grad_inputs], (x, label) -> number);
}

model! {
    struct Kinked {
        fc1: Linear(3 -> 4),
        act: Relu(),
        leaky: LeakyRelu(0.2),
        fc2: Linear(4 -> 3),
        fc3: Linear(3 -> 2),
    }

    fn loss(&self, x: [batch, 3], label: Classes[batch]) -> [] {
        let x = self.leaky(self.fc2(self.act(self.fc1(x)))).abs();
        cross_entropy(self.fc3(x.relu()), label, label_smoothing = 0.1)
    }
}

#[test]
fn layers_with_kinks() {
    let (x, label) = (batch::<[f32; 3]>(3, 2), Labels(vec![0, 1]));
    gradients!(
        Kinked::init(Seed(1)), Kinked::workspace(2),
        [loss, loss_grad, loss_grad_inputs], (x, label) -> number);
}

model! {
    struct FanOut {
        block: Linear(3 -> 3),
        shared: Linear(3 -> 3),
        scale: Param([3], init = ones),
    }

    fn forward(&self, x: [batch, 3]) -> [batch, 3] {
        let x = x + self.block(x).tanh();
        let x = self.shared(x).tanh() * self.scale;
        let y = self.shared(x) + self.scale;
        y * y + y
    }
}

#[test]
fn what_is_used_often_sums_its_gradients() {
    let x = batch::<[f32; 3]>(4, 3);
    gradients!(
        FanOut::init(Seed(5)), FanOut::workspace(3),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
}

const WIDTH: usize = 3;

model! {
    struct Params {
        default: Param([WIDTH, 2]),
        zeros: Param([2], init = zeros),
        ones: Param([1, 2], init = ones),
        constant: Param([2], init = constant(-1.5)),
        normal: Param([2 * WIDTH], init = normal(1.0, 0.5)),
        uniform: Param([2, WIDTH], init = uniform(-0.25, 0.5)),
        number: Param([], init = constant(0.75)),
    }

    fn forward(&self, x: [batch, WIDTH]) -> [batch, 2] {
        let w = self.default + self.uniform.transpose(0, 1);
        let y = x.matmul(w) * self.ones + self.zeros - self.constant;
        y * self.number + self.normal.reshape([3, 2]).mean(dim = 0).exp()
    }
}

#[test]
fn free_parameters() {
    let x = batch::<[f32; 3]>(5, 2);
    let net = Params::init(Seed(1));
    assert_eq!((net.zeros(), net.ones(), net.constant()), (&[0.0; 2], &[[1.0; 2]], &[-1.5; 2]));
    assert_eq!(net.number().to_bits(), 0.75_f32.to_bits());
    assert!(net.uniform().as_flattened().iter().all(|x| (-0.25..0.5).contains(x)));
    let inits: Vec<_> =
        Params::param_specs().into_iter().map(|spec| (spec.name, spec.init)).collect();
    let of = |name: &str| inits.iter().find(|(known, _)| known == name).map(|(_, init)| *init);
    assert_eq!(of("default"), Some(Init::Normal { mean: 0.0, std: 0.02 }));
    assert_eq!(of("normal"), Some(Init::Normal { mean: 1.0, std: 0.5 }));
    gradients!(net, Params::workspace(2), [forward, forward_grad, forward_grad_inputs], (x) -> (y));
}

model! {
    /// No parameter reaches the second result, no input the third.
    struct Apart {
        fc: Linear(2 -> 2),
        offset: Param([2], init = ones),
    }

    fn forward(&self, x: [batch, 2], y: [batch, 2]) -> ([batch, 2], [batch, 2], [2]) {
        (self.fc(x), y.sin(), self.offset.square())
    }
}

#[test]
fn results_that_do_not_depend_on_everything() {
    let (x, y) = (batch::<[f32; 2]>(6, 3), batch::<[f32; 2]>(7, 3));
    gradients!(
        Apart::init(Seed(1)), Apart::workspace(3),
        [forward, forward_grad, forward_grad_inputs], (x, y) -> (a, b, c));
}

model! {
    /// Results that are an argument, a parameter, one value twice, and views of one.
    struct Aliases {
        p: Param([2, 3], init = normal(0.0, 1.0)),
    }

    fn forward(&self, x: [batch, 6])
        -> ([batch, 6], [2, 3], [batch, 2, 3], [batch, 6], [batch, 3, 2])
    {
        let y = x.sin();
        (x, self.p, y.reshape([batch, 2, 3]) * self.p, y, y.reshape([batch, 3, 2]))
    }
}

#[test]
fn results_that_share_a_value() {
    let x = batch::<[f32; 6]>(8, 2);
    gradients!(
        Aliases::init(Seed(1)), Aliases::workspace(3),
        [forward, forward_grad, forward_grad_inputs], (x) -> (a, b, c, d, e));
}

model! {
    struct Grouped {
        norm: GroupNorm(2, 4, eps = 1e-3),
        rows: GroupNorm(2),
        plain: GroupNorm(4, affine = false),
    }

    fn forward(&self, x: [batch, 4, 2, 3], z: [batch, 4]) -> ([batch, 4, 2, 3], [batch, 4]) {
        (self.plain(self.norm(x)), self.rows(z))
    }
}

#[test]
fn norms_of_groups() {
    let (x, z) = (batch::<[[[f32; 3]; 2]; 4]>(1, 2), batch::<[f32; 4]>(2, 2));
    gradients!(
        Grouped::init(Seed(1)), Grouped::workspace(2),
        [forward, forward_grad, forward_grad_inputs], (x, z) -> (y, w));
    // Of rows, each group is a pair; its numbers are at both sides of their mean.
    let net = Grouped::init(Seed(1));
    let mut ws = Grouped::workspace(2).expect("memory for two samples");
    let (_, rows) = net.forward(&mut ws, &x, &z).expect("inputs of one length");
    for (row, found) in z.iter().zip(rows) {
        for (at, found) in found.iter().enumerate() {
            let pair = [row[at / 2 * 2], row[at / 2 * 2 + 1]].map(f64::from);
            let mean = (pair[0] + pair[1]) / 2.0;
            let variance = (pair[0] - mean).powi(2);
            let expected = (f64::from(row[at]) - mean) / (variance + 1e-5).sqrt();
            assert!((f64::from(*found) - expected).abs() < 1e-4, "{found} is not {expected}");
        }
    }
}
