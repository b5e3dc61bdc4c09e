//! Sixteen floats, AVX-512.

use std::arch::x86_64::*;

use super::{MAX_LANES, Vector};
use crate::math::Fused;

impl Vector for __m512 {
    const LANES: usize = 16;
    type Arith = Fused;
    type Mask = __mmask16;
    #[inline(always)]
    unsafe fn mask(count: usize) -> __mmask16 {
        if count >= 16 { 0xffff } else { (1 << count) - 1 }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: registers alone are read; the caller promises AVX-512.
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: the caller lends sixteen floats from `p` on, which need no alignment, and
        // promises AVX-512.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, mask: __mmask16) -> Self {
        // SAFETY: the caller lends the floats that the mask chooses, and others are not read; it
        // promises AVX-512.
        unsafe { _mm512_maskz_loadu_ps(mask, p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: the caller lends sixteen floats from `p` on to write, which need no alignment,
        // and promises AVX-512.
        unsafe { _mm512_storeu_ps(p, self) }
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, mask: __mmask16) {
        // SAFETY: the caller lends the floats that the mask chooses to write, and others are not
        // touched; it promises AVX-512.
        unsafe { _mm512_mask_storeu_ps(p, mask, self) }
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        // SAFETY: registers alone are read; the caller promises AVX-512.
        unsafe { _mm512_fmadd_ps(a, b, self) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: registers alone are read; the caller promises AVX-512.
        unsafe { _mm512_add_ps(self, other) }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: registers alone are read; the caller promises AVX-512.
        unsafe {
            let high = _mm512_extractf32x8_ps::<1>(self);
            _mm256_add_ps(_mm512_castps512_ps256(self), high).sum()
        }
    }
    #[inline(always)]
    unsafe fn sum_each(rows: [Self; MAX_LANES]) -> Self {
        // A tree of additions, each of which puts two half-summed registers into one: 15 additions
        // and 30 shuffles.
        // SAFETY: registers alone are read; the caller promises AVX-512.
        unsafe {
            /// The quarters of `a`, then those of `b`, added in pairs.
            #[inline(always)]
            unsafe fn fold(a: __m512, b: __m512) -> __m512 {
                // SAFETY: the caller has AVX-512.
                unsafe {
                    _mm512_add_ps(
                        _mm512_shuffle_f32x4::<0b01_00_01_00>(a, b),
                        _mm512_shuffle_f32x4::<0b11_10_11_10>(a, b),
                    )
                }
            }
            /// As `fold`, the two quarters of each half.
            #[inline(always)]
            unsafe fn fold_again(a: __m512, b: __m512) -> __m512 {
                // SAFETY: the caller has AVX-512.
                unsafe {
                    _mm512_add_ps(
                        _mm512_shuffle_f32x4::<0b10_00_10_00>(a, b),
                        _mm512_shuffle_f32x4::<0b11_01_11_01>(a, b),
                    )
                }
            }
            // `fours[q]` has row `4·i + q` in quarter `i`.
            let mut fours = [_mm512_setzero_ps(); 4];
            for (q, four) in fours.iter_mut().enumerate() {
                *four = fold_again(fold(rows[q], rows[4 + q]), fold(rows[8 + q], rows[12 + q]));
            }
            let [a, b, c, d] = fours;
            // Lanes 0 and 2, 1 and 3 of each quarter; then what is left of each.
            let ab = _mm512_add_ps(
                _mm512_shuffle_ps::<0b01_00_01_00>(a, b),
                _mm512_shuffle_ps::<0b11_10_11_10>(a, b),
            );
            let cd = _mm512_add_ps(
                _mm512_shuffle_ps::<0b01_00_01_00>(c, d),
                _mm512_shuffle_ps::<0b11_10_11_10>(c, d),
            );
            _mm512_add_ps(
                _mm512_shuffle_ps::<0b10_00_10_00>(ab, cd),
                _mm512_shuffle_ps::<0b11_01_11_01>(ab, cd),
            )
        }
    }
    #[inline(always)]
    unsafe fn transpose(r: &mut [Self; MAX_LANES]) {
        // SAFETY: registers alone are read; the caller promises AVX-512.
        unsafe {
            let mut t = *r;
            // Pairs of rows, then fours: within each quarter of a register.
            for i in (0..16).step_by(2) {
                t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
                t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
            }
            for i in (0..16).step_by(4) {
                for h in 0..2 {
                    let (low, high) = (_mm512_castps_pd(t[i + h]), _mm512_castps_pd(t[i + h + 2]));
                    r[i + 2 * h] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
                    r[i + 2 * h + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
                }
            }
            // `r[4·i + c]` has column `c` of each quarter, for the rows `4·i..4·i + 4`.
            for c in 0..4 {
                let even_low = _mm512_shuffle_f32x4::<0x88>(r[c], r[c + 4]);
                let odd_low = _mm512_shuffle_f32x4::<0xdd>(r[c], r[c + 4]);
                let even_high = _mm512_shuffle_f32x4::<0x88>(r[c + 8], r[c + 12]);
                let odd_high = _mm512_shuffle_f32x4::<0xdd>(r[c + 8], r[c + 12]);
                t[c] = _mm512_shuffle_f32x4::<0x88>(even_low, even_high);
                t[c + 4] = _mm512_shuffle_f32x4::<0x88>(odd_low, odd_high);
                t[c + 8] = _mm512_shuffle_f32x4::<0xdd>(even_low, even_high);
                t[c + 12] = _mm512_shuffle_f32x4::<0xdd>(odd_low, odd_high);
            }
            *r = t;
        }
    }
    #[inline(always)]
    unsafe fn deinterleave(low: Self, high: Self) -> (Self, Self) {
        // SAFETY: registers alone are read; the caller promises AVX-512.
        unsafe {
            let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            let odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
            (_mm512_permutex2var_ps(low, even, high), _mm512_permutex2var_ps(low, odd, high))
        }
    }
    #[inline(always)]
    unsafe fn interleave(even: Self, odd: Self) -> (Self, Self) {
        // SAFETY: registers alone are read; the caller promises AVX-512.
        unsafe {
            let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
            (_mm512_permutex2var_ps(even, low, odd), _mm512_permutex2var_ps(even, high, odd))
        }
    }
    #[inline(always)]
    unsafe fn count_by_two(first: u32) -> Self {
        // SAFETY: registers alone are read; the caller promises AVX-512.
        unsafe {
            let lanes =
                _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            _mm512_castsi512_ps(_mm512_add_epi32(lanes, _mm512_set1_epi32(first as i32)))
        }
    }
    #[inline(always)]
    unsafe fn greater(max: (Self, Self), value: (Self, Self)) -> (Self, Self) {
        // SAFETY: registers alone are read; the caller promises AVX-512.
        unsafe {
            let wins = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(value.0, max.0)
                | _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(value.0, value.0);
            (_mm512_mask_blend_ps(wins, max.0, value.0), _mm512_mask_blend_ps(wins, max.1, value.1))
        }
    }
    #[inline(always)]
    unsafe fn larger_size(self, x: Self) -> Self {
        // SAFETY: registers alone are read; the caller promises AVX-512.
        unsafe {
            let x = _mm512_castps_si512(_mm512_abs_ps(x));
            _mm512_castsi512_ps(_mm512_max_epu32(_mm512_castps_si512(self), x))
        }
    }
    #[inline(always)]
    unsafe fn smaller_size(self, x: Self) -> Self {
        // SAFETY: registers alone are read; the caller promises AVX-512.
        unsafe {
            let x = _mm512_castps_si512(_mm512_abs_ps(x));
            _mm512_castsi512_ps(_mm512_min_epu32(_mm512_castps_si512(self), x))
        }
    }
    #[inline(always)]
    unsafe fn where_same(self, a: Self, b: Self) -> Self {
        // SAFETY: registers alone are read; the caller promises AVX-512.
        unsafe {
            let (a, b) = (_mm512_castps_si512(a), _mm512_castps_si512(b));
            _mm512_maskz_mov_ps(_mm512_cmpeq_epi32_mask(a, b), self)
        }
    }
}
