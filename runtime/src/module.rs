//! Modules (what a network is) and models (a network with its parameters and its state).

mod part;
mod select;
mod selected;
pub(crate) mod table;

use std::path::Path;

pub use part::{Part, PartError};
pub use select::{Except, Kind, Select, SelectError, Selection, except};
pub(crate) use selected::range;
pub use selected::{CopyError, Selected, Tensor};

use crate::device::DeviceError;
pub use crate::init::Init;
use crate::io::{self, LoadError, Loading, SaveError};
use crate::observe::NamedTensor;
use crate::optim::Grads;
use crate::rng::Seed;
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
    /// The names of weights that are tied to it: files may hold it under these, or several times.
    pub tied: Vec<String>,
    /// Whether it stands below `#[frozen]`: it has no gradient, and optimizers leave it alone.
    pub frozen: bool,
}

impl ParamSpec {
    /// The number of floats.
    pub fn len(&self) -> usize {
        self.shape.iter().fold(1, |len, &size| crate::arena::times(len, size))
    }

    /// Whether it has no floats.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One tensor of the state, what PyTorch calls a buffer: it is saved with the parameters, and no
/// optimizer trains it.
#[derive(Clone, Debug, PartialEq)]
pub struct StateSpec {
    /// PyTorch's name, `bn1.running_mean`.
    pub name: String,
    /// PyTorch's layout.
    pub shape: Vec<usize>,
    /// The first float in the flat slice of the state.
    pub start: usize,
    /// How it gets its first values.
    pub init: Init,
    /// What its floats are.
    pub kind: StateKind,
}

impl StateSpec {
    /// The number of floats.
    pub fn len(&self) -> usize {
        self.shape.iter().fold(1, |len, &size| crate::arena::times(len, size))
    }

    /// Whether it has no floats.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What the floats of a state tensor are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateKind {
    /// Numbers that training changes, `f32` in files.
    Float,
    /// Numbers that the program sets, `f32` in files: a `Buffer([24])`. No pass changes them.
    Buffer,
    /// A count in one float, which beyond 2²⁴ goes on in its bits; `i64` in files.
    Count,
}

/// The description of a network: what its parameters and its state are. Implemented by `model!`
/// and by `#[derive(Module)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no model",
    label = "no model",
    note = "a field holds a layer, such as `Linear(784 -> 128)`, or a model by its name: a struct of a `model!`, or one with `#[derive(Module)]`"
)]
pub trait Module {
    /// The number of parameters, in floats.
    const PARAMS: usize;

    /// The size of the state, in floats.
    const STATE: usize = 0;

    /// For each loss with `#[trains(…)]`, the ranges of parameters that it leaves alone.
    #[doc(hidden)]
    const ABSENT: &'static [&'static [[usize; 2]]] = &[];

    /// The names of its functions, where they are known.
    #[doc(hidden)]
    const FUNCTIONS: Option<&'static [&'static str]> = None;

    /// Appends this module's parameters, in the order of the flat slice, their names behind
    /// `prefix` (`""`, or `"encoder."`) and their places behind `start`.
    fn describe(prefix: &str, start: usize, specs: &mut Vec<ParamSpec>);

    /// The same for the state.
    fn describe_state(_prefix: &str, _start: usize, _specs: &mut Vec<StateSpec>) {}
}

/// A network with its parameters, all in one flat slice, and its state in another.
pub trait Model {
    /// What the parameters are.
    type Module: Module;

    /// All parameters, in the order of [`param_specs`](Model::param_specs).
    ///
    /// # Panics
    ///
    /// When they are on a device that fails to bring them ([`fetch`](Model::fetch)).
    fn params(&self) -> &[f32];

    /// All parameters, to change.
    ///
    /// # Panics
    ///
    /// As [`params`](Model::params).
    fn params_mut(&mut self) -> &mut [f32];

    /// The state, such as the running statistics of batch normalisation, in the order of
    /// [`state_specs`](Model::state_specs).
    fn state(&self) -> &[f32] {
        &[]
    }

