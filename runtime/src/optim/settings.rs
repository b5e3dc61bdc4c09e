//! What all optimizers can be told: which parameters decay, and how long gradients may be.

use std::ops::Range;
use std::sync::Arc;

use crate::module::{Model, ParamSpec};

/// What all optimizers can be told.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub decays: Decays,
    /// The largest norm that gradients keep.
    pub max_norm: Option<f32>,
}

impl Settings {
    /// What a step multiplies gradients of a norm by, as PyTorch's `clip_grad_norm_` does; in
    /// `f64`, as a norm may be above the range of `f32` where no gradient is.
    pub fn scale(&self, norm: impl FnOnce() -> f64) -> f32 {
        let factor = |max_norm: f32| (f64::from(max_norm) / (norm() + 1e-6)) as f32;
        let factor = self.max_norm.map_or(1.0, factor);
        // NaN stays, as gradients that are no numbers do.
        if factor >= 1.0 { 1.0 } else { factor }
    }
}

/// The parameters that decay, as runs of the flat slice: all unless some are chosen.
#[derive(Clone, Debug, Default)]
pub(super) struct Decays {
    /// The ends of runs in order, and whether they decay; nothing when all of them do.
    ends: Arc<[(usize, bool)]>,
}

impl Decays {
    pub fn only<M: Model>(decays: impl Fn(&ParamSpec) -> bool) -> Self {
        let specs = M::param_specs();
        let run = |spec: &ParamSpec| (spec.start.saturating_add(spec.len()), decays(spec));
        let mut ends: Vec<_> = specs.iter().map(run).collect();
        ends.sort_by_key(|(end, _)| *end);
        ends.dedup_by(|next, run| {
            let same = next.1 == run.1;
            run.0 = if same { next.0 } else { run.0 };
            same
        });
        Self { ends: ends.into() }
    }

    /// The ends of runs in order, and whether they decay; nothing when all of them do.
    pub fn ends(&self) -> &Arc<[(usize, bool)]> {
        &self.ends
    }

    /// Calls `f` for each part of a range that decays alike.
    pub fn parts(&self, range: Range<usize>, mut f: impl FnMut(Range<usize>, bool)) {
        let mut start = range.start;
        let mut run = self.ends.partition_point(|(end, _)| *end <= start);
        while start < range.end {
            let (end, decays) = self.ends.get(run).copied().unwrap_or((range.end, true));
            let end = end.min(range.end);
            f(start..end, decays);
            (start, run) = (end, run + 1);
        }
    }
}

/// The methods that every optimizer has.
macro_rules! settings {
    ($check:ident, $($settings:ident).+) => {
        /// Weight decay for the parameters that `decays` says yes to, and for no others, as with
        /// PyTorch's parameter groups: of weights but not of biases and norms with
        /// `decay_only(|param| param.shape.len() >= 2)`.
        pub fn decay_only(mut self, decays: impl Fn(&crate::module::ParamSpec) -> bool) -> Self {
            self.$($settings).+.decays = super::settings::Decays::only::<M>(decays);
            self
        }

        /// Steps are no longer than with gradients of the norm `max_norm`: in each step gradients
        /// are multiplied by `max_norm / (norm + 1e-6)` where that is less than 1, as by PyTorch's
        /// `clip_grad_norm_`. `norm` is that of all gradients together
        /// ([`Grads::norm`](super::Grads::norm)).
        ///
        /// # Errors
        ///
        /// `max_norm` must be finite and at least 0.
        #[doc(alias = "clip_grad_norm_")]
        pub fn clip_norm(mut self, max_norm: f32) -> Result<Self, HyperParamError> {
            $check.not_negative("max_norm", f64::from(max_norm))?;
            self.$($settings).+.max_norm = Some(max_norm);
            Ok(self)
        }
    };
}
pub(super) use settings;
