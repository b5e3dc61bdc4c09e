//! Rows of a table.

use proc_macro2::TokenStream;

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

/// `d_w [V, D]`, the sum of the rows of `d_y [.., D]` by their `index`.
#[derive(Clone, Debug)]
pub struct Grad {
    pub padding: Option<Dim>,
    pub rows: Dim,
}

fn spec(index: &Ty, [rows, dim]: [&Dim; 2], padding: Option<&Dim>) -> TokenStream {
    let room = room("embedding");
    let [count, rows, dim] = [&index.shape.len(), rows, dim].map(Dim::tokens);
    let padding = match padding.map(Dim::tokens) {
        Some(row) => quote!(Some(#row)),
        None => quote!(None),
    };
    quote! {
        #room::EmbeddingSpec { count: #count, rows: #rows, dim: #dim, padding: #padding }
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
        let [index, w] = [b.inputs[0], b.inputs[1]];
        let rows = b.ty(w).dims()[0].clone();
        let grad = Grad { padding: self.padding.clone(), rows };
        if b.wants(1) {
            let d_w = b.op(1, grad, &[b.d_y(), index]);
            b.set(1, d_w);
        }
    }

    fn step(&self, s: &mut Step) -> Stepped {
        let axis = s.only(0)?;
        s.same(self.clone(), axis)
    }
}

impl Emission for Embedding {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, index, w) = (e.y(0), e.x(0), e.x(1));
        let [rows, dim] = [0, 1].map(|axis| &e.inputs[1].dims()[axis]);
        let spec = spec(&e.inputs[0], [rows, dim], self.padding.as_ref());
        quote!(k.embedding(#y, #index, #w, #spec);)
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        Dim::lit(0)
    }
}

impl Op for Grad {
    fn name(&self) -> String {
        "embedding.grad".into()
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let dim = inputs[0].dims().last().cloned().unwrap_or(Dim::lit(1));
        Ok(vec![Ty::float([self.rows.clone(), dim])])
    }
}

impl Transform for Grad {}

impl Emission for Grad {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (d_w, d_y, index) = (e.y(0), e.x(0), e.x(1));
        let dim = e.inputs[0].dims().last().cloned().unwrap_or(Dim::lit(1));
        let spec = spec(&e.inputs[1], [&self.rows, &dim], self.padding.as_ref());
        quote!(k.embedding_grad(#d_w, #d_y, #index, #spec);)
    }

    fn flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        inputs[0].shape.len()
    }
}
