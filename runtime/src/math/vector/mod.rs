//! Registers of floats, one type for each instruction set: kernels whose loops a compiler would not
//! vectorise well are generic over [`Vector`].

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod array;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod sse;

use super::Arith;

/// The register that every processor of the target has.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) type PortableVector = [f32; 4];
#[cfg(target_arch = "x86_64")]
pub(crate) type PortableVector = std::arch::x86_64::__m128;
#[cfg(target_arch = "aarch64")]
pub(crate) type PortableVector = std::arch::aarch64::float32x4_t;

/// The largest [`Vector::LANES`].
pub(crate) const MAX_LANES: usize = 16;

/// A register of floats.
///
/// # Safety
/// All methods need the instruction set of the type, and the memory behind their pointers, which
/// need no alignment.
pub(crate) trait Vector: Copy {
    const LANES: usize;
    /// The arithmetic of single floats on this instruction set.
    type Arith: Arith;
    /// Chooses the first lanes of a register.
    type Mask: Copy;
    /// The first `count` lanes, all of them where `count` is larger.
    unsafe fn mask(count: usize) -> Self::Mask;
    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(p: *const f32) -> Self;
    /// The chosen lanes; zeros in the others, whose memory is not read.
    unsafe fn load_part(p: *const f32, mask: Self::Mask) -> Self;
    unsafe fn store(self, p: *mut f32);
    /// Writes the chosen lanes.
    unsafe fn store_part(self, p: *mut f32, mask: Self::Mask);
    /// `self + a · b`
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    /// The sum of the lanes: halves are added until one lane is left.
    unsafe fn sum(self) -> f32;
    /// The [`sum`](Self::sum) of each of the first `LANES` registers.
    unsafe fn sum_each(rows: [Self; MAX_LANES]) -> Self;
    /// Transposes a square of `LANES` registers.
    unsafe fn transpose(rows: &mut [Self; MAX_LANES]);
    /// The even and the odd lanes of `low` and `high`, one behind the other.
    unsafe fn deinterleave(low: Self, high: Self) -> (Self, Self);
    /// The inverse of [`deinterleave`](Self::deinterleave).
    unsafe fn interleave(even: Self, odd: Self) -> (Self, Self);
    /// `first, first + 2, first + 4, …`: whole numbers, as bits.
    unsafe fn count_by_two(first: u32) -> Self;
    /// Of pairs: `value` where the first of it is greater than that of `max`, or NaN; else `max`.
    unsafe fn greater(max: (Self, Self), value: (Self, Self)) -> (Self, Self);
    /// The larger of `self`, which is not negative, and `|x|`: by their bits, by which an infinity
    /// is larger than any number, and a NaN than an infinity.
    unsafe fn larger_size(self, x: Self) -> Self;
    /// The smaller of the two, in the same order.
    unsafe fn smaller_size(self, x: Self) -> Self;
    /// `self` where the bits of `a` and `b` are the same, else zeros.
    unsafe fn where_same(self, a: Self, b: Self) -> Self;
}

