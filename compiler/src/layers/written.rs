//! How a help writes a layer, in the way in which the user has written it.

use syn::{BinOp, Expr, Lit};

use crate::dim::{Atom, Dim};
use crate::syntax::{Arg, Written, type_of};
use crate::text::text_of;

impl Written {
    /// A layer of one size, or of an input and an output; `rest` are the arguments behind them.
    pub(super) fn layer(self, name: &str, sizes: &[String], rest: &[Arg]) -> String {
        let rest: String = rest.iter().map(|arg| format!(", {}", self.arg(arg))).collect();
        match self {
            Self::Call => format!("{name}({}{rest})", sizes.join(" -> ")),
            Self::Consts => format!("{name}<{}{rest}>", sizes.join(", ")),
            Self::Types => format!("typed::{name}<{}{rest}>", sizes.join(", ")),
        }
    }

    pub(super) fn size(self, dim: &Dim) -> String {
        match self {
            Self::Types => typed(dim),
            _ => dim.to_string(),
        }
    }

    fn arg(self, arg: &Arg) -> String {
        match (self, arg) {
            (Self::Types, Arg::Value(expr)) => of_expr(expr),
            _ => arg.to_string(),
        }
    }

    pub(super) fn expr(self, expr: &Expr) -> String {
        match self {
            Self::Types => of_expr(expr),
            _ => text_of(expr),
        }
    }
}

/// The type that was read as this size.
fn of_expr(expr: &Expr) -> String {
    match expr {
        Expr::Paren(inner) => of_expr(&inner.expr),
        Expr::Lit(lit) => match &lit.lit {
            Lit::Int(number) => {
                number.base10_parse().map_or_else(|_| number.to_string(), of_number)
            }
            _ => text_of(expr),
        },
        Expr::Path(path) => type_of(path).unwrap_or_else(|| text_of(expr)),
        Expr::Binary(binary) => {
            let name = match binary.op {
                BinOp::Mul(_) => "Times",
                BinOp::Add(_) => "Plus",
                BinOp::Sub(_) => "Minus",
                _ => "Quotient",
            };
            format!("{name}<{}, {}>", of_expr(&binary.left), of_expr(&binary.right))
        }
        other => text_of(other),
    }
}

/// A size as a type: `Times<U4, D>`.
fn typed(dim: &Dim) -> String {
    let term = |atoms: &[Atom], factor: i128| {
        let number = factor.unsigned_abs();
        let number = (atoms.is_empty() || number > 1)
            .then(|| of_number(usize::try_from(number).unwrap_or(usize::MAX)));
        let atoms = atoms.iter().map(|atom| match atom {
            Atom::Run(name) | Atom::Const(name, _) => name.clone(),
            Atom::Quotient(a, b) => format!("Quotient<{}, {}>", typed(a), typed(b)),
            Atom::Sum(a) => typed(a),
        });
        let factors = number.into_iter().chain(atoms);
        factors.reduce(|a, b| format!("Times<{a}, {b}>")).unwrap_or_default()
    };
    let sum = |positive: bool, name: &'static str| {
        let terms = dim.terms().filter(move |(_, factor)| (*factor > 0) == positive);
        let terms = terms.map(|(atoms, factor)| term(atoms, factor));
        terms.reduce(|a, b| format!("{name}<{a}, {b}>"))
    };
    match (sum(true, "Plus"), sum(false, "Plus")) {
        (Some(plus), Some(minus)) => format!("Minus<{plus}, {minus}>"),
        (Some(plus), None) => plus,
        (None, _) => of_number(0),
    }
}

/// The numbers up to this have names in `typenum`, and powers of two.
const NAMED: usize = 1024;

fn of_number(number: usize) -> String {
    if number <= NAMED || number.is_power_of_two() {
        return format!("U{number}");
    }
    let divisor = (2..=NAMED).rev().find(|divisor| number.is_multiple_of(*divisor));
    match divisor {
        Some(divisor) => format!("Times<{}, U{divisor}>", of_number(number / divisor)),
        None => format!("Plus<{}, U1>", of_number(number - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::of_number;

    #[test]
    fn numbers_as_types() {
        assert_eq!(of_number(784), "U784");
        assert_eq!(of_number(4096), "U4096");
        assert_eq!(of_number(1568), "Times<U2, U784>");
        assert_eq!(of_number(1031), "Plus<Times<U2, U515>, U1>");
    }
}
