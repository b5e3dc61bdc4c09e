//! The gradient of an op as an op of its own.

use proc_macro2::TokenStream;

use super::{Backward, Emission, Emit, Mismatch, Op, Rule, Transform};
use crate::dim::Dim;
use crate::graph::{Ty, ValueId};

/// An op whose gradients are computed by one call of the runtime.
pub trait GradCall: Op + Clone {
    /// The call. Its inputs are those that [`add`] is given, its outputs the gradients.
    fn emit_grad(&self, e: &Emit) -> TokenStream;

    /// Floating-point operations of the call.
    fn grad_flops(&self, _inputs: &[Ty], outputs: &[Ty]) -> Dim {
        outputs[0].shape.len()
    }

    /// Floats of memory that a processor needs while the call runs; a GPU needs none.
    fn grad_scratch(&self, _outputs: &[Ty]) -> Option<Dim> {
        None
    }

    /// Whether the gradient may take the memory of an input of the call that ends there.
    fn grad_in_place(&self, _output: usize, _input: usize) -> bool {
        false
    }

    /// Whether the gradient is kept in floats everywhere.
    fn grad_is_exact(&self) -> bool {
        false
    }
}

/// The gradients of some inputs of an op.
#[derive(Clone, Debug)]
pub struct Grad<T> {
    pub op: T,
    /// The types of these inputs.
    pub outputs: Vec<Ty>,
}

/// Adds the call that computes the gradients of the inputs `of` from the values `reads`, in the
/// phase of the first that needs one, where any is asked for. Those that are asked for become
/// gradients of `b`.
pub fn add<T: GradCall>(b: &mut Backward, op: &T, of: &[usize], reads: &[ValueId]) {
    let asked = of.iter().copied().filter(|i| b.wants(*i));
    let Some(first) = asked.min_by_key(|i| b.wanted[*i]) else { return };
    let outputs = of.iter().map(|i| b.ty(b.inputs[*i])).collect();
    let made = b.ops(first, Grad { op: op.clone(), outputs }, reads);
    for (i, gradient) in of.iter().zip(made) {
        if b.wants(*i) {
            b.set(*i, gradient);
        }
    }
}

impl<T: GradCall> Op for Grad<T> {
    /// `gather.grad<axis 1>` for `gather<axis 1>`.
    fn name(&self) -> String {
        let name = self.op.name();
        let (op, details) = name.split_at(name.find(['<', '[', ' ']).unwrap_or(name.len()));
        format!("{op}.grad{details}")
    }

    fn infer(&self, _: &mut Rule, _: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        Ok(self.outputs.clone())
    }
}

impl<T: GradCall> Transform for Grad<T> {}

impl<T: GradCall> Emission for Grad<T> {
    fn emit(&self, e: &Emit) -> TokenStream {
        self.op.emit_grad(e)
    }

    fn flops(&self, inputs: &[Ty], outputs: &[Ty]) -> Dim {
        self.op.grad_flops(inputs, outputs)
    }

    fn scratch(&self, _: bool) -> Option<Dim> {
        self.op.grad_scratch(&self.outputs)
    }

    fn serves_cpu_only(&self) -> bool {
        true
    }

    fn in_place(&self, output: usize, input: usize) -> bool {
        self.op.grad_in_place(output, input)
    }

    fn needs_exact_output(&self) -> bool {
        self.op.grad_is_exact()
    }
}
