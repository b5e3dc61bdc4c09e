//! Whole models: the losses of training, and gradients.

use gradiron::prelude::*;
use gradiron::rng::Rng;

use crate::{gpu, steps};

const BATCH: usize = 6;

model! {
    pub struct LeNet {
        conv1: Conv2d(1 -> 6, kernel = 5, padding = 2),
        conv2: Conv2d(6 -> 16, kernel = 5),
        fc1: Linear(400 -> 120),
        fc2: Linear(120 -> 84),
        fc3: Linear(84 -> 10),
    }

    fn forward(&self, image: [batch, 1, 28, 28]) -> [batch, 10] {
        let x = self.conv1(image).relu().max_pool2d(2);
        let x = self.conv2(x).relu().max_pool2d(2).flatten();
        let x = self.fc1(x).relu();
        let x = self.fc2(x).relu();
        self.fc3(x)
    }

    fn loss(&self, image: [batch, 1, 28, 28], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(image), label)
    }
}

model! {
    /// As in a residual network.
    pub struct Residual {
        stem: Conv2d(3 -> 8, kernel = 3, padding = 1, bias = false),
        norm: BatchNorm2d(8),
        #[allow(bias_before_batch_norm)]
        conv: Conv2d(8 -> 8, kernel = 3, padding = 1, groups = 2),
        norm2: BatchNorm2d(8),
        fc: Linear(8 -> 5),
    }

    fn forward(&self, image: [batch, 3, 12, 12]) -> [batch, 5] {
        let x = self.norm(self.stem(image)).relu().avg_pool2d(2);
        let x = (x + self.norm2(self.conv(x))).silu();
        self.fc(x.mean(dim = [2, 3]))
    }

    fn loss(&self, image: [batch, 3, 12, 12], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(image), label)
    }
}

const CONTEXT: usize = 12;
const WIDTH: usize = 24;
const VOCAB: usize = 19;

model! {
    pub struct Block {
        ln_1: LayerNorm(WIDTH),
        attn: MultiheadAttention(WIDTH, num_heads = 3),
        ln_2: LayerNorm(WIDTH),
        c_fc: Linear(WIDTH -> 4 * WIDTH),
        c_proj: Linear(4 * WIDTH -> WIDTH),
        drop: Dropout(0.1),
    }

    #[step(CONTEXT)]
    fn forward(&self, x: [batch, CONTEXT, WIDTH]) -> [batch, CONTEXT, WIDTH] {
        let x = x + self.attn(self.ln_1(x), is_causal = true);
        x + self.drop(self.c_proj(self.c_fc(self.ln_2(x)).gelu()))
    }
}

model! {
    pub struct Gpt {
        wte: Embedding(VOCAB -> WIDTH),
        wpe: Param([CONTEXT, WIDTH], init = normal(0.0, 0.02)),
        h: [Block; 2],
        ln_f: LayerNorm(WIDTH),
        lm_head: Linear(WIDTH -> VOCAB, bias = false, tied = self.wte),
    }

    #[step(CONTEXT)]
    fn forward(&self, token: Classes[batch, CONTEXT]) -> [batch, CONTEXT, VOCAB] {
        self.lm_head(self.ln_f(self.h(self.wte(token) + self.wpe)))
    }

    fn loss(&self, token: Classes[batch, CONTEXT], next: Classes[batch, CONTEXT]) -> [] {
        let logits = self.forward(token).reshape([batch * CONTEXT, VOCAB]);
        cross_entropy(logits, next.reshape([batch * CONTEXT]))
    }
}

model! {
    pub struct Tagger {
        embed: Embedding(VOCAB -> 10),
        lstm: LSTM(10 -> 16, num_layers = 2, bidirectional = true),
        fc: Linear(32 -> 4),
    }

    fn loss(
        &self, token: Classes[batch, CONTEXT], lengths: Classes[batch], tag: Classes[batch, CONTEXT],
    ) -> [] {
        let (x, _h, _c) = self.lstm(self.embed(token), lengths = lengths);
        let logits = self.fc(x).reshape([batch * CONTEXT, 4]);
        cross_entropy(logits, tag.reshape([batch * CONTEXT]))
    }
}

fn image<const C: usize, const S: usize>(i: usize) -> Vec<[[[f32; S]; S]; C]> {
    let mut rng = Rng::new(Seed(7), i as u64);
    (0..BATCH).map(|_| [(); C].map(|()| [(); S].map(|()| [(); S].map(|()| rng.normal())))).collect()
}

