//! Sums, means and extremes over axes.

use proc_macro2::TokenStream;

use super::elementwise::{Constant, Elementwise};
use super::shaping::Reshape;
use super::{Backward, Emission, Emit, Mismatch, Op, Rule, Transform, dims, room};
use crate::dim::{Dim, Shape, product};
use crate::graph::step::{NEEDS_ALL, Step, Stepped};
use crate::graph::{Ty, ValueId};
use crate::hygiene::quote;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sum,
    Mean,
    /// Largest; where several are, they share the gradient (PyTorch's `amax`).
    Max,
    Min,
}

/// `y = Σ x`, `Σ x / n`, `max x` or `min x` over `axes`, which disappear.
#[derive(Clone, Debug)]
pub struct Reduce {
    pub kind: Kind,
    /// Sorted; below the rank.
    pub axes: Vec<usize>,
}

impl Reduce {
    fn kept(&self, shape: &Shape) -> Vec<Dim> {
        let kept = |(i, dim): (usize, &Dim)| (!self.axes.contains(&i)).then(|| dim.clone());
        shape.0.iter().enumerate().filter_map(kept).collect()
    }

    fn count(&self, shape: &Shape) -> Dim {
        let reduced: Vec<_> = self.axes.iter().map(|i| shape.0[*i].clone()).collect();
        product(&reduced)
    }
}

impl Op for Reduce {
    fn name(&self) -> String {
        format!("{:?}{:?}", self.kind, self.axes).to_lowercase()
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let rank = inputs[0].shape.rank();
        match self.axes.iter().find(|axis| **axis >= rank) {
            Some(axis) => Err(Mismatch::new(format!("has no axis {axis} in {}", inputs[0]))),
            None => Ok(vec![Ty::float(self.kept(&inputs[0].shape))]),
        }
    }
}

impl Transform for Reduce {
    fn backward(&self, b: &mut Backward) {
        let (x, y) = (b.inputs[0], b.outputs[0]);
        let shape = b.ty(x).shape;
        let ones = |(i, dim): (usize, &Dim)| {
            if self.axes.contains(&i) { Dim::lit(1) } else { dim.clone() }
        };
        let with_ones = Shape(shape.0.iter().enumerate().map(ones).collect());
        let expand = |b: &mut Backward, value: ValueId| {
            let value = b.op(0, Reshape(with_ones.clone()), &[value]);
            b.op(0, Elementwise::broadcast(shape.clone()), &[value])
        };
        let d_y = expand(b, b.d_y());
        let d_x = match self.kind {
            Kind::Sum => d_y,
            Kind::Mean => {
                let weight = Constant::Over(1.0, self.count(&shape));
                let weight = b.op(0, Elementwise::constant(weight), &[]);
                b.op(0, Elementwise::new("mul"), &[d_y, weight])
            }
            Kind::Max | Kind::Min => {
                let y = expand(b, y);
                let hit = b.op(0, Elementwise::new("eq"), &[x, y]);
                let hits = b.op(0, Self { kind: Kind::Sum, axes: self.axes.clone() }, &[hit]);
                let hits = expand(b, hits);
                let share = b.op(0, Elementwise::new("div"), &[d_y, hits]);
                b.op(0, Elementwise::new("mul"), &[share, hit])
            }
        };
        b.set(0, d_x);
    }

    fn step(&self, s: &mut Step) -> Stepped {
        let axis = s.only(0)?;
        let before = self.axes.iter().filter(|reduced| **reduced < axis).count();
        match self.axes.contains(&axis) {
            true => Err(NEEDS_ALL),
            false => s.same(self.clone(), axis - before),
        }
    }
}

impl Emission for Reduce {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, x, room) = (e.y(0), e.x(0), room("reduce"));
        let shape = &e.inputs[0].shape;
        let (sizes, kept): (Vec<_>, Vec<_>) =
            shape.0.iter().enumerate().map(|(i, d)| (d.clone(), !self.axes.contains(&i))).unzip();
        let sizes = dims(&sizes);
        let (kind, count) = match self.kind {
            Kind::Sum => (quote!(sum), None),
            Kind::Mean => (quote!(mean), Some(self.count(shape).tokens())),
            Kind::Max => (quote!(max), None),
            Kind::Min => (quote!(min), None),
        };
        let count = count.into_iter();
        quote!(k.reduce(#y, #x, #room::#kind(#sizes, [#(#kept),*] #(, #count)*));)
    }

    fn flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        inputs[0].shape.len()
    }
}

/// Sums a gradient over the axes along which an operand was repeated.
pub fn sum_to(b: &mut Backward, i: usize, gradient: ValueId, target: &Shape) -> ValueId {
    let from = b.ty(gradient).shape;
    let extra = from.rank() - target.rank();
    let repeated = |(axis, dim): (usize, &Dim)| {
        let own = axis.checked_sub(extra).map(|k| &target.0[k]);
        (own.is_none_or(Dim::is_one) && !dim.is_one()).then_some(axis)
    };
    let axes: Vec<_> = from.0.iter().enumerate().filter_map(repeated).collect();
    let summed = match axes.len() {
        // Sizes that only rustc can compare were agreed on in the forward pass.
        0 if extra == 0 => return gradient,
        0 => gradient,
        _ => b.op(i, Reduce { kind: Kind::Sum, axes }, &[gradient]),
    };
    if b.ty(summed).shape == *target {
        return summed;
    }
    b.op(i, Reshape(target.clone()), &[summed])
}
