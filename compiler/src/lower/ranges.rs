//! What options may be: a literal is checked here, a constant by rustc.

use proc_macro2::Span;
use quote::ToTokens;
use syn::Expr;
use syn::spanned::Spanned;

use super::{FnCx, Lowering, Options, text_of};
use crate::diagnostics::{Diagnostic, list};
use crate::dim::{Dim, Shape};
use crate::ops::elementwise::Constant;
use crate::range::Range;
use crate::text::mentions;

/// As many floats as no memory holds: 4 TiB. Up to there no product of sizes overflows. The
/// runtime's `check::MOST`.
const MOST: i128 = 1 << 40;

/// Whether sizes make a value larger than that, whatever the constants in them are.
pub fn is_too_large(shape: &Shape) -> bool {
    let sizes = shape.0.iter().map(|dim| dim.least().max(1));
    shape.0.iter().any(Dim::is_out_of_range) || sizes.fold(1_i128, i128::saturating_mul) > MOST
}

impl FnCx<'_, '_> {
    /// A number that is written as `expr`, of the option `name` or in a body.
    pub fn in_range(
        &mut self,
        constant: Constant,
        expr: &Expr,
        name: Option<(&str, &str)>,
        range: Range,
    ) -> Lowering<Constant> {
        let written = text_of(expr);
        let written = written.strip_prefix("- ").map_or(written.clone(), |rest| format!("-{rest}"));
        match &constant {
            Constant::Literal(value) => {
                let held = *value as f32;
                if !held.is_finite() {
                    let text = format!("`{written}` is no `f32`: they end at 3.4028235e38");
                    let error = Diagnostic::over(expr, text);
                    let help = "infinity is `f32::INFINITY`, and minus it is `-f32::INFINITY`";
                    return Err(self.model.report(error.help(help)));
                }
                if held == 0.0 && *value != 0.0 {
                    let text = format!("`{written}` is no `f32` but 0: they start at 1e-45");
                    return Err(self.model.report(Diagnostic::over(expr, text)));
                }
                if let Some((name, owner)) = name
                    && !range.holds(held)
                {
                    let text = format!(
                        "`{name}` of `{owner}` has to be {}, but is {written}",
                        range.text()
                    );
                    return Err(self.model.report(Diagnostic::over(expr, text)));
                }
            }
            Constant::Expr(_, tokens) if mentions(tokens, &self.model.consts) => {
                let text = format!("`{written}` is a size, and this a number: an `f32`");
                let help = "write a literal or a constant: `const FACTOR: f32 = 2.0;`";
                return Err(self.model.report(Diagnostic::over(expr, text).help(help)));
            }
            Constant::Expr(text, tokens) => {
                // A constant may be infinite where that means something; what is computed is not.
                let is_constant = matches!(expr, Expr::Path(_) | Expr::Unary(_));
                if let Expr::Path(path) = expr
                    && path.path.get_ident().is_some()
                {
                    self.rule.defer_is_number(&path.to_token_stream(), expr.span());
                }
                if range != Range::Any || !is_constant {
                    let message = match name {
                        Some((name, owner)) => {
                            format!("`{name}` of `{owner}` has to be {}", range.text())
                        }
                        None => format!("a number has to be {}", range.text()),
                    };
                    self.rule.defer_number(text, tokens, range, message, expr.span());
                }
            }
            Constant::Computed(_) if range != Range::Any => {
                let text =
                    format!("`{written}` is computed of sizes, and has to be {}", range.text());
                let error = Diagnostic::over(expr, text);
                return Err(self.model.report(error.help("write a literal or a constant here")));
            }
            Constant::Over(..) | Constant::Computed(_) => {}
        }
        Ok(constant)
    }

    /// A size that starts at `least`, of which rustc knows what the macro does not.
    pub fn at_least(&mut self, size: Dim, least: usize, what: &str, span: Span) -> Lowering<Dim> {
        let is_number = size.atoms().next().is_none();
        match size.as_lit() {
            None if is_number => {
                let text = format!("{what} is {size}");
                let help = format!("it starts at {least}");
                return Err(self.model.report(Diagnostic::new(span, text).help(help)));
            }
            Some(size) if size < least => {
                let text = format!("{what} is {size}");
                let help = format!("it starts at {least}");
                return Err(self.model.report(Diagnostic::new(span, text).help(help)));
            }
            Some(_) => {}
            None if least == 0 => {}
            None if size.is_run_time() && size.lower_bound() >= i128::try_from(least).ok() => {}
            None => {
                let before = std::mem::replace(&mut self.rule.span, span);
                let message = format!("{what} starts at {least}");
                self.rule.defer_at_least(size.clone(), Dim::lit(least), message);
                self.rule.span = before;
            }
        }
        Ok(size)
    }

