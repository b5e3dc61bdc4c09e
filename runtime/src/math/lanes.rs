//! Sixteen floats in registers: one 512-bit register, two of 256 bits, or what the target has.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use super::{Arith, PortableArith};

/// The floats of [`Lanes`].
pub(crate) const LANES: usize = 16;

/// Sixteen floats. Methods need the instruction set of the type, and lent memory.
pub(crate) trait Lanes: Copy {
    /// The arithmetic of single floats on this instruction set.
    type Arith: Arith;
    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(p: *const f32) -> Self;
    /// The first `count` floats, at most 16, and zeros.
    unsafe fn load_some(p: *const f32, count: usize) -> Self;
    unsafe fn store(self, p: *mut f32);
    /// The first `count` floats, at most 16.
    unsafe fn store_some(self, p: *mut f32, count: usize);
    /// `self + a · b`
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    /// The sum of the sixteen.
    unsafe fn sum(self) -> f32;
    /// The sum of each row.
    unsafe fn sum_each(rows: [Self; LANES]) -> Self;
}

#[cfg(target_arch = "x86_64")]
impl Lanes for __m512 {
    type Arith = super::Fused;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: the caller has AVX-512 and lends the memory; so for all methods here.
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn load_some(p: *const f32, count: usize) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_maskz_loadu_ps(((1_u32 << count) - 1) as u16, p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: as above.
        unsafe { _mm512_storeu_ps(p, self) }
    }
    #[inline(always)]
    unsafe fn store_some(self, p: *mut f32, count: usize) {
        // SAFETY: as above.
        unsafe { _mm512_mask_storeu_ps(p, ((1_u32 << count) - 1) as u16, self) }
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_fmadd_ps(a, b, self) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_add_ps(self, other) }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: as above.
        unsafe { _mm512_reduce_add_ps(self) }
    }
    #[inline(always)]
    unsafe fn sum_each(rows: [Self; LANES]) -> Self {
        // A tree of additions, each of which puts two half-summed registers into one: 15 additions
        // and 30 shuffles. `[b: ..]` are the quarters of a register.
        // SAFETY: as above.
        unsafe {
            /// `[rows of a, rows of b]`, the quarters that make up one row added.
            #[inline(always)]
            unsafe fn fold(a: __m512, b: __m512) -> __m512 {
                // SAFETY: the caller has AVX-512.
                unsafe {
                    _mm512_add_ps(
                        _mm512_shuffle_f32x4::<0b10_00_10_00>(a, b),
                        _mm512_shuffle_f32x4::<0b11_01_11_01>(a, b),
                    )
                }
            }
            // `fours[q]` has row `4·b + q` in quarter `b`.
            let mut fours = [_mm512_setzero_ps(); 4];
            for (q, four) in fours.iter_mut().enumerate() {
                *four = fold(fold(rows[q], rows[4 + q]), fold(rows[8 + q], rows[12 + q]));
            }
            let [a, b, c, d] = fours;
            let ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
            let cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
            _mm512_add_ps(
                _mm512_shuffle_ps::<0b01_00_01_00>(ab, cd),
                _mm512_shuffle_ps::<0b11_10_11_10>(ab, cd),
            )
        }
    }
}

/// Two registers of AVX2.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Pair(__m256, __m256);

#[cfg(target_arch = "x86_64")]
impl Pair {
    /// The first `count` lanes of 8.
    #[inline(always)]
    unsafe fn mask(count: usize) -> __m256i {
        const ONES: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
        // SAFETY: the caller has AVX2; `8 - count` and the 7 behind it are inside.
        unsafe { _mm256_loadu_si256(ONES[8 - count..][..8].as_ptr().cast()) }
    }
}

#[cfg(target_arch = "x86_64")]
impl Lanes for Pair {
    type Arith = super::Fused;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: the caller has AVX2 and FMA and lends the memory; so for all methods here.
        unsafe { Self(_mm256_set1_ps(x), _mm256_set1_ps(x)) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: as above.
        unsafe { Self(_mm256_loadu_ps(p), _mm256_loadu_ps(p.add(8))) }
    }
    #[inline(always)]
    unsafe fn load_some(p: *const f32, count: usize) -> Self {
        // SAFETY: as above; what the mask leaves out is not read.
        unsafe {
            Self(
                _mm256_maskload_ps(p, Self::mask(count.min(8))),
                _mm256_maskload_ps(p.wrapping_add(8), Self::mask(count.saturating_sub(8))),
            )
        }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: as above.
        unsafe {
            _mm256_storeu_ps(p, self.0);
            _mm256_storeu_ps(p.add(8), self.1);
        }
    }
    #[inline(always)]
    unsafe fn store_some(self, p: *mut f32, count: usize) {
        // SAFETY: as above; what the mask leaves out is not written.
        unsafe {
            _mm256_maskstore_ps(p, Self::mask(count.min(8)), self.0);
            _mm256_maskstore_ps(p.wrapping_add(8), Self::mask(count.saturating_sub(8)), self.1);
        }
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        // SAFETY: as above.
        unsafe { Self(_mm256_fmadd_ps(a.0, b.0, self.0), _mm256_fmadd_ps(a.1, b.1, self.1)) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Self(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)) }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: as above.
        unsafe {
            let eight = _mm256_add_ps(self.0, self.1);
            let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }
    #[inline(always)]
    unsafe fn sum_each(rows: [Self; LANES]) -> Self {
        // SAFETY: as above.
        unsafe {
            let half = |at: usize| {
                let row = |r: usize| _mm256_add_ps(rows[at + r].0, rows[at + r].1);
                let four = |r: usize| {
                    let (a, b) = (_mm256_hadd_ps(row(r), row(r + 1)), row(r + 2));
                    _mm256_hadd_ps(a, _mm256_hadd_ps(b, row(r + 3)))
                };
                let (low, high) = (four(0), four(4));
                _mm256_add_ps(
                    _mm256_permute2f128_ps::<0x20>(low, high),
                    _mm256_permute2f128_ps::<0x31>(low, high),
                )
            };
            Self(half(0), half(8))
        }
    }
}

impl Lanes for [f32; LANES] {
    type Arith = PortableArith;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        [x; LANES]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: the caller lends the memory; so for all methods here.
        unsafe { p.cast::<Self>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn load_some(p: *const f32, count: usize) -> Self {
        let mut lanes = [0.0; LANES];
        // SAFETY: as above.
        unsafe { std::ptr::copy_nonoverlapping(p, lanes.as_mut_ptr(), count) }
        lanes
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: as above.
        unsafe { p.cast::<Self>().write_unaligned(self) }
    }
    #[inline(always)]
    unsafe fn store_some(self, p: *mut f32, count: usize) {
        // SAFETY: as above.
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
    unsafe fn sum(mut self) -> f32 {
        for width in [8, 4, 2, 1] {
            for i in 0..width {
                self[i] += self[i + width];
            }
        }
        self[0]
    }
    #[inline(always)]
    unsafe fn sum_each(rows: [Self; LANES]) -> Self {
        // SAFETY: nothing is asked for here.
        rows.map(|row| unsafe { row.sum() })
    }
}
