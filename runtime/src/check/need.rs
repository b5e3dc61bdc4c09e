//! What the sizes of a run have to be, beyond what rustc knows: found before it starts.

use super::text::Text;

/// Sizes that are not as a function needs them.
#[derive(Clone, Copy, Debug)]
pub struct Unmet {
    message: &'static str,
    /// What stands between both.
    sign: &'static str,
    sizes: [(&'static str, i128); 2],
}

impl Unmet {
    /// `` `up` needs h and 2*(h / 2) to be equal: h = 15, 2*(h / 2) = 14 ``
    pub(crate) fn text(&self) -> String {
        let Self { message, sign, sizes: [(left, a), (right, b)] } = self;
        let number = |text: &str, number: &i128| match number.to_string() {
            plain if plain == text => plain,
            plain => format!("{text} = {plain}"),
        };
        format!("{message}: {}{sign}{}", number(left, a), number(right, b))
    }
}

/// Whether none of these sizes is 0, which stands for one that is not known yet.
const fn are_known(sizes: &[usize]) -> bool {
    let mut i = 0;
    while i < sizes.len() {
        if sizes[i] == 0 {
            return false;
        }
        i += 1;
    }
    true
}

/// A size that is made of these, or 0 where one of them is: it is not known yet.
pub const fn known(sizes: &[usize], made: usize) -> usize {
    if are_known(sizes) { made } else { 0 }
}

/// Two sizes that have to be equal, where all names in them are known: none of `names` is 0.
pub const fn equal_at_run_time(
    names: &[usize],
    left: (&'static str, i128),
    right: (&'static str, i128),
    message: &'static str,
) -> Option<Unmet> {
    if !are_known(names) || left.1 == right.1 {
        return None;
    }
    Some(Unmet { message, sign: ", ", sizes: [left, right] })
}

/// A size that must not be below another one.
pub const fn at_least_at_run_time(
    names: &[usize],
    size: (&'static str, i128),
    least: (&'static str, i128),
    message: &'static str,
) -> Option<Unmet> {
    if !are_known(names) || size.1 >= least.1 {
        return None;
    }
    Some(Unmet { message, sign: " is less than ", sizes: [size, least] })
}

/// The first of these.
pub const fn first(all: &[Option<Unmet>]) -> Option<Unmet> {
    let mut i = 0;
    while i < all.len() {
        if all[i].is_some() {
            return all[i];
        }
        i += 1;
    }
    None
}

/// Fails where a call gives a model sizes that it cannot take.
///
/// # Panics
/// Then, while rustc evaluates the constant: that is the error the user sees.
#[track_caller]
pub const fn met(unmet: Option<Unmet>, step: &'static str) {
    if let Some(Unmet { message, sign, sizes: [left, right] }) = unmet {
        let text = Text::new().str("in `").str(step).str("`: ").str(message).str(": ");
        let text = text.named(left.0, left.1).str(sign).named(right.0, right.1);
        panic!("{}", text.as_str());
    }
}
