//! Registers of floats, one type for each instruction set.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// A register of floats. All methods need the instruction set of the type.
pub(in crate::ops) trait Vector: Copy {
    const LANES: usize;
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
    /// The sum of the lanes.
    unsafe fn sum(self) -> f32;
    /// Transposes a square of `LANES` registers.
    unsafe fn transpose(rows: &mut [Self; MAX_LANES]);
}

/// The largest `Vector::LANES`.
pub(in crate::ops) const MAX_LANES: usize = 16;

macro_rules! x86_vector {
    ($type:ty, $lanes:expr, $splat:ident, $load:ident, $store:ident, $add:ident,
     |$sum:ident, $a:ident, $b:ident| $fma:expr, |$v:ident| $total:expr, $transpose:ident,
     $mask_type:ty, |$count:ident| $mask:expr,
     |$from:ident, $load_mask:ident| $load_part:expr,
     |$value:ident, $to:ident, $store_mask:ident| $store_part:expr) => {
        #[cfg(target_arch = "x86_64")]
        impl Vector for $type {
            const LANES: usize = $lanes;
            type Mask = $mask_type;
            #[inline(always)]
            unsafe fn mask($count: usize) -> Self::Mask {
                // SAFETY: the caller has the instruction set; so for all methods here.
                #[allow(unused_unsafe)]
                unsafe {
                    $mask
                }
            }
            #[inline(always)]
            unsafe fn splat(x: f32) -> Self {
                // SAFETY: as for `mask`.
                unsafe { $splat(x) }
            }
            #[inline(always)]
            unsafe fn load(p: *const f32) -> Self {
                // SAFETY: the caller lends `LANES` floats.
                unsafe { $load(p) }
            }
            #[inline(always)]
            unsafe fn load_part($from: *const f32, $load_mask: Self::Mask) -> Self {
                // SAFETY: the caller lends the chosen floats.
                unsafe { $load_part }
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut f32) {
                // SAFETY: the caller lends `LANES` floats.
                unsafe { $store(p, self) }
            }
            #[inline(always)]
            unsafe fn store_part(self, $to: *mut f32, $store_mask: Self::Mask) {
                let $value = self;
                // SAFETY: the caller lends the chosen floats.
                unsafe { $store_part }
            }
            #[inline(always)]
            unsafe fn add_product(self, $a: Self, $b: Self) -> Self {
                let $sum = self;
                // SAFETY: as for `mask`.
                unsafe { $fma }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: as for `mask`.
                unsafe { $add(self, other) }
            }
            #[inline(always)]
            unsafe fn sum(self) -> f32 {
                let $v = self;
                // SAFETY: as for `mask`.
                unsafe { $total }
            }
            #[inline(always)]
            unsafe fn transpose(rows: &mut [Self; MAX_LANES]) {
                // SAFETY: as for `mask`.
                unsafe { $transpose(rows) }
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
    |v| _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1)).sum(),
    transpose_16,
    __mmask16,
    |count| if count >= 16 { 0xffff } else { (1 << count) - 1 },
    |p, mask| _mm512_maskz_loadu_ps(mask, p),
    |v, p, mask| _mm512_mask_storeu_ps(p, mask, v)
);
x86_vector!(
    __m256,
    8,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    |sum, a, b| _mm256_fmadd_ps(a, b, sum),
    |v| _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)).sum(),
    transpose_8,
    __m256i,
    |count| _mm256_cmpgt_epi32(
        _mm256_set1_epi32(count.min(8) as i32),
        _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)
    ),
    |p, mask| _mm256_maskload_ps(p, mask),
    |v, p, mask| _mm256_maskstore_ps(p, mask, v)
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
    },
    transpose_4,
    usize,
    |count| count.min(4),
    |p, count| {
        if count == 4 {
            return Self::load(p);
        }
        let mut lanes = [0.0; 4];
        std::ptr::copy_nonoverlapping(p, lanes.as_mut_ptr(), count);
        Self::load(lanes.as_ptr())
    },
    |v, p, count| {
        if count == 4 {
            return v.store(p);
        }
        let mut lanes = [0.0; 4];
        v.store(lanes.as_mut_ptr());
        std::ptr::copy_nonoverlapping(lanes.as_ptr(), p, count);
    }
);

