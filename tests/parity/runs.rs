//! Twenty training steps of two networks from PyTorch's parameters (`scripts/parity.py`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gradiron::prelude::*;

use crate::nets::{BATCH, LeNet, Mlp, digits};

const STEPS: usize = 20;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity").join(name)
}

/// PyTorch's losses by `model optimizer precision`.
fn recorded() -> BTreeMap<String, Vec<f64>> {
    let path = file("losses.txt");
    let text = std::fs::read_to_string(&path).expect("losses.txt is in the repository");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let losses = words[3..].iter().map(|word| word.parse().expect("a number"));
            (words[..3].join(" "), losses.collect())
        })
        .collect()
}

/// The greatest relative distance of two runs.
fn drift(run: &[f64], truth: &[f64]) -> f64 {
    assert_eq!((run.len(), truth.len()), (STEPS, STEPS));
    run.iter().zip(truth).map(|(x, y)| (x / y - 1.0).abs()).fold(0.0, f64::max)
}

macro_rules! run {
    ($model:ident, $file:literal, $optimizer:expr) => {{
        let mut net = $model::init(Seed(0));
        net.load(file($file)).expect("the names and shapes of PyTorch");
        let mut ws = $model::workspace(BATCH).expect("it is small");
        let mut optimizer = $optimizer(&net).expect("sound hyper-parameters");
        let mut losses = Vec::new();
        for (image, label) in digits().batches(BATCH).take(STEPS) {
            losses.push(f64::from(net.loss_grad(&mut ws, image, label).expect("it fits")));
            optimizer.step(&mut net, ws.grads());
        }
        losses
    }};
}

/// PyTorch's run in float64 is the truth. Its run in float32 drifts from it by rounding, step by
/// step; ours rounds as often but elsewhere, so it drifts by another number of the same size. A
/// recorded drift is one draw, as the largest of 20 steps; twice that, for ours being a draw as
/// well, and again twice for the spread of such a maximum, is granted. Below that lies what no run
/// in float32 can do better: half a unit in the last place of the loss, 2⁻²⁴, and as much for the
/// mean of 64 terms that it is.
fn check(name: &str, losses: &[f64]) {
    let recorded = recorded();
    let of = |precision: &str| &recorded[&format!("{name} {precision}")];
    let truth = of("float64");
    let tolerance = 4.0 * drift(of("float32"), truth).max(f64::from(f32::EPSILON));
    let drift = drift(losses, truth);
    assert!(drift <= tolerance, "{name} drifts by {drift:e}, more than {tolerance:e}: {losses:?}");
}

#[test]
fn lenet() {
    check("lenet sgd", &run!(LeNet, "lenet.safetensors", |net| Sgd::new(net, 0.05)?.momentum(0.9)));
    check("lenet adam", &run!(LeNet, "lenet.safetensors", |net| Adam::new(net, 1e-3)));
}

#[test]
fn mlp() {
    check("mlp sgd", &run!(Mlp, "mlp.safetensors", |net| Sgd::new(net, 0.05)?.momentum(0.9)));
    check("mlp adam", &run!(Mlp, "mlp.safetensors", |net| Adam::new(net, 1e-3)));
}
