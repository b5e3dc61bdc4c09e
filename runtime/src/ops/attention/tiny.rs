//! Attention in small passes: the kernels for all sizes.

use super::{Attention, AttentionSpec, Given, View};
use crate::device::{Buf, TinyKernels};
use crate::math::Vector;

impl<V: Vector> Attention for TinyKernels<'_, V> {
    #[inline(always)]
    fn attention(&mut self, y: View, lse: Buf, given: Given, spec: AttentionSpec) {
        self.whole().attention(y, lse, given, spec);
    }

    #[inline(always)]
    fn append(&mut self, to: [View; 2], from: [View; 2], past: usize, spec: AttentionSpec) {
        self.whole().append(to, from, past, spec);
    }

    #[inline(always)]
    fn attention_grad(
        &mut self,
        d_qkv: [View; 3],
        d_y_and_y: [View; 2],
        lse: Buf,
        given: Given,
        spec: AttentionSpec,
    ) {
        self.whole().attention_grad(d_qkv, d_y_and_y, lse, given, spec);
    }

    #[inline(always)]
    fn attention_mask_grad(
        &mut self,
        d_mask: Buf,
        d_y_and_y: [View; 2],
        lse: Buf,
        given: Given,
        spec: AttentionSpec,
    ) {
        self.whole().attention_mask_grad(d_mask, d_y_and_y, lse, given, spec);
    }
}
