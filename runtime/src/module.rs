//! Modules (what a network is) and models (a network with its parameters).

use std::path::Path;

use crate::init::{Init, Seed};
use crate::io::{self, LoadError, SaveError};
use crate::storage::Storage;

/// One parameter: its place in the flat slice, and what files and initialisers need to know.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamSpec {
    /// PyTorch's name, `conv1.weight`.
    pub name: String,
    /// PyTorch's layout, `[out, in, kh, kw]`.
    pub shape: Vec<usize>,
    /// The first float in the flat slice.
    pub start: usize,
    /// How it gets its first values.
    pub init: Init,
}

impl ParamSpec {
    /// The number of floats.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no floats.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The description of a network: what its parameters are. Implemented by `model!` and by
/// `#[derive(Module)]`.
pub trait Module {
    /// The number of parameters, in floats.
    const PARAMS: usize;

    /// Appends this module's parameters, in the order of the flat slice, their names behind
    /// `prefix` (`""`, or `"encoder."`) and their places behind `start`.
    fn describe(prefix: &str, start: usize, specs: &mut Vec<ParamSpec>);
}

/// A network with its parameters, all in one flat slice.
pub trait Model {
    /// What the parameters are.
    type Module: Module;

    /// All parameters, in the order of [`param_specs`](Model::param_specs).
    fn params(&self) -> &[f32];

    /// All parameters, to change.
    fn params_mut(&mut self) -> &mut [f32];

    /// Every parameter's name, shape and place in the flat slice.
    fn param_specs() -> Vec<ParamSpec> {
        let mut specs = Vec::new();
        Self::Module::describe("", 0, &mut specs);
        specs
    }

    /// Saves the parameters as safetensors, under the names of PyTorch's `state_dict`.
    ///
    /// A file that is there already is replaced at once when the new one is whole and on the
    /// disk; until then, and after an error, it is as it was.
    ///
    /// # Errors
    ///
    /// When the folder is missing, the disk full, or the path leads to something that is no
    /// file or read-only.
    fn save(&self, path: impl AsRef<Path>) -> Result<(), SaveError>
    where
        Self: Sized,
    {
        io::save(self, path.as_ref())
    }

    /// Loads the parameters from a safetensors file, one of PyTorch's `state_dict` for instance.
    ///
    /// The file must have exactly the model's parameters, as `f32`s. Everything is checked and
    /// read before the first parameter changes: after an error the model is as it was.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is damaged or no safetensors file, or when tensors are
    /// missing, unexpected, or of another shape or dtype; all of them are listed.
    fn load(&mut self, path: impl AsRef<Path>) -> Result<(), LoadError>
    where
        Self: Sized,
    {
        io::load(self, path.as_ref())
    }
}

/// New parameters for `M`, each drawn from its own stream of `seed`.
pub fn init_params<M: Module>(seed: Seed) -> Storage {
    let mut specs = Vec::new();
    M::describe("", 0, &mut specs);
    let mut params = Storage::zeros(M::PARAMS);
    for (stream, spec) in specs.iter().enumerate() {
        let range = spec.start..spec.start + spec.len();
        spec.init.fill(&mut params.as_mut_slice()[range], seed, stream as u64);
    }
    params
}
