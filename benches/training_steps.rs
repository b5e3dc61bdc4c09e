//! Times whole training steps: forward, loss, backward and optimizer, on batches in memory.
//!
//! `cargo bench --bench training_steps [-- [--threads N] [--json] [WORKLOAD…]]` prints the median,
//! the best and the 90th percentile; `benches/compare.py` runs other libraries beside it.

#[path = "common/args.rs"]
mod args;
#[path = "common/gpt.rs"]
mod gpt;
#[path = "common/report.rs"]
mod report;
#[path = "../examples/resnet18/model.rs"]
mod resnet18;
#[path = "../examples/unet/model.rs"]
mod unet;

use gpt::{CharGpt, Gpt};
use gradiron::prelude::*;
use gradiron::rng::Rng;
use report::Report;
use resnet18::ResNet18;
use unet::UNet;

/// Different batches, taken in turn.
const BATCHES: usize = 8;

model! {
    pub struct Line {
        line: Linear(1 -> 1),
    }

    fn loss(&self, x: [batch, 1], y: [batch, 1]) -> [] {
        mse_loss(self.line(x), y)
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
    pub struct MlpLarge {
        fc1: Linear(784 -> 2048),
        fc2: Linear(2048 -> 2048),
        fc3: Linear(2048 -> 10),
    }

    fn loss(&self, image: [batch, 784], label: Classes[batch]) -> [] {
        let x = self.fc1(image).relu();
        let x = self.fc2(x).relu();
        cross_entropy(self.fc3(x), label)
    }
}

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
    pub struct Lstm {
        rnn: LSTM(64 -> 128),
        fc: Linear(128 -> 10),
    }

    fn loss(&self, x: [batch, 64, 64], label: Classes[batch]) -> [] {
        let (y, h, c) = self.rnn(x);
        cross_entropy(self.fc(h), label)
    }
}

model! {
    pub struct Gru {
        rnn: GRU(64 -> 128),
        fc: Linear(128 -> 10),
    }

    fn loss(&self, x: [batch, 64, 64], label: Classes[batch]) -> [] {
        let (y, h) = self.rnn(x);
        cross_entropy(self.fc(h), label)
    }
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Times the steps of a network that classifies: its type, the batch, the optimizer, the sample.
macro_rules! classifier {
    ($report:expr, $name:literal, $net:ident, $batch:literal, |$model:ident| $optimizer:expr, $sample:ty) => {
        classifier!($report, $name, "gradiron", F32, $net, $batch, |$model| $optimizer, $sample);
    };
    ($report:expr, $name:literal, $contestant:literal, $precision:ident, $net:ident, $batch:literal, |$model:ident| $optimizer:expr, $sample:ty) => {
        if $report.wants($name) {
            let mut net = $net::init(Seed(0));
            let cpu = Cpu::with_threads($report.threads).with_precision(Precision::$precision);
            let mut ws = $net::workspace_on(cpu, $batch)?;
            let $model = &net;
            let mut optimizer = $optimizer;
            let mut turn = batches::<$sample>($batch);
            $report.run($name, $contestant, || {
                let (x, label) = turn();
                net.loss_grad(&mut ws, x, label).expect("the batch fits");
                optimizer.step(&mut net, ws.grads());
            });
        }
    };
}

/// Times steps of a GPT with random pieces of 65 different characters.
macro_rules! writer {
    ($report:expr, $name:literal, $contestant:literal, $precision:ident, $net:ty, $batch:literal, $context:literal) => {
        if $report.wants($name) {
            let mut net = <$net>::init(Seed(0));
            let cpu = Cpu::with_threads($report.threads).with_precision(Precision::$precision);
            let mut ws = <$net>::workspace_on(cpu, $batch)?;
            let mut adam = AdamW::new(&net, 1e-3)?;
            let mut rng = Rng::new(Seed(1), 0);
            let mut piece = || -> [u8; $context] { std::array::from_fn(|_| rng.below(65) as u8) };
            let pieces: Vec<_> = (0..(BATCHES + 1) * $batch).map(|_| piece()).collect();
            let mut at = 0;
            $report.run($name, $contestant, || {
                at = (at + 1) % BATCHES;
                let [token, next] = [at, at + 1].map(|at| &pieces[at * $batch..][..$batch]);
                net.loss_grad(&mut ws, token, next).expect("the batch fits");
                adam.step(&mut net, ws.grads());
            });
        }
    };
}

/// The same samples in each batch with different labels: they cannot be learnt, so gradients do
/// not vanish.
fn batches<T: Sample>(batch: usize) -> impl FnMut() -> (&'static [T], &'static [u8]) {
    let x: &'static [T] = Vec::leak((0..batch).map(T::new).collect());
    let label = |i: usize| ((i as u32).wrapping_mul(0x9E37_79B9) >> 16) as u8 % 10;
    let labels: &'static [u8] = Vec::leak((0..BATCHES * batch).map(label).collect());
    let mut at = 0;
    move || {
        at = (at + 1) % BATCHES;
        (x, &labels[at * batch..][..batch])
    }
}

/// A sample of noise, the same for the same number.
trait Sample: Copy + 'static {
    fn new(number: usize) -> Self;
}

