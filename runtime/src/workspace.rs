//! The memory of a model's runs: allocated once, before the first.

mod accumulate;
mod error;
mod footprint;
mod input;
mod prepare;
mod run;
mod slow;
mod step;
mod step_check;
mod warm;

use std::marker::PhantomData;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

pub use error::{InputError, WorkspaceError};
pub use footprint::{Footprint, Packing};
pub use run::{Inputs, Ran};
pub use step_check::{StepCheck, check_steps};

pub use crate::program::{FunctionPlan, Inference, Network, Pass, Program, Purpose, Training};
pub use crate::step::{Cache, TruncateError};

use crate::arena::{self, Sizes};
use crate::device::{Cpu, Device, DeviceError, Random};
use crate::optim::{Grads, GradsMut};
use crate::rng::Seed;
use crate::storage::{Prepared, Storage, Version};

/// The largest run-time size that a workspace takes.
const MAX_SIZE: usize = 1 << 24;

/// All memory that runs of an `M` need on a device: activations, saved values, scratch memory,
/// results and gradients. Runs allocate nothing, but for what inference prepares of the parameters
/// the first time that it reads them; [`warm_up`](Workspace::warm_up) does that before.
///
/// One that is made by `infer_workspace` has the memory of inference alone, and says so in its
/// type: methods that make gradients do not take it.
///
/// ```
/// use gradiron::prelude::*;
/// # model! {
/// #     struct Line { line: Linear(1 -> 1) }
/// #     fn forward(&self, x: [batch, 1]) -> [batch, 1] { self.line(x) }
/// # }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let net = Line::init(Seed(0));
/// let mut ws: InferWorkspace<Line> = Line::infer_workspace(1)?;
/// net.forward(&mut ws, &[[1.0]])?;
/// # Ok(())
/// # }
/// ```
/// ```compile_fail,E0308
/// use gradiron::prelude::*;
/// # model! {
/// #     struct Line { line: Linear(1 -> 1) }
/// #     fn forward(&self, x: [batch, 1]) -> [batch, 1] { self.line(x) }
/// # }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let net = Line::init(Seed(0));
/// let mut ws = Line::infer_workspace(1)?;
/// net.forward_grad(&mut ws, &[[1.0]], &[[1.0]])?; // expected `Training`, found `Inference`
/// # Ok(())
/// # }
/// ```
///
/// What inference prepares of the parameters is kept with these, so that workspaces on any threads
/// share it.
///
/// When a device fails, what a workspace holds is not known. From then on each call is an error
/// ([`DeviceError::Lost`]), until the workspace is made anew.
#[derive(Debug)]
pub struct Workspace<M, D: Device = Cpu, P = Training> {
    device: D,
    capacity: Sizes,
    /// What passes use.
    arena: D::Memory,
    /// The floats of it.
    floats: usize,
    /// What is prepared for inference, and the version of the parameters and the state that it is
    /// prepared for.
    prepared: Option<(Version, Arc<D::Memory>)>,
    /// That of a device which does not share it.
    own: Prepared,
    /// The gradients of the parameters, then the new state. Inference has none.
    grads: D::Memory,
    /// Whether a `…_grad` call has made them.
    made: bool,
    /// What they leave out: parameters that the loss does not train.
    absent: &'static [[usize; 2]],
    /// Whether no step was made along them since.
    fresh: AtomicBool,
    /// Whether they are those of one call, which were not added to others.
    single: bool,
    /// Their mean over several calls, where it was asked for.
    sum: Option<accumulate::Accumulated<D::Memory>>,
    /// Whether calls without gradients run as in training.
    training: bool,
    indices: Vec<u32>,
    random: Random,
    plans: Vec<FunctionPlan>,
    none: Storage,
    /// Why it is not known what the memory holds.
    lost: OnceLock<DeviceError>,
    model: PhantomData<fn() -> (M, P)>,
}

/// A workspace of inference alone.
pub type InferWorkspace<M, D = Cpu> = Workspace<M, D, Inference>;

impl<M: Program, D: Device, P: Purpose> Workspace<M, D, P> {
    const PREPARED: usize = *M::PREPARED.of(D::ON_HOST);
    /// The gradients and the new state.
    const MADE: usize = if P::TRAINS { arena::plus(M::PARAMS, M::STATE) } else { 0 };

    /// Memory for runs of at most the run-time sizes `capacity`.
    ///
    /// # Errors
    /// When a size is 0 or above 2²⁴, when values have more than 2⁴⁰ elements or need more memory
    /// than there are addresses, or when the device's memory does not suffice.
    pub fn new(device: D, capacity: Sizes) -> Result<Self, WorkspaceError> {
        for (name, size) in M::SIZES.iter().zip(capacity) {
            if !(1..=MAX_SIZE).contains(&size) {
                return Err(WorkspaceError::Capacity { name, size, most: MAX_SIZE });
            }
        }
        let mut plans = M::plan(capacity, device.target());
        if !P::TRAINS {
            plans.iter_mut().for_each(FunctionPlan::only_infer);
        }
        let floats = plans.iter().flat_map(|plan| plan.floats).max().unwrap_or(0);
        let numbers = plans.iter().map(|plan| plan.indices).max().unwrap_or(0);
        let needed = arena::bytes(&[floats, Self::PREPARED, numbers, Self::MADE]);
        if needed == usize::MAX {
            return Err(WorkspaceError::TooLarge { sizes: named(M::SIZES, capacity) });
        }
        let mut indices = Vec::new();
        indices.try_reserve_exact(numbers).map_err(|_| {
            let bytes = arena::bytes(&[numbers]);
            DeviceError::OutOfMemory { device: "host", bytes }
        })?;
        indices.resize(numbers, 0);
        Ok(Self {
            arena: device.allocate(floats)?,
            floats,
            prepared: None,
            own: Prepared::default(),
            grads: device.allocate(Self::MADE)?,
            made: false,
            absent: &[],
            fresh: AtomicBool::new(false),
            single: false,
            sum: None,
            training: false,
            indices,
            random: Random::default(),
            none: Storage::zeros(0),
            lost: OnceLock::new(),
            device,
            capacity,
            plans,
            model: PhantomData,
        })
    }

