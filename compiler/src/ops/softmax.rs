//! Softmax and its logarithm along one axis.

use proc_macro2::TokenStream;

use super::{Backward, Emission, Emit, Mismatch, Op, Rule, Transform, room};
use crate::dim::{Dim, product};
use crate::graph::Ty;
use crate::graph::step::{NEEDS_ALL, Step, Stepped};
use crate::hygiene::quote;

/// `softmax(x)ᵢ = exp(xᵢ) / Σⱼ exp(xⱼ)`; with `log`, its logarithm. With `grad`, the derivative
/// from `d_y` and `y`.
#[derive(Clone, Copy, Debug)]
pub struct Softmax {
    pub log: bool,
    pub grad: bool,
    pub axis: usize,
}

impl Op for Softmax {
    fn name(&self) -> String {
        let log = if self.log { "log_softmax" } else { "softmax" };
        let grad = if self.grad { ".grad" } else { "" };
        format!("{log}{grad}<axis {}>", self.axis)
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        Ok(vec![inputs[0].clone()])
    }
}

impl Transform for Softmax {
    fn backward(&self, b: &mut Backward) {
        if self.grad {
            return b.none();
        }
        let (d_y, y) = (b.d_y(), b.outputs[0]);
        let d_x = b.op(0, Self { grad: true, ..*self }, &[d_y, y]);
        b.set(0, d_x);
    }

    fn step(&self, s: &mut Step) -> Stepped {
        match s.only(0)? {
            axis if axis == self.axis => Err(NEEDS_ALL),
            axis => s.same(*self, axis),
        }
    }
}

impl Emission for Softmax {
    fn emit(&self, e: &Emit) -> TokenStream {
        let room = room("softmax");
        let dims = e.inputs[0].dims();
        let outer = product(&dims[..self.axis]).tokens();
        let size = dims[self.axis].tokens();
        let inner = product(&dims[self.axis + 1..]).tokens();
        let spec = quote!(#room::SoftmaxSpec { outer: #outer, size: #size, inner: #inner });
        let (out, a) = (e.y(0), e.x(0));
        match (self.log, self.grad) {
            (false, false) => quote!(k.softmax(#out, #a, #spec);),
            (true, false) => quote!(k.log_softmax(#out, #a, #spec);),
            (log, true) => {
                let y = e.x(1);
                let call = if log { quote!(log_softmax_grad) } else { quote!(softmax_grad) };
                quote!(k.#call(#out, #a, #y, #spec);)
            }
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
