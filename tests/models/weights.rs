//! Weights as values: of layers, and in functions that take them.

use gradiron::prelude::*;

use crate::data::{Labels, batch, bits, random};

model! {
    struct Tied {
        token: Embedding(7 -> 4),
        fc: Linear(4 -> 4),
    }

    fn loss(&self, x: Classes[batch], noise: [batch, 4], label: Classes[batch]) -> [] {
        let x = self.fc(self.token(x) + noise).tanh();
        cross_entropy(linear(x, self.token.weight), label)
    }
}

model! {
    struct TiedByAnOption {
        token: Embedding(7 -> 4),
        fc: Linear(4 -> 4),
        head: Linear(4 -> 7, tied = self.token, bias = false),
    }

    fn loss(&self, x: Classes[batch], noise: [batch, 4], label: Classes[batch]) -> [] {
        cross_entropy(self.head(self.fc(self.token(x) + noise).tanh()), label)
    }
}

#[test]
fn a_table_is_the_weight_of_the_last_layer() {
    let (x, label) = (Labels(vec![0, 6, 3, 3]), Labels(vec![1, 2, 6, 0]));
    let noise = batch::<[f32; 4]>(1, 4);
    gradients!(
        Tied::init(Seed(1)), Tied::workspace(4), [loss, loss_grad, loss_grad_inputs],
        (x, noise, label) -> number);
    let (net, option) = (Tied::init(Seed(2)), TiedByAnOption::init(Seed(2)));
    let (mut ws, mut other) = (Tied::workspace(4).unwrap(), TiedByAnOption::workspace(4).unwrap());
    let loss = net.loss_grad(&mut ws, &x.0, &noise, &label.0).unwrap();
    assert_eq!(loss, option.loss_grad(&mut other, &x.0, &noise, &label.0).unwrap());
    assert_eq!(bits(ws.grads().as_slice()), bits(other.grads().as_slice()));
}

model! {
    struct WeightNorm {
        fc: Linear(5 -> 3),
        length: Param([3, 1], init = uniform(0.5, 2.0)),
    }

    fn forward(&self, x: [batch, 5]) -> [batch, 3] {
        let v = self.fc.weight;
        let v = v / v.square().sum(dim = -1, keepdim = true).sqrt();
        linear(x, self.length * v, self.fc.bias)
    }
}

