//! Dropout in models: none in inference, another one in each step.

use gradiron::prelude::*;

model! {
    struct Block {
        fc: Linear(64 -> 64, bias = false),
    }

    fn forward(&self, x: [batch, 64]) -> [batch, 64] {
        x.dropout(0.5) + self.fc(x) * 0.0
    }
}

model! {
    struct Net {
        first: Dropout(0.25),
        blocks: [Block; 2],
        none: Dropout(0.0),
    }

    fn once(&self, x: [batch, 400]) -> [batch, 400] {
        self.none(self.first(x))
    }

    fn both(&self, x: [batch, 64]) -> [batch, 64] {
        self.blocks(x)
    }
}

fn ones<const N: usize>(batch: usize) -> Vec<[f32; N]> {
    vec![[1.0; N]; batch]
}

#[test]
fn inference_drops_nothing() {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(3).unwrap();
    assert_eq!(net.once(&mut ws, &ones(3)).unwrap(), ones(3));
    assert_eq!(net.both(&mut ws, &ones(3)).unwrap(), ones(3));
}

#[test]
fn what_is_left_is_scaled_and_has_the_gradient() {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(20).unwrap();
    let (y, d_x) = net.once_grad_inputs(&mut ws, &ones(20), &ones(20)).unwrap();
    let y = y.as_flattened();
    assert!(y.iter().all(|y| *y == 0.0 || *y == 1.0 / 0.75));
    assert_eq!(y, d_x.as_flattened(), "the gradient of what is kept is its scale");
    let dropped = y.iter().filter(|y| **y == 0.0).count() as f64 / 8000.0;
    // Five standard deviations of 8,000 draws.
    assert!((dropped - 0.25).abs() < 5.0 * (0.25 * 0.75 / 8000.0_f64).sqrt(), "{dropped}");
}

#[test]
fn models_of_a_row_drop_different_elements() {
    let net = Net::init(Seed(0));
    let mut ws = Net::workspace(40).unwrap();
    let (y, d_x) = net.both_grad_inputs(&mut ws, &ones(40), &ones(40)).unwrap();
    assert_eq!(y, d_x);
    // Equal masks would leave a half.
    let left = y.as_flattened().iter().filter(|y| **y != 0.0).count() as f64 / 2560.0;
    assert!((left - 0.25).abs() < 5.0 * (0.25 * 0.75 / 2560.0_f64).sqrt(), "{left}");
}

#[test]
fn each_step_draws_anew_and_a_seed_starts_over() {
    let net = Net::init(Seed(0));
    let mut draws = Vec::new();
    for threads in [1, 2, 3] {
        let mut ws = Net::workspace_on(Cpu::with_threads(threads), 50).unwrap();
        let steps = |ws: &mut Workspace<Net>| {
            let (x, d_y) = (ones(50), ones(50));
            [0, 1].map(|_| net.once_grad(ws, &x, &d_y).unwrap().to_vec())
        };
        let first = steps(&mut ws);
        assert_ne!(first[0], first[1]);
        ws.manual_seed(Seed(1));
        let other = steps(&mut ws);
        assert!(first.iter().all(|draw| !other.contains(draw)));
        ws.manual_seed(Seed(0));
        assert_eq!(first, steps(&mut ws));
        draws.push((first, other));
    }
    assert!(draws.iter().all(|draw| *draw == draws[0]), "the bits follow from the seed alone");
}
