//! Batch normalisation in training and evaluation, and its state in files
//! (`parity norm`).

use std::path::{Path, PathBuf};

use gradiron::prelude::*;
use gradiron::view::{array, batch, flat};
use safetensors::SafeTensors;

model! {
    #[allow(bias_before_batch_norm)]
    struct Normed {
        conv: Conv2d(2 -> 4, kernel = 3, padding = 1, bias = false),
        bn: BatchNorm2d(4),
        fc: Linear(144 -> 3),
        bn1: BatchNorm1d(3),
    }

    fn forward(&self, image: [batch, 2, 6, 6]) -> [batch, 3] {
        let x = self.bn(self.conv(image)).relu();
        self.bn1(self.fc(x.flatten()))
    }

    fn loss(&self, image: [batch, 2, 6, 6], target: [batch, 3]) -> [] {
        mse_loss(self.forward(image), target)
    }
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("parity").join(name)
}

fn floats(tensors: &SafeTensors, name: &str) -> Vec<f32> {
    let bytes = tensors.tensor(name).expect("the run has it").data();
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Five steps add up some hundred roundings of numbers of order 1.
#[track_caller]
fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (i, (x, y)) in found.iter().zip(expected).enumerate() {
        let bound = 256.0 * f32::EPSILON * (1.0 + y.abs());
        assert!((x - y).abs() <= bound, "element {i} is {x}, not {y} ± {bound:e}");
    }
}

#[test]
fn five_steps_and_an_evaluation() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = std::fs::read(file("norm-run.safetensors"))?;
    let run = SafeTensors::deserialize(&bytes)?;
    let [image, target, losses] = ["image", "target", "loss"].map(|name| floats(&run, name));
    let mut net = Normed::init(Seed(0));
    net.load(file("norm.safetensors"))?;
    let mut ws = Normed::workspace(8)?;
    let mut sgd = Sgd::new(&net, 0.05)?.momentum(0.9)?;
    for expected in losses {
        let loss = net.loss_grad(&mut ws, batch(&image), batch(&target))?;
        assert_close(&[loss], &[expected]);
        sgd.step(&mut net, ws.grads());
    }
    let mut trained = Normed::init(Seed(0));
    trained.load(file("norm-trained.safetensors"))?;
    assert_close(net.params(), trained.params());
    assert_close(net.state(), trained.state());
    let evaluated = floats(&run, "evaluated");
    assert_close(flat(net.forward(&mut ws, batch(&image))?), &evaluated);
    // One image alone is evaluated as it is among others.
    let first: &[[[f32; 6]; 6]; 2] = array(&image[..72]);
    assert_close(flat(net.forward(&mut ws, std::slice::from_ref(first))?), &evaluated[..3]);
    Ok(())
}

#[test]
fn files_are_those_of_pytorch() -> Result<(), Box<dyn std::error::Error>> {
    for name in ["norm.safetensors", "norm-trained.safetensors"] {
        let mut net = Normed::init(Seed(0));
        net.load(file(name))?;
        let path = std::env::temp_dir().join(format!("gradiron-{}-{name}", std::process::id()));
        net.save(&path)?;
        let saved = std::fs::read(&path)?;
        std::fs::remove_file(&path)?;
        assert!(saved == std::fs::read(file(name))?, "{name}: other bytes than PyTorch writes");
    }
    Ok(())
}
