//! What the macro decides by itself: numbers and conditions of literals, of the constants of loops
//! and of those whose values stand in the same `model!`.

use std::collections::HashSet;

use syn::{BinOp, Expr, ExprPath, Lit, UnOp};

use super::{FnCx, Item, text_of};
use crate::diagnostics::Diagnostic;
use crate::names::is_run_time_name;

impl FnCx<'_, '_> {
    /// The constants of the loops that are open.
    pub fn loop_names(&self) -> HashSet<String> {
        let numbers = self.names.iter().filter(|(_, item)| matches!(item, Item::Number(_)));
        numbers.map(|(name, _)| name.clone()).collect()
    }

    /// `3`, `2 * i + 1`
    pub fn whole(&self, expr: &Expr) -> Result<i128, Diagnostic> {
        self.whole_within(expr, self.model.item.constants.len())
    }

    /// The same, by way of at most so many constants: rustc says of one that needs itself.
    fn whole_within(&self, expr: &Expr, most: usize) -> Result<i128, Diagnostic> {
        let made = match expr {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Int(number) => number.base10_parse().ok(),
                _ => None,
            },
            Expr::Paren(inner) => return self.whole_within(&inner.expr, most),
            Expr::Group(inner) => return self.whole_within(&inner.expr, most),
            // A cast to fewer bits may be another number.
            Expr::Cast(cast) if text_of(&cast.ty) == "usize" => {
                return self.whole_within(&cast.expr, most);
            }
            Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => {
                self.whole_within(&unary.expr, most)?.checked_neg()
            }
            Expr::Path(path) => match self.named(path) {
                Some(Item::Number(number)) => i128::try_from(*number).ok(),
                Some(_) => None,
                None => {
                    let declared = self.declared(path).filter(|_| most > 0);
                    declared.and_then(|of| self.whole_within(&of.value, most - 1).ok())
                }
            },
            Expr::Binary(binary) => {
                let left = self.whole_within(&binary.left, most)?;
                let (a, b) = (left, self.whole_within(&binary.right, most)?);
                match binary.op {
                    BinOp::Add(_) => a.checked_add(b),
                    BinOp::Sub(_) => a.checked_sub(b),
                    BinOp::Mul(_) => a.checked_mul(b),
                    BinOp::Div(_) => a.checked_div(b),
                    BinOp::Rem(_) => a.checked_rem(b),
                    _ => None,
                }
            }
            _ => None,
        };
        made.ok_or_else(|| self.undecided(expr))
    }

    /// What a path of one name stands for in the body.
    fn named(&self, path: &ExprPath) -> Option<&Item> {
        path.path.get_ident().and_then(|name| self.names.get(&name.to_string()))
    }

    /// `i > 0 && i % 2 == 0`
    pub fn holds(&self, expr: &Expr) -> Result<bool, Diagnostic> {
        self.holds_within(expr, self.model.item.constants.len())
    }

    fn holds_within(&self, expr: &Expr, most: usize) -> Result<bool, Diagnostic> {
        let holds = |expr: &Expr| self.holds_within(expr, most);
        match expr {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Bool(value) => Ok(value.value),
                _ => Err(self.undecided(expr)),
            },
            Expr::Paren(inner) => holds(&inner.expr),
            Expr::Group(inner) => holds(&inner.expr),
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => {
                holds(&unary.expr).map(|holds| !holds)
            }
            Expr::Binary(binary) => {
                let sides = || Ok((self.whole(&binary.left)?, self.whole(&binary.right)?));
                match binary.op {
                    BinOp::And(_) => Ok(holds(&binary.left)? && holds(&binary.right)?),
                    BinOp::Or(_) => Ok(holds(&binary.left)? || holds(&binary.right)?),
                    BinOp::Eq(_) => sides().map(|(a, b)| a == b),
                    BinOp::Ne(_) => sides().map(|(a, b)| a != b),
                    BinOp::Lt(_) => sides().map(|(a, b)| a < b),
                    BinOp::Le(_) => sides().map(|(a, b)| a <= b),
                    BinOp::Gt(_) => sides().map(|(a, b)| a > b),
                    BinOp::Ge(_) => sides().map(|(a, b)| a >= b),
                    _ => Err(self.undecided(expr)),
                }
            }
            Expr::Path(path) if self.named(path).is_none() => {
                let declared = self.declared(path).filter(|_| most > 0);
                let value = declared.and_then(|of| self.holds_within(&of.value, most - 1).ok());
                value.ok_or_else(|| self.undecided(expr))
            }
            _ => Err(self.undecided(expr)),
        }
    }

    fn undecided(&self, expr: &Expr) -> Diagnostic {
        let name = match expr {
            Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
            _ => None,
        };
        if let Some(name) = name.as_ref().filter(|name| self.model.consts.contains(*name)) {
            let text =
                format!("`{name}` is a const parameter, whose value is known to rustc alone");
            return Diagnostic::over(expr, text).help(
                "all values of it have one body: let sizes follow from it, and write a model of its \
                 own for another body",
            );
        }
        let text = format!("the macro does not know what `{}` is", text_of(expr));
        let error = Diagnostic::over(expr, text);
        let is_constant = name.is_some_and(|name| !is_run_time_name(&name));
        error.help(match is_constant {
            true => {
                "it knows literals, constants of loops, and those that stand in the `model!` with a \
                 literal: `const STEPS: usize = 4;`"
            }
            false => {
                "it decides by literals, constants of loops and of the `model!`, with \
                 + - * / % == != < <= > >= && || !"
            }
        })
    }
}
