//! The arguments of layers, methods and functions: positional first, then `name = value`.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::{BinOp, Expr, Lit, UnOp};

use super::sizes::{dim_or_zero, is_zero, may_be_number};
use super::{FnCx, Lowering, Scope, text_of};
use crate::diagnostics::{Diagnostic, list, nearest};
use crate::dim::Dim;
use crate::ops::elementwise::Constant;
use crate::syntax::Arg;
use crate::vocabulary::{Domain, OptionRow, Preset, pytorch};

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
    /// Whether one was found by its name, before others that were not.
    is_named: bool,
}

impl Options {
    pub fn new(
        owner: impl Into<String>,
        span: Span,
        args: Vec<Arg>,
        rows: &'static [OptionRow],
    ) -> Self {
        Self { owner: owner.into(), span, args, rows, asked: Vec::new(), is_named: false }
    }

    /// The row of an option.
    pub fn row(&self, name: &str) -> &'static OptionRow {
        let found = self.rows.iter().find(|row| row.name == name);
        found.unwrap_or_else(|| panic!("bug: `{}` has no row for its `{name}`", self.owner))
    }

    /// The value of `name`, by name or as the next positional argument.
    pub fn take(&mut self, name: &'static str) -> Option<Expr> {
        match self.take_named(name) {
            Some(named) => {
                // A value without a name is none of an option behind one that has its name.
                self.is_named = true;
                Some(named)
            }
            None if self.is_named => None,
            None => self.take_next(),
        }
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

    /// The axes that have to be written.
    pub fn axes_needed(&self) -> Vec<&'static str> {
        let needed = |row: &&OptionRow| row.takes == Domain::Axis && row.default == Preset::Needed;
        self.rows.iter().filter(needed).map(|row| row.name).collect()
    }

    /// All values that are left without names.
    pub fn values(&mut self) -> Vec<Expr> {
        std::iter::from_fn(|| self.take_next()).collect()
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
            (None, _) => Err(self.no_sizes()),
        }
    }

    /// The sizes may be there under PyTorch's names.
    fn no_sizes(&self) -> Diagnostic {
        const SIDES: [(&str, &str); 5] = [
            ("in_features", "out_features"),
            ("in_channels", "out_channels"),
            ("input_size", "hidden_size"),
            ("num_embeddings", "embedding_dim"),
            ("input_dim", "output_dim"),
        ];
        let named = |name: &str| {
            self.args.iter().find_map(|arg| match arg {
                Arg::Named(written, value) if written == name => Some((written, text_of(value))),
                _ => None,
            })
        };
        let both = SIDES.iter().find_map(|(from, to)| Some((named(from)?, named(to)?)));
        let owner = &self.owner;
        match both {
            Some(((from, input), (to, output))) => {
                let others = self.args.iter().filter(
                    |arg| !matches!(arg, Arg::Named(name, _) if name == from || name == to),
                );
                let sizes = [format!("{input} -> {output}")].into_iter();
                let all: Vec<_> = sizes.chain(others.map(ToString::to_string)).collect();
                let text = format!("the sizes of `{owner}` have an arrow, and no names");
                let whole: TokenStream = self.args.iter().flat_map(Arg::tokens).collect();
                let error = Diagnostic::new(from.span(), text);
                let written = all.join(", ");
                error.help(format!("write `{owner}({written})`")).fix(&whole, written)
            }
            None => Diagnostic::new(self.span, format!("`{owner}` has no sizes"))
                .help(format!("write `{owner}(784 -> 128)`")),
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
                Diagnostic::new(written.span(), text).help(help).fix(written, name)
            }
            None => Diagnostic::new(self.span, format!("`{owner}` needs its `{name}`")).help(help),
        }
    }

    /// The option that has another name elsewhere.
    fn other_name(&self, written: &str) -> Option<&'static str> {
        let ours = pytorch::option(written);
        let named =
            |row: &&OptionRow| row.other_names.contains(&written) || ours.contains(&row.name);
        let asked = self.asked.iter().copied().find(|name| ours.contains(name));
        self.rows.iter().find(named).map(|row| row.name).or(asked)
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
            Arg::Named(name, _) if self.asked.iter().any(|asked| name == asked) => {
                let text = format!("`{name}` of `{owner}` is given twice");
                Diagnostic::new(name.span(), text).help("take one of them out")
            }
            Arg::Named(name, value) => {
                let (text, written) =
                    (format!("`{owner}` has no option `{name}`"), name.to_string());
                let error = Diagnostic::new(name.span(), text);
                let near = nearest(&written, self.asked.iter().copied());
                match (pytorch::needless_option(&written), self.other_name(&written).or(near)) {
                    (Some(why), None) => error.help(format!("leave it out: {why}")),
                    (_, Some(near)) => error.did_you_mean(&name, near),
                    (None, None) if pytorch::missing_option(&written) => {
                        let text = format!("`{owner}` has no `{name}` yet");
                        Diagnostic::new(name.span(), text).help(known)
                    }
                    (None, None) if text_of(&value) == "None" => error.help("leave it out"),
                    (None, None) => error.help(known),
                }
            }
            Arg::Value(value) => {
                let error = Diagnostic::over(&value, format!("`{owner}` has an argument too many"));
                let is_flag = matches!(text_of(&value).as_str(), "true" | "false");
                match self.asked.len() {
                    _ if is_flag && self.asked.contains(&"bias") => {
                        error.write(&value, format!("bias = {}", text_of(&value)))
                    }
                    0 => error.help(format!("write `{owner}()`")),
                    _ => error.help(known),
                }
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
            Expr::Tuple(tuple) => {
                let axes: Vec<_> = tuple.elems.iter().map(text_of).collect();
                let error = Diagnostic::over(expr, "several axes are a list");
                return Err(error.write(expr, format!("[{}]", axes.join(", "))));
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
                    .write(expr, text_of_axes(&axes)))
            }
            (_, Some(_)) => Ok(axes),
        }
    }

    /// `true` or `false`
    pub fn bool(expr: &Expr) -> Result<bool, Diagnostic> {
        let meant = match expr {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Bool(value) => return Ok(value.value),
                Lit::Int(number) if number.base10_digits() == "1" => Some("true"),
                Lit::Int(number) if is_zero(number) => Some("false"),
                Lit::Str(text) if text.value().eq_ignore_ascii_case("true") => Some("true"),
                Lit::Str(text) if text.value().eq_ignore_ascii_case("false") => Some("false"),
                _ => None,
            },
            _ => None,
        };
        let error = Diagnostic::over(expr, "expected `true` or `false`");
        Err(match meant {
            Some(meant) => error.write(expr, meant),
            None => error,
        })
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

/// The axes once each.
fn text_of_axes(axes: &[usize]) -> String {
    let mut axes = axes.to_vec();
    axes.dedup();
    match axes.as_slice() {
        [one] => one.to_string(),
        axes => format!("{axes:?}"),
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
