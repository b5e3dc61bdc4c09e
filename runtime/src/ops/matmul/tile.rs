//! The innermost loops of matrix products, for each instruction set.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use crate::math::{SimdKind, SimdLevel};

/// A register of floats. Methods need the instruction set of the type.
trait Vector: Copy {
    const LANES: usize;
    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(p: *const f32) -> Self;
    unsafe fn store(self, p: *mut f32);
    /// `self + a · b`
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    /// The sum of the lanes.
    unsafe fn sum(self) -> f32;
}

macro_rules! x86_vector {
    ($type:ty, $lanes:expr, $splat:ident, $load:ident, $store:ident, $add:ident,
     |$sum:ident, $a:ident, $b:ident| $fma:expr, |$v:ident| $total:expr) => {
        #[cfg(target_arch = "x86_64")]
        impl Vector for $type {
            const LANES: usize = $lanes;
            #[inline(always)]
            unsafe fn splat(x: f32) -> Self {
                // SAFETY: the caller has the instruction set; so for all methods here.
                unsafe { $splat(x) }
            }
            #[inline(always)]
            unsafe fn load(p: *const f32) -> Self {
                // SAFETY: the caller lends `LANES` floats.
                unsafe { $load(p) }
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut f32) {
                // SAFETY: the caller lends `LANES` floats.
                unsafe { $store(p, self) }
            }
            #[inline(always)]
            unsafe fn add_product(self, $a: Self, $b: Self) -> Self {
                let $sum = self;
                // SAFETY: as for `splat`.
                unsafe { $fma }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: as for `splat`.
                unsafe { $add(self, other) }
            }
            #[inline(always)]
            unsafe fn sum(self) -> f32 {
                let $v = self;
                // SAFETY: as for `splat`.
                unsafe { $total }
            }
        }
    };
}
x86_vector!(
    __m512,
    16,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_add_ps,
    |sum, a, b| _mm512_fmadd_ps(a, b, sum),
    |v| _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1)).sum()
);
x86_vector!(
    __m256,
    8,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    |sum, a, b| _mm256_fmadd_ps(a, b, sum),
    |v| _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)).sum()
);
x86_vector!(
    __m128,
    4,
    _mm_set1_ps,
    _mm_loadu_ps,
    _mm_storeu_ps,
    _mm_add_ps,
    |sum, a, b| _mm_add_ps(sum, _mm_mul_ps(a, b)),
    |v| {
        let pairs = _mm_add_ps(v, _mm_movehl_ps(v, v));
        _mm_cvtss_f32(_mm_add_ss(pairs, _mm_shuffle_ps(pairs, pairs, 1)))
    }
);

#[cfg(target_arch = "x86_64")]
type PortableVector = __m128;

#[cfg(not(target_arch = "x86_64"))]
type PortableVector = [f32; 4];

#[cfg(not(target_arch = "x86_64"))]
impl Vector for [f32; 4] {
    const LANES: usize = 4;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        [x; 4]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: the caller lends 4 floats.
        unsafe { p.cast::<Self>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: the caller lends 4 floats.
        unsafe { p.cast::<Self>().write_unaligned(self) }
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        use crate::math::{Arith, PortableArith};
        std::array::from_fn(|i| PortableArith::mul_add(a[i], b[i], self[i]))
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] + other[i])
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        (self[0] + self[2]) + (self[1] + self[3])
    }
}

/// The most rows and the columns of a tile, whose sums fill most registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiling {
    pub rows: usize,
    pub cols: usize,
}

impl Tiling {
    /// The widest `cols` of all levels.
    pub const MAX_COLS: usize = 32;

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

/// A product of packed panels: `c [rows, cols] = a · b`, or `c += a · b`.
///
/// `a` is in panels of `panel_rows` rows (the last may have fewer), each `[k, rows of the panel]`,
/// `panel_rows · a_k` floats apart. `b` is in panels of `Tiling::cols` columns, `b_panel` floats
/// apart, whose rows are `b_row` floats apart and readable to the panel's full width.
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
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            unsafe fn avx512(block: &Block) {
                // SAFETY: the caller's promise.
                unsafe { run_tiles::<__m512, 2, 14>(block) }
            }
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2(block: &Block) {
                // SAFETY: the caller's promise.
                unsafe { run_tiles::<__m256, 2, 6>(block) }
            }
            match level.kind() {
                // SAFETY: a level of this kind exists only where the processor has the features.
                SimdKind::Avx512 => return unsafe { avx512(self) },
                // SAFETY: as above.
                SimdKind::Avx2 => return unsafe { avx2(self) },
                SimdKind::Portable => {}
            }
        }
        // SAFETY: the caller's promise.
        unsafe { run_tiles::<PortableVector, 2, 6>(self) }
    }
}

