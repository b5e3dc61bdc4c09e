//! The buffers of a function as the compiler states them, a row each, and where they lie: what of a
//! buffer depends on the target is decided here.

use crate::arena::{self, Life, MOST, Part, max, padded, plus};
use crate::buf::floats_of_halves;
use crate::check::Shares;
use crate::device::Target;
use crate::want::Want;

pub use crate::arena::Layout;

/// A buffer of a function's plan.
///
/// ```text
/// Row::forward(4704 * batch, 1, 3).values().else_saved(41)
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Row {
    size: usize,
    life: Life,
    /// Its life where values are not kept in bf16 between the passes, if that is another one.
    otherwise: Option<Life>,
    first: u32,
    /// The last operation of the forward pass that needs it.
    ends: u32,
    values: bool,
    on_host: bool,
    for_inputs: bool,
    for_params: bool,
    without_params: bool,
    halves_between: bool,
}

impl Row {
    const fn new(size: usize, first: u32, last: u32, part: Part) -> Self {
        Self {
            size,
            life: Life::new(first, last, part),
            otherwise: None,
            first,
            ends: if matches!(part, Part::Saved) { first } else { last },
            values: false,
            on_host: false,
            for_inputs: false,
            for_params: false,
            without_params: false,
            halves_between: false,
        }
    }

    /// Lives from operation `first` of the forward pass to `last` of the backward pass.
    pub const fn saved(size: usize, first: u32, last: u32) -> Self {
        Self::new(size, first, last, Part::Saved)
    }

    /// Lives within the forward pass.
    pub const fn forward(size: usize, first: u32, last: u32) -> Self {
        Self::new(size, first, last, Part::Forward)
    }

    /// Lives within the backward pass.
    pub const fn backward(size: usize, first: u32, last: u32) -> Self {
        Self::new(size, first, last, Part::Backward)
    }

    /// Holds values that some targets have in 16 bits.
    pub const fn values(mut self) -> Self {
        self.values = true;
        self
    }

    /// Needed by the kernels of the host alone.
    pub const fn on_host(mut self) -> Self {
        self.on_host = true;
        self
    }

    /// Needed for the gradients of the float arguments alone.
    pub const fn for_inputs(mut self) -> Self {
        self.for_inputs = true;
        self
    }

    /// Needed, in the backward pass, for the gradients of the parameters alone.
    pub const fn for_params(mut self) -> Self {
        self.for_params = true;
        self
    }

    /// Needed where the gradients of the parameters are not asked for.
    pub const fn without_params(mut self) -> Self {
        self.without_params = true;
        self
    }

    /// Where nothing is saved for a backward pass: lives up to `last` of the forward pass.
    pub const fn ends(mut self, last: u32) -> Self {
        self.ends = last;
        self
    }

    /// Needed where values are kept in bf16 between the passes.
    pub const fn between(mut self) -> Self {
        self.halves_between = true;
        self
    }

    const fn otherwise(mut self, last: u32, part: Part) -> Self {
        self.otherwise = Some(Life::new(self.first, last, part));
        self
    }

    /// Lives up to `last` of the backward pass where values are not kept in bf16.
    pub const fn else_saved(self, last: u32) -> Self {
        self.otherwise(last, Part::Saved)
    }

    /// The same within the forward pass.
    pub const fn else_forward(self, last: u32) -> Self {
        self.otherwise(last, Part::Forward)
    }

    /// The same within the backward pass.
    pub const fn else_backward(self, last: u32) -> Self {
        self.otherwise(last, Part::Backward)
    }

    /// The floats that it takes.
    const fn floats(&self, target: Target, want: Want) -> usize {
        let of_backward = matches!(self.life.part(), Part::Backward);
        let is_absent = (self.on_host && !target.on_host())
            || (self.for_inputs && !want.inputs)
            || (of_backward && (want.is_still() || self.for_params && !want.params))
            || (self.without_params && want.params)
            || (self.halves_between && !target.are_halves_between());
        match (is_absent, self.values && target.are_halves()) {
            (true, _) => 0,
            (false, true) => floats_of_halves(self.size),
            (false, false) => self.size,
        }
    }

    const fn life(&self, target: Target, want: Want) -> Life {
        let life = match self.otherwise {
            Some(life) if !target.are_halves_between() => life,
            _ => self.life,
        };
        let is_short = want.is_still() || (self.for_params && shortens(want, target));
        match life.part() {
            Part::Saved if is_short => Life::new(self.first, self.ends, Part::Forward),
            _ => life,
        }
    }
}

/// Whether what only gradients of parameters need is not saved. Runs that keep values in bf16
/// between the passes save it as others do.
pub(crate) const fn shortens(want: Want, target: Target) -> bool {
    !want.params && !target.are_halves_between()
}

/// Whether a value of so many elements is among these: what follows from its size may leave the
/// range of a `usize`, and is not to be computed.
pub const fn are_too_large(lens: &[usize]) -> bool {
    max(lens) > MOST
}

/// Where the buffers of a function lie.
///
/// With `whole`, one block serves the forward and the backward pass ([`arena::plan`]).
pub const fn layout<const N: usize>(
    rows: &[Row; N],
    target: Target,
    want: Want,
    whole: bool,
) -> Layout<N> {
    let (mut sizes, mut lives) = ([0; N], [Life::new(0, 0, Part::Forward); N]);
    let mut i = 0;
    while i < N {
        sizes[i] = rows[i].floats(target, want);
        lives[i] = rows[i].life(target, want);
        i += 1;
    }
    arena::plan(sizes, lives, whole)
}

/// Adds what is alive in the forward and the backward pass at the moment at which most is: each
/// buffer to the layer that first needs it.
pub const fn share<const N: usize, const LAYERS: usize>(
    rows: &[Row; N],
    layers: &[&'static str; N],
    target: Target,
    want: Want,
    shares: &mut Shares<LAYERS>,
) {
    let (mut most, mut moment, mut at) = (0, 0, 0);
    while at < N {
        let (now, mut alive, mut i) = (rows[at].first, 0, 0);
        while i <= at {
            if rows[i].life(target, want).is_alive(now) {
                alive = plus(alive, padded(rows[i].floats(target, want)));
            }
            i += 1;
        }
        if alive > most {
            (most, moment) = (alive, now);
        }
        at += 1;
    }
    at = 0;
    while at < N {
        if rows[at].life(target, want).is_alive(moment) {
            shares.add_floats(layers[at], padded(rows[at].floats(target, want)));
        }
        at += 1;
    }
}
