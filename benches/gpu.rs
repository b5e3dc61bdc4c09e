//! Times training steps on a GPU, each as one graph, and kernels that memory bounds beside a copy.
//!
//! `cargo bench --features cuda --bench gpu [-- [--json] [WORKLOAD…]]`; `scripts/gpu-check.sh` runs
//! PyTorch beside it.

#[path = "common/args.rs"]
mod args;
#[path = "common/gpt.rs"]
mod gpt;
#[path = "common/models.rs"]
mod models;
#[path = "../examples/resnet18/model.rs"]
mod resnet18;
#[path = "common/resnet50.rs"]
mod resnet50;

use std::time::Instant;

use gpt::{CharGpt, Gpt};
use gradiron::device::Storage;
use gradiron::device::{Buf, CudaKernels, Device, Region, RunMemory};
use gradiron::ops::fill::Fill;
use gradiron::ops::layer_norm::{Affine, LayerNorm, LayerNormSpec};
use gradiron::ops::softmax::{Softmax, SoftmaxSpec};
use gradiron::prelude::*;
use gradiron::rng::Rng;
use models::{BATCHES, Gru, LeNet, Lstm, MlpLarge, batches};
use resnet18::ResNet18;
use resnet50::ResNet50;

/// Steps between two waits.
const STEPS: usize = 16;
/// Groups of steps that are measured.
const GROUPS: usize = 15;

type Outcome = Result<(), Box<dyn std::error::Error>>;

struct Report(args::Args);

impl Report {
    fn wants(&self, workload: &str) -> bool {
        self.0.only.is_empty() || self.0.only.iter().any(|name| name == workload)
    }

    /// Times groups of steps, each of which ends when the GPU is done.
    fn run(
        &self,
        workload: &str,
        contestant: &str,
        mut group: impl FnMut() -> Result<(), Box<dyn std::error::Error>>,
    ) -> Result<f64, Box<dyn std::error::Error>> {
        for _ in 0..3 {
            group()?;
        }
        let mut times = Vec::new();
        for _ in 0..GROUPS {
            let start = Instant::now();
            group()?;
            times.push(start.elapsed().as_secs_f64() * 1e6 / STEPS as f64);
        }
        times.sort_by(f64::total_cmp);
        let median = times[GROUPS / 2];
        if self.0.json {
            println!(
                "{{\"workload\": \"{workload}\", \"contestant\": \"{contestant}\", \"median_us\": {median:.3}}}"
            );
        } else {
            println!("{workload:22} {contestant:14} {median:12.3} µs");
        }
        Ok(median)
    }
}

/// Times the steps of a network: its type, the batch, the optimizer, and what a step is given.
macro_rules! trains {
    ($report:expr, $gpu:expr, $name:literal, $contestant:expr, $net:ty, $batch:literal, |$model:ident| $optimizer:expr, $turn:expr) => {
        if $report.wants($name) {
            let mut net = <$net>::init(Seed(0));
            let mut ws = <$net>::workspace_on($gpu, $batch)?;
            let $model = &net;
            let mut optimizer = $optimizer;
            let mut turn = $turn;
            $report.run($name, $contestant, || {
                let mut last = None;
                for _ in 0..STEPS {
                    let (x, label) = turn();
                    last = Some(net.loss_train(&mut ws, &mut optimizer, x, label)?);
                }
                let loss = last.map_or(Ok(0.0), |loss| loss.value())?;
                if loss.is_finite() { Ok(()) } else { Err(format!("the loss is {loss}").into()) }
            })?;
        }
    };
}

/// Random pieces of text, one token apart from what follows.
fn pieces<const T: usize>(
    batch: usize,
    vocab: usize,
) -> impl FnMut() -> (Vec<[u16; T]>, Vec<[u16; T]>) {
    let mut rng = Rng::new(Seed(1), 0);
    let mut piece = || -> [u16; T] { std::array::from_fn(|_| rng.below(vocab) as u16) };
    let pieces: Vec<_> = (0..(BATCHES + 1) * batch).map(|_| piece()).collect();
    let mut at = 0;
    move || {
        at = (at + 1) % BATCHES;
        let [token, next] = [at, at + 1].map(|at| pieces[at * batch..][..batch].to_vec());
        (token, next)
    }
}

/// The same with references, as steps take them.
macro_rules! writes {
    ($report:expr, $gpu:expr, $name:literal, $contestant:expr, $net:ty, $batch:literal, $context:literal, $vocab:literal) => {{
        let mut turn = pieces::<$context>($batch, $vocab);
        let all: &'static [_] = Vec::leak((0..BATCHES).map(|_| turn()).collect());
        let mut at = 0;
        trains!(
            $report,
            $gpu,
            $name,
            $contestant,
            $net,
            $batch,
            |net| AdamW::new(net, 1e-3)?,
            || {
                at = (at + 1) % BATCHES;
                (&all[at].0[..], &all[at].1[..])
            }
        );
    }};
}

