//! Places of maxima.

use proc_macro2::TokenStream;

use super::{Backward, Emit, Mismatch, Op, Rule, room};
use crate::dim::{Dim, product};
use crate::graph::Ty;
use crate::hygiene::quote;
use crate::step::{NEEDS_ALL, Step, Stepped};

/// The place of the largest element along an axis, which disappears.
#[derive(Clone, Copy, Debug)]
pub struct Argmax {
    pub axis: usize,
}

impl Op for Argmax {
    fn name(&self) -> String {
        format!("argmax<axis {}>", self.axis)
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let mut dims = inputs[0].dims().to_vec();
        dims.remove(self.axis);
        Ok(vec![Ty::float(dims)])
    }

    fn backward(&self, _: &mut Backward) {}

    /// Places move in steps.
    fn is_flat(&self, _: usize) -> bool {
        true
    }

    fn step(&self, s: &mut Step) -> Stepped {
        match s.only(0)? {
            axis if axis == self.axis => Err(NEEDS_ALL),
            axis => s.same(*self, axis - usize::from(axis > self.axis)),
        }
    }

    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, x, dims) = (e.y(0), e.x(0), e.inputs[0].dims());
        let (outer, inner) = (product(&dims[..self.axis]), product(&dims[self.axis + 1..]));
        let [outer, size, inner] = [&outer, &dims[self.axis], &inner].map(Dim::tokens);
        let room = room("softmax");
        quote! {
            k.argmax(#y, #x, #room::SoftmaxSpec { outer: #outer, size: #size, inner: #inner });
        }
    }

    /// Whole numbers.
    fn needs_exact_output(&self) -> bool {
        true
    }

    fn flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        inputs[0].shape.len()
    }
}
