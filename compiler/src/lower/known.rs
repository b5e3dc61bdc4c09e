//! What the macro decides by itself: numbers and conditions of literals and of the constants of
//! loops.

use std::collections::HashSet;

use syn::{BinOp, Expr, Lit, UnOp};

use super::{FnCx, Item, text_of};
use crate::diagnostics::Diagnostic;

impl FnCx<'_, '_> {
    /// The constants of the loops that are open.
    pub fn loop_names(&self) -> HashSet<String> {
        let numbers = self.names.iter().filter(|(_, item)| matches!(item, Item::Number(_)));
        numbers.map(|(name, _)| name.clone()).collect()
    }

    /// `3`, `2 * i + 1`
    pub fn whole(&self, expr: &Expr) -> Result<i128, Diagnostic> {
        let made = match expr {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Int(number) => number.base10_parse().ok(),
                _ => None,
            },
            Expr::Paren(inner) => return self.whole(&inner.expr),
            Expr::Group(inner) => return self.whole(&inner.expr),
            Expr::Cast(cast) => return self.whole(&cast.expr),
            Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => {
                self.whole(&unary.expr)?.checked_neg()
            }
            Expr::Path(path) => match path.path.get_ident().map(ToString::to_string) {
                Some(name) => match self.names.get(&name) {
                    Some(Item::Number(number)) => i128::try_from(*number).ok(),
                    _ => None,
                },
                None => None,
            },
            Expr::Binary(binary) => {
                let (a, b) = (self.whole(&binary.left)?, self.whole(&binary.right)?);
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
        made.ok_or_else(|| undecided(expr))
    }

    /// `i > 0 && i % 2 == 0`
    pub fn holds(&self, expr: &Expr) -> Result<bool, Diagnostic> {
        match expr {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Bool(value) => Ok(value.value),
                _ => Err(undecided(expr)),
            },
            Expr::Paren(inner) => self.holds(&inner.expr),
            Expr::Group(inner) => self.holds(&inner.expr),
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => {
                self.holds(&unary.expr).map(|holds| !holds)
            }
            Expr::Binary(binary) => {
                let sides = || Ok((self.whole(&binary.left)?, self.whole(&binary.right)?));
                match binary.op {
                    BinOp::And(_) => Ok(self.holds(&binary.left)? && self.holds(&binary.right)?),
                    BinOp::Or(_) => Ok(self.holds(&binary.left)? || self.holds(&binary.right)?),
                    BinOp::Eq(_) => sides().map(|(a, b)| a == b),
                    BinOp::Ne(_) => sides().map(|(a, b)| a != b),
                    BinOp::Lt(_) => sides().map(|(a, b)| a < b),
                    BinOp::Le(_) => sides().map(|(a, b)| a <= b),
                    BinOp::Gt(_) => sides().map(|(a, b)| a > b),
                    BinOp::Ge(_) => sides().map(|(a, b)| a >= b),
                    _ => Err(undecided(expr)),
                }
            }
            _ => Err(undecided(expr)),
        }
    }
}

fn undecided(expr: &Expr) -> Diagnostic {
    let text = format!("the macro does not know what `{}` is", text_of(expr));
    let error = Diagnostic::over(expr, text);
    error.help(
        "it decides by literals and the constants of loops, with + - * / % == != < <= > >= && || !",
    )
}
