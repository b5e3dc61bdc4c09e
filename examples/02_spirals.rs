//! The second lesson: tell three arms of a spiral apart, by a network with a hidden layer.
//!
//! `cargo run --release --example 02_spirals`

use gradiron::prelude::*;
use gradiron::rng::Rng;

const ARMS: usize = 3;
const BATCH: usize = 50;

model! {
    pub struct Spirals {
        fc1: Linear(2 -> 64),
        fc2: Linear(64), // the input size is inferred when it is left out
        fc3: Linear(64 -> ARMS),
    }

    fn forward(&self, point: [batch, 2]) -> [batch, ARMS] {
        let x = self.fc1(point).relu();
        let x = self.fc2(x).relu();
        self.fc3(x)
    }

    fn loss(&self, point: [batch, 2], arm: Classes[batch]) -> [] {
        cross_entropy(self.forward(point), arm)
    }
}

/// Points on three arms that wind around each other, and the arm that each lies on.
fn draw(count: usize, rng: &mut Rng) -> (Vec<[f32; 2]>, Vec<u8>) {
    let point = |i| {
        let arm = i % ARMS;
        let far = rng.uniform_range(0.1, 1.0);
        let turn = arm as f32 * std::f32::consts::TAU / ARMS as f32 + 4.0 * far;
        let angle = turn + 0.1 * rng.normal();
        ([far * angle.cos(), far * angle.sin()], arm as u8)
    };
    (0..count).map(point).unzip()
}

/// The class with the largest of its scores.
fn best(scores: &[f32; ARMS]) -> u8 {
    (0..ARMS).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap_or(0) as u8
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut rng = Rng::new(Seed(1), 0);
    let (points, arms) = draw(600, &mut rng);
    let (test_points, test_arms) = draw(300, &mut rng);

    let mut net = Spirals::init(Seed(0));
    let mut ws = Spirals::workspace(test_points.len())?;
    let mut adam = Adam::new(&net, 1e-2)?;
    for epoch in 1..=50 {
        let mut sum = 0.0;
        for (point, arm) in points.chunks(BATCH).zip(arms.chunks(BATCH)) {
            sum += net.loss_grad(&mut ws, point, arm)? * point.len() as f32;
            adam.step(&mut net, ws.grads());
        }
        if epoch % 10 == 0 {
            println!("epoch {epoch:2}  loss {:.4}", sum / points.len() as f32);
        }
    }

    let scores = net.forward(&mut ws, &test_points)?;
    let right = scores.iter().zip(&test_arms).filter(|(row, arm)| best(row) == **arm).count();
    let accuracy = 100.0 * right as f32 / test_arms.len() as f32;
    println!("{accuracy:.1} % of points that were not in training");
    assert!(accuracy > 95.0, "the arms were not told apart");
    Ok(())
}