fn classes<const N: usize>(i: usize, below: usize) -> Vec<[u8; N]> {
    let mut rng = Rng::new(Seed(8), i as u64);
    (0..BATCH).map(|_| [(); N].map(|()| rng.below(below) as u8)).collect()
}

fn labels(i: usize, below: usize) -> Vec<u8> {
    classes::<1>(i, below).into_iter().map(|[label]| label).collect()
}

/// The greatest distance of two runs, relative to the losses.
fn drift(run: &[f32], other: &[f32]) -> f64 {
    assert_eq!(run.len(), other.len());
    let distance = |(a, b): (&f32, &f32)| f64::from((a - b).abs()) / f64::from(b.abs());
    run.iter().zip(other).map(distance).fold(0.0, f64::max)
}

/// The losses of a run. With `moved`, a seed and a size, every parameter starts off by so much of
/// itself, up or down.
macro_rules! losses {
    ($model:ident, $device:expr, $optimizer:expr, $moved:expr, |$i:ident| $($arg:expr),+) => {{
        let mut net = $model::init(Seed(0));
        let moved: Option<(u64, f32)> = $moved;
        if let Some((seed, size)) = moved {
            let mut rng = Rng::new(Seed(seed), 0);
            let mut factor = || if rng.next_u32() % 2 == 0 { 1.0 + size } else { 1.0 - size };
            net.params_mut().iter_mut().for_each(|x| *x *= factor());
        }
        let mut ws = $model::workspace_on($device, BATCH).expect("it is small");
        let mut optimizer = $optimizer(&net).expect("sound hyper-parameters");
        let run = (0..steps()).map(|$i| {
            let loss = net.loss_train(&mut ws, &mut optimizer, $($arg),+).expect("it fits");
            loss.value().expect("the device works")
        });
        run.collect::<Vec<f32>>()
    }};
}

/// Both devices round, and a run that is rounded elsewhere drifts. How far is measured by runs of
/// the CPU from parameters that are off by a rounding, and four times the largest drift of four
/// such runs is granted; never less than for four roundings of a loss.
macro_rules! follows_the_cpu {
    ($name:ident, $model:ident, $optimizer:expr, |$i:ident| $($arg:expr),+) => {
        #[test]
        fn $name() {
            let Some(gpu) = gpu(stringify!($name)) else { return };
            let cpu = losses!($model, Cpu::new(), $optimizer, None, |$i| $($arg),+);
            for (precision, rounding) in ROUNDINGS {
                let device = gpu.clone().with_precision(precision);
                let on_gpu = losses!($model, device, $optimizer, None, |$i| $($arg),+);
                let spread = (0..4).map(|seed| {
                    let moved = Some((seed, rounding));
                    drift(&losses!($model, Cpu::new(), $optimizer, moved, |$i| $($arg),+), &cpu)
                });
                let spread = spread.fold(0.0, f64::max);
                let tolerance = 4.0 * spread.max(f64::from(rounding));
                let found = drift(&on_gpu, &cpu);
                let name = format!("{} in {precision:?}", stringify!($name));
                println!("{name}: {found:e} of {tolerance:e}, {on_gpu:?}");
                assert!(found <= tolerance, "{name}: {found:e} of {tolerance:e}:\n{on_gpu:?}\n{cpu:?}");
                assert!(found > 0.0 || precision == Precision::F32, "{name} rounds nothing");
                assert!(on_gpu.iter().all(|loss| loss.is_finite()));
            }
        }
    };
}

/// Precisions, and what a value is off by when it is rounded.
const ROUNDINGS: [(Precision, f32); 3] = [
    (Precision::F32, f32::EPSILON),
    (Precision::Bf16, 1.0 / 256.0),
    (Precision::F16, 1.0 / 2048.0),
];

follows_the_cpu!(lenet, LeNet, |net| Adam::new(net, 1e-3), |i| &image(i % 3), &labels(i % 3, 10));
follows_the_cpu!(
    residual,
    Residual,
    |net| Sgd::new(net, 0.05)?.momentum(0.9)?.nesterov(true)?.weight_decay(1e-4),
    |i| &image(i % 3),
    &labels(i % 3, 5)
);
follows_the_cpu!(
    gpt,
    Gpt,
    |net| {
        let adam = AdamW::new(net, 1e-3)?.weight_decay(0.1)?.clip_norm(1.0)?;
        Ok::<_, gradiron::optim::HyperParamError>(adam.decay_only(|param| param.shape.len() >= 2))
    },
    |i| &classes(i % 3, VOCAB),
    &classes(i % 3 + 1, VOCAB)
);
follows_the_cpu!(
    tagger,
    Tagger,
    |net| Ok::<_, gradiron::optim::HyperParamError>(
        RMSprop::new(net, 1e-3)?.momentum(0.5)?.centered(true)
    ),
    |i| &classes(i % 3, VOCAB),
    &labels(i % 3, CONTEXT + 1),
    &classes(i % 3, 4)
);