#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn transpose_16(r: &mut [__m512; MAX_LANES]) {
    // SAFETY: the caller has AVX-512.
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
            let even_low = _mm512_shuffle_f32x4(r[c], r[c + 4], 0x88);
            let odd_low = _mm512_shuffle_f32x4(r[c], r[c + 4], 0xdd);
            let even_high = _mm512_shuffle_f32x4(r[c + 8], r[c + 12], 0x88);
            let odd_high = _mm512_shuffle_f32x4(r[c + 8], r[c + 12], 0xdd);
            t[c] = _mm512_shuffle_f32x4(even_low, even_high, 0x88);
            t[c + 4] = _mm512_shuffle_f32x4(odd_low, odd_high, 0x88);
            t[c + 8] = _mm512_shuffle_f32x4(even_low, even_high, 0xdd);
            t[c + 12] = _mm512_shuffle_f32x4(odd_low, odd_high, 0xdd);
        }
        *r = t;
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn transpose_8(r: &mut [__m256; MAX_LANES]) {
    // SAFETY: the caller has AVX2.
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
            t[c] = _mm256_permute2f128_ps(r[c], r[c + 4], 0x20);
            t[c + 4] = _mm256_permute2f128_ps(r[c], r[c + 4], 0x31);
        }
        *r = t;
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn transpose_4(r: &mut [__m128; MAX_LANES]) {
    // SAFETY: every x86-64 processor has SSE.
    unsafe {
        let (low_0, high_0) = (_mm_unpacklo_ps(r[0], r[1]), _mm_unpackhi_ps(r[0], r[1]));
        let (low_2, high_2) = (_mm_unpacklo_ps(r[2], r[3]), _mm_unpackhi_ps(r[2], r[3]));
        r[0] = _mm_movelh_ps(low_0, low_2);
        r[1] = _mm_movehl_ps(low_2, low_0);
        r[2] = _mm_movelh_ps(high_0, high_2);
        r[3] = _mm_movehl_ps(high_2, high_0);
    }
}

#[cfg(target_arch = "x86_64")]
pub(in crate::ops) type PortableVector = __m128;

#[cfg(not(target_arch = "x86_64"))]
pub(in crate::ops) type PortableVector = [f32; 4];

#[cfg(not(target_arch = "x86_64"))]
impl Vector for [f32; 4] {
    const LANES: usize = 4;
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
        // SAFETY: the caller lends 4 floats.
        unsafe { p.cast::<Self>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, count: usize) -> Self {
        // SAFETY: the caller lends `count` floats.
        std::array::from_fn(|i| if i < count { unsafe { *p.add(i) } } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: the caller lends 4 floats.
        unsafe { p.cast::<Self>().write_unaligned(self) }
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, count: usize) {
        // SAFETY: the caller lends `count` floats.
        unsafe { std::ptr::copy_nonoverlapping(self.as_ptr(), p, count) }
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
    #[inline(always)]
    unsafe fn transpose(rows: &mut [Self; MAX_LANES]) {
        let columns: [Self; 4] = std::array::from_fn(|c| std::array::from_fn(|r| rows[r][c]));
        rows[..4].copy_from_slice(&columns);
    }
}

/// Calls `$body::<V, COLS, ROWS>($args)`, compiled for the instruction set of `$level`: vectors
/// `V`, and a tile of at most `ROWS` rows and `COLS` vectors, whose sums fill most registers.
macro_rules! by_level {
    ($level:expr, $body:ident($arg:expr => $ty:ty)) => {{
        let (level, arg) = ($level, $arg);
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{__m256, __m512};

            use crate::math::SimdKind;
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2")]
            unsafe fn avx512(arg: $ty) {
                // SAFETY: the promise of the caller of `by_level`.
                unsafe { $body::<__m512, 14>(arg) }
            }
            #[target_feature(enable = "avx2,fma,bmi1,bmi2")]
            unsafe fn avx2(arg: $ty) {
                // SAFETY: as above.
                unsafe { $body::<__m256, 6>(arg) }
            }
            match level.kind() {
                // SAFETY: a level of this kind exists only where the processor has the features;
                // the rest is the caller's promise.
                SimdKind::Avx512 => unsafe { avx512(arg) },
                // SAFETY: as above.
                SimdKind::Avx2 => unsafe { avx2(arg) },
                // SAFETY: the caller's promise.
                SimdKind::Portable => unsafe { $body::<PortableVector, 6>(arg) },
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = level;
            // SAFETY: the caller's promise.
            unsafe { $body::<PortableVector, 6>(arg) }
        }
    }};
}
pub(in crate::ops) use by_level;
