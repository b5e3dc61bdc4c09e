//! Free functions: losses, and every method under its own name (`relu(x)`).

use proc_macro2::Ident;
use syn::Expr;

use super::call::options;
use super::{FnCx, Item, Lowering, Options, Poison, Range, methods};
use crate::diagnostics::{Diagnostic, nearest};
use crate::dim::Dim;
use crate::graph::{Kind, ValueId};
use crate::ops::Mismatch;
use crate::ops::attention::{Attention, Layout};
use crate::ops::cat::Cat;
use crate::ops::elementwise::{Constant, Elementwise};
use crate::ops::loss::{CrossEntropy, NllLoss};
use crate::ops::reduce::{self, Reduce};
use crate::syntax::Arg;

type Loss = fn(&mut FnCx, [ValueId; 2], &mut Options) -> Lowering<ValueId>;

/// PyTorch's losses of an input and a target, under the names of `torch.nn.functional`. In the middle,
/// the arguments behind the input as tests draw them; see the methods.
const LOSSES: &[(&str, &str, Loss)] = &[
    ("cross_entropy", "LABELS, label_smoothing = PART?", |cx, inputs, o| {
        let smoothing = cx.literal_option(o, "label_smoothing", 0.0, Range::Unit)?;
        cx.op(CrossEntropy { smoothing, grad: false }, &inputs)
    }),
    ("nll_loss", "LABELS", |cx, inputs, _| cx.op(NllLoss { grad: false }, &inputs)),
    // mean (x − t)²
    ("mse_loss", "LIKE, reduction = mean|sum|none?", |cx, inputs, o| {
        let difference = difference(cx, inputs)?;
        let squared = cx.op(Elementwise::new("square"), &[difference])?;
        reduced(cx, squared, o)
    }),
    // mean |x − t|
    ("l1_loss", "LIKE, reduction = mean|sum|none?", |cx, inputs, o| {
        let difference = difference(cx, inputs)?;
        let distance = cx.op(Elementwise::new("abs"), &[difference])?;
        reduced(cx, distance, o)
    }),
    // mean of d²/2β where |d| < β, |d| − β/2 elsewhere
    ("smooth_l1_loss", "LIKE, beta = POSITIVE?, reduction = mean|sum|none?", |cx, inputs, o| {
        let beta = cx.number_option(o, "beta", Some(1.0), Range::NotNegative)?;
        of_difference(cx, inputs, o, "smooth_l1", beta)
    }),
    // mean of d²/2 where |d| ≤ δ, δ(|d| − δ/2) elsewhere
    ("huber_loss", "LIKE, delta = POSITIVE?, reduction = mean|sum|none?", |cx, inputs, o| {
        let delta = cx.number_option(o, "delta", Some(1.0), Range::Positive)?;
        of_difference(cx, inputs, o, "huber", delta)
    }),
    // mean −(t log x + (1 − t) log(1 − x))
    ("binary_cross_entropy", "LIKE, reduction = mean|sum|none?", |cx, inputs, o| {
        of_pair(cx, inputs, o, "bce")
    }),
    // the same of x = sigmoid(logits)
    ("binary_cross_entropy_with_logits", "LIKE, reduction = mean|sum|none?", |cx, inputs, o| {
        of_pair(cx, inputs, o, "bce_with_logits")
    }),
    // mean t (log t − x), x a log-probability
    ("kl_div", "LIKE, reduction = batchmean?", |cx, inputs, o| {
        let rows = cx.graph.ty(inputs[0]).shape.0.first().cloned();
        same_shapes(cx, inputs)?;
        let each = cx.op(Elementwise::new("kl_div"), &inputs)?;
        let batch_mean = match o.take_named("reduction") {
            Some(expr) if super::text_of(&expr) == "batchmean" => true,
            Some(expr) => {
                let text = format!("no reduction `{}`", super::text_of(&expr));
                let error = Diagnostic::over(&expr, text);
                return Err(cx.model.report(error.help("`kl_div` takes `reduction = batchmean`")));
            }
            None => false,
        };
        match rows {
            Some(rows) if batch_mean => {
                let axes = (0..cx.graph.ty(each).shape.rank()).collect();
                let sum = cx.op(Reduce { kind: reduce::Kind::Sum, axes }, &[each])?;
                let weight = cx.op(Elementwise::constant(Constant::Over(1.0, rows)), &[])?;
                cx.op(Elementwise::new("mul"), &[sum, weight])
            }
            _ => mean(cx, each),
        }
    }),
];

