//! Dimensions as the macro knows them: polynomials over numbers, the user's constants and
//! run-time names such as `batch`.

mod divide;
mod run_time;
mod text;

pub use text::run_ident;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use proc_macro2::TokenStream;

/// Something that a dimension depends on and that the macro cannot evaluate.
#[derive(Clone, Debug)]
pub enum Atom {
    /// A name whose value is known when the program runs: `batch`.
    Run(String),
    /// A constant that rustc evaluates: `VOCAB`, `D`, `size_of::<T>()`. Its tokens are one operand.
    Const(String, TokenStream),
    /// `⌊a / b⌋`, where neither the macro nor a simpler form can tell the number.
    Quotient(Box<Dim>, Box<Dim>),
    /// A sum that is not multiplied out, since products of it would be too long.
    Sum(Box<Dim>),
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

/// Names of runs, then constants by their text, then quotients and sums by their parts.
impl Ord for Atom {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Run(a), Self::Run(b)) | (Self::Const(a, _), Self::Const(b, _)) => a.cmp(b),
            (Self::Quotient(a, b), Self::Quotient(c, d)) => a.cmp(c).then_with(|| b.cmp(d)),
            (Self::Sum(a), Self::Sum(b)) => a.cmp(b),
            _ => self.kind().cmp(&other.kind()),
        }
    }
}

impl Atom {
    fn kind(&self) -> u8 {
        match self {
            Self::Run(_) => 0,
            Self::Const(..) => 1,
            Self::Quotient(..) => 2,
            Self::Sum(_) => 3,
        }
    }

    /// The sizes that it is made of.
    fn parts(&self) -> impl Iterator<Item = &Dim> {
        let (a, b) = match self {
            Self::Run(_) | Self::Const(..) => (None, None),
            Self::Quotient(a, b) => (Some(&**a), Some(&**b)),
            Self::Sum(a) => (Some(&**a), None),
        };
        a.into_iter().chain(b)
    }

    /// Whether the value is known only when the program runs.
    pub fn is_run_time(&self) -> bool {
        matches!(self, Self::Run(_)) || self.parts().any(Dim::is_run_time)
    }

    /// Whether it is `other`, or made of it.
    pub fn mentions(&self, other: &Self) -> bool {
        self == other || self.parts().flat_map(Dim::atoms).any(|atom| atom.mentions(other))
    }

    /// How many names it is made of.
    fn weight(&self) -> usize {
        self.parts().map(Dim::weight).sum::<usize>() + 1
    }

    /// Whether it may be 0, though sizes start at 1.
    fn may_be_zero(&self) -> bool {
        matches!(self, Self::Quotient(..) | Self::Sum(_))
    }
}

/// How two dimensions compare as far as the macro can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    Same,
    Different,
    /// Of constants, rustc can tell; of run-time sizes that are divided, the run.
    Unknown,
}

/// A dimension: a sum of products of atoms. `4*D + 1` is `{[D]: 4, []: 1}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dim {
    /// Factors saturate: what is out of range stays so, see [`Dim::is_out_of_range`].
    terms: BTreeMap<Vec<Atom>, i128>,
}

/// Factors beyond this are out of range: no `usize` holds them, and sums of them mean nothing.
const LARGEST_FACTOR: i128 = 1 << 62;

/// A product of sums is multiplied out up to this many names.
const LONGEST_PRODUCT: usize = 512;

impl Dim {
    pub fn lit(value: usize) -> Self {
        // A `usize` has 64 bits at most.
        Self::term(Vec::new(), i128::try_from(value).unwrap_or(i128::MAX))
    }

    pub fn atom(atom: Atom) -> Self {
        Self::term(vec![atom], 1)
    }

    /// A size that generated code computes.
    pub fn expr(text: impl Into<String>, tokens: TokenStream) -> Self {
        Self::atom(Atom::Const(text.into(), tokens))
    }

    /// `factor · atoms`
    pub fn term(mut atoms: Vec<Atom>, factor: i128) -> Self {
        atoms.sort();
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
        self.atoms().any(Atom::is_run_time)
    }

    /// How many names it is made of, those in its parts too.
    pub fn weight(&self) -> usize {
        self.terms.keys().map(|atoms| 1 + atoms.iter().map(Atom::weight).sum::<usize>()).sum()
    }

    /// Whether a factor in it is larger than any size: no arithmetic can be trusted with it.
    pub fn is_out_of_range(&self) -> bool {
        self.terms.iter().any(|(atoms, factor)| {
            factor.unsigned_abs() > LARGEST_FACTOR.unsigned_abs()
                || atoms.iter().flat_map(Atom::parts).any(Self::is_out_of_range)
        })
    }

    /// A number that it is not below, whatever the sizes in it are.
    pub fn least(&self) -> i128 {
        if self.terms.values().any(|factor| *factor < 0) {
            return 0;
        }
        let sure = self.terms.iter().filter(|(atoms, _)| !atoms.iter().any(Atom::may_be_zero));
        sure.fold(0, |sum: i128, (_, factor)| sum.saturating_add(*factor))
    }

    /// The same with every run-time size 1.
    pub fn of_one(&self) -> Self {
        let mut sum = Self::lit(0);
        for (atoms, factor) in &self.terms {
            let fixed = atoms.iter().filter(|atom| !atom.is_run_time()).cloned().collect();
            sum = sum.plus(&Self::term(fixed, *factor));
        }
        sum
    }

