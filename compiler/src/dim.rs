//! Dimensions as the macro knows them: polynomials over numbers, the user's constants and
//! run-time names such as `batch`.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use proc_macro2::{Literal, TokenStream};
use quote::quote;

/// Something that a dimension depends on and that the macro cannot evaluate.
#[derive(Clone, Debug)]
pub enum Atom {
    /// A name whose value is known when the program runs: `batch`.
    Run(String),
    /// A constant that rustc evaluates: `VOCAB`, `D`, `size_of::<T>()`. Its tokens are one operand.
    Const(String, TokenStream),
    /// `⌊a / b⌋`, where neither the macro nor a simpler form can tell the number.
    Quotient(Box<Dim>, Box<Dim>),
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(text) | Self::Const(text, _) => f.write_str(text),
            Self::Quotient(a, b) => {
                let operand = |dim: &Dim| match dim.is_operand() {
                    true => dim.to_string(),
                    false => format!("({dim})"),
                };
                write!(f, "({} / {})", operand(a), operand(b))
            }
        }
    }
}

impl PartialEq for Atom {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Atom {}

impl PartialOrd for Atom {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Names of runs, then constants by their text, then quotients by their parts.
impl Ord for Atom {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Run(a), Self::Run(b)) | (Self::Const(a, _), Self::Const(b, _)) => a.cmp(b),
            (Self::Quotient(a, b), Self::Quotient(c, d)) => a.cmp(c).then_with(|| b.cmp(d)),
            (Self::Run(_), _) | (Self::Const(..), Self::Quotient(..)) => Ordering::Less,
            (_, Self::Run(_)) | (Self::Quotient(..), Self::Const(..)) => Ordering::Greater,
        }
    }
}

/// How two dimensions compare as far as the macro can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    Same,
    Different,
    /// Only rustc can tell: both are constants.
    Unknown,
}

/// A dimension: a sum of products of atoms. `4*D + 1` is `{[D]: 4, []: 1}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dim {
    /// Factors saturate: what is beyond every memory stays so.
    terms: BTreeMap<Vec<Atom>, i128>,
}

impl Dim {
    pub fn lit(value: usize) -> Self {
        Self::term(Vec::new(), value as i128)
    }

    pub fn atom(atom: Atom) -> Self {
        Self::term(vec![atom], 1)
    }

    /// A size that generated code computes.
    pub fn expr(text: impl Into<String>, tokens: TokenStream) -> Self {
        Self::atom(Atom::Const(text.into(), tokens))
    }

    fn term(atoms: Vec<Atom>, factor: i128) -> Self {
        let terms = if factor == 0 { BTreeMap::new() } else { BTreeMap::from([(atoms, factor)]) };
        Self { terms }
    }

    /// The number, when it is one.
    pub fn as_lit(&self) -> Option<usize> {
        match self.terms.first_key_value() {
            None => Some(0),
            Some((atoms, factor)) if atoms.is_empty() && self.terms.len() == 1 => {
                usize::try_from(*factor).ok()
            }
            _ => None,
        }
    }

    pub fn is_one(&self) -> bool {
        self.as_lit() == Some(1)
    }

    pub fn atoms(&self) -> impl Iterator<Item = &Atom> {
        self.terms.keys().flatten()
    }

    /// Whether the value is known only when the program runs.
    pub fn is_run_time(&self) -> bool {
        self.atoms().any(|atom| match atom {
            Atom::Run(_) => true,
            Atom::Const(..) => false,
            Atom::Quotient(a, b) => a.is_run_time() || b.is_run_time(),
        })
    }

    /// The run-time name that is the whole size.
    pub fn as_run(&self) -> Option<&str> {
        match self.as_atom() {
            Some(Atom::Run(name)) => Some(name),
            _ => None,
        }
    }

    /// The atom that is the whole size.
    fn as_atom(&self) -> Option<&Atom> {
        let (atoms, factor) = self.terms.first_key_value()?;
        match atoms.as_slice() {
            [atom] if self.terms.len() == 1 && *factor == 1 => Some(atom),
            _ => None,
        }
    }

    /// Whether it is a single name or number.
    fn is_operand(&self) -> bool {
        self.as_lit().is_some() || self.as_atom().is_some()
    }

    pub fn plus(&self, other: &Self) -> Self {
        self.combine(other, 1)
    }

    pub fn minus(&self, other: &Self) -> Self {
        self.combine(other, -1)
    }

