//! Products by cuBLASLt: for each kind of product a plan, made once.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};

use cudarc::cublaslt::{result, sys};
use cudarc::driver::sys::{CUdeviceptr, CUstream};

use super::error::{Context, CudaError};
use crate::device::{Buf, Element, Precision};
use crate::ops::matmul::{Layout, MatmulSpec};

/// Bytes that cuBLASLt may use on the side.
pub(super) const WORKSPACE: usize = 32 << 20;

/// What follows a product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Epilogue {
    #[default]
    None,
    /// A number is added to each column.
    Bias,
    /// The same, and negative numbers become 0.
    BiasRelu,
}

/// What factors of products are rounded to; sums are `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Factors {
    #[default]
    F32,
    /// 8 bits of exponent as in an `f32`, 10 of fraction.
    Tf32,
    Bf16,
    F16,
}

impl Factors {
    pub fn of(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::Bf16 => Self::Bf16,
            Precision::F16 => Self::F16,
        }
    }

    /// Whether they have 16 bits.
    pub fn are_halves(self) -> bool {
        matches!(self, Self::Bf16 | Self::F16)
    }

    /// What kernels call an element of 16 bits.
    pub fn half(self) -> &'static str {
        if self == Self::F16 { "f16" } else { "bf16" }
    }
}

/// A batch of products of the same sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Product {
    pub spec: MatmulSpec,
    pub epilogue: Epilogue,
    /// How many, and how far apart results and factors are.
    count: usize,
    strides: [usize; 3],
}

impl Product {
    pub fn new(spec: MatmulSpec, epilogue: Epilogue) -> Self {
        Self { spec, epilogue, count: 1, strides: [0; 3] }
    }

    /// This batch and one product more, of `[result, factor, factor]`, each given as the first
    /// one's and the new one's; nothing where they are no batch.
    pub fn joined(self, next: Self, bufs: [(Buf, Buf); 3]) -> Option<Self> {
        if self.spec != next.spec
            || self.epilogue != Epilogue::None
            || next.epilogue != Epilogue::None
        {
            return None;
        }
        let mut strides = [0; 3];
        for (stride, (first, next)) in strides.iter_mut().zip(bufs) {
            if (first.region, first.element) != (next.region, next.element) {
                return None;
            }
            *stride = next.start.checked_sub(first.start)? / self.count;
            if first.start + self.count * *stride != next.start {
                return None;
            }
        }
        // A factor may be shared, a result not.
        let known = self.count == 1 || strides == self.strides;
        let apart = strides[0] >= self.spec.m * self.spec.n;
        (known && apart).then_some(Self { count: self.count + 1, strides, ..self })
    }

    fn key(self, at: Operands, types: Types) -> Key {
        let (m, k, n) = self.spec.sizes();
        let layout = match self.spec.layout {
            Layout::NN => 0,
            Layout::NT => 1,
            Layout::TN => 2,
        };
        let Self { strides, epilogue, .. } = self;
        let Operands { y, a, b, bias } = at;
        let aligned = [y, a, b, bias.unwrap_or(0)].map(alignment);
        Key { sizes: [m, k, n, self.count, layout], strides, epilogue, aligned, types }
    }
}

/// Where a product finds its operands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operands {
    pub y: CUdeviceptr,
    pub a: CUdeviceptr,
    pub b: CUdeviceptr,
    pub bias: Option<CUdeviceptr>,
}

/// The bytes that an address is a multiple of, as far as kernels ask.
fn alignment(address: CUdeviceptr) -> u32 {
    1 << address.trailing_zeros().min(8)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    sizes: [usize; 5],
    strides: [usize; 3],
    epilogue: Epilogue,
    /// Bytes to which the result, the factors and the bias are aligned.
    aligned: [u32; 4],
    types: Types,
}

/// What a product is made of, and what its result and the bias are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Types {
    pub factors: Factors,
    pub result: Element,
}

impl Types {
    fn of(self, element: Element) -> sys::cudaDataType_t {
        match (element, self.factors) {
            (Element::Half, Factors::F16) => sys::cudaDataType_t::CUDA_R_16F,
            (Element::Half, _) => sys::cudaDataType_t::CUDA_R_16BF,
            (Element::Float, _) => sys::cudaDataType_t::CUDA_R_32F,
        }
    }

