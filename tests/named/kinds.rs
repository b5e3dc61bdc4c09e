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
