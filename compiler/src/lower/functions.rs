//! Free functions: losses, some that are no methods, and every method under its own name
//! (`relu(x)`).

use proc_macro2::Ident;
use syn::Expr;

use super::losses::{
    BINARY_CROSS_ENTROPY, BINARY_CROSS_ENTROPY_WITH_LOGITS, CROSS_ENTROPY, HUBER_LOSS, KL_DIV,
    L1_LOSS, MSE_LOSS, NLL_LOSS, SMOOTH_L1_LOSS, TRIPLET_MARGIN_LOSS,
};
use super::scan::SCAN;
use super::weights::{CONV2D, EMBEDDING, LAYER_NORM, LINEAR, RMS_NORM};
use super::{FnCx, Item, Lowering, Options, Poison, Word, methods, text_of};
use crate::diagnostics::Diagnostic;
use crate::dim::Dim;
use crate::graph::ValueId;
use crate::ops::attention::{Attention, Layout};
use crate::ops::cat::Cat;
use crate::syntax::Arg;
use crate::vocabulary::{Domain, Example, OptionRow, Preset, Range, Row};

/// A function that is no method.
pub type Function = Row<Build>;

/// Makes a value of inputs and options.
type BuildValue = fn(&mut FnCx, &[ValueId], &mut Options) -> Lowering<ValueId>;

/// How a function is built.
#[derive(Clone, Copy, Debug)]
pub enum Build {
    /// A loss of the values that its row names.
    Loss(BuildValue),
    /// A function of the values that its row names, of which the last may be missing.
    Values(BuildValue),
    /// A function that reads its arguments by itself, and how it is written.
    Free(&'static str, fn(&mut FnCx, &Ident, Vec<Arg>) -> Lowering<Vec<ValueId>>),
}

impl Build {
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::Loss(_))
    }

    /// How a function is written that reads its arguments by itself.
    pub fn usage(&self) -> Option<&'static str> {
        match self {
            Self::Loss(_) | Self::Values(_) => None,
            Self::Free(usage, _) => Some(usage),
        }
    }
}

/// All functions that are no methods: losses first.
pub const FUNCTIONS: &[Function] = &[
    CROSS_ENTROPY,
    NLL_LOSS,
    MSE_LOSS,
    L1_LOSS,
    SMOOTH_L1_LOSS,
    HUBER_LOSS,
    BINARY_CROSS_ENTROPY,
    BINARY_CROSS_ENTROPY_WITH_LOGITS,
    KL_DIV,
    TRIPLET_MARGIN_LOSS,
    LINEAR,
    CONV2D,
    EMBEDDING,
    LAYER_NORM,
    RMS_NORM,
    CAT,
    ATTENTION,
    SCAN,
];

const CAT: Function = Function {
    options: &[OptionRow::axis("dim").or("`0`")],
    shapes: "`[a [.., A, ..], b [.., B, ..], …]` → `y [.., A + B + …, ..]`",
    formula: "y = the values one behind the other along the axis",
    source: "torch.cat",
    example: Example::function("x: [batch, 3], y: [batch, 4]) -> [batch, 7] { cat([x, y], 1) }"),
    ..Function::new("cat", Build::Free("cat([a, b], 1)", |cx, name, args| cx.cat(name, args)))
};

const ATTENTION: Function = Function {
    calls: &[&[("query", ""), ("key", ""), ("value", "")]],
    options: &[
        OptionRow::new(
            "attn_mask",
            Domain::Other("numbers that are added to the scores, `-inf` where a key is not seen"),
            "MASK",
        )
        .or("none"),
        OptionRow::flag("is_causal", false),
        OptionRow {
            default: Preset::Text("`1 / √D`"),
            ..OptionRow::number("scale", 1.0, Range::Any).drawn("POSITIVE")
        },
    ],
    shapes: "`query [batch, H, T, D]`, `key` and `value [batch, G, S, D]` → `y [batch, H, T, D]`, \
        where `G` divides `H`: PyTorch's `enable_gqa=True`. Without the axis of heads, too",
    formula: "y = softmax(scale · query keyᵀ + attn_mask) value; the scores are nowhere in memory",
    source: "torch.nn.functional.scaled_dot_product_attention",
    example: Example::function(
        "q: [batch, 4, 10, 16], k: [batch, 4, 10, 16], v: [batch, 4, 10, 16]) \
         -> [batch, 4, 10, 16] { scaled_dot_product_attention(q, k, v, is_causal = true) }",
    ),
    ..Function::new(
        "scaled_dot_product_attention",
        Build::Free("scaled_dot_product_attention(q, k, v)", |cx, name, args| {
            cx.attention(name, args)
        }),
    )
};

