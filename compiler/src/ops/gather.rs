//! Elements chosen along an axis.

use proc_macro2::TokenStream;

use super::{Backward, Emission, Emit, Mismatch, Op, Rule, Transform, room};
use crate::dim::{Dim, product};
use crate::graph::{Kind, Ty};
use crate::hygiene::quote;

/// `y` from `x` and an index of the shape of `y`.
#[derive(Clone, Copy, Debug)]
pub struct Gather {
    pub axis: usize,
}

/// `d_x` from `d_y` and the index.
#[derive(Clone, Debug)]
pub struct Grad(pub Gather, pub Vec<Dim>);

impl Gather {
    fn spec(self, x: &[Dim], y: &[Dim]) -> TokenStream {
        let (outer, inner) = (product(&x[..self.axis]), product(&x[self.axis + 1..]));
        let [outer, size, count, inner] =
            [&outer, &x[self.axis], &y[self.axis], &inner].map(Dim::tokens);
        let room = room("gather");
        quote!(#room::GatherSpec { outer: #outer, size: #size, count: #count, inner: #inner })
    }
}

impl Op for Gather {
    fn name(&self) -> String {
        format!("gather<axis {}>", self.axis)
    }

    fn infer(&self, rule: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let (x, index) = (inputs[0].dims(), inputs[1].dims());
        let fits = inputs[1].kind == Kind::Classes
            && x.len() == index.len()
            && (0..x.len()).all(|i| i == self.axis || rule.equal(&x[i], &index[i]));
        if fits {
            return Ok(vec![Ty::float(index.to_vec())]);
        }
        let mut expected = inputs[0].clone();
        expected.kind = Kind::Classes;
        let text = format!("chooses from {} with an index, but receives {}", inputs[0], inputs[1]);
        Err(Mismatch::new(text)
            .help(format!("the index is like {expected}, with any size on axis {}", self.axis)))
    }

    fn classes(&self, inputs: &[Ty], _: usize) -> Option<TokenStream> {
        Some(inputs[0].dims()[self.axis].tokens())
    }
}

impl Transform for Gather {
    fn backward(&self, b: &mut Backward) {
        let x = b.ty(b.inputs[0]).shape.0;
        let d_x = b.op(0, Grad(*self, x), &[b.d_y(), b.inputs[1]]);
        b.set(0, d_x);
    }
}

impl Emission for Gather {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, x, index) = (e.y(0), e.x(0), e.x(1));
        let spec = self.spec(e.inputs[0].dims(), e.inputs[1].dims());
        quote!(k.gather(#y, #x, #index, #spec);)
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        Dim::lit(0)
    }
}

impl Op for Grad {
    fn name(&self) -> String {
        format!("{}.grad", self.0.name())
    }

    fn infer(&self, _: &mut Rule, _: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        Ok(vec![Ty::float(self.1.clone())])
    }
}

impl Transform for Grad {}

impl Emission for Grad {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (d_x, d_y, index) = (e.y(0), e.x(0), e.x(1));
        let spec = self.0.spec(&self.1, e.inputs[0].dims());
        quote!(k.gather_grad(#d_x, #d_y, #index, #spec);)
    }
}
