//! The arguments of layers, methods and functions: positional first, then `name = value`.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::{BinOp, Expr, Lit, UnOp};

use super::sizes::{dim_or_zero, may_be_number};
use super::{FnCx, Lowering, Scope, text_of};
use crate::diagnostics::{Diagnostic, list, nearest};
use crate::dim::Dim;
use crate::ops::elementwise::Constant;
use crate::syntax::Arg;
use crate::vocabulary::OptionRow;

/// The arguments not taken yet. Positional ones go by the order in which names are asked for.
pub struct Options {
    /// The layer or function they belong to.
    pub owner: String,
    pub span: Span,
    pub args: Vec<Arg>,
    /// What there is; of elementwise functions, whose options are constants, nothing.
    rows: &'static [OptionRow],
    /// Every name asked for.
    asked: Vec<&'static str>,
}

impl Options {
    pub fn new(
        owner: impl Into<String>,
        span: Span,
        args: Vec<Arg>,
        rows: &'static [OptionRow],
    ) -> Self {
        Self { owner: owner.into(), span, args, rows, asked: Vec::new() }
    }

    /// The row of an option.
    pub fn row(&self, name: &str) -> &'static OptionRow {
        let found = self.rows.iter().find(|row| row.name == name);
        found.unwrap_or_else(|| panic!("bug: `{}` has no row for its `{name}`", self.owner))
    }

    /// The value of `name`, by name or as the next positional argument.
    pub fn take(&mut self, name: &'static str) -> Option<Expr> {
        self.take_named(name).or_else(|| self.take_next())
    }

    /// The value of `name`, by name only.
    pub fn take_named(&mut self, name: &'static str) -> Option<Expr> {
        debug_assert!(self.rows.is_empty() || self.row(name).name == name);
        self.asked.push(name);
        let at = self.args.iter().position(|arg| matches!(arg, Arg::Named(n, _) if n == name))?;
        match self.args.remove(at) {
            Arg::Named(_, value) => Some(value),
            _ => None,
        }
    }

    fn take_next(&mut self) -> Option<Expr> {
        match self.args.first() {
            Some(Arg::Value(_)) => match self.args.remove(0) {
                Arg::Value(value) => Some(value),
                _ => None,
            },
            _ => None,
        }
    }

    /// `784 -> 128`, `784, 128` or `128`: the input (when written) and the output.
    pub fn sizes(&mut self) -> Result<(Option<Expr>, Expr), Diagnostic> {
        if let Some(Arg::Sizes(from, to)) = self.args.first().cloned() {
            self.args.remove(0);
            return Ok((Some(from), to));
        }
        let first = self.take_next();
        match (first, matches!(self.args.first(), Some(Arg::Value(_)))) {
            (Some(from), true) => {
                let to = self.take_next().expect("peeked");
                Ok((Some(from), to))
            }
            (Some(to), false) => Ok((None, to)),
            (None, _) => Err(Diagnostic::new(self.span, format!("`{}` has no sizes", self.owner))
                .help(format!("write `{}(784 -> 128)`", self.owner))),
        }
    }

    /// That `name` is not there, or is there under a name that is nearly right.
    pub fn missing(&self, name: &'static str, help: String) -> Diagnostic {
        let owner = &self.owner;
        let is_meant = |written: &str| {
            self.other_name(written) == Some(name) || nearest(written, [name]).is_some()
        };
        let slip = self.args.iter().find_map(|arg| match arg {
            Arg::Named(written, value) if is_meant(&written.to_string()) => Some((written, value)),
            _ => None,
        });
        match slip {
            Some((written, value)) => {
                let text = format!("`{owner}` has no option `{written}`");
                let help = format!("did you mean `{name} = {}`?", text_of(value));
                Diagnostic::new(written.span(), text).help(help)
            }
            None => Diagnostic::new(self.span, format!("`{owner}` needs its `{name}`")).help(help),
        }
    }

    /// The option that has another name elsewhere.
    fn other_name(&self, written: &str) -> Option<&'static str> {
        let has = |row: &&OptionRow| row.other_names.contains(&written);
        self.rows.iter().find(has).map(|row| row.name)
    }

    /// Reports what nothing asked for.
    pub fn finish(self) -> Result<(), Diagnostic> {
        let Some(rest) = self.args.first().cloned() else { return Ok(()) };
        let owner = &self.owner;
        let known = match self.asked.len() {
            0 => format!("`{owner}` takes no options"),
            _ => format!("`{owner}` takes {}", list(&self.asked)),
        };
        Err(match rest {
            Arg::Named(name, _) => {
                let text = format!("`{owner}` has no option `{name}`");
                let error = Diagnostic::new(name.span(), text);
                let near = nearest(&name.to_string(), self.asked.iter().copied());
                match self.other_name(&name.to_string()).or(near) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error.help(known),
                }
            }
            Arg::Value(value) => {
                Diagnostic::over(&value, format!("`{owner}` has an argument too many")).help(known)
            }
            Arg::Sizes(from, _) => {
                Diagnostic::over(&from, format!("`{owner}` has no use for these sizes")).help(known)
            }
        })
    }

    /// A whole number; `-1` counts from the end when `rank` is given.
    pub fn axis(expr: &Expr, rank: usize) -> Result<usize, Diagnostic> {
        let refuse = || {
            Diagnostic::over(expr, format!("`{}` is not an axis", text_of(expr)))
                .help(format!("the axes here are 0 to {}, or -1 for the last", rank.max(1) - 1))
        };
        let (negative, lit) = match expr {
            Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => (true, &*unary.expr),
            other => (false, other),
        };
        let Expr::Lit(lit) = lit else { return Err(refuse()) };
        let Lit::Int(number) = &lit.lit else { return Err(refuse()) };
        let Ok(number) = number.base10_digits().parse::<usize>() else { return Err(refuse()) };
        let axis = if negative { rank.checked_sub(number) } else { Some(number) };
        axis.filter(|axis| *axis < rank).ok_or_else(refuse)
    }

    /// `0` or `[0, 2]`
    pub fn axes(expr: &Expr, rank: usize) -> Result<Vec<usize>, Diagnostic> {
        let mut axes = match expr {
            Expr::Array(array) => {
                array.elems.iter().map(|e| Self::axis(e, rank)).collect::<Result<Vec<_>, _>>()?
            }
            one => vec![Self::axis(one, rank)?],
        };
        axes.sort_unstable();
        let twice = axes.windows(2).find(|pair| pair[0] == pair[1]);
        match (axes.is_empty(), twice) {
            (false, None) => Ok(axes),
            (true, _) => {
                Err(Diagnostic::over(expr, "no axis").help("leave `dim` out for all axes"))
            }
            (_, Some([axis, ..])) => {
                Err(Diagnostic::over(expr, format!("axis {axis} is named twice"))
                    .help("once is enough"))
            }
            (_, Some(_)) => Ok(axes),
        }
    }

    /// `true` or `false`
    pub fn bool(expr: &Expr) -> Result<bool, Diagnostic> {
        match expr {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Bool(value) => Ok(value.value),
                _ => Err(Diagnostic::over(expr, "expected `true` or `false`")),
            },
            _ => Err(Diagnostic::over(expr, "expected `true` or `false`")),
        }
    }

    /// `5`, or `(3, 5)` for height and width.
    pub fn pair(expr: &Expr, scope: &Scope) -> Result<[Dim; 2], Diagnostic> {
        // Padding may be 0, which is no size.
        let size = |expr: &Expr| dim_or_zero(expr, scope);
        match expr {
            Expr::Tuple(tuple) if tuple.elems.len() == 2 => {
                Ok([size(&tuple.elems[0])?, size(&tuple.elems[1])?])
            }
            Expr::Tuple(_) => Err(Diagnostic::over(expr, "expected a number or `(height, width)`")),
            one => {
                let one = size(one)?;
                Ok([one.clone(), one])
            }
        }
    }
}

