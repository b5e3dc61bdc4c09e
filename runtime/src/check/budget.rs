//! Budgets: what a model takes, by layer, where it is more than it may.

use super::text::{Text, same_text};
use crate::arena::{plus, times};
use crate::program::Pass;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// The bytes of a workspace for training.
    Train,
    /// The bytes of a workspace for inference alone.
    Infer,
    /// The floating-point operations of a function.
    Flops,
    /// The parameters.
    Params,
}

/// What of a figure is each layer's, and what is no layer's, by their names.
#[derive(Clone, Copy, Debug)]
pub struct Shares<const LAYERS: usize> {
    layers: [&'static str; LAYERS],
    amounts: [usize; LAYERS],
    len: usize,
}

impl<const LAYERS: usize> Shares<LAYERS> {
    /// Nothing yet, of so many layers at most.
    pub const fn new() -> Self {
        Self { layers: [""; LAYERS], amounts: [0; LAYERS], len: 0 }
    }

    /// Adds to what is a layer's.
    pub const fn add(&mut self, layer: &'static str, amount: usize) {
        let mut at = 0;
        while at < self.len && !same_text(self.layers[at], layer) {
            at += 1;
        }
        assert!(at < LAYERS, "gradiron: a layer that was not counted (a bug)");
        if at == self.len {
            self.layers[at] = layer;
            self.len += 1;
        }
        self.amounts[at] = plus(self.amounts[at], amount);
    }

    /// The same of floats, in bytes.
    pub const fn add_floats(&mut self, layer: &'static str, floats: usize) {
        self.add(layer, times(floats, size_of::<f32>()));
    }

    /// The layer with the largest share below `rank` others.
    const fn largest(&self, rank: usize) -> Option<(&'static str, usize)> {
        let mut at = 0;
        while at < self.len {
            let (mut before, mut other) = (0, 0);
            while other < self.len {
                let is_more = self.amounts[other] > self.amounts[at]
                    || self.amounts[other] == self.amounts[at] && other < at;
                before += is_more as usize;
                other += 1;
            }
            if before == rank && self.amounts[at] > 0 {
                return Some((self.layers[at], self.amounts[at]));
            }
            at += 1;
        }
        None
    }
}

impl<const LAYERS: usize> Default for Shares<LAYERS> {
    fn default() -> Self {
        Self::new()
    }
}

/// The pass of a function that takes the most memory.
#[derive(Clone, Copy, Debug)]
pub struct Largest {
    /// The function's number.
    pub function: usize,
    /// The pass.
    pub pass: Pass,
    /// The bytes of its arena.
    pub bytes: usize,
}

impl Largest {
    /// Of each function, the floats of `passes`.
    pub const fn of<const FUNCTIONS: usize, const PASSES: usize>(
        floats: &[[usize; PASSES]; FUNCTIONS],
        passes: [Pass; PASSES],
    ) -> Self {
        let ([mut function, mut pass], mut at) = ([0; 2], 0);
        while at < FUNCTIONS * PASSES {
            let [other, its] = [at / PASSES, at % PASSES];
            if floats[other][its] > floats[function][pass] {
                [function, pass] = [other, its];
            }
            at += 1;
        }
        let bytes = times(floats[function][pass], size_of::<f32>());
        Self { function, pass: passes[pass], bytes }
    }
}

/// The search for a smaller size that fits, between one that does and one that does not.
#[derive(Clone, Copy, Debug)]
pub struct Fits {
    most: usize,
    /// The largest size that is known to fit, and what it takes; 0 at the start.
    fits: (usize, usize),
    /// The smallest that is known not to.
    exceeds: (usize, usize),
    asked: usize,
    tries: usize,
}

impl Fits {
    /// A size that takes `found`, more than `most`.
    pub const fn new(size: usize, found: usize, most: usize) -> Self {
        Self { most, fits: (0, 0), exceeds: (size, found), asked: 0, tries: 0 }
    }

    /// The same of what a pass takes of it: the rest is about as large for any size.
    pub const fn of_pass(size: usize, found: usize, most: usize, pass: usize) -> Self {
        Self::new(size, pass, most.saturating_sub(found - pass))
    }

    /// The next size to look at. Memory grows about evenly, so a few are enough.
    pub const fn next(&mut self) -> Option<usize> {
        let ((low, least), (high, most)) = (self.fits, self.exceeds);
        self.tries += 1;
        if self.tries > 6 || high - low <= 1 {
            return None;
        }
        let even = match most > least {
            true => (self.most - least) as u128 * (high - low) as u128 / (most - least) as u128,
            false => 0,
        };
        self.asked = match low + even as usize {
            _ if low == 0 => 1,
            even if even <= low => low + 1,
            even if even >= high => high - 1,
            even => even,
        };
        Some(self.asked)
    }

