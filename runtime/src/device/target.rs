//! What the memory of a step is planned for: properties of a device, so that neither plans nor the
//! code that makes them name one.

/// What the memory of a step is planned for. Parameters, their gradients, inputs and results are
/// `f32` in all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// The kernels of the host's processor, with values in `f32`.
    #[default]
    Host,
    /// The same, with values in 16 bits where they live from the forward to the backward pass.
    HostHalvesBetween,
    /// The kernels of a device with memory of its own, such as a GPU, with values in `f32`.
    Device,
    /// The same, with values in 16 bits where each sample has at least some.
    DeviceHalves,
}

impl Target {
    /// Whether floats that live between the passes have a form in 16 bits.
    pub const fn are_halves_between(self) -> bool {
        matches!(self, Self::HostHalvesBetween)
    }

    /// Whether values are in 16 bits from the start.
    pub const fn are_halves(self) -> bool {
        matches!(self, Self::DeviceHalves)
    }

    /// Whether it is the host: plans have memory that the kernels of processors alone need.
    pub const fn on_host(self) -> bool {
        matches!(self, Self::Host | Self::HostHalvesBetween)
    }

    /// That of a function which may become one piece, and keeps its values as they are then.
    #[doc(hidden)]
    pub const fn of_small(self, is_small: bool) -> Self {
        if is_small && self.are_halves_between() { Self::Host } else { self }
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
            1 => Self::HostHalvesBetween,
            2 => Self::Device,
            3 => Self::DeviceHalves,
            _ => Self::Host,
        }
    }
}

/// What differs between the two sides of the device boundary: the host, whose kernels use memory
/// that plans have for them alone, and any device with kernels of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerSide<T> {
    /// For the kernels of the host's processor.
    pub host: T,
    /// For those of any other device.
    pub device: T,
}

impl<T> PerSide<T> {
    /// That of the host, or of the others.
    #[inline(always)]
    pub const fn of(&self, on_host: bool) -> &T {
        if on_host { &self.host } else { &self.device }
    }
}
