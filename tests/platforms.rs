//! Three networks that train with the same bits on every platform of one arithmetic: losses and
//! parameters against values that are recorded here, bit by bit.

mod nets;

use gradiron::math::{SimdKind, SimdLevel};
use gradiron::prelude::*;
use gradiron::rng::Rng;
use nets::{DIGITS, LeNet};

const BATCH: usize = 16;
const STEPS: usize = 8;
const CONTEXT: usize = 24;
const VOCAB: usize = 96;
const TEXT: &str = include_str!("../examples/data/shakespeare/plays.txt");

model! {
    struct Tagger {
        lstm: LSTM(6 -> 20, bidirectional = true),
        gru: GRU(40 -> 24),
        fc: Linear(24 -> 5),
    }

    fn loss(&self, x: [batch, 12, 6], len: Classes[batch], tag: Classes[batch, 12]) -> [] {
        let (y, _h, _c) = self.lstm(x, lengths = len);
        let (y, _h) = self.gru(y);
        cross_entropy(self.fc(y).reshape([batch * 12, 5]), tag.reshape([batch * 12]))
    }
}

model! {
    struct Block {
        ln_1: LayerNorm(32),
        attn: MultiheadAttention(32, heads = 4),
        ln_2: LayerNorm(32),
        up: Linear(32 -> 128),
        down: Linear(128 -> 32),
    }

    fn forward(&self, x: [batch, CONTEXT, 32]) -> [batch, CONTEXT, 32] {
        let x = x + self.attn(self.ln_1(x), is_causal = true);
        x + self.down(self.up(self.ln_2(x)).gelu())
    }
}

model! {
    struct Gpt {
        token: Embedding(VOCAB -> 32, init = normal(0.0, 0.02)),
        position: Param([CONTEXT, 32], init = normal(0.0, 0.02)),
        blocks: [Block; 2],
        norm: LayerNorm(32),
        head: Linear(32 -> VOCAB, tied = self.token, bias = false),
    }

    fn loss(&self, token: Classes[batch, CONTEXT], next: Classes[batch, CONTEXT]) -> [] {
        let logits = self.head(self.norm(self.blocks(self.token(token) + self.position)));
        cross_entropy(logits.reshape([batch * CONTEXT, VOCAB]), next.reshape([batch * CONTEXT]))
    }
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// FNV-1a of the bits (G. Fowler, L. C. Noll, P. Vo, 1991).
fn hash(floats: &[f32]) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let bytes = floats.iter().flat_map(|x| x.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, mix)
}

fn lenet(cpu: Cpu) -> Outcome<(Vec<f32>, u64)> {
    let mut net = LeNet::init(Seed(1));
    let mut ws = LeNet::workspace_on(cpu, BATCH)?;
    let mut adam = Adam::new(&net, 1e-3)?;
    let mut losses = Vec::new();
    for (image, label) in DIGITS.batches(BATCH).take(STEPS) {
        losses.push(net.loss_grad(&mut ws, image, label)?);
        adam.step(&mut net, ws.grads());
    }
    Ok((losses, hash(net.params())))
}

fn tagger(cpu: Cpu) -> Outcome<(Vec<f32>, u64)> {
    let mut net = Tagger::init(Seed(2));
    let mut ws = Tagger::workspace_on(cpu, BATCH)?;
    let mut adam = AdamW::new(&net, 1e-2)?.clip_norm(1.0)?;
    let mut rng = Rng::new(Seed(3), 0);
    let mut losses = Vec::new();
    for _ in 0..STEPS {
        let x = [(); BATCH].map(|()| [(); 12].map(|()| [(); 6].map(|()| rng.normal())));
        let len = [(); BATCH].map(|()| rng.below(13) as u8);
        let of_sign = |x: [f32; 6]| (0..5).filter(|&i| x[i] > 0.0).count().min(4) as u8;
        let tag = x.map(|steps| steps.map(of_sign));
        losses.push(net.loss_grad(&mut ws, &x, &len, &tag)?);
        adam.step(&mut net, ws.grads());
    }
    Ok((losses, hash(net.params())))
}

fn gpt(cpu: Cpu) -> Outcome<(Vec<f32>, u64)> {
    let token = |c: u8| if c == b'\n' { 0 } else { c - b' ' + 1 };
    let text: Vec<u8> = TEXT.bytes().take(20_000).map(token).collect();
    let mut net = Gpt::init(Seed(4));
    let mut ws = Gpt::workspace_on(cpu, BATCH)?;
    let mut sgd = Sgd::new(&net, 0.1)?.momentum(0.9)?;
    let mut rng = Rng::new(Seed(5), 0);
    let mut losses = Vec::new();
    for _ in 0..STEPS {
        let at = [(); BATCH].map(|()| rng.below(text.len() - CONTEXT));
        let piece = |at: usize| *text[at..].first_chunk::<CONTEXT>().expect("it is long");
        losses.push(net.loss_grad(&mut ws, &at.map(piece), &at.map(|at| piece(at + 1)))?);
        sgd.step(&mut net, ws.grads());
    }
    Ok((losses, hash(net.params())))
}

#[test]
fn show() -> Outcome<()> {
    for level in gradiron::math::simd_levels() {
        for threads in [1, 2] {
            let cpu = || Cpu::with_threads(threads).with_simd(level);
            for (name, run) in
                [("lenet", lenet(cpu())?), ("tagger", tagger(cpu())?), ("gpt", gpt(cpu())?)]
            {
                println!(
                    "{level:?} {threads} {name} {:08x?} {:016x}",
                    run.0.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
                    run.1
                );
            }
        }
    }
    Ok(())
}
