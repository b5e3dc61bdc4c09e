//! Activations beside those that PyTorch recorded.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use safetensors::{Dtype, SafeTensors};

use crate::device::Failure;
use crate::observe::{Observation, Observer, Output, Short};
use crate::ops::elementwise::reference::by_name;
use crate::profile::Phase;

/// From here on two activations are apart, in units of the root of the mean square of PyTorch's:
/// above what the rounding of `f32` makes in deep networks, and below what any mistake does.
const APART: f64 = 1e-3;

/// Activations of a PyTorch model, by the names of its modules, and beside them those of runs: an
/// observer whose clones are the same record.
///
/// `docs/debugging.md` has the lines of Python that write the file. A layer of `model!` is the
/// module of its name. Where the layer was fused with functions of one number behind it, such as
/// `relu`, these are computed of PyTorch's activations too; where it was fused with others, it is
/// not compared, and the report says so.
///
/// ```no_run
/// use gradiron::debug::Comparison;
/// use gradiron::prelude::*;
/// # model! {
/// #     struct Mlp { fc1: Linear(4 -> 8), fc2: Linear(8 -> 3) }
/// #     fn forward(&self, x: [batch, 4]) -> [batch, 3] { self.fc2(self.fc1(x).relu()) }
/// # }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut net = Mlp::init(Seed(0));
/// net.load("mlp.safetensors")?;
/// let comparison = Comparison::load("activations.safetensors")?;
/// let cpu = Cpu::new().with_observer(comparison.clone());
/// let mut ws = Mlp::workspace_on(cpu, 1)?;
/// net.forward(&mut ws, &[[1.0, -0.5, 0.0, 2.0]])?;
/// println!("{comparison}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Comparison {
    record: Arc<Record>,
}

struct Record {
    reference: BTreeMap<String, Vec<f32>>,
    compared: Mutex<Vec<Compared>>,
}

/// A module of PyTorch's and the operation of its name.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Compared {
    /// The module: `layer1.0.conv1`.
    pub module: String,
    /// The operation: `layer1.0.conv1 + relu`.
    pub operation: String,
    /// How far one is from the other.
    pub distance: Distance,
}

/// How far two tensors are apart.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Distance {
    /// Of as many elements.
    Apart {
        /// The largest difference of two elements, in units of the root of the mean square of
        /// PyTorch's.
        relative: f64,
        /// Where it is.
        index: Vec<usize>,
        /// The element there.
        ours: f32,
        /// PyTorch's, behind the functions that were fused.
        theirs: f64,
    },
    /// Of other sizes.
    Sizes {
        /// The sizes of ours.
        ours: Vec<usize>,
        /// The elements of PyTorch's.
        theirs: usize,
    },
    /// The layer was fused with this step, which is no function of one number.
    Fused(String),
}

impl Distance {
    /// Whether they differ by more than rounding explains.
    pub fn is_apart(&self) -> bool {
        match self {
            Self::Apart { relative, .. } => relative.is_nan() || *relative > APART,
            Self::Sizes { .. } => true,
            Self::Fused(_) => false,
        }
    }
}

/// A file of activations that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the messages say it
pub enum ActivationsError {
    #[error("cannot read `{path}`: {error}")]
    Read { path: PathBuf, error: std::io::Error },
    #[error("`{path}` is no safetensors file: {reason}")]
    Format { path: PathBuf, reason: String },
    #[error("`{tensor}` is {found:?}, but activations are F32; write `output.float()` in Python")]
    Dtype { tensor: String, found: Dtype },
}

impl Comparison {
    /// The activations of a safetensors file, each under the name of its module. The file is read
    /// into memory as a whole.
    ///
    /// # Errors
    /// When the file cannot be read, is no safetensors file, or has other numbers than `F32`.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ActivationsError> {
        let path = path.as_ref().to_owned();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => return Err(ActivationsError::Read { path, error }),
        };
        let tensors = SafeTensors::deserialize(&bytes)
            .map_err(|error| ActivationsError::Format { path, reason: error.to_string() })?;
        let mut reference = BTreeMap::new();
        for (name, tensor) in tensors.iter() {
            if tensor.dtype() != Dtype::F32 {
                let (tensor, found) = (name.to_owned(), tensor.dtype());
                return Err(ActivationsError::Dtype { tensor, found });
            }
            let floats = tensor.data().chunks_exact(4);
            let floats = floats.map(|bytes| bytes.try_into().map_or(0.0, f32::from_le_bytes));
            reference.insert(name.to_owned(), floats.collect());
        }
        let compared = Mutex::new(Vec::new());
        Ok(Self { record: Arc::new(Record { reference, compared }) })
    }

    /// A tensor of the file, such as the input of the model.
    pub fn tensor(&self, name: &str) -> Option<&[f32]> {
        self.record.reference.get(name).map(Vec::as_slice)
    }

    /// What runs have made so far, in the order in which they made it.
    pub fn compared(&self) -> Vec<Compared> {
        self.locked().clone()
    }

    /// Where activations part first.
    pub fn first_apart(&self) -> Option<Compared> {
        self.locked().iter().find(|compared| compared.distance.is_apart()).cloned()
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Compared>> {
        self.record.compared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Comparison")
    }
}

