//! What the first call would do later, done before.

use super::{Program, Purpose, Workspace};
use crate::device::{Cpu, DeviceError};
use crate::module::Model;

impl<M: Program, P: Purpose> Workspace<M, Cpu, P> {
    /// Does now what the first calls on these parameters would do: prepares what inference computes
    /// of them, and has the system bring in all memory of the workspace. On a device of one thread
    /// no call allocates, locks, prints or enters the system afterwards, whether of inference or of
    /// training, so that it may be made where nobody may wait: in an audio callback, in a control
    /// loop, between two frames.
    ///
    /// Inference prepares anew when the parameters have changed. That takes the lock of what is
    /// prepared of them, for which it waits where another workspace does the same, and allocates
    /// only where another one still holds what was prepared before. Pages of an optimizer's memory
    /// come with its first step.
    ///
    /// ```
    /// use gradiron::prelude::*;
    /// # model! {
    /// #     struct Line { line: Linear(1 -> 1) }
    /// #     fn forward(&self, x: [batch, 1]) -> [batch, 1] { self.line(x) }
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let net = Line::init(Seed(0));
    /// let mut ws = Line::infer_workspace_on(Cpu::with_threads(1), 1)?;
    /// ws.warm_up(&net)?;
    /// net.forward(&mut ws, &[[1.0]])?; // as quick as any call after it
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When memory does not suffice.
    pub fn warm_up(&mut self, net: &M::Owner) -> Result<(), DeviceError>
    where
        M::Owner: Model,
    {
        self.touch();
        if Self::PREPARED > 0 {
            self.prepare(net.stored())?;
        }
        Ok(())
    }

    /// Has the system bring in all memory of the workspace: [`warm_up`](Self::warm_up) of a
    /// function that has no parameters.
    pub fn touch(&mut self) {
        self.device.touch_blocks();
        for memory in [&mut self.arena, &mut self.grads] {
            touch(memory.as_mut_slice());
        }
    }
}

/// Writes a float of each page, and changes none.
fn touch(memory: &mut [f32]) {
    // Systems have pages of 4 KiB and larger ones.
    for float in memory.iter_mut().step_by(1024) {
        *float = std::hint::black_box(*float);
    }
}
