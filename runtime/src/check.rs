//! Checks that rustc evaluates: sizes that are the user's constants, and the shapes at which one
//! model calls another. A failed check is an error at the user's token, in decimals.

mod budget;
mod call;
mod need;
mod signature;
mod text;

pub use budget::{Figure, Fits, Largest, Over, Shares, Smaller};
pub use call::{Call, Calls, has};
pub use need::{Unmet, at_least_at_run_time, equal_at_run_time, first, known, met};
pub use signature::{Part, Signature, Size, Term, TypeSig, classes, floats};

use crate::constant::{Axes, Constant};
use text::Text;

/// The largest size, and the most floats of a value: 4 TiB. No product of two of them overflows.
pub const MOST: i128 = 1 << 40;

/// A size in the arithmetic of checks, which does not wrap: beyond its range a number stays at its
/// end.
pub const fn size(size: usize) -> i128 {
    // A `usize` has 64 bits at most.
    size as i128
}

/// A sum of products.
pub const fn sum(terms: &[(i128, &[i128])]) -> i128 {
    let (mut sum, mut i) = (0i128, 0);
    while i < terms.len() {
        let (mut product, factors) = terms[i];
        let mut k = 0;
        while k < factors.len() {
            product = product.saturating_mul(factors[k]);
            k += 1;
        }
        sum = sum.saturating_add(product);
        i += 1;
    }
    sum
}

/// `⌊a / b⌋`; a divisor that is no size is reported where it stands, and gives 0 here.
pub const fn quotient(a: i128, b: i128) -> i128 {
    match b > 0 {
        true => a.div_euclid(b),
        false => 0,
    }
}

/// Fails when a value of these sizes, with their texts, is larger than any memory.
///
/// # Panics
/// Then, while rustc evaluates the constant: that is the error the user sees.
#[track_caller]
pub const fn memory(sizes: &[(i128, &'static str)], message: &'static str) {
    let (mut floats, mut i) = (1i128, 0);
    while i < sizes.len() {
        floats = floats.saturating_mul(if sizes[i].0 > 1 { sizes[i].0 } else { 1 });
        i += 1;
    }
    if floats <= MOST {
        return;
    }
    let mut text = Text::new().str(message).str(": this is more than any memory holds");
    let mut i = 0;
    while i < sizes.len() {
        text = text.str(if i == 0 { "\n  sizes: " } else { ", " }).named(sizes[i].1, sizes[i].0);
        i += 1;
    }
    panic!("{}", text.as_str());
}

/// Fails when two sizes differ.
///
/// # Panics
/// Then, while rustc evaluates the constant: that is the error the user sees.
#[track_caller]
pub const fn equal(
    left: i128,
    right: i128,
    left_text: &'static str,
    right_text: &'static str,
    message: &'static str,
) {
    if left != right {
        let text = Text::new().str(message).str(": ");
        let text = text.named(left_text, left).str(", ").named(right_text, right);
        panic!("{}", text.as_str());
    }
}

/// Fails when a size is too small.
///
/// # Panics
/// Then, while rustc evaluates the constant: that is the error the user sees.
#[track_caller]
pub const fn at_least(
    size: i128,
    least: i128,
    size_text: &'static str,
    least_text: &'static str,
    message: &'static str,
) {
    if size < least {
        let text = Text::new().str(message).str(": ").named(size_text, size);
        let text = text.str(" is less than ").named(least_text, least);
        panic!("{}", text.as_str());
    }
}

/// The numbers that can be meant.
#[derive(Clone, Copy, Debug)]
pub enum Range {
    /// All that are finite.
    Any,
    /// From 0 on.
    NotNegative,
    /// Above 0.
    Positive,
    /// From 0 to 1.
    Unit,
    /// Whole ones that an `f32` holds.
    Whole,
}

/// Fails when a number is not in its range, or not finite.
///
/// # Panics
/// Then, while rustc evaluates the constant: that is the error the user sees.
#[track_caller]
pub const fn within(number: f32, range: Range, text: &'static str, message: &'static str) {
    let holds = match range {
        Range::Any => true,
        Range::NotNegative => number >= 0.0,
        Range::Positive => number > 0.0,
        Range::Unit => number >= 0.0 && number <= 1.0,
        Range::Whole => number as i32 as f32 == number && number.abs() <= 16_777_216.0,
    };
    if !(holds && number.is_finite()) {
        let text = Text::new().str(message).str(", but `").str(text).str("` is not");
        panic!("{}", text.as_str());
    }
}

/// Fails when a constant has other sizes than the text states.
///
/// # Panics
/// Then, while rustc evaluates the constant: that is the error the user sees.
#[track_caller]
pub const fn constant(found: &Axes, stated: &[usize], name: &'static str) {
    if !found.are(stated) {
        let text = Text::new().str("`").str(name).str("` is stated as ").sizes(stated);
        panic!("{}", text.str(" here, but is ").sizes(found.axes()).as_str());
    }
}

/// A number of a constant as a class index.
///
/// # Panics
/// When it is none, while rustc evaluates the constant: that is the error the user sees.
#[track_caller]
pub const fn class_index(number: i128, name: &'static str) -> u32 {
    if number < 0 || number > u32::MAX as i128 {
        let text = Text::new().str("`").str(name).str("` has the number ").exact(number);
        panic!("{}", text.str(", which is no class").as_str());
    }
    number as u32
}

/// Fails when a class index of a constant is none of `below` classes.
///
/// # Panics
/// Then, while rustc evaluates the constant: that is the error the user sees.
#[track_caller]
pub const fn constant_classes(indices: &Constant<u32>, below: usize, name: &'static str) {
    let mut at = 0;
    while at < indices.numbers().len() {
        let index = indices.numbers()[at] as usize;
        if index >= below {
            let text = Text::new().str("`").str(name).str("` has the class ").number(index);
            panic!("{}", text.str(", but classes go from 0 to ").number(below - 1).as_str());
        }
        at += 1;
    }
}

/// A number: nothing implements it for arrays.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is an array here, and no number",
    label = "state its shape: `let a: [8, 8] = ARRAY;`",
    note = "a `model!` knows the sizes of constants that stand in it; of others a `let` states them"
)]
pub trait Number {}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(impl Number for $number {})*
    };
}

