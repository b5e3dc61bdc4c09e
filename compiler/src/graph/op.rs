//! What a graph knows of an operation: its text and shape rule ([`Op`]), what it becomes in other
//! graphs ([`Transform`]), and its call of the runtime with cost and memory ([`Emission`]).

use std::any::Any;
use std::fmt::Debug;
use std::rc::Rc;

use proc_macro2::{Ident, TokenStream};

use super::step::{NEEDS_ALL, Stepped};
use super::{Backward, Callee, Emit, Expand, Kind, Mismatch, Phase, Rule, Step, Ty, ValueId};
use crate::dim::Dim;

/// An operation: its text and its shape rule.
pub trait Op: Transform + Emission + Debug + Any {
    /// The text form, `conv2d.weight_grad`.
    fn name(&self) -> String;

    /// What profiles say that it computes: the name without its details.
    fn kind(&self) -> String {
        self.name().split(['<', '[', ' ']).next().unwrap_or_default().to_string()
    }

    /// The shape rule: the types of the outputs.
    ///
    /// # Errors
    /// What is expected, and what the inputs are instead.
    fn infer(&self, rule: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch>;

    /// How passes treat it.
    fn role(&self) -> Role {
        Role::Call
    }

    /// The function of another model that it calls.
    fn callee(&self) -> Option<&Callee> {
        None
    }

    /// What the class indices of input `at` must stay below.
    fn classes(&self, _inputs: &[Ty], _at: usize) -> Option<TokenStream> {
        None
    }

    /// Whether the class indices of input `at` are lengths of sequences, as a constant.
    fn lengths(&self, _at: usize) -> Option<TokenStream> {
        None
    }
}

/// How passes treat an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// As a call of the runtime.
    Call,
    /// As a call that can go on with a chain of its only output.
    TakesChain,
    /// As an elementwise function, which becomes part of a chain: each element of its output
    /// follows from the same element of its inputs.
    Elementwise,
    /// As no call: the output is the input's memory under another shape.
    View,
    /// As a call that is made only by runs that store values in bf16 between the passes.
    Conversion,
}

impl dyn Op {
    /// Whether the output is the input's memory under another shape.
    pub fn is_view(&self) -> bool {
        self.role() == Role::View
    }

    /// Whether the call is made only by runs that store values in bf16 between the passes.
    pub fn is_conversion(&self) -> bool {
        self.role() == Role::Conversion
    }
}

/// What an operation becomes in other graphs: in the backward pass, on the next positions of
/// sequences, and in parts.
pub trait Transform {
    /// Appends the nodes that compute the gradients of the inputs.
    fn backward(&self, b: &mut Backward) {
        b.none();
    }

    /// The op of the forward pass, where it differs by the gradients that are asked for of its
    /// inputs: nothing, where no gradient comes to it.
    fn asked(&self, _wanted: Option<&[Option<Phase>]>) -> Option<Rc<dyn Op>> {
        None
    }

    /// Whether the gradient of an input is zero everywhere, because the outputs are constant but
    /// for jumps. The gradients of all other float inputs are in `backward`.
    fn is_flat(&self, _input: usize) -> bool {
        false
    }

    /// Whether the user says that no gradient goes through it.
    fn is_detached(&self) -> bool {
        false
    }

    /// Whether it computes with a size that only the run knows, besides those of its values.
    fn is_of_run(&self) -> bool {
        false
    }

    /// How it runs on the next positions of sequences, some inputs having an axis of positions.
    ///
    /// # Errors
    /// Why it cannot, after its name.
    fn step(&self, _: &mut Step) -> Stepped {
        Err(NEEDS_ALL)
    }

    /// Appends the simpler ops that compute the outputs, and names them, when the op is made of
    /// others; it is differentiated as a whole before. Outputs that nothing reads may be left
    /// out at the end.
    fn expand(&self, _e: &mut Expand) -> Option<Vec<ValueId>> {
        None
    }

    /// What inference computes once for each version of the inputs that the op names, where these
    /// depend on parameters and state alone.
    fn prepared(&self, _inputs: &[Ty]) -> Option<Prepared> {
        None
    }
}

/// An op in two parts.
#[derive(Debug)]
pub struct Prepared {
    /// The inputs that the first part reads.
    pub reads: Vec<usize>,
    /// The first part, which makes one value of them.
    pub first: Rc<dyn Op>,
    /// The second, which is given that value behind the inputs of the whole.
    pub then: Rc<dyn Op>,
}

/// An operation's call of the runtime, what a run costs, and the memory that it needs.
pub trait Emission {
    /// The runtime call.
    fn emit(&self, e: &Emit) -> TokenStream;

    /// Floating-point operations of one run.
    fn flops(&self, _inputs: &[Ty], outputs: &[Ty]) -> Dim {
        outputs[0].shape.len()
    }

    /// Whether a run reads its inputs and writes its outputs.
    fn moves(&self) -> bool {
        true
    }

    /// How long the code of a run is where it is inlined, in elementary operations.
    fn code_size(&self) -> usize {
        1
    }

    /// Floats of memory that the call needs while it runs.
    fn scratch(&self, _inference: bool) -> Option<Dim> {
        None
    }

    /// Whether its scratch memory, and what it prepares, is for the kernels of processors alone.
    fn serves_cpu_only(&self) -> bool {
        false
    }

    /// Whether training writes an output that nothing reads.
    fn needs_output(&self, _output: usize) -> bool {
        false
    }

    /// Whether an output may take the memory of an input of the same shape that ends here.
    fn in_place(&self, _output: usize, _input: usize) -> bool {
        false
    }

    /// Whether the derivative needs the output as it is: rounded to bf16, it would be wrong by more
    /// than the rounding.
    fn needs_exact_output(&self) -> bool {
        false
    }

    /// The activations that output `k` holds, which may be in 16 bits where a device computes so.
    /// Others are floats everywhere: statistics, positions, the memory of a model.
    fn activation(&self, output: &Ty, _k: usize) -> Option<Ty> {
        let is_activation = output.kind == Kind::Float && !self.needs_exact_output();
        is_activation.then(|| output.clone())
    }

    /// Items that the runtime call needs beside it.
    fn items(&self, _name: &Ident) -> TokenStream {
        TokenStream::new()
    }

    /// What such an item is called.
    fn item_name(&self) -> String {
        String::new()
    }
}
