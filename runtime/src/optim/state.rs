//! The state of optimizers by name: moments of parameters, and how many steps they have made.

use std::fmt;

use crate::device::DeviceError;
use crate::module::SelectError;
use crate::storage::Storage;

/// Buffers of state, one or none.
pub(super) trait Buffer {
    fn buffer(&self) -> Option<&Storage>;
    fn buffer_mut(&mut self) -> Option<&mut Storage>;
}

impl Buffer for Storage {
    fn buffer(&self) -> Option<&Storage> {
        Some(self)
    }

    fn buffer_mut(&mut self) -> Option<&mut Storage> {
        Some(self)
    }
}

impl Buffer for Option<Storage> {
    fn buffer(&self) -> Option<&Storage> {
        self.as_ref()
    }

    fn buffer_mut(&mut self) -> Option<&mut Storage> {
        self.as_mut()
    }
}

/// The floats of buffers that are there, with their names.
pub(super) fn floats<'a, const N: usize>(
    buffers: [(&'static str, Option<&'a Storage>); N],
) -> Result<Vec<(&'static str, &'a [f32])>, DeviceError> {
    let there = buffers.into_iter().filter_map(|(name, buffer)| Some((name, buffer?)));
    there.map(|(name, buffer)| Ok((name, buffer.fetch()?))).collect()
}

/// The buffer of a name.
pub(super) fn named<T, const N: usize>(
    optimizer: &'static str,
    buffers: [(&'static str, Option<T>); N],
    name: &str,
) -> Result<T, StateError> {
    let mut has = Vec::new();
    for (known, buffer) in buffers {
        match buffer {
            Some(buffer) if known == name => return Ok(buffer),
            Some(_) => has.push(known),
            None => {}
        }
    }
    Err(StateError::Buffer { optimizer, name: name.to_owned(), has })
}

/// Why state of an optimizer is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateError {
    /// The optimizer keeps nothing of this name.
    Buffer {
        /// The optimizer.
        optimizer: &'static str,
        /// The name that was given.
        name: String,
        /// What it keeps.
        has: Vec<&'static str>,
    },
    /// A parameter is not there.
    Select(SelectError),
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateError::Select(error) => error.fmt(f),
            StateError::Buffer { optimizer, name, has } => {
                let has: Vec<_> = has.iter().map(|name| format!("`{name}`")).collect();
                let has = if has.is_empty() { "nothing".to_owned() } else { has.join(", ") };
                write!(
                    f,
                    "{optimizer} keeps no `{name}` with these settings; what it keeps is {has}"
                )
            }
        }
    }
}

impl std::error::Error for StateError {}

impl From<SelectError> for StateError {
    fn from(error: SelectError) -> Self {
        StateError::Select(error)
    }
}

/// The methods that every optimizer has for its state, of the buffers that it keeps by PyTorch's
/// names.
macro_rules! state {
    ($check:ident, [$($settings:ident).+], $($name:literal: $($field:ident).+),+) => {
        /// What the optimizer keeps for each parameter, by PyTorch's names, as
        /// [`select_state`](Self::select_state) takes them.
        pub fn state_names(&self) -> Vec<&'static str> {
            let all = [$(($name, self.$($field).+.buffer().is_some())),+];
            all.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
        }

        /// State of the parameters that `what` chooses: `select_state("exp_avg", "fc1")`. On a GPU
        /// it is brought to the host.
        ///
        /// # Errors
        ///
        /// When the optimizer keeps nothing of this name, or a name matches no parameter.
        ///
        /// # Panics
        ///
        /// When it is on a device that is lost.
        pub fn select_state(
            &self,
            name: &str,
            what: impl crate::module::Select<M>,
        ) -> Result<crate::module::Selected<&[f32]>, super::StateError> {
            let all = [$(($name, self.$($field).+.buffer())),+];
            let buffer = super::state::named($check.0, all, name)?;
            Ok(crate::module::Selected::new(what.selection()?.shared(), buffer.as_slice()))
        }

        /// The same, to change.
        ///
        /// # Errors
        ///
        /// As [`select_state`](Self::select_state).
        ///
        /// # Panics
        ///
        /// When it is on a device that is lost.
        pub fn select_state_mut(
            &mut self,
            name: &str,
            what: impl crate::module::Select<M>,
        ) -> Result<crate::module::Selected<&mut [f32]>, super::StateError> {
            let all = [$(($name, self.$($field).+.buffer_mut())),+];
            let buffer = super::state::named($check.0, all, name)?;
            Ok(crate::module::Selected::new(what.selection()?.shared(), buffer.as_mut_slice()))
        }

        /// The steps that were made.
        pub fn steps(&self) -> u64 {
            self.$($settings).+.steps
        }

        /// Sets the steps that were made, of all parameters: corrections of moments follow from
        /// them.
        pub fn set_steps(&mut self, steps: u64) {
            self.$($settings).+.restart();
            self.$($settings).+.set_steps(steps);
        }

        /// Saves the state as safetensors, beside the file of the network: `fc1.weight.exp_avg`,
        /// and `fc1.weight.step` for the steps that a parameter has made. Settings are the
        /// program's and are not saved. The file is replaced as one of [`Model::save`] is.
        ///
        /// # Errors
        ///
        /// Those of [`Model::save`].
        pub fn save_state(
            &self,
            path: impl AsRef<std::path::Path>,
        ) -> Result<(), crate::io::SaveError> {
            let buffers = super::state::floats([$(($name, self.$($field).+.buffer())),+])?;
            let steps = self.$($settings).+.steps_of::<M>();
            crate::io::save_state::<M>(&buffers, &steps, path.as_ref())
        }

        /// Loads what [`save_state`](Self::save_state) saved of an optimizer with the same
        /// settings. A training goes on from there with the same bits.
        ///
        /// # Errors
        ///
        /// Those of [`Model::load`], of the tensors of the state; nothing changes then.
        pub fn load_state(
            &mut self,
            path: impl AsRef<std::path::Path>,
        ) -> Result<(), crate::io::LoadError> {
            super::state::floats([$(($name, self.$($field).+.buffer())),+])?;
            let mut steps = self.$($settings).+.steps_of::<M>();
            let names = self.state_names();
            let parts = crate::io::load_state::<M>(&names, &mut steps, path.as_ref())?;
            self.$($settings).+.load_steps::<M>(&steps)?;
            let all = [$(self.$($field).+.buffer_mut()),+];
            let mut there: Vec<_> = all.into_iter().flatten().collect();
            for (buffer, place, floats) in parts {
                there[buffer].as_mut_slice()[place].copy_from_slice(&floats);
            }
            Ok(())
        }
    };
}
pub(super) use state;
