//! Reading a file of tensors: the header is checked against the length of the file and against what
//! shall be read, the tensors are read, and only then may anything change. What a file claims
//! allocates nothing: memory is bounded by the model's size and by that of a header for it
//! (`header.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::error::{FormatError, LoadError, Mismatch, SHOWN};
use super::header::{Limits, MAX_HEADER, parse};
use super::names::{Effort, is_below, near, similar};
use super::numbers::Numbers;
use super::safetensors::Tensor;

/// What PyTorch's zip files and its older pickles start with.
const ZIP: &[u8] = b"PK\x03\x04";
const PICKLE: &[u8] = b"\x80\x02";

/// What files are read from.
pub(super) trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// A file whose header was read.
pub(super) struct File<'a> {
    pub path: PathBuf,
    source: Box<dyn Source + 'a>,
    /// Where the first tensor begins.
    start: u64,
    pub found: Found,
}

/// The tensors of a file, under its own names or under others.
pub(super) struct Found {
    metadata: Metadata,
    /// The names that tensors have now, and those of the file; nothing while they are the same.
    renamed: Option<BTreeMap<String, String>>,
}

impl Found {
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        match &self.renamed {
            None => self.metadata.info(name),
            Some(renamed) => self.metadata.info(renamed.get(name)?),
        }
    }

    /// The file's own names, in their order.
    pub fn own_names(&self) -> Vec<String> {
        self.metadata.offset_keys()
    }

    /// The names as they are now.
    pub fn names(&self) -> Vec<String> {
        match &self.renamed {
            None => self.own_names(),
            Some(renamed) => renamed.keys().cloned().collect(),
        }
    }

    /// Leaves the names of which `name` makes nothing out, and gives the others new ones. Gives a
    /// name that two would have.
    pub fn rename(&mut self, name: impl Fn(&str) -> Option<String>) -> Result<(), String> {
        let old = self.renamed.take();
        let old =
            old.unwrap_or_else(|| self.own_names().into_iter().map(|n| (n.clone(), n)).collect());
        let mut renamed = BTreeMap::new();
        for (now, own) in old {
            let Some(new) = name(&now) else { continue };
            if renamed.contains_key(&new) {
                return Err(new);
            }
            renamed.insert(new, own);
        }
        self.renamed = Some(renamed);
        Ok(())
    }
}

/// The bounds of a file for these tensors.
pub(super) fn limits(tensors: &[Tensor]) -> Limits {
    Limits::new(tensors.iter().flat_map(|tensor| {
        let rank = tensor.shape.len();
        tensor.names.iter().map(move |name| (name, rank))
    }))
}

/// Which of the tensors are read.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// Names, or what stands before a dot in some, that are left out.
    pub except: Vec<String>,
    /// What stands before dots in the names of those that are read; all of them when there is none.
    pub only: Vec<String>,
    /// Whether each side may have tensors that the other lacks.
    pub partial: bool,
}

/// What was not loaded, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Tensors of the model that the file lacks: they are as they were.
    pub missing: Vec<String>,
    /// Tensors of the file that the model lacks.
    pub unexpected: Vec<String>,
}

impl<'a> File<'a> {
    /// Reads the header.
    pub fn new(
        mut source: Box<dyn Source + 'a>,
        len: u64,
        path: &Path,
        limits: Limits,
    ) -> Result<Self, LoadError> {
        let metadata = read_metadata(&mut source, len, path, limits)?;
        let start = len - metadata.data_len() as u64;
        Ok(Self { path: path.to_owned(), source, start, found: Found { metadata, renamed: None } })
    }

    /// The floats of all tensors that are wanted, and what is missing on either side.
    #[allow(clippy::type_complexity)]
    pub fn read(
        mut self,
        mut tensors: Vec<Tensor>,
        wanted: &Wanted,
    ) -> Result<(Vec<(Tensor, Vec<f32>)>, Loaded), LoadError> {
        let known: BTreeSet<String> =
            tensors.iter().flat_map(|tensor| tensor.names.clone()).collect();
        let left_out = |name: &str| {
            wanted.except.iter().any(|part| is_below(name, part))
                || !wanted.only.is_empty() && !wanted.only.iter().any(|part| is_below(name, part))
        };
        tensors.retain(|tensor| !left_out(tensor.name()));
        for tensor in &mut tensors {
            tensor.names.retain(|name| !left_out(name));
        }
        let mut unexpected = self.found.names();
        for (part, method) in wanted
            .except
            .iter()
            .map(|part| (part, "load_except"))
            .chain(wanted.only.iter().map(|part| (part, "only")))
        {
            let of_file = if method == "only" { &[][..] } else { &unexpected };
            let all = || known.iter().chain(of_file).map(String::as_str);
            if !all().any(|name| is_below(name, part)) {
                let (path, name, near) = (self.path, part.clone(), near(part, all()));
                return Err(match method {
                    "only" => LoadError::Only { name, near },
                    _ => LoadError::Except { path, near, name },
                });
            }
        }
        unexpected.retain(|name| !known.contains(name) && !left_out(name));
        let mut loaded = Loaded::default();
        let mut mismatches = mismatches(&tensors, &self.found, unexpected);
        if wanted.partial {
            mismatches.retain(|mismatch| match mismatch {
                Mismatch::Missing { tensor, .. } => {
                    loaded.missing.push(tensor.clone());
                    false
                }
                Mismatch::Unexpected { tensor, .. } => {
                    loaded.unexpected.push(tensor.clone());
                    false
                }
                _ => true,
            });
        }
        if !mismatches.is_empty() {
            return Err(LoadError::Mismatch { path: self.path, mismatches });
        }
        let path = self.path;
        let mut numbers = Numbers { file: &mut self.source, start: self.start, found: &self.found };
        let (read, mismatches) = match numbers.read(tensors) {
            Ok(read) => read,
            Err(error) => return Err(LoadError::Read { path, error }),
        };
        if !mismatches.is_empty() {
            return Err(LoadError::Mismatch { path, mismatches });
        }
        Ok((read, loaded))
    }
}

/// Reads the header, and sees that the file has as many bytes as it tells.
fn read_metadata(
    file: &mut dyn Read,
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
fn read_bytes(file: &mut dyn Read, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len)?;
    bytes.resize(len, 0);
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Everything in which a file differs from the model: in its tensors, and in those that the model
/// does not have.
fn mismatches(tensors: &[Tensor], found: &Found, unexpected: Vec<String>) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    let mut effort = Effort::new();
    for spec in tensors {
        let expected = spec.shape.clone();
        let mut there =
            spec.names.iter().filter_map(|name| Some((name, found.info(name)?))).peekable();
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
        let found = found.info(&tensor).map_or_else(Vec::new, |info| info.shape.clone());
        Mismatch::Unexpected { tensor, found }
    }));
    mismatches
}
