//! What the compiler knows of operations. The phases call [`Op`] and name no op.

pub mod argmax;
pub mod attention;
pub mod batch_norm;
pub mod bmm;
pub mod call;
pub mod cat;
pub mod chain;
pub mod conv2d;
pub mod convert;
pub mod cumsum;
pub mod cut;
pub mod dropout;
pub mod elementwise;
pub mod embedding;
pub mod gather;
pub mod interpolate;
pub mod layer_norm;
pub mod loss;
pub mod mapped;
pub mod matmul;
pub mod narrow;
pub mod pool2d;
pub mod recurrent;
pub mod reduce;
pub mod rotary;
pub mod scan;
pub mod shaping;
pub mod softmax;

use std::any::Any;
use std::fmt::Debug;
use std::rc::Rc;

use proc_macro2::{Ident, Span, TokenStream};

use crate::dim::{Compared, Dim, Shape};
use crate::expand::Expand;
use crate::graph::{Graph, Kind, Phase, Ty, ValueId};
use crate::hygiene::quote;
use crate::step::{NEEDS_ALL, Step, Stepped};
use crate::vocabulary::Range;

/// An operation: its shape rule, derivative, cost and runtime call in one place.
pub trait Op: Debug + Any {
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

    /// Appends the nodes that compute the gradients of the inputs.
    fn backward(&self, b: &mut Backward);

