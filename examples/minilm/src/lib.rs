//! The BERT encoder of sentence-transformers/all-MiniLM-L6-v2, under the names of its file.

use gradiron::prelude::*;
use tokenizers::{Result, Tokenizer, TruncationParams};

/// The most tokens of a sentence: longer ones are cut off. The model has 512 positions.
pub const TOKENS: usize = 256;
pub const WIDTH: usize = 384;
const HEADS: usize = 12;

model! {
    pub struct MiniLm {
        #[name = "embeddings.word_embeddings"]
        word: Embedding(30522 -> WIDTH),
        #[name = "embeddings.position_embeddings.weight"]
        position: Param([512, WIDTH]),
        #[name = "embeddings.token_type_embeddings.weight"]
        token_type: Param([2, WIDTH]),
        #[name = "embeddings.LayerNorm"]
        ln: LayerNorm(WIDTH, eps = 1e-12),
        #[name = "encoder.layer"]
        layers: [Layer; 6],
    }

    /// Embeddings of length 1 from tokens and a mask, which is 1 for tokens and 0 behind them.
    fn forward(&self, token: Classes[batch, t], mask: [batch, t]) -> [batch, WIDTH] {
        // All tokens of a single sentence are of type 0.
        let x = self.word(token) + self.token_type.narrow(0, 0, 1);
        let x = self.ln(x + self.position.narrow(0, 0, t));
        let hidden = (mask - 1.0).reshape([batch, 1, 1, t]) * 1e9;
        let x = self.layers(x, hidden);
        let mask = mask.unsqueeze(2);
        let mean = (x * mask).sum(dim = 1) / mask.sum(dim = 1);
        mean / mean.square().sum(dim = 1, keepdim = true).sqrt()
    }

    pub struct Layer {
        #[name = "attention.self.query"]
        query: Linear(WIDTH -> WIDTH),
        #[name = "attention.self.key"]
        key: Linear(WIDTH -> WIDTH),
        #[name = "attention.self.value"]
        value: Linear(WIDTH -> WIDTH),
        #[name = "attention.output.dense"]
        out: Linear(WIDTH -> WIDTH),
        #[name = "attention.output.LayerNorm"]
        ln_1: LayerNorm(WIDTH, eps = 1e-12),
        #[name = "intermediate.dense"]
        up: Linear(WIDTH -> 4 * WIDTH),
        #[name = "output.dense"]
        down: Linear(4 * WIDTH -> WIDTH),
        #[name = "output.LayerNorm"]
        ln_2: LayerNorm(WIDTH, eps = 1e-12),
    }

    /// `hidden` is 0 for the tokens that attention sees, and very negative for the others.
    fn forward(&self, x: [batch, t, WIDTH], hidden: [batch, 1, 1, t]) -> [batch, t, WIDTH] {
        let q = self.query(x).reshape([batch, t, HEADS, WIDTH / HEADS]).transpose(1, 2);
        let k = self.key(x).reshape([batch, t, HEADS, WIDTH / HEADS]).transpose(1, 2);
        let v = self.value(x).reshape([batch, t, HEADS, WIDTH / HEADS]).transpose(1, 2);
        let y = scaled_dot_product_attention(q, k, v, attn_mask = hidden);
        let y = self.out(y.transpose(1, 2).reshape([batch, t, WIDTH]));
        let x = self.ln_1(x + y);
        self.ln_2(x + self.down(self.up(x).gelu()))
    }
}

/// The tokenizer of a `tokenizer.json`, which cuts off what the model does not take.
pub fn tokenizer(path: impl AsRef<std::path::Path>) -> Result<Tokenizer> {
    let mut tokenizer = Tokenizer::from_file(path)?;
    let truncation = TruncationParams { max_length: TOKENS, ..Default::default() };
    tokenizer.with_padding(None).with_truncation(Some(truncation))?;
    Ok(tokenizer)
}

/// What the model takes of some sentences: as long as the longest of them.
pub fn rows(tokenizer: &Tokenizer, sentences: &[&str]) -> Result<(Padded<u32>, Padded)> {
    let encoded = sentences.iter().map(|sentence| tokenizer.encode_fast(*sentence, true));
    let encoded = encoded.collect::<Result<Vec<_>>>()?;
    let tokens: Vec<_> = encoded.iter().map(|encoded| encoded.get_ids()).collect();
    let masks: Vec<_> = tokens.iter().map(|tokens| vec![1.0; tokens.len()]).collect();
    Ok((Padded::new(&tokens), Padded::new(&masks)))
}