/// A number in a body: a literal when it is one, else an `f32` expression for rustc.
pub fn number(expr: &Expr) -> Option<Constant> {
    match expr {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Float(value) => value.base10_parse().ok().map(Constant::Literal),
            Lit::Int(value) => value.base10_parse().ok().map(Constant::Literal),
            _ => None,
        },
        Expr::Paren(inner) => number(&inner.expr),
        Expr::Group(inner) => number(&inner.expr),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => {
            Some(match number(&unary.expr)? {
                Constant::Literal(value) => Constant::Literal(-value),
                _ => rust(expr),
            })
        }
        Expr::Path(path) => {
            let last = path.path.segments.last()?.ident.to_string();
            let is_const = !last.starts_with(|c: char| c.is_lowercase() || c == '_');
            (is_const && may_be_number(expr)).then(|| rust(expr))
        }
        Expr::Binary(binary) => match (number(&binary.left)?, number(&binary.right)?) {
            (Constant::Literal(a), Constant::Literal(b)) => {
                // In `f32`, whole numbers too: `x / (6 * 64)`.
                let (a, b) = (a as f32, b as f32);
                let value = match binary.op {
                    BinOp::Add(_) => a + b,
                    BinOp::Sub(_) => a - b,
                    BinOp::Mul(_) => a * b,
                    BinOp::Div(_) => a / b,
                    _ => return Some(rust(expr)),
                };
                Some(Constant::Literal(value.into()))
            }
            _ => Some(rust(expr)),
        },
        _ => None,
    }
}

