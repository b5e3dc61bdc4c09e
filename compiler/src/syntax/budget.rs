//! `#[budget(train = "4 MiB", flops = "1 G", batch = 32)]`: what a model may take at most.

use proc_macro2::{Ident, Span};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprLit, Lit, MetaNameValue, Token};

use super::{Header, ModelItem, run_time_names};
use crate::diagnostics::{Diagnostic, Diagnostics, list, nearest};
use crate::names::plain;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// The bytes of a workspace for training.
    Train,
    /// The bytes of a workspace for inference alone.
    Infer,
    /// The floating-point operations of the first function.
    Flops,
    /// The parameters.
    Params,
}

/// Each with its name and an example of what it may be.
const FIGURES: [(&str, Figure, &str); 4] = [
    ("train", Figure::Train, "4 MiB"),
    ("infer", Figure::Infer, "256 KiB"),
    ("flops", Figure::Flops, "1 G"),
    ("params", Figure::Params, "100 k"),
];

const EXAMPLE: &str = "write `#[budget(train = \"4 MiB\", batch = 32)]`";

const BYTES: [(&str, u128); 9] = [
    ("B", 1),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

const COUNTS: [(&str, u128); 5] =
    [("", 1), ("k", 1000), ("M", 1_000_000), ("G", 1_000_000_000), ("T", 1_000_000_000_000)];

impl Figure {
    /// Whether it depends on the sizes that only a run knows.
    pub fn is_of_run(self) -> bool {
        self != Self::Params
    }

    fn units(self) -> &'static [(&'static str, u128)] {
        match self {
            Self::Train | Self::Infer => &BYTES,
            Self::Flops | Self::Params => &COUNTS,
        }
    }
}

/// `train = "4 MiB"`
#[derive(Debug)]
pub struct Limit {
    pub figure: Figure,
    pub most: usize,
    /// As it is written.
    pub text: String,
    pub span: Span,
}

/// What stands in the attribute.
#[derive(Debug)]
pub struct Budget {
    pub limits: Vec<Limit>,
    /// `batch = 32`, `batch = BATCH`: the run-time sizes that it is for.
    pub sizes: Vec<(Ident, Expr)>,
    /// The name of the attribute.
    pub span: Span,
}

impl Budget {
    /// What a run-time size is.
    pub fn size(&self, name: &str) -> Option<&Expr> {
        let known = self.sizes.iter().find(|(known, _)| plain(&known.to_string()) == plain(name));
        known.map(|(_, size)| size)
    }
}

/// Takes `#[budget(…)]` out of the attributes of a struct.
pub fn budget(attrs: &mut Vec<Attribute>, diagnostics: &mut Diagnostics) -> Option<Budget> {
    let is_budget = |attr: &mut Attribute| attr.path().is_ident("budget");
    let found: Vec<_> = attrs.extract_if(.., is_budget).collect();
    let (first, again) = (found.first()?, found.get(1));
    if let Some(again) = again {
        let error = Diagnostic::new(again.path().span(), "`budget` stands here twice");
        diagnostics.push(error.help("write all figures into one `#[budget(…)]`"));
    }
    let span = first.path().span();
    let parsed = first.parse_args_with(Punctuated::<MetaNameValue, Token![,]>::parse_terminated);
    let Ok(pairs) = parsed else {
        // Where the text ends too early, `syn` points behind all of it.
        let place = first.meta.require_list().map_or(span, |list| list.tokens.span());
        let error = Diagnostic::new(place, "expected figures and what they may be at most");
        diagnostics.push(error.help(EXAMPLE));
        return None;
    };
    let mut budget = Budget { limits: Vec::new(), sizes: Vec::new(), span };
    let (mut seen, mut is_right) = (Vec::<Ident>::new(), true);
    for MetaNameValue { path, value, .. } in pairs {
        let Some(name) = path.get_ident().cloned() else {
            diagnostics.push(Diagnostic::over(&path, "expected the name of a figure or of a size"));
            is_right = false;
            continue;
        };
        if seen.contains(&name) {
            let error = Diagnostic::new(name.span(), format!("`{name}` is stated twice"));
            diagnostics.push(error.help("take one of them out"));
            continue;
        }
        let figure = FIGURES.iter().find(|(known, ..)| name == known);
        let read = match figure {
            Some((_, figure, example)) => {
                limit(*figure, (&name, example), &value).map(|limit| budget.limits.push(limit))
            }
            None => size(&name, &value).map(|()| budget.sizes.push((name.clone(), value.clone()))),
        };
        is_right &= diagnostics.keep(read).is_some();
        seen.push(name);
    }
    is_right.then_some(budget)
}

