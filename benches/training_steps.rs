//! Times whole training steps: forward, loss, backward and Adam on one batch in memory.
//!
//! `cargo bench --bench training_steps [-- THREADS]` prints the median and the 10th and 90th
//! percentile in microseconds; `benches/pytorch.py` prints the same for PyTorch.

use std::time::{Duration, Instant};

use gradiron::prelude::*;

const BATCH: usize = 64;
const WARM_UP: Duration = Duration::from_millis(500);
const MEASURED: Duration = Duration::from_secs(3);

model! {
    pub struct LeNet {
        conv1: Conv2d(1 -> 6, kernel = 5, padding = 2),
        conv2: Conv2d(6 -> 16, kernel = 5),
        fc1: Linear(400 -> 120),
        fc2: Linear(120 -> 84),
        fc3: Linear(84 -> 10),
    }

    fn loss(&self, image: [batch, 1, 28, 28], label: Classes[batch]) -> [] {
        let x = self.conv1(image).relu().max_pool2d(2);
        let x = self.conv2(x).relu().max_pool2d(2).flatten();
        let x = self.fc1(x).relu();
        let x = self.fc2(x).relu();
        cross_entropy(self.fc3(x), label)
    }
}

model! {
    pub struct Mlp {
        fc1: Linear(784 -> 128),
        fc2: Linear(128 -> 10),
    }

    fn loss(&self, image: [batch, 784], label: Classes[batch]) -> [] {
        cross_entropy(self.fc2(self.fc1(image).relu()), label)
    }
}

model! {
    pub struct Line {
        line: Linear(1 -> 1),
    }

    fn loss(&self, x: [batch, 1], y: [batch, 1]) -> [] {
        mse_loss(self.line(x), y)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let threads = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(2);
    let cpu = || Cpu::with_threads(threads);
    let image: Vec<f32> = (0..BATCH * 784).map(|i| (i as f32 * 0.37).sin()).collect();
    let label: Vec<u8> = (0..BATCH).map(|i| (i % 10) as u8).collect();
    println!("{threads} threads, µs per training step: median (10 %, 90 %)");

    let (mut net, mut ws) = (LeNet::init(Seed(0)), LeNet::workspace_on(cpu(), BATCH)?);
    let mut adam = Adam::new(&net, 1e-3)?;
    let images = gradiron::view::samples(&image)?;
    measure("LeNet, batch 64, Adam", || {
        net.loss_grad(&mut ws, images, &label)?;
        adam.step(&mut net, ws.grads());
        Ok(())
    })?;

    let (mut net, mut ws) = (Mlp::init(Seed(0)), Mlp::workspace_on(cpu(), BATCH)?);
    let mut adam = Adam::new(&net, 1e-3)?;
    let images = gradiron::view::samples(&image)?;
    measure("MLP 784-128-10, batch 64, Adam", || {
        net.loss_grad(&mut ws, images, &label)?;
        adam.step(&mut net, ws.grads());
        Ok(())
    })?;

    let (mut net, mut ws) = (Line::init(Seed(0)), Line::workspace_on(cpu(), 100)?);
    let mut sgd = Sgd::new(&net, 1e-3)?;
    let x: Vec<[f32; 1]> = (0..100).map(|i| [i as f32 / 50.0 - 1.0]).collect();
    measure("linear regression, batch 100, SGD", || {
        net.loss_grad(&mut ws, &x, &x)?;
        sgd.step(&mut net, ws.grads());
        Ok(())
    })
}

fn measure(
    name: &str,
    mut step: impl FnMut() -> Result<(), gradiron::InputError>,
) -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    while start.elapsed() < WARM_UP {
        step()?;
    }
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed() < MEASURED {
        let before = Instant::now();
        step()?;
        times.push(before.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[(share * (times.len() - 1) as f64) as usize];
    println!("{name:36} {:9.2} ({:.2}, {:.2})", at(0.5), at(0.1), at(0.9));
    Ok(())
}
