//! Kernels of a device that is chosen when a program runs.

use super::{Buf, Kernels};
use crate::arena::Sizes;
use crate::profile::PassOps;

/// The kernels of one device or of another one: those of each room are handed on by
/// [`kernels!`](crate::ops::kernels), which defines it.
#[doc(hidden)]
#[derive(Debug)]
pub enum EitherKernels<'a, First, Second> {
    /// Those of a device that makes them for each run.
    First(First),
    /// Those of a device that lends them.
    Second(&'a mut Second),
}

/// The same call on whichever they are.
macro_rules! on_each {
    ($self:ident, $kernels:ident => $call:expr) => {
        match $self {
            EitherKernels::First($kernels) => $call,
            EitherKernels::Second($kernels) => $call,
        }
    };
}

impl<First: Kernels, Second: Kernels> Kernels for EitherKernels<'_, First, Second> {
    fn seed(&mut self, d_loss: Buf) {
        on_each!(self, kernels => kernels.seed(d_loss));
    }

    fn finish<const N: usize>(&mut self, d_params: Buf, d_args: [Buf; N]) {
        on_each!(self, kernels => kernels.finish(d_params, d_args));
    }

    fn enter(&mut self, ops: &'static PassOps, n: Sizes) {
        on_each!(self, kernels => kernels.enter(ops, n));
    }

    fn op(&mut self, number: usize) {
        on_each!(self, kernels => kernels.op(number));
    }

    fn item(&mut self, number: usize) {
        on_each!(self, kernels => kernels.item(number));
    }

    fn leave(&mut self) {
        on_each!(self, kernels => kernels.leave());
    }
}
