//! Devices with memory of their own, as optimizers see them.

use std::ops::Range;
use std::sync::Arc;

use super::DeviceError;
use crate::profile::Profile;
use crate::storage::Storage;

/// Groups of parameters, at most.
pub const GROUPS: usize = 32;

/// The group of parameters that an update leaves alone.
pub const FROZEN: u8 = u8::MAX;

/// How many of the first `len` parameters change, by the ends of runs and their groups.
pub(crate) fn trained(groups: &[(usize, u8)], len: usize) -> usize {
    let (mut start, mut frozen) = (0, 0);
    for (end, group) in groups {
        let end = len.min(*end);
        frozen += if *group == FROZEN { end - start } else { 0 };
        start = end;
    }
    len - frozen
}

/// Scalars of an update, at most.
pub const SCALARS: usize = 12;

/// Gradients on a device with memory of its own.
pub trait Remote {
    /// The floats `start..start + len` on the host.
    ///
    /// # Errors
    /// When the device fails to bring them there.
    fn fetch(&self, start: usize, len: usize) -> Result<&[f32], DeviceError>;

    /// The root of the sum of squares of the first `len` floats.
    ///
    /// # Errors
    /// When the device fails to bring it to the host.
    fn norm(&self, len: usize) -> Result<f32, DeviceError>;

    /// Starts an update of parameters along the gradients. What goes wrong is told by the next call
    /// of the device that can.
    fn update(&self, update: RemoteUpdate<'_, '_>);

    /// Starts a copy of the floats from `from` on, but for the ranges `still` behind it and what
    /// `to` keeps ([`Storage::kept`]), to the same place of `to`, whose floats before were updated.
    fn renew(&self, to: &mut Storage, from: usize, still: &[Range<usize>]);
}

/// The function of an optimizer in the languages of devices, each beside the one for the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteFunction {
    /// What it is called there.
    pub name: &'static str,
    /// The text that defines it in CUDA C++.
    pub cuda: &'static str,
}

/// What an optimizer does to each parameter.
pub struct RemoteUpdate<'a, 's> {
    /// The function of one parameter.
    pub function: RemoteFunction,
    /// The scalars for each group of parameters, of which there are [`GROUPS`] at most.
    pub scalars: &'a [[f32; SCALARS]],
    /// The parameters, and behind them what stays.
    pub params: &'a mut Storage,
    /// The optimizer's state.
    pub state: &'a mut [&'s mut Storage],
    /// The ends of runs of parameters, and their groups, [`FROZEN`] for those that stay as they
    /// are; nothing when all parameters are in the first group. What is behind the last run is,
    /// too.
    pub groups: &'a Arc<[(usize, u8)]>,
    /// The largest norm that gradients keep.
    pub max_norm: Option<f32>,
    /// What profiles call the step, its floating-point operations for each parameter, and where it
    /// is recorded when it runs by itself.
    pub name: &'static str,
    /// See `name`.
    pub flops: usize,
    /// See `name`.
    pub profile: Option<&'a Profile>,
}
