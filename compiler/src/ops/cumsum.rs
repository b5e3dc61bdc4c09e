//! Running sums.

use std::rc::Rc;

use proc_macro2::TokenStream;

use super::{Backward, Emission, Emit, Method, Mismatch, Op, Rule, Transform, around, room};
use crate::graph::Ty;
use crate::graph::step::{Step, Stepped};
use crate::hygiene::quote;
use crate::vocabulary::{Example, OptionRow};

/// `y[i] = Σ_{j ≤ i} x[j]` along an axis, or from the other end.
#[derive(Clone, Copy, Debug)]
pub struct Cumsum {
    pub axis: usize,
    pub reverse: bool,
}

pub const METHOD: Method = Method {
    options: &[OptionRow::axis("dim")],
    shapes: "`x` of any shape → `y`, the same",
    formula: "y[i] = x[0] + … + x[i] along the axis",
    source: "torch.cumsum",
    example: Example::function("x: [batch, 10]) -> [batch, 10] { x.cumsum(1) }"),
    ..Method::new("cumsum", |axis| Rc::new(Cumsum { axis, reverse: false }))
};

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
        s.beside(*self, self.axis)
    }
}

impl Emission for Cumsum {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (room, y, x, reverse) = (room("cumsum"), e.y(0), e.x(0), self.reverse);
        let [outer, size, inner] = around(e.inputs[0].dims(), self.axis);
        quote! {
            k.cumsum(#y, #x, #room::CumsumSpec {
                outer: #outer, size: #size, inner: #inner, reverse: #reverse,
            });
        }
    }
}
