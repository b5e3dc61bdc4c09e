//! The sixth lesson: a GPT of characters on Shakespeare, which trains for 2,000 steps, then writes.
//!
//! `cargo run --release --example 06_gpt`; the number of steps may be given: `-- 500`.

mod model;

use std::time::Instant;

use gradiron::prelude::*;
use gradiron::rng::Rng;
use gradiron::sample::Sampler;
use model::{CONTEXT, Gpt};

/// Plays by William Shakespeare, in the public domain.
const TEXT: &str = include_str!("../data/shakespeare/plays.txt");

const BATCH: usize = 12;

type Rows = Vec<[u8; CONTEXT]>;

/// Printable ASCII from 1 on; 0 is the end of a line.
fn encode(text: &str) -> Result<Vec<u8>, String> {
    let token = |c: char| match c {
        '\n' => Ok(0),
        ' '..='~' => Ok(c as u8 - b' ' + 1),
        other => Err(format!("the text has the character {other:?}, which is not ASCII")),
    };
    text.chars().map(token).collect()
}

fn decode(token: usize) -> char {
    if token == 0 { '\n' } else { (token as u8 - 1 + b' ') as char }
}

/// Random pieces of the text, and what follows each of their characters.
fn pieces(text: &[u8], rng: &mut Rng) -> (Rows, Rows) {
    let piece = |_| {
        let at = rng.below(text.len() - CONTEXT);
        let rows = [&text[at..][..CONTEXT], &text[at + 1..][..CONTEXT]];
        let [token, next] = rows.map(|row| *row.first_chunk().expect("as many as the context"));
        (token, next)
    };
    (0..BATCH).map(piece).unzip()
}

/// A rise over 100 steps, then half a cosine from `1e-3` to `1e-4`.
fn learning_rate(step: usize, steps: usize) -> f32 {
    let done = step.saturating_sub(100) as f32 / steps.saturating_sub(100).max(1) as f32;
    let rate = 1e-4 + 0.5 * (1.0 + (std::f32::consts::PI * done).cos()) * 9e-4;
    rate * ((step + 1) as f32 / 100.0).min(1.0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let steps = match std::env::args().nth(1) {
        Some(text) => {
            text.parse().map_err(|_| format!("expected a number of steps, found `{text}`"))?
        }
        None => 2000,
    };
    let text = encode(TEXT)?;
    let (train, validation) = text.split_at(text.len() * 9 / 10);
    println!(
        "{} characters, {} parameters, {} kB",
        text.len(),
        Gpt::PARAMS,
        Gpt::footprint(BATCH, Target::Host).train / 1000
    );

    let mut net = Gpt::init(Seed(0));
    let mut ws = Gpt::workspace(BATCH)?;
    let adam = AdamW::new(&net, 1e-3)?.betas(0.9, 0.99)?.weight_decay(0.1)?.clip_norm(1.0)?;
    let mut adam = adam.no_decay(Kind::NormsAndBiases)?;
    let mut rng = Rng::new(Seed(1), 0);
    let start = Instant::now();
    for step in 0..steps {
        let (token, next) = pieces(train, &mut rng);
        adam.set_learning_rate(learning_rate(step, steps))?;
        let loss = net.loss_train(&mut ws, &mut adam, &token, &next)?;
        if step % 200 == 0 || step + 1 == steps {
            let seconds = start.elapsed().as_secs_f32();
            println!("step {step:5}: loss {:.3} after {seconds:.1} s", loss.value()?);
        }
    }

    let (mut sum, mut rng) = (0.0, Rng::new(Seed(2), 0));
    for _ in 0..200 {
        let (token, next) = pieces(validation, &mut rng);
        sum += net.loss(&mut ws, &token, &next)?;
    }
    println!("validation loss: {:.3} nats a character\n", sum / 200.0);

    // One character after another, given what the cache holds of those before.
    let mut sampler = Sampler::new(Seed(3)).temperature(0.8)?.top_k(40)?;
    let mut cache = Gpt::forward_cache(&ws, 1)?;
    let mut written = encode("\nKING ")?;
    let mut known = 0;
    let start = Instant::now();
    for _ in 0..500 {
        if cache.len() == CONTEXT {
            // The context is full: the last half of it is read anew.
            cache.clear();
            known = written.len() - CONTEXT / 2;
        }
        let logits = net.forward_step(&mut ws, &mut cache, &written[known..])?;
        known = written.len();
        written.push(sampler.next(&logits[logits.len() - 1])? as u8);
    }
    let micros = start.elapsed().as_secs_f64() * 1e6 / 500.0;
    let text: String = written.iter().map(|token| decode(usize::from(*token))).collect();
    println!("{}\n\n{micros:.0} µs a character", text.trim_start());
    Ok(())
}