/// Brings the line of `p` nearer; any address is right.
#[inline(always)]
pub(crate) fn prefetch(p: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing, and every x86-64 processor has it.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(p.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = p;
}

/// Calls the unsafe `$body::<V, ROWS>($args)`, compiled for the instruction set of `$level`:
/// vectors `V`, and tiles of at most `ROWS` rows of two vectors, whose sums fill most registers.
/// Whoever calls it promises what `$body` asks for but the instruction set, and says why.
macro_rules! by_level {
    ($level:expr, $body:ident($arg:expr => $ty:ty)) => {{
        use $crate::math::{PortableVector, SimdKind};
        let (level, arg): ($crate::math::SimdLevel, $ty) = ($level, $arg);
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{__m256, __m512};
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2")]
            unsafe fn avx512(arg: $ty) {
                // SAFETY: this function has the features of `__m512`; the rest is what the caller
                // of `by_level` promises.
                unsafe { $body::<__m512, 14>(arg) }
            }
            #[target_feature(enable = "avx2,fma,bmi1,bmi2")]
            unsafe fn avx2(arg: $ty) {
                // SAFETY: this function has the features of `__m256`; the rest is what the caller
                // of `by_level` promises.
                unsafe { $body::<__m256, 6>(arg) }
            }
            match level.kind() {
                // SAFETY: a level of AVX-512 exists only where the processor has the features.
                SimdKind::Avx512 => unsafe { avx512(arg) },
                // SAFETY: a level of AVX2 exists only where the processor has the features.
                SimdKind::Avx2 => unsafe { avx2(arg) },
                // SAFETY: every processor of the target has the registers; the rest is what the
                // caller of `by_level` promises.
                SimdKind::Portable => unsafe { $body::<PortableVector, 6>(arg) },
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        match level.kind() {
            // SAFETY: every processor of the target has the registers; the rest is what the caller
            // of `by_level` promises.
            SimdKind::Portable => unsafe { $body::<PortableVector, 6>(arg) },
            SimdKind::Avx2 | SimdKind::Avx512 => unreachable!("no processor of this target has it"),
        }
    }};
}
pub(crate) use by_level;

#[cfg(test)]
mod tests {
    use super::super::{SimdLevel, simd_levels};
    use super::*;

    /// Every method against its definition.
    unsafe fn check<V: Vector, const ROWS: usize>((): ()) {
        let n = V::LANES;
        let x: Vec<f32> = (0..2 * MAX_LANES).map(|i| (i * i) as f32 - 7.0).collect();
        let lanes = |v: V| {
            let mut out = [f32::NAN; MAX_LANES];
            // SAFETY: the largest register fits, and `check` has the instruction set of `V`.
            unsafe { v.store(out.as_mut_ptr()) };
            out[..n].to_vec()
        };
        let bits = |v: V| lanes(v).into_iter().map(f32::to_bits).collect::<Vec<_>>();
        // SAFETY: `by_level` runs this on processors with the instructions; `x` has two registers.
        unsafe {
            let (low, high) = (V::load(x.as_ptr()), V::load(x.as_ptr().add(n)));
            assert_eq!(lanes(low), x[..n]);
            assert_eq!(lanes(V::splat(3.0)), vec![3.0; n]);
            for count in 0..=n + 1 {
                let part = lanes(V::load_part(x.as_ptr(), V::mask(count)));
                let want = |i: usize| if i < count { x[i] } else { 0.0 };
                assert_eq!(part, (0..n).map(want).collect::<Vec<_>>());
                let mut out = [-1.0; MAX_LANES];
                low.store_part(out.as_mut_ptr(), V::mask(count));
                let want = |i: usize| if i < count.min(n) { x[i] } else { -1.0 };
                assert_eq!(out.to_vec(), (0..MAX_LANES).map(want).collect::<Vec<_>>());
            }
            let want: Vec<f32> = (0..n).map(|i| x[i] + 2.0 * x[n + i]).collect();
            assert_eq!(lanes(low.add_product(V::splat(2.0), high)), want);
            let want: Vec<f32> = (0..n).map(|i| x[i] + x[n + i]).collect();
            assert_eq!(lanes(low.add(high)), want);
            assert_eq!(low.sum(), x[..n].iter().sum::<f32>());
            let at = |r: usize, c: usize| (n * r + c) as f32;
            let mut square = [V::splat(0.0); MAX_LANES];
            for (r, row) in square.iter_mut().enumerate().take(n) {
                let values: Vec<f32> = (0..n).map(|c| at(r, c)).collect();
                *row = V::load(values.as_ptr());
            }
            let want: Vec<f32> = (0..n).map(|r| (0..n).map(|c| at(r, c)).sum()).collect();
            assert_eq!(lanes(V::sum_each(square)), want);
            V::transpose(&mut square);
            for (c, column) in square.iter().enumerate().take(n) {
                assert_eq!(lanes(*column), (0..n).map(|r| at(r, c)).collect::<Vec<_>>());
            }
            let (even, odd) = V::deinterleave(low, high);
            assert_eq!(lanes(even), (0..n).map(|i| x[2 * i]).collect::<Vec<_>>());
            assert_eq!(lanes(odd), (0..n).map(|i| x[2 * i + 1]).collect::<Vec<_>>());
            let (first, second) = V::interleave(even, odd);
            assert_eq!((lanes(first), lanes(second)), (lanes(low), lanes(high)));
            let counted = V::count_by_two(5);
            assert_eq!(bits(counted), (0..n as u32).map(|i| 5 + 2 * i).collect::<Vec<_>>());
            let mut values = x[..n].to_vec();
            (values[0], values[1]) = (f32::NAN, values[1] + 1.0);
            let (max, place) = V::greater((low, V::splat(1.0)), (V::load(values.as_ptr()), high));
            assert!(lanes(max)[0].is_nan() && lanes(max)[1..] == values[1..]);
            assert_eq!(lanes(place)[..3], [x[n], x[n + 1], 1.0]);
            let (nan, inf) = (f32::NAN, f32::INFINITY);
            let sizes =
                [(1.0, -2.0), (3.0, -2.0), (0.0, -0.0), (nan, 1.0), (1.0, -nan), (inf, nan)];
            for (size, x) in sizes {
                let size_bits = f32::to_bits(size).max(f32::to_bits(f32::abs(x)));
                assert_eq!(bits(V::splat(size).larger_size(V::splat(x))), vec![size_bits; n]);
                let size_bits = f32::to_bits(size).min(f32::to_bits(f32::abs(x)));
                assert_eq!(bits(V::splat(size).smaller_size(V::splat(x))), vec![size_bits; n]);
            }
            let same = lanes(low.where_same(counted, V::splat(f32::from_bits(7))));
            let want = |i: usize| if i == 1 { x[1] } else { 0.0 };
            assert_eq!(same, (0..n).map(want).collect::<Vec<_>>());
        }
    }

    #[test]
    fn methods_do_what_they_say() {
        let run = |level: SimdLevel| by_level!(level, check(() => ()));
        simd_levels().into_iter().for_each(run);
    }
}