numbers!(f32, f64, u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);

/// A size: nothing but `usize` implements it.
#[diagnostic::on_unimplemented(
    message = "a size is a `usize`, and this constant is `{Self}`",
    label = "declare it as a `usize`",
    note = "in a `model!`, the sizes of layers and of shapes are literals, or constants of type `usize`"
)]
pub trait ProgramSize {}

impl ProgramSize for usize {}

/// Compiles where a constant is a size.
pub const fn size_of_program<T: ProgramSize>(_: &T) {}

/// Compiles where a constant is a number.
pub const fn number<T: Number>(_: &T) {}

/// Fails when an axis has more elements than there are places for `argmax`.
///
/// # Panics
/// Then, while rustc evaluates the constant: that is the error the user sees.
#[track_caller]
pub const fn has_places(size: usize) {
    if size > crate::ops::argmax::MOST {
        let text = Text::new().str("`argmax` finds places along ").number(size);
        let text = text.str(" elements: they are whole numbers in `f32`s, which are exact up to ");
        let text = text.number(crate::ops::argmax::MOST - 1);
        panic!("{}", text.as_str());
    }
}

/// Where an argument or a result of a function has no axis of positions.
pub const NO_AXIS: usize = usize::MAX;

/// Fails when a function that runs step by step calls one that does not, by other lengths, or with
/// positions where it sees none: `axes` are those of its arguments and results, as it sees them and
/// as the caller does.
///
/// # Panics
/// Then, while rustc evaluates the constant: that is the error the user sees.
#[track_caller]
pub const fn steps(
    callee: Option<usize>,
    length: usize,
    axes: [&'static [usize]; 2],
    step: &'static str,
    called: &'static str,
) {
    let text = Text::new().str("`").str(step).str("` runs step by step here, but `").str(called);
    let text = match callee {
        Some(found) if found == length => {
            let [theirs, ours] = axes;
            let mut at = 0;
            // Of another number of arguments the check of the call speaks.
            while at < theirs.len() && at < ours.len() && theirs.len() == ours.len() {
                if theirs[at] != ours[at] {
                    break;
                }
                at += 1;
            }
            if at == theirs.len() || theirs.len() != ours.len() {
                return;
            }
            let text = text.str("` has its positions elsewhere in number ").number(at + 1);
            text.str(
                " of its arguments and results\n  help: write their size as `#[step(…)]` has it",
            )
        }
        Some(found) => {
            let text = text.str("` has sequences of ").number(found);
            text.str(" positions, not of ").number(length)
        }
        None => text.str("` does not\n  help: write `#[step(").number(length).str(")]` above it"),
    };
    panic!("{}", text.as_str());
}

/// Where the gradients of a function's results get to.
#[derive(Clone, Copy, Debug)]
pub struct Flows<const ARGS: usize> {
    /// A field whose parameters the function reads and no gradient reaches.
    pub dead: Option<&'static str>,
    /// Whether one reaches an argument.
    pub args: [bool; ARGS],
}

impl<const ARGS: usize> Flows<ARGS> {
    /// Whether a gradient reaches an argument; of one that is not there, the check of the call
    /// speaks.
    pub const fn arg(&self, at: usize) -> bool {
        at >= ARGS || self.args[at]
    }
}

/// Fails when no gradient gets to the parameters of a field.
///
/// # Panics
/// Then, while rustc evaluates the constant: that is the error the user sees.
#[track_caller]
pub const fn trained(is_reached: bool, field: &'static str, losses: &'static str) {
    if !is_reached {
        let text = Text::new().str("no gradient gets from ").str(losses);
        let text = text.str(" to the parameters of `").str(field).str("`");
        let text = text
            .str("\n  help: on all ways are steps such as `argmax` or `gt`, whose derivative is 0, or `detach`");
        panic!("{}", text.str(": they would never be trained").as_str());
    }
}

/// Fails: a function with `#[trains(…)]` is called by another one, whose gradient it does not give.
///
/// # Panics
/// While rustc evaluates the constant of the call: that is the error the user sees.
#[track_caller]
pub const fn trains_alone(function: &'static str) {
    let text =
        Text::new().str("`").str(function).str("` says what it trains, so its gradient is not");
    let text = text.str(" one of a function that calls it\n  help: put what both compute into a");
    panic!("{}", text.str(" function without `#[trains(…)]`").as_str());
}

/// What the gradient of a loss is asked for where it reaches no parameter: nothing implements it.
#[diagnostic::on_unimplemented(
    message = "this loss trains nothing: its gradient reaches no parameter of the model",
    label = "all gradients would be zero",
    note = "a loss depends on the parameters by steps that have a derivative; `argmax` and comparisons have none, `detach` and `#[frozen]` let none through"
)]
pub trait ReachesParameters {}
