//! Running sums.

use proc_macro2::TokenStream;

use super::{Backward, Emission, Emit, Mismatch, Op, Rule, Transform, room};
use crate::dim::{Dim, product};
use crate::graph::Ty;
use crate::graph::step::{NEEDS_ALL, Step, Stepped};
use crate::hygiene::quote;

/// `y[i] = Σ_{j ≤ i} x[j]` along an axis, or from the other end.
#[derive(Clone, Copy, Debug)]
pub struct Cumsum {
    pub axis: usize,
    pub reverse: bool,
}

impl Op for Cumsum {
    fn name(&self) -> String {
        format!("cumsum{}<axis {}>", if self.reverse { ".grad" } else { "" }, self.axis)
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        Ok(vec![inputs[0].clone()])
    }
}

impl Transform for Cumsum {
    fn backward(&self, b: &mut Backward) {
        let d_x = b.op(0, Self { reverse: !self.reverse, ..*self }, &[b.d_y()]);
        b.set(0, d_x);
    }

    fn step(&self, s: &mut Step) -> Stepped {
        match s.only(0)? {
            axis if axis == self.axis => Err(NEEDS_ALL),
            axis => s.same(*self, axis),
        }
    }
}

impl Emission for Cumsum {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (room, y, x, dims) = (room("cumsum"), e.y(0), e.x(0), e.inputs[0].dims());
        let (outer, inner) = (product(&dims[..self.axis]), product(&dims[self.axis + 1..]));
        let [outer, size, inner] = [&outer, &dims[self.axis], &inner].map(Dim::tokens);
        let reverse = self.reverse;
        quote! {
            k.cumsum(#y, #x, #room::CumsumSpec {
                outer: #outer, size: #size, inner: #inner, reverse: #reverse,
            });
        }
    }
}
