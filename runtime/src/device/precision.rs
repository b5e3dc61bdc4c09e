//! What devices round values to, and what their memory is planned for.

/// What a device may round values to, to be faster and to need less memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precision {
    /// All values are `f32`.
    #[default]
    F32,
    /// Factors of products are rounded to bf16, to the nearest, ties to even: an error of at most
    /// `2^-8` each. Sums are `f32`, and so are parameters, their gradients and optimizers' state. A
    /// bf16 has the exponent of an `f32`: no gradient is lost below its range, and the loss needs no
    /// scaling.
    ///
    /// On a [`Cpu`](super::Cpu), small products, which gain nothing, and convolutions stay `f32`; what
    /// the backward pass needs of the forward pass is stored in bf16 (`train_bytes_with`), but for
    /// functions that are small enough to become one piece. It is twice as fast where the processor has AVX512-BF16; the
    /// same rounding, but no gain, elsewhere.
    ///
    /// On a GPU, values and gradients between operations are stored in bf16 (`train_bytes_on_gpu`).
    Bf16,
    /// The same with f16 on a GPU, with an error of at most `2^-11` each and a smaller range: losses
    /// are scaled. A [`Cpu`](super::Cpu), whose f16 would not be faster, computes in `f32`.
    F16,
}

impl Precision {
    /// What a step on a [`Cpu`](super::Cpu) of this precision is planned for.
    pub const fn on_cpu(self) -> Target {
        match self {
            Self::F32 | Self::F16 => Target::Cpu,
            Self::Bf16 => Target::CpuHalvesBetween,
        }
    }

    /// What a step on a GPU of this precision is planned for.
    pub const fn on_gpu(self) -> Target {
        match self {
            Self::F32 => Target::Gpu,
            Self::Bf16 | Self::F16 => Target::GpuHalves,
        }
    }
}

/// What the memory of a step is planned for. Parameters, their gradients, inputs and results are `f32` in
/// all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// A processor, with values in `f32`.
    #[default]
    Cpu,
    /// A processor, with values in 16 bits where they live from the forward to the backward pass.
    CpuHalvesBetween,
    /// A GPU, with values in `f32`.
    Gpu,
    /// A GPU, with values in 16 bits where each sample has at least some.
    GpuHalves,
}

impl Target {
    /// Whether floats that live between the passes have a form in 16 bits.
    pub const fn are_halves_between(self) -> bool {
        matches!(self, Self::CpuHalvesBetween)
    }

    /// Whether values are in 16 bits from the start.
    pub const fn are_halves(self) -> bool {
        matches!(self, Self::GpuHalves)
    }

    /// Whether it is a GPU.
    pub const fn is_gpu(self) -> bool {
        matches!(self, Self::Gpu | Self::GpuHalves)
    }

    /// That of a function which may become one piece, and keeps its values as they are then.
    #[doc(hidden)]
    pub const fn of_small(self, is_small: bool) -> Self {
        if is_small && self.are_halves_between() { Self::Cpu } else { self }
    }

    /// What stands before offsets: see [`from_number`](Self::from_number).
    #[doc(hidden)]
    pub const fn number(self) -> usize {
        self as usize
    }

    #[doc(hidden)]
    #[inline(always)]
    pub const fn from_number(number: usize) -> Self {
        match number {
            1 => Self::CpuHalvesBetween,
            2 => Self::Gpu,
            3 => Self::GpuHalves,
            _ => Self::Cpu,
        }
    }
}
