//! How a result is cut into chunks.

use super::tile::Tiling;
use crate::math::SimdLevel;

/// How a result is cut into chunks, by sizes alone.
pub(super) struct Cut {
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) down: usize,
    pub(super) across: usize,
}

impl Cut {
    /// Multiply-adds that are worth a chunk: few chunks pack least.
    const LEAST_WORK: usize = 1 << 20;
    const FEW: usize = 4;
    /// Beyond so many chunks are cut further.
    const MOST_WORK: usize = 1 << 28;

    pub(super) fn of(level: SimdLevel, (m, k, n): (usize, usize, usize)) -> Self {
        let tiling = Tiling::of(level);
        let work = (m * n).saturating_mul(k);
        let few = work.div_ceil(Self::LEAST_WORK).min(Self::FEW);
        let wanted = few.max(work.div_ceil(Self::MOST_WORK));
        let (mut down, mut across) = (1, 1);
        while down * across < wanted {
            // Chunks that are long in both directions pack least; short ones do little else.
            let (rows, cols) = (m / down, n / across);
            if cols >= 4 * tiling.cols && cols >= rows {
                across *= 2;
            } else if rows >= 8 * tiling.rows {
                down *= 2;
            } else if cols >= 4 * tiling.cols {
                across *= 2;
            } else {
                break;
            }
        }
        let rows = m.div_ceil(down);
        let cols = n.div_ceil(across).next_multiple_of(tiling.cols);
        Self { rows, cols, down: m.div_ceil(rows), across: n.div_ceil(cols) }
    }
}