fn rust(expr: &Expr) -> Constant {
    // The parentheses are at the user's text, where rustc says what is wrong with it.
    let tokens: TokenStream = quote_spanned!(expr.span()=> (#expr));
    Constant::Expr(text_of(expr), tokens)
}

impl FnCx<'_, '_> {
    /// Unwraps, or reports and poisons.
    pub fn ok<T>(&mut self, result: Result<T, Diagnostic>) -> Lowering<T> {
        result.map_err(|error| self.model.report(error))
    }

    /// A size that is a number or a constant, from 1 on.
    pub fn size(&mut self, expr: &Expr, what: &str) -> Lowering<Dim> {
        let scope = Scope { run_time: false, ..self.scope() };
        let size = super::dim(expr, &scope);
        let size = self.ok(size)?;
        self.at_least(size, 1, what, expr.span())
    }

    /// The end of a range, at most `count`: what takes the range checks it.
    pub fn end(&mut self, expr: &Expr, count: &Dim) -> Lowering<Dim> {
        if let Some(end) = self.counted_back(expr, count) {
            return end;
        }
        let end = dim_or_zero(expr, &self.scope());
        self.ok(end)
    }

    /// `-1`, the last of `count` places.
    fn counted_back(&mut self, expr: &Expr, count: &Dim) -> Option<Lowering<Dim>> {
        let Expr::Unary(unary) = expr else { return None };
        if !matches!(unary.op, UnOp::Neg(_)) {
            return None;
        }
        let written = text_of(expr).replace("- ", "-");
        let back = super::dim(&unary.expr, &self.scope());
        let back = match self.ok(back) {
            Ok(back) => back,
            Err(poison) => return Some(Err(poison)),
        };
        let span = std::mem::replace(&mut self.rule.span, expr.span());
        let message = format!("`{}` counts further back than there are", self.rule.subject);
        let fits = self.rule.at_least(count, &back, || message);
        self.rule.span = span;
        Some(match fits {
            true => Ok(count.minus(&back)),
            false => {
                let text = format!("there are {count} places, and none at {written}");
                let help = format!("the indices here are 0 to {}", count.minus(&Dim::lit(1)));
                Err(self.model.report(Diagnostic::over(expr, text).help(help)))
            }
        })
    }

    /// An index below `count`, counted from the end where it is negative.
    pub fn index(&mut self, expr: &Expr, count: &Dim) -> Lowering<Dim> {
        if let Some(index) = self.counted_back(expr, count) {
            return index;
        }
        let index = dim_or_zero(expr, &self.scope());
        let index = self.ok(index)?;
        let end = index.plus(&Dim::lit(1));
        if index.as_lit().is_none() || count.as_lit().is_none() {
            let span = std::mem::replace(&mut self.rule.span, expr.span());
            let message =
                format!("`{}` has an index that is not below its size", self.rule.subject);
            self.rule.at_least(count, &end, || message);
            self.rule.span = span;
        }
        match (index.as_lit(), count.as_lit()) {
            (Some(at), Some(count)) if at >= count => {
                let text = format!("the index {at} is not below {count}");
                let help = format!("the indices here are 0 to {}", count - 1);
                Err(self.model.report(Diagnostic::over(expr, text).help(help)))
            }
            _ => Ok(index),
        }
    }
}
