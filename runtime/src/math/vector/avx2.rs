//! Eight floats, AVX2 and FMA.

use std::arch::x86_64::*;

use super::{MAX_LANES, Vector};
use crate::math::Fused;

impl Vector for __m256 {
    const LANES: usize = 8;
    type Arith = Fused;
    type Mask = __m256i;
    #[inline(always)]
    unsafe fn mask(count: usize) -> __m256i {
        // SAFETY: registers alone are read; the caller promises AVX2 and FMA.
        unsafe {
            let count = _mm256_set1_epi32(count.min(8) as i32);
            _mm256_cmpgt_epi32(count, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
        }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: registers alone are read; the caller promises AVX2 and FMA.
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: the caller lends eight floats from `p` on, which need no alignment, and promises
        // AVX2 and FMA.
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, mask: __m256i) -> Self {
        // SAFETY: the caller lends the floats that the mask chooses, and others are not read; it
        // promises AVX2 and FMA.
        unsafe { _mm256_maskload_ps(p, mask) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: the caller lends eight floats from `p` on to write, which need no alignment, and
        // promises AVX2 and FMA.
        unsafe { _mm256_storeu_ps(p, self) }
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, mask: __m256i) {
        // SAFETY: the caller lends the floats that the mask chooses to write, and others are not
        // touched; it promises AVX2 and FMA.
        unsafe { _mm256_maskstore_ps(p, mask, self) }
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        // SAFETY: registers alone are read; the caller promises AVX2 and FMA.
        unsafe { _mm256_fmadd_ps(a, b, self) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: registers alone are read; the caller promises AVX2 and FMA.
        unsafe { _mm256_add_ps(self, other) }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: registers alone are read; the caller promises AVX2 and FMA.
        unsafe { _mm_add_ps(_mm256_castps256_ps128(self), _mm256_extractf128_ps::<1>(self)).sum() }
    }
    #[inline(always)]
    unsafe fn sum_each(r: [Self; MAX_LANES]) -> Self {
        // SAFETY: registers alone are read; the caller promises AVX2 and FMA.
        unsafe {
            /// The halves of `a` added, then those of `b`.
            #[inline(always)]
            unsafe fn fold(a: __m256, b: __m256) -> __m256 {
                // SAFETY: the caller has AVX2.
                unsafe {
                    _mm256_add_ps(
                        _mm256_permute2f128_ps::<0x20>(a, b),
                        _mm256_permute2f128_ps::<0x31>(a, b),
                    )
                }
            }
            /// As `fold`, within the halves.
            #[inline(always)]
            unsafe fn fold_again(a: __m256, b: __m256) -> __m256 {
                // SAFETY: the caller has AVX2.
                unsafe {
                    _mm256_add_ps(
                        _mm256_shuffle_ps::<0b01_00_01_00>(a, b),
                        _mm256_shuffle_ps::<0b11_10_11_10>(a, b),
                    )
                }
            }
            let ab = fold_again(fold(r[0], r[4]), fold(r[1], r[5]));
            let cd = fold_again(fold(r[2], r[6]), fold(r[3], r[7]));
            _mm256_add_ps(
                _mm256_shuffle_ps::<0b10_00_10_00>(ab, cd),
                _mm256_shuffle_ps::<0b11_01_11_01>(ab, cd),
            )
        }
    }
    #[inline(always)]
    unsafe fn transpose(r: &mut [Self; MAX_LANES]) {
        // SAFETY: registers alone are read; the caller promises AVX2 and FMA.
        unsafe {
            let mut t = *r;
            for i in (0..8).step_by(2) {
                t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
                t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
            }
            for i in (0..8).step_by(4) {
                for h in 0..2 {
                    let (low, high) = (_mm256_castps_pd(t[i + h]), _mm256_castps_pd(t[i + h + 2]));
                    r[i + 2 * h] = _mm256_castpd_ps(_mm256_unpacklo_pd(low, high));
                    r[i + 2 * h + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low, high));
                }
            }
            for c in 0..4 {
                t[c] = _mm256_permute2f128_ps::<0x20>(r[c], r[c + 4]);
                t[c + 4] = _mm256_permute2f128_ps::<0x31>(r[c], r[c + 4]);
            }
            *r = t;
        }
    }
    #[inline(always)]
    unsafe fn deinterleave(low: Self, high: Self) -> (Self, Self) {
        // SAFETY: registers alone are read; the caller promises AVX2 and FMA.
        unsafe {
            // The shuffles work within halves.
            let first = _mm256_permute2f128_ps::<0x20>(low, high);
            let second = _mm256_permute2f128_ps::<0x31>(low, high);
            (_mm256_shuffle_ps::<0x88>(first, second), _mm256_shuffle_ps::<0xdd>(first, second))
        }
    }
    #[inline(always)]
    unsafe fn interleave(even: Self, odd: Self) -> (Self, Self) {
        // SAFETY: registers alone are read; the caller promises AVX2 and FMA.
        unsafe {
            let (low, high) = (_mm256_unpacklo_ps(even, odd), _mm256_unpackhi_ps(even, odd));
            (_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high))
        }
    }
    #[inline(always)]
    unsafe fn count_by_two(first: u32) -> Self {
        // SAFETY: registers alone are read; the caller promises AVX2 and FMA.
        unsafe {
            let lanes = _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14);
            _mm256_castsi256_ps(_mm256_add_epi32(lanes, _mm256_set1_epi32(first as i32)))
        }
    }
    #[inline(always)]
    unsafe fn greater(max: (Self, Self), value: (Self, Self)) -> (Self, Self) {
        // SAFETY: registers alone are read; the caller promises AVX2 and FMA.
        unsafe {
            let wins = _mm256_or_ps(
                _mm256_cmp_ps::<_CMP_GT_OQ>(value.0, max.0),
                _mm256_cmp_ps::<_CMP_UNORD_Q>(value.0, value.0),
            );
            (_mm256_blendv_ps(max.0, value.0, wins), _mm256_blendv_ps(max.1, value.1, wins))
        }
    }
    #[inline(always)]
    unsafe fn larger_size(self, x: Self) -> Self {
        // SAFETY: registers alone are read; the caller promises AVX2.
        unsafe {
            let x = _mm256_castps_si256(_mm256_andnot_ps(_mm256_set1_ps(-0.0), x));
            _mm256_castsi256_ps(_mm256_max_epu32(_mm256_castps_si256(self), x))
        }
    }
    #[inline(always)]
    unsafe fn smaller_size(self, x: Self) -> Self {
        // SAFETY: registers alone are read; the caller promises AVX2.
        unsafe {
            let x = _mm256_castps_si256(_mm256_andnot_ps(_mm256_set1_ps(-0.0), x));
            _mm256_castsi256_ps(_mm256_min_epu32(_mm256_castps_si256(self), x))
        }
    }
    #[inline(always)]
    unsafe fn where_same(self, a: Self, b: Self) -> Self {
        // SAFETY: registers alone are read; the caller promises AVX2 and FMA.
        unsafe {
            let (a, b) = (_mm256_castps_si256(a), _mm256_castps_si256(b));
            _mm256_and_ps(self, _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b)))
        }
    }
}
