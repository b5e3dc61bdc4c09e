//! `GroupNorm`.

use super::usage::Use;
use super::{Build, Layer};
use crate::dim::{Dim, Shape, product};
use crate::graph::ValueId;
use crate::hygiene::quote;
use crate::lower::Lowering;
use crate::ops::Mismatch;
use crate::ops::elementwise::Elementwise;
use crate::ops::layer_norm::{self, LayerNorm};
use crate::ops::shaping::Reshape;
use crate::vocabulary::{Domain, Example, Input, OptionRow, Range};

pub(super) const GROUP_NORM: Layer = Layer {
    input: Input::Images,
    options: &[
        OptionRow::new(
            "num_groups",
            Domain::Other("a size that divides `C`"),
            "DIVISOR_OF_CHANNELS",
        ),
        OptionRow::new("num_channels", Domain::InputSize, "CHANNELS").or("the input's"),
        OptionRow::number("eps", 1e-5, Range::Positive).drawn("SMALL"),
        OptionRow::flag("affine", true),
    ],
    type_params: Some("G, C"),
    params: "`weight [C]`, `bias [C]`",
    shapes: "`x [batch, C, ..]` → `y`, the same",
    formula: "y = (x − mean) / √(var + eps) · weight + bias, with the mean and the variance of each \
        group of channels of a sample",
    source: "torch.nn.GroupNorm",
    example: Example::layer(
        "GroupNorm(4, 8)",
        "x: [batch, 8, 28, 28]) -> [batch, 8, 28, 28] { self.layer(x) }",
    ),
    ..Layer::new("GroupNorm", Build::One(group_norm))
};

/// `x [N, C, ..]  w [C]  b [C]  →  y [N, C, ..]`: the norm of `[N, G, C/G · ..]` along its last
/// axis.
fn group_norm(l: &mut Use) -> Lowering<ValueId> {
    let found = l.cx.graph.ty(l.x).clone();
    if found.shape.rank() < 2 {
        let text = format!("expects [batch, channels, ..] but receives {found}");
        return Err(l.cx.refuse(Mismatch::new(text), Some(l.x)));
    }
    let Some(groups) = l.options.take("num_groups") else {
        let error = l.options.missing("num_groups", "write `GroupNorm(4, 32)`".into());
        return Err(l.cx.model.report(error));
    };
    let written = groups.clone();
    let groups = l.dim(&groups)?;
    let channels = match l.options.take("num_channels") {
        Some(from) => {
            let (groups, how) = (l.written.expr(&written), l.written);
            let rest = l.options.args.clone();
            l.input(&from, 1, "channel", |actual| {
                let sizes = format!("{groups}, {}", how.size(actual));
                how.layer("GroupNorm", &[sizes], &rest)
            })?
        }
        None => found.dims()[1].clone(),
    };
    let each = match (channels.as_lit(), groups.as_lit()) {
        (Some(channels), Some(groups)) if channels % groups != 0 => None,
        _ if l.cx.rule.divides(&groups, &channels) => channels.floor_divided_by(&groups),
        _ => None,
    };
    let Some(each) = each else {
        let text = format!("cannot split {channels} channels into {groups} groups");
        return Err(l.cx.refuse(Mismatch::new(text), Some(l.x)));
    };
    let eps = l.cx.literal_option(&mut l.options, "eps")?;
    let affine = l.flag("affine")?;
    let places = product(&found.dims()[2..]);
    let rows = Shape(vec![found.dims()[0].clone(), groups, each.times(&places)]);
    let x = l.op(Reshape(rows), &[l.x])?;
    let options = layer_norm::Options { axes: 1, eps, centred: true, weight: false, bias: false };
    let y = l.cx.ops(LayerNorm(options), &[x])?[0];
    let mut y = l.op(Reshape(found.shape.clone()), &[y])?;
    if affine {
        let ones = vec![Dim::lit(1); found.shape.rank() - 2];
        let planes = Shape([vec![channels.clone()], ones].concat());
        for (name, init, func) in [("weight", quote!(Ones), "mul"), ("bias", quote!(Zeros), "add")]
        {
            let init = quote!(__private::Init::#init);
            let param = l.param(name, vec![channels.clone()], init);
            let param = l.op(Reshape(planes.clone()), &[param])?;
            y = l.op(Elementwise::new(func), &[y, param])?;
        }
    }
    Ok(y)
}
