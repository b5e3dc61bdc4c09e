//! Recurrent layers of small passes: the kernels for all sizes.

use super::{Given, Gradients, History, Made, Recurrent, RecurrentSpec, Upstream};
use crate::device::{Buf, TinyKernels};
use crate::math::Vector;

impl<V: Vector> Recurrent for TinyKernels<'_, V> {
    #[inline(always)]
    fn recurrent(
        &mut self,
        made: Made,
        history: Option<History>,
        given: Given,
        scratch: Buf,
        spec: RecurrentSpec,
    ) {
        self.whole().recurrent(made, history, given, scratch, spec);
    }

    #[inline(always)]
    fn recurrent_grad(
        &mut self,
        gradients: Gradients,
        upstream: Upstream,
        history: History,
        given: Given,
        scratch: Buf,
        spec: RecurrentSpec,
    ) {
        self.whole().recurrent_grad(gradients, upstream, history, given, scratch, spec);
    }
}