    /// The terms: products of atoms, and how often each is added.
    pub fn terms(&self) -> impl Iterator<Item = (&[Atom], i128)> {
        self.terms.iter().map(|(atoms, factor)| (atoms.as_slice(), *factor))
    }

    /// The run-time name that is the whole size.
    pub fn as_run(&self) -> Option<&str> {
        match self.as_atom() {
            Some(Atom::Run(name)) => Some(name),
            _ => None,
        }
    }

    /// The atom that is the whole size.
    pub fn as_atom(&self) -> Option<&Atom> {
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
        let (many, more) = (self.terms.len(), other.terms.len());
        let length = many * other.weight() + more * self.weight();
        if length > LONGEST_PRODUCT && (many > 1 || more > 1) {
            return self.closed().times(&other.closed());
        }
        let mut sum = Self::lit(0);
        for (a, fa) in &self.terms {
            for (b, fb) in &other.terms {
                let atoms = a.iter().chain(b).cloned().collect();
                sum = sum.plus(&Self::term(atoms, fa.saturating_mul(*fb)));
            }
        }
        sum
    }

    /// The same as one term: a sum becomes a single name, but for the factors of all its terms.
    pub fn closed(&self) -> Self {
        if self.terms.len() <= 1 {
            return self.clone();
        }
        let common = common_factors(self.terms.keys());
        let rest = self.divided_by(&Self::term(common.clone(), 1)).unwrap_or_else(|| self.clone());
        Self::term([common, vec![Atom::Sum(Box::new(rest))]].concat(), 1)
    }

    /// Both without the atoms that are factors of all their terms. Sizes are at least 1, so they
    /// are equal when these are.
    pub fn without_common_factors(&self, other: &Self) -> (Self, Self) {
        let common = Self::term(common_factors(self.terms.keys().chain(other.terms.keys())), 1);
        let reduced = |dim: &Self| dim.divided_by(&common).unwrap_or_else(|| dim.clone());
        (reduced(self), reduced(other))
    }

    /// The number, of either sign, when it is one.
    fn as_number(&self) -> Option<i128> {
        match self.terms.first_key_value() {
            None => Some(0),
            Some((atoms, factor)) if atoms.is_empty() && self.terms.len() == 1 => Some(*factor),
            _ => None,
        }
    }

    /// Sizes are at least 1, so a difference whose terms all have one sign is not zero. A quotient
    /// may be zero, and makes no difference by itself. Run-time sizes of two names differ; those of
    /// which quotients are equal for some runs are left to the run.
    pub fn compare(&self, other: &Self) -> Compared {
        let difference = self.minus(other);
        let is_positive = |sign: i128| {
            difference.terms.values().all(|factor| factor.signum() == sign)
                && difference.terms.keys().any(|atoms| !atoms.iter().any(Atom::may_be_zero))
        };
        let differs = || {
            is_positive(1)
                || is_positive(-1)
                || (difference.is_run_time() && !difference.may_vanish())
        };
        if difference.terms.is_empty() {
            Compared::Same
        } else if differs() {
            Compared::Different
        } else {
            Compared::Unknown
        }
    }

    /// The same with other sizes in the place of names, of all that `of` knows. Nothing where a
    /// quotient has no form, or where a constant that `of` does not know may be made of its names.
    pub fn with(&self, of: &dyn Fn(&Atom) -> Option<Self>) -> Option<Self> {
        let mut sum = Self::lit(0);
        for (atoms, factor) in &self.terms {
            let mut product = Self::term(Vec::new(), *factor);
            for atom in atoms {
                product = product.times(&match atom {
                    Atom::Quotient(a, b) => a.with(of)?.floor_divided_by(&b.with(of)?)?,
                    Atom::Sum(a) => a.with(of)?,
                    other => of(other)?,
                });
            }
            sum = sum.plus(&product);
        }
        Some(sum)
    }

    /// The number that it is where `of` knows each name; nothing where it does not, or where a
    /// difference is negative.
    pub fn evaluate(&self, of: &dyn Fn(&Atom) -> Option<usize>) -> Option<usize> {
        let of_atom = |atom: &Atom| match atom {
            Atom::Quotient(a, b) => a.evaluate(of)?.checked_div(b.evaluate(of)?),
            Atom::Sum(a) => a.evaluate(of),
            other => of(other),
        };
        let mut sum = 0i128;
        for (atoms, factor) in &self.terms {
            let mut product = *factor;
            for atom in atoms {
                product = product.checked_mul(i128::try_from(of_atom(atom)?).ok()?)?;
            }
            sum = sum.checked_add(product)?;
        }
        usize::try_from(sum).ok()
    }
}

/// The atoms that are factors of all of these.
fn common_factors<'a>(mut terms: impl Iterator<Item = &'a Vec<Atom>>) -> Vec<Atom> {
    let mut common = terms.next().cloned().unwrap_or_default();
    for atoms in terms {
        let mut rest = atoms.clone();
        common.retain(|atom| {
            let found = rest.iter().position(|other| other == atom);
            found.map(|at| rest.remove(at)).is_some()
        });
    }
    common
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
