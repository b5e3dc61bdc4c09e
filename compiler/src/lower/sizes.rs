//! Rust expressions to sizes and shapes.

use std::collections::{HashMap, HashSet};

use quote::quote;
use syn::{BinOp, Expr, Lit};

use crate::diagnostics::{Diagnostic, nearest};
use crate::dim::{Atom, Dim, Shape};

/// The names that a size may use.
pub struct Scope<'a> {
    pub sizes: &'a HashMap<String, Dim>,
    /// The model's const parameters.
    pub consts: &'a HashSet<String>,
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
    match expr {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Int(number) => match number.base10_parse::<usize>() {
                Ok(0) => Err(Diagnostic::over(expr, "a size of 0").help("sizes start at 1")),
                Ok(number) if number > LARGEST => {
                    let text = format!("a size of {number} is more than any memory holds");
                    Err(Diagnostic::over(expr, text).help("sizes go up to 2^40"))
                }
                Ok(number) => Ok(Dim::lit(number)),
                Err(_) => {
                    let text = format!("a size of {number} is more than any memory holds");
                    Err(Diagnostic::over(expr, text).help("sizes go up to 2^40"))
                }
            },
            _ => Err(Diagnostic::over(expr, "a size is a whole number").help("write `128`")),
        },
        Expr::Paren(inner) => dim(&inner.expr, scope),
        Expr::Group(inner) => dim(&inner.expr, scope),
        Expr::Binary(binary) => {
            let (left, right) = (dim(&binary.left, scope)?, dim(&binary.right, scope)?);
            match binary.op {
                BinOp::Add(_) => Ok(left.plus(&right)),
                BinOp::Sub(_) => Ok(left.minus(&right)),
                BinOp::Mul(_) => Ok(left.times(&right)),
                BinOp::Div(_) => left.floor_divided_by(&right).ok_or_else(|| {
                    Diagnostic::over(expr, format!("cannot divide {left} by {right}"))
                        .help("a run-time size is divided only by one of its factors")
                }),
                _ => constant(expr),
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
