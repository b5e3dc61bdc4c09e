//! `MultiheadAttention`.

use proc_macro2::TokenStream;
use quote::quote;

use super::usage::{Use, default_init};
use crate::diagnostics::Diagnostic;
use crate::dim::{Dim, Shape};
use crate::graph::ValueId;
use crate::lower::{Lowering, Options};
use crate::ops::Mismatch;
use crate::ops::attention::{Attention, Layout};
use crate::ops::elementwise::Elementwise;
use crate::ops::matmul::{Layout as Product, Matmul};
use crate::ops::narrow::Narrow;
use crate::ops::shaping::Reshape;

/// `x [N, T, D]`, or queries `[N, T, D]` with keys and values `[N, S, D]`; `in_proj_weight [3 D, D]`,
/// `in_proj_bias [3 D]`, `out_proj.weight [D, D]`, `out_proj.bias [D]`  →  `y [N, T, D]`
pub(super) fn multihead_attention(l: &mut Use) -> Lowering<ValueId> {
    let found = l.cx.graph.ty(l.x).clone();
    if found.shape.rank() != 3 {
        let text = format!("expects [batch, rows, features] but receives {found}");
        return Err(l.cx.refuse(Mismatch::new(text), Some(l.x)));
    }
    let Some(written) = l.options.take("embed_dim") else {
        let error = Diagnostic::new(l.options.span, "`MultiheadAttention` has no size");
        return Err(l.cx.model.report(error.help("write `MultiheadAttention(128, heads = 4)`")));
    };
    let rest: String = l.options.args.iter().map(|arg| format!(", {arg}")).collect();
    let size =
        l.input(&written, 2, "feature", |size| format!("MultiheadAttention({size}{rest})"))?;
    let Some(heads) = l.options.take("heads") else {
        let error = Diagnostic::new(l.options.span, "`MultiheadAttention` needs its `heads`");
        return Err(l
            .cx
            .model
            .report(error.help(format!("write `MultiheadAttention({size}, heads = 4)`"))));
    };
    let heads = l.dim(&heads)?;
    if let (Some(size), Some(heads)) = (size.as_lit(), heads.as_lit())
        && size % heads != 0
    {
        let text = format!("cannot split {size} features into {heads} heads");
        return Err(l.cx.refuse(Mismatch::new(text), Some(l.x)));
    }
    let bias = l.flag("bias", true)?;
    let three = size.times(&Dim::lit(3));
    let weight =
        l.param("in_proj_weight", vec![three.clone(), size.clone()], xavier(&three, &size));
    let zeros = quote!(::gradiron::init::Init::Zeros);
    let in_bias = bias.then(|| l.param("in_proj_bias", vec![three.clone()], zeros.clone()));

    let causal = match l.call.take_named("is_causal") {
        Some(expr) => l.cx.ok(Options::bool(&expr))?,
        None => false,
    };
    let mask = mask(l)?;
    let attention = |layout| Attention {
        layout,
        heads: heads.clone(),
        scale: None,
        causal,
        mask: mask.is_some(),
    };
    let y = match l.others[..] {
        [key, value] => {
            // Each is projected by its rows of the weight.
            let mut operands = Vec::new();
            for (part, x) in [l.x, key, value].into_iter().enumerate() {
                let start = size.times(&Dim::lit(part));
                let rows = Narrow { axis: 0, start, len: size.clone() };
                let weight = l.op(rows.clone(), &[weight])?;
                let y = l.op(Matmul(Product::NT), &[x, weight])?;
                operands.push(match in_bias {
                    Some(bias) => {
                        let bias = l.op(rows, &[bias])?;
                        l.op(Elementwise::new("add"), &[y, bias])?
                    }
                    None => y,
                });
            }
            operands.extend(mask);
            l.op(attention(Layout::ByRow), &operands)?
        }
        _ => {
            let qkv = l.op(Matmul(Product::NT), &[l.x, weight])?;
            let qkv = match in_bias {
                Some(bias) => l.op(Elementwise::new("add"), &[qkv, bias])?,
                None => qkv,
            };
            let operands: Vec<_> = [qkv].into_iter().chain(mask).collect();
            l.op(attention(Layout::Packed), &operands)?
        }
    };
    let out = l.param("out_proj.weight", vec![size.clone(), size.clone()], default_init(&size));
    let y = l.op(Matmul(Product::NT), &[y, out])?;
    match bias {
        true => {
            let bias = l.param("out_proj.bias", vec![size], zeros);
            l.op(Elementwise::new("add"), &[y, bias])
        }
        false => Ok(y),
    }
}

/// What the options of the call add to the scores: `attn_mask`, and `key_padding_mask [N, S]` for
/// all queries of a sample.
fn mask(l: &mut Use) -> Lowering<Option<ValueId>> {
    let (step, span) = (l.cx.rule.step.clone(), l.cx.rule.span);
    let mut masks = [None, None];
    for (mask, name) in masks.iter_mut().zip(["attn_mask", "key_padding_mask"]) {
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
        let text = format!("expects a `key_padding_mask` [batch, keys] but receives {found}");
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
    let sum = fan_in.plus(fan_out).tokens();
    let bound = quote!((6.0 / (#sum) as f32).sqrt());
    quote!(::gradiron::init::Init::Uniform { low: -#bound, high: #bound })
}
