//! Sequences of different lengths: zeros behind the end of each.

use proc_macro2::TokenStream;

use super::{Backward, Emission, Emit, Mismatch, Op, Rule, Transform};
use crate::dim::Dim;
use crate::graph::Ty;
use crate::hygiene::quote;

/// `y [batch, seq_len, ..]` from `x` and the lengths of the samples.
#[derive(Clone, Copy, Debug)]
pub struct Cut;

impl Op for Cut {
    fn name(&self) -> String {
        "cut".into()
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        Ok(vec![inputs[0].clone()])
    }

    fn classes(&self, inputs: &[Ty], _: usize) -> Option<TokenStream> {
        Some(inputs[0].dims()[1].plus(&Dim::lit(1)).tokens())
    }
}

impl Transform for Cut {
    fn backward(&self, b: &mut Backward) {
        let d_x = b.op(0, Self, &[b.d_y(), b.inputs[1]]);
        b.set(0, d_x);
    }
}

impl Emission for Cut {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, x, lengths, steps) = (e.y(0), e.x(0), e.x(1), e.inputs[0].dims()[1].tokens());
        quote!(k.zero_padding(#y, #x, #lengths, #steps);)
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        Dim::lit(0)
    }
}
