//! Sums over few elements: of all, of rows, or of columns.

use super::{Reduce, ReduceKind, ReduceSpec};
use crate::device::{Buf, TinyKernels};
use crate::math::Vector;
use crate::ops::product;

/// Numbers that are added one after another before their sum is carried to a second level.
const CHAIN: usize = 64;
/// The most elements behind a result: two levels of sums are accurate to here, see the room.
const MOST: usize = CHAIN * CHAIN;

impl<V: Vector> Reduce for TinyKernels<'_, V> {
    #[inline(always)]
    fn reduce<const R: usize>(&mut self, y: Buf, x: Buf, spec: ReduceSpec<R>) {
        // The last axes of one fate, and those before them of the other.
        let (mut inner, mut outer) = (1, 1);
        let (mut inner_kept, mut outer_kept): (Option<bool>, Option<bool>) = (None, None);
        let mut more = false;
        for axis in (0..R).rev() {
            // Axis 0 may be known at run time only: its size makes no case of its own.
            if axis > 0 && spec.dims[axis] == 1 {
                continue;
            }
            let kept = spec.kept[axis];
            if outer_kept.is_none() && inner_kept.is_none_or(|inner| inner == kept) {
                inner_kept = Some(kept);
                inner = product([inner, spec.dims[axis]]);
            } else {
                more |= outer_kept.is_some_and(|outer| outer != kept);
                outer_kept = Some(kept);
                outer = product([outer, spec.dims[axis]]);
            }
        }
        let len = spec.output_len();
        if spec.kind != ReduceKind::Sum || more || spec.reduced_len() > MOST {
            return self.whole().reduce(y, x, spec);
        }
        let (y, x) = (self.to(y, len), self.from(x, product([inner, outer])));
        // SAFETY: `to` checked that `y` has a float for each result, `outer` of rows and `inner` of
        // columns, and `from` that `x` has `outer` rows of `inner`; the step has its memory to
        // itself, and whoever made it the instruction set of `V`.
        unsafe {
            match inner_kept {
                Some(false) => {
                    for row in 0..outer {
                        *y.add(row) = row_sum::<V>(x.add(row * inner), inner) * spec.scale;
                    }
                }
                _ => {
                    for at in (0..inner).step_by(V::LANES) {
                        let cols = V::LANES.min(inner - at);
                        let sum = column_sums::<V>(x.add(at), inner, outer, cols);
                        scaled(sum, spec.scale).store_part(y.add(at), V::mask(cols));
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn scaled<V: Vector>(x: V, scale: f32) -> V {
    // SAFETY: registers alone are read, and the caller has the instruction set of `V`.
    unsafe { V::splat(0.0).add_product(x, V::splat(scale)) }
}

/// `Σ x [len]`
#[inline(always)]
unsafe fn row_sum<V: Vector>(x: *const f32, len: usize) -> f32 {
    /// Chains of additions that run side by side.
    const CHAINS: usize = 4;
    // SAFETY: the caller lends `x [len]`, of which whole registers are read up to `to`, and the
    // rest by a mask; it has the instruction set of `V`.
    unsafe {
        if len == 1 {
            return *x;
        }
        let mut total = V::splat(0.0);
        for from in (0..len).step_by(CHAIN * CHAINS * V::LANES) {
            let to = len.min(from + CHAIN * CHAINS * V::LANES);
            let mut sums = [V::splat(0.0); CHAINS];
            let mut p = from;
            while p + CHAINS * V::LANES <= to {
                for (c, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.add(V::load(x.add(p + c * V::LANES)));
                }
                p += CHAINS * V::LANES;
            }
            while p + V::LANES <= to {
                sums[0] = sums[0].add(V::load(x.add(p)));
                p += V::LANES;
            }
            if p < to {
                sums[1] = sums[1].add(V::load_part(x.add(p), V::mask(to - p)));
            }
            total = total.add(sums[0].add(sums[1]).add(sums[2].add(sums[3])));
        }
        total.sum()
    }
}

/// The sums of `cols` columns of `x [rows, row]`.
#[inline(always)]
unsafe fn column_sums<V: Vector>(x: *const f32, row: usize, rows: usize, cols: usize) -> V {
    // SAFETY: the caller lends `rows` rows of `x`, `row` apart, of which the mask chooses `cols`
    // floats; it has the instruction set of `V`.
    unsafe {
        let mut total = V::splat(0.0);
        for from in (0..rows).step_by(CHAIN) {
            let mut sum = V::splat(0.0);
            for i in from..rows.min(from + CHAIN) {
                sum = sum.add(V::load_part(x.add(i * row), V::mask(cols)));
            }
            total = total.add(sum);
        }
        total
    }
}