impl FnCx<'_, '_> {
    pub fn free_call(&mut self, name: &Ident, args: Vec<Arg>) -> Lowering<Vec<ValueId>> {
        let text = name.to_string();
        let row = FUNCTIONS.iter().find(|row| row.name == text);
        if let Some(row) = row {
            let module = if row.build.is_loss() { "losses" } else { "operations" };
            let word = Word { module, row: row.name, options: row.options };
            self.model.mention_word(Some(name), &word, &args);
        }
        match (row, self.names.get(&text)) {
            (Some(row @ Row { build: Build::Loss(build), .. }), _) => {
                self.loss(row, name, args, *build).map(|value| vec![value])
            }
            (_, Some(Item::Poison)) => Err(Poison),
            (_, Some(_)) => {
                let error = format!("`{name}` is a value, not a function");
                Err(self.model.report(Diagnostic::new(name.span(), error)))
            }
            (Some(row @ Row { build: Build::Values(build), .. }), None) => {
                self.of_values(row, name, args, *build).map(|value| vec![value])
            }
            (Some(Row { build: Build::Free(_, free), .. }), None) => free(self, name, args),
            (None, None) => self.method_call(name, args).map(|value| vec![value]),
        }
    }

    /// `mse_loss(prediction, target)`: as many values as the row has inputs, then options.
    fn loss(
        &mut self,
        row: &Function,
        name: &Ident,
        args: Vec<Arg>,
        build: BuildValue,
    ) -> Lowering<ValueId> {
        let names: Vec<_> = row.calls[0].iter().map(|(name, _)| *name).collect();
        let found = args.iter().take_while(|arg| matches!(arg, Arg::Value(_))).count();
        if found < names.len() {
            let text = format!("`{name}` needs {}", with_articles(&names));
            let help = format!("write `{name}({})`", names.join(", "));
            return Err(self.model.report(Diagnostic::new(name.span(), text).help(help)));
        }
        let inputs = self.arg_values(&args[..names.len()])?;
        let options = args[names.len()..].to_vec();
        if let (Some(Arg::Value(value)), Some(first)) = (options.first(), row.options.first()) {
            let text = format!("the options of `{name}` have names");
            let written = format!("{} = {}", first.name, text_of(value));
            return Err(self.model.report(Diagnostic::over(value, text).write(value, written)));
        }
        let mut options = Options::new(row.name, name.span(), options, row.options);
        self.step(row.name, name.span());
        let y = build(self, &inputs, &mut options)?;
        let finished = options.finish();
        self.ok(finished)?;
        self.made(y, row.name, Some(inputs[0]));
        Ok(y)
    }

    /// `linear(x, w, b)`, or `linear(x, weight = w, bias = b)`: values by their places or names,
    /// then options.
    fn of_values(
        &mut self,
        row: &Function,
        name: &Ident,
        mut args: Vec<Arg>,
        build: BuildValue,
    ) -> Lowering<ValueId> {
        let names = row.calls.last().copied().unwrap_or_default();
        let mut inputs = Vec::new();
        for (input, _) in names {
            let is_next = matches!(args.first(), Some(Arg::Value(_)));
            let named = |arg: &Arg| matches!(arg, Arg::Named(name, _) if name == input);
            let at = if is_next { Some(0) } else { args.iter().position(named) };
            match at.map(|at| args.remove(at)) {
                Some(Arg::Value(value) | Arg::Named(_, value)) => inputs.push(self.one(&value)),
                _ => break,
            }
        }
        let least = row.calls.iter().map(|names| names.len()).min().unwrap_or_default();
        let inputs = inputs.into_iter().collect::<Lowering<Vec<_>>>()?;
        if inputs.len() < least {
            let all: Vec<_> = names.iter().map(|(name, _)| *name).collect();
            let text = format!("`{name}` needs {}", with_articles(&all[..least]));
            let help = format!("write `{name}({})`", all.join(", "));
            return Err(self.model.report(Diagnostic::new(name.span(), text).help(help)));
        }
        let mut options = Options::new(row.name, name.span(), args, row.options);
        self.step(row.name, name.span());
        let (first, others) = inputs.split_first().expect("there is one");
        self.takes(row.input, *first)?;
        self.floats(others)?;
        let y = build(self, &inputs, &mut options)?;
        let finished = options.finish();
        self.ok(finished)?;
        self.made(y, row.name, Some(inputs[0]));
        Ok(y)
    }

