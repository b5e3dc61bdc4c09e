//! What functions take and give, as those that call them see it.

use super::text::same_text;
use super::{quotient, size};

/// A size in a signature.
#[derive(Clone, Copy, Debug)]
pub enum Size {
    /// Known to the compiler.
    Fixed(usize),
    /// Known at run time: `batch`.
    Run(&'static str),
    /// Made of such: `h / 2`, and its text.
    Made(&'static [Term], &'static str),
    /// The shape has a mistake that is reported elsewhere: fits everything.
    Unknown,
}

/// The type of an argument or a result.
#[derive(Clone, Copy, Debug)]
pub struct TypeSig {
    /// Whether it holds class indices.
    pub classes: bool,
    /// The sizes.
    pub dims: &'static [Size],
}

/// Floats of these sizes.
pub const fn floats(dims: &'static [Size]) -> TypeSig {
    TypeSig { classes: false, dims }
}

/// Class indices of these sizes.
pub const fn classes(dims: &'static [Size]) -> TypeSig {
    TypeSig { classes: true, dims }
}

/// What a function takes and gives.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// The arguments, with their names.
    pub args: &'static [(&'static str, TypeSig)],
    /// The results.
    pub results: &'static [TypeSig],
}

/// A part of a size that a run makes: a factor, and what it is a factor of.
pub type Term = (i128, &'static [Part]);

/// A factor of a part.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// A size that is known at run time.
    Run(&'static str),
    /// One that the compiler knows.
    Fixed(usize),
    /// `⌊a / b⌋`
    Quotient(&'static [Term], &'static [Term]),
    /// A sum.
    Sum(&'static [Term]),
}

/// The most names of run-time sizes that a model has.
pub(super) const NAMES: usize = 4;

/// What a function's names for run-time sizes stand for.
pub(super) type Names = [Option<(&'static str, Size)>; NAMES];

/// The numbers that they stand for in a try, as far as they are known.
pub(super) type Bound = [Option<(&'static str, i128)>; NAMES];

/// How often sizes are tried: each time with other numbers for the names.
pub(super) const TRIES: usize = 8;

/// What a number of a try is beyond a multiple of [`ROUND`]: in all tries, each name has each.
const RESTS: [i128; TRIES] = [0, 1, 2, 3, 5, 7, 11, 839];
const ROUND: i128 = 840;

/// A number for a name of the caller, another one in each try. Two sizes that are equal in all
/// tries are taken for equal: they are sums of few terms, which differ at most numbers, and what
/// divides has rests.
const fn number(name: &str, at: usize) -> i128 {
    // Fowler, Noll and Vo's hash (FNV-1a), mixed by the steps of SplitMix64 (S. Vigna).
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let (bytes, mut i) = (name.as_bytes(), 0);
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x100_0000_01b3);
        i += 1;
    }
    let first = mixed(hash);
    let own = mixed(hash.wrapping_add((at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let rest = RESTS[(first as usize % TRIES + at) % TRIES];
    ROUND * (10 + (own % 100_003) as i128) + rest
}

const fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The number that a size of the caller is in a try; nothing where it is not known.
pub(super) const fn here(size_: Size, at: usize) -> Option<i128> {
    match size_ {
        Size::Fixed(number) => Some(size(number)),
        Size::Run(name) => Some(number(name, at)),
        Size::Made(terms, _) => value(terms, &From::Try(at)),
        Size::Unknown => None,
    }
}

/// The number that a size of the function is, by what its names stand for.
pub(super) const fn there(size_: Size, bound: &Bound) -> Option<i128> {
    match size_ {
        Size::Fixed(number) => Some(size(number)),
        Size::Run(name) => find(name, bound),
        Size::Made(terms, _) => value(terms, &From::Bound(*bound)),
        Size::Unknown => None,
    }
}

/// A size of the function as the caller knows it: a name as what it stands for, and a number where
/// it is the same in each try.
pub(super) const fn as_here(size_: Size, names: &Names, bound: &[Bound; TRIES]) -> Size {
    if let Size::Run(name) = size_
        && let Some(here) = named(name, names)
    {
        return here;
    }
    let Some(first) = there(size_, &bound[0]) else { return size_ };
    let mut at = 1;
    while at < TRIES {
        match there(size_, &bound[at]) {
            Some(number) if number == first => {}
            _ => return size_,
        }
        at += 1;
    }
    if first >= 0 { Size::Fixed(first as usize) } else { size_ }
}

/// What a name stands for.
pub(super) const fn named(name: &str, names: &Names) -> Option<Size> {
    let mut i = 0;
    while i < names.len() {
        if let Some((known, size)) = names[i]
            && same_text(known, name)
        {
            return Some(size);
        }
        i += 1;
    }
    None
}

/// Where the numbers of names are from.
enum From {
    Try(usize),
    Bound(Bound),
}

pub(super) const fn find(name: &str, bound: &Bound) -> Option<i128> {
    let mut i = 0;
    while i < bound.len() {
        if let Some((known, value)) = bound[i]
            && same_text(known, name)
        {
            return Some(value);
        }
        i += 1;
    }
    None
}

const fn value(terms: &[Term], names: &From) -> Option<i128> {
    let (mut sum, mut i) = (0_i128, 0);
    while i < terms.len() {
        let (mut product, parts) = terms[i];
        let mut k = 0;
        while k < parts.len() {
            let Some(part) = part(parts[k], names) else { return None };
            product = product.saturating_mul(part);
            k += 1;
        }
        sum = sum.saturating_add(product);
        i += 1;
    }
    Some(sum)
}

const fn part(part: Part, names: &From) -> Option<i128> {
    match part {
        Part::Fixed(number) => Some(size(number)),
        Part::Run(name) => match names {
            From::Try(at) => Some(number(name, *at)),
            From::Bound(bound) => find(name, bound),
        },
        Part::Sum(terms) => value(terms, names),
        Part::Quotient(a, b) => match (value(a, names), value(b, names)) {
            (Some(a), Some(b)) => Some(quotient(a, b)),
            _ => None,
        },
    }
}
