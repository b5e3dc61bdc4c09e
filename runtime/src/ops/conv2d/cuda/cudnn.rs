//! Convolutions by cuDNN: for each kind of convolution a plan, made once. Where cuDNN has no
//! algorithm that gives the same bits in every run, our own kernels take its place.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::cudnn::result::{self, CudnnError};
use cudarc::cudnn::sys;
use cudarc::driver::sys::{CUdeviceptr, CUstream};

use crate::device::{
    Buf, Context, CudaError, CudaKernels, Element, Factors, LibraryCall, Plan, Planned, Shared,
};
use crate::ops::conv2d::{Conv2dSpec, Pass};

/// Bytes that an algorithm may use on the side, at most.
const WORKSPACE: usize = 256 << 20;
/// Algorithms that cuDNN has for a pass, at most.
const ALGORITHMS: usize = 8;
/// Bytes to which addresses are aligned: algorithms may read so many at once.
const ALIGNED: u64 = 16;

/// What tells a convolution from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Kind {
    pass: Pass,
    spec: Conv2dSpec,
    /// What all its tensors are made of.
    factors: Factors,
}

impl Kind {
    fn element(&self) -> sys::cudnnDataType_t {
        match self.factors {
            Factors::F32 | Factors::Tf32 => sys::cudnnDataType_t::CUDNN_DATA_FLOAT,
            Factors::Bf16 => sys::cudnnDataType_t::CUDNN_DATA_BFLOAT16,
            Factors::F16 => sys::cudnnDataType_t::CUDNN_DATA_HALF,
        }
    }

    fn math(&self) -> sys::cudnnMathType_t {
        match self.factors {
            // The default may round to TF32.
            Factors::F32 => sys::cudnnMathType_t::CUDNN_FMA_MATH,
            _ => sys::cudnnMathType_t::CUDNN_TENSOR_OP_MATH,
        }
    }
}

impl CudaKernels {
    /// A pass by cuDNN, or by the launches of `otherwise` where cuDNN has no plan for it, which is
    /// known when there are addresses. All tensors have the type of the step's factors: floats are
    /// rounded first, and a result of floats is widened.
    pub(crate) fn convolve_by_cudnn(
        &mut self,
        pass: Pass,
        out: Buf,
        of: [Buf; 2],
        spec: Conv2dSpec,
        otherwise: impl FnOnce(&mut Self),
    ) {
        let mut end = 0;
        let ([a, b], before) = self.apart(|step| of.map(|factor| step.factor(factor, &mut end)));
        let (result, after) = self.apart(|step| {
            if !step.factors().are_halves() || out.element != Element::Float {
                return out.into();
            }
            let result = step.rounded(out.len, &mut end);
            step.copy_as(out.into(), result, out.len);
            result
        });
        let ((), otherwise) = self.apart(otherwise);
        let at = match pass {
            Pass::Forward => vec![a, b, result],
            Pass::InputGrad => vec![result, b, a],
            Pass::WeightGrad => vec![b, result, a],
        };
        let call = Box::new(Kind { pass, spec, factors: self.factors() });
        self.call_library(LibraryCall { call, at, before, after, otherwise });
    }
}

/// The convolutions of a GPU.
struct Convolutions {
    handle: sys::cudnnHandle_t,
    /// Those that cuDNN computes, and those that it does not. Whoever uses the handle holds the
    /// lock.
    plans: Mutex<HashMap<Kind, Option<Arc<Planning>>>>,
}

// SAFETY: the handle is used by one thread at a time, which has bound the context.
unsafe impl Send for Convolutions {}
// SAFETY: whoever uses the handle holds the lock of `plans`, so one thread at a time does.
unsafe impl Sync for Convolutions {}

/// The descriptions of a convolution and what computes it.
struct Planning {
    described: Described,
    algorithm: Algorithm,
    /// Bytes that it uses on the side.
    workspace: usize,
}

impl Plan for Kind {
    fn plan(
        &self,
        shared: &Shared,
        at: &[CUdeviceptr],
    ) -> Result<Option<Arc<dyn Planned>>, CudaError> {
        if at.iter().any(|address| !address.is_multiple_of(ALIGNED)) {
            return Ok(None);
        }
        let plan = Convolutions::of(shared)?.plan(self)?;
        Ok(plan.map(|plan| plan as Arc<dyn Planned>))
    }
}

