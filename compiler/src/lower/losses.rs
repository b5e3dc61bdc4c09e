//! The losses, under the names of `torch.nn.functional`.

use super::functions::{Build, Function};
use super::{FnCx, Lowering, Options};
use crate::graph::{Kind, ValueId};
use crate::ops::Mismatch;
use crate::ops::elementwise::{Constant, Elementwise, HUBER, SMOOTH_L1};
use crate::ops::loss::{CrossEntropy, NllLoss};
use crate::ops::reduce::{self, Reduce};
use crate::vocabulary::{Example, Operand, OptionRow, Range};

const REDUCTION: OptionRow =
    OptionRow::words("reduction", &["mean", "sum", "none"], "mean|sum|none");

/// A prediction, which tests take as it is, and a target of the same shape.
const ALIKE: &[Operand] = &[("input", ""), ("target", "LIKE")];

const SHAPES: &str = "`input` and `target` of one shape → `[]`; with `reduction = none` that shape";
const OF_CLASSES: &str = "`input [N, C, ..]`, `target Classes[N, ..]` → `[]`";

/// A loss of two values of one shape.
const fn alike(
    name: &'static str,
    build: fn(&mut FnCx, &[ValueId], &mut Options) -> Lowering<ValueId>,
) -> Function {
    Function {
        calls: &[ALIKE],
        options: &[REDUCTION],
        shapes: SHAPES,
        ..Function::new(name, Build::Loss(build))
    }
}

pub(super) const CROSS_ENTROPY: Function = Function {
    calls: &[&[("input", ""), ("target", "LABELS")]],
    options: &[OptionRow::number("label_smoothing", 0.0, Range::Unit)],
    shapes: OF_CLASSES,
    formula: "mean of −Σ q log softmax(input), over the classes, with q = 1 − label_smoothing at \
        the target and label_smoothing / C at all",
    source: "torch.nn.functional.cross_entropy",
    example: Example::function(
        "logits: [batch, 10], label: Classes[batch]) -> [] { cross_entropy(logits, label) }",
    ),
    ..Function::new(
        "cross_entropy",
        Build::Loss(|cx, inputs, o| {
            let smoothing = cx.literal_option(o, "label_smoothing")?;
            cx.op(CrossEntropy { smoothing, grad: false }, inputs)
        }),
    )
};

pub(super) const NLL_LOSS: Function = Function {
    calls: &[&[("input", "LOG_PROBABILITIES"), ("target", "LABELS")]],
    shapes: OF_CLASSES,
    formula: "mean of −input[target]; the input are logarithms of probabilities",
    source: "torch.nn.functional.nll_loss",
    example: Example::function(
        "x: [batch, 10], label: Classes[batch]) -> [] { nll_loss(x.log_softmax(1), label) }",
    ),
    ..Function::new("nll_loss", Build::Loss(|cx, inputs, _| cx.op(NllLoss { grad: false }, inputs)))
};

pub(super) const MSE_LOSS: Function = Function {
    formula: "mean of (input − target)²",
    source: "torch.nn.functional.mse_loss",
    example: Example::function("x: [batch, 3], y: [batch, 3]) -> [] { mse_loss(x, y) }"),
    ..alike("mse_loss", |cx, inputs, o| {
        let difference = difference(cx, inputs)?;
        let squared = cx.op(Elementwise::new("square"), &[difference])?;
        reduced(cx, squared, o)
    })
};

pub(super) const L1_LOSS: Function = Function {
    formula: "mean of |input − target|",
    source: "torch.nn.functional.l1_loss",
    example: Example::function(
        "x: [batch, 3], y: [batch, 3]) -> [] { l1_loss(x, y, reduction = sum) }",
    ),
    ..alike("l1_loss", |cx, inputs, o| {
        let difference = difference(cx, inputs)?;
        let distance = cx.op(Elementwise::new("abs"), &[difference])?;
        reduced(cx, distance, o)
    })
};

pub(super) const SMOOTH_L1_LOSS: Function = Function {
    options: &[SMOOTH_L1[0], REDUCTION],
    formula: "mean of d² / (2 beta) where |d| < beta, else |d| − beta / 2, of d = input − target",
    source: "torch.nn.functional.smooth_l1_loss",
    example: Example::function(
        "x: [batch, 3], y: [batch, 3]) -> [] { smooth_l1_loss(x, y, beta = 0.5) }",
    ),
    ..alike("smooth_l1_loss", |cx, inputs, o| {
        let beta = cx.number_option(o, "beta")?;
        of_difference(cx, inputs, o, "smooth_l1", beta)
    })
};

