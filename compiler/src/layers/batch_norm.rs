//! `BatchNorm1d` and `BatchNorm2d`.

use quote::quote;

use super::usage::Use;
use super::{Build, Layer};
use crate::dim::Shape;
use crate::graph::ValueId;
use crate::lower::images::image;
use crate::lower::{Lowering, State, StateInit, text_of};
use crate::ops::Mismatch;
use crate::ops::batch_norm::{self, BatchNorm};
use crate::ops::elementwise::{Constant, Elementwise};
use crate::ops::shaping::Reshape;
use crate::syntax::Arg;
use crate::vocabulary::{Domain, Example, Input, OptionRow, Preset, Range};

const OPTIONS: &[OptionRow] = &[
    OptionRow::new("channels", Domain::InputSize, "CHANNELS").or("the input's"),
    OptionRow::number("eps", 1e-5, Range::Positive).drawn("SMALL"),
    OptionRow {
        default: Preset::Number(0.1),
        ..OptionRow::new(
            "momentum",
            Domain::Other("a number from 0 to 1; `none`, where all batches weigh the same"),
            "PART|none",
        )
    },
    OptionRow::flag("affine", true),
    OptionRow::flag("track_running_stats", true),
];
const PARAMS: &str = "`weight [C]`, `bias [C]`; the state `running_mean [C]`, `running_var [C]`, \
    `num_batches_tracked []`";
const FORMULA: &str = "y = (x − mean) / √(var + eps) · weight + bias, with the mean and the \
    variance of each channel in the batch in calls that give gradients, and the running ones \
    elsewhere";

pub(super) const BATCH_NORM1D: Layer = Layer {
    input: Input::Rows,
    options: OPTIONS,
    type_params: Some("C"),
    params: PARAMS,
    shapes: "`x [batch, C]` or `[batch, C, L]` → `y`, the same",
    formula: FORMULA,
    source: "torch.nn.BatchNorm1d",
    example: Example::layer("BatchNorm1d(64)", "x: [batch, 64]) -> [batch, 64] { self.layer(x) }"),
    ..Layer::new("BatchNorm1d", Build::One(|l| batch_norm(l, 1)))
};

pub(super) const BATCH_NORM2D: Layer = Layer {
    input: Input::Images,
    options: OPTIONS,
    type_params: Some("C"),
    params: PARAMS,
    shapes: "`x [batch, C, H, W]` → `y`, the same",
    formula: FORMULA,
    source: "torch.nn.BatchNorm2d",
    example: Example::layer(
        "BatchNorm2d(8)",
        "x: [batch, 8, 28, 28]) -> [batch, 8, 28, 28] { self.layer(x) }",
    ),
    ..Layer::new("BatchNorm2d", Build::One(|l| batch_norm(l, 2)))
};

/// `x [N, C]` or `[N, C, L]` in one dimension, `[N, C, H, W]` in two; `w [C]  b [C]`, and the
/// running statistics.
fn batch_norm(l: &mut Use, dimensions: usize) -> Lowering<ValueId> {
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
        _ => drop(image(l.cx, l.x)?),
    }
    let channels = match l.options.take("channels") {
        Some(from) => {
            let (name, rest) = (l.options.owner.clone(), l.options.args.clone());
            let how = l.written;
            l.input(&from, 1, "channel", |actual| how.layer(&name, &[how.size(actual)], &rest))?
        }
        None => found.dims()[1].clone(),
    };
    let eps = l.cx.literal_option(&mut l.options, "eps")?;
    let momentum = momentum(l)?;
    let (affine, track) = (l.flag("affine")?, l.flag("track_running_stats")?);
    let mut inputs = vec![l.x];
    if affine {
        let init = quote!(__private::Init);
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
            let tensor = State { name: l.place.tensor(name), shape: Shape(shape), init };
            let (index, value) = l.cx.field_state(l.place.field, tensor);
            state.push(index);
            inputs.push(value);
        }
    }
    if track && l.cx.is_frozen(l.place.field) {
        return running(l, &inputs, eps, affine);
    }
    let op = BatchNorm(batch_norm::Options { eps, momentum, affine, track });
    let outputs = l.cx.ops(op, &inputs)?;
    let new_state = &outputs[outputs.len() - state.len()..];
    l.cx.state.extend(state.into_iter().zip(new_state.iter().copied()));
    Ok(outputs[0])
}

/// A norm that is held fixed: by its running statistics in all calls, `x, weight, bias, mean, var`.
fn running(l: &mut Use, inputs: &[ValueId], eps: f64, affine: bool) -> Lowering<ValueId> {
    let (x, params, state) = (inputs[0], &inputs[1..], &inputs[if affine { 3 } else { 1 }..]);
    let planes = batch_norm::planes(l.cx.graph.ty(x));
    let eps = l.op(Elementwise::constant(Constant::Literal(eps)), &[])?;
    let var = l.op(Elementwise::new("add"), &[state[1], eps])?;
    let std = l.op(Elementwise::new("sqrt"), &[var])?;
    let weight = match affine {
        true => params[0],
        false => l.op(Elementwise::constant(Constant::Literal(1.0)), &[])?,
    };
    let scale = l.op(Elementwise::new("div"), &[weight, std])?;
    let of_planes = |l: &mut Use, value| l.op(Reshape(planes.clone()), &[value]);
    let mean = l.op(Elementwise::copy(), &[state[0]])?;
    let (mean, scale) = (of_planes(l, mean)?, of_planes(l, scale)?);
    let centred = l.op(Elementwise::new("sub"), &[x, mean])?;
    let scaled = l.op(Elementwise::new("mul"), &[centred, scale])?;
    match affine {
        true => {
            let bias = of_planes(l, params[1])?;
            l.op(Elementwise::new("add"), &[scaled, bias])
        }
        false => Ok(scaled),
    }
}

/// `momentum = 0.1`; nothing for `momentum = none`, where all batches weigh the same.
fn momentum(l: &mut Use) -> Lowering<Option<f64>> {
    let is_none = |arg: &Arg| matches!(arg, Arg::Named(name, value) if name == "momentum" && text_of(value) == "none");
    if let Some(at) = l.options.args.iter().position(is_none) {
        l.options.args.remove(at);
        return Ok(None);
    }
    let default = l.options.row("momentum").default_number();
    let value = l.cx.number_within(&mut l.options, "momentum", default, Range::Unit)?;
    l.cx.literal(value, "momentum", l.options.span).map(Some)
}