impl Planned for Planning {
    fn workspace(&self) -> usize {
        self.workspace
    }

    fn launch(
        &self,
        shared: &Shared,
        at: &[CUdeviceptr],
        workspace: CUdeviceptr,
    ) -> Result<(), CudaError> {
        let [x, w, y] = *at else { unreachable!("a convolution has three tensors") };
        Convolutions::of(shared)?.launch(self, [x, w, y], workspace)
    }
}

#[derive(Clone, Copy)]
enum Algorithm {
    Forward(sys::cudnnConvolutionFwdAlgo_t),
    InputGrad(sys::cudnnConvolutionBwdDataAlgo_t),
    WeightGrad(sys::cudnnConvolutionBwdFilterAlgo_t),
}

impl Algorithm {
    /// Whether transforms of tiles or planes mix values that no window holds together, so that one
    /// that is not finite or huge reaches outputs that do not see it.
    fn mixes(self) -> bool {
        use sys::cudnnConvolutionFwdAlgo_t as Fwd;
        use sys::{
            cudnnConvolutionBwdDataAlgo_t as Data, cudnnConvolutionBwdFilterAlgo_t as Filter,
        };
        match self {
            Self::Forward(algorithm) => matches!(
                algorithm,
                Fwd::CUDNN_CONVOLUTION_FWD_ALGO_FFT
                    | Fwd::CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING
                    | Fwd::CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD
                    | Fwd::CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED
            ),
            Self::InputGrad(algorithm) => matches!(
                algorithm,
                Data::CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT
                    | Data::CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING
                    | Data::CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD
                    | Data::CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED
            ),
            Self::WeightGrad(algorithm) => matches!(
                algorithm,
                Filter::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT
                    | Filter::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING
                    | Filter::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD
                    | Filter::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED
            ),
        }
    }
}

/// An algorithm that cuDNN offers.
struct Offer {
    algorithm: Algorithm,
    math: sys::cudnnMathType_t,
    /// Whether it works, with the same bits in every run.
    suits: bool,
}

impl Convolutions {
    /// Those of a GPU.
    fn of(shared: &Shared) -> Result<Arc<Self>, CudaError> {
        shared.library(Self::new)
    }

    /// Starts cuDNN, whose work runs on `stream` then.
    fn new(stream: CUstream) -> Result<Self, CudaError> {
        let handle = result::create_handle().to("start cuDNN")?;
        let convolutions = Self { handle, plans: Mutex::default() };
        // SAFETY: the handle and the stream are open.
        unsafe { result::set_stream(handle, stream.cast()) }.to("start cuDNN")?;
        Ok(convolutions)
    }