/// The names of a chain's steps as modules have them: `blocks.0.fc` and `blocks.0.norm` for
/// `blocks.0.fc + norm`.
fn modules(name: &str) -> Vec<(String, String)> {
    let mut steps = name.split(" + ");
    let first = steps.next().unwrap_or_default();
    let within = first.rfind('.').map_or("", |dot| &first[..=dot]);
    let others = steps.map(|step| (format!("{within}{step}"), step.to_owned()));
    [(first.to_owned(), first.to_owned())].into_iter().chain(others).collect()
}

impl Observer for Comparison {
    fn observe(&self, seen: &Observation<'_>) -> Result<(), Failure> {
        let (Phase::Forward, Some(output)) = (seen.phase, seen.outputs.first()) else {
            return Ok(());
        };
        let steps = modules(seen.name);
        for (at, (module, _)) in steps.iter().enumerate() {
            let Some(theirs) = self.record.reference.get(module) else { continue };
            let behind: Vec<&str> = steps[at + 1..].iter().map(|(_, step)| &step[..]).collect();
            let distance = distance(output, theirs, &behind);
            let mut compared = self.locked();
            // A layer of several operations is what the last of its sizes made.
            if let Some(before) = compared.iter().position(|compared| compared.module == *module) {
                if matches!(distance, Distance::Sizes { .. }) {
                    continue;
                }
                compared.remove(before);
            }
            let (module, operation) = (module.clone(), seen.name.to_owned());
            compared.push(Compared { module, operation, distance });
        }
        Ok(())
    }
}

/// How far an output is from PyTorch's, which has to go through the steps `behind` it.
fn distance(output: &Output<'_>, theirs: &[f32], behind: &[&str]) -> Distance {
    if let Some(step) = behind.iter().find(|step| by_name(step, &[0.0]).is_none()) {
        return Distance::Fused((*step).to_owned());
    }
    if output.values.len() != theirs.len() {
        return Distance::Sizes { ours: output.shape.clone(), theirs: theirs.len() };
    }
    let through = |value: &f32| {
        let step = |value, step: &&str| by_name(step, &[value]).unwrap_or(f64::NAN);
        behind.iter().fold(f64::from(*value), step)
    };
    let theirs: Vec<f64> = theirs.iter().map(through).collect();
    let (at, relative) = farthest(output.values, &theirs);
    let (ours, theirs) = (output.values[at], theirs[at]);
    Distance::Apart { relative, index: output.index(at), ours, theirs }
}

/// Where two tensors differ most, and by how much.
fn farthest(ours: &[f32], theirs: &[f64]) -> (usize, f64) {
    let squares: f64 = theirs.iter().map(|value| value * value).sum();
    let scale = (squares / theirs.len().max(1) as f64).sqrt().max(f64::MIN_POSITIVE);
    let mut farthest = (0, 0.0);
    for (at, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let apart = (f64::from(*ours) - theirs).abs() / scale;
        if apart > farthest.1 || apart.is_nan() {
            farthest = (at, apart);
        }
        if apart.is_nan() {
            break;
        }
    }
    farthest
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let compared = self.locked();
        let width = compared.iter().map(|compared| compared.module.chars().count()).max();
        let width = width.unwrap_or(0).max(6);
        for Compared { module, operation, distance } in compared.iter() {
            write!(f, "{module:width$}  ")?;
            match distance {
                Distance::Apart { relative, index, ours, theirs } if distance.is_apart() => write!(
                    f,
                    "APART by {} at {index:?}: {ours} here, {theirs} in PyTorch",
                    Short(*relative as f32)
                )?,
                Distance::Apart { relative, .. } => {
                    write!(f, "same, within {}", Short(*relative as f32))?;
                }
                Distance::Sizes { ours, theirs } => {
                    write!(f, "APART: {ours:?} here, {theirs} elements in PyTorch")?;
                }
                Distance::Fused(step) => write!(f, "not compared: `{step}` was fused with it")?,
            }
            match module == operation {
                true => writeln!(f)?,
                false => writeln!(f, " (`{operation}`)")?,
            }
        }
        let leaves = self.record.reference.keys().filter(|name| {
            let dotted = format!("{name}.");
            let has_parts = self.record.reference.keys().any(|other| other.starts_with(&dotted));
            !has_parts && compared.iter().all(|compared| compared.module != **name)
        });
        match leaves.cloned().collect::<Vec<_>>().join("`, `") {
            none if none.is_empty() => Ok(()),
            names => writeln!(f, "no operation has the name of `{names}`"),
        }
    }
}