    /// The bytes of this workspace, with what inference prepares of the parameters, which is there
    /// once for all workspaces of a network: what `M::footprint` says of its capacity and the
    /// device's [`target`](Device::target).
    pub fn bytes(&self) -> usize {
        arena::bytes(&[self.floats, Self::PREPARED, self.indices.len(), Self::MADE])
    }

    /// How well its plan uses memory.
    pub fn packing(&self) -> Packing {
        Packing::of(&self.plans)
    }

    /// Whether the device has not failed in it.
    #[inline]
    fn intact(&self) -> Result<(), DeviceError> {
        match self.lost.get() {
            None => Ok(()),
            Some(error) => Err(error.as_lost()),
        }
    }

    /// An outcome of the device. After a failure the workspace is lost.
    #[inline]
    fn outcome<T>(&self, outcome: Result<T, DeviceError>) -> Result<T, DeviceError> {
        outcome.inspect_err(|error| {
            if !matches!(error, DeviceError::Stopped(_)) {
                let _ = self.lost.set(error.clone());
            }
        })
    }
}

/// `batch = 8, length = 1024`
fn named(names: &[&str], sizes: Sizes) -> String {
    let named: Vec<_> =
        names.iter().zip(sizes).map(|(n, size)| format!("`{n}` = {size}")).collect();
    named.join(", ")
}

impl<M: Program, D: Device> Workspace<M, D> {
    /// The seed of what the next `…_grad` calls draw: what dropout drops. Each call draws anew;
    /// after the same seed the same calls draw the same. A new workspace has the seed 0.
    pub fn manual_seed(&mut self, seed: Seed) {
        self.random = Random { seed, step: 0 };
    }

    /// What the random numbers of the next call follow from.
    pub(crate) fn random(&self) -> Random {
        self.random
    }

    /// Lets the next call draw what one drew before.
    pub(crate) fn draw_again(&mut self, random: Random) {
        self.random = random;
    }

    /// Whether calls without gradients, such as `net.forward`, run as those with gradients do:
    /// norms use the statistics of the batch, and dropout drops, what each call draws anew. So it
    /// is after PyTorch's `net.train()`; in a new workspace, it is not. The running statistics
    /// stay as they are.
    ///
    /// ```
    /// use gradiron::prelude::*;
    ///
    /// model! {
    ///     struct Net { fc: Linear(4 -> 16), head: Linear(16 -> 1) }
    ///     fn forward(&self, x: [batch, 4]) -> [batch, 1] {
    ///         self.head(self.fc(x).relu().dropout(0.5))
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let net = Net::init(Seed(0));
    /// let mut ws = Net::workspace(1)?;
    /// ws.set_training(true);
    /// // How sure is it? The spread of answers with other units dropped.
    /// let draws: Vec<f32> = (0..20)
    ///     .map(|_| net.forward(&mut ws, &[[1.0; 4]]).map(|y| y[0][0]))
    ///     .collect::<Result<_, _>>()?;
    /// assert!(draws.iter().any(|y| *y != draws[0]));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "train")]
    #[doc(alias = "eval")]
    pub fn set_training(&mut self, training: bool) {
        self.training = training;
    }

    /// The gradients of the last `…_grad` call that returned `Ok`, and the state that it made. A
    /// call that refuses its inputs leaves them as they are, and so does inference. Before the
    /// first they are zeros. An optimizer makes one step along them; for one more there is
    /// [`Grads::again`].
    pub fn grads(&self) -> Grads<'_, M::Owner> {
        let state = if self.made { M::STATE } else { 0 };
        let grads = Grads::lent(self.device.lend(&self.grads), M::PARAMS, state);
        let waiting = if self.single { self.accumulated() } else { 0 };
        let grads = grads.without(self.absent).recorded(self.device.profile());
        grads.once(&self.fresh).beside(waiting)
    }
}

impl<M: Program, D: Device> Workspace<M, D> {
    /// The same gradients, to change before an optimizer's step:
    /// `ws.grads_mut().select_mut("head")?.clip_norm(1.0)`.
    ///
    /// # Panics
    /// When they are on a device that is lost.
    pub fn grads_mut(&mut self) -> GradsMut<'_, M::Owner> {
        // What is written there may be stepped along.
        self.begin_mean();
        *self.fresh.get_mut() = true;
        GradsMut::new(self.device.change(&mut self.grads, 0, M::PARAMS))
    }
}

impl<M, P> Workspace<M, Cpu, P> {
    /// Fills all memory with NaN: to test that no run reads what it has not written.
    #[doc(hidden)]
    pub fn poison(&mut self) {
        self.arena.as_mut_slice().fill(f32::NAN);
        self.grads.as_mut_slice().fill(f32::NAN);
        self.prepared = None;
    }
}