/// Whether values are as far apart as a few roundings of the largest.
fn assert_near(name: &str, got: &[f32], want: &[f32]) {
    let largest = want.iter().fold(f32::MIN_POSITIVE, |most, x| most.max(x.abs()));
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= 1e-5 * largest, "{name}[{i}] is {got}, not {want}");
    }
}

#[test]
fn gradients_of_inputs_and_parameters() {
    let Some(gpu) = gpu("gradients_of_inputs_and_parameters") else { return };
    let net = Residual::init(Seed(3));
    let mut on_cpu = Residual::workspace(BATCH).unwrap();
    let mut on_gpu = Residual::workspace_on(gpu, BATCH).unwrap();
    // A smaller batch in between.
    for count in [BATCH, 2, BATCH] {
        let (image, label) = (&image(1)[..count], &labels(1, 5)[..count]);
        let (loss, d_image) = net.loss_grad_inputs(&mut on_cpu, image, label).unwrap();
        let d_image = d_image.as_flattened().as_flattened().as_flattened().to_vec();
        let (found, d_found) = net.loss_grad_inputs(&mut on_gpu, image, label).unwrap();
        assert_near("loss", &[found], &[loss]);
        assert_near("d_image", d_found.as_flattened().as_flattened().as_flattened(), &d_image);
        let (want, got) = (on_cpu.grads(), on_gpu.grads());
        assert_near("gradients", got.as_slice(), want.as_slice());
        assert_near("state", got.state(), want.state());
        assert_near("norm", &[got.norm()], &[want.norm()]);
    }
}

#[test]
fn inference_and_steps_of_sequences() {
    let Some(gpu) = gpu("inference_and_steps_of_sequences") else { return };
    let net = Gpt::init(Seed(4));
    let (mut on_cpu, mut on_gpu) =
        (Gpt::workspace(BATCH).unwrap(), Gpt::workspace_on(gpu, BATCH).unwrap());
    let token = classes::<CONTEXT>(2, VOCAB);
    let want = net.forward(&mut on_cpu, &token).unwrap().as_flattened().as_flattened().to_vec();
    let got = net.forward(&mut on_gpu, &token).unwrap();
    assert_near("logits", got.as_flattened().as_flattened(), &want);
    let check = net.forward_step_check(&mut on_gpu, Seed(1)).unwrap();
    assert!(check.difference < 1e-5, "{check:?}");

    let image = image::<3, 12>(5);
    let net = Residual::init(Seed(5));
    let (mut on_cpu, mut on_gpu) = (
        Residual::workspace(BATCH).unwrap(),
        Residual::workspace_on(crate::gpu("inference").unwrap(), BATCH).unwrap(),
    );
    let want = net.forward(&mut on_cpu, &image).unwrap().as_flattened().to_vec();
    let got = net.forward(&mut on_gpu, &image).unwrap();
    assert_near("classes", got.as_flattened(), &want);
}

#[test]
fn an_assortment_of_operations() {
    use gradiron::view::{batch, flat};

    use crate::assortment::{Planes, Sequences};
    if gpu("an_assortment_of_operations").is_none() {
        return;
    }
    let mut rng = Rng::new(Seed(9), 0);
    let mut floats = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.normal()).collect() };
    let (x, h, d_y) = (floats(BATCH * 30), floats(BATCH * 4), floats(BATCH * 15));
    let (lengths, index) = (labels(0, 6), classes::<10>(3, 3));
    let index: Vec<[[u8; 2]; 5]> =
        index.iter().map(|row| std::array::from_fn(|i| [row[2 * i], row[2 * i + 1]])).collect();
    let net = Sequences::init(Seed(6));
    let mut on_cpu = Sequences::workspace(BATCH).unwrap();
    let mut on_gpu = Sequences::workspace_on(crate::gpu("sequences").unwrap(), BATCH).unwrap();
    // The last times in a graph.
    for _ in 0..4 {
        let (y, (d_x, d_h)) = net
            .forward_grad_inputs(&mut on_gpu, batch(&x), batch(&h), &lengths, &index, batch(&d_y))
            .unwrap();
        let got = [flat(y).to_vec(), flat(d_x).to_vec(), flat(d_h).to_vec()];
        let (y, (d_x, d_h)) = net
            .forward_grad_inputs(&mut on_cpu, batch(&x), batch(&h), &lengths, &index, batch(&d_y))
            .unwrap();
        for (name, (got, want)) in
            ["y", "d_x", "d_h"].iter().zip(got.iter().zip([flat(y), flat(d_x), flat(d_h)]))
        {
            assert_near(name, got, want);
        }
        assert_near("gradients", on_gpu.grads().as_slice(), on_cpu.grads().as_slice());
    }

    let (x, label) = (floats(BATCH * 128), labels(4, 4));
    let net = Planes::init(Seed(6));
    let mut on_cpu = Planes::workspace(BATCH).unwrap();
    let mut on_gpu = Planes::workspace_on(crate::gpu("planes").unwrap(), BATCH).unwrap();
    for _ in 0..4 {
        let (loss, d_x) = net.loss_grad_inputs(&mut on_gpu, batch(&x), &label).unwrap();
        let got = (loss, flat(d_x).to_vec());
        let (loss, d_x) = net.loss_grad_inputs(&mut on_cpu, batch(&x), &label).unwrap();
        assert_near("loss", &[got.0], &[loss]);
        assert_near("d_x", &got.1, flat(d_x));
        assert_near("gradients", on_gpu.grads().as_slice(), on_cpu.grads().as_slice());
    }
}

