//! A call of another model's function, once or through a row of equal models.

mod row;

use std::rc::Rc;

use proc_macro2::{Ident, TokenStream};
use quote::format_ident;

use super::elementwise::{Constant, Elementwise};
use super::{Backward, Emit, Mismatch, Op, Prepared, Rule};
use crate::dim::Dim;
use crate::graph::{Kind, Ty, ValueId};
use crate::hygiene::{quote, variable};
use crate::step::{self, NEEDS_ALL, Step, Stepped};

/// The function that is called.
#[derive(Clone, Debug)]
pub struct Callee {
    /// Tells the calls of one function apart.
    pub id: usize,
    /// The model's type: `Block<128>`.
    pub model: TokenStream,
    pub text: String,
    /// `forward`
    pub function: Ident,
    /// How many models in a row: the output of one is the first input of the next, and the other
    /// inputs are given to each.
    pub count: Option<Dim>,
    /// What it is given; by their first sizes it knows its run-time sizes.
    pub args: Vec<Ty>,
    pub results: Vec<Ty>,
    /// Whether the next positions of sequences are computed.
    pub steps: bool,
    /// Whether it is called for each step of a sequence, with the results of the step before.
    pub scans: bool,
}

impl Callee {
    /// A hidden item of the callee: `__forward_train`.
    pub fn item(&self, suffix: &str) -> TokenStream {
        // A step has its own form of what inference has.
        let suffix = match (self.steps, suffix) {
            (true, "infer") => "step",
            (true, "INFER_TABLE") => "STEP_TABLE",
            (true, "infer_offsets") => "step_offsets",
            (true, "infer_scratch") => "step_scratch",
            (_, suffix) => suffix,
        };
        let (model, item) = (&self.model, format_ident!("__{}_{suffix}", self.function));
        quote!(<#model>::#item)
    }

    /// The callee's run-time sizes.
    pub fn sizes(&self) -> TokenStream {
        self.sizes_by(Dim::tokens)
    }

    fn sizes_by(&self, tokens: fn(&Dim) -> TokenStream) -> TokenStream {
        let one = Dim::lit(1);
        let leads = self.args.iter().map(|ty| tokens(ty.dims().first().unwrap_or(&one)));
        if self.steps {
            let (bind, past, new) =
                (self.item("step_bind"), step::past().tokens(), step::new().tokens());
            return quote!(#bind([#(#leads),*], #past, #new));
        }
        let bind = self.item("bind");
        quote!(#bind([#(#leads),*]))
    }

    /// A size that the callee states: a variable, see [`Callee::stated`] and [`Callee::planned`].
    pub fn size_of(&self, item: &str) -> Dim {
        let variable = self.size_variable(item);
        let text = format!("{}::{}.{item}#{}", self.text, self.function, self.id);
        Dim::expr(text, quote!(#variable))
    }

    fn size_variable(&self, item: &str) -> Ident {
        variable!("{item}_{}", self.id)
    }

    /// Binds sizes of the callee as it states them for its present run-time sizes.
    pub fn stated(&self, items: &[&str]) -> TokenStream {
        let lets = items.iter().map(|item| {
            let (variable, call) = (self.size_variable(item), self.item(item));
            let sizes = self.sizes_by(Dim::saturating_tokens);
            match *item {
                "saved" | "scratch" | "infer_scratch" => {
                    quote!(let #variable = #call(#sizes, target);)
                }
                _ => quote!(let #variable = #call(#sizes);),
            }
        });
        quote!(#(#lets)*)
    }

    /// Binds the callee's memory as it was planned, at the workspace's capacity: its offsets lie
    /// in this much, however small the present run-time sizes are.
    pub fn planned(&self, inference: bool) -> TokenStream {
        let offsets = self.offsets();
        let items: &[&str] = if inference { &["infer_scratch"] } else { &["saved", "scratch"] };
        let lets = items.iter().enumerate().map(|(at, item)| {
            let variable = self.size_variable(item);
            quote!(let #variable = #offsets[#at];)
        });
        let cache = if self.steps { self.stated(&["cache"]) } else { quote!() };
        quote!(#(#lets)* #cache)
    }

    /// The variable that holds the callee's part of the offsets.
    pub fn offsets(&self) -> Ident {
        variable!("offsets_{}", self.id)
    }

    /// What the callee says of the gradient of input `at` of a call: of its parameters, or of an argument.
    pub fn flow(&self, at: usize) -> Option<TokenStream> {
        let flows = self.item("FLOWS");
        match (at, &self.count) {
            (0, None) => Some(quote!(#flows.dead.is_none())),
            // Through the models behind it to those in front.
            (0, Some(count)) => {
                let count = count.tokens();
                Some(quote!((#flows.dead.is_none() & (#count == 1 || #flows.arg(0)))))
            }
            _ => at.checked_sub(2).map(|arg| quote!(#flows.arg(#arg))),
        }
    }

    /// The number of parameters of one model.
    pub fn params(&self) -> Dim {
        let model = &self.model;
        Dim::expr(format!("{}::PARAMS", self.text), quote!(<#model as ::gradiron::Module>::PARAMS))
    }

    /// The floats of the state of one model.
    pub fn state(&self) -> Dim {
        let model = &self.model;
        Dim::expr(format!("{}::STATE", self.text), quote!(<#model as ::gradiron::Module>::STATE))
    }

    /// The floats that one model prepares.
    pub fn prepared(&self) -> Dim {
        let model = &self.model;
        Dim::expr(format!("{}::PREPARED", self.text), quote!(*<#model>::__PREPARED.of(on_host)))
    }

    fn count(&self) -> Dim {
        self.count.clone().unwrap_or(Dim::lit(1))
    }
}

/// Forward: `results, between, saved, new_state` from `params, state, args`, and in inference what
/// the models prepared; `between` holds the values between the models of a row. With `grad`: `d_params, d_args` from
/// `params, args, results, between, saved, d_results`.
#[derive(Clone, Debug)]
pub struct Call {
    pub callee: Callee,
    pub grad: bool,
    /// With `grad`: which arguments' gradients are asked for, and whether only by the gradients
    /// of the function's own arguments.
    pub wanted: Vec<Option<Only>>,
}

/// What each of the models prepares, from `params, state`.
#[derive(Clone, Debug)]
pub struct Prepare(pub Callee);

/// Whether work is done for the gradients of the float arguments only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Only(pub bool);

impl Call {
    pub fn new(callee: Callee) -> Self {
        Self { callee, grad: false, wanted: Vec::new() }
    }

    /// The variables of the float arguments and of the class indices among `vars`.
    fn split<'a>(&self, vars: &'a [TokenStream]) -> (Vec<&'a TokenStream>, Vec<&'a TokenStream>) {
        let of = |kind: Kind| {
            let pairs = self.callee.args.iter().zip(vars);
            pairs.filter(|(ty, _)| ty.kind == kind).map(|(_, var)| var).collect()
        };
        (of(Kind::Float), of(Kind::Classes))
    }

    fn between(&self) -> Dim {
        let value = self.callee.results[0].shape.len();
        self.callee.count().minus(&Dim::lit(1)).times(&value)
    }
}

impl Op for Call {
    fn name(&self) -> String {
        let count = self.callee.count.as_ref().map(|n| format!(" x {n}")).unwrap_or_default();
        let grad = if self.grad { ".grad" } else { "" };
        format!("call{grad} {}::{}{count}", self.callee.text, self.callee.function)
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        if self.grad {
            let wanted = self.callee.args.iter().zip(&self.wanted);
            let d_args = wanted.filter(|(_, wanted)| wanted.is_some()).map(|(ty, _)| ty.clone());
            return Ok([inputs[0].clone()].into_iter().chain(d_args).collect());
        }
        let saved = |size: Dim| Ty { kind: Kind::Saved, ..Ty::float([size]) };
        let memory = self.callee.count().times(&self.callee.size_of("saved"));
        let extra = [saved(self.between()), saved(memory), inputs[1].clone()];
        Ok(self.callee.results.iter().cloned().chain(extra).collect())
    }

    fn backward(&self, b: &mut Backward) {
        if self.grad {
            return b.none("the gradient of a call");
        }
        let results = self.callee.results.len();
        let d_results: Vec<ValueId> = (0..results)
            .map(|r| {
                b.d_outputs[r].unwrap_or_else(|| {
                    let zero = b.op(0, Elementwise::constant(Constant::Literal(0.0)), &[]);
                    let shape = self.callee.results[r].shape.clone();
                    b.op(0, Elementwise::broadcast(shape), &[zero])
                })
            })
            .collect();
        let wanted: Vec<_> = (0..self.callee.args.len())
            .map(|i| {
                b.wanted[2 + i].map(|phase| Only(phase == crate::graph::Phase::BackwardInputs))
            })
            .collect();
        let (params, args) = (b.inputs[0], &b.inputs[2..]);
        let made = &b.outputs[..results + 2];
        let inputs: Vec<_> =
            [params].iter().chain(args).chain(made).chain(&d_results).copied().collect();
        let op = Self { grad: true, wanted: wanted.clone(), ..self.clone() };
        let gradients = b.ops(0, op, &inputs);
        b.set(0, gradients[0]);
        let asked = (0..self.callee.args.len()).filter(|i| wanted[*i].is_some());
        for (i, gradient) in asked.zip(&gradients[1..]) {
            b.set(2 + i, *gradient);
        }
    }

    fn step(&self, s: &mut Step) -> Stepped {
        let axis = s.axes[2].ok_or(NEEDS_ALL)?;
        let stays = |ty: &Ty| ty.dims().get(axis).is_some_and(|dim| s.is_length(dim));
        if !self.callee.results.iter().all(stays) {
            return Err(NEEDS_ALL);
        }
        let mut op = self.clone();
        op.callee.steps = true;
        op.callee.results.iter_mut().for_each(|ty| ty.shape.0[axis] = step::new());
        for (i, arg) in op.callee.args.iter_mut().enumerate() {
            if let Some(axis) = s.axes[2 + i] {
                arg.shape.0[axis] = step::new();
            }
        }
        let cache = s.kept(vec![self.callee.count().times(&op.callee.size_of("cache"))]);
        let inputs: Vec<_> = s.inputs.iter().copied().chain([cache]).collect();
        let results = op.callee.results.len();
        let made = s.apply(op, &inputs);
        Ok(made.into_iter().take(results).map(|value| (value, Some(axis))).collect())
    }

    fn emit(&self, e: &Emit) -> TokenStream {
        match (self.grad, &self.callee.count) {
            (false, None) => self.emit_one(e),
            (false, Some(count)) => self.emit_row(e, count),
            (true, None) => self.emit_grad(e),
            (true, Some(count)) => self.emit_row_grad(e, count),
        }
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        // The steps of the callee count by themselves.
        if self.callee.steps {
            return Dim::lit(0);
        }
        let flops = self.callee.size_of("flops");
        let passes = if self.grad { 2 } else { 1 };
        self.callee.count().times(&flops).times(&Dim::lit(passes))
    }

    fn scratch(&self, inference: bool) -> Option<Dim> {
        let own = self.own_scratch(inference);
        // The values between the models of a row that live for a moment.
        let values = match (&self.callee.count, self.grad, inference) {
            (Some(_), true, _) => 2,
            (Some(_), false, true) => 1,
            _ => 0,
        };
        let values = self.callee.results[0].shape.len().times(&Dim::lit(values));
        let gradients = self.grad.then(|| match &self.callee.count {
            Some(count) => self.row_gradients(count),
            None => self.unasked(),
        });
        Some(own.plus(&values).plus(&gradients.unwrap_or(Dim::lit(0))))
    }

    /// What lies between the models of a row is made of values as well.
    fn values(&self, output: &Ty, k: usize) -> Option<Ty> {
        let between = (k == self.callee.results.len()).then(|| self.callee.results[0].clone());
        between.filter(|_| !self.grad).or((output.kind == Kind::Float).then(|| output.clone()))
    }

    fn skips_unused(&self) -> bool {
        true
    }

    fn callee(&self) -> Option<&Callee> {
        Some(&self.callee)
    }

    fn classes(&self, _: &[Ty], at: usize) -> Option<TokenStream> {
        let (bounds, sizes) = (self.callee.item("bounds"), self.callee.sizes());
        let among = self.among_classes(at)?;
        Some(quote!(#bounds(#sizes)[#among]))
    }

    fn lengths(&self, at: usize) -> Option<TokenStream> {
        let (lengths, among) = (self.callee.item("lengths"), self.among_classes(at)?);
        Some(quote!(#lengths[#among]))
    }

    fn prepared(&self, _: &[Ty]) -> Option<Prepared> {
        let (first, then) = (Rc::new(Prepare(self.callee.clone())), Rc::new(self.clone()));
        (!self.grad).then(|| Prepared { reads: vec![0, 1], first, then })
    }
}

impl Op for Prepare {
    fn name(&self) -> String {
        let count = self.0.count.as_ref().map(|n| format!(" x {n}")).unwrap_or_default();
        format!("prepare {}{count}", self.0.text)
    }

    fn infer(&self, _: &mut Rule, _: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let len = self.0.count().times(&self.0.prepared());
        Ok(vec![Ty { kind: Kind::Saved, ..Ty::float([len]) }])
    }

    fn backward(&self, b: &mut Backward) {
        b.none("what a model prepared");
    }

    fn emit(&self, e: &Emit) -> TokenStream {
        let (prepared, params, state) = (e.y(0), e.x(0), e.x(1));
        let model = &self.0.model;
        let [size, state_size, len] =
            [self.0.params(), self.0.state(), self.0.prepared()].map(|dim| dim.tokens());
        match self.0.count.as_ref().map(Dim::tokens) {
            None => quote!(<#model>::__prepare(k, #params, #state, #prepared);),
            Some(count) => quote! {
                for i in 0..#count {
                    k.item(i);
                    <#model>::__prepare(k, #params.part(i * #size, #size),
                        #state.part(i * #state_size, #state_size), #prepared.part(i * #len, #len));
                }
            },
        }
    }
}

impl Call {
    /// Which of the callee's class indices input `at` is.
    fn among_classes(&self, at: usize) -> Option<usize> {
        let before = at.checked_sub(2).filter(|_| !self.grad)?;
        let args = self.callee.args[..before].iter();
        Some(args.filter(|arg| arg.kind == Kind::Classes).count())
    }

    fn own_scratch(&self, inference: bool) -> Dim {
        self.callee.size_of(if inference { "infer_scratch" } else { "scratch" })
    }

    /// Floats for the gradients that the callee computes with others though nobody asks for them:
    /// those of constants.
    fn unasked(&self) -> Dim {
        if self.wanted.iter().flatten().next().is_none() {
            return Dim::lit(0);
        }
        let args = self.callee.args.iter().zip(&self.wanted);
        args.filter(|(ty, wanted)| ty.kind == Kind::Float && wanted.is_none())
            .fold(Dim::lit(0), |sum, (ty, _)| sum.plus(&ty.shape.len()))
    }

    fn emit_one(&self, e: &Emit) -> TokenStream {
        let (params, state, scratch) = (e.x(0), e.x(1), e.scratch());
        let (floats, classes) = self.split(&e.input_vars[2..][..self.callee.args.len()]);
        let count = self.callee.results.len();
        let results = &e.output_vars[..count];
        let (sizes, offsets) = (self.callee.sizes(), self.callee.offsets());
        if e.inference {
            let (infer, behind) = (self.callee.item("infer"), 2 + self.callee.args.len());
            let (cache, prepared) = match self.callee.steps {
                true => (Some(e.x(behind)).into_iter(), e.x(behind + 1)),
                false => (None.into_iter(), e.x(behind)),
            };
            return quote! {
                #infer(k, #sizes, #offsets, #params, #state, [#(#floats),*], [#(#classes),*],
                    [#(#results),*], #(#cache,)* #prepared, #scratch);
            };
        }
        let (train, saved) = (self.callee.item("train"), e.y(count + 1));
        let new_state = e.y(count + 2);
        quote! {
            #train(k, #sizes, #offsets, #params, #state, [#(#floats),*], [#(#classes),*],
                [#(#results),*], #saved, #new_state, #scratch);
        }
    }

    fn emit_grad(&self, e: &Emit) -> TokenStream {
        let (count, results) = (self.callee.args.len(), self.callee.results.len());
        let (params, d_params, scratch) = (e.x(0), e.y(0), e.scratch());
        let (floats, classes) = self.split(&e.input_vars[1..=count]);
        let outs = &e.input_vars[1 + count..][..results];
        let saved = e.x(1 + count + results + 1);
        let d_outs = &e.input_vars[1 + count + results + 2..];
        let mut gradients = e.output_vars[1..].iter();
        let any = self.wanted.iter().flatten().next().is_some();
        let mut at = self.own_scratch(false);
        let mut d_args = Vec::new();
        for (ty, wanted) in self.callee.args.iter().zip(&self.wanted) {
            d_args.extend(match (ty.kind, wanted) {
                (Kind::Float, Some(_)) => gradients.next().cloned(),
                (Kind::Float, None) if any => {
                    let (start, len) = (at.tokens(), ty.shape.len());
                    at = at.plus(&len);
                    let len = len.tokens();
                    Some(quote!(#scratch.part(#start, #len)))
                }
                (Kind::Float, None) => Some(quote!(#params.part(0, 0))),
                _ => None,
            });
        }
        let want = self.want();
        let (back, sizes, offsets) =
            (self.callee.item("back"), self.callee.sizes(), self.callee.offsets());
        let own = self.own_scratch(false).tokens();
        quote! {
            #back(k, #sizes, #offsets, #want, #params, [#(#floats),*], [#(#classes),*],
                [#(#outs),*], #saved, [#(#d_outs),*], #d_params, [#(#d_args),*],
                #scratch.part(0, #own));
        }
    }

    /// Whether the callee computes the gradients of its arguments.
    fn want(&self) -> TokenStream {
        if self.wanted.iter().flatten().any(|only| !only.0) {
            quote!(true)
        } else if self.wanted.iter().flatten().next().is_some() {
            quote!(want_inputs)
        } else {
            quote!(false)
        }
    }
}
