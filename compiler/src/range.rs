//! What numbers may be: options and constants of functions.

/// The numbers that can be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Any `f32`.
    Any,
    NotNegative,
    Positive,
    /// From 0 to 1.
    Unit,
    /// Whole numbers that an `f32` holds.
    Whole,
}

impl Range {
    pub fn holds(self, value: f32) -> bool {
        match self {
            Self::Any => true,
            Self::NotNegative => value >= 0.0,
            Self::Positive => value > 0.0,
            Self::Unit => (0.0..=1.0).contains(&value),
            Self::Whole => value.fract() == 0.0 && value.abs() <= 16_777_216.0,
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Self::Any => "finite",
            Self::NotNegative => "at least 0",
            Self::Positive => "above 0",
            Self::Unit => "from 0 to 1",
            Self::Whole => "a whole number",
        }
    }
}