    fn combine(&self, other: &Self, sign: i128) -> Self {
        let mut terms = self.terms.clone();
        for (atoms, factor) in &other.terms {
            let sum = terms.entry(atoms.clone()).or_insert(0);
            *sum = sum.saturating_add(factor.saturating_mul(sign));
        }
        terms.retain(|_, factor| *factor != 0);
        Self { terms }
    }

    pub fn times(&self, other: &Self) -> Self {
        let mut sum = Self::lit(0);
        for (a, fa) in &self.terms {
            for (b, fb) in &other.terms {
                let mut atoms: Vec<_> = a.iter().chain(b).cloned().collect();
                atoms.sort();
                sum = sum.plus(&Self::term(atoms, fa.saturating_mul(*fb)));
            }
        }
        sum
    }

    /// Both without the atoms that are factors of all their terms. Sizes are at least 1, so they are
    /// equal when these are.
    pub fn without_common_factors(&self, other: &Self) -> (Self, Self) {
        let mut terms = self.terms.keys().chain(other.terms.keys());
        let mut common = terms.next().cloned().unwrap_or_default();
        for atoms in terms {
            let mut rest = atoms.clone();
            common.retain(|atom| {
                let found = rest.iter().position(|other| other == atom);
                found.map(|at| rest.remove(at)).is_some()
            });
        }
        let common = Self::term(common, 1);
        let reduced = |dim: &Self| dim.divided_by(&common).unwrap_or_else(|| dim.clone());
        (reduced(self), reduced(other))
    }

    /// The exact quotient, when there is one that the macro can see.
    pub fn divided_by(&self, divisor: &Self) -> Option<Self> {
        let [(atoms, factor)] = divisor.terms.iter().collect::<Vec<_>>()[..] else { return None };
        let mut quotient = Self::lit(0);
        for (own, f) in &self.terms {
            let mut rest = own.clone();
            for atom in atoms {
                rest.remove(rest.iter().position(|a| a == atom)?);
            }
            if f % factor != 0 {
                return None;
            }
            quotient = quotient.plus(&Self::term(rest, f / factor));
        }
        Some(quotient)
    }

    /// `⌊self / divisor⌋`; nothing when it depends on a run-time name.
    pub fn floor_divided_by(&self, divisor: &Self) -> Option<Self> {
        if divisor.terms.is_empty() {
            return None;
        }
        if let Some(exact) = self.divided_by(divisor) {
            return Some(exact);
        }
        if self.is_run_time() || divisor.is_run_time() {
            return None;
        }
        let (whole, rest) = self.split_multiples(divisor);
        if rest.terms.is_empty() {
            return Some(whole);
        }
        // ⌊⌊a / b⌋ / c⌋ = ⌊a / (b·c)⌋
        let (rest, divisor) = match rest.as_atom() {
            Some(Atom::Quotient(a, b)) => ((**a).clone(), b.times(divisor)),
            _ => (rest, divisor.clone()),
        };
        let (rest, divisor) = without_common_number(&rest, &divisor);
        Some(whole.plus(&Self::atom(Atom::Quotient(Box::new(rest), Box::new(divisor)))))
    }

    /// The quotients of the terms that are multiples of the divisor, and the sum of the others, which
    /// is zero where it is a number below the divisor: ⌊(q·d + r) / d⌋ = q + ⌊r / d⌋.
    fn split_multiples(&self, divisor: &Self) -> (Self, Self) {
        let whole = (Self::lit(0), self.clone());
        if divisor.terms.len() != 1 {
            return whole;
        }
        let (mut quotient, mut rest) = (Self::lit(0), Self::lit(0));
        for (atoms, factor) in &self.terms {
            let term = Self::term(atoms.clone(), *factor);
            match (term.divided_by(divisor), divisor.as_number()) {
                (Some(exact), _) => quotient = quotient.plus(&exact),
                (None, Some(number)) if atoms.is_empty() => {
                    quotient = quotient.plus(&Self::term(Vec::new(), factor.div_euclid(number)));
                    rest = rest.plus(&Self::term(Vec::new(), factor.rem_euclid(number)));
                }
                _ => rest = rest.plus(&term),
            }
        }
        // Sizes are unsigned, in generated code too: a rest that may be negative stays with the others.
        if rest.terms.values().any(|factor| *factor < 0) {
            return whole;
        }
        match (rest.as_number(), divisor.as_number()) {
            (Some(number), Some(divisor)) if number < divisor => (quotient, Self::lit(0)),
            _ => (quotient, rest),
        }
    }

    /// The number, of either sign, when it is one.
    fn as_number(&self) -> Option<i128> {
        match self.terms.first_key_value() {
            None => Some(0),
            Some((atoms, factor)) if atoms.is_empty() && self.terms.len() == 1 => Some(*factor),
            _ => None,
        }
    }