    /// Of the result and of the factors.
    fn data(self) -> [sys::cudaDataType_t; 2] {
        let factor = if self.factors.are_halves() { Element::Half } else { Element::Float };
        [self.of(self.result), self.of(factor)]
    }

    fn compute(self) -> sys::cublasComputeType_t {
        match self.factors {
            Factors::Tf32 => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
            _ => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
        }
    }
}

/// The products of a GPU.
pub(super) struct Products {
    handle: sys::cublasLtHandle_t,
    plans: Mutex<HashMap<Key, Plan>>,
}

/// The descriptions of a product and what computes it.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    product: sys::cublasLtMatmulDesc_t,
    /// Of the factors and the result, columns first: so `b` comes first.
    layouts: [sys::cublasLtMatrixLayout_t; 3],
    algorithm: sys::cublasLtMatmulAlgo_t,
}

// SAFETY: descriptions are not changed once they are made, and may be used by any thread.
unsafe impl Send for Plan {}
// SAFETY: the handle may be used by any thread.
unsafe impl Send for Products {}
// SAFETY: cuBLASLt's handle may be used by several threads at a time; the plans are behind a lock.
unsafe impl Sync for Products {}

impl Products {
    pub fn new() -> Result<Self, CudaError> {
        let handle = result::create_handle().to("start cuBLASLt")?;
        Ok(Self { handle, plans: Mutex::default() })
    }

    /// The plan of a product of operands that lie there, or are aligned alike.
    pub fn plan(&self, product: Product, at: Operands, types: Types) -> Result<Plan, CudaError> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans.get(&product.key(at, types)) {
            return Ok(*plan);
        }
        let plan = self.make(product, at, types).to("plan a product")?;
        plans.insert(product.key(at, types), plan);
        Ok(plan)
    }

    fn make(
        &self,
        product: Product,
        at: Operands,
        types: Types,
    ) -> Result<Plan, result::CublasError> {
        use sys::cublasLtEpilogue_t as Epilogues;
        use sys::cublasLtMatmulDescAttributes_t as Of;
        let MatmulSpec { layout, m, k, n } = product.spec;
        let float = sys::cudaDataType_t::CUDA_R_32F;
        let [of_result, of_factors] = types.data();
        let description = result::create_matmul_desc(types.compute(), float)?;
        // yᵀ = bᵀ aᵀ: what has rows behind each other here has columns behind each other there.
        let [transpose_b, transpose_a] = match layout {
            Layout::NN => [0_i32, 0],
            Layout::NT => [1, 0],
            Layout::TN => [0, 1],
        };
        let epilogue = match product.epilogue {
            Epilogue::None => Epilogues::CUBLASLT_EPILOGUE_DEFAULT,
            Epilogue::Bias => Epilogues::CUBLASLT_EPILOGUE_BIAS,
            Epilogue::BiasRelu => Epilogues::CUBLASLT_EPILOGUE_RELU_BIAS,
        };
        set(description, Of::CUBLASLT_MATMUL_DESC_TRANSA, &transpose_b)?;
        set(description, Of::CUBLASLT_MATMUL_DESC_TRANSB, &transpose_a)?;
        set(description, Of::CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue)?;
        if let Some(bias) = at.bias {
            set(description, Of::CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias)?;
        }
        let [y_stride, a_stride, b_stride] = product.strides;
        let matrix = |transposed: i32, rows: usize, cols: usize, stride: usize| {
            let (rows, cols) = if transposed == 0 { (rows, cols) } else { (cols, rows) };
            self::matrix(of_factors, rows, cols, product.count, stride)
        };
        let layouts = [
            matrix(transpose_b, n, k, b_stride)?,
            matrix(transpose_a, k, m, a_stride)?,
            self::matrix(of_result, n, m, product.count, y_stride)?,
        ];
        let [b, a, y] = layouts;
        let preference = result::create_matmul_pref()?;
        let found = prefer(preference, at).and_then(|()| {
            // SAFETY: all descriptions are whole.
            unsafe {
                result::get_matmul_algo_heuristic(self.handle, description, b, a, y, y, preference)
            }
        });
        // SAFETY: the preference was made in this function, and nothing uses it any more.
        unsafe { result::destroy_matmul_pref(preference)? };
        let found = found?;
        Ok(Plan { product: description, layouts, algorithm: found.algo })
    }

    /// Starts a product of matrices at these addresses.
    pub fn launch(
        &self,
        plan: &Plan,
        Operands { y, a, b, bias }: Operands,
        workspace: CUdeviceptr,
        stream: CUstream,
    ) -> Result<(), CudaError> {
        // The place of the bias is a part of the description: nobody else may set it now.
        let _plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bias) = bias {
            use sys::cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_BIAS_POINTER;
            set(plan.product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias).to("start a product")?;
        }
        let (one, zero) = (1.0_f32, 0.0_f32);
        let [b_layout, a_layout, y_layout] = plan.layouts;
        // SAFETY: the addresses are of ranges with the sizes of the plan, checked by the caller;
        // the result overlaps no factor, and the workspace is used by one stream alone.
        unsafe {
            result::matmul(
                self.handle,
                plan.product,
                (&raw const one).cast(),
                (&raw const zero).cast(),
                b as *const c_void,
                b_layout,
                a as *const c_void,
                a_layout,
                y as *const c_void,
                y_layout,
                y as *mut c_void,
                y_layout,
                &raw const plan.algorithm,
                workspace as *mut c_void,
                WORKSPACE,
                stream.cast(),
            )
        }
        .to("start a product")
    }
}

