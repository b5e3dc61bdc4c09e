//! Products of operands rounded to bf16, sums in `f32`.
//!
//! bf16 is the upper half of an `f32`: the same exponent, 8 bits of significand, so rounding errs
//! by at most `2^-8` of the number. Two neighbouring terms share the place of a float, and
//! `vdpbf16ps` adds both of their products to a sum. Processors without it multiply the rounded
//! numbers as `f32`s.

use super::pack::{self, Part};
use crate::device::Precision;
use crate::math::{SimdLevel, bf16, simd};

/// In what form a product multiplies its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `f32`
    Floats,
    /// bf16, one term in the place of a float.
    Rounded,
    /// bf16, two terms in the place of a float.
    #[cfg(target_arch = "x86_64")]
    Pairs,
}

/// Multiply-adds and rows from which bf16 is faster than `f32`: packing both operands must repay.
const LEAST_WORK: usize = 1 << 20;
const LEAST_ROWS: usize = 16;

impl Form {
    /// The form for a product of these sizes.
    pub fn of(level: SimdLevel, precision: Precision, (m, k, n): (usize, usize, usize)) -> Self {
        let small = m.min(n) < LEAST_ROWS || (m * n).saturating_mul(k) < LEAST_WORK;
        if precision != Precision::Bf16 || small {
            return Self::Floats;
        }
        #[cfg(target_arch = "x86_64")]
        if level.kind() == crate::math::SimdKind::Avx512 && is_x86_feature_detected!("avx512bf16") {
            return Self::Pairs;
        }
        let _ = level;
        Self::Rounded
    }

    /// The terms in the place of a float.
    pub const fn terms(self) -> usize {
        match self {
            Self::Floats | Self::Rounded => 1,
            #[cfg(target_arch = "x86_64")]
            Self::Pairs => 2,
        }
    }
}

/// `x [rows, terms]` in panels of `width` rows, `[terms / form.terms(), width]` each, with zeros
/// for rows and terms behind the last.
///
/// # Safety
/// `x` is readable, `out` is lent to write; `width` is a multiple of 16.
pub(super) unsafe fn pack(
    level: SimdLevel,
    form: Form,
    (out, width): (*mut f32, usize),
    x: Part,
    (rows, terms): (usize, usize),
) {
    #[cfg(target_arch = "x86_64")]
    if form == Form::Pairs {
        // SAFETY: `Form::of` makes `Pairs` only where the processor has bf16; the caller lends `x`
        // and `out`, and `width` is a multiple of 16.
        return unsafe { pairs::pack((out, width), x, (rows, terms)) };
    }
    let _ = form;
    for row in (0..rows).step_by(width) {
        let x = Part { data: x.data.wrapping_add(row * x.row), ..x };
        // SAFETY: the caller lends rows `row..` of `x`, and of `out` a panel of `width · terms`
        // floats for each `width` rows; `width` is a multiple of 16, so of the lanes of any level.
        // `pack` writes all of the panel before it is borrowed as floats.
        unsafe {
            let out = out.add(row * terms);
            pack::pack(level, (out, width), x, (width.min(rows - row), terms));
            round_all(level, std::slice::from_raw_parts_mut(out, width * terms));
        }
    }
}

simd! {
    fn round_all<A>(x: &mut [f32]) {
        for x in x {
            *x = bf16::widen(bf16::narrow(*x));
        }
    }
}

/// Pairs of terms, by AVX512-BF16.
#[cfg(target_arch = "x86_64")]
pub(super) mod pairs {
    use std::arch::x86_64::*;

    use super::super::pack::Part;
    use super::super::tile::{Multiply, Panel, panel_rows};
    use crate::math::Vector;

    const LANES: usize = 16;
    /// How many floats ahead, or lines of memory, are asked for.
    const AHEAD: usize = 64;
    const LINES_AHEAD: usize = 8;

    /// `sum + a₀·b₀ + a₁·b₁` in each lane.
    pub(in super::super) struct Pairs;

    impl Multiply<__m512> for Pairs {
        const ANY_ORDER: bool = false;
        #[inline(always)]
        unsafe fn add_product(sum: __m512, a: __m512, b: __m512) -> __m512 {
            // SAFETY: the caller has AVX512-BF16; the casts are between types of 64 bytes for which
            // any bits are valid.
            unsafe {
                let [a, b] = [a, b].map(|pairs| std::mem::transmute::<__m512, __m512bh>(pairs));
                _mm512_dpbf16_ps(sum, a, b)
            }
        }
    }

