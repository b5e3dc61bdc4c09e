//! Numbers in bodies: literals, constants of the user's, sizes, and what is computed of them.

use syn::{BinOp, Expr, UnOp};

use super::options::number;
use super::{FnCx, Item, Lowering, dim, text_of};
use crate::diagnostics::Diagnostic;
use crate::names::is_run_time_name;
use crate::ops::number::{Computed, Constant, EXACT};
use crate::vocabulary::Range;

impl FnCx<'_, '_> {
    /// The number that an expression is; nothing where it is none.
    pub fn constant(&mut self, expr: &Expr) -> Lowering<Option<Constant>> {
        if self.is_of_sizes(expr) {
            return self.size_as_number(expr).map(Some);
        }
        Ok(match expr {
            Expr::Path(path) if self.declared_array(path).is_some() => None,
            Expr::Paren(inner) => return self.constant(&inner.expr),
            Expr::Group(inner) => return self.constant(&inner.expr),
            Expr::Lit(lit) => return self.literal_number(lit),
            // Once is enough.
            Expr::Cast(cast) if matches!(&*cast.expr, Expr::Cast(_)) => None,
            Expr::Cast(cast) => match text_of(&cast.ty).as_str() {
                "f32" if self.is_value(&cast.expr) => {
                    let text = format!("`{}` is a value of `f32` already", text_of(&cast.expr));
                    let error = Diagnostic::over(expr, text).write(expr, text_of(&cast.expr));
                    return Err(self.model.report(error));
                }
                "f32" if is_integral(&cast.expr) => Some(self.size_as_number(&cast.expr)?),
                "f32" => return self.constant(&cast.expr),
                other => {
                    let text = format!("numbers of a body are `f32`, not `{other}`");
                    let error = Diagnostic::over(&cast.ty, text);
                    return Err(self.model.report(error.write(&cast.ty, "f32")));
                }
            },
            Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => {
                match self.constant(&unary.expr)? {
                    Some(of @ Constant::Computed(_)) => Some(computed(Computed::Negative(of))),
                    Some(_) => number(expr),
                    None => None,
                }
            }
            Expr::MethodCall(call) if call.args.is_empty() => {
                let method = EXACT.into_iter().find(|name| call.method == *name);
                let Some(method) = method else { return Ok(None) };
                let of = self.constant(&call.receiver)?;
                of.map(|of| computed(Computed::Method(method, of)))
            }
            Expr::Binary(binary) => {
                let sign = match binary.op {
                    BinOp::Add(_) => '+',
                    BinOp::Sub(_) => '-',
                    BinOp::Mul(_) => '*',
                    BinOp::Div(_) => '/',
                    _ => return Ok(None),
                };
                let (a, b) = (self.constant(&binary.left)?, self.constant(&binary.right)?);
                for (side, written) in [(&a, &binary.left), (&b, &binary.right)] {
                    if let Some(literal @ Constant::Literal(_)) = side {
                        self.in_range(literal.clone(), written, None, Range::Any)?;
                    }
                }
                match (a, b) {
                    (Some(a), Some(b)) if [&a, &b].iter().any(|side| is_computed(side)) => {
                        Some(computed(Computed::Binary(sign, a, b)))
                    }
                    (Some(Constant::Literal(a)), Some(Constant::Literal(b)))
                        if number(expr).is_none() =>
                    {
                        // A constant of a loop is in it.
                        let (a, b) = (a as f32, b as f32);
                        let value = match sign {
                            '+' => a + b,
                            '-' => a - b,
                            '*' => a * b,
                            _ => a / b,
                        };
                        Some(Constant::Literal(value.into()))
                    }
                    (Some(a), Some(b)) => {
                        number(expr).or_else(|| Some(computed(Computed::Binary(sign, a, b))))
                    }
                    _ => None,
                }
            }
            other => number(other),
        })
    }

    fn literal_number(&mut self, lit: &syn::ExprLit) -> Lowering<Option<Constant>> {
        let (digits, suffix) = match &lit.lit {
            syn::Lit::Float(value) => (value.base10_digits(), value.suffix()),
            syn::Lit::Int(value) => (value.base10_digits(), value.suffix()),
            _ => return Ok(None),
        };
        if matches!(suffix, "" | "f32") {
            return Ok(number(&Expr::Lit(lit.clone())));
        }
        let text = format!("numbers of a body are `f32`, not `{suffix}`");
        Err(self.model.report(Diagnostic::over(lit, text).write(lit, digits)))
    }

    /// Whether an expression is of names of sizes and whole numbers alone: those are computed
    /// with as sizes are.
    fn is_of_sizes(&self, expr: &Expr) -> bool {
        is_integral(expr) && self.names_sizes(expr) == Some(true)
    }

    /// Whether there is a name in an expression of whole numbers, all of which are those of sizes;
    /// nothing where one is not. The type of a constant of the user's is not known.
    fn names_sizes(&self, expr: &Expr) -> Option<bool> {
        match expr {
            Expr::Paren(inner) => self.names_sizes(&inner.expr),
            Expr::Group(inner) => self.names_sizes(&inner.expr),
            Expr::Lit(_) => Some(false),
            Expr::Binary(binary) => {
                let (left, right) =
                    (self.names_sizes(&binary.left)?, self.names_sizes(&binary.right)?);
                Some(left || right)
            }
            Expr::Path(path) => {
                let name = path.path.get_ident()?.to_string();
                let is_size = match self.names.get(&name) {
                    Some(item) => matches!(item, Item::Number(_)),
                    None => {
                        self.sizes.contains_key(&name) && is_run_time_name(&name)
                            || self.model.consts.contains(&name)
                    }
                };
                is_size.then_some(true)
            }
            _ => None,
        }
    }

    fn is_value(&self, expr: &Expr) -> bool {
        let Expr::Path(path) = expr else { return false };
        let name = path.path.get_ident().map(ToString::to_string);
        name.is_some_and(|name| {
            matches!(self.names.get(&name), Some(Item::Value(_) | Item::Tuple(_)))
        })
    }

    fn size_as_number(&mut self, expr: &Expr) -> Lowering<Constant> {
        if let Ok(number) = self.whole(expr) {
            return Ok(Constant::Literal(number as f64));
        }
        let size = dim(expr, &self.scope());
        self.ok(size).map(Constant::size)
    }
}

fn is_computed(constant: &Constant) -> bool {
    matches!(constant, Constant::Computed(_))
}

/// A computed number; one of literals alone is a literal.
fn computed(of: Computed) -> Constant {
    let literal = match &of {
        Computed::Method(name, Constant::Literal(value)) => {
            let value = *value as f32;
            Some(match *name {
                "sqrt" => value.sqrt(),
                "abs" => value.abs(),
                _ => value.recip(),
            })
        }
        _ => None,
    };
    match literal {
        Some(value) => Constant::Literal(value.into()),
        None => Constant::Computed(Box::new(of)),
    }
}

/// Whether an expression is of names and whole numbers alone.
fn is_integral(expr: &Expr) -> bool {
    match expr {
        Expr::Paren(inner) => is_integral(&inner.expr),
        Expr::Group(inner) => is_integral(&inner.expr),
        Expr::Path(_) => true,
        Expr::Lit(lit) => matches!(lit.lit, syn::Lit::Int(_)),
        Expr::Binary(binary) => {
            let is_arithmetic = matches!(
                binary.op,
                BinOp::Add(_) | BinOp::Sub(_) | BinOp::Mul(_) | BinOp::Div(_) | BinOp::Rem(_)
            );
            is_arithmetic && is_integral(&binary.left) && is_integral(&binary.right)
        }
        _ => false,
    }
}