/// The functions that are neither losses nor methods, with samples of the options behind their values.
pub const FREE: &[(&str, &str)] = &[
    ("cat", "dim = AXIS?"),
    ("scaled_dot_product_attention", "attn_mask = MASK?, is_causal = BOOL?, scale = POSITIVE?"),
    ("scan", "lengths = LENGTHS?, reverse = BOOL?"),
];

/// The losses, with samples of the arguments behind their input.
pub fn losses() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    LOSSES.iter().map(|(name, sample, _)| (*name, *sample))
}

impl FnCx<'_, '_> {
    pub fn free_call(&mut self, name: &Ident, args: Vec<Arg>) -> Lowering<Vec<ValueId>> {
        let text = name.to_string();
        if text == "cat" && !self.names.contains_key("cat") {
            return self.cat(name, args).map(|value| vec![value]);
        }
        if text == "scaled_dot_product_attention" && !self.names.contains_key(&text) {
            return self.attention(name, args).map(|value| vec![value]);
        }
        if text == "scan" && !self.names.contains_key(&text) {
            return self.scan(name, args);
        }
        let Some((.., loss)) = LOSSES.iter().find(|(known, ..)| *known == text) else {
            match self.names.get(&text) {
                Some(Item::Poison) => return Err(Poison),
                Some(_) => {
                    let error = format!("`{name}` is a value, not a function");
                    return Err(self.model.report(Diagnostic::new(name.span(), error)));
                }
                None => return self.method_call(name, args).map(|value| vec![value]),
            }
        };
        let tensors = args.iter().take_while(|arg| matches!(arg, Arg::Value(_))).count().min(2);
        if tensors < 2 {
            let error =
                Diagnostic::new(name.span(), format!("`{name}` needs an input and a target"));
            return Err(self
                .model
                .report(error.help(format!("write `{name}(prediction, target)`"))));
        }
        let inputs = self.arg_values(&args[..2])?;
        let mut options = options(name, args[2..].to_vec());
        self.step(&text, name.span());
        let y = loss(self, [inputs[0], inputs[1]], &mut options)?;
        let finished = options.finish();
        self.ok(finished)?;
        self.made(y, &text, Some(inputs[0]));
        Ok(vec![y])
    }

    /// `cat([a, b], 1)`: values one behind the other along an axis, PyTorch's `torch.cat`.
    fn cat(&mut self, name: &Ident, mut args: Vec<Arg>) -> Lowering<ValueId> {
        let Some(Arg::Value(Expr::Array(list))) = args.first().cloned() else {
            let error = Diagnostic::new(name.span(), "`cat` joins a list of values");
            return Err(self.model.report(error.help("write `cat([a, b], 1)`")));
        };
        args.remove(0);
        // All of them first, so that each reports its own mistakes.
        let values: Vec<_> = list.elems.iter().map(|value| self.one(value)).collect();
        let values = values.into_iter().collect::<Lowering<Vec<_>>>()?;
        let Some(&first) = values.first() else {
            return Err(self.model.report(Diagnostic::over(&list, "`cat` of nothing")));
        };
        let mut options = options(name, args);
        self.step("cat", name.span());
        self.floats(&values)?;
        let axis = match options.take("dim") {
            Some(expr) => self.ok(Options::axis(&expr, self.graph.ty(first).shape.rank()))?,
            None => 0,
        };
        let y = self.op(Cat { axis }, &values)?;
        let finished = options.finish();
        self.ok(finished)?;
        self.made(y, "cat", Some(first));
        Ok(y)
    }

    /// PyTorch's `scaled_dot_product_attention(q, k, v)`.
    fn attention(&mut self, name: &Ident, args: Vec<Arg>) -> Lowering<ValueId> {
        let count = args.iter().take_while(|arg| matches!(arg, Arg::Value(_))).count();
        if count < 3 {
            let text = format!("`{name}` needs queries, keys and values");
            let error = Diagnostic::new(name.span(), text);
            return Err(self.model.report(error.help(format!("write `{name}(q, k, v)`"))));
        }
        let mut operands = self.arg_values(&args[..3])?;
        let mut options = options(name, args[3..].to_vec());
        let mask = match options.take_named("attn_mask") {
            Some(mask) => Some(self.one(&mask)?),
            None => None,
        };
        self.step(&name.to_string(), name.span());
        operands.extend(mask);
        self.floats(&operands)?;
        let causal = match options.take_named("is_causal") {
            Some(expr) => self.ok(Options::bool(&expr))?,
            None => false,
        };
        let scale =
            match options.args.iter().any(|arg| matches!(arg, Arg::Named(n, _) if n == "scale")) {
                true => Some(self.literal_option(&mut options, "scale", 1.0, Range::Any)?),
                false => None,
            };
        let (layout, heads, mask) = (Layout::ByHead, Dim::lit(1), mask.is_some());
        let y = self.op(Attention { layout, heads, scale, causal, mask }, &operands)?;
        let finished = options.finish();
        self.ok(finished)?;
        self.made(y, &name.to_string(), Some(operands[0]));
        Ok(y)
    }