    /// [`Panel::run`] for packed pairs, the sum over `k` pairs.
    ///
    /// # Safety
    /// The ranges that the panel describes are lent for this call, `c` to write; it has at most 14
    /// rows, and the processor AVX512-BF16.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,bmi1,bmi2")]
    pub(in super::super) unsafe fn run(panel: &Panel) {
        // SAFETY: the caller lends what the panel describes, and has AVX-512 and AVX512-BF16.
        unsafe { panel_rows::<__m512, Pairs, 14>(panel) }
    }

    /// [`super::pack`] in pairs.
    ///
    /// # Safety
    /// `x [rows, terms]` is readable, `out` lent to write; `width` is a multiple of 16, and the
    /// processor has AVX512-BF16.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,bmi1,bmi2")]
    pub(super) unsafe fn pack(
        (out, width): (*mut f32, usize),
        x: Part,
        (rows, terms): (usize, usize),
    ) {
        let pairs = terms.div_ceil(2);
        // SAFETY: pair `p` is terms `2·p` and `2·p + 1`, of which the first exists, and `out` has
        // `width` floats for it in each panel; a square has 16 rows of one panel, since `width` is
        // a multiple of 16, and of pairs as many as are left. The caller lends both.
        unsafe {
            if x.row == 1 {
                for p in 0..pairs {
                    line((out.add(p * width), width, width * pairs), x, rows, (2 * p, terms));
                }
                return;
            }
            for row in (0..rows.next_multiple_of(width)).step_by(LANES) {
                let out = out.add(row / width * width * pairs + row % width);
                let x = Part { data: x.data.wrapping_add(row * x.row), ..x };
                let rows = rows.saturating_sub(row).min(LANES);
                for p in (0..pairs).step_by(LANES) {
                    square((out.add(p * width), width), x, rows, (2 * p, terms));
                }
            }
        }
    }

    /// The terms `p` and `p + 1` of all rows, which are neighbours in memory.
    #[inline(always)]
    unsafe fn line(
        (out, width, panel): (*mut f32, usize, usize),
        x: Part,
        rows: usize,
        (p, terms): (usize, usize),
    ) {
        let (first, second) =
            (x.data.wrapping_add(p * x.col), x.data.wrapping_add((p + 1) * x.col));
        // SAFETY: the caller lends both lines, the second where there is one (else its mask is
        // empty), and `out`, in which `row / width` is a panel. Lanes of 512 bits may hold any bits
        // as each type.
        unsafe {
            let mut order = [0_i16; 32];
            for (i, order) in order.iter_mut().enumerate() {
                *order = (i / 2 + i % 2 * 16) as i16;
            }
            let order = _mm512_loadu_si512(order.as_ptr().cast());
            for row in (0..rows.next_multiple_of(width)).step_by(LANES) {
                let mask = <__m512 as Vector>::mask(rows.saturating_sub(row));
                let low = <__m512 as Vector>::load_part(first.wrapping_add(row), mask);
                let mask = if p + 1 < terms { mask } else { 0 };
                let high = <__m512 as Vector>::load_part(second.wrapping_add(row), mask);
                for line in [first, second] {
                    let ahead = line.wrapping_add(LINES_AHEAD * x.col + row);
                    _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                }
                let both = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
                let pairs = _mm512_permutexvar_epi16(order, both);
                let out = out.add(row / width * panel + row % width);
                _mm512_storeu_si512(out.cast(), pairs);
            }
        }
    }

    /// 16 rows of 32 terms from `p` on, transposed in pairs.
    #[inline(always)]
    unsafe fn square(
        (out, width): (*mut f32, usize),
        x: Part,
        rows: usize,
        (p, terms): (usize, usize),
    ) {
        let left = terms - p;
        // SAFETY: the caller lends `rows` rows of `terms`, read by masks of the `left` terms, and
        // `out` for the pairs that exist. Lanes of 512 bits may hold any bits as each type.
        unsafe {
            let mut block = [_mm512_setzero_ps(); LANES];
            let (low_mask, high_mask) = (
                <__m512 as Vector>::mask(left),
                <__m512 as Vector>::mask(left.saturating_sub(LANES)),
            );
            for (r, pairs) in block.iter_mut().enumerate() {
                if r < rows {
                    let at = x.data.wrapping_add(r * x.row + p);
                    let low = <__m512 as Vector>::load_part(at, low_mask);
                    let high = <__m512 as Vector>::load_part(at.wrapping_add(LANES), high_mask);
                    _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(AHEAD).cast());
                    _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(AHEAD + LANES).cast());
                    *pairs =
                        std::mem::transmute::<__m512bh, __m512>(_mm512_cvtne2ps_pbh(high, low));
                }
            }
            <__m512 as Vector>::transpose(&mut block);
            for (c, line) in block.iter().enumerate() {
                if 2 * c < left {
                    line.store(out.add(c * width));
                }
            }
        }
    }
}