#[derive(Clone, Copy)]
struct Tile {
    k: usize,
    a: *const f32,
    b: *const f32,
    b_row: usize,
    c: *mut f32,
    c_row: usize,
    cols: usize,
    accumulate: bool,
}

#[inline(always)]
unsafe fn run_tiles<V: Vector, const NV: usize, const ROWS: usize>(block: &Block) {
    let width = V::LANES * NV;
    let (k_start, k_end) = block.k;
    let mut col = 0;
    while col < block.cols {
        let cols = width.min(block.cols - col);
        let mut row = 0;
        while row < block.rows {
            let rows = block.panel_rows.min(block.rows - row);
            // SAFETY: inside the ranges that the caller described.
            let tile = unsafe {
                Tile {
                    k: k_end - k_start,
                    a: block.a.add(row * block.a_k + k_start * rows),
                    b: block.b.add(col / width * block.b_panel + k_start * block.b_row),
                    b_row: block.b_row,
                    c: block.c.add(row * block.c_row + col),
                    c_row: block.c_row,
                    cols,
                    accumulate: block.accumulate,
                }
            };
            macro_rules! by_rows {
                ($($rows:literal)*) => {
                    // The second comparison leaves out tiles that the registers do not hold.
                    match (rows, cols > V::LANES) {
                        $(($rows, true) if $rows <= ROWS => tile_of::<V, $rows, NV>(tile),
                          ($rows, false) if $rows <= ROWS => tile_of::<V, $rows, 1>(tile),)*
                        _ => unreachable!("a tile has at most {ROWS} rows"),
                    }
                };
            }
            // SAFETY: the tile is inside the block.
            unsafe { by_rows!(1 2 3 4 5 6 7 8 9 10 11 12 13 14) }
            row += rows;
        }
        col += cols;
    }
}

#[inline(always)]
unsafe fn tile_of<V: Vector, const ROWS: usize, const NV: usize>(tile: Tile) {
    // SAFETY: the caller lends `a [k, ROWS]`, `b [k, NV · LANES]` and `c [ROWS, cols]`.
    unsafe {
        let mut sums = [[V::splat(0.0); NV]; ROWS];
        let (mut a, mut b) = (tile.a, tile.b);
        for _ in 0..tile.k {
            let mut columns = [V::splat(0.0); NV];
            for (j, column) in columns.iter_mut().enumerate() {
                *column = V::load(b.add(j * V::LANES));
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = V::splat(*a.add(i));
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = sum.add_product(x, column);
                }
            }
            a = a.add(ROWS);
            b = b.wrapping_add(tile.b_row);
        }
        if tile.cols == NV * V::LANES {
            for (i, sums) in sums.iter().enumerate() {
                for (j, &sum) in sums.iter().enumerate() {
                    let c = tile.c.add(i * tile.c_row + j * V::LANES);
                    if tile.accumulate { V::load(c).add(sum).store(c) } else { sum.store(c) }
                }
            }
            return;
        }
        // Through memory, in loops that the compiler unrolls: the sums stay in registers above.
        let mut rows = [[0.0; Tiling::MAX_COLS]; ROWS];
        for (row, sums) in rows.iter_mut().zip(&sums) {
            for (j, &sum) in sums.iter().enumerate() {
                sum.store(row.as_mut_ptr().add(j * V::LANES));
            }
        }
        for (i, row) in rows.iter().enumerate() {
            let c = std::slice::from_raw_parts_mut(tile.c.add(i * tile.c_row), tile.cols);
            if tile.accumulate {
                c.iter_mut().zip(row).for_each(|(c, sum)| *c += sum);
            } else {
                c.copy_from_slice(&row[..tile.cols]);
            }
        }
    }
}

