//! Which gradients a run is asked for, and what it asks of the models that it calls.

use crate::buf::Buf;

/// What a run with a backward pass is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// The gradients of the parameters.
    pub params: bool,
    /// Those of the float arguments.
    pub inputs: bool,
    /// Whether norms use their running statistics, which stand still, and dropout drops nothing.
    pub frozen: bool,
}

/// How far the gradients go that a call of another model gives of its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nobody asks for them.
    Nothing,
    /// To float arguments of the caller alone.
    Inputs,
    /// To parameters.
    Params,
}

impl Want {
    /// All gradients, which most functions have their memory planned for.
    pub const ALL: Self = Self { params: true, inputs: true, frozen: false };
    /// The gradients of the parameters.
    pub const PARAMS: Self = Self { inputs: false, ..Self::ALL };
    /// No gradients.
    pub const NOTHING: Self = Self { params: false, ..Self::PARAMS };

    /// What a call in a function that is asked for this is asked for: `trains` says whether
    /// gradients of the callee's parameters are wanted at all.
    pub const fn of_call(self, trains: bool, reach: Reach, frozen: bool) -> Self {
        let params = self.params && trains;
        let inputs = match reach {
            Reach::Nothing => false,
            Reach::Inputs => self.inputs,
            Reach::Params => self.params || self.inputs,
        };
        // Where there is a backward pass, memory is planned for all of it.
        Self { params, inputs: params || inputs, frozen: self.frozen || frozen }
    }

    /// The same of its backward pass, where it is known whether `inputs` are asked for.
    pub const fn of_back(self, trains: bool, inputs: bool, frozen: bool) -> Self {
        Self { params: self.params && trains, inputs, frozen: self.frozen || frozen }
    }

    /// The place of the gradient of a parameter; none where it is not asked for.
    #[inline(always)]
    pub const fn part(self, d_params: Buf, start: usize, len: usize) -> Buf {
        if self.params { d_params.part(start, len) } else { d_params.part(0, 0) }
    }

    /// Whether there is no backward pass, so that nothing is saved for it.
    pub const fn is_still(self) -> bool {
        !self.params && !self.inputs
    }
}
