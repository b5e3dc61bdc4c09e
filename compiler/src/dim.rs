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
    /// A constant that rustc evaluates: `VOCAB`, `D`, `size_of::<T>()`.
    Const(String, TokenStream),
}

impl Atom {
    pub fn text(&self) -> &str {
        match self {
            Self::Run(text) | Self::Const(text, _) => text,
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

impl Ord for Atom {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |atom: &Self| matches!(atom, Self::Const(..));
        key(self).cmp(&key(other)).then_with(|| self.text().cmp(other.text()))
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dim {
    terms: BTreeMap<Vec<Atom>, i64>,
}

impl Dim {
    pub fn lit(value: usize) -> Self {
        Self::term(Vec::new(), value as i64)
    }

    pub fn atom(atom: Atom) -> Self {
        Self::term(vec![atom], 1)
    }

    /// A size that generated code computes.
    pub fn expr(text: impl Into<String>, tokens: TokenStream) -> Self {
        Self::atom(Atom::Const(text.into(), tokens))
    }

    fn term(atoms: Vec<Atom>, factor: i64) -> Self {
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
        self.atoms().any(|atom| matches!(atom, Atom::Run(_)))
    }

    pub fn plus(&self, other: &Self) -> Self {
        self.combine(other, 1)
    }

    pub fn minus(&self, other: &Self) -> Self {
        self.combine(other, -1)
    }

    fn combine(&self, other: &Self, sign: i64) -> Self {
        let mut terms = self.terms.clone();
        for (atoms, factor) in &other.terms {
            *terms.entry(atoms.clone()).or_insert(0) += sign * factor;
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
                sum = sum.plus(&Self::term(atoms, fa * fb));
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

    /// `self / divisor`, rounded down; nothing when it depends on a run-time name.
    pub fn floor_divided_by(&self, divisor: &Self) -> Option<Self> {
        if let (Some(a), Some(b)) = (self.as_lit(), divisor.as_lit()) {
            return (b != 0).then(|| Self::lit(a / b));
        }
        if let Some(exact) = self.divided_by(divisor) {
            return Some(exact);
        }
        if self.is_run_time() || divisor.is_run_time() {
            return None;
        }
        if let Some(split) =
            divisor.as_lit().and_then(|divisor| self.floor_divided_by_number(divisor))
        {
            return Some(split);
        }
        let (a, b) = (self.tokens(), divisor.tokens());
        let text = format!("({self}) / ({divisor})");
        Some(Self::atom(Atom::Const(text, quote!(((#a) / (#b))))))
    }

    /// `⌊(2·D − 1) / 2⌋ = D − 1`: where all terms but the number are multiples of the divisor.
    fn floor_divided_by_number(&self, divisor: usize) -> Option<Self> {
        let divisor = i64::try_from(divisor).ok().filter(|divisor| *divisor > 0)?;
        let mut terms = BTreeMap::new();
        for (atoms, factor) in &self.terms {
            let quotient = factor.div_euclid(divisor);
            if !atoms.is_empty() && quotient * divisor != *factor {
                return None;
            }
            if quotient != 0 {
                terms.insert(atoms.clone(), quotient);
            }
        }
        Some(Self { terms })
    }

    /// Sizes are at least 1, so a difference whose terms all have one sign is not zero.
    pub fn compare(&self, other: &Self) -> Compared {
        let difference = self.minus(other);
        if difference.terms.is_empty() {
            Compared::Same
        } else if difference.terms.values().all(|f| *f > 0)
            || difference.terms.values().all(|f| *f < 0)
            || difference.is_run_time()
        {
            Compared::Different
        } else {
            Compared::Unknown
        }
    }

    /// A `usize` expression; run-time names are the variables of the generated function.
    pub fn tokens(&self) -> TokenStream {
        let term = |(atoms, factor): (&Vec<Atom>, &i64)| {
            let factors = atoms.iter().map(|atom| match atom {
                Atom::Run(name) => {
                    let name = run_ident(name);
                    quote!(#name)
                }
                Atom::Const(_, tokens) => tokens.clone(),
            });
            let number = Literal::usize_unsuffixed(factor.unsigned_abs() as usize);
            let number = (atoms.is_empty() || factor.abs() > 1).then(|| quote!(#number));
            let product = |left, right| quote!(#left * #right);
            number.into_iter().chain(factors).reduce(product).expect("a term has a factor")
        };
        let sign = |positive: bool| {
            self.terms.iter().filter(move |(_, f)| (**f > 0) == positive).map(term)
        };
        let (plus, minus): (Vec<_>, Vec<_>) = (sign(true).collect(), sign(false).collect());
        match plus.as_slice() {
            [] => quote!(0),
            [first, rest @ ..] => quote!(#first #(+ #rest)* #(- #minus)*),
        }
    }
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
        // Products before plain numbers: `4*D + 1`.
        let terms = self.terms.iter().rev();
        for (i, (atoms, factor)) in terms.enumerate() {
            match (i, *factor < 0) {
                (0, false) => {}
                (0, true) => f.write_str("-")?,
                (_, false) => f.write_str(" + ")?,
                (_, true) => f.write_str(" - ")?,
            }
            let names: Vec<_> = atoms.iter().map(Atom::text).collect();
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
