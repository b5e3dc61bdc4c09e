//! A run that failed a check, to a file.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::NamedTensor;
use crate::device::Random;
use crate::files::{SaveError, replace};

const NAME: &str = "GRADIRON_TRACE";
/// What stands before the names of arguments, apart from those of parameters.
pub(crate) const ARGUMENT: &str = "argument ";
const CLASSES: &str = "classes";

/// What a run was given.
pub(crate) struct Given<'a> {
    pub function: &'static str,
    pub tensors: Vec<NamedTensor>,
    pub params: &'a [f32],
    pub random: Random,
    pub inputs: &'a [&'a [f32]],
    pub indices: &'a [u32],
}

/// Where the first run that fails is written; clones share what was written.
#[derive(Clone, Debug)]
pub(crate) struct TraceFile {
    path: PathBuf,
    is_written: Arc<AtomicBool>,
}

impl TraceFile {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), is_written: Arc::default() }
    }

    /// The file that `GRADIRON_TRACE` names.
    pub fn from_environment() -> Option<Self> {
        static FILE: OnceLock<Option<TraceFile>> = OnceLock::new();
        let asked = |value: OsString| (value != "0" && !value.is_empty()).then(|| Self::new(value));
        FILE.get_or_init(|| std::env::var_os(NAME).and_then(asked)).clone()
    }

    /// Writes a run that failed, unless one did before, and says so.
    pub fn write(&self, given: &Given<'_>) {
        if self.is_written.swap(true, Ordering::Relaxed) {
            return;
        }
        let path = self.path.display();
        match given.save(&self.path) {
            Ok(()) => say(format_args!("{NAME}: `{}` failed, and is in {path}", given.function)),
            Err(error) => say(format_args!("{NAME}={path}: {error}")),
        }
    }
}

/// Writes to standard error, where there is one.
fn say(text: fmt::Arguments<'_>) {
    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{text}\n"));
}

impl Given<'_> {
    fn save(&self, path: &Path) -> Result<(), SaveError> {
        let bytes = |floats: &[f32]| floats.iter().flat_map(|f| f.to_le_bytes()).collect();
        let mut tensors: Vec<(String, Dtype, Vec<u8>)> = Vec::new();
        for (name, start, len) in &self.tensors {
            tensors.push((name.clone(), Dtype::F32, bytes(&self.params[*start..start + len])));
        }
        for (i, input) in self.inputs.iter().enumerate() {
            tensors.push((format!("{ARGUMENT}{}", i + 1), Dtype::F32, bytes(input)));
        }
        let indices = self.indices.iter().flat_map(|index| index.to_le_bytes()).collect();
        tensors.push((CLASSES.to_owned(), Dtype::U32, indices));
        let views = tensors.iter().map(|(name, dtype, bytes)| {
            TensorView::new(*dtype, vec![bytes.len() / 4], bytes).map(|view| (name.as_str(), view))
        });
        let said = [
            ("function", self.function.to_owned()),
            ("seed", self.random.seed.0.to_string()),
            ("step", self.random.step.to_string()),
        ];
        let said = said.map(|(name, text)| (name.to_owned(), text)).into();
        let file = views
            .collect::<Result<Vec<_>, _>>()
            .and_then(|views| safetensors::serialize(views, Some(said)))
            .map_err(|error| SaveError::Write {
                path: path.to_owned(),
                error: std::io::Error::other(error.to_string()),
            })?;
        replace(path, |to| std::io::Write::write_all(to, &file))
    }
}