fn noise(i: usize) -> f32 {
    let bits = (i as u32).wrapping_mul(0x85EB_CA6B);
    (bits ^ (bits >> 15)).wrapping_mul(0xC2B2_AE35) as f32 / (1_u32 << 31) as f32 - 1.0
}

impl<const N: usize> Sample for [f32; N] {
    fn new(number: usize) -> Self {
        std::array::from_fn(|i| noise(number * N + i))
    }
}

impl<const H: usize, const W: usize> Sample for [[f32; W]; H] {
    fn new(number: usize) -> Self {
        std::array::from_fn(|i| std::array::from_fn(|j| noise((number * H + i) * W + j)))
    }
}

impl<const C: usize, const H: usize, const W: usize> Sample for [[[f32; W]; H]; C] {
    fn new(number: usize) -> Self {
        std::array::from_fn(|c| {
            std::array::from_fn(|i| {
                std::array::from_fn(|j| noise(((number * C + c) * H + i) * W + j))
            })
        })
    }
}

fn main() -> Outcome {
    let report = Report::from_args();
    if report.wants("linear_regression") {
        let mut net = Line::init(Seed(0));
        let mut ws = Line::workspace_on(Cpu::with_threads(report.threads), 100)?;
        let mut sgd = Sgd::new(&net, 1e-2)?;
        let x: Vec<[f32; 1]> = (0..100).map(Sample::new).collect();
        let y: Vec<[f32; 1]> = (0..100).map(|i| [3.0 * x[i][0] + 2.0 + noise(1000 + i)]).collect();
        report.run("linear_regression", "gradiron", || {
            net.loss_grad(&mut ws, &x, &y).expect("the batch fits");
            sgd.step(&mut net, ws.grads());
        });
    }
    classifier!(report, "mlp", Mlp, 64, |net| Adam::new(net, 1e-3)?, [f32; 784]);
    classifier!(report, "mlp_large", MlpLarge, 256, |net| Adam::new(net, 1e-3)?, [f32; 784]);
    classifier!(
        report,
        "mlp_large",
        "gradiron_bf16",
        Bf16,
        MlpLarge,
        256,
        |net| Adam::new(net, 1e-3)?,
        [f32; 784]
    );
    classifier!(report, "lenet", LeNet, 64, |net| Adam::new(net, 1e-3)?, [[[f32; 28]; 28]; 1]);
    classifier!(
        report,
        "resnet18",
        ResNet18,
        32,
        |net| Sgd::new(net, 1e-2)?.momentum(0.9)?,
        [[[f32; 32]; 32]; 3]
    );
    classifier!(
        report,
        "resnet18",
        "gradiron_bf16",
        Bf16,
        ResNet18,
        32,
        |net| Sgd::new(net, 1e-2)?.momentum(0.9)?,
        [[[f32; 32]; 32]; 3]
    );
    classifier!(report, "lstm", Lstm, 32, |net| Adam::new(net, 1e-3)?, [[f32; 64]; 64]);
    classifier!(report, "gru", Gru, 32, |net| Adam::new(net, 1e-3)?, [[f32; 64]; 64]);
    writer!(report, "gpt", "gradiron", F32, CharGpt, 12, 64);
    writer!(report, "gpt_large", "gradiron", F32, Gpt<256, 384, 6, 6>, 8, 256);
    writer!(report, "gpt_large", "gradiron_bf16", Bf16, Gpt<256, 384, 6, 6>, 8, 256);
    if report.wants("unet") {
        let mut net = UNet::init(Seed(0));
        let mut ws = UNet::workspace_on(Cpu::with_threads(report.threads), 8)?;
        let mut adam = Adam::new(&net, 1e-3)?;
        let x: Vec<[[[f32; 64]; 64]; 3]> = (0..8).map(Sample::new).collect();
        let signs = |row: [f32; 64]| row.map(|x| f32::from(x > 0.0));
        let mask = |i: usize| [<[[[f32; 64]; 64]; 1]>::new(100 + i)[0].map(signs)];
        let mask: Vec<_> = (0..8).map(mask).collect();
        report.run("unet", "gradiron", || {
            net.loss_grad(&mut ws, &x, &mask).expect("the batch fits");
            adam.step(&mut net, ws.grads());
        });
    }
    Ok(())
}