/// Bytes that a kernel moves in a second, beside those of a copy.
fn bandwidth(report: &Report, gpu: &Cuda) -> Outcome {
    const ROWS: usize = 1 << 14;
    const DIM: usize = 1 << 10;
    const LEN: usize = ROWS * DIM;
    let [x, y] = [0, LEN].map(|start| Buf::new(Region::Arena, start, LEN));
    let affine = Affine { weight: x.part(0, DIM), bias: x.part(DIM, DIM) };
    let none = x.part(0, 0);
    let norm = LayerNormSpec { rows: ROWS, dim: DIM, eps: 1e-5, centred: true };
    let softmax = SoftmaxSpec { outer: ROWS, size: DIM, inner: 1 };
    let mut arena = gpu.allocate(2 * LEN)?;
    let mut grads = gpu.allocate(0)?;
    let params = Storage::zeros(0);
    let mut time = |name: &str, call: &dyn Fn(&mut CudaKernels)| {
        report.run(name, "gradiron", || {
            let memory = RunMemory {
                params: &params,
                grads: &mut grads,
                arena: &mut arena,
                cache: None,
                prepared: None,
                random: Default::default(),
                inputs: &[],
                indices: &[],
            };
            gpu.run_calls(memory, |step| (0..STEPS).for_each(|_| call(step)))?;
            gpu.read(&arena, 0, 1)?;
            Ok(())
        })
    };
    let copy = time("kernel_copy", &|step| step.copy(y, x))?;
    let normed = time("kernel_layer_norm", &|step| step.layer_norm(y, none, x, affine, norm))?;
    let shares = time("kernel_softmax", &|step| step.softmax(y, x, softmax))?;
    if !report.0.json {
        let rate = |micros: f64| 8.0 * LEN as f64 / micros * 1e-3;
        println!(
            "copy {:.0} GB/s; of it, layer norm {:.0} %, softmax {:.0} %",
            rate(copy),
            100.0 * copy / normed,
            100.0 * copy / shares
        );
    }
    Ok(())
}

model! {
    /// So small that a step is the cost of its launch.
    pub struct Tiny {
        fc: Linear(8 -> 10),
    }

    fn loss(&self, x: [batch, 8], label: Classes[batch]) -> [] {
        cross_entropy(self.fc(x), label)
    }
}

fn main() -> Outcome {
    let report = Report(args::Args::parse());
    let gpu = Cuda::new(0)?;
    if !report.0.json {
        println!("{}", gpu.name()?);
    }
    let [bf16, f16] = [Precision::Bf16, Precision::F16].map(|p| gpu.clone().with_precision(p));
    let tf32 = gpu.clone().with_tf32(true);
    let adam = 1e-3;
    trains!(
        report,
        gpu.clone(),
        "launch",
        "gradiron",
        Tiny,
        4,
        |net| Sgd::new(net, adam)?,
        batches::<[f32; 8]>(4)
    );
    if report.wants("bandwidth") {
        bandwidth(&report, &gpu)?;
    }
    for (name, device) in [
        ("gradiron", &gpu),
        ("gradiron_tf32", &tf32),
        ("gradiron_bf16", &bf16),
        ("gradiron_f16", &f16),
    ] {
        let gpu = || device.clone();
        trains!(
            report,
            gpu(),
            "mlp_large",
            name,
            MlpLarge,
            256,
            |net| Adam::new(net, adam)?,
            batches::<[f32; 784]>(256)
        );
        trains!(
            report,
            gpu(),
            "lenet",
            name,
            LeNet,
            64,
            |net| Adam::new(net, adam)?,
            batches::<[[[f32; 28]; 28]; 1]>(64)
        );
        trains!(
            report,
            gpu(),
            "resnet18",
            name,
            ResNet18,
            32,
            |net| Sgd::new(net, 1e-2)?.momentum(0.9)?,
            batches::<[[[f32; 32]; 32]; 3]>(32)
        );
        trains!(
            report,
            gpu(),
            "resnet50",
            name,
            ResNet50,
            64,
            |net| Sgd::new(net, 1e-2)?.momentum(0.9)?,
            batches::<[[[f32; 224]; 224]; 3]>(64)
        );
        trains!(
            report,
            gpu(),
            "lstm",
            name,
            Lstm,
            32,
            |net| Adam::new(net, adam)?,
            batches::<[[f32; 64]; 64]>(32)
        );
        trains!(
            report,
            gpu(),
            "gru",
            name,
            Gru,
            32,
            |net| Adam::new(net, adam)?,
            batches::<[[f32; 64]; 64]>(32)
        );
        writes!(report, gpu(), "gpt", name, CharGpt, 12, 64, 65);
        writes!(report, gpu(), "gpt_large", name, Gpt<256, 384, 6, 6>, 8, 256, 65);
        writes!(report, gpu(), "gpt2", name, Gpt<1024, 768, 12, 12, 50304>, 8, 1024, 50304);
    }
    Ok(())
}
