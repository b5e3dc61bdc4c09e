//! Kernels of any device, so that one call of a test runs on all of them.

use gradiron::device::{CpuKernels, EitherKernels};
use gradiron::ops::conv2d::Algorithm;

/// Of the CPU, or of a GPU.
#[cfg(feature = "cuda")]
pub type AnyKernels<'a> = EitherKernels<'a, CpuKernels<'a>, gradiron::device::CudaKernels>;
/// Of the CPU; there is no second device.
#[cfg(not(feature = "cuda"))]
pub type AnyKernels<'a> = EitherKernels<'a, CpuKernels<'a>, CpuKernels<'a>>;

/// Takes convolutions by one algorithm, on a device that has several.
pub fn convolve_by(kernels: &mut AnyKernels<'_>, algorithm: Algorithm) {
    if let AnyKernels::First(cpu) = kernels {
        cpu.convolve_by(algorithm);
    }
}
