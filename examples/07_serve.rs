//! The seventh lesson: a program that only answers. It loads the network that the third lesson has
//! saved, and several threads read it, each in a workspace of its own.
//!
//! `cargo run --release --example 03_mnist && cargo run --release --example 07_serve`

#[path = "03_mnist/model.rs"]
mod model;

use std::path::Path;
use std::time::{Duration, Instant};

use gradiron::data::mnist;
use gradiron::prelude::*;
use model::LeNet;

const THREADS: usize = 2;

// What a thread needs, and what all threads share, is known before anything runs.
const MEMORY: gradiron::workspace::Footprint = LeNet::footprint(1, Target::Host);
const _: () = assert!(MEMORY.infer <= 1 << 20);

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Answers one image after another: how many digits are right, and the time of each answer.
fn answer(net: &LeNet, images: &[mnist::Image], labels: &[u8]) -> Result<(usize, Vec<Duration>)> {
    // A device of one thread takes no lock, and after `warm_up` a call allocates nothing.
    let mut ws: InferWorkspace<LeNet> = LeNet::infer_workspace_on(Cpu::with_threads(1), 1)?;
    ws.warm_up(net)?;
    let (mut right, mut times) = (0, Vec::with_capacity(images.len()));
    for (image, label) in images.iter().zip(labels) {
        let start = Instant::now();
        let scores = net.forward(&mut ws, std::slice::from_ref(image))?;
        times.push(start.elapsed());
        right += usize::from(model::digit(&scores[0]) == *label);
    }
    Ok((right, times))
}

fn main() -> Result<()> {
    let file = std::env::temp_dir().join("lenet.safetensors");
    let mut net = LeNet::init(Seed(0));
    net.load(&file).map_err(|error| format!("{error}\nthe third lesson saves that file"))?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/mnist-slice");
    let (_, test) = mnist::load(folder)?;
    println!(
        "{} kB a thread, {} kB for all, and {} kB of parameters",
        (MEMORY.infer - MEMORY.prepared) / 1000,
        MEMORY.prepared / 1000,
        4 * LeNet::PARAMS / 1000
    );

    // Threads share the network, since inference only reads it.
    let share = test.len().div_ceil(THREADS);
    let answers: Vec<Result<_>> = std::thread::scope(|scope| {
        let parts = test.inputs.chunks(share).zip(test.targets.chunks(share));
        let threads: Vec<_> =
            parts.map(|(images, labels)| scope.spawn(|| answer(&net, images, labels))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread that answers")).collect()
    });

    let (mut right, mut times) = (0, Vec::new());
    for answer in answers {
        let (hits, took) = answer?;
        right += hits;
        times.extend(took);
    }
    times.sort();
    let at = |part: f64| times[(part * (times.len() - 1) as f64) as usize].as_secs_f64() * 1e6;
    println!("{:.2} % of {} digits", 100.0 * right as f64 / test.len() as f64, test.len());
    println!("half of the answers within {:.1} µs, 99 % within {:.1} µs", at(0.5), at(0.99));
    Ok(())
}
