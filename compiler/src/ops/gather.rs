//! Elements chosen along an axis.

use std::rc::Rc;

use proc_macro2::TokenStream;

use super::grad::{self, GradCall};
use super::{Backward, Emission, Emit, Method, Mismatch, Op, Rule, Transform, around, room};
use crate::dim::Dim;
use crate::graph::{Kind, Ty};
use crate::hygiene::quote;
use crate::vocabulary::{Domain, Example, OptionRow};

/// `y` from `x` and an index of the shape of `y`.
#[derive(Clone, Copy, Debug)]
pub struct Gather {
    pub axis: usize,
}

pub const METHOD: Method = Method {
    options: &[OptionRow::axis("dim"), OptionRow::new("index", Domain::Indices, "INDICES")],
    shapes: "`x [.., D, ..]`, `index Classes[.., E, ..]` → `y [.., E, ..]`",
    formula: "y[.., i, ..] = x[.., index[.., i, ..], ..]",
    source: "torch.gather",
    example: Example::function(
        "x: [batch, 10], label: Classes[batch, 1]) -> [batch, 1] { x.gather(1, label) }",
    ),
    ..Method::new("gather", |axis| Rc::new(Gather { axis }))
};

impl Gather {
    /// For `x`, and `y` with as many elements as are chosen.
    fn spec(self, x: &Ty, y: &Ty) -> TokenStream {
        let (room, count) = (room("gather"), y.dims()[self.axis].tokens());
        let [outer, size, inner] = around(x.dims(), self.axis);
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
        grad::add(b, self, &[0], &[b.d_y(), b.inputs[1]]);
    }
}

impl Emission for Gather {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, x, index, spec) = (e.y(0), e.x(0), e.x(1), self.spec(&e.inputs[0], &e.inputs[1]));
        quote!(k.gather(#y, #x, #index, #spec);)
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        Dim::lit(0)
    }
}

impl GradCall for Gather {
    fn emit_grad(&self, e: &Emit) -> TokenStream {
        let (d_x, d_y, index) = (e.y(0), e.x(0), e.x(1));
        let spec = self.spec(&e.outputs[0], &e.inputs[0]);
        quote!(k.gather_grad(#d_x, #d_y, #index, #spec);)
    }
}
