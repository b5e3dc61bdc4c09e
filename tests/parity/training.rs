//! Twenty training steps of two networks from PyTorch's parameters (`parity training`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gradiron::prelude::*;
use gradiron::rng::Rng;

use crate::nets::{BATCH, DIGITS, LeNet, Mlp};

const STEPS: usize = 20;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("parity").join(name)
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

/// The losses of a run, and the parameters at its end. With `perturbed`, every parameter starts at
/// one of its two neighbours among the floats, drawn from that seed.
macro_rules! run {
    ($model:ident, $file:literal, $optimizer:expr, $device:expr, $perturbed:expr) => {{
        let mut net = $model::init(Seed(0));
        net.load(file($file)).expect("the names and shapes of PyTorch");
        if let Some(seed) = $perturbed {
            let mut rng = Rng::new(Seed(seed), 0);
            let moved = |x: f32, up: bool| if up { x.next_up() } else { x.next_down() };
            net.params_mut().iter_mut().for_each(|x| *x = moved(*x, rng.next_u32() % 2 == 0));
        }
        let mut ws = $model::workspace_on($device, BATCH).expect("it is small");
        let mut optimizer = $optimizer(&net).expect("sound hyper-parameters");
        let mut losses = Vec::new();
        for (image, label) in DIGITS.batches(BATCH).take(STEPS) {
            losses.push(f64::from(net.loss_grad(&mut ws, image, label).expect("it fits")));
            optimizer.step(&mut net, ws.grads());
        }
        (losses, net.params().to_vec())
    }};
}

/// PyTorch's run in float64 is the truth. A run in float32 drifts from it by rounding, step by
/// step, and jumps where rounding decides which of two nearly equal values a maximum takes. How
/// far rounding carries a run is measured twice: by PyTorch's run in float32, and by our runs from
/// parameters moved by one unit in the last place, as rounding would. The larger is one draw of
/// the largest drift of 20 steps; twice that, for ours being a draw as well, and again twice for
/// the spread of such a maximum, is granted, and never less than for a drift of 2⁻²³: the loss is
/// a rounded number, the mean of 64.
macro_rules! check {
    ($name:literal, $model:ident, $file:literal, $optimizer:expr) => {{
        let recorded = recorded();
        let of = |precision: &str| &recorded[&format!("{} {precision}", $name)];
        let truth = of("float64");
        let (losses, params) = run!($model, $file, $optimizer, Cpu::with_threads(1), None);
        let spread = (0..16)
            .map(|seed| drift(&run!($model, $file, $optimizer, Cpu::new(), Some(seed)).0, &losses));
        let spread = spread.fold(0.0, f64::max);
        let theirs = drift(of("float32"), truth);
        let ours = drift(&losses, truth);
        println!("{}: PyTorch {theirs:e}, one unit {spread:e}, ours {ours:e}", $name);
        let tolerance = 4.0 * theirs.max(spread).max(f64::from(f32::EPSILON));
        assert!(ours <= tolerance, "{} drifts by {ours:e}, not {tolerance:e}", $name);
        // Whatever rounding does later, five steps add no more than a few roundings of the loss.
        let early = drift(&[&losses[..5], &truth[5..]].concat(), truth);
        assert!(
            early <= 8.0 * f64::from(f32::EPSILON),
            "{} drifts by {early:e} in five steps",
            $name
        );
        let again = run!($model, $file, $optimizer, Cpu::with_threads(2), None);
        assert!(again == (losses, params), "{}: another number of threads, other bits", $name);
    }};
}

#[test]
fn lenet() {
    check!("lenet sgd", LeNet, "lenet.safetensors", |net| Sgd::new(net, 0.05)?.momentum(0.9));
    check!("lenet adam", LeNet, "lenet.safetensors", |net| Adam::new(net, 1e-3));
}

#[test]
fn mlp() {
    check!("mlp sgd", Mlp, "mlp.safetensors", |net| Sgd::new(net, 0.05)?.momentum(0.9));
    check!("mlp adam", Mlp, "mlp.safetensors", |net| Adam::new(net, 1e-3));
}

/// The share of the digits that a network gets right after an epoch in `precision`, and their
/// number.
macro_rules! epoch {
    ($model:ident, $precision:expr) => {{
        let mut net = $model::init(Seed(1));
        let cpu = Cpu::new().with_precision($precision);
        let mut ws = $model::workspace_on(cpu, BATCH).expect("it is small");
        let mut adam = Adam::new(&net, 1e-3).expect("sound hyper-parameters");
        for (image, label) in DIGITS.batches(BATCH) {
            net.loss_grad(&mut ws, image, label).expect("it fits");
            adam.step(&mut net, ws.grads());
        }
        let (mut right, mut count) = (0, 0);
        for (image, label) in DIGITS.batches(BATCH) {
            let scores = net.forward(&mut ws, image).expect("it fits");
            for (scores, &label) in scores.iter().zip(label) {
                right += usize::from(scores.iter().all(|&s| s <= scores[usize::from(label)]));
                count += 1;
            }
        }
        (right as f64 / count as f64, count as f64)
    }};
}

/// Accuracies of two networks on `n` digits differ by chance alone, with a standard deviation of
/// at most `√(2·p·(1 − p) / n)` (two binomial draws): three of them are allowed.
#[test]
fn bf16_learns_as_well() {
    macro_rules! check {
        ($model:ident) => {
            let (exact, n) = epoch!($model, Precision::F32);
            let (rounded, _) = epoch!($model, Precision::Bf16);
            println!("{}: {exact} in f32, {rounded} in bf16", stringify!($model));
            let deviation = (2.0 * exact * (1.0 - exact) / n).sqrt();
            assert!(exact > 0.5, "an epoch teaches nothing: {exact}");
            assert!(
                (exact - rounded).abs() <= 3.0 * deviation,
                "{exact} in f32, {rounded} in bf16"
            );
        };
    }
    check!(LeNet);
    check!(Mlp);
}
