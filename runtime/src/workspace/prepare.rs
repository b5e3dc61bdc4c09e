//! What inference prepares of the parameters and the state, once for each version of them.

use std::marker::PhantomData;

use super::{Program, Purpose, Workspace};
use crate::device::{Device, DeviceError, RunMemory};
use crate::function::Preparation;
use crate::storage::Storage;

impl<M: Program, D: Device, P: Purpose> Workspace<M, D, P> {
    /// Sees to it that `self.prepared` is for the present parameters and the present state.
    #[inline]
    pub(super) fn prepare(&mut self, params: Option<&Storage>) -> Result<(), DeviceError> {
        let Some(params) = params else { return Ok(()) };
        match &self.prepared {
            Some((version, _)) if *version == params.version() => Ok(()),
            _ => self.prepare_anew(params),
        }
    }

    /// Takes what another workspace has prepared, or prepares it.
    #[cold]
    fn prepare_anew(&mut self, params: &Storage) -> Result<(), DeviceError> {
        // Memory that nothing reads any more is used again.
        self.prepared = None;
        let version = params.version();
        let preparer = self.device.preparer();
        let kept = if preparer.is_some() { params.prepared() } else { &self.own };
        let prepared = kept.get(
            preparer,
            version,
            || self.device.allocate(Self::PREPARED),
            |arena| {
                let memory = RunMemory {
                    params,
                    grads: &mut self.grads,
                    arena,
                    cache: None,
                    prepared: None,
                    random: self.random,
                    inputs: &[],
                    indices: &[],
                };
                self.device.run(memory, Preparation::<M>(PhantomData))
            },
        );
        self.prepared = Some((version, self.outcome(prepared)?));
        Ok(())
    }
}