    /// The state, to change.
    fn state_mut(&mut self) -> &mut [f32] {
        &mut []
    }

    /// Every parameter's name, shape and place in the flat slice.
    fn param_specs() -> Vec<ParamSpec> {
        let mut specs = Vec::new();
        Self::Module::describe("", 0, &mut specs);
        specs
    }

    /// Every state tensor's name, shape and place in the flat slice.
    fn state_specs() -> Vec<StateSpec> {
        let mut specs = Vec::new();
        Self::Module::describe_state("", 0, &mut specs);
        specs
    }

    /// The parameters that `what` chooses, by name, by what stands before a dot in one, by kind or
    /// by a condition: [`Select`] has the forms.
    ///
    /// # Errors
    ///
    /// When a name matches no parameter.
    fn select(&self, what: impl Select<Self>) -> Result<Selected<&[f32]>, SelectError>
    where
        Self: Sized,
    {
        Ok(Selected::new(what.selection()?.shared(), self.params()))
    }

    /// The same, to change.
    ///
    /// # Errors
    ///
    /// When a name matches no parameter.
    fn select_mut(&mut self, what: impl Select<Self>) -> Result<Selected<&mut [f32]>, SelectError>
    where
        Self: Sized,
    {
        Ok(Selected::new(what.selection()?.shared(), self.params_mut()))
    }

    /// The parameters that `what` chooses, found once for many calls: what is done with a
    /// [`Selection`] searches no names and allocates nothing.
    ///
    /// # Errors
    ///
    /// When a name matches no parameter.
    fn selection(what: impl Select<Self>) -> Result<Selection<Self>, SelectError>
    where
        Self: Sized,
    {
        what.selection()
    }

    /// Tensors of the state by name, as [`select`](Model::select) has parameters: `"bn1"` for the
    /// statistics of that layer, `"*"` for all.
    ///
    /// # Errors
    ///
    /// When the name matches none.
    fn select_state(&self, name: &str) -> Result<Selected<&[f32]>, SelectError>
    where
        Self: Sized,
    {
        Ok(Selected::new(select::state_of::<Self>(name)?, self.state()))
    }

    /// The same, to change.
    ///
    /// # Errors
    ///
    /// When the name matches none.
    fn select_state_mut(&mut self, name: &str) -> Result<Selected<&mut [f32]>, SelectError>
    where
        Self: Sized,
    {
        Ok(Selected::new(select::state_of::<Self>(name)?, self.state_mut()))
    }

    /// Copies all parameters and the state of another network, of any type whose tensors have the
    /// same names and shapes. Parts are copied by [`Selected::copy_from`].
    ///
    /// # Errors
    ///
    /// When a tensor of one is missing in the other, or shapes differ: nothing is copied then.
    fn copy_from<N: Model>(&mut self, from: &N) -> Result<(), CopyError>
    where
        Self: Sized,
    {
        let mut params = Selected::new(select::all(Self::param_specs()), self.params().to_vec());
        params.copy_from(&Selected::new(select::all(N::param_specs()), from.params()))?;
        let specs = select::all(Self::state_specs().into_iter().map(select::as_param).collect());
        let of_other = select::all(N::state_specs().into_iter().map(select::as_param).collect());
        let mut state = Selected::new(specs, self.state_mut());
        state.copy_from(&Selected::new(of_other, from.state()))?;
        self.params_mut().copy_from_slice(params.floats());
        Ok(())
    }

    /// Moves all parameters towards those of `to` by the share `weight` of the difference, as
    /// PyTorch's `lerp_`, and takes over its state: a running mean of a network that trains,
    /// `mean.lerp(&net, 1.0 - 0.999)` behind each step, as PyTorch's `AveragedModel` keeps it.
    /// Allocates nothing.
    fn lerp(&mut self, to: &Self, weight: f32)
    where
        Self: Sized,
    {
        lerp(self.params_mut(), to.params(), weight);
        self.state_mut().copy_from_slice(to.state());
    }

