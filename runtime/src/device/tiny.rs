//! Small passes on the CPU. The cost of a small net is not its arithmetic but all around it: calls,
//! the choice of an instruction set, loops for any size. Here a whole pass is one function for
//! each instruction set, into which its kernels are inlined with their sizes.
//!
//! Kernels are straight-line code over raw pointers. They make no slices, so that ranges which
//! overlap, a bug of the plan, would give wrong numbers and no undefined behaviour.

use std::marker::PhantomData;

use super::{Buf, CpuKernels, Indices, Kernels, Run};
use crate::math::{SimdLevel, Vector};
use crate::ops::batch_norm::{BatchNorm, BatchNormSpec, Running};
use crate::ops::cat::{Cat, CatSpec};
use crate::ops::conv2d::{Conv2d, Conv2dSpec, Pass};
use crate::ops::cross_entropy::{CrossEntropy, CrossEntropySpec};
use crate::ops::interpolate::{Interpolate, InterpolateSpec};
use crate::ops::nll_loss::{NllLoss, NllLossSpec};
use crate::ops::permute::Permute;
use crate::ops::pool2d::{Pool2d, Pool2dSpec};
use crate::ops::softmax::{Softmax, SoftmaxSpec};

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

/// Kernels that have no small form.
macro_rules! whole {
    ($($room:ident { $($kernel:ident($($arg:ident: $ty:ty),*);)* })*) => {
        $(impl<V: Vector> $room for TinyKernels<'_, V> {
            $(#[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn $kernel(&mut self, $($arg: $ty),*) {
                self.step.$kernel($($arg),*)
            })*
        })*
    };
}
whole! {
    Conv2d {
        conv2d(pass: Pass, out: Buf, of: [Buf; 2], scratch: Buf, spec: Conv2dSpec);
    }
    BatchNorm {
        batch_norm_statistics(
            mean: [Buf; 2], invstd: Buf, x: Buf, running: Option<Running>, spec: BatchNormSpec
        );
        batch_norm_sums(
            d_w: Buf, d_b: Buf, d_y: Buf, x: Buf, mean: [Buf; 2], invstd: Buf, spec: BatchNormSpec
        );
    }
    Pool2d {
        max_pool2d(y: Buf, index: Option<Buf>, x: Buf, spec: Pool2dSpec);
        max_pool2d_grad(d_x: Buf, d_y: Buf, index: Buf, spec: Pool2dSpec);
        avg_pool2d(y: Buf, x: Buf, spec: Pool2dSpec);
        avg_pool2d_grad(d_x: Buf, d_y: Buf, spec: Pool2dSpec);
    }
    Softmax {
        softmax(y: Buf, x: Buf, spec: SoftmaxSpec);
        log_softmax(y: Buf, x: Buf, spec: SoftmaxSpec);
        softmax_grad(d_x: Buf, d_y: Buf, y: Buf, spec: SoftmaxSpec);
        log_softmax_grad(d_x: Buf, d_y: Buf, y: Buf, spec: SoftmaxSpec);
    }
    CrossEntropy {
        cross_entropy(loss: Buf, logits: Buf, label: Indices, spec: CrossEntropySpec);
        cross_entropy_with_grad(
            loss: Buf, d_logits: Buf, logits: Buf, label: Indices, spec: CrossEntropySpec
        );
        cross_entropy_grad(d_logits: Buf, d_loss: Buf, of_one: Buf);
    }
    Cat {
        cat(y: Buf, x: Buf, spec: CatSpec);
        cat_grad(d_x: Buf, d_y: Buf, spec: CatSpec);
    }
    Interpolate {
        interpolate(y: Buf, x: Buf, spec: InterpolateSpec);
        interpolate_grad(d_x: Buf, d_y: Buf, spec: InterpolateSpec);
    }
    NllLoss {
        nll_loss(loss: Buf, log_probs: Buf, label: Indices, spec: NllLossSpec);
        nll_loss_grad(d_log_probs: Buf, d_loss: Buf, label: Indices, spec: NllLossSpec);
    }
}

impl<V: Vector> Permute for TinyKernels<'_, V> {
    #[inline(always)]
    fn permute<const R: usize>(&mut self, y: Buf, x: Buf, dims: [usize; R], axes: [usize; R]) {
        self.step.permute(y, x, dims, axes);
    }
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
