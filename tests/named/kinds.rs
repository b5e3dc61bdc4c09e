//! Kinds of parameters, by the names that layers give them.

use gradiron::module::Model;
use gradiron::prelude::*;

use crate::Outcome;

model! {
    struct Many {
        conv: Conv2d(3 -> 4, kernel = 3),
        group: GroupNorm(2, 4),
        lstm: LSTM(4 -> 4),
        attn: MultiheadAttention(4, num_heads = 2),
        rms: RMSNorm(4),
        class: Param([4], init = normal(0.0, 0.02)),
    }

    fn forward(&self, image: [batch, 3, 5, 5]) -> [batch, 9, 4] {
        let x = self.group(self.conv(image)).reshape([batch, 4, 9]).transpose(1, 2);
        let (y, _h, _c) = self.lstm(x);
        self.attn(self.rms(y)) + self.class
    }
}

model! {
    #[allow(bias_before_batch_norm)]
    struct Others {
        up: ConvTranspose2d(1 -> 2, kernel = 2),
        bn2: BatchNorm2d(2),
        ln: LayerNorm(4),
        gru: GRU(4 -> 4),
        rnn: RNN(4 -> 4),
        layer: TransformerEncoderLayer(4, nhead = 2, dim_feedforward = 8),
        other: TransformerDecoderLayer(4, nhead = 2, dim_feedforward = 8),
    }

    fn forward(&self, image: [batch, 1, 3, 3]) -> [batch, 8, 4] {
        let x = self.ln(self.bn2(self.up(image)).reshape([batch, 8, 4]));
        let (y, _h) = self.gru(x);
        let (y, _h) = self.rnn(y);
        self.other(self.layer(y), x)
    }
}

/// What every layer with parameters names: its biases and norms by their own lists, as PyTorch's
/// documentation has them.
#[test]
fn kinds_of_other_layers() -> Outcome {
    for spec in Others::param_specs() {
        let layers = ["bn2.", "ln.", "layer.norm", "other.norm"];
        let norm = layers.iter().any(|layer| spec.name.starts_with(layer));
        let bias = ["bias", "bias_ih_l0", "bias_hh_l0", "in_proj_bias"];
        let bias = bias.contains(&spec.name.rsplit('.').next().unwrap_or(""));
        let found = [Kind::Biases, Kind::Norms, Kind::NormsAndBiases, Kind::Weights];
        let found = found.map(|kind| kind.holds(&spec));
        let want = [bias, norm && !bias, norm || bias, !norm && !bias];
        assert_eq!(found, want, "{} {:?}", spec.name, spec.shape);
    }
    let net = Others::init(Seed(0));
    assert_eq!(net.select(Kind::Norms)?.len(), 2 + 2 + 3);
    Ok(())
}

#[derive(Module)]
struct Derived {
    first: Linear<5, 4>,
    norm: RMSNorm<4>,
    fc: Linear<4, 2>,
}

/// What a derived module's owner has is the same, and code may be for any model.
#[test]
fn any_model_has_selections() -> Outcome {
    fn report<M: Model>(net: &M, kind: Kind) -> Result<Vec<String>, gradiron::module::SelectError> {
        Ok(net.select(kind)?.iter().map(|t| format!("{} {:?}", t.name(), t.shape())).collect())
    }
    let mut net = Derived::init(Seed(0));
    assert_eq!(
        report(&net, Kind::NormsAndBiases)?,
        ["first.bias [4]", "norm.weight [4]", "fc.bias [2]"]
    );
    assert_eq!(report(&net, Kind::Weights)?, ["first.weight [4, 5]", "fc.weight [2, 4]"]);
    net.select_mut("fc.bias")?.fill(3.0);
    assert_eq!(net.params()[net.params().len() - 2..], [3.0, 3.0]);
    let mut ws = Derived::workspace(1)?;
    let mut adam = Adam::new(&net, 0.1)?.freeze("first")?;
    net.forward_grad(&mut ws, &[[0.3, -0.2, 0.1, 0.9, 0.5]], &[[1.0, 1.0]])?;
    ws.grads_mut().select_mut("fc.bias")?.scale(0.0);
    let before = net.clone();
    adam.step(&mut net, ws.grads());
    for (new, old) in net.select("*")?.iter().zip(before.select("*")?.iter()) {
        let moves = ["norm.weight", "fc.weight"].contains(&new.name());
        assert_eq!(new.floats() != old.floats(), moves, "{}", new.name());
    }
    Ok(())
}

#[test]
fn kinds_of_layers() -> Outcome {
    let net = Many::init(Seed(0));
    let names = |kind: Kind| -> Result<Vec<String>, gradiron::module::SelectError> {
        Ok(net.select(kind)?.names().map(str::to_owned).collect())
    };
    let norms = ["group.weight", "rms.weight"];
    let biases = [
        "conv.bias",
        "group.bias",
        "lstm.bias_ih_l0",
        "lstm.bias_hh_l0",
        "attn.in_proj_bias",
        "attn.out_proj.bias",
    ];
    assert_eq!(names(Kind::Norms)?, norms);
    assert_eq!(names(Kind::Biases)?, biases);
    assert_eq!(names(Kind::NormsAndBiases)?.len(), 8);
    let weights = [
        "conv.weight",
        "lstm.weight_ih_l0",
        "lstm.weight_hh_l0",
        "attn.in_proj_weight",
        "attn.out_proj.weight",
        "class",
    ];
    assert_eq!(names(Kind::Weights)?, weights);
    Ok(())
}
