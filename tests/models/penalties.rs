//! Functions without inputs: what follows from the parameters alone.

use gradiron::prelude::*;

use crate::data::batch;

model! {
    struct Block<const D: usize> {
        fc: Linear(D -> D),
        scale: Param([D], init = ones),
    }

    fn forward(&self, x: [batch, D]) -> [batch, D] {
        (self.fc(x) * self.scale).tanh()
    }

    fn penalty(&self) -> [] {
        self.fc.weight.square().sum() + self.scale.abs().sum()
    }
}

model! {
    struct Net {
        head: Linear(4 -> 2),
        first: Block<4>,
        blocks: [Block<4>; 2],
        small: Small,
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 2] {
        self.head(self.small(self.blocks[1](self.blocks[0](self.first(x)))))
    }

    fn penalty(&self) -> [] {
        let first: [] = self.first.penalty();
        let one: [] = self.blocks[0].penalty();
        let two: [] = self.blocks[1].penalty();
        self.head.weight.square().sum() + first + one + two + self.small.penalty()
    }

    fn loss(&self, x: [batch, 4], y: [batch, 2]) -> [] {
        mse_loss(self.forward(x), y) + 0.01 * self.penalty()
    }

    /// Values that are no numbers.
    fn weights(&self) -> ([4, 2], [4]) {
        (self.head.weight.transpose(0, 1), self.small.shifts())
    }

    #[trains(head)]
    fn of_head(&self) -> [] {
        self.penalty()
    }

    struct Small {
        shift: Param([4], init = normal(0.0, 1.0)),
    }

    fn forward(&self, x: [n, 4]) -> [n, 4] {
        x + self.shift
    }

    fn penalty(&self) -> [] {
        self.shift.square().mean()
    }

    fn shifts(&self) -> [4] {
        self.shift
    }
}

/// The penalty, and its gradient of each parameter.
fn by_hand(net: &Net) -> (f64, Vec<f32>) {
    let (mut value, mut gradient) = (0.0, vec![0.0; Net::PARAMS]);
    for (spec, tensor) in Net::param_specs().iter().zip(net.select("*").unwrap().iter()) {
        let d = &mut gradient[spec.start..][..spec.len()];
        for (x, d) in tensor.floats().iter().zip(d) {
            let of_x = f64::from(*x);
            let (y, dy) = match () {
                () if spec.name.ends_with("weight") => (of_x * of_x, 2.0 * x),
                () if spec.name.ends_with("scale") => (of_x.abs(), x.signum()),
                () if spec.name.ends_with("shift") => (of_x * of_x / 4.0, x / 2.0),
                () => (0.0, 0.0),
            };
            (value, *d) = (value + y, dy);
        }
    }
    (value, gradient)
}

fn near(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() <= 1e-6 * b.abs().max(1.0), "{i}: {a}, not {b}");
    }
}

#[test]
fn penalties_have_values_and_gradients() {
    let mut net = Net::init(Seed(1));
    let mut ws = Net::workspace(3).unwrap();
    ws.poison();
    let (value, gradient) = by_hand(&net);
    near(&[net.penalty(&mut ws).unwrap()], &[value as f32]);
    // What is prepared follows the parameters.
    net.small_mut_shift(2.0);
    let (other, _) = by_hand(&net);
    near(&[net.penalty(&mut ws).unwrap()], &[other as f32]);
    near(&[net.penalty(&mut Net::infer_workspace(1).unwrap()).unwrap()], &[other as f32]);
    net.small_mut_shift(0.5);
    ws.poison();
    near(&[net.penalty_grad(&mut ws).unwrap()], &[value as f32]);
    near(ws.grads().as_slice(), &gradient);
    let (again, ()) = net.penalty_grad_inputs(&mut ws).unwrap();
    near(&[again], &[value as f32]);
    net.of_head_grad(&mut ws).unwrap();
    near(&ws.grads().as_slice()[..8], &gradient[..8]);
    assert!(ws.grads().as_slice()[8..].iter().all(|d| *d == 0.0));
    ws.set_training(true);
    near(&[net.penalty(&mut ws).unwrap()], &[value as f32]);

    // A step along a penalty alone.
    let mut sgd = Sgd::new(&net, 0.1).unwrap();
    let before = net.params().to_vec();
    let loss = net.penalty_train(&mut ws, &mut sgd).unwrap();
    near(&[loss.value().unwrap()], &[value as f32]);
    let stepped: Vec<f32> = before.iter().zip(&gradient).map(|(p, d)| p - 0.1 * d).collect();
    near(net.params(), &stepped);
}

impl Net {
    fn small_mut_shift(&mut self, factor: f32) {
        self.select_mut("small.shift").unwrap().scale(factor);
    }
}

#[test]
fn losses_have_them_as_parts() {
    let net = Net::init(Seed(1));
    let mut ws = Net::workspace(3).unwrap();
    let (x, y) = (batch::<[f32; 4]>(1, 3), batch::<[f32; 2]>(2, 3));
    let loss = net.loss_grad(&mut ws, &x, &y).unwrap();
    let gradients = ws.grads().as_slice().to_vec();
    let made = net.forward(&mut ws, &x).unwrap().to_vec();
    let apart = made.as_flattened().iter().zip(y.as_flattened()).map(|(a, b)| (a - b) * (a - b));
    let error = apart.sum::<f32>() / 6.0;
    let (value, gradient) = by_hand(&net);
    near(&[loss], &[error + 0.01 * value as f32]);
    let seed: Vec<_> =
        made.iter().zip(&y).map(|(a, b)| [0, 1].map(|i| (a[i] - b[i]) / 3.0)).collect();
    net.forward_grad(&mut ws, &x, &seed).unwrap();
    let sum: Vec<f32> =
        ws.grads().as_slice().iter().zip(&gradient).map(|(a, b)| a + 0.01 * b).collect();
    near(&gradients, &sum);
}

#[test]
fn other_results_than_numbers() {
    let net = Net::init(Seed(1));
    let mut ws = Net::workspace(1).unwrap();
    ws.poison();
    let (weight, shift) = net.weights(&mut ws).unwrap();
    let own = net.head().weight();
    assert!((0..4).all(|i| weight[i] == [own[0][i], own[1][i]]));
    assert_eq!(shift.to_vec(), net.select("small").unwrap().get("small.shift").unwrap().floats());
    net.weights_grad(&mut ws, &[[1.0, 2.0]; 4], &[3.0; 4]).unwrap();
    let of = |name: &str| ws.grads().select(name).unwrap().iter().next().unwrap().floats().to_vec();
    assert_eq!(of("head.weight"), [[1.0; 4], [2.0; 4]].as_flattened());
    assert_eq!(of("small.shift"), [3.0; 4]);
}
