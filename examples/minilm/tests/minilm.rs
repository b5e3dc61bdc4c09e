//! The published embeddings of all-MiniLM-L6-v2, as PyTorch computes them
//! (`parity minilm`), where its weights were fetched.

use std::io::Write;
use std::path::Path;

use gradiron::prelude::*;
use gradiron::tensor::AsTensor;
use minilm::{MiniLm, TOKENS, rows, tokenizer};
use safetensors::SafeTensors;

#[test]
fn sentences_have_their_published_embeddings()
-> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("../../data/minilm");
    if !folder.exists() {
        // Not `eprintln`, which is seen only when the test fails.
        let text = b"left out: all-MiniLM-L6-v2, which `scripts/fetch-data.sh minilm` fetches\n";
        std::io::stderr().write_all(text)?;
        return Ok(());
    }
    let bytes = std::fs::read(root.join("tests/published.safetensors"))?;
    let run = SafeTensors::deserialize(&bytes)?;
    let text = std::str::from_utf8(run.tensor("text")?.data())?;
    let sentences: Vec<&str> = text.split('\n').collect();

    let tokenizer = tokenizer(folder.join("tokenizer.json"))?;
    let (token, mask) = rows(&tokenizer, &sentences)?;
    let expected =
        run.tensor("token")?.data().as_chunks().0.iter().copied().map(u32::from_le_bytes);
    let tokens = AsTensor::as_tensor(&token);
    assert!(tokens.as_slice().iter().copied().eq(expected));

    let mut net = MiniLm::init(Seed(0));
    net.load_except(folder.join("model.safetensors"), &["embeddings.position_ids", "pooler"])?;
    let mut ws = MiniLm::infer_workspace(sentences.len(), TOKENS)?;
    let y = net.forward(&mut ws, &token, &mask)?.as_flattened();
    let expected = run.tensor("y")?.data().as_chunks().0.iter().copied().map(f32::from_le_bytes);
    for (i, (y, expected)) in y.iter().zip(expected).enumerate() {
        assert!((y - expected).abs() <= 1e-5, "element {i} is {y}, not {expected}");
    }
    // The first numbers of the first sentence, as they were published with the model.
    for (y, published) in y.iter().zip([0.06766, 0.06350, 0.04871]) {
        assert!((y - published).abs() <= 1e-5, "{y} is not {published}");
    }
    Ok(())
}
