//! Transformer layers: results, gradients and a step as PyTorch makes them
//! (`parity transformer`).

use gradiron::module::Model as _;
use gradiron::prelude::*;
use gradiron::view::{array, batch, flat};
use safetensors::SafeTensors;

use crate::sequence::{assert_close, file, floats};

model! {
    struct Both {
        encoder: TransformerEncoderLayer(12, nhead = 3, dim_feedforward = 20, dropout = 0.0),
        first: TransformerEncoderLayer(
            12, nhead = 2, dim_feedforward = 16, dropout = 0.0, activation = gelu,
            norm_first = true, layer_norm_eps = 1e-4, bias = false
        ),
        decoder: TransformerDecoderLayer(12, nhead = 4, dim_feedforward = 20, dropout = 0.0),
    }

    fn forward(
        &self,
        x: [batch, 7, 12],
        target: [batch, 5, 12],
        padding: [batch, 7],
        bias: [7, 7],
    ) -> [batch, 5, 12] {
        let memory = self.encoder(x, src_key_padding_mask = padding);
        let memory = self.first(memory, src_mask = bias);
        self.decoder(target, memory, tgt_is_causal = true, memory_key_padding_mask = padding)
    }
}

#[test]
fn transformer_layers() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = std::fs::read(file("transformer-run.safetensors"))?;
    let run = SafeTensors::deserialize(&bytes)?;
    let [x, target, padding, bias, d_y] =
        ["x", "target", "padding", "bias", "d_y"].map(|name| floats(&run, name));
    let (x, target, padding, bias) = (batch(&x), batch(&target), batch(&padding), array(&bias));
    let mut net = Both::init(Seed(0));
    net.load(file("transformer.safetensors"))?;
    let mut ws = Both::workspace(3)?;
    let y = net.forward(&mut ws, x, target, padding, bias)?;
    assert_close("y in inference", flat(y), &floats(&run, "y"));
    ws.poison();
    let (y, (d_x, d_target, ..)) =
        net.forward_grad_inputs(&mut ws, x, target, padding, bias, batch(&d_y))?;
    assert_close("y", flat(y), &floats(&run, "y"));
    assert_close("d_x", flat(d_x), &floats(&run, "d_x"));
    assert_close("d_target", flat(d_target), &floats(&run, "d_target"));
    let mut sgd = Sgd::new(&net, 0.1)?;
    sgd.step(&mut net, ws.grads());
    for spec in Both::param_specs() {
        let len: usize = spec.shape.iter().product();
        let after = &net.params()[spec.start..][..len];
        assert_close(&spec.name, after, &floats(&run, &format!("after.{}", spec.name)));
    }
    Ok(())
}
