//! Dropout.

use proc_macro2::{Literal, TokenStream};

use super::{Backward, Emission, Emit, Expand, Mismatch, Op, Rule, Transform, room};
use crate::dim::Dim;
use crate::graph::step::{Step, Stepped};
use crate::graph::{Kind, Ty, ValueId};
use crate::hygiene::quote;

/// `y` and the number of the call, from `x`. Inference goes on with `x`.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    pub p: f64,
}

/// `d_x` from `d_y` and the number of the call.
#[derive(Clone, Copy, Debug)]
pub struct Grad(pub Dropout);

impl Dropout {
    fn spec(self) -> TokenStream {
        let (room, p) = (room("dropout"), Literal::f32_suffixed(self.p as f32));
        quote!(#room::DropoutSpec { p: #p })
    }
}

impl Op for Dropout {
    fn name(&self) -> String {
        format!("dropout<{:?}>", self.p)
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let call = Ty { kind: Kind::Saved, ..Ty::float([Dim::lit(1)]) };
        Ok(vec![inputs[0].clone(), call])
    }
}

impl Transform for Dropout {
    fn backward(&self, b: &mut Backward) {
        let d_x = b.op(0, Grad(*self), &[b.d_y(), b.outputs[1]]);
        b.set(0, d_x);
    }

    fn expand(&self, e: &mut Expand) -> Option<Vec<ValueId>> {
        e.inference.then(|| vec![e.inputs[0]])
    }

    fn step(&self, s: &mut Step) -> Stepped {
        let axis = s.only(0)?;
        s.same(*self, axis)
    }
}

impl Emission for Dropout {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, x, spec) = (e.y(0), e.x(0), self.spec());
        let call = if e.used[1] { e.y(1).clone() } else { quote!(#y.part(0, 0)) };
        quote!(k.dropout(#y, #call, #x, #spec);)
    }

    fn flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        inputs[0].shape.len()
    }

    fn in_place(&self, output: usize, input: usize) -> bool {
        (output, input) == (0, 0)
    }
}

impl Op for Grad {
    fn name(&self) -> String {
        format!("dropout.grad<{:?}>", self.0.p)
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        Ok(vec![inputs[0].clone()])
    }
}

impl Transform for Grad {}

impl Emission for Grad {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (d_x, d_y, call, spec) = (e.y(0), e.x(0), e.x(1), self.0.spec());
        quote!(k.dropout_grad(#d_x, #d_y, #call, #spec);)
    }

    fn in_place(&self, output: usize, input: usize) -> bool {
        (output, input) == (0, 0)
    }
}
