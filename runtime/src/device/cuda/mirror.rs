//! Parameters and optimizers' state on a GPU: uploaded once, and changed there.

use std::any::Any;
use std::sync::Arc;

use super::Shared;
use super::error::CudaError;
use super::memory::{Block, Range};
use super::products::Factors;
use super::replay::Places;
use crate::device::{DeviceError, floats_of_halves};
use crate::storage::{Mirror, Storage, Version};

/// The floats of a block of the host.
struct CudaMirror {
    block: Block,
    /// The version that it has.
    version: Option<Version>,
    halves: Option<Halves>,
}

/// The floats of a block in 16 bits, in the same order.
struct Halves {
    block: Block,
    factors: Factors,
    /// Whether they are those of the present floats, or will be when the stream gets here.
    fresh: bool,
}

impl Mirror for CudaMirror {
    fn download(&self, to: &mut [f32]) -> Result<(), DeviceError> {
        Ok(self.block.download(0, to)?)
    }
}

/// The floats of `storage` on the GPU, uploaded unless they are there.
pub(super) fn upload(shared: &Arc<Shared>, storage: &Storage) -> Result<Range, DeviceError> {
    storage.lost().check()?;
    let known = |mirror: &mut CudaMirror| {
        (mirror.version == Some(storage.version())).then(|| mirror.block.range())
    };
    if let Some(range) = on_gpu(&mut storage.mirror().as_deref_mut(), shared).and_then(known) {
        return Ok(range);
    }
    // May bring the floats from another device, and so not under the lock.
    let floats = storage.fetch()?;
    let mut guard = storage.mirror();
    let mut mirror = guard.as_deref_mut();
    if on_gpu(&mut mirror, shared).is_none() {
        let block = Block::zeroed(shared, floats.len())?;
        let new = CudaMirror { block, version: None, halves: None };
        mirror = Some(&mut **guard.insert(Box::new(new)));
    }
    let mirror = on_gpu(&mut mirror, shared).expect("it was just made");
    mirror.block.upload(0, floats)?;
    mirror.halves.iter_mut().for_each(|halves| halves.fresh = false);
    mirror.version = Some(storage.version());
    Ok(mirror.block.range())
}

/// The floats on the GPU, uploaded unless they are there, of a block that changes there now.
pub(super) fn change(shared: &Arc<Shared>, storage: &mut Storage) -> Result<Range, DeviceError> {
    let range = upload(shared, storage)?;
    let version = storage.change_mirror();
    if let Some(mirror) = on_gpu(&mut storage.mirror().as_deref_mut(), shared) {
        mirror.version = Some(version);
    }
    Ok(range)
}

/// What a step that computes with `factors` needs of the floats in 16 bits: nothing, or a block,
/// made by `round` where it is not fresh. With `renewed`, the floats change behind this, in the
/// same step; a block in use changes with them.
pub(super) fn halves(
    shared: &Arc<Shared>,
    storage: &Storage,
    factors: Factors,
    renewed: bool,
    round: impl FnOnce(Places) -> Result<(), CudaError>,
) -> Result<Range, CudaError> {
    let mut guard = storage.mirror();
    let mut mirror = guard.as_deref_mut();
    let mirror = on_gpu(&mut mirror, shared).expect("the floats were uploaded");
    if !factors.are_halves() {
        mirror.halves.iter_mut().for_each(|halves| halves.fresh &= !renewed);
        return Ok(Range::default());
    }
    let halves = match &mut mirror.halves {
        Some(halves) => halves,
        none => {
            let block = Block::zeroed(shared, floats_of_halves(storage.len()))?;
            none.insert(Halves { block, factors, fresh: false })
        }
    };
    if !halves.fresh || halves.factors != factors {
        let (params, places) = (mirror.block.range(), halves.block.range());
        round(Places { params, halves: places, ..Places::default() })?;
        (halves.fresh, halves.factors) = (true, factors);
    }
    Ok(halves.block.range())
}

/// The block in 16 bits that an optimizer renews with the floats, where there is one.
pub(super) fn renewed(shared: &Arc<Shared>, storage: &Storage) -> Option<(Range, Factors)> {
    let mut guard = storage.mirror();
    let mut mirror = guard.as_deref_mut();
    let halves = on_gpu(&mut mirror, shared)?.halves.as_ref()?;
    Some((halves.block.range(), halves.factors))
}

/// The mirror, where it is on this GPU.
fn on_gpu<'a>(
    mirror: &'a mut Option<&mut (dyn Mirror + 'static)>,
    shared: &Arc<Shared>,
) -> Option<&'a mut CudaMirror> {
    let mirror: &mut dyn Any = &mut **mirror.as_mut()?;
    let mirror: &mut CudaMirror = mirror.downcast_mut()?;
    Arc::ptr_eq(mirror.block.shared(), shared).then_some(mirror)
}
