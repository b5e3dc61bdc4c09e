//! `MultiheadAttention`.

use proc_macro2::TokenStream;
use quote::quote;

use super::usage::{Use, default_init};
use super::{Build, Layer};
use crate::diagnostics::Diagnostic;
use crate::dim::{Dim, Shape};
use crate::graph::ValueId;
use crate::lower::Lowering;
use crate::ops::Mismatch;
use crate::ops::attention::{self, Layout};
use crate::ops::elementwise::Elementwise;
use crate::ops::narrow::Narrow;
use crate::ops::shaping::Reshape;
use crate::vocabulary::{Domain, Example, Input, OptionRow};

pub(super) const HEADS: Domain = Domain::Other("a size that divides `D`");
/// The row of a mask of scores.
pub(super) const fn mask_row(name: &'static str, drawn: &'static str) -> OptionRow {
    let takes =
        Domain::Other("numbers that are added to the scores, `-inf` where a key is not seen");
    OptionRow::new(name, takes, drawn).or("none")
}

/// The row of a mask of keys.
pub(super) const fn padding_row(name: &'static str, drawn: &'static str) -> OptionRow {
    let takes = Domain::Other("`[batch, S]`, added to the scores of each key");
    OptionRow::new(name, takes, drawn).or("none")
}

pub(super) const MULTIHEAD_ATTENTION: Layer = Layer {
    input: Input::Sequence,
    calls: &[&[("x", "")], &[("query", ""), ("key", "SEQUENCE"), ("value", "SEQUENCE")]],
    options: &[
        OptionRow::new("embed_dim", Domain::InputSize, "LAST"),
        OptionRow::new("num_heads", HEADS, "DIVISOR_OF_LAST").other_names(&["heads", "nhead"]),
        OptionRow::flag("bias", true),
    ],
    call_options: &[
        OptionRow::flag("is_causal", false),
        mask_row("attn_mask", "MEMORY_MASK"),
        padding_row("key_padding_mask", "MEMORY_PADDING"),
    ],
    type_params: Some("D, H"),
    params: "`in_proj_weight [3 D, D]`, `in_proj_bias [3 D]`, `out_proj.weight [D, D]`, \
        `out_proj.bias [D]`",
    shapes: "`x [batch, T, D]`, or `query [batch, T, D]` with `key` and `value [batch, S, D]` → \
        `y [batch, T, D]`",
    formula: "y = concat(head₁, …, headₕ) out_proj.weightᵀ + out_proj.bias, each head = \
        softmax(q kᵀ / √(D / num_heads) + masks) v of its share of the three projections",
    source: "torch.nn.MultiheadAttention",
    example: Example::layer(
        "MultiheadAttention(128, num_heads = 4)",
        "x: [batch, 10, 128]) -> [batch, 10, 128] { self.layer(x, is_causal = true) }",
    ),
    ..Layer::new("MultiheadAttention", Build::One(multihead_attention))
};

/// `x [N, T, D]`, or queries `[N, T, D]` with keys and values `[N, S, D]`; `in_proj_weight [3 D,
/// D]`, `in_proj_bias [3 D]`, `out_proj.weight [D, D]`, `out_proj.bias [D]`  →  `y [N, T, D]`
fn multihead_attention(l: &mut Use) -> Lowering<ValueId> {
    let found = l.cx.graph.ty(l.x).clone();
    if found.shape.rank() != 3 {
        let text = format!("expects [batch, rows, features] but receives {found}");
        return Err(l.cx.refuse(Mismatch::new(text), Some(l.x)));
    }
    let Some(written) = l.options.take("embed_dim") else {
        let error = Diagnostic::new(l.options.span, "`MultiheadAttention` has no size");
        return Err(l
            .cx
            .model
            .report(error.help("write `MultiheadAttention(128, num_heads = 4)`")));
    };
    let (how, rest) = (l.written, l.options.args.clone());
    let fixed = |size: &Dim| how.layer("MultiheadAttention", &[how.size(size)], &rest);
    let size = l.input(&written, 2, "feature", fixed)?;
    let heads = heads(l, "num_heads", &size)?;
    let bias = l.flag("bias")?;
    let causal = l.cx.flag_option(&mut l.call, "is_causal")?;
    let mask = mask(l, ["attn_mask", "key_padding_mask"])?;
    let attention = Attention { size, heads, bias, causal, mask };
    let inputs = [l.x].into_iter().chain(l.others.clone()).collect::<Vec<_>>();
    attention.of(l, "", &inputs)
}

