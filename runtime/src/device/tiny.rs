//! Small passes on the CPU. The cost of a small net is not its arithmetic but all around it: calls,
//! the choice of an instruction set, loops for any size. Here a whole pass is one function for
//! each instruction set, into which its kernels are inlined with their sizes.
//!
//! Kernels are straight-line code over raw pointers. They make no slices, so that ranges which
//! overlap, a bug of the plan, would give wrong numbers and no undefined behaviour.

use std::marker::PhantomData;

use super::{Buf, CpuKernels, Kernels, Run};
use crate::math::{SimdLevel, Vector};

/// A small step on the CPU, on registers `V`.
pub struct TinyKernels<'a, V> {
    step: CpuKernels<'a>,
    lanes: PhantomData<V>,
}

impl<'a, V> TinyKernels<'a, V> {
    /// Where `len` floats are written.
    ///
    /// # Panics
    /// When `buf` has fewer, leaves its region or is read-only (bugs of this library).
    #[inline(always)]
    pub(crate) fn to(&self, buf: Buf, len: usize) -> *mut f32 {
        self.step.written(buf.part(0, len))
    }

    /// Where `len` floats are read.
    ///
    /// # Panics
    /// When `buf` has fewer or leaves its region (bugs of this library).
    #[inline(always)]
    pub(crate) fn from(&self, buf: Buf, len: usize) -> *const f32 {
        self.step.read(buf.part(0, len))
    }

    /// The kernels for all sizes.
    #[inline(always)]
    pub(crate) fn whole(&mut self) -> &mut CpuKernels<'a> {
        &mut self.step
    }
}

impl<V: Vector> Kernels for TinyKernels<'_, V> {
    const INLINE: bool = true;
    const ON_HOST: bool = true;
}

/// Runs `run` on `step` as compiled for `level`, as one function.
#[inline(always)]
pub(super) fn run_tiny<R: Run>(level: SimdLevel, step: CpuKernels<'_>, run: R) {
    #[inline(always)]
    fn body<V: Vector, R: Run>(step: CpuKernels<'_>, run: R) {
        run.run(&mut TinyKernels { step, lanes: PhantomData::<V> });
    }
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{__m256, __m512};

        use crate::math::SimdKind;

        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2")]
        fn avx512<R: Run>(step: CpuKernels<'_>, run: R) {
            body::<__m512, R>(step, run);
        }
        #[target_feature(enable = "avx2,fma,bmi1,bmi2")]
        fn avx2<R: Run>(step: CpuKernels<'_>, run: R) {
            body::<__m256, R>(step, run);
        }
        match level.kind() {
            // SAFETY: a level of AVX-512 exists only where the processor has the features.
            SimdKind::Avx512 => unsafe { avx512(step, run) },
            // SAFETY: a level of AVX2 exists only where the processor has the features.
            SimdKind::Avx2 => unsafe { avx2(step, run) },
            // A processor without AVX2 is not worth a third copy of every small function.
            SimdKind::Portable => {
                let mut step = step;
                run.run(&mut step);
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = level;
        body::<crate::math::PortableVector, R>(step, run);
    }
}
