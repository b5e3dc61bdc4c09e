//! ResNet-18 on CIFAR-10, in the form for small images (He, Zhang, Ren and Sun, "Deep residual
//! learning for image recognition", 2015): a 3×3 stem and no max-pooling before the blocks. Files
//! have the names of torchvision's `resnet18`.
//!
//! `scripts/fetch-data.sh cifar10` fetches the data, then
//! `cargo run --release --example resnet18` trains; the number of epochs may be given: `-- 3`.

mod model;

use std::path::Path;
use std::time::Instant;

use gradiron::data::{Dataset, cifar10};
use gradiron::prelude::*;
use model::ResNet18;

const BATCH: usize = 32;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let epochs: u64 = match std::env::args().nth(1) {
        Some(text) => {
            text.parse().map_err(|_| format!("expected a number of epochs, found `{text}`"))?
        }
        None => 10,
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/cifar-10-batches-bin");
    let (mut train, test) = cifar10::load(&folder)?;
    println!("{} training and {} test images", train.len(), test.len());
    let megabytes = ResNet18::footprint(BATCH, Target::Host).train / 1_000_000;
    println!("{} parameters, {megabytes} MB for training", ResNet18::PARAMS);

    let mut net = ResNet18::init(Seed(0));
    let mut ws = ResNet18::workspace(BATCH)?;
    let mut sgd = Sgd::new(&net, 0.05)?.momentum(0.9)?.weight_decay(5e-4)?;
    for epoch in 1..=epochs {
        // Half a cosine, from the whole rate to nearly none.
        let done = (epoch - 1) as f32 / epochs as f32;
        sgd.set_learning_rate(0.025 * (1.0 + (std::f32::consts::PI * done).cos()))?;
        train.shuffle(epoch);
        let (start, mut sum) = (Instant::now(), 0.0);
        for (image, label) in train.batches(BATCH) {
            sum += image.len() as f32 * net.loss_grad(&mut ws, image, label)?;
            sgd.step(&mut net, ws.grads());
        }
        let seconds = start.elapsed().as_secs_f64();
        let accuracy = 100.0 * accuracy(&net, &mut ws, &test)?;
        let loss = sum / train.len() as f32;
        println!("epoch {epoch}  loss {loss:.4}  test accuracy {accuracy:.2} %  {seconds:.0} s");
    }
    Ok(())
}

/// The share of test images whose largest output is their label.
fn accuracy(
    net: &ResNet18,
    ws: &mut Workspace<ResNet18>,
    test: &Dataset<cifar10::Image, u8>,
) -> Result<f64, Box<dyn std::error::Error>> {
    let mut hits = 0;
    for (image, label) in test.batches(BATCH) {
        let logits = net.forward(ws, image)?;
        hits += logits.iter().zip(label).filter(|(row, label)| argmax(row) == **label).count();
    }
    Ok(hits as f64 / test.len() as f64)
}

fn argmax(row: &[f32; 10]) -> u8 {
    (0..10).max_by(|a, b| row[*a as usize].total_cmp(&row[*b as usize])).unwrap_or(0)
}
