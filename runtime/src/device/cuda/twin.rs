//! Parameters and optimizers' state on a GPU: uploaded once, and changed there.

use std::any::Any;
use std::sync::Arc;

use super::Shared;
use super::error::CudaError;
use super::memory::{Block, Range};
use crate::device::DeviceError;
use crate::storage::{Storage, Twin, Version};

/// The floats of a block of the host.
struct CudaTwin {
    block: Block,
    /// The version that it has.
    version: Option<Version>,
}

impl Twin for CudaTwin {
    fn download(&self, to: &mut [f32]) -> Result<(), DeviceError> {
        Ok(self.block.download(0, to)?)
    }
}

/// The floats of `storage` on the GPU, uploaded unless they are there.
pub(super) fn upload(shared: &Arc<Shared>, storage: &Storage) -> Result<Range, CudaError> {
    let known =
        |twin: &mut CudaTwin| (twin.version == Some(storage.version())).then(|| twin.block.range());
    if let Some(range) = as_cuda(&mut storage.twin().as_deref_mut(), shared).and_then(known) {
        return Ok(range);
    }
    // May bring the floats from another device, and so not under the lock.
    let floats = storage.as_slice();
    let mut guard = storage.twin();
    let mut twin = guard.as_deref_mut();
    if as_cuda(&mut twin, shared).is_none() {
        let new = CudaTwin { block: Block::zeroed(shared, floats.len())?, version: None };
        twin = Some(&mut **guard.insert(Box::new(new)));
    }
    let twin = as_cuda(&mut twin, shared).expect("it was just made");
    twin.block.upload(0, floats)?;
    twin.version = Some(storage.version());
    Ok(twin.block.range())
}

/// The floats on the GPU, uploaded unless they are there, of a block that changes there now.
pub(super) fn change(shared: &Arc<Shared>, storage: &mut Storage) -> Result<Range, CudaError> {
    let range = upload(shared, storage)?;
    let version = storage.change_twin();
    if let Some(twin) = as_cuda(&mut storage.twin().as_deref_mut(), shared) {
        twin.version = Some(version);
    }
    Ok(range)
}

/// The twin, where it is on this GPU.
fn as_cuda<'a>(
    twin: &'a mut Option<&mut (dyn Twin + 'static)>,
    shared: &Arc<Shared>,
) -> Option<&'a mut CudaTwin> {
    let twin: &mut dyn Any = &mut **twin.as_mut()?;
    let twin: &mut CudaTwin = twin.downcast_mut()?;
    Arc::ptr_eq(twin.block.shared(), shared).then_some(twin)
}
