//! The safetensors format.
//!
//! A file is the length of the header (8 bytes, little-endian), the header (JSON: dtype, shape and
//! place of every tensor) and the tensors, one behind the other. Loading checks the header against
//! the length of the file and against the model, reads the tensors of the model, and only then
//! changes it. What a file claims allocates nothing: memory is bounded by the model's size and by
//! that of a header for it (`header.rs`).

use std::collections::{BTreeSet, HashSet};
use std::io::{self, Read, Seek, Write};
use std::ops::Range;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::error::{FormatError, LoadError, Mismatch, SHOWN};
use super::header::{Limits, MAX_HEADER, parse};
use super::names::{Effort, is_below, near, similar};
use super::numbers::Numbers;
use crate::files::{LayoutError, SaveError, open, replace};
use crate::module::{Model, ParamSpec, StateKind, StateSpec};
use crate::ops::batch_norm::count_of;

/// What PyTorch's zip files and its older pickles start with.
const ZIP: &[u8] = b"PK\x03\x04";
const PICKLE: &[u8] = b"\x80\x02";

pub(crate) fn save<M: Model>(net: &M, path: &Path) -> Result<(), SaveError> {
    net.fetch()?;
    let mut tensors = tensors(net)?;
    for tensor in tensors.iter().filter(|tensor| tensor.dtype == Dtype::I64) {
        let counts = &net.state()[tensor.range()];
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
            let floats = &if tensor.is_state { net.state() } else { net.params() }[tensor.range()];
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

/// Loads all tensors but those that `except` names, by themselves or by what stands before a dot.
pub(crate) fn load<M: Model>(net: &mut M, path: &Path, except: &[&str]) -> Result<(), LoadError> {
    let opened = || open(path).map_err(|error| LoadError::Read { path: path.to_owned(), error });
    load_from(net, opened, path, except)
}

/// [`load`] from bytes in memory, for tests of the reader.
#[doc(hidden)]
pub fn load_bytes<M: Model>(net: &mut M, bytes: &[u8], except: &[&str]) -> Result<(), LoadError> {
    let opened = || Ok((io::Cursor::new(bytes), bytes.len() as u64));
    load_from(net, opened, Path::new("bytes"), except)
}

fn load_from<M: Model, R: Read + Seek>(
    net: &mut M,
    open: impl FnOnce() -> Result<(R, u64), LoadError>,
    path: &Path,
    except: &[&str],
) -> Result<(), LoadError> {
    net.fetch()?;
    let left_out = |name: &str| except.iter().any(|part| is_below(name, part));
    let mut tensors = tensors(net)?;
    let limits = Limits::new(tensors.iter().flat_map(|tensor| {
        let rank = tensor.shape.len();
        tensor.names.iter().map(move |name| (name, rank))
    }));
    let known: BTreeSet<String> = tensors.iter().flat_map(|tensor| tensor.names.clone()).collect();
    tensors.retain(|tensor| !left_out(tensor.name()));
    for tensor in &mut tensors {
        tensor.names.retain(|name| !left_out(name));
    }
    let (mut file, file_len) = open()?;
    let metadata = read_metadata(&mut file, file_len, path, limits)?;

    let mut unexpected = metadata.offset_keys();
    for part in except {
        let all = || known.iter().chain(&unexpected).map(String::as_str);
        if !all().any(|name| is_below(name, part)) {
            let (path, name) = (path.to_owned(), (*part).to_owned());
            return Err(LoadError::Except { path, near: near(part, all()), name });
        }
    }
    unexpected.retain(|name| !known.contains(name) && !left_out(name));
    let mismatches = mismatches(&tensors, &metadata, unexpected);
    if !mismatches.is_empty() {
        return Err(LoadError::Mismatch { path: path.to_owned(), mismatches });
    }

    let start = file_len - metadata.data_len() as u64;
    let mut numbers = Numbers { file, start, metadata: &metadata };
    let (read, mismatches) =
        numbers.read(&tensors).map_err(|error| LoadError::Read { path: path.to_owned(), error })?;
    if !mismatches.is_empty() {
        return Err(LoadError::Mismatch { path: path.to_owned(), mismatches });
    }
    for (tensor, floats) in read {
        let all = if tensor.is_state { net.state_mut() } else { net.params_mut() };
        all[tensor.range()].copy_from_slice(&floats);
    }
    Ok(())
}

/// A parameter or a part of the state.
pub(super) struct Tensor {
    /// Its own name, then those of what is tied to it.
    pub names: Vec<String>,
    shape: Vec<usize>,
    start: usize,
    is_state: bool,
    pub dtype: Dtype,
}

impl Tensor {
    /// Its place in the flat slice of its kind.
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.shape.iter().product::<usize>()
    }

    fn name(&self) -> &String {
        &self.names[0]
    }
}

/// The tensors of a model, which lie within its flat slices and have different names.
fn tensors<M: Model>(net: &M) -> Result<Vec<Tensor>, LayoutError> {
    let params = M::param_specs().into_iter().map(|spec| {
        let ParamSpec { name, shape, start, tied, .. } = spec;
        let names = [name].into_iter().chain(tied).collect();
        Tensor { names, shape, start, is_state: false, dtype: Dtype::F32 }
    });
    let state = M::state_specs().into_iter().map(|spec| {
        let StateSpec { name, shape, start, kind, .. } = spec;
        let dtype = if kind == StateKind::Count { Dtype::I64 } else { Dtype::F32 };
        Tensor { names: vec![name], shape, start, is_state: true, dtype }
    });
    let tensors: Vec<Tensor> = params.chain(state).collect();
    let mut known = HashSet::new();
    for Tensor { names, shape, start, is_state, .. } in &tensors {
        let floats = if *is_state { net.state().len() } else { net.params().len() };
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

/// Reads the header, and sees that the file has as many bytes as it tells.
fn read_metadata(
    file: &mut impl Read,
    file_len: u64,
    path: &Path,
    limits: Limits,
) -> Result<Metadata, LoadError> {
    let read_error = |error| LoadError::Read { path: path.to_owned(), error };
    let format_error = |error| LoadError::Format { path: path.to_owned(), error };

    let start = read_bytes(file, file_len.min(8) as usize).map_err(read_error)?;
    let Ok(length) = <[u8; 8]>::try_from(start.as_slice()) else {
        return Err(format_error(FormatError::TooShort { found: file_len }));
    };
    let found = u64::from_le_bytes(length);
    let most = file_len.saturating_sub(8).min(MAX_HEADER);
    if found > most {
        // A header of 640 bytes starts as a pickle does, though not beyond the two bytes.
        let pickle = start.starts_with(PICKLE) && found >> 16 != 0;
        if pickle || start.starts_with(ZIP) {
            return Err(LoadError::PyTorch { path: path.to_owned() });
        }
        return Err(format_error(FormatError::HeaderLength { most, found }));
    }
    if found > limits.header {
        let most = limits.header;
        return Err(format_error(FormatError::LongHeader { most, found }));
    }

    let header = read_bytes(file, found as usize).map_err(read_error)?;
    let metadata = parse(&header, limits).map_err(format_error)?;
    let expected = 8 + u128::from(found) + metadata.data_len() as u128;
    if expected != u128::from(file_len) {
        return Err(format_error(FormatError::FileLength { expected, found: file_len }));
    }
    Ok(metadata)
}

/// The next `len` bytes. An error, and no abort, when memory does not suffice.
fn read_bytes(file: &mut impl Read, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len)?;
    bytes.resize(len, 0);
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Everything in which a file differs from the model: in its tensors, and in those that the model
/// does not have.
fn mismatches(tensors: &[Tensor], metadata: &Metadata, unexpected: Vec<String>) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    let mut effort = Effort::new();
    for spec in tensors {
        let expected = spec.shape.clone();
        let mut there =
            spec.names.iter().filter_map(|name| Some((name, metadata.info(name)?))).peekable();
        if there.peek().is_none() && spec.dtype == Dtype::I64 {
            // Files of PyTorch before 0.4.1 have no `num_batches_tracked`; as there, the count
            // stays.
            continue;
        }
        if there.peek().is_none() {
            let tensor = spec.name().clone();
            let shown = mismatches.len() < SHOWN;
            let similar = if shown { similar(&tensor, &unexpected, &mut effort) } else { None };
            mismatches.push(Mismatch::Missing { tensor, expected, similar });
            continue;
        }
        for (tensor, info) in there {
            let (tensor, found) = (tensor.clone(), info.shape.clone());
            if info.shape != spec.shape {
                let expected = expected.clone();
                mismatches.push(Mismatch::Shape { tensor, expected, found });
            } else if info.dtype != spec.dtype {
                let (expected, found) = (spec.dtype.to_string(), info.dtype.to_string());
                mismatches.push(Mismatch::Dtype { tensor, expected, found });
            }
        }
    }
    mismatches.extend(unexpected.into_iter().map(|tensor| {
        let found = metadata.info(&tensor).map_or_else(Vec::new, |info| info.shape.clone());
        Mismatch::Unexpected { tensor, found }
    }));
    mismatches
}