#[test]
fn rows_of_a_weight_have_lengths_of_their_own() {
    let x = batch::<[f32; 5]>(1, 3);
    gradients!(
        WeightNorm::init(Seed(1)), WeightNorm::workspace(3),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    let net = WeightNorm::init(Seed(2));
    let mut ws = WeightNorm::workspace(3).unwrap();
    let found = net.forward(&mut ws, &x).unwrap();
    for (x, found) in x.iter().zip(found) {
        for (o, found) in found.iter().enumerate() {
            let v: Vec<f64> = net.fc().weight()[o].iter().map(|v| f64::from(*v)).collect();
            let length = v.iter().map(|v| v * v).sum::<f64>().sqrt();
            let factor = f64::from(net.length()[o][0]) / length;
            let y = v.iter().zip(x).map(|(v, x)| v * factor * f64::from(*x)).sum::<f64>();
            let y = y + f64::from(net.fc().bias()[o]);
            assert!((y - f64::from(*found)).abs() < 1e-5, "{y} and {found}");
        }
    }
}

model! {
    struct Lora {
        base: Linear(6 -> 6),
        a: Param([2, 6], init = normal(0.0, 0.5)),
        b: Param([6, 2], init = normal(0.0, 0.5)),
    }

    fn forward(&self, x: [batch, 6]) -> [batch, 6] {
        linear(x, self.base.weight + self.b.matmul(self.a), self.base.bias)
    }

    fn in_two_steps(&self, x: [batch, 6]) -> [batch, 6] {
        self.base(x) + linear(linear(x, self.a), self.b)
    }
}

#[test]
fn a_weight_is_a_sum_of_a_base_and_a_product() {
    let x = batch::<[f32; 6]>(1, 3);
    gradients!(
        Lora::init(Seed(1)), Lora::workspace(3), [forward, forward_grad, forward_grad_inputs],
        (x) -> (y));
    let net = Lora::init(Seed(2));
    let (mut ws, mut other) = (Lora::workspace(3).unwrap(), Lora::workspace(3).unwrap());
    let d = batch::<[f32; 6]>(2, 3);
    let y = net.forward_grad(&mut ws, &x, &d).unwrap().to_vec();
    let z = net.in_two_steps_grad(&mut other, &x, &d).unwrap();
    let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(near(y.as_flattened(), z.as_flattened()), "{y:?} and {z:?}");
    assert!(near(ws.grads().as_slice(), other.grads().as_slice()));
}

model! {
    struct Filters {
        conv: Conv2d(2 -> 4, kernel = 3, padding = 1),
        norm: Conv2d(4 -> 4, kernel = 2, groups = 2),
    }

    fn forward(&self, x: [batch, 2, 5, 5]) -> [batch, 4, 4, 4] {
        let w = self.conv.weight - self.conv.weight.mean(dim = [1, 2, 3], keepdim = true);
        let y = conv2d(x, w, self.conv.bias, padding = 1).tanh();
        conv2d(y, self.norm.weight.tanh(), bias = self.norm.bias, groups = 2)
    }

    fn plain(&self, x: [batch, 2, 5, 5]) -> [batch, 4, 4, 4] {
        self.norm(self.conv(x))
    }

    fn as_values(&self, x: [batch, 2, 5, 5]) -> [batch, 4, 4, 4] {
        let y = conv2d(x, self.conv.weight, self.conv.bias, 1, 1);
        conv2d(y, self.norm.weight, self.norm.bias, groups = 2)
    }
}

model! {
    fn filters_of_an_input(x: [batch, 2, 5, 4], w: [3, 2, 3, 2], b: [3]) -> [batch, 3, 2, 3] {
        conv2d(x, w.sin(), b, stride = (2, 1), padding = 0)
    }
}

#[test]
fn filters_are_values() {
    let x = batch::<[[[f32; 5]; 5]; 2]>(1, 2);
    gradients!(
        Filters::init(Seed(1)), Filters::workspace(2),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    let net = Filters::init(Seed(2));
    let (mut ws, mut other) = (Filters::workspace(2).unwrap(), Filters::workspace(2).unwrap());
    let d = batch::<[[[f32; 4]; 4]; 4]>(2, 2);
    let y = net.plain_grad(&mut ws, &x, &d).unwrap();
    assert_eq!(y, net.as_values_grad(&mut other, &x, &d).unwrap());
    assert_eq!(bits(ws.grads().as_slice()), bits(other.grads().as_slice()));
    assert_eq!(net.plain(&mut ws, &x).unwrap(), net.as_values(&mut other, &x).unwrap());

    let x = batch::<[[[f32; 4]; 5]; 2]>(3, 3);
    let (w, b) = (random::<[[[[f32; 2]; 3]; 2]; 3]>(4), random::<[f32; 3]>(5));
    free_gradients!(
        filters_of_an_input_workspace(3), [filters_of_an_input, filters_of_an_input_grad],
        (x, w, b) -> (y));
}

model! {
    struct Each {
        token: Embedding(5 -> 4, padding_idx = 1),
        attn: MultiheadAttention(4, num_heads = 1),
        rnn: RNN(4 -> 4),
        norm: LayerNorm(4),
        rms: RMSNorm(4),
    }

    fn by_layers(&self, x: Classes[batch, 3]) -> [batch, 4] {
        let x = self.norm(self.attn(self.token(x)));
        let (_y, h) = self.rnn(x.narrow(1, 0, 1));
        self.rms(h)
    }

    fn by_weights(&self, x: Classes[batch, 3]) -> [batch, 4] {
        let x = embedding(x, self.token.weight, padding_idx = 1);
        let qkv = linear(x, self.attn.in_proj_weight, self.attn.in_proj_bias);
        let q = qkv.narrow(2, 0, 4);
        let scores = q.matmul(qkv.narrow(2, 4, 4).transpose(1, 2)) / 2.0;
        let y = scores.softmax(-1).matmul(qkv.narrow(2, 8, 4));
        let y = linear(y, self.attn.out_proj.weight, self.attn.out_proj.bias);
        let y = layer_norm(y, self.norm.weight, self.norm.bias).select(1, 0);
        let y = linear(y, self.rnn.weight_ih_l0, self.rnn.bias_ih_l0) + self.rnn.bias_hh_l0;
        rms_norm(y.tanh(), self.rms.weight)
    }

    // What it makes of a first state of 0 needs no product, but has a place in files.
    fn recurrent(&self, h: [batch, 4]) -> [batch, 4] {
        linear(h, weight = self.rnn.weight_hh_l0)
    }
}

#[test]
fn every_layer_gives_its_parameters() {
    let x = [[0_u8, 1, 4], [2, 2, 3]];
    let net = Each::init(Seed(3));
    let (mut ws, mut other) = (Each::workspace(2).unwrap(), Each::workspace(2).unwrap());
    let d = batch::<[f32; 4]>(2, 2);
    let y = net.by_layers_grad(&mut ws, &x, &d).unwrap();
    let z = net.by_weights_grad(&mut other, &x, &d).unwrap();
    let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(near(y.as_flattened(), z.as_flattened()), "{y:?} and {z:?}");
    assert!(near(ws.grads().as_slice(), other.grads().as_slice()));
}

model! {
    struct Unread {
        other: Linear(3 -> 2),
        norm: BatchNorm1d(3),
        attn: MultiheadAttention(8, num_heads = 2),
    }

    fn forward(&self, x: [batch, 3]) -> [batch, 2] {
        linear(x * self.norm.weight, self.other.weight) + self.attn.out_proj.bias.sum()
    }
}

#[test]
fn a_layer_that_is_not_called_has_all_its_parameters() {
    let names: Vec<_> = Unread::param_specs().into_iter().map(|spec| spec.name).collect();
    let attn = ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"];
    let attn: Vec<_> = attn.iter().map(|name| format!("attn.{name}")).collect();
    assert_eq!(names[..4], ["other.weight", "other.bias", "norm.weight", "norm.bias"]);
    assert_eq!(names[4..], attn);
    let net = Unread::init(Seed(0));
    let mut ws = Unread::workspace(1).unwrap();
    net.forward_grad(&mut ws, &[[1.0; 3]], &[[1.0; 2]]).unwrap();
    let grads = ws.grads().as_slice();
    assert!(grads[..6].iter().all(|g| *g != 0.0), "{grads:?}");
    assert_eq!(grads[6..8], [0.0; 2]);
}

const PAGE: usize = 6;

model! {
    struct Steps {
        token: Embedding(9 -> 8),
        attn: MultiheadAttention(8, num_heads = 2),
        scale: Param([9, 1], init = ones),
    }

    #[step(PAGE)]
    fn forward(&self, x: Classes[batch, PAGE]) -> [batch, PAGE, 9] {
        let x = self.token(x);
        linear(x + self.attn(x, is_causal = true), self.token.weight * self.scale)
    }
}

#[test]
fn steps_compute_with_weights() {
    let net = Steps::init(Seed(1));
    let mut ws = Steps::workspace(2).unwrap();
    let check = net.forward_step_check(&mut ws, Seed(1)).unwrap();
    assert!(check.difference < 1e-5, "{check:?}");
}
