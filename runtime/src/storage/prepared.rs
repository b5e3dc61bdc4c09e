//! What was computed of a block of parameters and is kept with it, for all workspaces that read
//! these.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use super::Version;

/// A block of memory for each kind of device.
#[derive(Default)]
pub(crate) struct Prepared(Mutex<Vec<Kept>>);

struct Kept {
    /// What tells the device that prepared it from others
    /// ([`Device::Preparer`](crate::device::Device)).
    by: Box<dyn Any + Send + Sync>,
    /// What it was computed of.
    version: Version,
    memory: Arc<dyn Any + Send + Sync>,
}

impl Prepared {
    /// The block that `by` has of this version: what is there, or else one that `fill` fills. Who
    /// comes meanwhile waits, and gets the same. A block of an older version is filled again when
    /// nobody else reads it.
    pub fn get<T: Send + Sync + 'static, By: PartialEq + Send + Sync + 'static, E>(
        &self,
        by: By,
        version: Version,
        allocate: impl FnOnce() -> Result<T, E>,
        fill: impl FnOnce(&mut T) -> Result<(), E>,
    ) -> Result<Arc<T>, E> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |kept: &Kept| kept.by.downcast_ref() == Some(&by) && kept.memory.is::<T>();
        // What is taken out is not there any more after an error or a panic.
        let mut known = all.iter().position(is_known).map(|at| all.swap_remove(at));
        let of_version = known.take_if(|kept| kept.version == version);
        let free = known.as_mut().and_then(|old| Arc::get_mut(&mut old.memory));
        let kept = match (of_version, free.and_then(|free| free.downcast_mut())) {
            (Some(kept), _) => kept,
            (None, Some(free)) => {
                fill(free)?;
                Kept { version, ..known.expect("it was just filled") }
            }
            (None, None) => {
                let mut new = allocate()?;
                fill(&mut new)?;
                Kept { by: Box::new(by), version, memory: Arc::new(new) }
            }
        };
        let memory = Arc::clone(&kept.memory);
        all.push(kept);
        Ok(memory.downcast().expect("a block of this kind"))
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prepared")
    }
}
