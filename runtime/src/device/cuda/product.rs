//! Products by cuBLASLt: for each kind of product a plan, made once.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};

use cudarc::cublaslt::{result, sys};
use cudarc::driver::sys::{CUdeviceptr, CUstream};

use super::error::{Context, CudaError};
use crate::device::Buf;
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

    /// This batch and one product more, of `[result, factor, factor]`, each given as the first one's
    /// and the new one's; nothing where they are no batch.
    pub fn joined(self, next: Self, bufs: [(Buf, Buf); 3]) -> Option<Self> {
        if self.spec != next.spec
            || self.epilogue != Epilogue::None
            || next.epilogue != Epilogue::None
        {
            return None;
        }
        let mut strides = [0; 3];
        for (stride, (first, next)) in strides.iter_mut().zip(bufs) {
            if first.region != next.region {
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

    fn key(self) -> Key {
        let (m, k, n) = self.spec.sizes();
        let layout = match self.spec.layout {
            Layout::NN => 0,
            Layout::NT => 1,
            Layout::TN => 2,
        };
        Key { sizes: [m, k, n, self.count, layout], strides: self.strides, epilogue: self.epilogue }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    sizes: [usize; 5],
    strides: [usize; 3],
    epilogue: Epilogue,
}

/// The products of a GPU.
pub(super) struct Products {
    handle: sys::cublasLtHandle_t,
    plans: Mutex<HashMap<Key, Plan>>,
    /// Whether factors may be rounded to TF32.
    tf32: bool,
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
// SAFETY: as above; the plans are behind a lock.
unsafe impl Sync for Products {}

impl Products {
    pub fn new(tf32: bool) -> Result<Self, CudaError> {
        let handle = result::create_handle().to("start cuBLASLt")?;
        Ok(Self { handle, plans: Mutex::default(), tf32 })
    }

    /// The plan of a product.
    pub fn plan(&self, product: Product) -> Result<Plan, CudaError> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans.get(&product.key()) {
            return Ok(*plan);
        }
        let plan = self.make(product).to("plan a product")?;
        plans.insert(product.key(), plan);
        Ok(plan)
    }

    fn make(&self, product: Product) -> Result<Plan, result::CublasError> {
        use sys::cublasLtEpilogue_t as Epilogues;
        use sys::cublasLtMatmulDescAttributes_t as Of;
        let MatmulSpec { layout, m, k, n } = product.spec;
        let compute = match self.tf32 {
            true => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
            false => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
        };
        let float = sys::cudaDataType_t::CUDA_R_32F;
        let description = result::create_matmul_desc(compute, float)?;
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
        let [y_stride, a_stride, b_stride] = product.strides;
        let matrix = |transposed: i32, rows: usize, cols: usize, stride: usize| {
            let (rows, cols) = if transposed == 0 { (rows, cols) } else { (cols, rows) };
            self::matrix(rows, cols, product.count, stride)
        };
        let layouts = [
            matrix(transpose_b, n, k, b_stride)?,
            matrix(transpose_a, k, m, a_stride)?,
            matrix(0, n, m, y_stride)?,
        ];
        let [b, a, y] = layouts;
        let preference = result::create_matmul_pref()?;
        // SAFETY: all descriptions are whole; the attribute is a number of this size.
        let found = unsafe {
            result::set_matmul_pref_attribute(
                preference,
                sys::cublasLtMatmulPreferenceAttributes_t::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                (&raw const WORKSPACE_BYTES).cast(),
                size_of::<usize>(),
            )?;
            let found =
                result::get_matmul_algo_heuristic(self.handle, description, b, a, y, y, preference);
            result::destroy_matmul_pref(preference)?;
            found?
        };
        Ok(Plan { product: description, layouts, algorithm: found.algo })
    }

    /// Starts a product of matrices at these addresses.
    pub fn launch(
        &self,
        plan: &Plan,
        [y, a, b]: [CUdeviceptr; 3],
        bias: Option<CUdeviceptr>,
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

static WORKSPACE_BYTES: usize = WORKSPACE;

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
    rows: usize,
    cols: usize,
    count: usize,
    stride: usize,
) -> Result<sys::cublasLtMatrixLayout_t, result::CublasError> {
    use sys::cublasLtMatrixLayoutAttribute_t as Of;
    let float = sys::cudaDataType_t::CUDA_R_32F;
    let layout = result::create_matrix_layout(float, rows as u64, cols as u64, rows as i64)?;
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
