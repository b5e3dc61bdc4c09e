//! The innermost loops of products: a panel of rows times panels of columns, with the sums of a
//! tile in registers.

use crate::math::{SimdKind, SimdLevel, Vector, by_level, prefetch};

/// The most rows and the columns of a tile, whose sums fill most registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiling {
    pub rows: usize,
    pub cols: usize,
}

impl Tiling {
    pub const fn of(level: SimdLevel) -> Self {
        match level.kind() {
            SimdKind::Avx512 => Self { rows: 14, cols: 32 },
            SimdKind::Avx2 => Self { rows: 6, cols: 16 },
            SimdKind::Portable => Self { rows: 6, cols: 8 },
        }
    }

    /// Rows of each panel when `rows` are shared out evenly; the last panel may have fewer.
    pub const fn panel_rows(self, rows: usize) -> usize {
        let panels = rows.div_ceil(self.rows);
        if panels == 0 { 1 } else { rows.div_ceil(panels) }
    }
}

/// `c [rows, cols] = a [rows, k] · b [k, cols]`, or `c += a · b`, for at most `Tiling::rows` rows.
///
/// Packed or in place: neighbours in a column of `a` are `a_row` floats apart, neighbours in a row
/// `a_k`, and one of the two is 1. Rows of `b` are `b_row` floats apart, and each `Tiling::cols`
/// columns start `b_panel` floats after the ones before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panel {
    pub rows: usize,
    pub cols: usize,
    pub k: usize,
    pub a: *const f32,
    pub a_row: usize,
    pub a_k: usize,
    pub b: *const f32,
    pub b_row: usize,
    pub b_panel: usize,
    pub c: *mut f32,
    pub c_row: usize,
    pub accumulate: bool,
}

impl Panel {
    /// # Safety
    /// The ranges described above are lent for this call, `c` to write; there are at most
    /// `Tiling::of(level).rows` rows.
    pub unsafe fn run(&self, level: SimdLevel) {
        by_level!(level, run_panel(self => &Panel));
    }
}

/// How registers of operands are multiplied.
pub(super) trait Multiply<V> {
    /// Whether rows of `a` may be contiguous too.
    const ANY_ORDER: bool;
    /// `sum + a · b`
    unsafe fn add_product(sum: V, a: V, b: V) -> V;
}

/// Each lane is a number.
struct Floats;

impl<V: Vector> Multiply<V> for Floats {
    const ANY_ORDER: bool = true;
    #[inline(always)]
    unsafe fn add_product(sum: V, a: V, b: V) -> V {
        // SAFETY: the caller has the instruction set of `V`, and registers alone are read.
        unsafe { sum.add_product(a, b) }
    }
}

#[inline(always)]
unsafe fn run_panel<V: Vector, const ROWS: usize>(panel: &Panel) {
    // SAFETY: the caller of `Panel::run` lends what the panel describes, and `by_level` has the
    // instruction set of `V`.
    unsafe { panel_rows::<V, Floats, ROWS>(panel) }
}

/// [`Panel::run`] for at most `ROWS` rows.
///
/// # Safety
/// The ranges that the panel describes are lent for this call, `c` to write, and the processor has
/// the instruction set of `V`.
#[inline(always)]
pub(super) unsafe fn panel_rows<V: Vector, M: Multiply<V>, const ROWS: usize>(panel: &Panel) {
    macro_rules! by_rows {
        ($($rows:literal)*) => {
            // The guards leave out tiles that the registers do not hold.
            match (panel.rows, panel.a_row == 1) {
                (0, _) => {}
                $(($rows, true) if $rows <= ROWS => tiles::<V, M, $rows, true>(panel),
                  ($rows, false) if $rows <= ROWS && M::ANY_ORDER => {
                      tiles::<V, M, $rows, false>(panel)
                  })*
                _ => unreachable!("a tile has at most {ROWS} rows"),
            }
        };
    }
    // SAFETY: the caller lends all rows of the panel, and the row that was matched is their number.
    unsafe { by_rows!(1 2 3 4 5 6 7 8 9 10 11 12 13 14) }
}