/// A value that is rounded is off by so much of itself at most. Gradients are results of some 20
/// operations one after another, forward and backward: granted, in the norm, are 20 such errors
/// that all point the same way. What is stored in 16 bits is half as large. LeNet is left out: of
/// neighbours that are equal when they are rounded, max pooling takes another one, and so does the
/// gradient.
#[test]
fn gradients_in_16_bits() {
    let Some(gpu) = gpu("gradients_in_16_bits") else { return };
    macro_rules! compare {
        ($model:ident, $($arg:expr),+) => {{
            let net = $model::init(Seed(5));
            let mut exact = $model::workspace(BATCH).unwrap();
            let loss = net.loss_grad(&mut exact, $($arg),+).unwrap();
            for (precision, rounding) in &ROUNDINGS[1..] {
                let device = gpu.clone().with_precision(*precision);
                let mut rounded = $model::workspace_on(device, BATCH).unwrap();
                let found = net.loss_grad(&mut rounded, $($arg),+).unwrap();
                let name = format!("{} in {precision:?}", stringify!($model));
                let granted = 20.0 * rounding;
                assert!((found - loss).abs() <= loss.abs() * granted, "{name}: {found} is not {loss}");
                let (want, got) = (exact.grads(), rounded.grads());
                let pairs = want.as_slice().iter().zip(got.as_slice());
                let distance = pairs.map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt() / want.norm();
                println!("{name}: {distance:e} of {granted:e}");
                assert!(distance > 0.0 && distance <= granted, "{name}: off by {distance:e}");
                assert_eq!(rounded.bytes(), $model::footprint(BATCH, precision.on_device()).train);
                assert!(rounded.bytes() < exact.bytes(), "{name}: {}", rounded.bytes());
            }
        }};
    }
    compare!(Residual, &image(1), &labels(1, 5));
    compare!(Gpt, &classes(1, VOCAB), &classes(2, VOCAB));
    compare!(Tagger, &classes(1, VOCAB), &labels(1, CONTEXT + 1), &classes(1, 4));
}

model! {
    /// With gradients beyond the range of an f16.
    pub struct Steep {
        up: Linear(8 -> 64),
        down: Linear(64 -> 1),
    }

    fn loss(&self, x: [batch, 8], y: [batch, 1]) -> [] {
        mse_loss(self.down(self.up(x).tanh()), y) * 100.0
    }
}

