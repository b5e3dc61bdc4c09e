//! A run that failed a check, in a file, to run it again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bytemuck::Pod;
use safetensors::{Dtype, SafeTensors};

use crate::device::{Device, Random};
use crate::module::Model;
use crate::observe::ARGUMENT;
use crate::rng::Seed;
use crate::view;
use crate::workspace::Workspace;

/// The first run that failed a check: its parameters, state, arguments and random numbers. What
/// `GRADIRON_TRACE=step.safetensors` and [`Cpu::with_trace`](crate::device::Cpu::with_trace) write.
///
/// ```
/// use gradiron::debug::StepTrace;
/// use gradiron::prelude::*;
///
/// model! {
///     struct Net { fc: Linear(2 -> 3) }
///     fn loss(&self, x: [batch, 2], label: Classes[batch]) -> [] {
///         cross_entropy(self.fc(x).log(), label)
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let path = std::env::temp_dir().join(format!("step-{}.safetensors", std::process::id()));
/// let net = Net::init(Seed(0));
/// let mut ws = Net::workspace_on(Cpu::new().with_trace(&path), 2)?;
/// let failed = net.loss_grad(&mut ws, &[[1.0, 2.0], [0.5, 3.0]], &[0_u8, 2]).unwrap_err();
///
/// // Another program, perhaps on another machine.
/// let trace = StepTrace::load(&path)?;
/// let mut net = Net::init(Seed(1));
/// let mut ws = Net::workspace_on(Cpu::new().with_checks(), 2)?;
/// trace.restore(&mut net, &mut ws)?;
/// let again = net.loss_grad(&mut ws, trace.argument::<[f32; 2]>(1)?, &trace.classes()[..2]);
/// assert_eq!(again.unwrap_err().to_string(), failed.to_string());
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct StepTrace {
    function: String,
    random: Random,
    floats: HashMap<String, Vec<f32>>,
    classes: Vec<u32>,
}

/// A trace that cannot be read, or is of another model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the messages say it
pub enum StepTraceError {
    #[error("cannot read `{path}`: {error}")]
    Read { path: PathBuf, error: std::io::Error },
    #[error("`{path}` is no trace of a run: {reason}")]
    Format { path: PathBuf, reason: String },
    #[error("the trace of `{function}` has no `{name}`")]
    Missing { function: String, name: String },
    #[error("`{name}` has {found} floats in the trace, and the model expects {expected}")]
    Length { name: String, found: usize, expected: usize },
}

impl StepTrace {
    /// Reads a trace.
    ///
    /// # Errors
    /// When the file cannot be read or is something else.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, StepTraceError> {
        let path = path.as_ref().to_owned();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => return Err(StepTraceError::Read { path, error }),
        };
        read(&bytes).map_err(|reason| StepTraceError::Format { path, reason })
    }

    /// The call that failed: `Net::loss_grad`.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// Gives the network the parameters and the state of the run, and lets the next call draw the
    /// same random numbers.
    ///
    /// # Errors
    /// When the trace is of a model with other tensors.
    pub fn restore<N: Model, D: Device>(
        &self,
        net: &mut N,
        ws: &mut Workspace<N::Module, D>,
    ) -> Result<(), StepTraceError>
    where
        N::Module: crate::workspace::Program,
    {
        for spec in N::param_specs() {
            let floats = self.tensor(&spec.name, spec.len())?;
            net.params_mut()[spec.start..][..spec.len()].copy_from_slice(floats);
        }
        for spec in N::state_specs() {
            let floats = self.tensor(&spec.name, spec.len())?;
            net.state_mut()[spec.start..][..spec.len()].copy_from_slice(floats);
        }
        ws.draw_again(self.random);
        Ok(())
    }

    /// Argument `number` of the call, counted from 1 among those of floats, as samples.
    ///
    /// # Errors
    /// When there is none of that number, or its floats are no whole number of samples.
    pub fn argument<T: Pod>(&self, number: usize) -> Result<&[T], StepTraceError> {
        let name = format!("{ARGUMENT}{number}");
        let floats = self.floats.get(&name);
        let floats = floats.ok_or_else(|| StepTraceError::Missing {
            function: self.function.clone(),
            name: name.clone(),
        })?;
        let sample = (size_of::<T>() / size_of::<f32>()).max(1);
        match floats.len().is_multiple_of(sample) {
            true => Ok(view::batch(floats)),
            false => Err(StepTraceError::Length { name, found: floats.len(), expected: sample }),
        }
    }

    /// The class indices of all arguments, one argument behind the other, and behind them what the
    /// workspace has room for.
    pub fn classes(&self) -> &[u32] {
        &self.classes
    }

    fn tensor(&self, name: &str, expected: usize) -> Result<&[f32], StepTraceError> {
        match self.floats.get(name) {
            Some(floats) if floats.len() == expected => Ok(floats),
            Some(floats) => {
                let (name, found) = (name.to_owned(), floats.len());
                Err(StepTraceError::Length { name, found, expected })
            }
            None => {
                let (function, name) = (self.function.clone(), name.to_owned());
                Err(StepTraceError::Missing { function, name })
            }
        }
    }
}

fn read(bytes: &[u8]) -> Result<StepTrace, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let said = header.metadata().as_ref().ok_or("it has no metadata")?;
    let word = |name: &str| said.get(name).ok_or(format!("it has no `{name}`"));
    let number = |name: &str| word(name)?.parse::<u64>().map_err(|error| error.to_string());
    let random = Random { seed: Seed(number("seed")?), step: number("step")? };
    let (mut floats, mut classes) = (HashMap::new(), Vec::new());
    for (name, tensor) in file.iter() {
        let words = tensor.data().chunks_exact(4).map(|word| word.try_into().unwrap_or_default());
        match tensor.dtype() {
            Dtype::F32 => {
                floats.insert(name.to_owned(), words.map(f32::from_le_bytes).collect());
            }
            Dtype::U32 => classes = words.map(u32::from_le_bytes).collect(),
            other => return Err(format!("`{name}` is {other:?}")),
        }
    }
    Ok(StepTrace { function: word("function")?.clone(), random, floats, classes })
}
