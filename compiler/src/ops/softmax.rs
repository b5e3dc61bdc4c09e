//! Softmax and its logarithm along one axis.

use std::rc::Rc;

use proc_macro2::TokenStream;

use super::grad::{self, GradCall};
use super::{Backward, Emission, Emit, Method, Mismatch, Op, Rule, Transform, around, room};
use crate::dim::Dim;
use crate::graph::Ty;
use crate::graph::step::{Step, Stepped};
use crate::hygiene::quote;
use crate::vocabulary::{Example, OptionRow};

/// `softmax(x)ᵢ = exp(xᵢ) / Σⱼ exp(xⱼ)`; with `log`, its logarithm.
#[derive(Clone, Copy, Debug)]
pub struct Softmax {
    pub log: bool,
    pub axis: usize,
}

pub const METHOD: Method = Method {
    options: &[OptionRow::axis("dim")],
    shapes: "`x` of any shape → `y`, the same",
    formula: "y = exp(x) / Σ exp(x), with the sum along the axis",
    source: "torch.nn.functional.softmax",
    example: Example::function("x: [batch, 10]) -> [batch, 10] { x.softmax(1) }"),
    ..Method::new("softmax", |axis| Rc::new(Softmax { log: false, axis }))
};

pub const LOG_METHOD: Method = Method {
    formula: "y = x − log Σ exp(x), with the sum along the axis",
    source: "torch.nn.functional.log_softmax",
    example: Example::function("x: [batch, 10]) -> [batch, 10] { x.log_softmax(dim = -1) }"),
    options: METHOD.options,
    shapes: METHOD.shapes,
    ..Method::new("log_softmax", |axis| Rc::new(Softmax { log: true, axis }))
};

impl Softmax {
    fn spec(self, x: &Ty) -> TokenStream {
        let room = room("softmax");
        let [outer, size, inner] = around(x.dims(), self.axis);
        quote!(#room::SoftmaxSpec { outer: #outer, size: #size, inner: #inner })
    }
}

impl Op for Softmax {
    fn name(&self) -> String {
        let log = if self.log { "log_softmax" } else { "softmax" };
        format!("{log}<axis {}>", self.axis)
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        Ok(vec![inputs[0].clone()])
    }
}

impl Transform for Softmax {
    fn backward(&self, b: &mut Backward) {
        grad::add(b, self, &[0], &[b.d_y(), b.outputs[0]]);
    }

    fn step(&self, s: &mut Step) -> Stepped {
        s.beside(*self, self.axis)
    }
}

impl Emission for Softmax {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, x, spec) = (e.y(0), e.x(0), self.spec(&e.inputs[0]));
        match self.log {
            false => quote!(k.softmax(#y, #x, #spec);),
            true => quote!(k.log_softmax(#y, #x, #spec);),
        }
    }

    /// The derivative of the logarithm takes the exponential of the output: an error of `2^-8 · y`
    /// becomes one of as much in proportion.
    fn needs_exact_output(&self) -> bool {
        self.log
    }

    fn flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        inputs[0].shape.len().times(&Dim::lit(4))
    }
}

impl GradCall for Softmax {
    fn emit_grad(&self, e: &Emit) -> TokenStream {
        let (d_x, d_y, y, spec) = (e.y(0), e.x(0), e.x(1), self.spec(&e.inputs[0]));
        match self.log {
            false => quote!(k.softmax_grad(#d_x, #d_y, #y, #spec);),
            true => quote!(k.log_softmax_grad(#d_x, #d_y, #y, #spec);),
        }
    }

    fn grad_flops(&self, inputs: &[Ty], outputs: &[Ty]) -> Dim {
        self.flops(inputs, outputs)
    }

    fn grad_is_exact(&self) -> bool {
        self.log
    }
}
