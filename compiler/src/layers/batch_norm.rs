//! `BatchNorm1d` and `BatchNorm2d`.

use quote::quote;

use super::usage::Use;
use crate::dim::Shape;
use crate::graph::ValueId;
use crate::lower::{Lowering, Range, State, StateInit};
use crate::ops::Mismatch;
use crate::ops::batch_norm::{self, BatchNorm};

/// `x [N, C]` or `[N, C, L]` in one dimension, `[N, C, H, W]` in two; `w [C]  b [C]`, and the running
/// statistics.
pub(super) fn batch_norm(l: &mut Use, dimensions: usize) -> Lowering<ValueId> {
    let found = l.cx.graph.ty(l.x).clone();
    match (dimensions, found.shape.rank()) {
        (1, 2 | 3) => {}
        (1, rank) => {
            let error = Mismatch::new(format!("expects [batch, channels] but receives {found}"));
            let error = match rank {
                4 => error.help("images go through `BatchNorm2d`"),
                _ => error,
            };
            return Err(l.cx.refuse(error, Some(l.x)));
        }
        (_, 2 | 3) => {
            let text = format!("expects [batch, channels, height, width] but receives {found}");
            let error = Mismatch::new(text).help("rows of features go through `BatchNorm1d`");
            return Err(l.cx.refuse(error, Some(l.x)));
        }
        _ => drop(crate::lower::image(l.cx, l.x)?),
    }
    let channels = match l.options.take("channels") {
        Some(from) => {
            let rest: String = l.options.args.iter().map(|arg| format!(", {arg}")).collect();
            let (name, is_type) = (l.options.owner.clone(), l.is_type);
            l.input(&from, 1, "channel", |actual| match is_type {
                true => format!("{name}<{actual}{rest}>"),
                false => format!("{name}({actual}{rest})"),
            })?
        }
        None => found.dims()[1].clone(),
    };
    let eps = l.cx.literal_option(&mut l.options, "eps", 1e-5, Range::Positive)?;
    let momentum = l.momentum()?;
    let (affine, track) = (l.flag("affine", true)?, l.flag("track_running_stats", true)?);
    let mut inputs = vec![l.x];
    if affine {
        let init = quote!(::gradiron::__rt::init::Init);
        inputs.push(l.param("weight", vec![channels.clone()], quote!(#init::Ones)));
        inputs.push(l.param("bias", vec![channels.clone()], quote!(#init::Zeros)));
    }
    let mut state = Vec::new();
    if track {
        for (name, shape, init) in [
            ("running_mean", vec![channels.clone()], StateInit::Value(0.0)),
            ("running_var", vec![channels.clone()], StateInit::Value(1.0)),
            ("num_batches_tracked", Vec::new(), StateInit::Count),
        ] {
            let tensor = State { name: name.into(), shape: Shape(shape), init };
            let (index, value) = l.cx.field_state(l.field, tensor);
            state.push(index);
            inputs.push(value);
        }
    }
    let op = BatchNorm(batch_norm::Options { eps, momentum, affine, track });
    let outputs = l.cx.ops(op, &inputs)?;
    let new_state = &outputs[outputs.len() - state.len()..];
    l.cx.state.extend(state.into_iter().zip(new_state.iter().copied()));
    Ok(outputs[0])
}
