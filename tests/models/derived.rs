//! `#[derive(Module)]`: structs of layers and models, and such structs inside models.

use gradiron::prelude::*;

use crate::data::{Labels, batch, bits};

#[derive(Module)]
struct Mlp {
    fc1: Linear<4, 5>,
    act: Tanh,
    fc2: Linear<5, 3>,
    last: Softplus,
}

#[derive(Module)]
struct Pair(Linear<3, 4>, Gelu, Linear<4, 2>);

#[derive(Module)]
#[module(input = [batch, 1, 5, 5], output = [batch, 2])]
struct Images {
    conv: Conv2d<1, 2, 3, 1, 1>,
    act: Silu,
    pool: AvgPool2d<2>,
    flat: Flatten,
    fc: Linear<8, 2>,
}

#[test]
fn structs_of_layers() {
    let x = batch::<[f32; 4]>(1, 3);
    gradients!(
        Mlp::init(Seed(1)), Mlp::workspace(3),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    let x = batch::<[f32; 3]>(2, 3);
    gradients!(
        Pair::init(Seed(1)), Pair::workspace(5),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    let x = batch::<[[[f32; 5]; 5]; 1]>(3, 2);
    gradients!(
        Images::init(Seed(1)), Images::workspace(2),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    let names: Vec<_> = Net::<Pair>::param_specs().into_iter().map(|spec| spec.name).collect();
    assert_eq!(names, ["0.weight", "0.bias", "2.weight", "2.bias"]);
}

model! {
    struct Residual {
        fc: Linear(3 -> 3),
    }

    fn forward(&self, x: [batch, 3]) -> [batch, 3] {
        x + self.fc(x).sigmoid()
    }
}

/// A layer, a model and another derived module in one struct.
#[derive(Module)]
#[module(output = [batch, 3])]
struct Stack {
    head: Linear<4, 3>,
    residual: Residual,
    act: Tanh,
    again: Residual,
}

model! {
    struct Around {
        stack: Stack,
        mlp: Mlp,
        tail: Linear(3 -> 2),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 2] {
        let y: [batch, 3] = self.stack(x);
        let z: [batch, 3] = self.mlp(x);
        self.tail(y * z)
    }
}

#[test]
fn modules_and_models_contain_each_other() {
    let x = batch::<[f32; 4]>(4, 3);
    gradients!(
        Stack::init(Seed(1)), Stack::workspace(3),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    gradients!(
        Around::init(Seed(1)), Around::workspace(4),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    let names: Vec<_> = Around::param_specs().into_iter().map(|spec| spec.name).collect();
    assert!(names.contains(&"stack.residual.fc.weight".to_string()), "{names:?}");
}

/// The logarithms of probabilities of the next token.
#[derive(Module)]
#[module(input = Classes[batch, 3], output = [batch, 3, 5])]
struct Bigram {
    token: Embedding<6, 4>,
    ln: LayerNorm<4>,
    head: Linear<4, 5>,
    probabilities: LogSoftmax,
}

model! {
    struct Trained {
        bigram: Bigram,
        scale: Param([5], init = ones),
    }

    fn forward(&self, token: Classes[batch, 3], x: [batch, 3, 5]) -> [batch, 3, 5] {
        let y: [batch, 3, 5] = self.bigram(token);
        y * self.scale + x
    }
}

#[test]
fn a_module_of_class_indices() {
    let token = Labels(vec![[5_u32, 0, 2], [5, 5, 1]]);
    let x = batch::<[[f32; 5]; 3]>(5, 2);
    gradients!(
        Trained::init(Seed(1)), Trained::workspace(2),
        [forward, forward_grad, forward_grad_inputs], (token, x) -> (y));
    // By itself: the same numbers, and no gradient of indices.
    let net = Bigram::init(Seed(1));
    let mut ws = Bigram::workspace(2).unwrap();
    let y = net.forward(&mut ws, &token.0).unwrap().to_vec();
    let (again, ()) = net.forward_grad_inputs(&mut ws, &token.0, &x).unwrap();
    assert_eq!(again, y);
    let grads = bits(ws.grads().as_slice());
    assert_eq!(net.forward_grad(&mut ws, &token.0, &x).unwrap(), y);
    assert_eq!(bits(ws.grads().as_slice()), grads);
    let mut trained = Trained::init(Seed(2));
    trained.params_mut()[..net.params().len()].copy_from_slice(net.params());
    let zeros = vec![[[0.0; 5]; 3]; 2];
    let mut outer = Trained::workspace(2).unwrap();
    assert_eq!(trained.forward(&mut outer, &token.0, &zeros).unwrap(), y);
    let error = net.forward(&mut ws, &[[0, 0, 6]]).unwrap_err().to_string();
    assert_eq!(error, "`x[0][2]` is the class 6, but classes go from 0 to 5");
}