    /// The plan of a convolution, if cuDNN may compute it.
    fn plan(&self, kind: &Kind) -> Result<Option<Arc<Planning>>, CudaError> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans.get(kind) {
            return Ok(plan.clone());
        }
        let plan = supported(self.make(kind)).to("plan a convolution")?;
        let plan = plan.flatten().map(Arc::new);
        plans.insert(*kind, plan.clone());
        Ok(plan)
    }

    fn make(&self, kind: &Kind) -> Result<Option<Planning>, CudnnError> {
        let described = Described::new()?;
        if !described.describe(kind)? {
            return Ok(None);
        }
        for offer in self.offers(kind.pass, &described)? {
            if !offer.suits || offer.algorithm.mixes() {
                continue;
            }
            // An algorithm is meant for its math; without TF32 there is one alone.
            if kind.factors != Factors::F32 {
                // SAFETY: the description is open.
                unsafe { result::set_convolution_math_type(described.convolution, offer.math)? };
            }
            let workspace = supported(self.workspace(offer.algorithm, &described))?;
            if let Some(workspace) = workspace.filter(|bytes| *bytes <= WORKSPACE) {
                return Ok(Some(Planning { described, algorithm: offer.algorithm, workspace }));
            }
        }
        Ok(None)
    }

    /// What cuDNN offers, what it takes for the fastest first.
    fn offers(&self, pass: Pass, described: &Described) -> Result<Vec<Offer>, CudnnError> {
        let (handle, &Described { x, w, y, convolution }) = (self.handle, described);
        macro_rules! offers {
            ($ask:ident, $algorithm:ident, $($of:ident),*) => {{
                let (mut found, mut count) = (Vec::with_capacity(ALGORITHMS), 0);
                // SAFETY: the descriptions are whole, and there is room for as many as are asked
                // for; as many as it counts are written.
                unsafe {
                    let room = found.as_mut_ptr();
                    result::$ask(handle, $($of),*, ALGORITHMS as i32, &raw mut count, room)?;
                    found.set_len(usize::try_from(count).unwrap_or(0).min(ALGORITHMS));
                }
                let offers = found.iter().map(|found| Offer {
                    algorithm: Algorithm::$algorithm(found.algo),
                    math: found.mathType,
                    suits: found.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS
                        && found.determinism == sys::cudnnDeterminism_t::CUDNN_DETERMINISTIC,
                });
                Ok(offers.collect())
            }};
        }
        match pass {
            Pass::Forward => {
                offers!(get_convolution_forward_algorithm, Forward, x, w, convolution, y)
            }
            Pass::InputGrad => {
                offers!(get_convolution_backward_data_algorithm, InputGrad, w, y, convolution, x)
            }
            Pass::WeightGrad => {
                offers!(get_convolution_backward_filter_algorithm, WeightGrad, x, y, convolution, w)
            }
        }
    }

    /// Bytes that an algorithm uses on the side.
    fn workspace(&self, algorithm: Algorithm, of: &Described) -> Result<usize, CudnnError> {
        let (handle, &Described { x, w, y, convolution }) = (self.handle, of);
        // SAFETY: the descriptions are whole.
        unsafe {
            match algorithm {
                Algorithm::Forward(algorithm) => result::get_convolution_forward_workspace_size(
                    handle,
                    x,
                    w,
                    convolution,
                    y,
                    algorithm,
                ),
                Algorithm::InputGrad(algorithm) => {
                    result::get_convolution_backward_data_workspace_size(
                        handle,
                        w,
                        y,
                        convolution,
                        x,
                        algorithm,
                    )
                }
                Algorithm::WeightGrad(algorithm) => {
                    result::get_convolution_backward_filter_workspace_size(
                        handle,
                        x,
                        y,
                        convolution,
                        w,
                        algorithm,
                    )
                }
            }
        }
    }

    /// Starts a convolution of the tensors at these addresses, with the plan's memory on the side.
    fn launch(
        &self,
        plan: &Planning,
        [x, w, y]: [CUdeviceptr; 3],
        workspace: CUdeviceptr,
    ) -> Result<(), CudaError> {
        let _alone = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let Described { x: of_x, w: of_w, y: of_y, convolution } = plan.described;
        let (one, zero) = (1.0_f32, 0.0_f32);
        let [one, zero] = [&one, &zero].map(|number| std::ptr::from_ref(number).cast::<c_void>());
        let [x, w, y, workspace] = [x, w, y, workspace].map(|address| address as *mut c_void);
        let (handle, bytes) = (self.handle, plan.workspace);
        // SAFETY: the addresses are of tensors that are as the plan describes them, checked by the
        // caller; the result overlaps no factor, and the workspace, which is large enough, is used
        // by one stream alone.
        unsafe {
            match plan.algorithm {
                Algorithm::Forward(algorithm) => result::convolution_forward(
                    handle,
                    one,
                    of_x,
                    x,
                    of_w,
                    w,
                    convolution,
                    algorithm,
                    workspace,
                    bytes,
                    zero,
                    of_y,
                    y,
                ),
                Algorithm::InputGrad(algorithm) => result::convolution_backward_data(
                    handle,
                    one,
                    of_w,
                    w,
                    of_y,
                    y,
                    convolution,
                    algorithm,
                    workspace,
                    bytes,
                    zero,
                    of_x,
                    x,
                ),
                Algorithm::WeightGrad(algorithm) => result::convolution_backward_filter(
                    handle,
                    one,
                    of_x,
                    x,
                    of_y,
                    y,
                    convolution,
                    algorithm,
                    workspace,
                    bytes,
                    zero,
                    of_w,
                    w,
                ),
            }
        }
        .to("start a convolution")
    }
}

