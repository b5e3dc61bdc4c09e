//! Whether operands are what their strides say: inside their ranges, and apart where they are
//! written.

use super::{Strides, View};
use crate::device::Buf;
use crate::ops::{product, sum};

/// Samples, heads, rows, floats of a row, none of them 0.
type Sizes = [usize; 4];

/// Panics where an operand leaves its range.
pub(super) fn check_inside(view: View, [batch, heads, rows, dim]: Sizes) {
    let Strides { start, batch: sample, head, row } = view.strides;
    let last =
        [(batch, sample), (heads, head), (rows, row)].map(|(n, step)| product([n - 1, step]));
    let end = sum([start, last[0], last[1], last[2], dim]);
    assert!(
        end <= view.buf.len,
        "gradiron: an operand leaves its range of {} elements: {:?} (a bug)",
        view.buf.len,
        view.strides,
    );
}

/// Panics where two rows of an operand that is inside its range share a float.
pub(super) fn check_rows_apart(view: View, sizes: Sizes) {
    let Axes { mut axes, dim, .. } = Axes::new(view, sizes);
    // Each axis steps over all that lies within a step of it.
    axes.sort_unstable();
    let mut extent = dim;
    for (step, count) in axes.into_iter().filter(|(_, count)| *count > 1) {
        assert!(step >= extent, "gradiron: rows to write overlap: {:?} (a bug)", view.strides);
        extent += step * (count - 1);
    }
}

/// Panics where rows of different operands, all inside their ranges, share a float.
pub(super) fn check_views_apart(views: [View; 3], sizes: [Sizes; 3]) {
    for (i, j) in [(0, 1), (0, 2), (1, 2)] {
        let (a, b) = (views[i], views[j]);
        let apart = !a.buf.overlaps(b.buf) || {
            Axes::new(a, sizes[i]).are_apart_from(Axes::new(b, sizes[j]))
        };
        assert!(apart, "gradiron: operands to write overlap: {a:?} {b:?} (a bug)");
    }
}

/// Rows of `dim` floats along axes `(step, count)`.
#[derive(Clone, Copy)]
struct Axes {
    /// In the region.
    start: usize,
    axes: [(usize, usize); 3],
    dim: usize,
}

impl Axes {
    fn new(view: View, [batch, heads, rows, dim]: Sizes) -> Self {
        let View { buf: Buf { start, .. }, strides } = view;
        let axes = [(strides.batch, batch), (strides.head, heads), (strides.row, rows)];
        Self { start: sum([start, strides.start]), axes, dim }
    }

    /// From the first float to behind the last.
    fn extent(&self) -> usize {
        self.axes.iter().map(|(step, count)| step * (count - 1)).sum::<usize>() + self.dim
    }

    /// Whether no row shares a float with one of `other`, as far as steps that are the same tell.
    fn are_apart_from(self, other: Self) -> bool {
        let (mut a, mut b) = (self, other);
        let first = a.start.min(b.start);
        (a.start, b.start) = (a.start - first, b.start - first);
        loop {
            if a.start + a.extent() <= b.start || b.start + b.extent() <= a.start {
                return true;
            }
            // Where both lie within one step of the longest axis, it is enough to look at one step.
            let is_long = |i: &usize| a.axes[*i].1 > 1 || b.axes[*i].1 > 1;
            let Some(longest) = (0..3).filter(is_long).max_by_key(|i| a.axes[*i].0) else {
                return false;
            };
            let step = a.axes[longest].0;
            if step == 0 || step != b.axes[longest].0 {
                return false;
            }
            for axes in [&mut a, &mut b] {
                axes.axes[longest].1 = 1;
                axes.start %= step;
            }
            if a.start + a.extent() > step || b.start + b.extent() > step {
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Region;

    fn view(start: usize, batch: usize, head: usize, row: usize) -> View {
        let buf = Buf::new(Region::Arena, 100, 10_000);
        View { buf, strides: Strides { start, batch, head, row } }
    }

    /// The floats of an operand.
    fn floats(view: View, [batch, heads, rows, dim]: Sizes) -> Vec<usize> {
        let of = |b, h, r| (0..dim).map(move |i| view.strides.at(b, h, r) + i);
        let rows = move |b, h| (0..rows).flat_map(move |r| of(b, h, r));
        (0..batch).flat_map(move |b| (0..heads).flat_map(move |h| rows(b, h))).collect()
    }

    fn panics(f: impl FnOnce() + std::panic::UnwindSafe) -> bool {
        std::panic::catch_unwind(f).is_err()
    }

    /// What is let through is what the definition says.
    #[test]
    fn rows_that_overlap_are_found() {
        let mut found = [0, 0];
        for (batch, head, row) in
            (0..40).flat_map(|b| (0..12).flat_map(move |h| (0..12).map(move |r| (b, h, r))))
        {
            let (view, sizes) = (view(1, batch, head, row), [2, 2, 3, 2]);
            let mut all = floats(view, sizes);
            let count = all.len();
            all.sort_unstable();
            all.dedup();
            let refused = panics(|| check_rows_apart(view, sizes));
            assert!(refused || all.len() == count, "{:?}", view.strides);
            found[usize::from(refused)] += 1;
        }
        assert!(found.iter().all(|count| *count > 100), "{found:?}");
    }

    #[test]
    fn operands_side_by_side_are_apart() {
        let (batch, rows, heads, kv, dim) = (2, 5, 4, 2, 3);
        let width = (heads + 2 * kv) * dim;
        let of = |start| view(start, rows * width, dim, width);
        let places = [0, heads * dim, (heads + kv) * dim].map(of);
        let sizes = [[batch, heads, rows, dim], [batch, kv, rows, dim], [batch, kv, rows, dim]];
        check_views_apart(places, sizes);
        // In any order, and of one sample or one row alone.
        check_views_apart([of(2 * kv * dim), of(0), of(kv * dim)], [sizes[0], sizes[1], sizes[2]]);
        check_views_apart(places, sizes.map(|[_, heads, rows, dim]| [1, heads, rows, dim]));
        check_views_apart(places, sizes.map(|[batch, heads, _, dim]| [batch, heads, 1, dim]));
        for start in 0..width {
            let moved = [places[0], places[1], of(start)];
            let all: Vec<_> = (0..3).map(|i| floats(moved[i], sizes[i])).collect();
            let shared = all[2].iter().any(|at| all[0].contains(at) || all[1].contains(at));
            assert!(panics(|| check_views_apart(moved, sizes)) || !shared, "{start}");
        }
    }

    #[test]
    fn strides_that_wrap_leave_the_range() {
        for big in [usize::MAX, usize::MAX / 2 + 1, 1 << 40] {
            let sizes = [3, 2, 2, 4];
            for view in
                [view(big, 1, 4, 8), view(0, big, 4, 8), view(0, 16, big, 8), view(0, 16, 4, big)]
            {
                assert!(panics(|| check_inside(view, sizes)), "{:?}", view.strides);
            }
        }
    }
}