    /// An option that is a number; its row has the default and the range.
    pub fn number_option(
        &mut self,
        options: &mut Options,
        name: &'static str,
    ) -> Lowering<Constant> {
        let row = options.row(name);
        self.number_within(options, name, row.default_number(), row.range())
    }

    /// An option that is a number in a range; `default` when it is not written.
    pub fn number_within(
        &mut self,
        options: &mut Options,
        name: &'static str,
        default: Option<f64>,
        range: Range,
    ) -> Lowering<Constant> {
        let owner = options.owner.clone();
        match (options.take(name), default) {
            (Some(expr), _) => {
                let Some(constant) = self.constant(&expr)? else {
                    let text = format!("`{name}` of `{owner}` is a number");
                    let example = default.map_or("0.5".into(), |default| format!("{default:?}"));
                    let error = Diagnostic::over(&expr, text);
                    return Err(self.model.report(error.help(format!("such as `{example}`"))));
                };
                self.in_range(constant, &expr, Some((name, &owner)), range)
            }
            (None, Some(default)) => Ok(Constant::Literal(default)),
            (None, None) => {
                let help = format!("write `{owner}({name} = 1.0)`");
                Err(self.model.report(options.missing(name, help)))
            }
        }
    }

    /// An option that only a literal can give.
    pub fn literal_option(&mut self, options: &mut Options, name: &'static str) -> Lowering<f64> {
        let span = options.span;
        let value = self.number_option(options, name)?;
        self.literal(value, name, span)
    }

    /// The number that a literal is.
    pub fn literal(&mut self, value: Constant, name: &str, span: Span) -> Lowering<f64> {
        match value {
            Constant::Literal(value) => Ok(value),
            other => {
                let text = format!("`{name}` is a literal here, not `{other}`");
                Err(self.model.report(Diagnostic::new(span, text)))
            }
        }
    }

    /// An option that is `true` or `false`, by its name alone.
    pub fn flag_option(&mut self, options: &mut Options, name: &'static str) -> Lowering<bool> {
        match options.take_named(name) {
            Some(expr) => self.ok(Options::bool(&expr)),
            None => Ok(options.row(name).default_flag()),
        }
    }

    /// An option that is one of some words, by its name alone.
    pub fn word_option(
        &mut self,
        options: &mut Options,
        name: &'static str,
    ) -> Lowering<&'static str> {
        let words = options.row(name).choices();
        let Some(expr) = options.take_named(name) else { return Ok(words[0]) };
        let written = text_of(&expr);
        match words.iter().find(|word| **word == written) {
            Some(word) => Ok(word),
            None => {
                let error = Diagnostic::over(&expr, format!("no {name} `{written}`"));
                let help = match words {
                    [one] => format!("`{}` takes `{name} = {one}`", options.owner),
                    _ => format!("there are {}", list(words)),
                };
                Err(self.model.report(error.help(help)))
            }
        }
    }

    /// `5`, or `(3, 5)` for height and width.
    pub fn pair_option(
        &mut self,
        options: &mut Options,
        name: &'static str,
        default: Option<[Dim; 2]>,
    ) -> Lowering<[Dim; 2]> {
        let least = options.row(name).least();
        match (options.take(name), default) {
            (Some(expr), _) => {
                if name == "kernel" {
                    // What does not fit is at the kernel.
                    self.rule.span = expr.span();
                }
                let scope = super::Scope { run_time: false, ..self.scope() };
                let pair = Options::pair(&expr, &scope);
                let [height, width] = self.ok(pair)?;
                let what = format!("`{name}` of `{}`", options.owner);
                Ok([
                    self.at_least(height, least, &what, expr.span())?,
                    self.at_least(width, least, &what, expr.span())?,
                ])
            }
            (None, Some(default)) => Ok(default),
            (None, None) => {
                let help = format!("write `{name} = 3`, or `{name} = (3, 5)` for height and width");
                let error = options.missing(name, help);
                Err(self.model.report(error))
            }
        }
    }
}
