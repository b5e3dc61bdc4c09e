//! The choice of the algorithm, by sizes alone, and the scratch memory that it needs.

use super::{Conv2dSpec, direct, max, windows, winograd};

/// A pass of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    /// `y` from `x` and `w`.
    Forward,
    /// `d_x` from `d_y` and `w`; also the transposed convolution.
    InputGrad,
    /// `d_w` from `d_y` and `x`.
    WeightGrad,
}

/// How a pass is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Sums over windows with an output channel or a position in each lane, for few channels.
    Direct,
    /// 3×3 windows with stride 1, by minimal filtering on tiles of 4×4 outputs: a quarter of the
    /// multiplications, and rounding errors about seven times those of a plain sum (about 2e-6
    /// of the root mean square). Tiles whose values are too far apart for that, or not finite, are
    /// plain sums, as are convolutions of weights with masked taps. A device may be told to do
    /// without ([`Cpu::with_winograd`](crate::device::Cpu::with_winograd)).
    Winograd,
    /// Products with the matrix of windows.
    Windows,
}

/// From what a device chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The fastest of all algorithms.
    Any,
    /// The fastest of all but Winograd's.
    WithoutWinograd,
    /// This one wherever it fits.
    Only(Algorithm),
}

impl Conv2dSpec {
    /// How a pass is computed, unless the device does without Winograd's algorithm.
    pub const fn algorithm(&self, pass: Pass) -> Algorithm {
        self.choose(pass, Choice::Any)
    }

    pub(super) const fn choose(&self, pass: Pass, choice: Choice) -> Algorithm {
        match choice {
            Choice::Only(algorithm) if self.fits(pass, algorithm) => algorithm,
            Choice::Any if winograd::fits(self) && winograd::pays(self) => Algorithm::Winograd,
            _ if direct::fits(self, pass) && direct::pays(self, pass) => Algorithm::Direct,
            _ => Algorithm::Windows,
        }
    }

    /// Whether an algorithm computes a pass of these sizes.
    pub const fn fits(&self, pass: Pass, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Direct => direct::fits(self, pass),
            Algorithm::Winograd => winograd::fits(self),
            Algorithm::Windows => true,
        }
    }

    /// The floats of scratch that a pass needs, with or without Winograd's algorithm.
    pub const fn scratch(&self, pass: Pass) -> usize {
        max(
            self.scratch_of(pass, self.choose(pass, Choice::Any)),
            self.scratch_of(pass, self.choose(pass, Choice::WithoutWinograd)),
        )
    }

    /// The floats of scratch that a pass needs with an algorithm that fits; of any size of planes,
    /// a number that none of them needs more than, and that is no less for larger ones. Which
    /// algorithm it is depends on no size of planes.
    pub const fn scratch_of(&self, pass: Pass, algorithm: Algorithm) -> usize {
        let own = match (algorithm, self.any_size) {
            (Algorithm::Direct, false) => direct::scratch(self, pass),
            (Algorithm::Direct, true) => direct::most_scratch(self, pass),
            (Algorithm::Winograd, false) => winograd::scratch(self, pass),
            (Algorithm::Winograd, true) => winograd::most_scratch(self, pass),
            (Algorithm::Windows, false) => windows::scratch(self, pass),
            (Algorithm::Windows, true) => windows::most_scratch(self, pass),
        };
        match algorithm {
            Algorithm::Winograd => {
                let instead = self.choose(pass, Choice::WithoutWinograd);
                max(own, self.scratch_of(pass, instead))
            }
            Algorithm::Direct | Algorithm::Windows => own,
        }
    }
}
