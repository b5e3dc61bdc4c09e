//! What devices round values to.

use super::Target;

/// What a device may round values to, to be faster and to need less memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precision {
    /// All values are `f32`.
    #[default]
    F32,
    /// Factors of products are rounded to bf16, to the nearest, ties to even: an error of at most
    /// `2^-8` each. Sums are `f32`, and so are parameters, their gradients and optimizers' state. A
    /// bf16 has the exponent of an `f32`: no gradient is lost below its range, and the loss needs
    /// no scaling.
    ///
    /// On a [`Cpu`](super::Cpu), small products, which gain nothing, and convolutions stay `f32`;
    /// what the backward pass needs of the forward pass is stored in bf16, but for functions that
    /// are small enough to become one piece. It is twice as fast where the processor has
    /// AVX512-BF16; the same rounding, but no gain, elsewhere.
    ///
    /// On a GPU, values and gradients between operations are stored in bf16.
    Bf16,
    /// The same with f16 on a GPU, with an error of at most `2^-11` each and a smaller range:
    /// losses are scaled. A [`Cpu`](super::Cpu), whose f16 would not be faster, computes in `f32`.
    F16,
}

impl Precision {
    /// What a step on a [`Cpu`](super::Cpu) of this precision is planned for.
    pub const fn on_host(self) -> Target {
        match self {
            Self::F32 | Self::F16 => Target::Host,
            Self::Bf16 => Target::HostHalvesBetween,
        }
    }

    /// What a step of this precision is planned for on a device with memory of its own, such as a
    /// GPU.
    pub const fn on_device(self) -> Target {
        match self {
            Self::F32 => Target::Device,
            Self::Bf16 | Self::F16 => Target::DeviceHalves,
        }
    }
}
