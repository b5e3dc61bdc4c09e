//! Four floats, SSE2, which every x86-64 processor has.

use std::arch::x86_64::*;

use super::{MAX_LANES, Vector};
use crate::math::PortableArith;

impl Vector for __m128 {
    const LANES: usize = 4;
    type Arith = PortableArith;
    /// Lanes: SSE has no masked loads.
    type Mask = usize;
    #[inline(always)]
    unsafe fn mask(count: usize) -> usize {
        count.min(4)
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: registers alone are read; the caller promises SSE2.
        unsafe { _mm_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: the caller lends four floats from `p` on, which need no alignment, and promises
        // SSE2.
        unsafe { _mm_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, count: usize) -> Self {
        // SAFETY: the caller lends the floats that the mask chooses, and others are not read; it
        // promises SSE2.
        unsafe {
            if count == 4 {
                return Self::load(p);
            }
            let mut lanes = [0.0; 4];
            std::ptr::copy_nonoverlapping(p, lanes.as_mut_ptr(), count);
            Self::load(lanes.as_ptr())
        }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: the caller lends four floats from `p` on to write, which need no alignment, and
        // promises SSE2.
        unsafe { _mm_storeu_ps(p, self) }
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, count: usize) {
        // SAFETY: the caller lends the floats that the mask chooses to write, and others are not
        // touched; it promises SSE2.
        unsafe {
            if count == 4 {
                return self.store(p);
            }
            let mut lanes = [0.0; 4];
            self.store(lanes.as_mut_ptr());
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), p, count);
        }
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        // SAFETY: registers alone are read; the caller promises SSE2.
        unsafe { _mm_add_ps(self, _mm_mul_ps(a, b)) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: registers alone are read; the caller promises SSE2.
        unsafe { _mm_add_ps(self, other) }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: registers alone are read; the caller promises SSE2.
        unsafe {
            let pairs = _mm_add_ps(self, _mm_movehl_ps(self, self));
            _mm_cvtss_f32(_mm_add_ss(pairs, _mm_shuffle_ps::<1>(pairs, pairs)))
        }
    }
    #[inline(always)]
    unsafe fn sum_each([a, b, c, d, ..]: [Self; MAX_LANES]) -> Self {
        // SAFETY: registers alone are read; the caller promises SSE2.
        unsafe {
            let ab = _mm_add_ps(_mm_movelh_ps(a, b), _mm_movehl_ps(b, a));
            let cd = _mm_add_ps(_mm_movelh_ps(c, d), _mm_movehl_ps(d, c));
            _mm_add_ps(_mm_shuffle_ps::<0x88>(ab, cd), _mm_shuffle_ps::<0xdd>(ab, cd))
        }
    }
    #[inline(always)]
    unsafe fn transpose(r: &mut [Self; MAX_LANES]) {
        // SAFETY: registers alone are read; the caller promises SSE2.
        unsafe {
            let (low_0, high_0) = (_mm_unpacklo_ps(r[0], r[1]), _mm_unpackhi_ps(r[0], r[1]));
            let (low_2, high_2) = (_mm_unpacklo_ps(r[2], r[3]), _mm_unpackhi_ps(r[2], r[3]));
            r[0] = _mm_movelh_ps(low_0, low_2);
            r[1] = _mm_movehl_ps(low_2, low_0);
            r[2] = _mm_movelh_ps(high_0, high_2);
            r[3] = _mm_movehl_ps(high_2, high_0);
        }
    }
    #[inline(always)]
    unsafe fn deinterleave(low: Self, high: Self) -> (Self, Self) {
        // SAFETY: registers alone are read; the caller promises SSE2.
        unsafe { (_mm_shuffle_ps::<0x88>(low, high), _mm_shuffle_ps::<0xdd>(low, high)) }
    }
    #[inline(always)]
    unsafe fn interleave(even: Self, odd: Self) -> (Self, Self) {
        // SAFETY: registers alone are read; the caller promises SSE2.
        unsafe { (_mm_unpacklo_ps(even, odd), _mm_unpackhi_ps(even, odd)) }
    }
    #[inline(always)]
    unsafe fn count_by_two(first: u32) -> Self {
        // SAFETY: registers alone are read; the caller promises SSE2.
        unsafe {
            let lanes = _mm_setr_epi32(0, 2, 4, 6);
            _mm_castsi128_ps(_mm_add_epi32(lanes, _mm_set1_epi32(first as i32)))
        }
    }
    #[inline(always)]
    unsafe fn greater(max: (Self, Self), value: (Self, Self)) -> (Self, Self) {
        // SAFETY: registers alone are read; the caller promises SSE2.
        unsafe {
            let wins = _mm_or_ps(_mm_cmpgt_ps(value.0, max.0), _mm_cmpunord_ps(value.0, value.0));
            let choose = |a: Self, b: Self| _mm_or_ps(_mm_and_ps(wins, b), _mm_andnot_ps(wins, a));
            (choose(max.0, value.0), choose(max.1, value.1))
        }
    }
    #[inline(always)]
    unsafe fn larger_size(self, x: Self) -> Self {
        // SAFETY: registers alone are read; the caller promises SSE2.
        unsafe {
            // Without signs, bits are positive whole numbers.
            let x = _mm_andnot_ps(_mm_set1_ps(-0.0), x);
            let wins = _mm_cmpgt_epi32(_mm_castps_si128(x), _mm_castps_si128(self));
            let wins = _mm_castsi128_ps(wins);
            _mm_or_ps(_mm_and_ps(wins, x), _mm_andnot_ps(wins, self))
        }
    }
    #[inline(always)]
    unsafe fn smaller_size(self, x: Self) -> Self {
        // SAFETY: registers alone are read; the caller promises SSE2.
        unsafe {
            let x = _mm_andnot_ps(_mm_set1_ps(-0.0), x);
            let wins = _mm_cmplt_epi32(_mm_castps_si128(x), _mm_castps_si128(self));
            let wins = _mm_castsi128_ps(wins);
            _mm_or_ps(_mm_and_ps(wins, x), _mm_andnot_ps(wins, self))
        }
    }
    #[inline(always)]
    unsafe fn where_same(self, a: Self, b: Self) -> Self {
        // SAFETY: registers alone are read; the caller promises SSE2.
        unsafe {
            let (a, b) = (_mm_castps_si128(a), _mm_castps_si128(b));
            _mm_and_ps(self, _mm_castsi128_ps(_mm_cmpeq_epi32(a, b)))
        }
    }
}
