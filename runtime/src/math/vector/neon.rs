//! Four floats, NEON, which every processor of this target has.

use std::arch::aarch64::*;

use super::{MAX_LANES, Vector};
use crate::math::PortableArith;

impl Vector for float32x4_t {
    const LANES: usize = 4;
    type Arith = PortableArith;
    /// Lanes: NEON has no masked loads.
    type Mask = usize;
    #[inline(always)]
    unsafe fn mask(count: usize) -> usize {
        count.min(4)
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: registers alone are read; the caller promises NEON.
        unsafe { vdupq_n_f32(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: the caller lends four floats from `p` on, which need no alignment, and promises
        // NEON.
        unsafe { vld1q_f32(p) }
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, count: usize) -> Self {
        // SAFETY: the caller lends the floats that the mask chooses, and others are not read; it
        // promises NEON.
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
        // promises NEON.
        unsafe { vst1q_f32(p, self) }
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, count: usize) {
        // SAFETY: the caller lends the floats that the mask chooses to write, and others are not
        // touched; it promises NEON.
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
        // SAFETY: registers alone are read; the caller promises NEON.
        unsafe { vfmaq_f32(self, a, b) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: registers alone are read; the caller promises NEON.
        unsafe { vaddq_f32(self, other) }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: registers alone are read; the caller promises NEON.
        unsafe { vaddv_f32(vadd_f32(vget_low_f32(self), vget_high_f32(self))) }
    }
    #[inline(always)]
    unsafe fn sum_each([a, b, c, d, ..]: [Self; MAX_LANES]) -> Self {
        // SAFETY: registers alone are read; the caller promises NEON.
        unsafe {
            let halves = |x: Self| vadd_f32(vget_low_f32(x), vget_high_f32(x));
            vpaddq_f32(vcombine_f32(halves(a), halves(b)), vcombine_f32(halves(c), halves(d)))
        }
    }
    #[inline(always)]
    unsafe fn transpose(r: &mut [Self; MAX_LANES]) {
        // SAFETY: registers alone are read; the caller promises NEON.
        unsafe {
            let (even_0, odd_0) = (vtrn1q_f32(r[0], r[1]), vtrn2q_f32(r[0], r[1]));
            let (even_2, odd_2) = (vtrn1q_f32(r[2], r[3]), vtrn2q_f32(r[2], r[3]));
            r[0] = vcombine_f32(vget_low_f32(even_0), vget_low_f32(even_2));
            r[1] = vcombine_f32(vget_low_f32(odd_0), vget_low_f32(odd_2));
            r[2] = vcombine_f32(vget_high_f32(even_0), vget_high_f32(even_2));
            r[3] = vcombine_f32(vget_high_f32(odd_0), vget_high_f32(odd_2));
        }
    }
    #[inline(always)]
    unsafe fn deinterleave(low: Self, high: Self) -> (Self, Self) {
        // SAFETY: registers alone are read; the caller promises NEON.
        unsafe { (vuzp1q_f32(low, high), vuzp2q_f32(low, high)) }
    }
    #[inline(always)]
    unsafe fn interleave(even: Self, odd: Self) -> (Self, Self) {
        // SAFETY: registers alone are read; the caller promises NEON.
        unsafe { (vzip1q_f32(even, odd), vzip2q_f32(even, odd)) }
    }
    #[inline(always)]
    unsafe fn count_by_two(first: u32) -> Self {
        // SAFETY: registers alone are read; the caller promises NEON.
        unsafe {
            let lanes = vld1q_u32([0, 2, 4, 6].as_ptr());
            vreinterpretq_f32_u32(vaddq_u32(lanes, vdupq_n_u32(first)))
        }
    }
    #[inline(always)]
    unsafe fn greater(max: (Self, Self), value: (Self, Self)) -> (Self, Self) {
        // SAFETY: registers alone are read; the caller promises NEON.
        // NaN is not equal to itself.
        unsafe {
            let wins = vorrq_u32(vcgtq_f32(value.0, max.0), vmvnq_u32(vceqq_f32(value.0, value.0)));
            (vbslq_f32(wins, value.0, max.0), vbslq_f32(wins, value.1, max.1))
        }
    }
    #[inline(always)]
    unsafe fn larger_size(self, x: Self) -> Self {
        // SAFETY: registers alone are read; the caller promises NEON.
        unsafe {
            let x = vreinterpretq_u32_f32(vabsq_f32(x));
            vreinterpretq_f32_u32(vmaxq_u32(vreinterpretq_u32_f32(self), x))
        }
    }
    #[inline(always)]
    unsafe fn smaller_size(self, x: Self) -> Self {
        // SAFETY: registers alone are read; the caller promises NEON.
        unsafe {
            let x = vreinterpretq_u32_f32(vabsq_f32(x));
            vreinterpretq_f32_u32(vminq_u32(vreinterpretq_u32_f32(self), x))
        }
    }
    #[inline(always)]
    unsafe fn where_same(self, a: Self, b: Self) -> Self {
        // SAFETY: registers alone are read; the caller promises NEON.
        unsafe {
            let same = vceqq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b));
            vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(self), same))
        }
    }
}