    /// What it takes.
    pub const fn see(&mut self, found: usize) {
        match found <= self.most {
            true => self.fits = (self.asked, found),
            false => self.exceeds = (self.asked, found),
        }
    }

    /// The largest size that was found to fit; 1 where none was.
    pub const fn best(&self) -> usize {
        if self.fits.0 > 0 { self.fits.0 } else { 1 }
    }
}

/// A smaller size, and what the model takes with it.
#[derive(Clone, Copy, Debug)]
pub struct Smaller {
    /// What it is called: `batch`.
    pub name: &'static str,
    /// How large it is.
    pub size: usize,
    /// What is taken then.
    pub found: usize,
}

/// A model that takes more than it may.
#[derive(Clone, Copy, Debug)]
pub struct Over {
    /// `LeNet`; of operations, ``LeNet::forward``.
    pub who: &'static str,
    /// What is measured.
    pub figure: Figure,
    /// How much it takes.
    pub found: usize,
    /// The budget.
    pub most: usize,
    /// The same as it is written.
    pub budget: &'static str,
    /// `batch = 32`, nothing where it does not depend on a run.
    pub sizes: &'static str,
}

impl Over {
    /// Fails with what it takes, the three layers with the largest shares, and what would fit.
    ///
    /// # Panics
    /// While rustc evaluates the constant: that is the error the user sees.
    #[track_caller]
    pub const fn fail<const LAYERS: usize>(
        self,
        shares: &Shares<LAYERS>,
        smaller: Option<Smaller>,
    ) -> ! {
        let text = Text::new().str("`").str(self.who);
        let text = match self.figure {
            Figure::Train => self.amount(text.str("` takes "), self.found).str(" for training"),
            Figure::Infer => self.amount(text.str("` takes "), self.found).str(" for inference"),
            Figure::Flops => {
                self.amount(text.str("` needs "), self.found).str(" floating-point operations")
            }
            Figure::Params => self.amount(text.str("` has "), self.found).str(" parameters"),
        };
        let text = match self.sizes.is_empty() {
            true => text,
            false => text.str(" with `").str(self.sizes).str("`"),
        };
        let mut text = text.str(", more than its budget of ").str(self.budget);
        let mut rank = 0;
        while rank < 3 {
            let Some((layer, amount)) = shares.largest(rank) else { break };
            text = text.str(if rank == 0 { "\n  most of it: " } else { ", " }).str(layer);
            text = self.amount(text.str(" "), amount);
            rank += 1;
        }
        let text = text.str("\n  help: ");
        let text = match smaller {
            Some(Smaller { name, size, found }) if found <= self.most => {
                text.str("it fits with `").str(name).str(" = ").number(size).str("`")
            }
            Some(Smaller { name, size, found }) => {
                let text = text.str("with `").str(name).str(" = ").number(size).str("` it is ");
                self.reduce(self.amount(text, found).str("; "), shares)
            }
            None => self.reduce(text, shares),
        };
        panic!("{}", text.as_str())
    }

    /// What else would.
    const fn reduce<const LAYERS: usize>(&self, text: Text, shares: &Shares<LAYERS>) -> Text {
        match shares.largest(0) {
            Some((layer, _)) => text.str("make ").str(layer).str(" smaller, or the budget larger"),
            None => text.str("make the budget larger"),
        }
    }

    /// `4.01 MiB` or `53.30 M`, rounded up.
    const fn amount(&self, text: Text, amount: usize) -> Text {
        const BYTES: [(&str, u128); 5] =
            [(" TiB", 1 << 40), (" GiB", 1 << 30), (" MiB", 1 << 20), (" KiB", 1 << 10), (" B", 1)];
        const COUNTS: [(&str, u128); 5] = [
            (" T", 1_000_000_000_000),
            (" G", 1_000_000_000),
            (" M", 1_000_000),
            (" k", 1000),
            ("", 1),
        ];
        let units = match self.figure {
            Figure::Train | Figure::Infer => BYTES,
            Figure::Flops | Figure::Params => COUNTS,
        };
        if amount == usize::MAX {
            return text.str("more than any machine has");
        }
        let mut at = 0;
        while at < 4 && (amount as u128) < units[at].1 {
            at += 1;
        }
        let (unit, factor) = units[at];
        if factor == 1 {
            return text.number(amount).str(unit);
        }
        let parts = (amount as u128 * 100).div_ceil(factor);
        let text = text.digits(parts / 100).str(if parts % 100 < 10 { ".0" } else { "." });
        text.digits(parts % 100).str(unit)
    }
}
