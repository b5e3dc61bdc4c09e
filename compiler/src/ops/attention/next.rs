//! Attention of the next positions to those before.

use proc_macro2::TokenStream;

use super::{Attention, Layout, view};
use crate::dim::{Dim, product};
use crate::graph::{Emission, Emit, Mismatch, Op, Rule, Transform, Ty, step};
use crate::hygiene::quote;
use crate::ops::room;

/// `y` of the next positions from their `qkv` or `q, k, v` and the keys and values of those before,
/// `[batch, heads, length, dim]` each, to which theirs are added.
#[derive(Clone, Debug)]
pub struct Next(pub Attention, pub Dim);

impl Op for Next {
    fn name(&self) -> String {
        format!("{}.next", self.0.name())
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let s = self.0.sizes(&inputs[..self.0.operands()]);
        let mut y = inputs[0].dims().to_vec();
        if self.0.layout == Layout::Packed {
            y[2] = s.heads.times(&s.dim);
        }
        Ok(vec![Ty::float(y)])
    }
}

impl Transform for Next {}

impl Emission for Next {
    fn emit(&self, e: &Emit) -> TokenStream {
        let operands = self.0.operands();
        let s = self.0.sizes(&e.inputs[..operands]);
        let by_row = match self.0.layout {
            Layout::Packed => Attention { layout: Layout::ByRow, ..self.0.clone() },
            _ => self.0.clone(),
        };
        let y = e.y(0);
        let to_y = by_row.plain_view(&s, y, &s.queries, &s.heads);
        let views = self.0.views(&s, &e.input_vars);
        let (q, k, v) = (&views[0], &views[1], &views[2]);
        let rows = self.1.times(&s.dim);
        let cache = |i: usize| {
            let strides = [&Dim::lit(0), &s.kv_heads.times(&rows), &rows, &s.dim];
            view(e.x(operands + i), strides)
        };
        let [keys, values] = [cache(0), cache(1)];
        let (room, spec, past) = (room("attention"), self.0.spec(&s), step::past().tokens());
        quote! {{
            let spec = #spec;
            k.append([#keys, #values], [#k, #v], #past, spec);
            let spec = #room::AttentionSpec {
                keys: #past + spec.keys, causal: ::core::option::Option::Some(#past), ..spec
            };
            let given = #room::Inputs {
                q: #q, k: #keys, v: #values, mask: ::core::option::Option::None,
            };
            k.attention(#to_y, #y.part(0, 0), given, spec);
        }}
    }

    /// The two products, as if half the positions were there.
    fn flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        let s = self.0.sizes(&inputs[..self.0.operands()]);
        product(&s.scores[..s.scores.len() - 1]).times(&self.1).times(&s.dim).times(&Dim::lit(2))
    }
}