/// The first scales are too large: their steps are left out, whether they come with the gradients
/// or alone.
#[test]
fn losses_of_f16_are_scaled() {
    let Some(gpu) = gpu("losses_of_f16_are_scaled") else { return };
    let mut net = Steep::init(Seed(2));
    let device = gpu.with_precision(Precision::F16);
    let mut ws = Steep::workspace_on(device, BATCH).unwrap();
    let mut sgd = Sgd::new(&net, 1e-4).unwrap();
    let x: [[f32; 8]; BATCH] = std::array::from_fn(|i| [(i as f32 - 2.5) / 4.0; 8]);
    let y: [[f32; 1]; BATCH] = std::array::from_fn(|i| [i as f32]);
    let before = net.params().to_vec();
    let first = net.loss_train(&mut ws, &mut sgd, &x, &y).unwrap().value().unwrap();
    assert!(!ws.grads().as_slice().iter().all(|g| g.is_finite()), "the scale starts too large");
    assert_eq!(net.params(), before);
    net.loss_grad(&mut ws, &x, &y).unwrap();
    assert!(!ws.grads().as_slice().iter().all(|g| g.is_finite()), "half of it is too large");
    sgd.step(&mut net, ws.grads());
    assert_eq!(net.params(), before);
    let run = (0..30).map(|_| net.loss_train(&mut ws, &mut sgd, &x, &y).unwrap().value().unwrap());
    let last = run.last().unwrap();
    assert!(last < 0.9 * first, "{last} after {first}");

    // Gradients are those of the loss, and not of the scaled one.
    let loss = net.loss_grad(&mut ws, &x, &y).unwrap();
    let mut exact = Steep::workspace(BATCH).unwrap();
    let want = net.loss_grad(&mut exact, &x, &y).unwrap();
    assert!((loss - want).abs() <= want * 20.0 / 2048.0, "{loss} is not {want}");
    let (got, want) = (ws.grads().norm(), exact.grads().norm());
    assert!((got - want).abs() <= want * 20.0 / 2048.0, "{got} is not {want}");
}

/// Factors rounded by 2⁻⁸ move each product by 2⁻⁷ of its terms at most, and the loss behind four
/// of them by no more than four times that, in each of a few steps.
#[test]
fn bf16_learns_as_f32_does() {
    use crate::assortment::Large;
    let Some(gpu) = gpu("bf16_learns_as_f32_does") else { return };
    let run = |gpu: Cuda| {
        losses!(
            Large,
            gpu,
            |net| Adam::new(net, 1e-3),
            None,
            |i| &image::<4, 6>(i % 2),
            &labels(i % 2, 4)
        )
    };
    let few = |losses: Vec<f32>| losses.into_iter().take(5).collect::<Vec<_>>();
    let exact = few(run(gpu.clone()));
    for rounded in [gpu.clone().with_precision(Precision::Bf16), gpu.clone().with_tf32(true)] {
        let found = drift(&few(run(rounded)), &exact);
        assert!(found > 0.0 && found <= 5.0 * 4.0 / 128.0, "{found:e}");
    }
}

model! {
    /// Written once for images of all sizes and texts of all lengths.
    pub struct Sized {
        #[allow(bias_before_batch_norm)]
        conv: Conv2d(1 -> 8, kernel = 3, stride = 2, padding = 1),
        norm: BatchNorm2d(8),
        up: ConvTranspose2d(8 -> 1, kernel = 2, stride = 2),
        word: Embedding(VOCAB -> 8),
        attention: MultiheadAttention(8, num_heads = 2),
        lstm: LSTM(8 -> 4),
    }

    fn loss(&self, image: [batch, 1, h, w], word: Classes[batch, t]) -> [] {
        let y = self.up(self.norm(self.conv(image)).relu()) - image;
        let x = self.word(word);
        let (x, _, _) = self.lstm(x + self.attention(x, is_causal = true));
        y.square().mean() + x.select(1, -1).square().mean()
    }
}

/// Sizes change from step to step, in the memory for the largest.
#[test]
fn sizes_that_calls_bind() {
    let Some(gpu) = gpu("sizes_that_calls_bind") else { return };
    let net = Sized::init(Seed(1));
    let mut on_cpu = Sized::workspace(3, 12, 16, 9).unwrap();
    let mut on_gpu = Sized::workspace_on(gpu, 3, 12, 16, 9).unwrap();
    for [samples, h, w, t] in [[2, 8, 6, 5], [3, 12, 16, 9], [1, 2, 4, 2]] {
        let image: Vec<f32> = (0..samples * h * w).map(|i| (i % 13) as f32 / 8.0 - 0.5).collect();
        let words: Vec<u8> = (0..samples * t).map(|i| (i * 5 % VOCAB) as u8).collect();
        let image = TensorView::new(&image, [samples, 1, h, w]).unwrap();
        let words = TensorView::new(&words, [samples, t]).unwrap();
        let (loss, d_x) = net.loss_grad_inputs(&mut on_gpu, &image, &words).unwrap();
        assert_eq!(d_x.sizes(), [samples, 1, h, w]);
        let got = (loss, d_x.as_slice().to_vec());
        let (loss, d_x) = net.loss_grad_inputs(&mut on_cpu, &image, &words).unwrap();
        assert_near("loss", &[got.0], &[loss]);
        assert_near("d_x", &got.1, d_x.as_slice());
        assert_near("gradients", on_gpu.grads().as_slice(), on_cpu.grads().as_slice());
    }
}
