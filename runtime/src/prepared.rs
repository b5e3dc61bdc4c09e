//! What was computed of a block of parameters and is kept with it, for all workspaces that read these.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(feature = "cuda")]
use crate::device::Factors;
use crate::device::Precision;
use crate::math::SimdLevel;
use crate::ops::conv2d::Choice;
use crate::storage::Version;

/// What a preparation depends on beside the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preparer(By);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Cpu(SimdLevel, Precision, Choice),
    /// A GPU by its address, which what it prepared keeps from being another's.
    #[cfg(feature = "cuda")]
    Cuda(usize, Factors),
}

impl Preparer {
    pub(crate) fn cpu(level: SimdLevel, precision: Precision, convolution: Choice) -> Self {
        Self(By::Cpu(level, precision, convolution))
    }

    #[cfg(feature = "cuda")]
    pub(crate) fn cuda(gpu: usize, factors: Factors) -> Self {
        Self(By::Cuda(gpu, factors))
    }
}

/// A block of memory for each kind of device.
#[derive(Default)]
pub(crate) struct Prepared(Mutex<Vec<Kept>>);

struct Kept {
    by: Option<Preparer>,
    /// What it was computed of.
    version: Version,
    memory: Arc<dyn Any + Send + Sync>,
}

impl Prepared {
    /// The block that `by` has of this version: what is there, or else one that `fill` fills. Who comes
    /// meanwhile waits, and gets the same. A block of an older version is filled again when nobody else
    /// reads it.
    pub fn get<T: Send + Sync + 'static, E>(
        &self,
        by: Option<Preparer>,
        version: Version,
        allocate: impl FnOnce() -> Result<T, E>,
        fill: impl FnOnce(&mut T) -> Result<(), E>,
    ) -> Result<Arc<T>, E> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.iter().position(|kept| kept.by == by && kept.memory.is::<T>());
        let memory = match known.map(|at| all.swap_remove(at)) {
            Some(kept) if kept.version == version => kept.memory,
            mut old => {
                let free = old.as_mut().and_then(|old| Arc::get_mut(&mut old.memory));
                match free.and_then(|free| free.downcast_mut()) {
                    Some(free) => {
                        // After an error or a panic it is not there any more.
                        fill(free)?;
                        old.expect("it was just filled").memory
                    }
                    None => {
                        let mut new = allocate()?;
                        fill(&mut new)?;
                        Arc::new(new)
                    }
                }
            }
        };
        all.push(Kept { by, version, memory: Arc::clone(&memory) });
        Ok(memory.downcast().expect("a block of this kind"))
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prepared")
    }
}
