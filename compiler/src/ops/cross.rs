//! Cross products of vectors in three dimensions.

use std::rc::Rc;

use proc_macro2::TokenStream;

use super::{Backward, Emission, Emit, Method, Mismatch, Op, Rule, Transform, around, room};
use crate::dim::Dim;
use crate::graph::Ty;
use crate::hygiene::quote;
use crate::vocabulary::{Domain, Example, OptionRow};

/// `y = a × b` along an axis of three elements.
#[derive(Clone, Copy, Debug)]
pub struct Cross {
    pub axis: usize,
}

pub const METHOD: Method = Method {
    options: &[
        OptionRow::new("other", Domain::Value("a value of the shape of `x`"), "LIKE"),
        OptionRow::axis_or("dim", -1),
    ],
    shapes: "`x [.., 3, ..]`, `other` the same → `y`, the same",
    formula: "y = x × other, of the vectors along the axis",
    source: "torch.linalg.cross",
    example: Example::function("x: [batch, 3], z: [batch, 3]) -> [batch, 3] { x.cross(z) }"),
    ..Method::new("cross", |axis| Rc::new(Cross { axis }))
};

impl Op for Cross {
    fn name(&self) -> String {
        format!("cross<axis {}>", self.axis)
    }

    fn infer(&self, rule: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let (a, b) = (&inputs[0], &inputs[1]);
        if !rule.equal(&a.dims()[self.axis], &Dim::lit(3)) {
            let text = format!("works along an axis of 3, but receives {a}");
            return Err(Mismatch::new(text).help("name the axis: `a.cross(b, dim = 1)`"));
        }
        if !rule.equal_shapes(&a.shape, &b.shape) {
            return Err(Mismatch::new(format!("expects {a} twice, but receives {a} and {b}")));
        }
        Ok(vec![a.clone()])
    }
}

impl Transform for Cross {
    fn backward(&self, b: &mut Backward) {
        let (x, z, d_y) = (b.inputs[0], b.inputs[1], b.d_y());
        for (i, operands) in [[z, d_y], [d_y, x]].into_iter().enumerate() {
            if b.wants(i) {
                let gradient = b.op(i, *self, &operands);
                b.set(i, gradient);
            }
        }
    }
}

impl Emission for Cross {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (room, y, a, b) = (room("cross"), e.y(0), e.x(0), e.x(1));
        let [outer, _, inner] = around(e.inputs[0].dims(), self.axis);
        quote!(k.cross(#y, #a, #b, #room::CrossSpec { outer: #outer, inner: #inner });)
    }

    fn flops(&self, _: &[Ty], outputs: &[Ty]) -> Dim {
        outputs[0].shape.len().times(&Dim::lit(3))
    }
}