impl Drop for Products {
    fn drop(&mut self) {
        let plans = self.plans.get_mut().unwrap_or_else(PoisonError::into_inner);
        for plan in plans.values() {
            // SAFETY: nothing uses the descriptions any more.
            unsafe {
                let _ = result::destroy_matmul_desc(plan.product);
                for layout in plan.layouts {
                    let _ = result::destroy_matrix_layout(layout);
                }
            }
        }
        // SAFETY: nothing uses the handle any more.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}

/// What an algorithm may use and rely on.
fn prefer(
    preference: sys::cublasLtMatmulPreference_t,
    at: Operands,
) -> Result<(), result::CublasError> {
    use sys::cublasLtMatmulPreferenceAttributes_t as Of;
    let workspace = WORKSPACE;
    // SAFETY: the preference is open, and the value has the size that is given.
    unsafe {
        result::set_matmul_pref_attribute(
            preference,
            Of::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
            (&raw const workspace).cast(),
            size_of::<usize>(),
        )?;
    }
    let aligned = [
        (Of::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, at.b),
        (Of::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, at.a),
        (Of::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, at.y),
        (Of::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, at.y),
    ];
    for (attribute, address) in aligned {
        let bytes = alignment(address);
        // SAFETY: the preference is open, and the alignment is a `u32`, the size that is given.
        unsafe {
            result::set_matmul_pref_attribute(
                preference,
                attribute,
                (&raw const bytes).cast(),
                size_of::<u32>(),
            )?;
        }
    }
    Ok(())
}

fn set<T>(
    description: sys::cublasLtMatmulDesc_t,
    attribute: sys::cublasLtMatmulDescAttributes_t,
    value: &T,
) -> Result<(), result::CublasError> {
    // SAFETY: the description is open, and the value has the size that is given.
    unsafe {
        result::set_matmul_desc_attribute(
            description,
            attribute,
            std::ptr::from_ref(value).cast(),
            size_of::<T>(),
        )
    }
}

/// `count` matrices with columns behind each other.
fn matrix(
    element: sys::cudaDataType_t,
    rows: usize,
    cols: usize,
    count: usize,
    stride: usize,
) -> Result<sys::cublasLtMatrixLayout_t, result::CublasError> {
    use sys::cublasLtMatrixLayoutAttribute_t as Of;
    let layout = result::create_matrix_layout(element, rows as u64, cols as u64, rows as i64)?;
    if count > 1 {
        let (count, stride) = (count as i32, stride as i64);
        // SAFETY: the layout is open, and the values have the sizes that are given.
        unsafe {
            result::set_matrix_layout_attribute(
                layout,
                Of::CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT,
                (&raw const count).cast(),
                size_of::<i32>(),
            )?;
            result::set_matrix_layout_attribute(
                layout,
                Of::CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                (&raw const stride).cast(),
                size_of::<i64>(),
            )?;
        }
    }
    Ok(layout)
}