    /// `cat([a, b], 1)`: values one behind the other along an axis, PyTorch's `torch.cat`.
    fn cat(&mut self, name: &Ident, mut args: Vec<Arg>) -> Lowering<Vec<ValueId>> {
        let Some(Arg::Value(Expr::Array(list))) = args.first().cloned() else {
            return Err(self.no_list(name, &args));
        };
        args.remove(0);
        // All of them first, so that each reports its own mistakes.
        let values: Vec<_> = list.elems.iter().map(|value| self.one(value)).collect();
        let values = values.into_iter().collect::<Lowering<Vec<_>>>()?;
        let Some(&first) = values.first() else {
            return Err(self.model.report(Diagnostic::over(&list, "`cat` of nothing")));
        };
        let mut options = Options::new(CAT.name, name.span(), args, CAT.options);
        self.step(CAT.name, name.span());
        self.floats(&values)?;
        let axis = match options.take("dim") {
            Some(expr) => self.ok(Options::axis(&expr, self.graph.ty(first).shape.rank()))?,
            None => 0,
        };
        let y = self.op(Cat { axis }, &values)?;
        let finished = options.finish();
        self.ok(finished)?;
        self.made(y, CAT.name, Some(first));
        Ok(vec![y])
    }

    /// `cat(a, b)`, `cat((a, b), 1)`: the values stand in a list.
    fn no_list(&mut self, name: &Ident, args: &[Arg]) -> Poison {
        let error = Diagnostic::new(name.span(), "`cat` joins a list of values");
        let first: Vec<String> = match args.first() {
            Some(Arg::Value(Expr::Tuple(tuple))) => tuple.elems.iter().map(text_of).collect(),
            Some(Arg::Value(Expr::Macro(list))) => vec![text_of(&list.mac.tokens)],
            _ => Vec::new(),
        };
        let is_value =
            |arg: &&Arg| matches!(arg, Arg::Value(value) if !matches!(value, Expr::Lit(_)));
        let values = match first.is_empty() {
            true => args.iter().take_while(is_value).map(ToString::to_string).collect(),
            false => first,
        };
        let help = match values.is_empty() {
            true => "write `cat([a, b], dim = 1)`".into(),
            false => format!("write `cat([{}], dim = 1)`", values.join(", ")),
        };
        self.model.report(error.help(help))
    }

    /// PyTorch's `scaled_dot_product_attention(q, k, v)`.
    fn attention(&mut self, name: &Ident, args: Vec<Arg>) -> Lowering<Vec<ValueId>> {
        let count = args.iter().take_while(|arg| matches!(arg, Arg::Value(_))).count();
        if count < 3 {
            let text = format!("`{name}` needs queries, keys and values");
            let error = Diagnostic::new(name.span(), text);
            return Err(self.model.report(error.help(format!("write `{name}(q, k, v)`"))));
        }
        let mut operands = self.arg_values(&args[..3])?;
        let rest = args[3..].to_vec();
        let mut options = Options::new(ATTENTION.name, name.span(), rest, ATTENTION.options);
        let mask = match options.take_named("attn_mask") {
            Some(mask) => Some(self.one(&mask)?),
            None => None,
        };
        self.step(ATTENTION.name, name.span());
        operands.extend(mask);
        self.floats(&operands)?;
        let causal = self.flag_option(&mut options, "is_causal")?;
        let scale =
            match options.args.iter().any(|arg| matches!(arg, Arg::Named(n, _) if n == "scale")) {
                true => Some(self.literal_option(&mut options, "scale")?),
                false => None,
            };
        let (layout, heads, mask) = (Layout::ByHead, Dim::lit(1), mask.is_some());
        let y = self.op(Attention { layout, heads, scale, causal, mask }, &operands)?;
        let finished = options.finish();
        self.ok(finished)?;
        self.made(y, ATTENTION.name, Some(operands[0]));
        Ok(vec![y])
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
            _ => Err(self.unknown_function(name)),
        }
    }
}

/// `an input and a target`
fn with_articles(names: &[&str]) -> String {
    let each = names.iter().map(|name| {
        let article = if name.starts_with(['a', 'e', 'i', 'o', 'u', 'x']) { "an" } else { "a" };
        format!("{article} {name}")
    });
    let each: Vec<_> = each.collect();
    match each.as_slice() {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        _ => each.concat(),
    }
}
