//! Functions of a model that call each other, with several inputs, results and sizes.

use gradiron::prelude::*;

use crate::data::{Labels, batch, random};

model! {
    struct Several {
        encoder: Linear(4 -> 3),
        mean: Linear(3 -> 2),
        scale: Linear(3 -> 2),
        decoder: Linear(2 -> 4),
    }

    fn encode(&self, x: [batch, 4]) -> ([batch, 2], [batch, 2]) {
        let x = self.encoder(x);
        let x = x.tanh();
        (self.mean(x), self.scale(x))
    }

    fn decode(&self, z: [n, 2]) -> [n, 4] {
        self.decoder(z).sigmoid()
    }

    fn forward(&self, x: [batch, 4], noise: [batch, 2]) -> [batch, 4] {
        let (mean, scale) = self.encode(x);
        self.decode(mean + scale.exp() * noise)
    }

    fn loss(&self, x: [batch, 4], noise: [batch, 2]) -> [] {
        let codes = self.encode(x);
        let (mean, scale) = codes;
        let divergence = (mean.square() + scale.exp() - scale).mean() * 0.5;
        let x: [batch, 4] = self.forward(x, noise) - x;
        x.square().mean() + divergence
    }
}

#[test]
fn functions_call_each_other() {
    let (x, noise) = (batch::<[f32; 4]>(1, 3), batch::<[f32; 2]>(2, 3));
    gradients!(
        Several::init(Seed(1)), Several::workspace(3, 1),
        [forward, forward_grad, forward_grad_inputs], (x, noise) -> (y));
    gradients!(
        Several::init(Seed(1)), Several::workspace(8, 2),
        [loss, loss_grad, loss_grad_inputs], (x, noise) -> number);
}

#[test]
fn parameters_that_a_function_does_not_reach_have_no_gradient() {
    let net = Several::init(Seed(1));
    let mut ws = Several::workspace(3, 5).unwrap();
    let (x, noise) = (batch::<[f32; 4]>(1, 3), batch::<[f32; 2]>(2, 3));
    let z = batch::<[f32; 2]>(3, 5);
    net.loss_grad(&mut ws, &x, &noise).unwrap();
    assert!(ws.grads().as_slice().iter().all(|g| *g != 0.0), "{:?}", ws.grads().as_slice());
    let d = batch::<[f32; 4]>(4, 5);
    net.decode_grad(&mut ws, &z, &d).unwrap();
    let grads = ws.grads().as_slice();
    for spec in Several::param_specs() {
        let own = &grads[spec.start..][..spec.len()];
        let reached = spec.name.starts_with("decoder");
        assert!(own.iter().all(|g| (*g != 0.0) == reached), "{}: {own:?}", spec.name);
    }
    gradients!(
        net.clone(), Several::workspace(1, 5),
        [decode, decode_grad, decode_grad_inputs], (z) -> (y));
    gradients!(
        net, Several::workspace(4, 5),
        [encode, encode_grad, encode_grad_inputs], (x) -> (a, b));
}

model! {
    struct TwoSizes {
        users: Linear(2 -> 3),
        items: Linear(4 -> 3, bias = false),
    }

    fn forward(&self, u: [users, 2], i: [items, 4], w: [users, 1]) -> ([users, 3], [items, 3], []) {
        let (u, i) = (self.users(u) * w, self.items(i).tanh());
        let both = u.mean(dim = 0) * i.sum(dim = 0);
        (u * both, i + both, both.sum())
    }

    fn ranking(&self, u: [users, 2], i: [items, 4], label: Classes[users]) -> [] {
        let items: [items, 3] = self.items(i);
        let scores = self.users(u) + items.mean(0);
        cross_entropy(scores, label)
    }
}

#[test]
fn two_run_time_sizes() {
    let (u, i) = (batch::<[f32; 2]>(1, 3), batch::<[f32; 4]>(2, 2));
    let (w, label) = (batch::<[f32; 1]>(3, 3), Labels(vec![2, 0, 1]));
    gradients!(
        TwoSizes::init(Seed(1)), TwoSizes::workspace(3, 4),
        [forward, forward_grad, forward_grad_inputs], (u, i, w) -> (a, b, c));
    gradients!(
        TwoSizes::init(Seed(1)), TwoSizes::workspace(4, 2),
        [ranking, ranking_grad, ranking_grad_inputs], (u, i, label) -> number);
}

model! {
    struct Static {
        fc: Linear(3 -> 4),
    }

    fn forward(&self, x: [2, 3], y: [4], s: []) -> ([2, 4], []) {
        let z = self.fc(x).tanh() * y + s;
        (z, z.sum() * s)
    }

    fn row(&self, x: [3]) -> [4] {
        self.fc(x)
    }

    fn loss(&self, x: [2, 3], t: [2, 4]) -> [] {
        huber_loss(self.fc(x), t, delta = 0.75)
    }
}

#[test]
fn sizes_that_are_all_constant() {
    let (x, y, s) = (random::<[[f32; 3]; 2]>(1), random::<[f32; 4]>(2), 0.8125_f32);
    gradients!(
        Static::init(Seed(1)), Static::workspace(),
        [forward, forward_grad, forward_grad_inputs], (x, y, s) -> (a, b));
    let t = random::<[[f32; 4]; 2]>(3);
    gradients!(
        Static::init(Seed(1)), Static::workspace(),
        [loss, loss_grad, loss_grad_inputs], (x, t) -> number);
    let x = random::<[f32; 3]>(4);
    gradients!(
        Static::init(Seed(1)), Static::workspace(),
        [row, row_grad, row_grad_inputs], (x) -> (y));
}

model! {
    fn rosenbrock(x: [2]) -> [] {
        let x = x.reshape([2, 1]);
        let first = x.transpose(0, 1).matmul(x * 0.0 + 1.0).sum();
        let a = (1.0 - first * 0.5).square();
        a + (x.square().sum() - first) * 10.0
    }
}

#[test]
fn a_function_without_a_model() {
    let x = [0.375_f32, -0.625];
    free_gradients!(rosenbrock_workspace(), [rosenbrock, rosenbrock_grad], (x) -> number);
    let mut ws = rosenbrock_workspace().unwrap();
    assert_eq!(rosenbrock(&mut ws, &[1.0, 1.0]).unwrap(), 0.0);
    let (value, gradient) = rosenbrock_grad(&mut ws, &[0.0, 0.0]).unwrap();
    assert_eq!((value, gradient), (1.0, &[-11.0, -11.0]));
}
