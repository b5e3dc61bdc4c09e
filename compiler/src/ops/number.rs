//! Numbers that functions take: literals, constants of the user's, and what is computed of sizes.

use proc_macro2::{Literal, TokenStream};

use crate::dim::Dim;
use crate::hygiene::quote;

/// A constant that an elementwise function takes.
#[derive(Clone, Debug)]
pub enum Constant {
    /// A literal: part of the fused function.
    Literal(f64),
    /// A Rust expression of type `f32`: handed over when the step runs.
    Expr(String, TokenStream),
    /// `factor / size`, a mean's weight.
    Over(f64, Dim),
    /// Of sizes, handed over as well: `(D as f32).sqrt()`, `1.0 / batch`.
    Computed(Box<Computed>),
}

/// A number that is computed of sizes, in `f32`.
#[derive(Clone, Debug)]
pub enum Computed {
    /// `size as f32`
    Size(Dim),
    /// `a + b`; the sign is one of `+ - * /`.
    Binary(char, Constant, Constant),
    Negative(Constant),
    /// `x.sqrt()`, one of [`EXACT`].
    Method(&'static str, Constant),
}

/// The functions of `f32` that every platform rounds alike.
pub const EXACT: [&str; 3] = ["sqrt", "abs", "recip"];

impl std::fmt::Display for Constant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Literal(value) => write!(f, "{value:?}"),
            Self::Expr(text, _) => f.write_str(text),
            Self::Over(factor, dim) => write!(f, "{factor:?}/({dim})"),
            Self::Computed(computed) => match &**computed {
                Computed::Size(size) => write!(f, "({size})"),
                Computed::Binary(sign, a, b) => write!(f, "({a} {sign} {b})"),
                Computed::Negative(of) => write!(f, "-{of}"),
                Computed::Method(name, of) => write!(f, "{of}.{name}()"),
            },
        }
    }
}

impl Constant {
    /// A size as a number.
    pub fn size(size: Dim) -> Self {
        match size.as_lit() {
            Some(number) => Self::Literal(number as f64),
            None => Self::Computed(Box::new(Computed::Size(size))),
        }
    }

    /// Whether only the run knows it.
    pub fn is_run_time(&self) -> bool {
        match self {
            Self::Literal(_) | Self::Expr(..) => false,
            Self::Over(_, size) => size.is_run_time(),
            Self::Computed(computed) => match &**computed {
                Computed::Size(size) => size.is_run_time(),
                Computed::Binary(_, a, b) => a.is_run_time() || b.is_run_time(),
                Computed::Negative(of) | Computed::Method(_, of) => of.is_run_time(),
            },
        }
    }

    /// An `f32` expression, where the names of the run's sizes are bound.
    pub fn tokens(&self) -> TokenStream {
        match self {
            Self::Literal(value) => {
                let value = Literal::f32_suffixed((*value as f32).abs());
                if self.is_negative() { quote!((-#value)) } else { quote!(#value) }
            }
            Self::Expr(_, tokens) => tokens.clone(),
            Self::Over(factor, dim) => {
                let (factor, dim) = (Literal::f32_unsuffixed(*factor as f32), dim.tokens());
                quote!(#factor / (#dim) as f32)
            }
            Self::Computed(computed) => match &**computed {
                Computed::Size(size) => {
                    let size = size.tokens();
                    quote!(((#size) as f32))
                }
                Computed::Binary(sign, a, b) => {
                    let (a, b) = (a.tokens(), b.tokens());
                    match sign {
                        '+' => quote!((#a + #b)),
                        '-' => quote!((#a - #b)),
                        '*' => quote!((#a * #b)),
                        _ => quote!((#a / #b)),
                    }
                }
                Computed::Negative(of) => {
                    let of = of.tokens();
                    quote!((-#of))
                }
                Computed::Method(name, of) => {
                    let of = of.tokens();
                    match *name {
                        "sqrt" => quote!(f32::sqrt(#of)),
                        "abs" => quote!(f32::abs(#of)),
                        _ => quote!(f32::recip(#of)),
                    }
                }
            },
        }
    }

    fn is_negative(&self) -> bool {
        matches!(self, Self::Literal(value) if value.is_sign_negative())
    }

    /// The number, where `size` knows each size and there is no expression of the user's.
    pub fn evaluate(&self, size: &dyn Fn(&Dim) -> f64) -> Option<f64> {
        Some(match self {
            Self::Literal(value) => f64::from(*value as f32),
            Self::Expr(..) => return None,
            Self::Over(factor, dim) => factor / size(dim),
            Self::Computed(computed) => match &**computed {
                Computed::Size(dim) => size(dim),
                Computed::Negative(of) => -of.evaluate(size)?,
                Computed::Method(name, of) => match (*name, of.evaluate(size)?) {
                    ("sqrt", of) => of.sqrt(),
                    ("abs", of) => of.abs(),
                    (_, of) => of.recip(),
                },
                Computed::Binary(sign, a, b) => {
                    match (sign, a.evaluate(size)?, b.evaluate(size)?) {
                        ('+', a, b) => a + b,
                        ('-', a, b) => a - b,
                        ('*', a, b) => a * b,
                        (_, a, b) => a / b,
                    }
                }
            },
        })
    }
}
