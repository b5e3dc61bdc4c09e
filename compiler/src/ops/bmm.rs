//! Products of many pairs of matrices.

use proc_macro2::TokenStream;

use super::matmul::Layout;
use super::{Backward, Emission, Emit, Mismatch, Op, Rule, Transform, room, variant};
use crate::dim::{Dim, product};
use crate::graph::Ty;
use crate::hygiene::quote;

/// `y [.., m, n] = a [.., m, k] · b [.., k, n]` for equal leading axes; `b` or `a` transposed, as
/// the layout says.
#[derive(Clone, Copy, Debug)]
pub struct Bmm(pub Layout);

impl Bmm {
    /// `(m, k, n)`
    fn sizes(self, a: &[Dim], b: &[Dim]) -> [Dim; 3] {
        let (rows, cols) = (a[a.len() - 2].clone(), a[a.len() - 1].clone());
        let (b_rows, b_cols) = (b[b.len() - 2].clone(), b[b.len() - 1].clone());
        match self.0 {
            Layout::NN => [rows, cols, b_cols],
            Layout::NT => [rows, cols, b_rows],
            Layout::TN => [cols, rows, b_cols],
        }
    }
}

impl Op for Bmm {
    fn name(&self) -> String {
        format!("bmm.{:?}", self.0).to_lowercase()
    }

    fn infer(&self, rule: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let (a, b) = (inputs[0].dims(), inputs[1].dims());
        let rank = a.len();
        let inner = |rule: &mut Rule| match self.0 {
            Layout::NN => rule.equal(&a[rank - 1], &b[rank - 2]),
            Layout::NT => rule.equal(&a[rank - 1], &b[rank - 1]),
            Layout::TN => rule.equal(&a[rank - 2], &b[rank - 2]),
        };
        let fits = rank > 2
            && b.len() == rank
            && (0..rank - 2).all(|i| rule.equal(&a[i], &b[i]))
            && inner(rule);
        if !fits {
            let text = format!(
                "multiplies [.., m, k] by [k, n] or [.., k, n], but receives {} and {}",
                inputs[0], inputs[1]
            );
            return Err(Mismatch::new(text).help("leading sizes have to be equal"));
        }
        let [m, _, n] = self.sizes(a, b);
        Ok(vec![Ty::float(a[..rank - 2].iter().cloned().chain([m, n]).collect::<Vec<_>>())])
    }
}

impl Transform for Bmm {
    fn backward(&self, g: &mut Backward) {
        // Users write NN alone.
        let (a, b, d_y) = (g.inputs[0], g.inputs[1], g.d_y());
        if g.wants(0) {
            let d_a = g.op(0, Self(Layout::NT), &[d_y, b]);
            g.set(0, d_a);
        }
        if g.wants(1) {
            let d_b = g.op(1, Self(Layout::TN), &[a, d_y]);
            g.set(1, d_b);
        }
    }
}

impl Emission for Bmm {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (a, b) = (e.inputs[0].dims(), e.inputs[1].dims());
        let count = product(&a[..a.len() - 2]).tokens();
        let [m, inner, n] = self.sizes(a, b);
        let lens = [m.times(&n), m.times(&inner), inner.times(&n)];
        let [y_len, a_len, b_len] = lens.map(|len| len.tokens());
        let [m, inner, n] = [m, inner, n].map(|dim| dim.tokens());
        let (room, layout) = (room("matmul"), variant(&self.0));
        let (y, a, b) = (e.y(0), e.x(0), e.x(1));
        quote! {{
            let spec = #room::MatmulSpec {
                layout: #room::Layout::#layout, m: #m, k: #inner, n: #n,
            };
            for i in 0..#count {
                k.matmul(#y.part(i * #y_len, #y_len), #a.part(i * #a_len, #a_len),
                    #b.part(i * #b_len, #b_len), spec);
            }
        }}
    }

    fn flops(&self, inputs: &[Ty], outputs: &[Ty]) -> Dim {
        let [_, inner, _] = self.sizes(inputs[0].dims(), inputs[1].dims());
        outputs[0].shape.len().times(&inner).times(&Dim::lit(2))
    }
}
