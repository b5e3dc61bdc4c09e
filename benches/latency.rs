//! Times what waits for an answer: inference of one sample, by two threads where it repays them.
//!
//! `cargo bench --bench latency [-- [--threads N] [--json] [WORKLOAD…]]` prints the median, the
//! best and the 90th percentile; `benches/compare.py` runs other libraries beside it.

#[path = "common/args.rs"]
mod args;
#[path = "common/gpt.rs"]
mod gpt;
#[path = "common/report.rs"]
mod report;
#[path = "../examples/resnet18/model.rs"]
mod resnet18;

use std::hint::black_box;

use gpt::CharGpt;
use gradiron::prelude::*;
use report::Report;
use resnet18::ResNet18;

model! {
    struct Control {
        fc1: Linear(4 -> 32),
        fc2: Linear(32 -> 32),
        fc3: Linear(32 -> 2),
    }

    fn forward(&self, state: [batch, 4]) -> [batch, 2] {
        self.fc3(self.fc2(self.fc1(state).tanh()).tanh())
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

model! {
    struct Voice {
        lstm: LSTM(1 -> 32),
    }

    fn forward(&self, x: [batch, 64, 1], h: [batch, 32], c: [batch, 32]) -> ([batch, 64, 32], [batch, 32]) {
        let (y, _h, c) = self.lstm(x, h, c);
        (y, c)
    }
}

/// Times 64 samples of silence behind a sound, when states have decayed to numbers below the normal
/// ones: as they are, and flushed to zero.
fn silence(report: &Report) -> Result<(), Box<dyn std::error::Error>> {
    let mut net = Voice::init(Seed(0));
    // Without biases but those of the forget gates, which let go slowly: the states end where a
    // step rounds them back to what they are.
    for spec in Voice::param_specs() {
        if spec.name.contains("bias") {
            let biases = &mut net.params_mut()[spec.start..][..spec.len()];
            biases.fill(0.0);
            biases[32..64].fill(3.0);
        }
    }
    let (x, h, c) = ([[[0.0; 1]; 64]], [[1e-42; 32]], [[1e-42; 32]]);
    for (name, flush) in [("infer_silence", false), ("infer_silence_flushed", true)] {
        let device = Cpu::with_threads(report.threads).with_flush_to_zero(flush);
        let mut ws = Voice::workspace_on(device, 1)?;
        report.run(name, "gradiron", || {
            black_box(net.forward(&mut ws, black_box(&x), &h, &c).expect("the sample fits"));
        });
    }
    Ok(())
}

/// Times `forward` of one sample.
macro_rules! infer {
    ($report:expr, $name:literal, $net:ident, $sample:expr) => {{
        let net = $net::init(Seed(0));
        let mut ws = $net::workspace_on(Cpu::with_threads($report.threads), 1)?;
        let sample = [$sample];
        $report.run($name, "gradiron", || {
            black_box(net.forward(&mut ws, black_box(&sample)).expect("the sample fits"));
        });
    }};
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let report = Report::from_args();
    infer!(report, "infer_control_mlp", Control, [0.3, -0.2, 0.7, 0.1]);
    infer!(report, "infer_mlp", Mlp, [0.5; 784]);
    infer!(report, "infer_lenet", LeNet, [[[0.5; 28]; 28]]);
    infer!(report, "infer_resnet18", ResNet18, [[[0.5; 32]; 32]; 3]);
    let token: [u8; 64] = std::array::from_fn(|i| i as u8);
    infer!(report, "infer_gpt", CharGpt, token);
    let net = CharGpt::init(Seed(0));
    let mut ws = CharGpt::workspace_on(Cpu::with_threads(report.threads), 1)?;
    let mut cache = CharGpt::forward_cache(&ws, 1)?;
    // One character after another, through the whole context.
    report.run("infer_gpt_step", "gradiron", || {
        if cache.len() == cache.capacity() {
            cache.clear();
        }
        let next = black_box([7_u8]);
        black_box(net.forward_step(&mut ws, &mut cache, &next).expect("there is room"));
    });
    silence(&report)
}
