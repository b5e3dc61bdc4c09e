//! A call of another model's function, once or through a row of equal models.

mod row;

use std::rc::Rc;

use proc_macro2::TokenStream;

use super::elementwise::{Constant, Elementwise};
use super::{Backward, Callee, Emission, Emit, Mismatch, Op, Prepared, Rule, Transform};
use crate::dim::Dim;
use crate::graph::callee::{Given, GivenBack};
use crate::graph::step::{self, NEEDS_ALL, Step, Stepped};
use crate::graph::{Asked, Kind, Phase, Source, Ty, ValueId};
use crate::hygiene::quote;

/// Forward: `results, between, saved, new_state` from `params, state, args`, and in inference what
/// the models prepared; `between` holds the values between the models of a row. With `grad`:
/// `d_params, d_args` from `params, args, results, between, saved, d_results, state`; no `d_params`
/// where they are held fixed.
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
        self.callee.len().minus(&Dim::lit(1)).times(&value)
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
            let d_params = self.callee.asked.trains.then(|| inputs[0].clone());
            return Ok(d_params.into_iter().chain(d_args).collect());
        }
        let saved = |size: Dim| Ty { kind: Kind::Saved, ..Ty::float([size]) };
        let memory = self.callee.len().times(&self.callee.size_of("saved"));
        let extra = [saved(self.between()), saved(memory), inputs[1].clone()];
        Ok(self.callee.results.iter().cloned().chain(extra).collect())
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
        Some(quote!(#lengths()[#among]))
    }
}

impl Transform for Call {
    fn backward(&self, b: &mut Backward) {
        if self.grad {
            return b.none();
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
            .map(|i| b.wanted[2 + i].map(|phase| Only(phase == Phase::BackwardInputs)))
            .collect();
        let (params, args) = (b.inputs[0], &b.inputs[2..]);
        // A backward pass reads of the state what no pass changes, so it may be that of the start.
        let mut state = b.inputs[1];
        while let Source::Node(call, _) = b.graph.values[state].source {
            state = b.graph.nodes[call].inputs[1];
        }
        let made = &b.outputs[..results + 2];
        let inputs: Vec<_> = [params]
            .iter()
            .chain(args)
            .chain(made)
            .chain(&d_results)
            .chain([&state])
            .copied()
            .collect();
        let op = Self { grad: true, wanted: wanted.clone(), ..self.clone() };
        let mut gradients = b.ops(0, op, &inputs);
        if self.callee.asked.trains {
            b.set(0, gradients.remove(0));
        }
        let asked = (0..self.callee.args.len()).filter(|i| wanted[*i].is_some());
        for (i, gradient) in asked.zip(&gradients) {
            b.set(2 + i, *gradient);
        }
    }

    fn asked(&self, wanted: Option<&[Option<Phase>]>) -> Option<Rc<dyn Op>> {
        let asked = Asked::of(wanted.map(|wanted| (wanted[0], &wanted[2..])));
        let callee = Callee { asked, ..self.callee.clone() };
        Some(Rc::new(Self { callee, ..self.clone() }))
    }

    fn step(&self, s: &mut Step) -> Stepped {
        let axis = s.axes[2].ok_or(NEEDS_ALL)?;
        let stays = |ty: &Ty| ty.dims().get(axis).is_some_and(|dim| s.is_length(dim));
        if !self.callee.results.iter().all(stays) {
            return Err(NEEDS_ALL);
        }
        let mut op = self.clone();
        op.callee.is_step = true;
        op.callee.results.iter_mut().for_each(|ty| ty.shape.0[axis] = step::new());
        for (i, arg) in op.callee.args.iter_mut().enumerate() {
            if let Some(axis) = s.axes[2 + i] {
                arg.shape.0[axis] = step::new();
            }
        }
        let cache = s.kept(vec![self.callee.len().times(&op.callee.size_of("cache"))]);
        let inputs: Vec<_> = s.inputs.iter().copied().chain([cache]).collect();
        let results = op.callee.results.len();
        let made = s.apply(op, &inputs);
        Ok(made.into_iter().take(results).map(|value| (value, Some(axis))).collect())
    }

    fn prepared(&self, _: &[Ty]) -> Option<Prepared> {
        let (first, then) = (Rc::new(Prepare(self.callee.clone())), Rc::new(self.clone()));
        (!self.grad).then(|| Prepared { reads: vec![0, 1], first, then })
    }
}

impl Emission for Call {
    fn emit(&self, e: &Emit) -> TokenStream {
        match (self.grad, &self.callee.count) {
            (false, None) => self.emit_one(e),
            (false, Some(count)) => self.emit_row(e, count),
            (true, None) => self.emit_grad(e),
            (true, Some(count)) => self.emit_row_grad(e, count),
        }
    }