/// The tiles of a panel; `COLUMN` where the columns of `a` are contiguous.
#[inline(always)]
unsafe fn tiles<V: Vector, M: Multiply<V>, const ROWS: usize, const COLUMN: bool>(panel: &Panel) {
    let width = 2 * V::LANES;
    let (mut b, mut c, mut cols) = (panel.b, panel.c, panel.cols);
    // SAFETY: each tile starts at a column below `panel.cols`, and its mask has as many lanes as
    // there are columns left: the caller lends them, and has the instruction set of `V`.
    unsafe {
        let full = V::mask(V::LANES);
        while cols >= width {
            tile::<V, M, ROWS, 2, COLUMN>(panel, b, c, full);
            (b, c, cols) = (b.wrapping_add(panel.b_panel), c.add(width), cols - width);
        }
        if cols > V::LANES {
            tile::<V, M, ROWS, 2, COLUMN>(panel, b, c, V::mask(cols - V::LANES));
        } else if cols > 0 {
            tile::<V, M, ROWS, 1, COLUMN>(panel, b, c, V::mask(cols));
        }
    }
}

/// One tile of `NV` vectors, of the last of which only the lanes of `mask` exist.
#[inline(always)]
unsafe fn tile<
    V: Vector,
    M: Multiply<V>,
    const ROWS: usize,
    const NV: usize,
    const COLUMN: bool,
>(
    panel: &Panel,
    b: *const f32,
    c: *mut f32,
    mask: V::Mask,
) {
    let last = (NV - 1) * V::LANES;
    // SAFETY: the caller lends `a [ROWS, k]`, and `b [k, _]` and `c [ROWS, _]` with `last` columns
    // and those that `mask` chooses behind them; it has the instruction set of `V`.
    unsafe {
        for i in 0..ROWS {
            for j in 0..NV {
                prefetch(c.wrapping_add(i * panel.c_row + j * V::LANES));
            }
        }
        let mut sums = [[V::splat(0.0); NV]; ROWS];
        let (mut a, mut b) = (panel.a, b);
        let (a_row, a_k) = if COLUMN { (1, panel.a_k) } else { (panel.a_row, 1) };
        for _ in 0..panel.k {
            let mut columns = [V::splat(0.0); NV];
            if NV == 2 {
                columns[0] = V::load(b);
            }
            columns[NV - 1] = V::load_part(b.add(last), mask);
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = V::splat(*a.add(i * a_row));
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = M::add_product(*sum, x, column);
                }
            }
            a = a.wrapping_add(a_k);
            b = b.wrapping_add(panel.b_row);
        }
        for (i, sums) in sums.iter_mut().enumerate() {
            let c = c.add(i * panel.c_row);
            if panel.accumulate {
                if NV == 2 {
                    sums[0] = V::load(c).add(sums[0]);
                }
                sums[NV - 1] = V::load_part(c.add(last), mask).add(sums[NV - 1]);
            }
            if NV == 2 {
                sums[0].store(c);
            }
            sums[NV - 1].store_part(c.add(last), mask);
        }
    }
}

/// A product of packed panels: `c [rows, cols] = a · b`, or `c += a · b`.
///
/// `a` is in panels of `panel_rows` rows (the last may have fewer), each `[k, rows of the panel]`,
/// `panel_rows · a_k` floats apart. `b` is in panels of `Tiling::cols` columns, `b_panel` floats
/// apart, whose rows are `b_row` floats apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub rows: usize,
    pub cols: usize,
    /// Where the sum over `k` starts and ends.
    pub k: (usize, usize),
    pub a: *const f32,
    pub a_k: usize,
    pub panel_rows: usize,
    pub b: *const f32,
    pub b_panel: usize,
    pub b_row: usize,
    pub c: *mut f32,
    pub c_row: usize,
    pub accumulate: bool,
}

impl Block {
    /// # Safety
    /// The ranges described above are lent for this call, `c` to write; `panel_rows` is at most
    /// `Tiling::of(level).rows`.
    pub unsafe fn run(&self, level: SimdLevel) {
        let (start, end) = self.k;
        for row in (0..self.rows).step_by(self.panel_rows) {
            let rows = self.panel_rows.min(self.rows - row);
            // SAFETY: rows `row..row + rows` are below `self.rows`, and terms `start..end` what the
            // caller lends of `a` and `b`; a panel has at most `panel_rows` rows, which it promised
            // to fit.
            unsafe {
                Panel {
                    rows,
                    cols: self.cols,
                    k: end - start,
                    a: self.a.add(row * self.a_k + start * rows),
                    a_row: 1,
                    a_k: rows,
                    b: self.b.add(start * self.b_row),
                    b_row: self.b_row,
                    b_panel: self.b_panel,
                    c: self.c.add(row * self.c_row),
                    c_row: self.c_row,
                    accumulate: self.accumulate,
                }
                .run(level);
            }
        }
    }
}
