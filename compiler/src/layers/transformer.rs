//! `TransformerEncoderLayer` and `TransformerDecoderLayer`.

use quote::quote;

use super::attention::{Attention, HEADS, heads, mask, mask_row, padding_row};
use super::usage::{Use, default_init};
use super::{Build, Layer};
use crate::diagnostics::Diagnostic;
use crate::dim::Dim;
use crate::graph::ValueId;
use crate::lower::Lowering;
use crate::ops::Mismatch;
use crate::ops::dropout::Dropout;
use crate::ops::elementwise::Elementwise;
use crate::ops::layer_norm::{self, LayerNorm};
use crate::vocabulary::{Domain, Example, Input, OptionRow, Range};

const OPTIONS: &[OptionRow] = &[
    OptionRow::new("d_model", Domain::InputSize, "LAST"),
    OptionRow::new("nhead", HEADS, "DIVISOR_OF_LAST").other_names(&["heads", "num_heads"]),
    OptionRow::new("dim_feedforward", Domain::Size(1), "SIZE").or("`2048`"),
    OptionRow::number("dropout", 0.1, Range::Unit),
    OptionRow::words("activation", &["relu", "gelu"], "relu|gelu"),
    OptionRow::flag("norm_first", false),
    OptionRow::number("layer_norm_eps", 1e-5, Range::Positive).drawn("SMALL"),
    OptionRow::flag("bias", true),
];

pub(super) const ENCODER_LAYER: Layer = Layer {
    input: Input::Sequence,
    calls: &[&[("src", "")]],
    options: OPTIONS,
    call_options: &[
        OptionRow::flag("is_causal", false),
        mask_row("src_mask", "MASK"),
        padding_row("src_key_padding_mask", "PADDING"),
    ],
    type_params: Some("D, H, F = 2048"),
    params: "`self_attn.…` as in `MultiheadAttention`, `linear1.weight [F, D]`, `linear1.bias \
        [F]`, `linear2.weight [D, F]`, `linear2.bias [D]`, `norm1.weight [D]`, `norm1.bias [D]`, \
        `norm2.weight [D]`, `norm2.bias [D]`",
    shapes: "`src [batch, T, D]` → `y`, the same",
    formula: "z = norm1(x + self_attn(x)), y = norm2(z + linear2(activation(linear1(z)))); with \
        `norm_first` z = x + self_attn(norm1(x)), y = z + linear2(activation(linear1(norm2(z)))). \
        Dropout is of the three results, not of the attention's weights",
    source: "torch.nn.TransformerEncoderLayer",
    example: Example::layer(
        "TransformerEncoderLayer(128, nhead = 4)",
        "x: [batch, 10, 128]) -> [batch, 10, 128] { self.layer(x, is_causal = true) }",
    ),
    ..Layer::new("TransformerEncoderLayer", Build::One(encoder_layer))
};

pub(super) const DECODER_LAYER: Layer = Layer {
    input: Input::Sequence,
    calls: &[&[("tgt", ""), ("memory", "SEQUENCE")]],
    options: OPTIONS,
    call_options: &[
        OptionRow::flag("tgt_is_causal", false),
        mask_row("tgt_mask", "MASK"),
        padding_row("tgt_key_padding_mask", "PADDING"),
        mask_row("memory_mask", "MEMORY_MASK"),
        padding_row("memory_key_padding_mask", "MEMORY_PADDING"),
    ],
    type_params: Some("D, H, F = 2048"),
    params: "`self_attn.…` and `multihead_attn.…` as in `MultiheadAttention`, `linear1.weight [F, \
        D]`, `linear1.bias [F]`, `linear2.weight [D, F]`, `linear2.bias [D]`, `norm1.weight [D]`, \
        `norm1.bias [D]`, `norm2.weight [D]`, `norm2.bias [D]`, `norm3.weight [D]`, `norm3.bias \
        [D]`",
    shapes: "`tgt [batch, T, D]`, `memory [batch, S, D]` → `y [batch, T, D]`",
    formula: "z = norm1(x + self_attn(x)), u = norm2(z + multihead_attn(z, memory, memory)), y = \
        norm3(u + linear2(activation(linear1(u)))); with `norm_first` each norm is of what its \
        part reads",
    source: "torch.nn.TransformerDecoderLayer",
    example: Example::layer(
        "TransformerDecoderLayer(128, nhead = 4)",
        "x: [batch, 10, 128], memory: [batch, 7, 128]) -> [batch, 10, 128] { self.layer(x, \
            memory) }",
    ),
    ..Layer::new("TransformerDecoderLayer", Build::One(decoder_layer))
};

/// The options of both layers.
struct Settings {
    size: Dim,
    heads: Dim,
    feedforward: Dim,
    dropout: f64,
    activation: &'static str,
    norm_first: bool,
    eps: f64,
    bias: bool,
}

/// `x [N, T, D]`: `x + attention(x)`, then `x + linear2(activation(linear1(x)))`, each with a norm
/// in front or behind.
fn encoder_layer(l: &mut Use) -> Lowering<ValueId> {
    let s = settings(l)?;
    let causal = l.cx.flag_option(&mut l.call, "is_causal")?;
    let mask = mask(l, ["src_mask", "src_key_padding_mask"])?;
    let x =
        s.block(l, l.x, "norm1", |s, l, x| s.attention(causal, mask).of(l, "self_attn.", &[x]))?;
    s.block(l, x, "norm2", Settings::feedforward)
}

