//! Values that are constants to gradients.

use gradiron::prelude::*;

use crate::data::batch;

model! {
    /// The function, and beside it the same with its detached part given from outside.
    struct Detached {
        fc1: Linear(4 -> 3),
        fc2: Linear(3 -> 3),
    }

    fn features(&self, x: [batch, 4]) -> [batch, 3] {
        self.fc1(x).tanh()
    }

    fn loss(&self, x: [batch, 4]) -> [] {
        let z = self.features(x);
        (self.fc2(z.detach()) * z).square().mean() + z.mean() + x.detach().mean()
    }

    fn given(&self, x: [batch, 4], z: [batch, 3]) -> [] {
        let own = self.features(x);
        (self.fc2(z) * own).square().mean() + own.mean() + 0.0 * x.mean()
    }
}

#[test]
fn a_detached_value_is_a_constant() {
    let net = Detached::init(Seed(1));
    let (mut ws, x) = (Detached::workspace(3).unwrap(), batch::<[f32; 4]>(1, 3));
    let z = net.features(&mut ws, &x).unwrap().to_vec();
    let d_x = net.loss_grad_inputs(&mut ws, &x).unwrap().1.to_vec();
    let gradients = ws.grads().as_slice().to_vec();
    let (_, (expected, _)) = net.given_grad_inputs(&mut ws, &x, &z).unwrap();
    assert_eq!(d_x, expected);
    assert_eq!(gradients, ws.grads().as_slice());
    assert!(gradients.iter().all(|g| *g != 0.0));
}

model! {
    #[allow(bias_before_batch_norm)]
    struct Block {
        fc: Linear(4 -> 4),
        norm: BatchNorm1d(4),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 4] {
        self.norm(self.fc(x)).tanh()
    }
}

model! {
    struct Nested {
        block: Block,
        row: [Block; 2],
        head: Linear(4 -> 2),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 2] {
        self.head(self.row(self.block(x)))
    }

    /// What is before `head` is not trained here.
    fn head_loss(&self, x: [batch, 4]) -> [] {
        self.head(self.row(self.block(x)).detach()).square().mean()
    }

    fn loss(&self, x: [batch, 4]) -> [] {
        self.forward(x).square().mean()
    }
}

#[test]
fn models_whose_results_are_detached_run_and_have_no_gradient() {
    let mut net = Nested::init(Seed(1));
    let (mut ws, x) = (Nested::workspace(3).unwrap(), batch::<[f32; 4]>(1, 3));
    let head = Nested::PARAMS - 2 * 5;
    ws.poison();
    let loss = net.loss_grad(&mut ws, &x).unwrap();
    let (all, state) = (ws.grads().as_slice().to_vec(), ws.grads().state().to_vec());
    for with_inputs in [false, true] {
        ws.poison();
        let own = match with_inputs {
            false => net.head_loss_grad(&mut ws, &x).unwrap(),
            true => {
                let (own, d_x) = net.head_loss_grad_inputs(&mut ws, &x).unwrap();
                assert!(d_x.as_flattened().iter().all(|d| *d == 0.0));
                own
            }
        };
        assert_eq!(own, loss);
        let gradients = ws.grads().as_slice();
        assert!(gradients[..head].iter().all(|g| *g == 0.0));
        assert_eq!(gradients[head..], all[head..]);
        // Statistics are those of training.
        assert_eq!(ws.grads().state(), state);
    }
    net.update_state(ws.grads());
}

model! {
    struct Streamed {
        input: Linear(4 -> 4),
        cell: GRU(4 -> 4),
    }

    #[step(8)]
    fn forward(&self, x: [batch, 8, 4]) -> [batch, 8, 4] {
        let (y, _h) = self.cell(self.input(x).detach());
        y
    }
}

#[test]
fn steps_have_it() {
    let net = Streamed::init(Seed(1));
    let mut ws = Streamed::workspace(2).unwrap();
    assert!(net.forward_step_check(&mut ws, Seed(1)).unwrap().difference < 1e-5);
}
