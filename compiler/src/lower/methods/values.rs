//! Methods of two values, and those that give the value itself: dropout, `detach` and `probe`.

use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit};

use super::Method;
use crate::diagnostics::Diagnostic;
use crate::graph::ValueId;
use crate::lower::{FnCx, Lowering, Options};
use crate::ops::bmm::Bmm;
use crate::ops::detach::Detach;
use crate::ops::dropout::Dropout;
use crate::ops::elementwise::Elementwise;
use crate::ops::matmul::{Layout, Matmul};
use crate::ops::probe::Probe;
use crate::vocabulary::{Domain, Example, OptionRow, Range};

pub const DROPOUT_OPTIONS: &[OptionRow] = &[OptionRow::number("p", 0.5, Range::Unit)];
pub const DROPOUT: &str = "y = x / (1 − p), or 0 with the probability p, in calls that give \
    gradients; elsewhere y = x";

pub(super) const MATMUL: Method = Method {
    options: &[OptionRow::new(
        "other",
        Domain::Value("`[K, N]`, or `[.., K, N]` with the leading sizes of `x`"),
        "FACTOR",
    )],
    shapes: "`x [.., M, K]`, `other [K, N]` or `[.., K, N]` → `y [.., M, N]`",
    formula: "y[i, j] = Σ x[i, k] · other[k, j], over k",
    source: "torch.matmul",
    example: Example::function(
        "x: [batch, 10, 16], y: [batch, 16, 4]) -> [batch, 10, 4] { x.matmul(y) }",
    ),
    ..Method::new("matmul", matmul)
};
pub(super) const MASKED_FILL: Method = Method {
    options: &[
        OptionRow::new("mask", Domain::Value("numbers that broadcast with `x`"), "VALUE"),
        OptionRow::new("value", Domain::Number(Range::Any), "NUM"),
    ],
    shapes: "`x` and `mask`, which broadcast → `y`",
    formula: "y = value where mask is not 0, else x; the gradient of what is not chosen is 0",
    source: "torch.Tensor.masked_fill",
    example: Example::function(
        "x: [batch, 10], mask: [batch, 10]) -> [batch, 10] { x.masked_fill(mask, -1e9) }",
    ),
    ..Method::new("masked_fill", masked_fill)
};
pub(super) const DROPOUT_ROW: Method = Method {
    options: DROPOUT_OPTIONS,
    shapes: "`x` of any shape → `y`, the same",
    formula: DROPOUT,
    source: "torch.nn.functional.dropout",
    example: Example::function("x: [batch, 64]) -> [batch, 64] { x.dropout(0.1) }"),
    ..Method::new("dropout", dropout)
};
pub(super) const DETACH: Method = Method {
    shapes: "`x` of any shape → `y`, the same",
    formula: "y = x, a constant to gradients: none goes from y to x, and none is computed for it",
    source: "torch.Tensor.detach",
    example: Example::function("x: [batch, 64]) -> [batch, 64] { x * x.detach() }"),
    ..Method::new("detach", |cx, x, _| cx.op(Detach, &[x]))
};
pub(super) const PROBE: Method = Method {
    options: &[OptionRow::new("name", Domain::Other("a text in quotes"), "\"hidden\"|\"sum\"")],
    shapes: "`x` of any shape → `y`, the same",
    formula: "y = x, which observers see under that name, and the gradient of it too",
    source: "torch.nn.modules.module.register_module_forward_hook",
    example: Example::function("x: [batch, 64]) -> [batch, 64] { x.probe(\"input\").relu() }"),
    ..Method::new("probe", probe)
};

/// `x.probe("hidden")`: a step that is called as its name says.
fn probe(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let (text, place) = match o.take("name") {
        Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) if !text.value().trim().is_empty() => {
            (text.value(), text.span())
        }
        other => {
            let span = other.map_or(o.span, |other| other.span());
            let error = Diagnostic::new(span, "`probe` needs a name, a text in quotes");
            return Err(cx.model.report(error.help("write `x.probe(\"hidden\")`")));
        }
    };
    // Tabs and ends of lines stand between the parts of what profiles read.
    cx.step(&text.split_whitespace().collect::<Vec<_>>().join(" "), place);
    cx.op(Probe, &[x])
}

fn matmul(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let b = cx.operand_option(o, "other", ["a second matrix", "write `a.matmul(b)`"])?;
    cx.floats(&[b])?;
    match cx.rank(b) {
        0..=2 => cx.op(Matmul(Layout::NN), &[x, b]),
        _ => cx.op(Bmm(Layout::NN), &[x, b]),
    }
}

/// `value` where the mask is not 0.
fn masked_fill(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let missing = ["a mask and a value", "write `masked_fill(mask, 0.0)`"];
    let mask = cx.operand_option(o, "mask", missing)?;
    let value = cx.number_option(o, "value")?;
    cx.floats(&[mask])?;
    let value = cx.op(Elementwise::constant(value), &[])?;
    cx.op(Elementwise::new("where_"), &[mask, value, x])
}

/// `x.dropout(0.1)`: nothing in inference.
pub fn dropout(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let p = cx.literal_option(o, "p")?;
    if p == 0.0 { Ok(x) } else { cx.op(Dropout { p }, &[x]) }
}
