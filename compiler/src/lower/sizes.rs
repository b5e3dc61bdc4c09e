//! Rust expressions to sizes and shapes.

use std::collections::{HashMap, HashSet};

use quote::quote;
use syn::{BinOp, Expr, GenericParam, Lit, LitInt, UnOp};

use crate::diagnostics::{Diagnostic, nearest};
use crate::dim::{Atom, Dim, Shape};
use crate::facts::Facts;
use crate::layers;
use crate::names::is_run_time_name;
use crate::syntax::{ModelItem, type_of};
use crate::text::mentions;

/// The names that a size may use.
pub struct Scope<'a> {
    pub sizes: &'a HashMap<String, Dim>,
    /// The model's const parameters.
    pub consts: &'a HashSet<String>,
    pub facts: &'a Facts,
    pub item: &'a ModelItem,
    /// Whether run-time names are allowed: in functions, not in layers.
    pub run_time: bool,
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

pub fn is_zero(number: &LitInt) -> bool {
    number.base10_digits().bytes().all(|digit| digit == b'0')
}

fn read(expr: &Expr, scope: &Scope) -> Result<Dim, Diagnostic> {
    match expr {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Int(number) if is_zero(number) => {
                Err(Diagnostic::over(expr, "a size of 0").help("sizes start at 1"))
            }
            Lit::Int(number) if !matches!(number.suffix(), "" | "usize") => {
                Err(wrong_suffix(expr, number))
            }
            Lit::Int(number) => {
                let digits = number.base10_digits();
                match digits.parse() {
                    Ok(number) if number <= LARGEST => Ok(Dim::lit(number)),
                    _ => Err(too_large(expr, digits)),
                }
            }
            _ => Err(no_number(expr)),
        },
        Expr::Paren(inner) => read(&inner.expr, scope),
        Expr::Group(inner) => read(&inner.expr, scope),
        Expr::Unary(unary)
            if matches!(unary.op, UnOp::Neg(_)) && matches!(*unary.expr, Expr::Lit(_)) =>
        {
            Err(negative(expr, &unary.expr))
        }
        Expr::Binary(binary) if power(binary).is_some() => Err(no_power(expr, binary, scope)),
        Expr::Binary(binary) => {
            let (left, right) = (read(&binary.left, scope)?, read(&binary.right, scope)?);
            let made = match binary.op {
                BinOp::Add(_) => left.plus(&right),
                BinOp::Sub(_) => left.minus(&right),
                BinOp::Mul(_) => left.times(&right),
                BinOp::Div(_) => left.floor_divided_by(&right).ok_or_else(|| {
                    Diagnostic::over(expr, format!("cannot divide {left} by {right}"))
                        .help("a size is divided by a constant, or by one of its factors")
                })?,
                BinOp::Rem(_) => match (left.as_lit(), right.as_lit()) {
                    (Some(left), Some(right)) if right > 0 => Dim::lit(left % right),
                    _ => return constant(expr, scope),
                },
                _ => return constant(expr, scope),
            };
            match made.is_out_of_range() {
                true => Err(too_large(expr, &super::text_of(expr))),
                false => Ok(made),
            }
        }
        Expr::Path(path) => {
            if let Some(name) = type_of(path) {
                return Ok(Dim::atom(Atom::Const(name, quote!(#path))));
            }
            if layers::is_layer(&path.path) {
                let name = super::text_of(&path.path);
                let text = format!("`{name}` is a layer, not a size");
                return Err(Diagnostic::over(expr, text).help("write `128`"));
            }
            let Some(name) = path.path.get_ident().map(ToString::to_string) else {
                return constant(expr, scope);
            };
            if scope.consts.contains(&name) {
                return Ok(Dim::atom(Atom::Const(name, quote!(#path))));
            }
            if !is_run_time_name(&name) {
                return constant(expr, scope);
            }
            // The constant of a loop is one wherever it stands.
            let known = scope.sizes.get(&name).filter(|size| scope.run_time || !size.is_run_time());
            if let Some(size) = known {
                return Ok(size.clone());
            }
            if !scope.run_time {
                return Err(Diagnostic::over(expr, format!("`{name}` is not a constant")).help(
                    "a layer's sizes are numbers, constants in upper case or const parameters",
                ));
            }
            Err(unknown(expr, &name, scope))
        }
        _ => constant(expr, scope),
    }
}

fn wrong_suffix(expr: &Expr, number: &LitInt) -> Diagnostic {
    let text = format!("a size is a `usize`, not a `{}`", number.suffix());
    Diagnostic::over(expr, text).write(expr, number.base10_digits())
}

fn negative(expr: &Expr, positive: &Expr) -> Diagnostic {
    let text = "a size starts at 1, and is not negative";
    Diagnostic::over(expr, text).write(expr, super::text_of(positive)).of_all()
}

fn no_power(expr: &Expr, binary: &syn::ExprBinary, scope: &Scope) -> Diagnostic {
    let (base, exponent, sign) = power(binary).expect("it is one");
    let error = Diagnostic::over(expr, format!("`{sign}` is no power in Rust"));
    let number = |expr: &Expr| read(expr, scope).ok().and_then(|size| size.as_lit());
    let exponent = number(exponent).and_then(|exponent| u32::try_from(exponent).ok());
    let made = number(base).zip(exponent).and_then(|(base, n)| base.checked_pow(n));
    match made {
        Some(made) => error.write(expr, made.to_string()),
        None => error.help(format!("write `{0} * {0}`", super::text_of(base))),
    }
}

/// The two sides of `2 ** 7` and of `2 ^ 7` with numbers, and the sign.
pub fn power(binary: &syn::ExprBinary) -> Option<(&Expr, &Expr, &'static str)> {
    match (&binary.op, &*binary.right) {
        (BinOp::Mul(_), Expr::Unary(unary)) if matches!(unary.op, UnOp::Deref(_)) => {
            Some((&binary.left, &unary.expr, "**"))
        }
        (BinOp::BitXor(_), Expr::Lit(_)) => Some((&binary.left, &binary.right, "^")),
        _ => None,
    }
}

fn too_large(expr: &Expr, size: &str) -> Diagnostic {
    let text = format!("a size of {size} is more than any memory holds");
    Diagnostic::over(expr, text).help("sizes go up to 2^40")
}

/// Whether an expression may be a number for rustc, by its form.
pub fn may_be_number(expr: &Expr) -> bool {
    match expr {
        Expr::Paren(inner) => may_be_number(&inner.expr),
        Expr::Group(inner) => may_be_number(&inner.expr),
        Expr::Cast(cast) => may_be_number(&cast.expr),
        Expr::Path(path) => !layers::is_layer(&path.path),
        Expr::Unary(unary) => !matches!(unary.op, UnOp::Deref(_)) && may_be_number(&unary.expr),
        Expr::Lit(lit) => matches!(lit.lit, Lit::Int(_) | Lit::Float(_)),
        Expr::Binary(binary) => {
            let is_arithmetic = matches!(
                binary.op,
                BinOp::Add(_)
                    | BinOp::Sub(_)
                    | BinOp::Mul(_)
                    | BinOp::Div(_)
                    | BinOp::Rem(_)
                    | BinOp::Shl(_)
                    | BinOp::Shr(_)
                    | BinOp::BitAnd(_)
                    | BinOp::BitOr(_)
                    | BinOp::BitXor(_)
            );
            is_arithmetic && may_be_number(&binary.left) && may_be_number(&binary.right)
        }
        // What these are, only rustc knows; a number has no parts.
        Expr::Call(call) => match &*call.func {
            Expr::Path(path) => !layers::is_layer(&path.path),
            func => !matches!(func, Expr::Lit(_)),
        },
        Expr::Field(field) => !matches!(*field.base, Expr::Lit(_)),
        Expr::Index(index) => !matches!(*index.expr, Expr::Lit(_)),
        Expr::MethodCall(_) | Expr::Block(_) | Expr::Const(_) | Expr::Macro(_) => true,
        _ => false,
    }
}

/// Anything else is left to rustc as a constant, which the model binds once; one of the model's own
/// parameters cannot be.
fn constant(expr: &Expr, scope: &Scope) -> Result<Dim, Diagnostic> {
    if !may_be_number(expr) {
        return Err(no_number(expr));
    }
    let text = super::text_of(expr);
    let params = scope.item.header.iter().flat_map(|header| &header.generics.params);
    let params = params.map(|param| match param {
        GenericParam::Const(param) => param.ident.to_string(),
        GenericParam::Type(param) => param.ident.to_string(),
        GenericParam::Lifetime(param) => param.lifetime.ident.to_string(),
    });
    let own: HashSet<String> = params.chain(["Self".into()]).collect();
    if mentions(expr, &own) {
        return Ok(Dim::atom(Atom::Const(text, quote!((#expr)))));
    }
    let name = scope.item.bind_size(&text, expr);
    Ok(Dim::atom(Atom::Const(text, quote!(#name))))
}

/// What is no size, with what it may have meant.
fn no_number(expr: &Expr) -> Diagnostic {
    let text = "a size is a whole number";
    let whole = match expr {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Float(number) => number.base10_parse::<f64>().ok(),
            Lit::Str(text) => text.value().trim().parse().ok(),
            _ => None,
        },
        _ => None,
    };
    match whole.filter(|number| number.fract() == 0.0 && (1.0..1e12).contains(number)) {
        Some(number) => Diagnostic::over(expr, text).write(expr, format!("{number}")),
        None => Diagnostic::over(expr, text).help("such as `128`, or a constant: `WIDTH`"),
    }
}

fn unknown(expr: &Expr, name: &str, scope: &Scope) -> Diagnostic {
    let error = Diagnostic::over(expr, format!("no input has a size named `{name}`"));
    let names = scope.sizes.keys().chain(scope.consts).map(String::as_str);
    match nearest(name, names) {
        Some(near) => error.did_you_mean(expr, near),
        None => error.help("a run-time size is a size of an input: `x: [batch, 784]`"),
    }
    .of_all()
}
