//! Times what a control loop waits for: inference of one sample, and training steps of nets so
//! small that the calls could cost more than the arithmetic.
//!
//! `cargo bench --bench latency [-- FILTER]` prints the median and the 10th and 90th percentile in
//! nanoseconds, on one thread.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use gradiron::InputError;
use gradiron::prelude::*;

const WARM_UP: Duration = Duration::from_millis(200);
const MEASURED: Duration = Duration::from_millis(800);
/// What is timed at once, so that reading the clock does not count.
const SPAN: Duration = Duration::from_micros(20);

model! {
    struct Control {
        fc1: Linear(4 -> 32),
        fc2: Linear(32 -> 32),
        fc3: Linear(32 -> 2),
    }

    fn forward(&self, state: [batch, 4]) -> [batch, 2] {
        self.fc3(self.fc2(self.fc1(state).tanh()).tanh())
    }

    fn loss(&self, state: [batch, 4], action: [batch, 2]) -> [] {
        mse_loss(self.forward(state), action)
    }
}

model! {
    struct Line {
        line: Linear(1 -> 1),
    }

    fn loss(&self, x: [batch, 1], y: [batch, 1]) -> [] {
        mse_loss(self.line(x), y)
    }
}

model! {
    struct Mlp {
        fc1: Linear(784 -> 128),
        fc2: Linear(128 -> 10),
    }

    fn forward(&self, image: [batch, 784]) -> [batch, 10] {
        self.fc2(self.fc1(image).relu())
    }
}

model! {
    struct LeNet {
        conv1: Conv2d(1 -> 6, kernel = 5, padding = 2),
        conv2: Conv2d(6 -> 16, kernel = 5),
        fc1: Linear(400 -> 120),
        fc2: Linear(120 -> 84),
        fc3: Linear(84 -> 10),
    }

    fn forward(&self, image: [batch, 1, 28, 28]) -> [batch, 10] {
        let x = self.conv1(image).relu().max_pool2d(2);
        let x = self.conv2(x).relu().max_pool2d(2).flatten();
        self.fc3(self.fc2(self.fc1(x).relu()).relu())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    let measure = |name: &str, run: &mut dyn FnMut() -> Result<(), InputError>| match name
        .contains(&filter)
    {
        true => measure(name, run),
        false => Ok(()),
    };
    let cpu = || Cpu::with_threads(1);
    println!("one thread, ns: median (10 %, 90 %)");

    let (mut net, mut ws) = (Control::init(Seed(0)), Control::workspace_on(cpu(), 64)?);
    let state = [[0.3, -0.2, 0.7, 0.1]; 64];
    measure("inference, control MLP 4-32-32-2, batch 1", &mut || {
        black_box(net.forward(&mut ws, black_box(&state[..1]))?);
        Ok(())
    })?;
    measure("inference, control MLP 4-32-32-2, batch 64", &mut || {
        black_box(net.forward(&mut ws, black_box(&state))?);
        Ok(())
    })?;
    let action = [[0.5, -0.5]; 64];
    let mut sgd = Sgd::new(&net, 1e-3)?;
    measure("training step, control MLP, batch 64, SGD", &mut || {
        black_box(net.loss_grad(&mut ws, black_box(&state), black_box(&action))?);
        sgd.step(&mut net, ws.grads());
        Ok(())
    })?;

    let (mut net, mut ws) = (Line::init(Seed(0)), Line::workspace_on(cpu(), 100)?);
    let mut sgd = Sgd::new(&net, 1e-3)?;
    let x: Vec<[f32; 1]> = (0..100).map(|i| [i as f32 / 50.0 - 1.0]).collect();
    measure("training step, linear regression, batch 100, SGD", &mut || {
        black_box(net.loss_grad(&mut ws, black_box(&x), black_box(&x))?);
        sgd.step(&mut net, ws.grads());
        Ok(())
    })?;

    let image: [[[f32; 28]; 28]; 1] =
        [std::array::from_fn(|i| std::array::from_fn(|j| ((28 * i + j) as f32 * 0.37).sin()))];
    let flat: [f32; 784] = std::array::from_fn(|i| image[0][i / 28][i % 28]);
    let (net, mut ws) = (Mlp::init(Seed(0)), Mlp::workspace_on(cpu(), 1)?);
    measure("inference, MLP 784-128-10, batch 1", &mut || {
        black_box(net.forward(&mut ws, black_box(&[flat]))?);
        Ok(())
    })?;
    let (net, mut ws) = (LeNet::init(Seed(0)), LeNet::workspace_on(cpu(), 1)?);
    measure("inference, LeNet, batch 1", &mut || {
        black_box(net.forward(&mut ws, black_box(&[image]))?);
        Ok(())
    })?;
    Ok(())
}

fn measure(
    name: &str,
    run: &mut dyn FnMut() -> Result<(), InputError>,
) -> Result<(), Box<dyn Error>> {
    let mut count = 0_u32;
    let start = Instant::now();
    while start.elapsed() < WARM_UP {
        run()?;
        count += 1;
    }
    let each = (SPAN.as_nanos() * u128::from(count) / WARM_UP.as_nanos()).max(1);
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed() < MEASURED {
        let before = Instant::now();
        for _ in 0..each {
            run()?;
        }
        times.push(before.elapsed().as_secs_f64() * 1e9 / each as f64);
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[(share * (times.len() - 1) as f64) as usize];
    println!("{name:50} {:9.1} ({:.1}, {:.1})", at(0.5), at(0.1), at(0.9));
    Ok(())
}
