//! The options of rows, with their defaults and what they may be.

use crate::range::Range;

/// An option, `stride = 2`.
#[derive(Clone, Copy, Debug)]
pub struct OptionRow {
    pub name: &'static str,
    pub default: Preset,
    pub takes: Domain,
    /// What tests write in its place: a word of capitals (`tests/agree`), or words to choose from.
    pub drawn: &'static str,
    /// Names that it had, or has elsewhere.
    pub other_names: &'static [&'static str],
}

/// What an option is where it is not written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Preset {
    /// It has to be written.
    Needed,
    Flag(bool),
    Number(f64),
    /// The first of its words.
    First,
    /// An axis, counted from the end where it is negative.
    Axis(isize),
    /// What the text says, for readers.
    Text(&'static str),
}

/// What an option may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// `true` or `false`
    Flag,
    Number(Range),
    /// A size, from this one on.
    Size(usize),
    /// A size of the input, which may only be written down.
    InputSize,
    /// A size, or one for the height and one for the width, each from this one on.
    Pair(usize),
    Words(&'static [&'static str]),
    /// An axis, counted from the end where it is negative.
    Axis,
    /// A second value of numbers, whose shape the text says.
    Value(&'static str),
    /// Class indices.
    Indices,
    /// What the text says.
    Other(&'static str),
}

impl OptionRow {
    /// An option that has to be written, or whose default is said by [`OptionRow::or`].
    pub const fn new(name: &'static str, takes: Domain, drawn: &'static str) -> Self {
        Self { name, default: Preset::Needed, takes, drawn, other_names: &[] }
    }

    pub const fn flag(name: &'static str, default: bool) -> Self {
        Self { default: Preset::Flag(default), ..Self::new(name, Domain::Flag, "BOOL") }
    }

    pub const fn number(name: &'static str, default: f64, range: Range) -> Self {
        let drawn = match range {
            Range::Unit => "PART",
            Range::Positive | Range::NotNegative => "POSITIVE",
            Range::Any | Range::Whole => "NUM",
        };
        Self { default: Preset::Number(default), ..Self::new(name, Domain::Number(range), drawn) }
    }

    /// `5`, or `(3, 5)` for the height and the width, each from `least` on.
    pub const fn pair(name: &'static str, least: usize) -> Self {
        Self::new(name, Domain::Pair(least), if least == 0 { "P" } else { "K" })
    }

    /// One of some words, the first where it is not written; `drawn` has the words with `|`
    /// between.
    pub const fn words(
        name: &'static str,
        words: &'static [&'static str],
        drawn: &'static str,
    ) -> Self {
        Self { default: Preset::First, ..Self::new(name, Domain::Words(words), drawn) }
    }

    /// An axis, counted from the end where it is negative.
    pub const fn axis(name: &'static str) -> Self {
        Self::new(name, Domain::Axis, "AXIS")
    }

    /// An axis that may be left out.
    pub const fn axis_or(name: &'static str, default: isize) -> Self {
        Self { default: Preset::Axis(default), ..Self::axis(name) }
    }

    /// Its default, as readers see it.
    pub const fn or(self, default: &'static str) -> Self {
        Self { default: Preset::Text(default), ..self }
    }

    /// What tests write in its place.
    pub const fn drawn(self, drawn: &'static str) -> Self {
        Self { drawn, ..self }
    }

    /// Names that it had, or has elsewhere: to write one is a mistake that says the right one.
    pub const fn other_names(self, other_names: &'static [&'static str]) -> Self {
        Self { other_names, ..self }
    }

    /// `stride = K?`: the question mark is behind what may be left out.
    pub fn sample(&self) -> String {
        let may_be_left_out = if self.default == Preset::Needed { "" } else { "?" };
        format!("{} = {}{may_be_left_out}", self.name, self.drawn)
    }

    /// The default of a flag.
    pub fn default_flag(&self) -> bool {
        match self.default {
            Preset::Flag(default) => default,
            _ => panic!("bug: the option `{}` is no flag", self.name),
        }
    }

    /// The default of a number, where there is one.
    pub fn default_number(&self) -> Option<f64> {
        match self.default {
            Preset::Number(default) => Some(default),
            Preset::Needed | Preset::Text(_) => None,
            Preset::Flag(_) | Preset::First | Preset::Axis(_) => {
                panic!("bug: the option `{}` is no number", self.name)
            }
        }
    }

    /// The range of a number.
    pub fn range(&self) -> Range {
        match self.takes {
            Domain::Number(range) => range,
            _ => panic!("bug: the option `{}` is no number", self.name),
        }
    }

    /// The least size.
    pub fn least(&self) -> usize {
        match self.takes {
            Domain::Size(least) | Domain::Pair(least) => least,
            _ => panic!("bug: the option `{}` is no size", self.name),
        }
    }

    /// The words to choose from.
    pub fn choices(&self) -> &'static [&'static str] {
        match self.takes {
            Domain::Words(words) => words,
            _ => panic!("bug: the option `{}` is no word", self.name),
        }
    }

    /// The default, as text.
    pub fn default_text(&self) -> String {
        match self.default {
            Preset::Needed => "has to be written".into(),
            Preset::Flag(default) => format!("`{default}`"),
            Preset::Number(default) => format!("`{default:?}`"),
            Preset::First => format!("`{}`", self.choices()[0]),
            Preset::Axis(default) => format!("`{default}`"),
            Preset::Text(text) => text.into(),
        }
    }

    /// What it may be, as text.
    pub fn domain_text(&self) -> String {
        match self.takes {
            Domain::Flag => "`true` or `false`".into(),
            Domain::Number(Range::Any) => "a number".into(),
            Domain::Number(Range::Whole) => "a whole number".into(),
            Domain::Number(range) => format!("a number {}", range.text()),
            Domain::Size(least) => format!("a size from {least} on"),
            Domain::InputSize => "the size of the input".into(),
            Domain::Pair(least) => format!("a size from {least} on, or `(height, width)`"),
            Domain::Words(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
                words.join(", ")
            }
            Domain::Axis => "an axis, `-1` for the last".into(),
            Domain::Indices => "class indices `Classes[..]`".into(),
            Domain::Value(text) | Domain::Other(text) => text.into(),
        }
    }
}
