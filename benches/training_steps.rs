//! Times whole training steps: forward, loss, backward and optimizer, on batches in memory.
//!
//! `cargo bench --bench training_steps [-- [--threads N] [--json] [WORKLOAD…]]` prints the median,
//! the best and the 90th percentile; `benches/compare.py` runs other libraries beside it.

#[path = "common/args.rs"]
mod args;
#[path = "common/gpt.rs"]
mod gpt;
#[path = "common/models.rs"]
mod models;
#[path = "common/report.rs"]
mod report;
#[path = "../examples/resnet18/model.rs"]
mod resnet18;
#[path = "../examples/04_unet/model.rs"]
mod unet;

use gpt::{CharGpt, Gpt};
use gradiron::prelude::*;
use gradiron::rng::Rng;
use models::{BATCHES, Gru, LeNet, Lstm, MlpLarge, Sample, batches, noise};
use report::Report;
use resnet18::ResNet18;
use unet::UNet;

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
        let mut ws = UNet::workspace_on(Cpu::with_threads(report.threads), 8, 64, 64)?;
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
