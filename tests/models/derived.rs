//! `#[derive(Module)]`: structs of layers and models, and such structs inside models.

use gradiron::prelude::*;

use crate::data::batch;

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