    /// Whether the gradient of an input is zero everywhere, because the outputs move in steps with it.
    /// Those of all other floats are in `backward`.
    fn is_flat(&self, _input: usize) -> bool {
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

    /// Elementary steps of a run: how long its code is where it is inlined.
    fn steps(&self) -> usize {
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

    /// Set when the op computes each element of its outputs from the same element of its inputs.
    fn elementwise(&self) -> Option<&elementwise::Elementwise> {
        None
    }

    /// Whether the output is the input's memory under another shape.
    fn is_view(&self) -> bool {
        false
    }

    /// Whether an output may take the memory of an input of the same shape that ends here.
    fn in_place(&self, _output: usize, _input: usize) -> bool {
        false
    }

    /// Whether the runtime call of the op can go on with a chain of its only output.
    fn takes_chain(&self) -> bool {
        false
    }

    /// Whether the call is made only by runs that store values in bf16 between the passes.
    fn is_conversion(&self) -> bool {
        false
    }

    /// Whether the derivative needs the output as it is: rounded to bf16, it would be wrong by more
    /// than the rounding.
    fn needs_exact_output(&self) -> bool {
        false
    }

    /// The values that are stored in output `k`, which may be in 16 bits where a device computes so.
    /// Others are floats: statistics, positions, the memory of a model.
    fn values(&self, output: &Ty, _k: usize) -> Option<Ty> {
        let are_values = output.kind == Kind::Float && !self.needs_exact_output();
        are_values.then(|| output.clone())
    }

    /// Whether saved outputs that nothing reads take no memory.
    fn skips_unused(&self) -> bool {
        false
    }

    /// What the class indices of input `at` must stay below.
    fn classes(&self, _inputs: &[Ty], _at: usize) -> Option<TokenStream> {
        None
    }

    /// Whether the class indices of input `at` are lengths of sequences, as a constant.
    fn lengths(&self, _at: usize) -> Option<TokenStream> {
        None
    }

    /// The emitted function of a nested model, when the op calls one.
    fn callee(&self) -> Option<&call::Callee> {
        None
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

/// Why a shape rule refuses.
#[derive(Debug, Clone)]
pub struct Mismatch {
    /// After the name of the step: `expects [batch, 100] but receives [batch, 128]`.
    pub message: String,
    pub help: Option<String>,
}

impl Mismatch {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

/// A statement about constants that only rustc can decide.
#[derive(Debug, Clone)]
pub struct Deferred {
    pub what: Statement,
    /// `` `fc2` expects ``, `` but receives ``: the numbers come between.
    pub message: String,
    pub span: Span,
    /// Whether it is about sizes, which are at least 1: other numbers may be 0.
    pub are_sizes: bool,
}

#[derive(Debug, Clone)]
pub enum Statement {
    /// Two sizes are equal.
    Equal(Dim, Dim),
    /// The first is not smaller than the second.
    AtLeast(Dim, Dim),
    /// A value of these sizes is not larger than any memory.
    Fits(Vec<Dim>),
    /// A number of this text is in a range.
    Within(String, TokenStream, Range),
}

impl Deferred {
    /// Whether both say the same: one cause, one error.
    pub fn is_same(&self, other: &Self) -> bool {
        use Statement::{AtLeast, Equal, Fits, Within};
        match (&self.what, &other.what) {
            (Equal(a, b), Equal(c, d)) => (a, b) == (c, d) || (a, b) == (d, c),
            (AtLeast(a, b), AtLeast(c, d)) => (a, b) == (c, d),
            // Those of a part are there where those of the whole are.
            (Fits(whole), Fits(part)) => is_part(part, whole),
            (Within(a, _, of), Within(b, _, other)) => (a, of) == (b, other),
            _ => false,
        }
    }

    /// Whether it is true where `number` knows each size; numbers that are no sizes count as such.
    pub fn holds(&self, number: &dyn Fn(&Dim) -> Option<usize>) -> bool {
        match &self.what {
            Statement::Equal(a, b) => number(a).is_some() && number(a) == number(b),
            Statement::AtLeast(a, b) => number(a).zip(number(b)).is_some_and(|(a, b)| a >= b),
            Statement::Fits(_) | Statement::Within(..) => true,
        }
    }
}

/// Whether each size of `part` is one of `whole`.
fn is_part(part: &[Dim], whole: &[Dim]) -> bool {
    let mut rest: Vec<_> = whole.iter().collect();
    part.iter().all(|size| {
        let found = rest.iter().position(|other| *other == size);
        found.map(|at| rest.swap_remove(at)).is_some()
    })
}

/// The step that a shape rule speaks for, and the checks it leaves to rustc.
#[derive(Debug)]
pub struct Rule {
    pub step: String,
    pub span: Span,
    pub deferred: Vec<Deferred>,
}

impl Default for Rule {
    fn default() -> Self {
        Self { step: String::new(), span: Span::call_site(), deferred: Vec::new() }
    }
}

impl Rule {
    /// Whether two sizes agree; an equality of constants is left to rustc and taken as agreed.
    pub fn equal(&mut self, left: &Dim, right: &Dim) -> bool {
        // `batch * HEADS` may be `batch * 4`: only rustc knows, and it knows no `batch`.
        let (own, other) = match left.is_run_time() && right.is_run_time() {
            true => left.without_common_factors(right),
            false => (left.clone(), right.clone()),
        };
        match own.compare(&other) {
            Compared::Same => true,
            Compared::Different => false,
            Compared::Unknown => {
                let message = format!("`{}` needs {own} and {other} to be equal", self.step);
                self.defer(own, other, message);
                true
            }
        }
    }

    /// Whether a size is not below another one; what only rustc knows is taken as agreed. The message is
    /// that of `message` where rustc finds otherwise.
    pub fn at_least(&mut self, size: &Dim, least: &Dim, message: impl FnOnce() -> String) -> bool {
        if let (Some(size), Some(least)) = (size.as_lit(), least.as_lit()) {
            return size >= least;
        }
        let difference = size.minus(least);
        // What is left is not negative, or known only when the program runs.
        if difference.as_lit().is_none() && !difference.is_run_time() {
            self.defer_at_least(size.clone(), least.clone(), message());
        }
        true
    }

    /// Whether `whole` consists of parts of this size; what only rustc knows is taken as agreed.
    pub fn divides(&mut self, part: &Dim, whole: &Dim) -> bool {
        let Some(times) = whole.floor_divided_by(part) else { return false };
        let (divided, step) = (times.times(part), &self.step);
        match whole.compare(&divided) {
            Compared::Same => true,
            Compared::Different => false,
            Compared::Unknown => {
                let message = format!("`{step}` splits {whole} into {part} equal parts");
                self.defer(whole.clone(), divided, message);
                true
            }
        }
    }

    pub fn equal_shapes(&mut self, left: &Shape, right: &Shape) -> bool {
        left.rank() == right.rank() && left.0.iter().zip(&right.0).all(|(l, r)| self.equal(l, r))
    }

    pub fn defer(&mut self, left: Dim, right: Dim, message: String) {
        self.add(Statement::Equal(left, right), message, self.span);
    }

    /// The same of numbers that are no sizes.
    pub fn defer_numbers(&mut self, left: Dim, right: Dim, message: String) {
        let known = self.deferred.len();
        self.defer(left, right, message);
        self.deferred[known..].iter_mut().for_each(|new| new.are_sizes = false);
    }

    pub fn defer_at_least(&mut self, size: Dim, least: Dim, message: String) {
        self.add(Statement::AtLeast(size, least), message, self.span);
    }

    /// Leaves it to rustc whether a value of these sizes is larger than any memory.
    pub fn defer_memory(&mut self, shape: &Shape, message: impl FnOnce() -> String) {
        let sizes: Vec<_> = shape.0.iter().map(Dim::of_one).filter(|dim| !dim.is_one()).collect();
        if sizes.iter().any(|dim| dim.atoms().next().is_some()) {
            self.add(Statement::Fits(sizes), message(), self.span);
        }
    }

    pub fn defer_number(
        &mut self,
        text: &str,
        tokens: &TokenStream,
        range: Range,
        message: String,
        span: Span,
    ) {
        self.add(Statement::Within(text.into(), tokens.clone(), range), message, span);
    }

    fn add(&mut self, what: Statement, message: String, span: Span) {
        let new = Deferred { what, message, span, are_sizes: true };
        if !self.deferred.iter().any(|known| known.is_same(&new)) {
            self.deferred.push(new);
        }
    }
}

/// Where an op writes its derivative.
pub struct Backward<'a> {
    pub graph: &'a mut Graph,
    pub rule: &'a mut Rule,
    pub inputs: Vec<ValueId>,
    pub outputs: Vec<ValueId>,
    /// The gradients of the outputs; none where nothing depends on one.
    pub d_outputs: Vec<Option<ValueId>>,
    /// Whether an input's gradient is asked for, and in which phase.
    pub wanted: Vec<Option<Phase>>,
    pub d_inputs: Vec<Option<ValueId>>,
    pub failed: Option<String>,
}

impl Backward<'_> {
    /// The gradient of the only output that has one.
    pub fn d_y(&self) -> ValueId {
        self.d_outputs[0].expect("backward runs only for an output with a gradient")
    }

    pub fn ty(&self, value: ValueId) -> Ty {
        self.graph.ty(value).clone()
    }

    /// Whether the gradient of input `i` is asked for.
    pub fn wants(&self, i: usize) -> bool {
        self.wanted[i].is_some()
    }

    /// Adds a node that computes (a part of) the gradient of input `i`.
    pub fn op(&mut self, i: usize, op: impl Op + 'static, inputs: &[ValueId]) -> ValueId {
        self.ops(i, op, inputs)[0]
    }

    pub fn ops(&mut self, i: usize, op: impl Op + 'static, inputs: &[ValueId]) -> Vec<ValueId> {
        let phase = self.wanted[i].unwrap_or(Phase::Backward);
        let name = op.name();
        match self.graph.apply(self.rule, Rc::new(op), inputs, phase) {
            Ok(outputs) => outputs,
            Err(mismatch) => {
                // Derivatives are written by us: their shapes must fit.
                panic!("the derivative `{name}` {}", mismatch.message)
            }
        }
    }

    pub fn set(&mut self, i: usize, gradient: ValueId) {
        self.d_inputs[i] = Some(gradient);
    }

    /// Says that there is no derivative.
    pub fn none(&mut self, op: &str) {
        self.failed = Some(op.to_string());
    }
}

/// What an op sees while its runtime call is emitted.
pub struct Emit {
    pub inputs: Vec<Ty>,
    /// The variables that hold the ranges.
    pub input_vars: Vec<TokenStream>,
    pub output_vars: Vec<TokenStream>,
    /// Whether an output is read by anything.
    pub used: Vec<bool>,
    pub scratch: Option<TokenStream>,
    /// The path of the op's item.
    pub item: TokenStream,
    /// Set while inference is emitted.
    pub inference: bool,
    /// The operands of the chain that follows, for an op that takes one.
    pub then: Option<TokenStream>,
}

impl Emit {
    pub fn x(&self, i: usize) -> &TokenStream {
        &self.input_vars[i]
    }

    pub fn y(&self, i: usize) -> &TokenStream {
        &self.output_vars[i]
    }

    pub fn scratch(&self) -> &TokenStream {
        self.scratch.as_ref().expect("the op declares scratch memory")
    }

    /// `k.matmul(args)`, or `k.matmul_map::<Chain, _, _, _, _>(args, operands)` when a chain
    /// follows.
    pub fn call(&self, kernel: &str, args: &TokenStream) -> TokenStream {
        let Some(operands) = &self.then else {
            let kernel = quote::format_ident!("{kernel}");
            return quote!(k.#kernel(#args););
        };
        let (kernel, item) = (quote::format_ident!("{kernel}_map"), &self.item);
        quote!(k.#kernel::<#item, _, _, _, _>(#args, #operands);)
    }
}

/// The path of a room of the runtime: `::gradiron::ops::matmul`.
pub fn room(name: &str) -> TokenStream {
    let name = quote::format_ident!("{name}");
    quote!(::gradiron::ops::#name)
}

pub fn dims(dims: &[Dim]) -> TokenStream {
    let dims = dims.iter().map(Dim::tokens);
    quote!([#(#dims),*])
}

/// The name of an enum's variant.
pub fn variant(value: &impl Debug) -> Ident {
    Ident::new(&format!("{value:?}"), Span::call_site())
}