    /// The values between the models of a row.
    fn needs_output(&self, output: usize) -> bool {
        !self.grad && self.callee.count.is_some() && output == self.callee.results.len()
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        // The steps of the callee count by themselves.
        if self.callee.is_step {
            return Dim::lit(0);
        }
        let flops = self.callee.size_of("flops");
        let passes = if self.grad { 2 } else { 1 };
        self.callee.len().times(&flops).times(&Dim::lit(passes))
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

    /// What lies between the models of a row are activations as well.
    fn activation(&self, output: &Ty, k: usize) -> Option<Ty> {
        let between = (k == self.callee.results.len()).then(|| self.callee.results[0].clone());
        between.filter(|_| !self.grad).or((output.kind == Kind::Float).then(|| output.clone()))
    }
}

impl Op for Prepare {
    fn name(&self) -> String {
        let count = self.0.count.as_ref().map(|n| format!(" x {n}")).unwrap_or_default();
        format!("prepare {}{count}", self.0.text)
    }

    fn infer(&self, _: &mut Rule, _: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let len = self.0.len().times(&self.0.prepared());
        Ok(vec![Ty { kind: Kind::Saved, ..Ty::float([len]) }])
    }
}

impl Transform for Prepare {}

impl Emission for Prepare {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (prepared, params, state) = (e.y(0), e.x(0), e.x(1));
        let model = &self.0.model;
        let [size, state_size, len] =
            [self.0.params(), self.0.state(), self.0.prepared()].map(|dim| dim.tokens());
        match self.0.count.as_ref().map(Dim::tokens) {
            None => quote!(<#model>::__prepare(k, [#params, #state], #prepared);),
            Some(count) => quote! {
                for i in 0..#count {
                    k.item(i);
                    <#model>::__prepare(
                        k,
                        [#params.part(i * #size, #size), #state.part(i * #state_size, #state_size)],
                        #prepared.part(i * #len, #len),
                    );
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
        let (floats, classes) = self.split(&e.input_vars[2..][..self.callee.args.len()]);
        let count = self.callee.results.len();
        let given = Given {
            params: e.x(0).clone(),
            state: e.x(1).clone(),
            args: floats.into_iter().cloned().collect(),
            classes: classes.into_iter().cloned().collect(),
            results: e.output_vars[..count].to_vec(),
            scratch: e.scratch().clone(),
        };
        if e.inference {
            let (cache, prepared) = self.kept(e);
            return self.callee.infer(&given, [&cache, prepared]);
        }
        self.callee.forward(&given, [&self.saved(e), e.y(count + 2)])
    }

    /// What the forward pass saves: nothing where no backward pass reads it.
    fn saved(&self, e: &Emit) -> TokenStream {
        let at = self.callee.results.len() + 1;
        if e.used[at] { e.y(at).clone() } else { quote!(m.nothing()) }
    }

    /// The gradients of the parameters, and those of the arguments.
    fn gradients<'e>(&self, e: &'e Emit) -> (TokenStream, std::slice::Iter<'e, TokenStream>) {
        match self.callee.asked.trains {
            true => (e.y(0).clone(), e.output_vars[1..].iter()),
            false => (quote!(m.nothing()), e.output_vars.iter()),
        }
    }

    /// What a step keeps, nothing of whole sequences, and what was prepared.
    fn kept<'e>(&self, e: &'e Emit) -> (TokenStream, &'e TokenStream) {
        let behind = 2 + self.callee.args.len();
        match self.callee.is_step {
            true => (e.x(behind).clone(), e.x(behind + 1)),
            false => (quote!(m.nothing()), e.x(behind)),
        }
    }

    /// The state that a backward pass is given.
    fn state_of_grad<'e>(&self, e: &'e Emit) -> &'e TokenStream {
        e.input_vars.last().expect("the last input")
    }

    fn emit_grad(&self, e: &Emit) -> TokenStream {
        let (count, results) = (self.callee.args.len(), self.callee.results.len());
        let (params, scratch) = (e.x(0), e.scratch());
        let (floats, classes) = self.split(&e.input_vars[1..=count]);
        let (d_params, mut gradients) = self.gradients(e);
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
                (Kind::Float, None) => Some(quote!(m.nothing())),
                _ => None,
            });
        }
        let own = self.own_scratch(false).tokens();
        let given = Given {
            params: params.clone(),
            state: self.state_of_grad(e).clone(),
            args: floats.into_iter().cloned().collect(),
            classes: classes.into_iter().cloned().collect(),
            results: e.input_vars[1 + count..][..results].to_vec(),
            scratch: quote!(#scratch.part(0, #own)),
        };
        let back = GivenBack {
            want_inputs: self.want(),
            saved: e.x(1 + count + results + 1).clone(),
            d_results: e.input_vars[1 + count + results + 2..][..results].to_vec(),
            d_params,
            d_args,
        };
        self.callee.backward(&given, &back)
    }

    /// Whether the callee computes the gradients of its arguments.
    fn want(&self) -> TokenStream {
        if self.wanted.iter().flatten().any(|only| !only.0) {
            quote!(true)
        } else if self.wanted.iter().flatten().next().is_some() {
            quote!(want.inputs)
        } else {
            quote!(false)
        }
    }
}
