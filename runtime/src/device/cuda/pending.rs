//! Numbers on their way to the host: copied behind the step that makes them, and waited for when
//! they are asked for.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::sys::{self, CUdeviceptr};

use super::Shared;
use super::error::{Context, CudaError};
use super::events::Event;
use super::staging::Pinned;
use crate::device::{DeviceError, Pending};
use crate::storage::Lost;

/// Places for numbers. There are as many as were waited for at one time.
#[derive(Default)]
pub(super) struct Pool {
    free: Mutex<Vec<Place>>,
}

/// A number of the host that the GPU writes.
struct Place {
    number: Pinned,
    written: Event,
}

/// A number on its way.
pub struct PendingNumber {
    shared: Arc<Shared>,
    pool: Arc<Pool>,
    /// Whether the run that makes it failed.
    lost: Lost,
    place: Option<Place>,
}

impl Pool {
    /// Starts the copy of a number, behind all that was asked for before.
    pub fn read(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        at: CUdeviceptr,
        lost: Lost,
    ) -> Result<PendingNumber, CudaError> {
        shared.bind()?;
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let place = match free {
            Some(place) => place,
            None => Place { number: Pinned::new(shared, 1)?, written: Event::new(shared)? },
        };
        let uncaptured = shared.uncaptured();
        // SAFETY: the GPU has a number there, and the place is nobody else's.
        unsafe { sys::cuMemcpyDtoHAsync_v2(place.number.address(0), at, 4, shared.stream()) }
            .result()
            .to("download a number")?;
        drop(uncaptured);
        place.written.record_step(shared)?;
        let (shared, pool) = (Arc::clone(shared), Arc::clone(self));
        Ok(PendingNumber { shared, pool, lost, place: Some(place) })
    }
}

impl Pending for PendingNumber {
    fn value(&self) -> Result<f32, DeviceError> {
        let place = self.place.as_ref().expect("it is there until the drop");
        self.shared.counts.synchronization();
        if let Err(error) = place.written.wait(&self.shared) {
            let error = DeviceError::from(error);
            self.lost.set(&error);
            return Err(error);
        }
        Ok(f32::from_bits(place.number.word(0)))
    }
}

impl Drop for PendingNumber {
    fn drop(&mut self) {
        // A copy that is still under way comes before the next one to the same place.
        self.pool.free.lock().unwrap_or_else(PoisonError::into_inner).extend(self.place.take());
    }
}

impl fmt::Debug for PendingNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PendingNumber")
    }
}
