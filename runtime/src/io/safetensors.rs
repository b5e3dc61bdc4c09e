//! The safetensors format.
//!
//! A file is the length of the header (8 bytes, little-endian), the header (JSON: dtype, shape and
//! place of every tensor) and the tensors, one behind the other. It is read in `file.rs`.

use std::collections::HashSet;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::header::MAX_HEADER;
use crate::files::{LayoutError, SaveError, replace};
use crate::module::{Model, ParamSpec, StateKind, StateSpec};
use crate::ops::batch_norm::count_of;

/// Saves a network: its parameters, then its state.
pub(crate) fn save<M: Model>(net: &M, path: &Path) -> Result<(), SaveError> {
    net.fetch()?;
    write_file(tensors(net)?, |slice| if slice == 0 { net.params() } else { net.state() }, path)
}

/// Saves tensors, each of which lies in one of these slices.
pub(super) fn write_file<'a>(
    mut tensors: Vec<Tensor>,
    slice: impl Fn(usize) -> &'a [f32],
    path: &Path,
) -> Result<(), SaveError> {
    for tensor in tensors.iter().filter(|tensor| tensor.dtype == Dtype::I64) {
        let counts = &slice(tensor.slice)[tensor.range()];
        if let Some(&found) = counts.iter().find(|count| !(**count >= 0.0 && count.fract() == 0.0))
        {
            return Err(SaveError::Count { tensor: tensor.name().clone(), found });
        }
    }
    // The order of the file that Python writes.
    tensors.sort_by(|a, b| b.dtype.cmp(&a.dtype).then_with(|| a.name().cmp(b.name())));
    let failed = |reason: String| SaveError::Write {
        path: path.to_owned(),
        error: io::Error::other(reason),
    };
    let metadata = metadata(&tensors).map_err(|error| failed(error.to_string()))?;
    let mut header = serde_json::to_string(&metadata).map_err(|error| failed(error.to_string()))?;
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    if header.len() as u64 > MAX_HEADER {
        return Err(failed(format!("expected at most {MAX_HEADER} bytes of names and shapes")));
    }

    replace(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        for tensor in &tensors {
            let floats = &slice(tensor.slice)[tensor.range()];
            match tensor.dtype {
                Dtype::I64 => write(file, floats, |place| count_of(place).to_le_bytes())?,
                _ => write(file, floats, f32::to_le_bytes)?,
            }
        }
        Ok(())
    })
}

fn write<const BYTES: usize>(
    file: &mut dyn Write,
    floats: &[f32],
    bytes_of: impl Fn(f32) -> [u8; BYTES],
) -> io::Result<()> {
    for floats in floats.chunks(1024) {
        let mut bytes = [[0; BYTES]; 1024];
        let bytes = &mut bytes[..floats.len()];
        for (bytes, float) in bytes.iter_mut().zip(floats) {
            *bytes = bytes_of(*float);
        }
        file.write_all(bytes.as_flattened())?;
    }
    Ok(())
}

fn metadata(tensors: &[Tensor]) -> Result<Metadata, safetensors::SafeTensorError> {
    let mut end = 0;
    let tensors = tensors.iter().map(|tensor| {
        let start = end;
        end += tensor.range().len() * if tensor.dtype == Dtype::I64 { 8 } else { 4 };
        let (dtype, shape) = (tensor.dtype, tensor.shape.clone());
        (tensor.name().clone(), TensorInfo { dtype, shape, data_offsets: (start, end) })
    });
    // What other writers note, and some readers ask for: the layouts are PyTorch's.
    let format = [("format".to_owned(), "pt".to_owned())];
    Metadata::new(Some(format.into_iter().collect()), tensors.collect())
}

/// A parameter, a part of the state, or one of an optimizer.
pub(super) struct Tensor {
    /// Its own name, then those of what is tied to it.
    pub names: Vec<String>,
    pub shape: Vec<usize>,
    pub start: usize,
    /// Which slice it lies in: that of the parameters, or that of the state.
    pub slice: usize,
    pub dtype: Dtype,
}

impl Tensor {
    /// Its place in the flat slice of its kind.
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.shape.iter().product::<usize>()
    }

    pub fn name(&self) -> &String {
        &self.names[0]
    }
}

/// The tensors of a model, which lie within its flat slices and have different names.
pub(super) fn tensors<M: Model>(net: &M) -> Result<Vec<Tensor>, LayoutError> {
    let params = M::param_specs().into_iter().map(|spec| {
        let ParamSpec { name, shape, start, tied, .. } = spec;
        let names = [name].into_iter().chain(tied).collect();
        Tensor { names, shape, start, slice: 0, dtype: Dtype::F32 }
    });
    let state = M::state_specs().into_iter().map(|spec| {
        let StateSpec { name, shape, start, kind, .. } = spec;
        let dtype = if kind == StateKind::Count { Dtype::I64 } else { Dtype::F32 };
        Tensor { names: vec![name], shape, start, slice: 1, dtype }
    });
    let tensors: Vec<Tensor> = params.chain(state).collect();
    let mut known = HashSet::new();
    for Tensor { names, shape, start, slice, .. } in &tensors {
        let floats = if *slice == 0 { net.params() } else { net.state() }.len();
        let len = shape.iter().try_fold(1usize, |len, &size| len.checked_mul(size));
        let end = len.and_then(|len| len.checked_add(*start));
        if end.is_none_or(|end| end > floats) {
            let (tensor, shape, start) = (names[0].clone(), shape.clone(), *start);
            return Err(LayoutError::Outside { tensor, shape, start, floats });
        }
        if let Some(twice) = names.iter().find(|name| !known.insert(*name)) {
            return Err(LayoutError::Twice { tensor: twice.clone() });
        }
    }
    Ok(tensors)
}
