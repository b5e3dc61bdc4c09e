//! Reshape and permute.

use proc_macro2::TokenStream;

use super::{Backward, Emission, Emit, Mismatch, Op, Role, Rule, Transform, dims};
use crate::dim::{Dim, Shape, product};
use crate::graph::Ty;
use crate::graph::step::{NEEDS_ALL, Step, Stepped};
use crate::hygiene::quote;

/// The same memory under another shape.
#[derive(Clone, Debug)]
pub struct Reshape(pub Shape);

impl Op for Reshape {
    fn name(&self) -> String {
        format!("reshape{}", self.0)
    }

    fn infer(&self, rule: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let (from, to) = (inputs[0].shape.len(), self.0.len());
        // `batch * 384` may be `batch * HEADS * 32`: only rustc knows, and it knows no `batch`.
        let (rows, new_rows) = from.without_common_factors(&to);
        if rule.equal(&rows, &new_rows) {
            return Ok(vec![Ty { shape: self.0.clone(), kind: inputs[0].kind }]);
        }
        Err(Mismatch::new(format!("cannot give {} the shape {}", inputs[0], self.0))
            .help(format!("the first has {from} elements, the second {to}")))
    }

    fn role(&self) -> Role {
        Role::View
    }
}

impl Transform for Reshape {
    fn backward(&self, b: &mut Backward) {
        let shape = b.ty(b.inputs[0]).shape;
        let d_x = b.op(0, Self(shape), &[b.d_y()]);
        b.set(0, d_x);
    }

    fn step(&self, s: &mut Step) -> Stepped {
        let axis = s.only(0)?;
        let before = product(&s.whole[0].dims()[..axis]);
        let stays = |to: &usize| s.is_length(&self.0.0[*to]) && product(&self.0.0[..*to]) == before;
        let to = (0..self.0.rank()).find(stays).ok_or(NEEDS_ALL)?;
        let mut shape = self.0.clone();
        shape.0[to] = crate::graph::step::new();
        s.same(Self(shape), to)
    }
}

impl Emission for Reshape {
    fn emit(&self, _: &Emit) -> TokenStream {
        TokenStream::new()
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        Dim::lit(0)
    }
}

/// Axis `i` of the output is axis `axes[i]` of the input.
#[derive(Clone, Debug)]
pub struct Permute(pub Vec<usize>);

impl Op for Permute {
    fn name(&self) -> String {
        format!("permute{:?}", self.0)
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        if sorted != (0..inputs[0].shape.rank()).collect::<Vec<_>>() {
            return Err(Mismatch::new(format!(
                "needs each axis of {} once, but receives {:?}",
                inputs[0], self.0
            )));
        }
        let shape: Vec<Dim> = self.0.iter().map(|axis| inputs[0].dims()[*axis].clone()).collect();
        Ok(vec![Ty::float(shape)])
    }
}

impl Transform for Permute {
    fn backward(&self, b: &mut Backward) {
        let mut inverse = vec![0; self.0.len()];
        for (i, axis) in self.0.iter().enumerate() {
            inverse[*axis] = i;
        }
        let d_x = b.op(0, Self(inverse), &[b.d_y()]);
        b.set(0, d_x);
    }

    fn step(&self, s: &mut Step) -> Stepped {
        let axis = s.only(0)?;
        let to = self.0.iter().position(|from| *from == axis).ok_or(NEEDS_ALL)?;
        s.same(self.clone(), to)
    }
}

impl Emission for Permute {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, x, sizes, axes) = (e.y(0), e.x(0), dims(e.inputs[0].dims()), &self.0);
        quote!(k.permute(#y, #x, #sizes, [#(#axes),*]);)
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        Dim::lit(0)
    }
}
