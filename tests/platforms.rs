//! What must work on every platform, also where Cargo's tests of programs cannot run: three
//! networks that train with the bits that are recorded here, files, a clock, a team of threads.

mod nets;

use std::path::Path;

use gradiron::math::{SimdKind, SimdLevel};
use gradiron::prelude::*;
use gradiron::rng::Rng;
use nets::{DIGITS, LeNet};

const BATCH: usize = nets::BATCH / 4;
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
        attn: MultiheadAttention(32, num_heads = 4),
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

/// What the bits of a run follow from: whether a multiplication and an addition are rounded once,
/// and how many sums a register holds.
fn arithmetic(level: SimdLevel) -> Option<&'static str> {
    match level.kind() {
        SimdKind::Avx512 => Some("16 fused"),
        SimdKind::Avx2 => Some("8 fused"),
        _ if cfg!(target_arch = "aarch64") => Some("4 fused"),
        // A processor of which the compiler was told more has other bits than any that is recorded.
        _ if cfg!(target_feature = "fma") => None,
        _ => Some("4"),
    }
}

/// Losses of the last step and hashes of the parameters behind it, by arithmetic.
const LOSSES: [(&str, f32); 3] =
    [("lenet", 2.202_776_7), ("tagger", 1.418_713), ("gpt", 3.605_338_3)];
const PARAMS: [(&str, [u64; 3]); 4] = [
    ("16 fused", [0x578b_4cf7_705f_c0e4, 0xf52b_2055_e92b_e762, 0xcda5_7f71_1ce9_d0f1]),
    ("8 fused", [0xaf71_9806_77d7_ef6d, 0xf52b_2055_e92b_e762, 0xcda5_7f71_1ce9_d0f1]),
    ("4 fused", [0xf44c_1030_0935_a0ef, 0xf52b_2055_e92b_e762, 0xcda5_7f71_1ce9_d0f1]),
    ("4", [0xfd3e_3e52_9385_f566, 0x5ff6_f688_314a_8f44, 0x75af_440a_1ad0_aa6e]),
];

fn check(index: usize, run: impl Fn(Cpu) -> Outcome<(Vec<f32>, u64)>) -> Outcome<()> {
    let (name, last) = LOSSES[index];
    for level in gradiron::math::simd_levels() {
        let Some(arithmetic) = arithmetic(level) else {
            eprintln!(
                "NOT CHECKED: {level:?} of a target with more than its processors always have"
            );
            continue;
        };
        let recorded = PARAMS.iter().find(|(of, _)| *of == arithmetic).expect("all are there").1;
        for threads in [1, 2] {
            let (losses, params) = run(Cpu::with_threads(threads).with_simd(level))?;
            println!("{name}, {arithmetic}: {losses:?}, {params:#018x}");
            assert_eq!(losses.last().map(|loss| loss.to_bits()), Some(last.to_bits()));
            assert_eq!(params, recorded[index], "{name}, {arithmetic}, {threads} threads");
        }
    }
    Ok(())
}

#[test]
fn lenet_has_its_bits() -> Outcome<()> {
    check(0, lenet)
}

#[test]
fn an_lstm_and_a_gru_have_their_bits() -> Outcome<()> {
    check(1, tagger)
}

#[test]
fn a_gpt_has_its_bits() -> Outcome<()> {
    check(2, gpt)
}

/// Where there are no threads, one works; nothing waits, and nothing panics.
#[test]
fn a_team_works_with_the_threads_that_there_are() {
    let threads = gradiron::device::Threads::new(3);
    let most = if cfg!(target_family = "wasm") { 1 } else { 3 };
    assert!((1..=most).contains(&threads.count()));
    let sum = std::sync::atomic::AtomicUsize::new(0);
    threads.run(100, &|i| {
        sum.fetch_add(i, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(sum.into_inner(), 4950);
}

#[test]
fn files_come_back_and_faults_are_errors() -> Outcome<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("platforms");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("net.safetensors");
    let net = LeNet::init(Seed(1));
    // Over nothing, and over a file.
    for _ in 0..2 {
        net.save(&path)?;
    }
    let names: Vec<_> =
        std::fs::read_dir(&folder)?.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["net.safetensors"], "nothing else stays in the folder");
    let mut loaded = LeNet::init(Seed(2));
    loaded.load(&path)?;
    assert_eq!(loaded.params(), net.params());
    assert!(loaded.load(folder.join("no.safetensors")).is_err());
    assert!(net.save(folder.join("none/net.safetensors")).is_err());
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// A clock, and a file that is replaced.
#[test]
fn runs_are_recorded() -> Outcome<()> {
    let profile = Profile::new();
    let net = LeNet::init(Seed(1));
    let mut ws = LeNet::workspace_on(Cpu::with_threads(1).with_profile(&profile), 2)?;
    let image = [[[[0.5; 28]; 28]]; 2];
    net.forward(&mut ws, &image)?;
    assert!(profile.table().rows().iter().any(|row| row.calls == 1));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("platforms-trace.json");
    profile.write_trace(&path)?;
    assert!(std::fs::read_to_string(&path)?.contains("conv1"));
    std::fs::remove_file(&path)?;
    Ok(())
}
