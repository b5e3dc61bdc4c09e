//! Optimizers on a GPU: parameters and state change where they are.

use super::error::CudaError;
use super::memory::CudaMemory;
use super::run::{Inputs, Places};
use super::step::{Arg, CudaStep, Grid, Text};
use super::{Shared, twin};
use crate::device::{Buf, DeviceError, Indices, Random, Region, Remote, RemoteUpdate, RunKey};
use crate::storage::Storage;
use std::sync::Arc;

const TEXT: Text = Text { room: "optim", text: include_str!("../../optim/kernels.cu") };

/// Blocks that sum squares, and the place behind their sums for the norm.
const PARTS: usize = 1024;

impl Remote for CudaMemory {
    fn fetch(&self, start: usize, len: usize) -> Result<&[f32], DeviceError> {
        self.shared().told()?;
        Ok(self.read(start, len)?)
    }

    fn norm(&self, len: usize) -> Result<f32, DeviceError> {
        todo!("{len}")
    }

    fn update(&self, update: RemoteUpdate<'_, '_>) {
        let shared = Arc::clone(self.shared());
        if let Err(error) = self.try_update(&shared, update) {
            shared.fail(error);
        }
    }

    fn renew(&self, to: &mut Storage, from: usize) {
        let shared = Arc::clone(self.shared());
        let _ = (to, from, shared);
    }
}

impl CudaMemory {
    fn try_update(
        &self,
        shared: &Arc<Shared>,
        update: RemoteUpdate<'_, '_>,
    ) -> Result<(), CudaError> {
        let _ = (shared, update, TEXT, PARTS);
        Ok(())
    }
}
