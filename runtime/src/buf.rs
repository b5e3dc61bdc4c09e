//! Ranges of the memory of a step.

use crate::constant::Constant;

/// The kinds of memory that a step reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// The model's parameters and behind them its state: read only.
    Params,
    /// The gradients of the parameters and behind them the new state.
    Grads,
    /// Everything that is planned: activations, saved values, scratch, results.
    Arena,
    /// What a run step by step keeps of the positions before.
    Cache,
    /// What inference prepared of the parameters: read only.
    Prepared,
    /// The n-th float input of the call, used in place: read only.
    Input(u8),
    /// Numbers of the program, used in place: read only. A device of its own has a copy of them.
    Constant,
}

/// What a range is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Element {
    /// An `f32`.
    #[default]
    Float,
    /// A number of 16 bits, of the kind that the device computes with
    /// ([`Target::DeviceHalves`](crate::device::Target::DeviceHalves)).
    Half,
}

impl Element {
    /// The bytes of one.
    #[cfg(feature = "cuda")]
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::Float => 4,
            Self::Half => 2,
        }
    }
}

/// A range of numbers in one region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buf {
    /// The memory that the range is in.
    pub region: Region,
    /// What it is made of.
    pub element: Element,
    /// Whose numbers they are, where they are those of a constant: beside the region, so that what
    /// is no constant is known to be none.
    pub constant: Option<&'static Constant<f32>>,
    /// Its first element, counted in elements like it from the start of the region.
    pub start: usize,
    /// The number of elements.
    pub len: usize,
}

impl Buf {
    /// `len` floats of `region` from `start` on.
    pub const fn new(region: Region, start: usize, len: usize) -> Self {
        Self { region, element: Element::Float, constant: None, start, len }
    }

    /// All of a constant.
    #[inline]
    pub const fn constant(constant: &'static Constant<f32>) -> Self {
        let whole = Self::new(Region::Constant, 0, constant.numbers().len());
        Self { constant: Some(constant), ..whole }
    }

    /// The range `start..start + len` of this range.
    #[inline]
    pub const fn part(self, start: usize, len: usize) -> Self {
        let is_inside = start <= self.len && len <= self.len - start;
        assert!(is_inside, "gradiron: a planned range leaves its buffer (a bug)");
        Self { start: self.start.saturating_add(start), len, ..self }
    }

    /// The range with its parameters as halves: a copy that a device keeps, of the same places.
    #[cfg(feature = "cuda")]
    pub(crate) const fn halves_of_params(self) -> Self {
        assert!(matches!(self.region, Region::Params), "gradiron: no parameters (a bug)");
        Self { element: Element::Half, ..self }
    }

    /// `len` halves in the place of the floats from `start` on.
    #[inline]
    pub const fn halves(self, start: usize, len: usize) -> Self {
        let floats = self.part(start, floats_of_halves(len));
        Self { element: Element::Half, start: floats.start.saturating_mul(2), len, ..self }
    }

    /// `len` values in the place of the floats from `start` on.
    #[inline]
    pub const fn values(self, start: usize, len: usize, as_halves: bool) -> Self {
        if as_halves { self.halves(start, len) } else { self.part(start, len) }
    }

    /// Whether its first element is one of `other`, where both are in one region.
    const fn starts_in(self, other: Self) -> bool {
        self.start >= other.start && self.start - other.start < other.len
    }

    pub(crate) const fn overlaps(self, other: Self) -> bool {
        let same = match (self.region, other.region) {
            (Region::Params, Region::Params)
            | (Region::Grads, Region::Grads)
            | (Region::Arena, Region::Arena)
            | (Region::Cache, Region::Cache)
            | (Region::Prepared, Region::Prepared) => true,
            (Region::Input(a), Region::Input(b)) => a == b,
            _ => false,
        };
        // An empty range overlaps nothing, wherever it starts.
        let full = self.len > 0 && other.len > 0;
        same && full && (self.starts_in(other) || other.starts_in(self))
    }
}

/// The floats in whose place `len` halves lie.
pub const fn floats_of_halves(len: usize) -> usize {
    len.div_ceil(2)
}

/// A range of class indices, one of the integer inputs of the call, or a constant of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indices {
    /// Whose indices they are, where they are not those of the call.
    pub constant: Option<&'static Constant<u32>>,
    /// The first index.
    pub start: usize,
    /// The number of indices.
    pub len: usize,
}

impl Indices {
    /// `len` indices of the call from `start` on.
    pub const fn new(start: usize, len: usize) -> Self {
        Self { constant: None, start, len }
    }

    /// All of a constant.
    #[inline]
    pub const fn constant(constant: &'static Constant<u32>) -> Self {
        Self { constant: Some(constant), start: 0, len: constant.numbers().len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Also where a start and a length wrap around.
    #[test]
    fn a_part_lies_in_its_range() {
        let buf = Buf::new(Region::Arena, 16, 8);
        assert_eq!(buf.part(3, 5), Buf::new(Region::Arena, 19, 5));
        assert_eq!(buf.part(8, 0).len, 0);
        for (start, len) in [(4, 5), (9, 0), (usize::MAX, 2), (2, usize::MAX), (usize::MAX, 1)] {
            let part = std::panic::catch_unwind(|| buf.part(start, len));
            assert!(part.is_err(), "{start} {len}");
        }
        let end = Buf::new(Region::Arena, usize::MAX - 1, 5);
        assert!(end.overlaps(Buf::new(Region::Arena, usize::MAX - 3, 3)) && !end.overlaps(buf));
    }
}
