//! The third lesson: LeNet on MNIST, from images on disk to a file of parameters.
//!
//! `cargo run --release --example 03_mnist` trains on the slice of MNIST in this repository. After
//! `scripts/fetch-data.sh mnist` the same command trains on all of it. The number of epochs may be
//! given: `-- 3`.

mod model;

use std::io::{IsTerminal, Write, stderr};
use std::path::Path;
use std::time::Instant;

use gradiron::data::{Dataset, mnist};
use gradiron::prelude::*;
use model::{LeNet, digit};

const BATCH: usize = 64;

// Memory is known before anything runs: a training step at this batch size fits into 8 MiB.
const _: () = assert!(LeNet::footprint(BATCH, Target::Host).train <= 8 << 20);

type Digits = Dataset<mnist::Image, u8>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let full = root.join("data/mnist");
    let (folder, default_epochs) = match full.is_dir() {
        true => (full, 5),
        false => (root.join("examples/data/mnist-slice"), 10),
    };
    let epochs = match std::env::args().nth(1) {
        Some(text) => {
            text.parse().map_err(|_| format!("expected a number of epochs, found `{text}`"))?
        }
        None => default_epochs,
    };
    let (mut train, test) = mnist::load(&folder)?;
    println!("{} training and {} test images from {}", train.len(), test.len(), folder.display());
    println!(
        "{} parameters, {} kB for training",
        LeNet::PARAMS,
        LeNet::footprint(BATCH, Target::Host).train / 1000
    );

    let mut net = LeNet::init(Seed(0));
    let mut ws = LeNet::workspace(BATCH)?;
    let mut adam = Adam::new(&net, 1e-3)?;
    let start = Instant::now();
    for epoch in 1..=epochs {
        // The learning rate falls to a tenth over the run.
        let done = (epoch - 1) as f32 / epochs as f32;
        adam.set_learning_rate(2e-3 * 0.1_f32.powf(done))?;
        train.shuffle(epoch);
        train_epoch(&mut net, &mut ws, &mut adam, &train, epoch)?;
        println!("epoch {epoch}  test accuracy {:.2} %", 100.0 * accuracy(&net, &mut ws, &test)?);
    }
    println!("{:.1} s", start.elapsed().as_secs_f64());
    let file = std::env::temp_dir().join("lenet.safetensors");
    net.save(&file)?;
    println!("saved as {}", file.display());
    Ok(())
}

fn train_epoch(
    net: &mut LeNet,
    ws: &mut Workspace<LeNet>,
    adam: &mut Adam<LeNet>,
    train: &Digits,
    epoch: u64,
) -> Result<(), Box<dyn std::error::Error>> {
    let (start, mut sum, mut steps) = (Instant::now(), 0.0, 0);
    for (image, label) in train.batches(BATCH) {
        sum += net.loss_grad(ws, image, label)?;
        adam.step(net, ws.grads());
        steps += 1;
        // One line that is written over and over, where somebody looks.
        if steps % 50 == 0 && stderr().is_terminal() {
            let (done, all) = (steps * BATCH, train.len());
            eprint!("\repoch {epoch}  {done}/{all}  loss {:.4}", sum / steps as f32);
            stderr().flush()?;
        }
    }
    if stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    let rate = train.len() as f64 / start.elapsed().as_secs_f64();
    print!("loss {:.4}  {rate:.0} samples/s  ", sum / steps as f32);
    Ok(())
}

/// The share of test images whose largest output is their label.
fn accuracy(
    net: &LeNet,
    ws: &mut Workspace<LeNet>,
    test: &Digits,
) -> Result<f64, Box<dyn std::error::Error>> {
    let mut hits = 0;
    for (image, label) in test.batches(BATCH) {
        let logits = net.forward(ws, image)?;
        hits += logits.iter().zip(label).filter(|(row, label)| digit(row) == **label).count();
    }
    Ok(hits as f64 / test.len() as f64)
}
