//! A value and its gradient, shown to observers under a name.

use proc_macro2::TokenStream;

use super::{Backward, Emission, Emit, Mismatch, Op, Rule, Transform};
use crate::dim::Dim;
use crate::graph::Ty;
use crate::graph::step::{NEEDS_ALL, Step, Stepped};
use crate::hygiene::quote;

/// `y = x`, and the same of gradients: an operation of its own, which nothing is fused with, so
/// that observers see the value in memory. Its name is the label of its node.
#[derive(Clone, Copy, Debug)]
pub struct Probe;

impl Op for Probe {
    fn name(&self) -> String {
        "probe".into()
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        Ok(vec![inputs[0].clone()])
    }
}

impl Transform for Probe {
    fn backward(&self, b: &mut Backward) {
        let d_x = b.op(0, *self, &[b.d_y()]);
        b.set(0, d_x);
    }

    fn step(&self, s: &mut Step) -> Stepped {
        let axis = s.axes[0].ok_or(NEEDS_ALL)?;
        s.same(*self, axis)
    }
}

impl Emission for Probe {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, x) = (e.y(0), e.x(0));
        quote!(k.copy(#y, #x);)
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        Dim::lit(0)
    }
}