/// `train = "4 MiB"`
fn limit(
    figure: Figure,
    (name, example): (&Ident, &str),
    value: &Expr,
) -> Result<Limit, Diagnostic> {
    let help = format!("write `{name} = \"{example}\"`");
    let text = match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text.value(),
        // Bytes are to have their unit.
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.to_string(),
        other => return Err(Diagnostic::over(other, "expected a number in quotes").help(help)),
    };
    let span = value.span();
    let error = |text: String| Err(Diagnostic::new(span, text).help(&help));
    let start = text.trim();
    let end = start.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_'));
    let (number, unit) = start.split_at(end.unwrap_or(start.len()));
    let Some((whole, parts)) = decimal(number) else {
        return error(format!("`{text}` is no number of {}", what(figure)));
    };
    let unit = unit.trim();
    let Some((_, factor)) = figure.units().iter().find(|(known, _)| *known == unit) else {
        let units: Vec<_> =
            figure.units().iter().map(|(unit, _)| *unit).filter(|unit| !unit.is_empty()).collect();
        return error(match unit {
            "" => format!("`{text}` has no unit: {} are known", list(&units)),
            _ => format!("`{unit}` is no unit of {}: {} are known", what(figure), list(&units)),
        });
    };
    match whole.checked_mul(*factor).and_then(|most| usize::try_from(most / parts).ok()) {
        Some(most) => Ok(Limit { figure, most, text: start.to_string(), span }),
        None => error(format!("`{text}` is more than any machine has")),
    }
}

/// What the number of a figure counts.
fn what(figure: Figure) -> &'static str {
    match figure {
        Figure::Train | Figure::Infer => "bytes",
        Figure::Flops => "floating-point operations",
        Figure::Params => "parameters",
    }
}

/// `1.5` as 15 tenths.
fn decimal(text: &str) -> Option<(u128, u128)> {
    let digits = text.replace('_', "");
    let (whole, behind) = digits.split_once('.').unwrap_or((&digits, ""));
    if whole.is_empty() || digits.ends_with('.') || behind.len() > 9 {
        return None;
    }
    let parts = 10_u128.pow(u32::try_from(behind.len()).ok()?);
    Some((format!("{whole}{behind}").parse().ok()?, parts))
}

/// `batch = 32`, or the name of a constant.
fn size(name: &Ident, value: &Expr) -> Result<(), Diagnostic> {
    match value {
        Expr::Path(_) => Ok(()),
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => match number.base10_parse::<usize>() {
            Ok(0) => Err(Diagnostic::new(number.span(), "a size of 0").help("sizes start at 1")),
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        },
        // What stands in quotes is a figure's.
        Expr::Lit(ExprLit { lit: Lit::Str(_), .. }) => Err(unknown(name, &[])),
        other => {
            let error = Diagnostic::over(other, "expected a whole number");
            Err(error.help(format!("write `{name} = 32`")))
        }
    }
}

/// A name that is no figure and none of the run-time sizes.
fn unknown(name: &Ident, sizes: &[String]) -> Diagnostic {
    let figures = FIGURES.iter().map(|(name, ..)| (*name).to_string());
    let known: Vec<_> = figures.chain(sizes.iter().cloned()).collect();
    let error = Diagnostic::new(name.span(), format!("a budget has no `{name}`"));
    match nearest(&name.to_string(), known.iter().map(String::as_str)) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help(format!("there are {}", list(&known))),
    }
}

/// What only the whole model can tell: whose budget it is, and for which sizes.
pub fn check_budget(header: &Header, item: &ModelItem, diagnostics: &mut Diagnostics) {
    let Some(budget) = &header.budget else { return };
    let name = &header.name;
    if !header.generics.params.is_empty() {
        let text = format!("a budget is that of one model, and `{name}` has parameters");
        let help = format!("write it above a model that holds `{name}`");
        diagnostics.push(Diagnostic::new(budget.span, text).help(help));
        return;
    }
    let names: Vec<String> = run_time_names(item).into_iter().map(|(name, _)| name).collect();
    for (name, _) in &budget.sizes {
        if !names.iter().any(|known| plain(known) == plain(&name.to_string())) {
            return diagnostics.push(unknown(name, &names));
        }
    }
    if budget.limits.is_empty() {
        let error = Diagnostic::new(budget.span, "this budget limits nothing");
        return diagnostics.push(error.help(EXAMPLE));
    }
    let Some(limit) = budget.limits.iter().find(|limit| limit.figure.is_of_run()) else { return };
    if let Some(missing) = names.iter().find(|name| budget.size(name).is_none()) {
        let text = format!("`{missing}` is known only when the program runs");
        let help = format!("say for how many the budget is: `{missing} = 32` behind it");
        diagnostics.push(Diagnostic::new(limit.span, text).help(help));
    }
}

/// A budget above what has none of its own.
pub fn misplaced(attrs: &mut Vec<Attribute>, diagnostics: &mut Diagnostics) {
    let is_budget = |attr: &mut Attribute| attr.path().is_ident("budget");
    for attr in attrs.extract_if(.., is_budget) {
        let error = Diagnostic::new(attr.path().span(), "a budget is that of a whole model");
        diagnostics.push(error.help("write it above the `struct`"));
    }
}
