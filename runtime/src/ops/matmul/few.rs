//! Products of few rows: sums along the rows of both operands, each row of `b` read once.

use crate::math::{MAX_LANES, SimdLevel, Vector, by_level, prefetch};

/// How many floats ahead of their use lines of `b` are asked for.
const AHEAD: usize = 64;

/// The start of a matrix and the distance of its rows.
type Rows = (*const f32, usize);
type Out = (*mut f32, usize);
/// `(m, k, n)`
type Sizes = (usize, usize, usize);

/// `c [m, n] = a [m, k] · b [n, k]ᵀ`
///
/// # Safety
/// The ranges are lent for this call, `c` to write; rows of all three are contiguous.
pub(crate) unsafe fn few_rows(level: SimdLevel, c: Out, a: Rows, b: Rows, sizes: Sizes) {
    by_level!(level, all_rows((c, a, b, sizes) => (Out, Rows, Rows, Sizes)));
}

#[inline(always)]
unsafe fn all_rows<V: Vector, const ROWS: usize>((c, a, b, sizes): (Out, Rows, Rows, Sizes)) {
    let (m, k, n) = sizes;
    let mut row = 0;
    while row < m {
        let left = m - row;
        // SAFETY: rows `row..row + count` exist, since `count` is at most `left`; the caller lends
        // them, and has the instruction set of `V`.
        unsafe {
            let (c, a) = ((c.0.add(row * c.1), c.1), (a.0.add(row * a.1), a.1));
            if left >= 4 {
                rows::<V, 4>(c, a, b, (k, n));
                row += 4;
            } else if left >= 2 {
                rows::<V, 2>(c, a, b, (k, n));
                row += 2;
            } else {
                rows::<V, 1>(c, a, b, (k, n));
                row += 1;
            }
        }
    }
}

/// `M` rows: as many columns at a time as make `LANES` sums.
#[inline(always)]
unsafe fn rows<V: Vector, const M: usize>(
    (c, c_row): Out,
    (a, a_row): Rows,
    (b, b_row): Rows,
    (k, n): (usize, usize),
) {
    let each = V::LANES / M;
    let tail = k % V::LANES;
    for j in (0..n).step_by(each) {
        let count = each.min(n - j);
        // SAFETY: the caller lends `a [M, k]`, `b [n, k]` and `c [M, n]`, and has the instruction
        // set of `V`. Columns beyond the last are the last once more. `M · each` is at most
        // `V::LANES`, the lanes that `store` writes at most `MAX_LANES`, and `count` at most
        // `each`.
        unsafe {
            let mut sums = [V::splat(0.0); MAX_LANES];
            let at = |t: usize| b.add((j + t.min(count - 1)) * b_row);
            let columns: [*const f32; MAX_LANES] =
                std::array::from_fn(|t| if t < each { at(t) } else { b });
            let mut p = 0;
            while p + V::LANES <= k {
                for i in 0..M {
                    let x = V::load(a.add(i * a_row + p));
                    for t in 0..each {
                        let column = columns[t].add(p);
                        if i == 0 {
                            prefetch(column.wrapping_add(AHEAD));
                        }
                        let sum = &mut sums[i * each + t];
                        *sum = sum.add_product(x, V::load(column));
                    }
                }
                p += V::LANES;
            }
            if tail > 0 {
                let mask = V::mask(tail);
                for i in 0..M {
                    let x = V::load_part(a.add(i * a_row + p), mask);
                    for t in 0..each {
                        let sum = &mut sums[i * each + t];
                        *sum = sum.add_product(x, V::load_part(columns[t].add(p), mask));
                    }
                }
            }
            let sums = V::sum_each(sums);
            if M == 1 {
                sums.store_part(c.add(j), V::mask(count));
                continue;
            }
            let mut totals = [0.0_f32; MAX_LANES];
            sums.store(totals.as_mut_ptr());
            for (i, totals) in totals.chunks_exact(each).enumerate().take(M) {
                std::ptr::copy_nonoverlapping(totals.as_ptr(), c.add(i * c_row + j), count);
            }
        }
    }
}
