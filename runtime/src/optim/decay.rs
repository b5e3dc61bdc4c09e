//! Which parameters weight decay changes.

use std::ops::Range;
use std::sync::Arc;

use crate::module::{Model, ParamSpec};

/// The parameters that decay, as runs of the flat slice: all unless some are chosen.
#[derive(Clone, Debug, Default)]
pub(super) struct Decays {
    /// The ends of runs in order, and whether they decay; nothing when all of them do.
    ends: Arc<[(usize, bool)]>,
}

impl Decays {
    pub fn only<M: Model>(decays: impl Fn(&ParamSpec) -> bool) -> Self {
        let specs = M::param_specs();
        let run = |spec: &ParamSpec| (spec.start + spec.len(), decays(spec));
        let mut ends: Vec<_> = specs.iter().map(run).collect();
        ends.sort_by_key(|(end, _)| *end);
        ends.dedup_by(|next, run| {
            let same = next.1 == run.1;
            run.0 = if same { next.0 } else { run.0 };
            same
        });
        Self { ends: ends.into() }
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