pub(super) const HUBER_LOSS: Function = Function {
    options: &[HUBER[0], REDUCTION],
    formula: "mean of d² / 2 where |d| ≤ delta, else delta (|d| − delta / 2), of d = input − \
        target",
    source: "torch.nn.functional.huber_loss",
    example: Example::function(
        "x: [batch, 3], y: [batch, 3]) -> [] { huber_loss(x, y, delta = 2.0) }",
    ),
    ..alike("huber_loss", |cx, inputs, o| {
        let delta = cx.number_option(o, "delta")?;
        of_difference(cx, inputs, o, "huber", delta)
    })
};

pub(super) const BINARY_CROSS_ENTROPY: Function = Function {
    calls: &[&[("input", "PROBABILITIES"), ("target", "LIKE")]],
    formula: "mean of −(target log input + (1 − target) log(1 − input)); logarithms are at least \
        −100",
    source: "torch.nn.functional.binary_cross_entropy",
    example: Example::function(
        "x: [batch, 3], y: [batch, 3]) -> [] { binary_cross_entropy(x.sigmoid(), y) }",
    ),
    ..alike("binary_cross_entropy", |cx, inputs, o| of_pair(cx, inputs, o, "bce"))
};

pub(super) const BINARY_CROSS_ENTROPY_WITH_LOGITS: Function = Function {
    formula: "`binary_cross_entropy` of σ(input)",
    source: "torch.nn.functional.binary_cross_entropy_with_logits",
    example: Example::function(
        "x: [batch, 3], y: [batch, 3]) -> [] { binary_cross_entropy_with_logits(x, y) }",
    ),
    ..alike("binary_cross_entropy_with_logits", |cx, inputs, o| {
        of_pair(cx, inputs, o, "bce_with_logits")
    })
};

pub(super) const KL_DIV: Function = Function {
    calls: &[&[("input", "LOG_PROBABILITIES"), ("target", "LIKE")]],
    options: &[OptionRow::words("reduction", &["mean", "batchmean"], "batchmean")],
    shapes: "`input` and `target` of one shape → `[]`",
    formula: "mean of target (log target − input); with `reduction = batchmean` their sum over \
        the first size. The input are logarithms of probabilities, the target probabilities",
    source: "torch.nn.functional.kl_div",
    example: Example::function(
        "x: [batch, 3], y: [batch, 3]) -> [] { kl_div(x.log_softmax(1), y, reduction = batchmean) \
            }",
    ),
    ..alike("kl_div", |cx, inputs, o| {
        let rows = cx.graph.ty(inputs[0]).shape.0.first().cloned();
        same_shapes(cx, inputs)?;
        let each = cx.op(Elementwise::new("kl_div"), inputs)?;
        match (cx.word_option(o, "reduction")?, rows) {
            ("batchmean", Some(rows)) => {
                let sum = sum(cx, each)?;
                let weight = cx.op(Elementwise::constant(Constant::Over(1.0, rows)), &[])?;
                cx.op(Elementwise::new("mul"), &[sum, weight])
            }
            _ => mean(cx, each),
        }
    })
};

pub(super) const TRIPLET_MARGIN_LOSS: Function = Function {
    calls: &[&[("anchor", ""), ("positive", "LIKE"), ("negative", "LIKE")]],
    options: &[
        OptionRow::number("margin", 1.0, Range::Positive),
        OptionRow::number("p", 2.0, Range::Positive).drawn("1|2|3|1.5"),
        OptionRow::number("eps", 1e-6, Range::NotNegative).drawn("SMALL"),
        OptionRow::flag("swap", false),
        REDUCTION,
    ],
    shapes: "three values `[.., D]` of one shape → `[]`; with `reduction = none` `[..]`",
    formula: "mean of max(d(anchor, positive) − d(anchor, negative) + margin, 0), with \
        d(a, b) = (Σ |a − b + eps|ᵖ)^(1/p) over the last axis; with `swap` d(anchor, negative) is the \
        smaller of it and d(positive, negative)",
    source: "torch.nn.functional.triplet_margin_loss",
    example: Example::function(
        "x: [batch, 8], y: [batch, 8], z: [batch, 8]) -> [] { triplet_margin_loss(x, y, z) }",
    ),
    ..alike("triplet_margin_loss", |cx, inputs, o| {
        let [anchor, positive, negative] = [inputs[0], inputs[1], inputs[2]];
        alike_shapes(cx, [anchor, positive], ["anchor", "positive"])?;
        alike_shapes(cx, [anchor, negative], ["anchor", "negative"])?;
        let margin = cx.number_option(o, "margin")?;
        let (p, eps) = (cx.literal_option(o, "p")?, cx.number_option(o, "eps")?);
        let near = distance(cx, [anchor, positive], p, &eps)?;
        let mut far = distance(cx, [anchor, negative], p, &eps)?;
        if cx.flag_option(o, "swap")? {
            let other = distance(cx, [positive, negative], p, &eps)?;
            far = cx.op(Elementwise::new("minimum"), &[far, other])?;
        }
        let difference = cx.op(Elementwise::new("sub"), &[near, far])?;
        let margin = cx.op(Elementwise::constant(margin), &[])?;
        let above = cx.op(Elementwise::new("add"), &[difference, margin])?;
        let each = cx.op(Elementwise::new("relu"), &[above])?;
        reduced(cx, each, o)
    })
};