    /// Sizes are at least 1, so a difference whose terms all have one sign is not zero. A quotient may
    /// be zero, and makes no difference by itself.
    pub fn compare(&self, other: &Self) -> Compared {
        let difference = self.minus(other);
        let has_quotient = |atoms: &[Atom]| atoms.iter().any(|a| matches!(a, Atom::Quotient(..)));
        let is_positive = |sign: i128| {
            difference.terms.values().all(|factor| factor.signum() == sign)
                && difference.terms.keys().any(|atoms| !has_quotient(atoms))
        };
        if difference.terms.is_empty() {
            Compared::Same
        } else if is_positive(1) || is_positive(-1) || difference.is_run_time() {
            Compared::Different
        } else {
            Compared::Unknown
        }
    }

    /// The number that it is where `of` knows each name; nothing where it does not, or where a difference
    /// is negative.
    pub fn evaluate(&self, of: &dyn Fn(&Atom) -> Option<usize>) -> Option<usize> {
        let of_atom = |atom: &Atom| match atom {
            Atom::Quotient(a, b) => a.evaluate(of)?.checked_div(b.evaluate(of)?),
            other => of(other),
        };
        let mut sum = 0i128;
        for (atoms, factor) in &self.terms {
            let mut product = *factor;
            for atom in atoms {
                product = product.checked_mul(of_atom(atom)? as i128)?;
            }
            sum = sum.checked_add(product)?;
        }
        usize::try_from(sum).ok()
    }

    /// A `usize` expression; run-time names are the variables of the generated function. It is one
    /// operand, so that it can be pasted into any other expression.
    pub fn tokens(&self) -> TokenStream {
        let term = |(atoms, factor): (&Vec<Atom>, &i128)| {
            let factors = atoms.iter().map(Atom::tokens);
            let number = usize::try_from(factor.unsigned_abs()).unwrap_or(usize::MAX);
            let number = (atoms.is_empty() || number > 1).then(|| {
                let number = Literal::usize_unsuffixed(number);
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

    /// The same for sizes of memory, which nobody has looked at yet: where a product or a sum leaves the
    /// range it is the largest number.
    pub fn saturating_tokens(&self) -> TokenStream {
        if self.as_lit().is_some() {
            return self.tokens();
        }
        let (times, plus) = (quote!(::gradiron::arena::times), quote!(::gradiron::arena::plus));
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
            false => quote!(::gradiron::arena::minus(#more, #less)),
        }
    }
}

impl Atom {
    fn saturating_tokens(&self) -> TokenStream {
        match self {
            Self::Quotient(a, b) => {
                let (a, b) = (a.saturating_tokens(), b.saturating_tokens());
                quote!((#a / #b))
            }
            _ => self.tokens(),
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
        }
    }
}

/// Both without the greatest number that divides all their terms: ⌊2·a / 2·b⌋ = ⌊a / b⌋.
fn without_common_number(a: &Dim, b: &Dim) -> (Dim, Dim) {
    let greatest = |a: i128, b: i128| {
        let (mut a, mut b) = (a.abs(), b.abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let common = a.terms.values().chain(b.terms.values()).copied().fold(0, greatest);
    let reduced = |dim: &Dim| {
        let terms = dim.terms.iter().map(|(atoms, factor)| (atoms.clone(), factor / common));
        Dim { terms: terms.collect() }
    };
    (reduced(a), reduced(b))
}

/// The variable that holds a run-time dimension in generated code: no argument and no constant of the
/// user's is called like it.
pub fn run_ident(name: &str) -> proc_macro2::Ident {
    proc_macro2::Ident::new(&format!("{name}_size"), proc_macro2::Span::mixed_site())
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.terms.is_empty() {
            return f.write_str("0");
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
            match (atoms.is_empty(), factor.abs()) {
                (true, n) => write!(f, "{n}")?,
                (false, 1) => f.write_str(&names.join("*"))?,
                (false, n) => write!(f, "{n}*{}", names.join("*"))?,
            }
        }
        Ok(())
    }
}

/// The dimensions of a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Shape(pub Vec<Dim>);

impl Shape {
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The number of elements.
    pub fn len(&self) -> Dim {
        product(&self.0)
    }
}

pub fn product(dims: &[Dim]) -> Dim {
    dims.iter().fold(Dim::lit(1), |product, dim| product.times(dim))
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<_> = self.0.iter().map(Dim::to_string).collect();
        write!(f, "[{}]", dims.join(", "))
    }
}
