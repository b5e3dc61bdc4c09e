//! Forms of values that are stored from the forward to the backward pass.

use proc_macro2::TokenStream;

use super::{Emission, Emit, Mismatch, Op, Role, Rule, Transform};
use crate::dim::{Dim, Shape};
use crate::graph::{Kind, Ty};
use crate::hygiene::quote;

/// `y = x` rounded to bf16, two in the place of a float.
#[derive(Clone, Copy, Debug)]
pub struct ToBf16;

/// The values of this shape back as `f32`.
#[derive(Clone, Debug)]
pub struct FromBf16(pub Shape);

impl Op for ToBf16 {
    fn name(&self) -> String {
        "to_bf16".into()
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let len = inputs[0].shape.len();
        let tokens = len.tokens();
        let text = format!("half of {len}");
        let floats = Dim::expr(text, quote!(__private::convert::floats(#tokens)));
        Ok(vec![Ty { kind: Kind::Saved, ..Ty::float([floats]) }])
    }

    fn role(&self) -> Role {
        Role::Conversion
    }
}

impl Transform for ToBf16 {}

impl Emission for ToBf16 {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, x) = (e.y(0), e.x(0));
        quote!(k.narrow(#y, #x);)
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        Dim::lit(0)
    }

    fn code_size(&self) -> usize {
        0
    }
}

impl Op for FromBf16 {
    fn name(&self) -> String {
        format!("from_bf16{}", self.0)
    }

    fn infer(&self, _: &mut Rule, _: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        Ok(vec![Ty::float(self.0.0.clone())])
    }

    fn role(&self) -> Role {
        Role::Conversion
    }
}

impl Transform for FromBf16 {}

impl Emission for FromBf16 {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, x) = (e.y(0), e.x(0));
        quote!(k.widen(#y, #x);)
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        Dim::lit(0)
    }

    fn code_size(&self) -> usize {
        0
    }
}
