//! Positions as angles: rotary embedding and sinusoidal encoding.

use proc_macro2::{Literal, TokenStream};

use super::{Backward, Emission, Emit, Mismatch, Op, Rule, Transform, room};
use crate::dim::{Dim, product};
use crate::graph::Ty;
use crate::graph::step::{NEEDS_ALL, Step, Stepped};
use crate::hygiene::quote;

/// Rows turned by their position on `axis`.
#[derive(Clone, Debug)]
pub struct Rotary {
    pub axis: usize,
    pub base: f64,
    pub interleaved: bool,
    pub inverse: bool,
    /// The first position.
    pub past: Dim,
}

impl Rotary {
    pub fn new(axis: usize, base: f64, interleaved: bool) -> Self {
        Self { axis, base, interleaved, inverse: false, past: Dim::lit(0) }
    }
}

impl Op for Rotary {
    fn name(&self) -> String {
        format!("rotary{}<axis {}>", if self.inverse { ".grad" } else { "" }, self.axis)
    }

    fn infer(&self, rule: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let x = inputs[0].dims();
        if self.axis + 1 >= x.len() {
            let text = format!("turns rows [.., positions, .., size], but receives {}", inputs[0]);
            return Err(Mismatch::new(text));
        }
        let size = &x[x.len() - 1];
        if !rule.divides(&Dim::lit(2), size) {
            return Err(Mismatch::new(format!(
                "turns pairs, but {} has rows of {size}",
                inputs[0]
            )));
        }
        Ok(vec![inputs[0].clone()])
    }
}

impl Transform for Rotary {
    fn backward(&self, b: &mut Backward) {
        let op = Self { inverse: !self.inverse, ..self.clone() };
        let d_x = b.op(0, op, &[b.d_y()]);
        b.set(0, d_x);
    }

    fn step(&self, s: &mut Step) -> Stepped {
        match s.only(0)? {
            axis if axis == self.axis => {
                let past = s.past();
                s.same(Self { past, ..self.clone() }, axis)
            }
            // It turns pairs along the last axis.
            axis if axis + 1 == s.graph.ty(s.inputs[0]).shape.rank() => Err(NEEDS_ALL),
            axis => s.same(self.clone(), axis),
        }
    }
}

impl Emission for Rotary {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (room, y, x, dims) = (room("rotary"), e.y(0), e.x(0), e.inputs[0].dims());
        let last = dims.len() - 1;
        let (outer, inner) = (product(&dims[..self.axis]), product(&dims[self.axis + 1..last]));
        let [outer, len, inner, dim, past] =
            [&outer, &dims[self.axis], &inner, &dims[last], &self.past].map(Dim::tokens);
        let base = Literal::f32_suffixed(self.base as f32);
        let (interleaved, inverse) = (self.interleaved, self.inverse);
        quote! {
            k.rotary(#y, #x, #room::RotarySpec {
                outer: #outer, len: #len, inner: #inner, dim: #dim, past: #past, base: #base,
                interleaved: #interleaved, inverse: #inverse,
            });
        }
    }

    fn flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        inputs[0].shape.len().times(&Dim::lit(3))
    }
}

/// The sines and cosines of `len` positions, `[len, size]`.
#[derive(Clone, Debug)]
pub struct Sinusoidal {
    pub len: Dim,
    pub size: Dim,
    pub base: f64,
}

impl Op for Sinusoidal {
    fn name(&self) -> String {
        "sinusoidal".into()
    }

    fn infer(&self, _: &mut Rule, _: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        Ok(vec![Ty::float([self.len.clone(), self.size.clone()])])
    }
}

impl Transform for Sinusoidal {}

impl Emission for Sinusoidal {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, [len, size]) = (e.y(0), [&self.len, &self.size].map(Dim::tokens));
        let base = Literal::f32_suffixed(self.base as f32);
        quote!(k.sinusoidal(#y, #len, #size, #base);)
    }

    fn flops(&self, _: &[Ty], outputs: &[Ty]) -> Dim {
        outputs[0].shape.len().times(&Dim::lit(8))
    }
}