    /// `relu(x)`: a method in front of its value.
    fn method_call(&mut self, name: &Ident, mut args: Vec<Arg>) -> Lowering<ValueId> {
        let text = name.to_string();
        let known = methods::names().any(|method| method == text);
        match args.first() {
            Some(Arg::Value(x)) if known => {
                let x = self.one(&x.clone())?;
                args.remove(0);
                self.method(x, name, args)
            }
            _ if known => {
                let error = Diagnostic::new(name.span(), format!("`{name}` needs a value"));
                Err(self.model.report(error))
            }
            _ => {
                let error = Diagnostic::new(name.span(), format!("no function is named `{name}`"));
                let losses = losses().map(|(name, _)| name);
                let with_loss = format!("{text}_loss");
                let near = losses.clone().find(|loss| *loss == with_loss);
                let near =
                    near.or_else(|| nearest(&text, losses)).or_else(|| methods::likely(&text));
                let error = match (
                    self.model.function(&text).is_some() || self.model.field(&text).is_some(),
                    near,
                ) {
                    (true, _) => error.help(format!("call it as `self.{name}(…)`")),
                    (_, Some(near)) => error.help(format!("did you mean `{near}`?")),
                    _ => error,
                };
                Err(self.model.report(error))
            }
        }
    }
}

/// Targets have the shape of the input: broadcasting here is nearly always a mistake.
fn same_shapes(cx: &mut FnCx, [input, target]: [ValueId; 2]) -> Lowering<()> {
    cx.floats(&[input])?;
    let (x, t) = (cx.graph.ty(input).clone(), cx.graph.ty(target).clone());
    if x.kind == t.kind && cx.rule.equal_shapes(&x.shape, &t.shape) {
        return Ok(());
    }
    let text = format!("expects a target of shape {x}, like its input, but receives {t}");
    let help = match (t.kind, x.shape.len() == t.shape.len()) {
        (Kind::Float, true) => {
            format!("declare the target as `{x}`, or reshape it: `target.reshape({x})`")
        }
        (Kind::Float, false) => format!("declare the target as `{x}`"),
        _ => format!("declare the target as `{x}`; class indices go to `cross_entropy`"),
    };
    Err(cx.refuse(Mismatch::new(text).help(help), Some(input)))
}

fn difference(cx: &mut FnCx, inputs: [ValueId; 2]) -> Lowering<ValueId> {
    same_shapes(cx, inputs)?;
    cx.op(Elementwise::new("sub"), &inputs)
}

fn of_difference(
    cx: &mut FnCx,
    inputs: [ValueId; 2],
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
    inputs: [ValueId; 2],
    o: &mut Options,
    func: &'static str,
) -> Lowering<ValueId> {
    same_shapes(cx, inputs)?;
    let each = cx.op(Elementwise::new(func), &inputs)?;
    reduced(cx, each, o)
}

/// `reduction = mean` (the default), `sum` or `none`.
fn reduced(cx: &mut FnCx, each: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let Some(expr) = o.take_named("reduction") else { return mean(cx, each) };
    match super::text_of(&expr).as_str() {
        "mean" => mean(cx, each),
        "sum" => {
            let axes = (0..cx.graph.ty(each).shape.rank()).collect();
            cx.op(Reduce { kind: reduce::Kind::Sum, axes }, &[each])
        }
        "none" => Ok(each),
        other => {
            let error = Diagnostic::over(&expr, format!("no reduction `{other}`"));
            Err(cx.model.report(error.help("there are `mean`, `sum` and `none`")))
        }
    }
}

fn mean(cx: &mut FnCx, each: ValueId) -> Lowering<ValueId> {
    let axes = (0..cx.graph.ty(each).shape.rank()).collect();
    cx.op(Reduce { kind: reduce::Kind::Mean, axes }, &[each])
}
