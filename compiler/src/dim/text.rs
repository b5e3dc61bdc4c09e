//! Sizes as text and as Rust.

use std::fmt;

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::{Atom, Dim, Shape};
use crate::hygiene::variable;
use crate::names::plain;

impl Dim {
    /// A `usize` expression; run-time names are the variables of the generated function. It is one
    /// operand, so that it can be pasted into any other expression.
    pub fn tokens(&self) -> TokenStream {
        let term = |(atoms, factor): (&Vec<Atom>, &i128)| {
            let factors = atoms.iter().map(Atom::tokens);
            let number = factor.unsigned_abs();
            let number = (atoms.is_empty() || number > 1).then(|| {
                let number = Literal::u128_unsuffixed(number);
                quote!(#number)
            });
            let product = |left, right| quote!(#left * #right);
            number.into_iter().chain(factors).reduce(product).expect("a term has a factor")
        };
        let sign = |positive: bool| {
            self.terms.iter().filter(move |(_, f)| (**f > 0) == positive).map(term)
        };
        let (plus, minus): (Vec<_>, Vec<_>) = (sign(true).collect(), sign(false).collect());
        let sum = match plus.as_slice() {
            [] => quote!(0),
            [first, rest @ ..] => quote!(#first #(+ #rest)* #(- #minus)*),
        };
        if self.is_operand() || plus.is_empty() { sum } else { quote!((#sum)) }
    }

    /// The same for sizes of memory, which nobody has looked at yet: where a product or a sum
    /// leaves the range it is the largest number.
    pub fn saturating_tokens(&self) -> TokenStream {
        self.saturating([
            quote!(__private::times),
            quote!(__private::plus),
            quote!(__private::minus),
        ])
    }

    /// The same where the functions have names of their own: behind [`Dim::bind_saturating`].
    pub fn short_saturating_tokens(&self) -> TokenStream {
        self.saturating(["times", "plus", "minus"].map(|name| {
            let name = variable!("{name}");
            quote!(#name)
        }))
    }

    /// Binds these names.
    pub fn bind_saturating() -> TokenStream {
        let [times, plus, minus] = ["times", "plus", "minus"].map(|name| variable!("{name}"));
        quote! {
            let (#times, #plus, #minus) = (__private::times, __private::plus, __private::minus);
        }
    }

    fn saturating(&self, [times, plus, minus]: [TokenStream; 3]) -> TokenStream {
        if self.as_lit().is_some() {
            return self.tokens();
        }
        let term = |(atoms, factor): (&Vec<Atom>, &i128)| {
            let factors = atoms.iter().map(Atom::saturating_tokens);
            let number = usize::try_from(factor.unsigned_abs()).unwrap_or(usize::MAX);
            let number = (atoms.is_empty() || number > 1).then(|| {
                let number = Literal::usize_unsuffixed(number);
                quote!(#number)
            });
            let product = |left, right| quote!(#times(#left, #right));
            number.into_iter().chain(factors).reduce(product).expect("a term has a factor")
        };
        let sum = |positive: bool| {
            let terms = self.terms.iter().filter(|(_, f)| (**f > 0) == positive).map(term);
            terms.reduce(|left, right| quote!(#plus(#left, #right))).unwrap_or_else(|| quote!(0))
        };
        let (more, less) = (sum(true), sum(false));
        match self.terms.values().all(|factor| *factor > 0) {
            true => more,
            false => quote!(#minus(#more, #less)),
        }
    }

    /// The same as an `i128` that does not wrap, for checks by rustc.
    pub fn exact(&self) -> TokenStream {
        if let Some(number) = self.as_number() {
            let number = Literal::i128_suffixed(number);
            return quote!(#number);
        }
        if let Some(atom) = self.as_atom() {
            return atom.exact();
        }
        let terms = self.terms.iter().map(|(atoms, factor)| {
            let (factor, atoms) = (Literal::i128_suffixed(*factor), atoms.iter().map(Atom::exact));
            quote!((#factor, &[#(#atoms),*]))
        });
        quote!(__private::check::sum(&[#(#terms),*]))
    }
}

impl Atom {
    fn saturating_tokens(&self) -> TokenStream {
        match self {
            Self::Quotient(a, b) => {
                let (a, b) = (a.saturating_tokens(), b.saturating_tokens());
                quote!((#a / #b))
            }
            Self::Sum(a) => a.saturating_tokens(),
            Self::Run(_) | Self::Const(..) => self.tokens(),
        }
    }

    /// One operand.
    fn tokens(&self) -> TokenStream {
        match self {
            Self::Run(name) => {
                let name = run_ident(name);
                quote!(#name)
            }
            Self::Const(_, tokens) => tokens.clone(),
            Self::Quotient(a, b) => {
                let (a, b) = (a.tokens(), b.tokens());
                quote!((#a / #b))
            }
            Self::Sum(a) => a.tokens(),
        }
    }

    fn exact(&self) -> TokenStream {
        match self {
            Self::Run(_) | Self::Const(..) => {
                let size = self.tokens();
                quote!(__private::check::size(#size))
            }
            Self::Quotient(a, b) => {
                let (a, b) = (a.exact(), b.exact());
                quote!(__private::check::quotient(#a, #b))
            }
            Self::Sum(a) => a.exact(),
        }
    }
}

/// The variable that holds a run-time dimension in generated code: no argument and no constant of
/// the user's is called like it.
pub fn run_ident(name: &str) -> proc_macro2::Ident {
    variable!("{}_size", plain(name))
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.terms.is_empty() {
            return f.write_str("0");
        }
        if let Some(Atom::Quotient(a, b)) = self.as_atom() {
            return write!(f, "{} / {}", Operand(a), Operand(b));
        }
        // Products before plain numbers, and what is taken off at the end: `4*D + 1`, `D - N`.
        let (plus, minus): (Vec<_>, Vec<_>) = self.terms.iter().rev().partition(|(_, f)| **f > 0);
        let terms = plus.into_iter().chain(minus);
        for (i, (atoms, factor)) in terms.enumerate() {
            match (i, *factor < 0) {
                (0, false) => {}
                (0, true) => f.write_str("-")?,
                (_, false) => f.write_str(" + ")?,
                (_, true) => f.write_str(" - ")?,
            }
            let names: Vec<_> = atoms.iter().map(Atom::to_string).collect();
            match (atoms.is_empty(), factor.unsigned_abs()) {
                (true, n) => write!(f, "{n}")?,
                (false, 1) => f.write_str(&names.join("*"))?,
                (false, n) => write!(f, "{n}*{}", names.join("*"))?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(text) | Self::Const(text, _) => f.write_str(text),
            Self::Quotient(a, b) => write!(f, "({} / {})", Operand(a), Operand(b)),
            Self::Sum(a) => write!(f, "({a})"),
        }
    }
}

/// A size in a quotient.
struct Operand<'a>(&'a Dim);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_atom() {
            None if self.0.as_lit().is_none() => write!(f, "({})", self.0),
            Some(atom) => write!(f, "{atom}"),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<_> = self.0.iter().map(Dim::to_string).collect();
        write!(f, "[{}]", dims.join(", "))
    }
}
