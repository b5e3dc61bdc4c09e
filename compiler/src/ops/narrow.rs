//! A part of a value along an axis.

use proc_macro2::TokenStream;

use super::cat::spec;
use super::grad::{self, GradCall};
use super::{Backward, Emission, Emit, Mismatch, Op, Rule, Transform};
use crate::dim::Dim;
use crate::graph::step::{self, NEEDS_ALL, NoStep, Step, Stepped};
use crate::graph::{Ty, ValueId};
use crate::hygiene::quote;

/// The elements `start..start + len` along `axis`.
#[derive(Clone, Debug)]
pub struct Narrow {
    pub axis: usize,
    pub start: Dim,
    pub len: Dim,
}

/// In a run on new positions their rows on `axis` of input `i`, which has a row for each position.
///
/// # Errors
/// When it has not.
pub fn rows(s: &mut Step, i: usize, axis: usize) -> Result<ValueId, NoStep> {
    if !s.is_length(&s.whole[i].dims()[axis]) {
        return Err(NEEDS_ALL);
    }
    let part = Narrow { axis, start: s.past(), len: step::new() };
    let input = s.inputs[i];
    Ok(s.apply(part, &[input])[0])
}

impl Op for Narrow {
    fn name(&self) -> String {
        format!("narrow<{}, {} from {}>", self.axis, self.len, self.start)
    }

    fn infer(&self, rule: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let mut y = inputs[0].dims().to_vec();
        let end = self.start.plus(&self.len);
        let subject = rule.subject.clone();
        let fits = rule.at_least(&y[self.axis], &end, || {
            format!("`{subject}` takes what lies behind its axis")
        });
        if !fits {
            let (start, axis) = (&self.start, self.axis);
            let text = format!("takes {start} to {end} of axis {axis}, but receives {}", inputs[0]);
            return Err(Mismatch::new(text));
        }
        y[self.axis] = self.len.clone();
        Ok(vec![Ty::float(y)])
    }
}

impl Transform for Narrow {
    fn backward(&self, b: &mut Backward) {
        grad::add(b, self, &[0], &[b.d_y()]);
    }

    fn step(&self, s: &mut Step) -> Stepped {
        s.beside(self.clone(), self.axis)
    }
}

impl Emission for Narrow {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, x, whole) = (e.y(0), e.x(0), e.inputs[0].dims());
        let mut part = whole.to_vec();
        part[self.axis].clone_from(&self.len);
        let spec = spec(self.axis, &self.start, &part, whole);
        // The gradient of a concatenation takes a part of its value, too.
        quote!(k.cat_grad(#y, #x, #spec);)
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        Dim::lit(0)
    }
}

impl GradCall for Narrow {
    /// The gradient of the part in its place, and zeros around it.
    fn emit_grad(&self, e: &Emit) -> TokenStream {
        let (d_x, d_y) = (e.y(0), e.x(0));
        let spec = spec(self.axis, &self.start, e.inputs[0].dims(), e.outputs[0].dims());
        quote!(k.fill(#d_x, 0.0); k.cat(#d_x, #d_y, #spec);)
    }

    fn grad_flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        Dim::lit(0)
    }
}
