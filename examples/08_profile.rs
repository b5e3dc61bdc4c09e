//! The eighth lesson: where the time of a training step goes, and what makes it shorter. It times
//! the GPT of the sixth lesson on a device of your choice.
//!
//! `cargo run --release --example 08_profile -- DEVICE`, where DEVICE is `cpu`, `bf16`, or, with
//! `--features cuda` behind `--release`, `gpu`.

#[path = "06_gpt/model.rs"]
mod model;

use std::time::Instant;

use gradiron::device::Device;
use gradiron::prelude::*;
use gradiron::rng::Rng;
use model::{CONTEXT, Gpt, VOCAB};

const BATCH: usize = 12;
const STEPS: u32 = 20;

/// Trains on random characters, and prints what each operation took.
fn train(device: impl Device, profile: &Profile) -> Result<(), Box<dyn std::error::Error>> {
    let mut net = Gpt::init(Seed(0));
    let mut ws = Gpt::workspace_on(device, BATCH)?;
    let mut adam = AdamW::new(&net, 1e-3)?.clip_norm(1.0)?;
    let mut rng = Rng::new(Seed(1), 0);
    let mut draw = || -> Vec<[u8; CONTEXT]> {
        (0..BATCH).map(|_| std::array::from_fn(|_| rng.below(VOCAB) as u8)).collect()
    };
    let (token, next) = (draw(), draw());

    // The first steps of a program are slower than those behind them.
    net.loss_train(&mut ws, &mut adam, &token, &next)?.value()?;
    profile.clear();
    let start = Instant::now();
    for _ in 0..STEPS {
        net.loss_train(&mut ws, &mut adam, &token, &next)?.value()?;
    }
    let each = start.elapsed() / STEPS;
    println!("{}", profile.table());
    println!("{:.2} ms a step, {} kB for training", each.as_secs_f64() * 1e3, ws.bytes() / 1000);
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let profile = Profile::new();
    match std::env::args().nth(1).as_deref() {
        None | Some("cpu") => train(Cpu::new().with_profile(&profile), &profile),
        Some("bf16") => {
            let cpu = Cpu::new().with_precision(Precision::Bf16);
            train(cpu.with_profile(&profile), &profile)
        }
        #[cfg(feature = "cuda")]
        Some("gpu") => {
            let gpu = Cuda::new(0)?.with_precision(Precision::Bf16);
            train(gpu.with_profile(&profile), &profile)
        }
        Some(other) => Err(format!("expected cpu, bf16 or gpu, found `{other}`").into()),
    }
}
