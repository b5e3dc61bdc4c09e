//! Four floats, for the compiler to put into what registers the target has.

use super::{MAX_LANES, Vector};
use crate::math::{Arith, PortableArith};

impl Vector for [f32; 4] {
    const LANES: usize = 4;
    type Arith = PortableArith;
    type Mask = usize;
    #[inline(always)]
    unsafe fn mask(count: usize) -> usize {
        count.min(4)
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        [x; 4]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: the caller lends four floats from `p` on.
        unsafe { p.cast::<Self>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, count: usize) -> Self {
        std::array::from_fn(|i| match i < count {
            // SAFETY: the caller lends the first `count` floats, and `i` is less.
            true => unsafe { *p.add(i) },
            false => 0.0,
        })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: the caller lends four floats from `p` on to write.
        unsafe { p.cast::<Self>().write_unaligned(self) }
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, count: usize) {
        // SAFETY: the caller lends the first `count` floats to write; `count` is at most four, and
        // what is written is no part of `self`, a copy.
        unsafe { std::ptr::copy_nonoverlapping(self.as_ptr(), p, count) }
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
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
    #[inline(always)]
    unsafe fn sum_each(rows: [Self; MAX_LANES]) -> Self {
        // SAFETY: `sum` needs nothing here.
        std::array::from_fn(|r| unsafe { rows[r].sum() })
    }
    #[inline(always)]
    unsafe fn transpose(rows: &mut [Self; MAX_LANES]) {
        let columns: [Self; 4] = std::array::from_fn(|c| std::array::from_fn(|r| rows[r][c]));
        rows[..4].copy_from_slice(&columns);
    }
    #[inline(always)]
    unsafe fn deinterleave([a, b, c, d]: Self, [e, f, g, h]: Self) -> (Self, Self) {
        ([a, c, e, g], [b, d, f, h])
    }
    #[inline(always)]
    unsafe fn interleave([a, c, e, g]: Self, [b, d, f, h]: Self) -> (Self, Self) {
        ([a, b, c, d], [e, f, g, h])
    }
    #[inline(always)]
    unsafe fn count_by_two(first: u32) -> Self {
        [0, 2, 4, 6].map(|lane| f32::from_bits(first + lane))
    }
    #[inline(always)]
    unsafe fn greater(max: (Self, Self), value: (Self, Self)) -> (Self, Self) {
        let wins: [bool; 4] = std::array::from_fn(|i| value.0[i] > max.0[i] || value.0[i].is_nan());
        // Chosen as bits, which a NaN keeps.
        let choose = |a: Self, b: Self| {
            std::array::from_fn(|i| {
                f32::from_bits(if wins[i] { b[i].to_bits() } else { a[i].to_bits() })
            })
        };
        (choose(max.0, value.0), choose(max.1, value.1))
    }
    #[inline(always)]
    unsafe fn larger_size(self, x: Self) -> Self {
        std::array::from_fn(|i| f32::from_bits(self[i].to_bits().max(x[i].abs().to_bits())))
    }
    #[inline(always)]
    unsafe fn smaller_size(self, x: Self) -> Self {
        std::array::from_fn(|i| f32::from_bits(self[i].to_bits().min(x[i].abs().to_bits())))
    }
    #[inline(always)]
    unsafe fn where_same(self, a: Self, b: Self) -> Self {
        std::array::from_fn(|i| if a[i].to_bits() == b[i].to_bits() { self[i] } else { 0.0 })
    }
}
