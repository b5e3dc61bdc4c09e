//! Rust expressions to sizes and shapes.

use std::collections::{HashMap, HashSet};

use quote::quote;
use syn::{BinOp, Expr, Lit, LitInt};

use crate::diagnostics::{Diagnostic, nearest};
use crate::dim::{Atom, Dim, Shape};
use crate::facts::Facts;

/// The names that a size may use.
pub struct Scope<'a> {
    pub sizes: &'a HashMap<String, Dim>,
    /// The model's const parameters.
    pub consts: &'a HashSet<String>,
    pub facts: &'a Facts,
    /// Whether run-time names are allowed: in functions, not in layers.
    pub run_time: bool,
}

/// Constants are upper case; what starts in lower case is a run-time size.
pub fn is_run_time_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_lowercase() || c == '_')
}

pub fn shape(dims: &[Expr], scope: &Scope) -> Result<Shape, Diagnostic> {
    dims.iter().map(|expr| dim(expr, scope)).collect::<Result<_, _>>().map(Shape)
}

/// The largest number: no sum or product of two of them overflows, and arrays end long before.
const LARGEST: usize = 1 << 40;

/// `784`, `4 * D`, `HEADS * 16`, `batch`
pub fn dim(expr: &Expr, scope: &Scope) -> Result<Dim, Diagnostic> {
    read(expr, scope).map(|dim| scope.facts.canonical(&dim))
}

/// The same, where 0 is a number as well: padding and places.
pub fn dim_or_zero(expr: &Expr, scope: &Scope) -> Result<Dim, Diagnostic> {
    match expr {
        Expr::Lit(syn::ExprLit { lit: Lit::Int(number), .. }) if is_zero(number) => Ok(Dim::lit(0)),
        other => dim(other, scope),
    }
}

fn is_zero(number: &LitInt) -> bool {
    number.base10_digits().bytes().all(|digit| digit == b'0')
}

fn read(expr: &Expr, scope: &Scope) -> Result<Dim, Diagnostic> {
    match expr {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Int(number) if is_zero(number) => {
                Err(Diagnostic::over(expr, "a size of 0").help("sizes start at 1"))
            }
            Lit::Int(number) => {
                let digits = number.base10_digits();
                match digits.parse() {
                    Ok(number) if number <= LARGEST => Ok(Dim::lit(number)),
                    _ => Err(too_large(expr, digits)),
                }
            }
            _ => Err(Diagnostic::over(expr, "a size is a whole number").help("write `128`")),
        },
        Expr::Paren(inner) => read(&inner.expr, scope),
        Expr::Group(inner) => read(&inner.expr, scope),
        Expr::Binary(binary) => {
            let (left, right) = (read(&binary.left, scope)?, read(&binary.right, scope)?);
            let made = match binary.op {
                BinOp::Add(_) => left.plus(&right),
                BinOp::Sub(_) => left.minus(&right),
                BinOp::Mul(_) => left.times(&right),
                BinOp::Div(_) => left.floor_divided_by(&right).ok_or_else(|| {
                    Diagnostic::over(expr, format!("cannot divide {left} by {right}"))
                        .help("a run-time size is divided only by one of its factors")
                })?,
                _ => return constant(expr),
            };
            match made.is_out_of_range() {
                true => Err(too_large(expr, &super::text_of(expr))),
                false => Ok(made),
            }
        }
        Expr::Path(path) => {
            let Some(name) = path.path.get_ident().map(ToString::to_string) else {
                return constant(expr);
            };
            if !is_run_time_name(&name) {
                return Ok(Dim::atom(Atom::Const(name, quote!(#path))));
            }
            if !scope.run_time {
                return Err(Diagnostic::over(expr, format!("`{name}` is not a constant")).help(
                    "a layer's sizes are numbers, constants in upper case or const parameters",
                ));
            }
            scope.sizes.get(&name).cloned().ok_or_else(|| unknown(expr, &name, scope))
        }
        _ => constant(expr),
    }
}

fn too_large(expr: &Expr, size: &str) -> Diagnostic {
    let text = format!("a size of {size} is more than any memory holds");
    Diagnostic::over(expr, text).help("sizes go up to 2^40")
}

/// Anything else is left to rustc as a constant expression.
fn constant(expr: &Expr) -> Result<Dim, Diagnostic> {
    let text = super::text_of(expr);
    Ok(Dim::atom(Atom::Const(text, quote!((#expr)))))
}

fn unknown(expr: &Expr, name: &str, scope: &Scope) -> Diagnostic {
    let error = Diagnostic::over(expr, format!("no input has a size named `{name}`"));
    let names = scope.sizes.keys().chain(scope.consts).map(String::as_str);
    match nearest(name, names) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("a run-time size is the first size of an input: `x: [batch, 784]`"),
    }
}