impl Drop for Convolutions {
    fn drop(&mut self) {
        // SAFETY: nothing uses the handle any more.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}

/// Nothing where cuDNN does not support what it was asked for.
fn supported<T>(result: Result<T, CudnnError>) -> Result<Option<T>, CudnnError> {
    match result {
        Ok(value) => Ok(Some(value)),
        // Codes from 3000 to 3999 say what it is that is not supported.
        Err(CudnnError(status)) if status as u32 / 1000 == 3 => Ok(None),
        Err(error) => Err(error),
    }
}

/// What cuDNN knows of the tensors and of what it does with them.
struct Described {
    x: sys::cudnnTensorDescriptor_t,
    w: sys::cudnnFilterDescriptor_t,
    y: sys::cudnnTensorDescriptor_t,
    convolution: sys::cudnnConvolutionDescriptor_t,
}

// SAFETY: descriptions are not changed once they belong to a plan, and may be used by any thread.
unsafe impl Send for Described {}
// SAFETY: what is shared is only read: no function changes a description that a plan has.
unsafe impl Sync for Described {}

impl Described {
    fn new() -> Result<Self, CudnnError> {
        Ok(Self {
            x: result::create_tensor_descriptor()?,
            w: result::create_filter_descriptor()?,
            y: result::create_tensor_descriptor()?,
            convolution: result::create_convolution_descriptor()?,
        })
    }

    /// Describes a convolution, if cuDNN has its sizes: no tensor is empty, and all fit.
    fn describe(&self, kind: &Kind) -> Result<bool, CudnnError> {
        let spec = &kind.spec;
        let Conv2dSpec { batch, in_channels, out_channels, height, width, .. } = *spec;
        let Conv2dSpec { kernel, stride, padding, dilation, groups, .. } = *spec;
        let (Some(x), Some(w), Some(y)) = (
            sizes([batch, in_channels, height, width]),
            sizes([out_channels, in_channels / groups, kernel[0], kernel[1]]),
            sizes([batch, out_channels, spec.out_height(), spec.out_width()]),
        ) else {
            return Ok(false);
        };
        let (Some(padding), Some(stride), Some(dilation), Some([groups])) =
            (sizes(padding), sizes(stride), sizes(dilation), sizes([groups]))
        else {
            return Ok(false);
        };
        if [x, w, y].as_flattened().contains(&0) {
            return Ok(false);
        }
        let nchw = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NCHW;
        let mode = sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
        let (element, sums) = (kind.element(), sys::cudnnDataType_t::CUDNN_DATA_FLOAT);
        // SAFETY: the descriptions are open.
        unsafe {
            result::set_tensor4d_descriptor(self.x, nchw, element, x)?;
            result::set_filter4d_descriptor(self.w, element, nchw, w)?;
            result::set_tensor4d_descriptor(self.y, nchw, element, y)?;
            result::set_convolution2d_descriptor(
                self.convolution,
                padding[0],
                padding[1],
                stride[0],
                stride[1],
                dilation[0],
                dilation[1],
                mode,
                sums,
            )?;
            result::set_convolution_group_count(self.convolution, groups)?;
            result::set_convolution_math_type(self.convolution, kind.math())?;
        }
        Ok(true)
    }
}

impl Drop for Described {
    fn drop(&mut self) {
        // SAFETY: open, and nothing uses them any more.
        unsafe {
            let _ = result::destroy_tensor_descriptor(self.x);
            let _ = result::destroy_filter_descriptor(self.w);
            let _ = result::destroy_tensor_descriptor(self.y);
            let _ = result::destroy_convolution_descriptor(self.convolution);
        }
    }
}

/// Sizes as cuDNN takes them, where they fit.
fn sizes<const N: usize>(of: [usize; N]) -> Option<[i32; N]> {
    let fit = of.iter().all(|&size| i32::try_from(size).is_ok());
    fit.then(|| of.map(|size| size as i32))
}
