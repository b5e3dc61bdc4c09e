//! Layers for sequences: results, gradients and a step as PyTorch makes them
//! (`parity sequence`, `parity positions`).

use std::path::{Path, PathBuf};

use gradiron::module::Model as _;
use gradiron::prelude::*;
use gradiron::view::{batch, flat};
use safetensors::SafeTensors;

model! {
    struct Normed {
        token: Embedding(11 -> 12, padding_idx = 2),
        ln: LayerNorm(12),
        plane: LayerNorm([5, 12], eps = 1e-3),
        rms: RMSNorm(12),
        bare: LayerNorm(12, elementwise_affine = false),
        scaled: LayerNorm(12, bias = false),
    }

    fn forward(&self, index: Classes[batch, 5], x: [batch, 5, 12]) -> [batch, 5, 12] {
        let y = self.ln(self.token(index) + x);
        let y = self.plane(y + x);
        let y = self.rms(y * x);
        self.scaled(self.bare(y) + x)
    }
}

pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("parity").join(name)
}

pub fn floats(tensors: &SafeTensors, name: &str) -> Vec<f32> {
    let bytes = tensors.tensor(name).expect("the run has it").data();
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Relative to numbers of order 1: four normalisations one behind the other, each of which
/// multiplies the roundings of the one before by the inverse spread of its rows.
#[track_caller]
pub fn assert_close(name: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (i, (x, y)) in found.iter().zip(expected).enumerate() {
        let bound = 1e-5 * (1.0 + y.abs());
        assert!((x - y).abs() <= bound, "{name}: element {i} is {x}, not {y} ± {bound:e}");
    }
}

#[test]
fn embedding_and_norms() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = std::fs::read(file("sequence-run.safetensors"))?;
    let run = SafeTensors::deserialize(&bytes)?;
    let index: Vec<[u8; 5]> = run.tensor("index")?.data().as_chunks().0.to_vec();
    let [x, d_y] = ["x", "d_y"].map(|name| floats(&run, name));
    let mut net = Normed::init(Seed(0));
    net.load(file("sequence.safetensors"))?;
    let mut ws = Normed::workspace(4)?;
    let y = net.forward(&mut ws, &index, batch(&x))?;
    assert_close("y in inference", flat(y), &floats(&run, "y"));
    ws.poison();
    let (y, d_x) = net.forward_grad_inputs(&mut ws, &index, batch(&x), batch(&d_y))?;
    assert_close("y", flat(y), &floats(&run, "y"));
    assert_close("d_x", flat(d_x), &floats(&run, "d_x"));
    // The gradients of the parameters, by what a step makes of these.
    let mut sgd = Sgd::new(&net, 0.5)?;
    sgd.step(&mut net, ws.grads());
    for spec in Normed::param_specs() {
        let len: usize = spec.shape.iter().product();
        let after = &net.params()[spec.start..][..len];
        assert_close(&spec.name, after, &floats(&run, &format!("after.{}", spec.name)));
    }
    Ok(())
}

model! {
    struct Attending {
        attn: MultiheadAttention(12, num_heads = 3),
        cross: MultiheadAttention(12, num_heads = 2),
        plain: MultiheadAttention(12, num_heads = 4, bias = false),
    }

    fn forward(
        &self,
        x: [batch, 5, 12],
        memory: [batch, 7, 12],
        padding: [batch, 7],
        bias: [5, 5],
    ) -> [batch, 5, 12] {
        let y = self.attn(x, is_causal = true);
        let y = y + self.cross(y, memory, memory, key_padding_mask = padding);
        let y = y + self.plain(y, attn_mask = bias);
        let q = y.reshape([batch, 5, 3, 4]).transpose(1, 2);
        let k = memory.narrow(2, 0, 4).reshape([batch, 1, 7, 4]);
        let v = memory.narrow(dim = 2, start = 8, length = 4).reshape([batch, 1, 7, 4]);
        let z = scaled_dot_product_attention(q, k, v, scale = 0.7);
        z.transpose(1, 2).reshape([batch, 5, 12])
    }
}

#[test]
fn attention() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = std::fs::read(file("attention-run.safetensors"))?;
    let run = SafeTensors::deserialize(&bytes)?;
    let [x, memory, padding, bias, d_y] =
        ["x", "memory", "padding", "bias", "d_y"].map(|name| floats(&run, name));
    let bias: &[[f32; 5]; 5] = gradiron::view::array(&bias);
    let (x, memory, padding) = (batch(&x), batch(&memory), batch(&padding));
    let mut net = Attending::init(Seed(0));
    net.load(file("attention.safetensors"))?;
    let mut ws = Attending::workspace(3)?;
    let y = net.forward(&mut ws, x, memory, padding, bias)?;
    assert_close("y in inference", flat(y), &floats(&run, "y"));
    ws.poison();
    let (y, (d_x, d_memory, ..)) =
        net.forward_grad_inputs(&mut ws, x, memory, padding, bias, batch(&d_y))?;
    assert_close("y", flat(y), &floats(&run, "y"));
    assert_close("d_x", flat(d_x), &floats(&run, "d_x"));
    assert_close("d_memory", flat(d_memory), &floats(&run, "d_memory"));
    let mut sgd = Sgd::new(&net, 0.5)?;
    sgd.step(&mut net, ws.grads());
    for spec in Attending::param_specs() {
        let len: usize = spec.shape.iter().product();
        let after = &net.params()[spec.start..][..len];
        assert_close(&spec.name, after, &floats(&run, &format!("after.{}", spec.name)));
    }
    Ok(())
}

model! {
    struct Positions {
        encoding: PositionalEncoding(16),
    }

    fn forward(&self, x: [batch, 9, 16]) -> [batch, 9, 16] {
        let x = self.encoding(x);
        let q = x.reshape([batch, 9, 2, 8]).transpose(1, 2).rotary();
        let k = x.reshape([batch, 9, 2, 8]).rotary(dim = 1, base = 100.0, interleaved = true);
        let k = k.transpose(1, 2);
        let y = scaled_dot_product_attention(q, k, k);
        y.transpose(1, 2).reshape([batch, 9, 16])
    }
}

#[test]
fn positions() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = std::fs::read(file("positions-run.safetensors"))?;
    let run = SafeTensors::deserialize(&bytes)?;
    let [x, d_y] = ["x", "d_y"].map(|name| floats(&run, name));
    let net = Positions::init(Seed(0));
    let mut ws = Positions::workspace(3)?;
    assert_close("y in inference", flat(net.forward(&mut ws, batch(&x))?), &floats(&run, "y"));
    ws.poison();
    let (y, d_x) = net.forward_grad_inputs(&mut ws, batch(&x), batch(&d_y))?;
    assert_close("y", flat(y), &floats(&run, "y"));
    assert_close("d_x", flat(d_x), &floats(&run, "d_x"));
    Ok(())
}
