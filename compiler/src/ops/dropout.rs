//! Dropout.

use proc_macro2::{Literal, TokenStream};

use super::grad::{self, GradCall};
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

impl Dropout {
    fn spec(self) -> TokenStream {
        let (room, p) = (room("dropout"), Literal::f32_suffixed(self.p as f32));
        // What is frozen drops nothing.
        quote!(#room::DropoutSpec { p: if want.frozen { 0.0 } else { #p } })
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
        grad::add(b, self, &[0], &[b.d_y(), b.outputs[1]]);
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

impl GradCall for Dropout {
    fn emit_grad(&self, e: &Emit) -> TokenStream {
        let (d_x, d_y, call, spec) = (e.y(0), e.x(0), e.x(1), self.spec());
        quote!(k.dropout_grad(#d_x, #d_y, #call, #spec);)
    }

    fn grad_in_place(&self, output: usize, input: usize) -> bool {
        (output, input) == (0, 0)
    }
}
