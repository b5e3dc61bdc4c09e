//! Rows of a table.

use proc_macro2::TokenStream;

use super::grad::{self, GradCall};
use super::{Backward, Emission, Emit, Mismatch, Op, Rule, Transform, room};
use crate::dim::Dim;
use crate::graph::step::{Step, Stepped};
use crate::graph::{Kind, Ty};
use crate::hygiene::quote;

/// `y = w[index]`: `index Classes[..]  w [V, D]  →  y [.., D]`. The row `padding` has no gradient.
#[derive(Clone, Debug)]
pub struct Embedding {
    pub padding: Option<Dim>,
}

impl Embedding {
    /// For an `index` and the table `w`.
    fn spec(&self, index: &Ty, w: &Ty) -> TokenStream {
        let (room, count) = (room("embedding"), index.shape.len().tokens());
        let [rows, dim] = [0, 1].map(|axis| w.dims()[axis].tokens());
        let padding = match self.padding.as_ref().map(Dim::tokens) {
            Some(row) => quote!(Some(#row)),
            None => quote!(None),
        };
        quote! {
            #room::EmbeddingSpec { count: #count, rows: #rows, dim: #dim, padding: #padding }
        }
    }
}

impl Op for Embedding {
    fn name(&self) -> String {
        "embedding".into()
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let (index, w) = (&inputs[0], &inputs[1]);
        if index.kind != Kind::Classes || w.shape.rank() != 2 {
            return Err(Mismatch::new(format!(
                "looks up indices in a table [rows, size], but receives {index} and {w}"
            )));
        }
        let dims: Vec<_> = index.dims().iter().chain(&w.dims()[1..]).cloned().collect();
        Ok(vec![Ty::float(dims)])
    }

    fn classes(&self, inputs: &[Ty], _: usize) -> Option<TokenStream> {
        Some(inputs[1].dims()[0].tokens())
    }
}

impl Transform for Embedding {
    fn backward(&self, b: &mut Backward) {
        grad::add(b, self, &[1], &[b.d_y(), b.inputs[0]]);
    }

    fn step(&self, s: &mut Step) -> Stepped {
        let axis = s.only(0)?;
        s.same(self.clone(), axis)
    }
}

impl Emission for Embedding {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, index, w, spec) = (e.y(0), e.x(0), e.x(1), self.spec(&e.inputs[0], &e.inputs[1]));
        quote!(k.embedding(#y, #index, #w, #spec);)
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        Dim::lit(0)
    }
}

impl GradCall for Embedding {
    /// `d_w [V, D]`, the sum of the rows of `d_y [.., D]` by their `index`.
    fn emit_grad(&self, e: &Emit) -> TokenStream {
        let (d_w, d_y, index) = (e.y(0), e.x(0), e.x(1));
        let spec = self.spec(&e.inputs[1], &e.outputs[0]);
        quote!(k.embedding_grad(#d_w, #d_y, #index, #spec);)
    }

    fn grad_flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        inputs[0].shape.len()
    }
}