    /// Takes over the state that the last `…_grad` call made, as an optimizer's step does after
    /// it changed the parameters. By itself it renews running statistics and trains nothing.
    fn update_state(&mut self, grads: Grads<'_, Self>)
    where
        Self: Sized,
    {
        grads.renew_state(self, &[]);
    }

    /// The parameters, and behind them the state, where one block holds them.
    #[doc(hidden)]
    fn storage(&mut self) -> Option<&mut Storage> {
        None
    }

    /// The same, to read.
    #[doc(hidden)]
    fn stored(&self) -> Option<&Storage> {
        None
    }

    /// Brings parameters and state to the host from a device that changes them, so that reading
    /// them here cannot fail. What reads them does so by itself, and panics when it fails.
    ///
    /// # Errors
    ///
    /// When the device fails to, or has failed while it changed them.
    fn fetch(&self) -> Result<(), DeviceError> {
        Ok(())
    }

    /// Saves the parameters and the state as safetensors, under the names of PyTorch's
    /// `state_dict`; a tied weight once, under the name of the layer that owns it.
    ///
    /// A file that is there already is replaced at once when the new one is whole and on the disk;
    /// until then, and after an error, it is as it was. The new one has its permissions from the
    /// start, and its owner as far as the process may give files away. A link is followed, also
    /// where it leads to no file yet.
    ///
    /// Until then it is a file `.gradiron-….tmp` in the same folder. One that a killed process has
    /// left is removed by the next save there, unless another process has it locked; one of another
    /// machine, or from before the system's last start, when an hour has gone since it was written;
    /// on systems other than Linux, which tells when it started, any one then.
    ///
    /// # Errors
    ///
    /// When the folder is missing or takes no file, the disk is full, the old file cannot be
    /// replaced while others have it open, the path leads to something that is no regular file or
    /// read-only, or a count in the state is no whole number from 0 on.
    fn save(&self, path: impl AsRef<Path>) -> Result<(), SaveError>
    where
        Self: Sized,
    {
        io::save(self, path.as_ref())
    }

    /// Loads the parameters and the state from a safetensors file, one of PyTorch's `state_dict`
    /// for instance.
    ///
    /// The file must have exactly the model's tensors, as `f32`s (counts as `i64`s; one that is
    /// missing, as `num_batches_tracked` is in old files, stays as it is). A tied weight may be
    /// there under one of its names or under several, with the same numbers. Everything is checked
    /// and read before the first number changes: after an error the model is as it was.
    ///
    /// What a file may cost follows from the model, whatever the file claims: time for a header of
    /// 4 MiB and 64 times what the model's tensors need there, and 16 times as much memory; then as
    /// much memory as the parameters have, once more. Names have 1,024 bytes or as many as the
    /// model's longest, shapes 64 sizes.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is no regular file, is damaged, beyond these bounds or no
    /// safetensors file, when tensors are missing, unexpected, or of another shape or dtype, all of
    /// which are listed, or when a count is negative.
    fn load(&mut self, path: impl AsRef<Path>) -> Result<(), LoadError>
    where
        Self: Sized,
    {
        Loading::open(self, path.as_ref())?.all_but(&[])
    }

    /// [`load`](Model::load), but for the tensors of these names, and for all tensors below them:
    /// `"fc"` means `fc.weight` and `fc.bias`. Those of the file are not looked at, those of the
    /// model stay as they are. So a file may hold parts that the model lacks, and a model may get
    /// a new head on a trained body.
    ///
    /// ```
    /// use gradiron::prelude::*;
    ///
    /// model! {
    ///     struct Net {
    ///         body: Linear(8 -> 4),
    ///         fc: Linear(4 -> 10),
    ///     }
    ///
    ///     fn forward(&self, x: [batch, 8]) -> [batch, 10] {
    ///         self.fc(self.body(x).relu())
    ///     }
    /// }
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let path = std::env::temp_dir().join(format!("body-{}", std::process::id()));
    ///     Net::init(Seed(0)).save(&path)?;
    ///     let mut net = Net::init(Seed(1));
    ///     net.load_except(&path, &["fc"])?;
    ///     std::fs::remove_file(&path)?;
    ///     assert_eq!(net.body().weight(), Net::init(Seed(0)).body().weight());
    ///     assert_eq!(net.fc().weight(), Net::init(Seed(1)).fc().weight());
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`load`](Model::load), for all other tensors; and when one of `names` is none of
    /// the model's and none of the file's: a name with a mistake would let the tensors that it was
    /// meant for be overwritten.
    fn load_except(&mut self, path: impl AsRef<Path>, names: &[&str]) -> Result<(), LoadError>
    where
        Self: Sized,
    {
        Loading::open(self, path.as_ref())?.all_but(names)
    }