/// `c [m, n] += a [m, k] · b [n, k]ᵀ`, each with the distance of its
/// rows: for few results and a long `k`, a multiple of 16.
///
/// # Safety
/// The ranges are lent for this call, `c` to write.
pub(crate) unsafe fn dot(
    level: SimdLevel,
    (c, c_row): Out,
    (a, a_row): Rows,
    (b, b_row): Rows,
    (m, k, n): Sizes,
) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        unsafe fn avx512(c: Out, a: Rows, b: Rows, s: Sizes) {
            // SAFETY: the caller's promise.
            unsafe { dots::<__m512, 4>(c, a, b, s) }
        }
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2(c: Out, a: Rows, b: Rows, s: Sizes) {
            // SAFETY: the caller's promise.
            unsafe { dots::<__m256, 3>(c, a, b, s) }
        }
        match level.kind() {
            // SAFETY: a level of this kind exists only where the processor has the features.
            SimdKind::Avx512 => {
                return unsafe { avx512((c, c_row), (a, a_row), (b, b_row), (m, k, n)) };
            }
            // SAFETY: as above.
            SimdKind::Avx2 => {
                return unsafe { avx2((c, c_row), (a, a_row), (b, b_row), (m, k, n)) };
            }
            SimdKind::Portable => {}
        }
    }
    let _ = level;
    // SAFETY: the caller's promise.
    unsafe { dots::<PortableVector, 3>((c, c_row), (a, a_row), (b, b_row), (m, k, n)) }
}

type Rows = (*const f32, usize);
type Out = (*mut f32, usize);
type Sizes = (usize, usize, usize);

#[inline(always)]
unsafe fn dots<V: Vector, const T: usize>(
    (c, c_row): Out,
    (a, a_row): Rows,
    (b, b_row): Rows,
    (m, k, n): Sizes,
) {
    let (full_m, full_n) = (m / T * T, n / T * T);
    // SAFETY: rows `i..i + T` of `a` and `j..j + T` of `b` exist, and the results too.
    unsafe {
        for j in (0..full_n).step_by(T) {
            let b_at = b.add(j * b_row);
            for i in (0..full_m).step_by(T) {
                dot_tile::<V, T, T>(
                    (c.add(i * c_row + j), c_row),
                    (a.add(i * a_row), a_row),
                    (b_at, b_row),
                    k,
                );
            }
            for i in full_m..m {
                dot_tile::<V, 1, T>(
                    (c.add(i * c_row + j), c_row),
                    (a.add(i * a_row), a_row),
                    (b_at, b_row),
                    k,
                );
            }
        }
        for j in full_n..n {
            let b_at = b.add(j * b_row);
            for i in (0..full_m).step_by(T) {
                dot_tile::<V, T, 1>(
                    (c.add(i * c_row + j), c_row),
                    (a.add(i * a_row), a_row),
                    (b_at, b_row),
                    k,
                );
            }
            for i in full_m..m {
                dot_tile::<V, 1, 1>(
                    (c.add(i * c_row + j), c_row),
                    (a.add(i * a_row), a_row),
                    (b_at, b_row),
                    k,
                );
            }
        }
    }
}

#[inline(always)]
unsafe fn dot_tile<V: Vector, const M: usize, const N: usize>(
    (c, c_row): Out,
    (a, a_row): Rows,
    (b, b_row): Rows,
    k: usize,
) {
    // SAFETY: the caller lends `a [M, k]`, `b [N, k]` and `c [M, N]`.
    unsafe {
        let mut sums = [[V::splat(0.0); N]; M];
        let mut p = 0;
        while p < k {
            let mut rows = [V::splat(0.0); N];
            for (j, row) in rows.iter_mut().enumerate() {
                *row = V::load(b.add(j * b_row + p));
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = V::load(a.add(i * a_row + p));
                for (sum, row) in sums.iter_mut().zip(rows) {
                    *sum = sum.add_product(x, row);
                }
            }
            p += V::LANES;
        }
        for (i, sums) in sums.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                *c.add(i * c_row + j) += sum.sum();
            }
        }
    }
}
