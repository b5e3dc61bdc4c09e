//! Embeds sentences with all-MiniLM-L6-v2, and finds those that are nearest to a question.
//!
//! `scripts/fetch-data.sh minilm && cargo run --release -p minilm`; the question may be
//! given: `-- "What do cats eat?"`.

use std::path::Path;
use std::time::Instant;

use gradiron::prelude::*;
use minilm::{MiniLm, TOKENS, WIDTH, rows, tokenizer};

const SENTENCES: [&str; 6] = [
    "A cat is sleeping on the sofa.",
    "Two dogs chase a ball through the park.",
    "The stock market fell sharply after the announcement.",
    "Boil the pasta in salted water for nine minutes.",
    "The spacecraft entered an orbit around Mars.",
    "Rust checks at compile time who owns each value.",
];

/// The cosine of the angle between embeddings, which have length 1.
fn similarity(a: &[f32; WIDTH], b: &[f32; WIDTH]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/minilm");
    if !folder.exists() {
        return Err("data/minilm is not there: run `scripts/fetch-data.sh minilm` first".into());
    }
    let question = std::env::args().nth(1).unwrap_or("What should I cook for dinner?".into());

    let mut net = MiniLm::init(Seed(0));
    // The file's positions are 0, 1, 2, …, and its pooler is not used for sentences.
    net.load_except(folder.join("model.safetensors"), &["embeddings.position_ids", "pooler"])?;
    let tokenizer = tokenizer(folder.join("tokenizer.json"))?;
    let mut ws = MiniLm::infer_workspace(SENTENCES.len(), TOKENS)?;
    let (token, mask) = rows(&tokenizer, &SENTENCES)?;
    let known = net.forward(&mut ws, &token, &mask)?.to_vec();

    let start = Instant::now();
    let (token, mask) = rows(&tokenizer, &[&question])?;
    let asked = net.forward(&mut ws, &token, &mask)?[0];
    let took = start.elapsed().as_secs_f32() * 1e3;

    let mut ranking: Vec<_> =
        known.iter().map(|known| similarity(&asked, known)).zip(SENTENCES).collect();
    ranking.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    println!("{question} (embedded in {took:.1} ms)");
    for (similarity, sentence) in ranking {
        println!("{similarity:7.3}  {sentence}");
    }
    Ok(())
}