    /// Opens a file whose tensors have other names, or are not all of the model's: what is said of
    /// it then changes prefixes and names, and [`Loading::load`] loads it.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is no regular file, is damaged, beyond the bounds of
    /// [`load`](Model::load) or no safetensors file.
    fn load_from(&mut self, path: impl AsRef<Path>) -> Result<Loading<'_, Self>, LoadError>
    where
        Self: Sized,
    {
        Loading::open(self, path.as_ref())
    }
}

/// Moves each float by the share `weight` of what it differs, as `torch.lerp`.
fn lerp(from: &mut [f32], to: &[f32], weight: f32) {
    for (from, to) in from.iter_mut().zip(to) {
        *from = match weight < 0.5 {
            true => *from + weight * (*to - *from),
            false => *to - (1.0 - weight) * (*to - *from),
        };
    }
}

/// Files hold each tensor under its name. The names of nested models are known only here.
fn check_names<M: Module>(specs: &[ParamSpec]) {
    let mut states = Vec::new();
    M::describe_state("", 0, &mut states);
    let mut seen = std::collections::HashSet::new();
    let names = specs.iter().map(|spec| &spec.name).chain(states.iter().map(|spec| &spec.name));
    for name in names {
        assert!(
            seen.insert(name),
            "gradiron: the model has two tensors named `{name}` in files\n  \
             help: give one of their fields another name, by `#[name = \"…\"]` before it"
        );
    }
}

/// Where the buffers lie in the state.
pub(crate) fn buffers(specs: &[StateSpec]) -> Vec<std::ops::Range<usize>> {
    let buffers = specs.iter().filter(|spec| spec.kind == StateKind::Buffer);
    buffers.map(|spec| spec.start..spec.start + spec.len()).collect()
}

/// New parameters for `M`, each drawn from its own stream of `seed`, and behind them its state.
pub fn init_params<M: Module>(seed: Seed) -> Storage {
    let mut specs = Vec::new();
    M::describe("", 0, &mut specs);
    check_names::<M>(&specs);
    let mut storage = Storage::zeros(crate::arena::plus(M::PARAMS, M::STATE));
    let (params, state) = storage.as_mut_slice().split_at_mut(M::PARAMS);
    let mut streams = 0..;
    let mut fill = |init: Init, floats: &mut [f32]| {
        init.fill(floats, seed, streams.next().unwrap_or_default());
    };
    for spec in &specs {
        fill(spec.init, &mut params[spec.start..][..spec.len()]);
    }
    let mut specs = Vec::new();
    M::describe_state("", 0, &mut specs);
    for spec in &specs {
        fill(spec.init, &mut state[spec.start..][..spec.len()]);
    }
    storage.keep(buffers(&specs));
    storage
}

/// The parameters of a model and behind them its state, as runs have them in memory.
pub(crate) fn named_tensors<M: Module>() -> Vec<NamedTensor> {
    let (mut params, mut state) = (Vec::new(), Vec::new());
    M::describe("", 0, &mut params);
    M::describe_state("", M::PARAMS, &mut state);
    let params = params.into_iter().map(|spec| (spec.len(), spec.name, spec.start));
    let state = state.into_iter().map(|spec| (spec.len(), spec.name, spec.start));
    params.chain(state).map(|(len, name, start)| (name, start, len)).collect()
}