/// The same with `memory [N, S, D]`, which is attended to in between.
fn decoder_layer(l: &mut Use) -> Lowering<ValueId> {
    let s = settings(l)?;
    let memory = l.others[0];
    let causal = l.cx.flag_option(&mut l.call, "tgt_is_causal")?;
    let own = (causal, mask(l, ["tgt_mask", "tgt_key_padding_mask"])?);
    let other = mask(l, ["memory_mask", "memory_key_padding_mask"])?;
    let x =
        s.block(l, l.x, "norm1", |s, l, x| s.attention(own.0, own.1).of(l, "self_attn.", &[x]))?;
    let x = s.block(l, x, "norm2", |s, l, x| {
        s.attention(false, other).of(l, "multihead_attn.", &[x, memory, memory])
    })?;
    s.block(l, x, "norm3", Settings::feedforward)
}

fn settings(l: &mut Use) -> Lowering<Settings> {
    let found = l.cx.graph.ty(l.x).clone();
    let owner = l.options.owner.clone();
    if found.shape.rank() != 3 {
        let text = format!("expects [batch, rows, features] but receives {found}");
        return Err(l.cx.refuse(Mismatch::new(text), Some(l.x)));
    }
    let Some(written) = l.options.take("d_model") else {
        let error = Diagnostic::new(l.options.span, format!("`{owner}` has no size"));
        let help = format!("write `{owner}(128, nhead = 4)`");
        return Err(l.cx.model.report(error.help(help)));
    };
    let (how, rest) = (l.written, l.options.args.clone());
    let fixed = |size: &Dim| how.layer(&owner, &[how.size(size)], &rest);
    let size = l.input(&written, 2, "feature", fixed)?;
    let heads = heads(l, "nhead", &size)?;
    let feedforward = match l.options.take("dim_feedforward") {
        Some(expr) => l.dim(&expr)?,
        None => Dim::lit(2048),
    };
    let dropout = l.cx.literal_option(&mut l.options, "dropout")?;
    let activation = l.cx.word_option(&mut l.options, "activation")?;
    let norm_first = l.flag("norm_first")?;
    let eps = l.cx.literal_option(&mut l.options, "layer_norm_eps")?;
    let bias = l.flag("bias")?;
    Ok(Settings { size, heads, feedforward, dropout, activation, norm_first, eps, bias })
}

impl Settings {
    fn attention(&self, causal: bool, mask: Option<ValueId>) -> Attention {
        let (size, heads) = (self.size.clone(), self.heads.clone());
        Attention { size, heads, bias: self.bias, causal, mask }
    }

    /// `norm(x + part(x))`, or `x + part(norm(x))`.
    fn block(
        &self,
        l: &mut Use,
        x: ValueId,
        norm: &str,
        part: impl FnOnce(&Self, &mut Use, ValueId) -> Lowering<ValueId>,
    ) -> Lowering<ValueId> {
        let from = if self.norm_first { self.norm(l, norm, x)? } else { x };
        let y = part(self, l, from)?;
        let y = self.dropped(l, y)?;
        let y = l.op(Elementwise::new("add"), &[x, y])?;
        if self.norm_first { Ok(y) } else { self.norm(l, norm, y) }
    }

    fn feedforward(&self, l: &mut Use, x: ValueId) -> Lowering<ValueId> {
        let y = self.linear(l, "linear1", x, [&self.size, &self.feedforward])?;
        let y = l.op(Elementwise::new(self.activation), &[y])?;
        let y = self.dropped(l, y)?;
        self.linear(l, "linear2", y, [&self.feedforward, &self.size])
    }

    fn linear(
        &self,
        l: &mut Use,
        name: &str,
        x: ValueId,
        [from, to]: [&Dim; 2],
    ) -> Lowering<ValueId> {
        let shape = vec![to.clone(), from.clone()];
        let weight = l.param(&format!("{name}.weight"), shape, default_init(from));
        let init = default_init(from);
        let bias = self.bias.then(|| l.param(&format!("{name}.bias"), vec![to.clone()], init));
        l.affine(x, weight, bias)
    }

    fn norm(&self, l: &mut Use, name: &str, x: ValueId) -> Lowering<ValueId> {
        let shape = vec![self.size.clone()];
        let ones = quote!(__private::Init::Ones);
        let mut inputs = vec![x, l.param(&format!("{name}.weight"), shape.clone(), ones)];
        if self.bias {
            let zeros = quote!(__private::Init::Zeros);
            inputs.push(l.param(&format!("{name}.bias"), shape, zeros));
        }
        let (axes, eps, bias) = (1, self.eps, self.bias);
        let options = layer_norm::Options { axes, eps, centred: true, weight: true, bias };
        Ok(l.cx.ops(LayerNorm(options), &inputs)?[0])
    }

    fn dropped(&self, l: &mut Use, x: ValueId) -> Lowering<ValueId> {
        // What is frozen drops nothing.
        if self.dropout == 0.0 || l.cx.is_frozen(l.place.field) {
            Ok(x)
        } else {
            l.op(Dropout { p: self.dropout }, &[x])
        }
    }
}
