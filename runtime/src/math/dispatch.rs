//! One kernel body, compiled once for each instruction set and chosen at run time.

use std::sync::OnceLock;

use super::Arith;

/// An instruction set that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SimdKind {
    /// What the compilation target always has.
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
}

/// A [`SimdKind`] that this processor has: a value of this type is the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SimdLevel(SimdKind);

/// The levels of this processor, the lowest first.
pub fn simd_levels() -> Vec<SimdLevel> {
    [SimdKind::Portable, SimdKind::Avx2, SimdKind::Avx512]
        .into_iter()
        .filter_map(SimdLevel::new)
        .collect()
}

impl SimdLevel {
    /// What every processor of the target has.
    pub const PORTABLE: Self = Self(SimdKind::Portable);

    /// The proof that this processor has `kind`, if it has.
    pub fn new(kind: SimdKind) -> Option<Self> {
        let present = match kind {
            SimdKind::Portable => true,
            #[cfg(target_arch = "x86_64")]
            SimdKind::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("bmi1")
                    && is_x86_feature_detected!("bmi2")
            }
            #[cfg(target_arch = "x86_64")]
            SimdKind::Avx512 => {
                Self::new(SimdKind::Avx2).is_some()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(not(target_arch = "x86_64"))]
            SimdKind::Avx2 | SimdKind::Avx512 => false,
        };
        present.then_some(Self(kind))
    }

    /// The highest level of this processor.
    pub fn detect() -> Self {
        static HIGHEST: OnceLock<SimdLevel> = OnceLock::new();
        *HIGHEST.get_or_init(|| {
            let higher = Self::new(SimdKind::Avx512).or_else(|| Self::new(SimdKind::Avx2));
            higher.unwrap_or(Self::PORTABLE)
        })
    }

    /// The instruction set.
    #[inline]
    pub const fn kind(self) -> SimdKind {
        self.0
    }

    /// Runs `body` as compiled for this level.
    #[inline]
    pub fn run<B: Body>(self, body: B) -> B::Output {
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2")]
            fn avx512<B: Body>(body: B) -> B::Output {
                body.run::<super::Fused>()
            }
            #[target_feature(enable = "avx2,fma,bmi1,bmi2")]
            fn avx2<B: Body>(body: B) -> B::Output {
                body.run::<super::Fused>()
            }
            match self.0 {
                // SAFETY: `new` made this level, so the processor has these features.
                SimdKind::Avx512 => return unsafe { avx512(body) },
                // SAFETY: `new` made this one too, where it found AVX2, FMA, BMI1 and BMI2.
                SimdKind::Avx2 => return unsafe { avx2(body) },
                SimdKind::Portable => {}
            }
        }
        body.run::<PortableArith>()
    }
}

/// The arithmetic of [`SimdKind::Portable`]: fused where the target always has it.
#[cfg(any(target_arch = "aarch64", target_feature = "fma"))]
pub(crate) type PortableArith = super::Fused;
#[cfg(not(any(target_arch = "aarch64", target_feature = "fma")))]
pub(crate) type PortableArith = super::Plain;

/// A kernel body for [`SimdLevel::run`], for bodies that are generic in more than the arithmetic;
/// others use `simd!`. Its `run`, and all that `run` calls in loops, must be
/// `#[inline(always)]`, and closures there stay without `target_feature` unless they are inlined.
pub trait Body {
    /// What a run gives.
    type Output;
    /// The kernel, with the arithmetic of an instruction set.
    fn run<A: Arith>(self) -> Self::Output;
}

/// `simd! { fn f<A>(y: &mut [f32], x: &[f32]) { .. A::mul_add(..) .. } }` defines
/// `fn f(level: SimdLevel, y: &mut [f32], x: &[f32])`; `unsafe fn` likewise.
macro_rules! simd {
    ($(#[$meta:meta])* $vis:vis fn $name:ident<$A:ident>(
        $($arg:ident: $ty:ty),* $(,)?
    ) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name(level: $crate::math::SimdLevel, $($arg: $ty),*) $(-> $ret)? {
            $crate::math::simd!(@compile () $A ($($arg: $ty),*) ($($ret)?) $body);
            #[cfg(target_arch = "x86_64")]
            match level.kind() {
                // SAFETY: a level of this kind exists only where the processor has the features.
                $crate::math::SimdKind::Avx512 => return unsafe { avx512($($arg),*) },
                // SAFETY: nor does a level of AVX2, see `SimdLevel::new`.
                $crate::math::SimdKind::Avx2 => return unsafe { avx2($($arg),*) },
                _ => {}
            }
            let _ = level;
            body::<$crate::math::PortableArith>($($arg),*)
        }
    };
    ($(#[$meta:meta])* $vis:vis unsafe fn $name:ident<$A:ident>(
        $($arg:ident: $ty:ty),* $(,)?
    ) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis unsafe fn $name(level: $crate::math::SimdLevel, $($arg: $ty),*) $(-> $ret)? {
            $crate::math::simd!(@compile (unsafe) $A ($($arg: $ty),*) ($($ret)?) $body);
            // SAFETY: a level exists only where the processor has its features; the caller lends
            // what the body says.
            unsafe {
                #[cfg(target_arch = "x86_64")]
                match level.kind() {
                    $crate::math::SimdKind::Avx512 => return avx512($($arg),*),
                    $crate::math::SimdKind::Avx2 => return avx2($($arg),*),
                    _ => {}
                }
                let _ = level;
                body::<$crate::math::PortableArith>($($arg),*)
            }
        }
    };
    (@compile ($($unsafe:tt)?) $A:ident ($($arg:ident: $ty:ty),*) ($($ret:ty)?) $body:block) => {
        #[inline(always)]
        #[allow(clippy::too_many_arguments, clippy::extra_unused_type_parameters)]
        $($unsafe)? fn body<$A: $crate::math::Arith>($($arg: $ty),*) $(-> $ret)? $body

        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2")]
        #[allow(clippy::too_many_arguments, unused_unsafe)]
        $($unsafe)? fn avx512($($arg: $ty),*) $(-> $ret)? {
            // SAFETY: that of the function around this one.
            unsafe { body::<$crate::math::Fused>($($arg),*) }
        }

        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma,bmi1,bmi2")]
        #[allow(clippy::too_many_arguments, unused_unsafe)]
        $($unsafe)? fn avx2($($arg: $ty),*) $(-> $ret)? {
            // SAFETY: that of the function around this one.
            unsafe { body::<$crate::math::Fused>($($arg),*) }
        }
    };
}
pub(crate) use simd;