/// `(Σ |a − b + eps|ᵖ)^(1/p)` over the last axis, PyTorch's `pairwise_distance`.
fn distance(cx: &mut FnCx, pair: [ValueId; 2], p: f64, eps: &Constant) -> Lowering<ValueId> {
    let power_of = |p| Elementwise::with("powf", vec![Constant::Literal(p)]);
    let difference = cx.op(Elementwise::new("sub"), &pair)?;
    let eps = cx.op(Elementwise::constant(eps.clone()), &[])?;
    let difference = cx.op(Elementwise::new("add"), &[difference, eps])?;
    let rank = cx.graph.ty(difference).shape.rank();
    let Some(last) = rank.checked_sub(1) else {
        let text = "measures distances along the last axis, but receives []";
        return Err(cx.refuse(Mismatch::new(text), Some(pair[0])));
    };
    let power = match p {
        2.0 => cx.op(Elementwise::new("square"), &[difference])?,
        _ => {
            let size = cx.op(Elementwise::new("abs"), &[difference])?;
            match p {
                1.0 => size,
                _ => cx.op(power_of(p), &[size])?,
            }
        }
    };
    let sum = cx.op(Reduce { kind: reduce::Kind::Sum, axes: vec![last] }, &[power])?;
    match p {
        1.0 => Ok(sum),
        2.0 => cx.op(Elementwise::new("sqrt"), &[sum]),
        _ => cx.op(power_of(1.0 / p), &[sum]),
    }
}

/// Targets have the shape of the input: broadcasting here is nearly always a mistake.
fn same_shapes(cx: &mut FnCx, inputs: &[ValueId]) -> Lowering<()> {
    alike_shapes(cx, [inputs[0], inputs[1]], ["input", "target"])
}

/// The second value, which messages call by the second name, has the shape of the first.
fn alike_shapes(
    cx: &mut FnCx,
    [input, target]: [ValueId; 2],
    [first, second]: [&str; 2],
) -> Lowering<()> {
    cx.floats(&[input])?;
    let (x, t) = (cx.graph.ty(input).clone(), cx.graph.ty(target).clone());
    if x.kind == t.kind && cx.rule.equal_shapes(&x.shape, &t.shape) {
        return Ok(());
    }
    let text = format!("expects a {second} of shape {x}, like its {first}, but receives {t}");
    let help = match (t.kind, x.shape.len() == t.shape.len()) {
        (Kind::Float, true) => {
            format!("declare the {second} as `{x}`, or reshape it: `{second}.reshape({x})`")
        }
        (Kind::Float, false) => format!("declare the {second} as `{x}`"),
        _ => format!("declare the {second} as `{x}`; class indices go to `cross_entropy`"),
    };
    Err(cx.refuse(Mismatch::new(text).help(help), Some(input)))
}

fn difference(cx: &mut FnCx, inputs: &[ValueId]) -> Lowering<ValueId> {
    same_shapes(cx, inputs)?;
    cx.op(Elementwise::new("sub"), inputs)
}

fn of_difference(
    cx: &mut FnCx,
    inputs: &[ValueId],
    o: &mut Options,
    func: &'static str,
    constant: Constant,
) -> Lowering<ValueId> {
    let d = difference(cx, inputs)?;
    let each = cx.op(Elementwise::with(func, vec![constant]), &[d])?;
    reduced(cx, each, o)
}

fn of_pair(
    cx: &mut FnCx,
    inputs: &[ValueId],
    o: &mut Options,
    func: &'static str,
) -> Lowering<ValueId> {
    same_shapes(cx, inputs)?;
    let each = cx.op(Elementwise::new(func), inputs)?;
    reduced(cx, each, o)
}

/// `reduction = mean` (the default), `sum` or `none`.
fn reduced(cx: &mut FnCx, each: ValueId, o: &mut Options) -> Lowering<ValueId> {
    match cx.word_option(o, "reduction")? {
        "sum" => sum(cx, each),
        "none" => Ok(each),
        _ => mean(cx, each),
    }
}

fn sum(cx: &mut FnCx, each: ValueId) -> Lowering<ValueId> {
    let axes = (0..cx.graph.ty(each).shape.rank()).collect();
    cx.op(Reduce { kind: reduce::Kind::Sum, axes }, &[each])
}

fn mean(cx: &mut FnCx, each: ValueId) -> Lowering<ValueId> {
    let axes = (0..cx.graph.ty(each).shape.rank()).collect();
    cx.op(Reduce { kind: reduce::Kind::Mean, axes }, &[each])
}