/// The number of heads, which share `size` features.
pub(super) fn heads(l: &mut Use, name: &'static str, size: &Dim) -> Lowering<Dim> {
    let Some(heads) = l.options.take(name) else {
        let help = format!("write `{}({size}, {name} = 4)`", l.options.owner);
        let error = l.options.missing(name, help);
        return Err(l.cx.model.report(error));
    };
    let heads = l.dim(&heads)?;
    match (size.as_lit(), heads.as_lit()) {
        (Some(size), Some(heads)) if heads == 0 || size % heads != 0 => {
            let text = format!("cannot split {size} features into {heads} heads");
            Err(l.cx.refuse(Mismatch::new(text), Some(l.x)))
        }
        _ if l.cx.rule.divides(&heads, size) => Ok(heads),
        _ => {
            let text = format!("cannot split {size} features into {heads} heads");
            Err(l.cx.refuse(Mismatch::new(text), Some(l.x)))
        }
    }
}

/// An attention with its projections.
pub(super) struct Attention {
    pub size: Dim,
    pub heads: Dim,
    pub bias: bool,
    pub causal: bool,
    pub mask: Option<ValueId>,
}

impl Attention {
    /// `y [N, T, D]` of one input, or of queries, keys and values; the parameters' names start with
    /// `prefix`.
    pub fn of(&self, l: &mut Use, prefix: &str, inputs: &[ValueId]) -> Lowering<ValueId> {
        let size = &self.size;
        let three = size.times(&Dim::lit(3));
        let name = |name: &str| format!("{prefix}{name}");
        let xavier = xavier(&three, size);
        let weight = l.param(&name("in_proj_weight"), vec![three.clone(), size.clone()], xavier);
        let zeros = || quote!(__private::Init::Zeros);
        let bias = self.bias.then(|| l.param(&name("in_proj_bias"), vec![three], zeros()));
        let op = |layout| attention::Attention {
            layout,
            heads: self.heads.clone(),
            scale: None,
            causal: self.causal,
            mask: self.mask.is_some(),
        };
        let y = match inputs {
            [_, _, _] => {
                // Each is projected by its rows of the weight.
                let mut operands = Vec::new();
                for (part, x) in inputs.iter().enumerate() {
                    let start = size.times(&Dim::lit(part));
                    let rows = Narrow { axis: 0, start, len: size.clone() };
                    let weight = l.op(rows.clone(), &[weight])?;
                    let bias = bias.map(|bias| l.op(rows, &[bias])).transpose()?;
                    operands.push(l.affine(*x, weight, bias)?);
                }
                operands.extend(self.mask);
                l.op(op(Layout::ByRow), &operands)?
            }
            _ => {
                let qkv = l.affine(inputs[0], weight, bias)?;
                let operands: Vec<_> = [qkv].into_iter().chain(self.mask).collect();
                l.op(op(Layout::Packed), &operands)?
            }
        };
        let square = vec![size.clone(), size.clone()];
        let out = l.param(&name("out_proj.weight"), square, default_init(size));
        let bias = self.bias.then(|| l.param(&name("out_proj.bias"), vec![size.clone()], zeros()));
        l.affine(y, out, bias)
    }
}

/// What two options of the call add to the scores: a mask of them, and one of keys, `[N, S]`, for
/// all queries of a sample.
pub(super) fn mask(l: &mut Use, names: [&'static str; 2]) -> Lowering<Option<ValueId>> {
    let (step, span) = (l.cx.rule.subject.clone(), l.cx.rule.span);
    let mut masks = [None, None];
    for (mask, name) in masks.iter_mut().zip(names) {
        if let Some(expr) = l.call.take_named(name) {
            let value = l.cx.one(&expr)?;
            l.cx.step(&step, span);
            l.cx.floats(&[value])?;
            *mask = Some(value);
        }
    }
    let [mask, padding] = masks;
    let Some(padding) = padding else { return Ok(mask) };
    let found = l.cx.graph.ty(padding).clone();
    let [batch, keys] = found.dims() else {
        let text = format!("expects a `{}` [batch, keys] but receives {found}", names[1]);
        return Err(l.cx.refuse(Mismatch::new(text), Some(padding)));
    };
    let shape = Shape(vec![batch.clone(), Dim::lit(1), Dim::lit(1), keys.clone()]);
    let padding = l.op(Reshape(shape), &[padding])?;
    match mask {
        Some(mask) => l.op(Elementwise::new("add"), &[mask, padding]).map(Some),
        None => Ok(Some(padding)),
    }
}

/// Xavier's uniform distribution, `U(−a, a)` with `a = √(6 / (fan_in + fan_out))`.
fn xavier(fan_out: &Dim, fan_in: &Dim) -> TokenStream {
    let [fan_in, fan_out] = [fan_in.tokens(), fan_out.tokens()];
    quote! {
        __private::Init::XavierUniform { fan_in: #fan_in, fan_out: #fan_out, gain: 1.0 }
    }
}
