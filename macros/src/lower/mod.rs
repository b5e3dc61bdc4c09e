//! Phase 2: names and layers to ops. Building a node runs its shape rule at once, because
//! inferred sizes need the shapes; what failed is poison, and what poison feeds stays silent.

mod expr;
mod functions;
mod methods;
mod options;
mod sizes;

pub use methods::{flatten as methods_flatten, image};
pub use options::Options;
pub use sizes::{Scope, dim, shape};

use std::collections::{HashMap, HashSet};

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;

use crate::diagnostics::{Diagnostic, Diagnostics, counted, list};
use crate::dim::{Atom, Dim, Shape};
use crate::emit::Interface;
use crate::graph::{Dest, Graph, Kind, Source, Ty, ValueId};
use crate::layers;
use crate::ops::{Deferred, Mismatch, Op, Rule};
use crate::syntax::{FieldDecl, Function, ModelItem, TypeExpr, ambiguous};

/// A mistake that has been reported already.
#[derive(Debug, Clone, Copy)]
pub struct Poison;

pub type Lowering<T> = Result<T, Poison>;

/// A parameter of the model, in the order of the flat slice.
#[derive(Debug, Clone)]
pub struct Param {
    /// Behind the field's name: `weight`; empty for a free `Param` and for a nested model.
    pub name: String,
    pub shape: Shape,
    pub init: ParamInit,
}

#[derive(Debug, Clone)]
pub enum ParamInit {
    /// An `Init` expression of the runtime.
    Init(TokenStream),
    /// The parameters of a model, or of a row of them.
    Nested { model: TokenStream, count: Option<Dim> },
}

/// A function as the later phases see it.
#[derive(Debug)]
pub struct Lowered {
    pub name: Ident,
    pub args: Vec<Arg>,
    pub results: Vec<Ty>,
    pub graph: Graph,
    pub deferred: Vec<Deferred>,
}

#[derive(Debug, Clone)]
pub struct Arg {
    pub name: Ident,
    pub ty: Ty,
}

/// The model while its functions are lowered.
pub struct ModelCx<'a> {
    pub item: &'a ModelItem,
    pub diagnostics: &'a mut Diagnostics,
    /// Each field's parameters, declared at the field's first use; a flat index is handed out
    /// by [`ModelCx::param_index`].
    pub params: Vec<(usize, Param)>,
    /// Fields whose declaration has been reported as wrong.
    pub broken_fields: HashSet<usize>,
    pub consts: HashSet<String>,
    /// Names that are declared twice.
    pub ambiguous: HashSet<String>,
    /// The results of functions that do not state them, as their bodies make them.
    pub inferred: HashMap<String, Vec<Ty>>,
}

impl<'a> ModelCx<'a> {
    pub fn new(item: &'a ModelItem, diagnostics: &'a mut Diagnostics) -> Self {
        let generics = item.header.iter().flat_map(|header| header.generics.const_params());
        let consts = generics.map(|param| param.ident.to_string()).collect();
        let (params, broken_fields) = (Vec::new(), HashSet::new());
        let (ambiguous, inferred) = (ambiguous(item), HashMap::new());
        Self { item, diagnostics, params, broken_fields, consts, ambiguous, inferred }
    }

    pub fn field(&self, name: &str) -> Option<usize> {
        self.item.fields.iter().position(|field| field.name == name)
    }

    pub fn function(&self, name: &str) -> Option<&'a Function> {
        self.item.functions.iter().find(|function| function.name == name)
    }

    /// The index of a field's parameter, declared now if it is new.
    pub fn param_index(&mut self, field: usize, param: Param) -> usize {
        let known = self.params.iter().position(|(f, p)| *f == field && p.name == param.name);
        known.unwrap_or_else(|| {
            self.params.push((field, param));
            self.params.len() - 1
        })
    }

    pub fn report(&mut self, diagnostic: Diagnostic) -> Poison {
        self.diagnostics.push(diagnostic);
        Poison
    }
}

/// What a name of the body stands for.
#[derive(Debug, Clone)]
pub enum Item {
    Value(ValueId),
    Tuple(Vec<ValueId>),
    /// Something that was reported already.
    Poison,
}

/// A function while it is lowered.
pub struct FnCx<'a, 'm> {
    pub model: &'m mut ModelCx<'a>,
    pub graph: Graph,
    pub rule: Rule,
    pub names: HashMap<String, Item>,
    /// The run-time names in scope and what they stand for.
    pub sizes: HashMap<String, Dim>,
    /// The functions that are being written out in place, to find recursion.
    pub inlining: Vec<String>,
    pub calls: usize,
    /// A statement was wrong: what it would have used may be unused.
    pub failed: bool,
}

/// Lowers one function; what is wrong with it is in the diagnostics.
pub fn lower_function<'a>(model: &mut ModelCx<'a>, function: &'a Function) -> Option<Lowered> {
    let mut cx = FnCx::new(model);
    cx.inlining.push(function.name.to_string());
    let args = cx.declare_args(function);
    let results = cx.result_types(function);
    let made = cx.body(function);
    if let Some(span) = function.arrow_missing {
        cx.report_results(function, span, made.as_deref().unwrap_or_default());
        return None;
    }
    let (args, results, made) = (args.ok()?, results.ok()?, made.ok()?);
    cx.check_results(function, &results, &made).ok()?;
    if cx.failed {
        return None;
    }
    for (r, value) in made.iter().enumerate() {
        cx.graph.outputs.push((Dest::Result(r), *value));
    }
    cx.graph.remove_dead();
    cx.check_used(function).ok()?;
    let (graph, deferred) = (cx.graph, cx.rule.deferred);
    Some(Lowered { name: function.name.clone(), args, results, graph, deferred })
}

impl<'a, 'm> FnCx<'a, 'm> {
    fn new(model: &'m mut ModelCx<'a>) -> Self {
        Self {
            model,
            graph: Graph::default(),
            rule: Rule::new(),
            names: HashMap::new(),
            sizes: HashMap::new(),
            inlining: Vec::new(),
            calls: 0,
            failed: false,
        }
    }
}

impl<'a> FnCx<'a, '_> {
    fn declare_args(&mut self, function: &'a Function) -> Lowering<Vec<Arg>> {
        let mut args = Vec::new();
        let mut failed = false;
        self.declare_sizes(function);
        for (i, arg) in function.args.iter().enumerate() {
            let name = arg.name.to_string();
            match self.ty(&arg.ty) {
                Ok(ty) => {
                    let value = self.graph.add_value(ty.clone(), Source::Arg(i), &name);
                    self.graph.args.push(value);
                    self.names.insert(name, Item::Value(value));
                    args.push(Arg { name: arg.name.clone(), ty });
                }
                Err(Poison) => {
                    self.names.insert(name, Item::Poison);
                    failed = true;
                }
            }
        }
        if failed { Err(Poison) } else { Ok(args) }
    }

    /// A lower-case name in an argument's shape is a run-time size. Where an argument is broken, so
    /// is one in a result.
    fn declare_sizes(&mut self, function: &Function) {
        let broken = function.args.iter().any(|arg| arg.ty.broken);
        let results = function.returns.iter().filter(|_| broken);
        let types = function.args.iter().map(|arg| &arg.ty).chain(results);
        for size in types.flat_map(|ty| &ty.dims) {
            if let syn::Expr::Path(path) = size
                && let Some(name) = path.path.get_ident().map(ToString::to_string)
                && sizes::is_run_time_name(&name)
            {
                self.sizes.insert(name.clone(), Dim::atom(Atom::Run(name)));
            }
        }
    }

    /// A type that may be wrong: of one that is, the run-time size is kept.
    fn stub_ty(&mut self, ty: &TypeExpr) -> Ty {
        self.ty(ty).unwrap_or_else(|Poison| {
            let any_size = || self.sizes.values().next().cloned();
            let lead = match ty.dims.first() {
                Some(lead) => Some(dim(lead, &self.scope()).ok().or_else(any_size)),
                None => ty.broken.then(any_size),
            };
            let rest = ty.dims.iter().skip(1).map(|size| dim(size, &self.scope()).ok());
            let kind = if ty.classes { Kind::Classes } else { Kind::Float };
            match lead.into_iter().chain(rest).collect::<Option<Vec<_>>>() {
                Some(dims) if !ty.broken => Ty { shape: Shape(dims), kind },
                dims => {
                    let lead = dims.into_iter().flatten().take(1).collect();
                    Ty { shape: Shape(lead), kind: Kind::Unknown }
                }
            }
        })
    }

    fn result_types(&mut self, function: &Function) -> Lowering<Vec<Ty>> {
        let types: Vec<_> = function.returns.iter().map(|ty| self.result_type(ty)).collect();
        types.into_iter().collect()
    }

    fn result_type(&mut self, written: &TypeExpr) -> Lowering<Ty> {
        let ty = self.ty(written)?;
        if ty.kind == Kind::Float {
            return Ok(ty);
        }
        let error = Diagnostic::new(written.span, "a function returns numbers, not class indices");
        Err(self.model.report(error.help(format!("write `-> {}`", ty.shape))))
    }

    pub fn scope(&self) -> Scope<'_> {
        Scope { sizes: &self.sizes, consts: &self.model.consts, run_time: true }
    }

    pub fn ty(&mut self, ty: &TypeExpr) -> Lowering<Ty> {
        if ty.broken {
            return Err(Poison);
        }
        let shape = shape(&ty.dims, &self.scope());
        let shape = shape.map_err(|error| self.model.report(error))?;
        if let Some(late) = shape.0.iter().skip(1).find(|dim| dim.is_run_time()) {
            let help = "put the run-time size first; all others are constants";
            let text = format!("`{late}` is a run-time size, but not the first of {shape}");
            return Err(self.model.report(Diagnostic::new(ty.span, text).help(help)));
        }
        Ok(Ty { shape, kind: if ty.classes { Kind::Classes } else { Kind::Float } })
    }

    /// Says which results a function without `->` makes.
    fn report_results(&mut self, function: &Function, span: Span, made: &[ValueId]) {
        let types: Vec<Ty> = made.iter().map(|value| self.graph.ty(*value).clone()).collect();
        let help = match types.as_slice() {
            [] => "write `-> [batch, 10]`, or `-> []` for a number".into(),
            [one] => format!("write `-> {one}` before the body"),
            several => {
                let texts: Vec<_> = several.iter().map(Ty::to_string).collect();
                format!("write `-> ({})` before the body", texts.join(", "))
            }
        };
        let text = format!("`{}` does not say what it returns", function.name);
        self.model.report(Diagnostic::new(span, text).help(help));
        self.model.inferred.insert(function.name.to_string(), types);
    }

    fn check_results(
        &mut self,
        function: &Function,
        declared: &[Ty],
        made: &[ValueId],
    ) -> Lowering<()> {
        let name = &function.name;
        if declared.len() != made.len() {
            let text = format!(
                "`{name}` declares {}, but its body makes {}",
                counted(declared.len(), "result"),
                made.len()
            );
            let span = function.returns.first().map_or(function.body_span, |first| first.span);
            return Err(self.model.report(Diagnostic::new(span, text)));
        }
        self.rule.step = name.to_string();
        for ((declared, value), written) in declared.iter().zip(made).zip(&function.returns) {
            self.rule.span = written.span;
            let found = self.graph.ty(*value).clone();
            let fits = found.kind == declared.kind
                && self.rule.equal_shapes(&declared.shape, &found.shape);
            if !fits {
                let (text, arrow) = match self.model.item.derived {
                    false => (format!("`{name}` returns {declared}, but its body makes"), "->"),
                    true => (format!("the output is {declared}, but the layers make"), "output ="),
                };
                let error = Diagnostic::new(written.span, format!("{text} {found}"))
                    .help(format!("write `{arrow} {found}`, or change the last layer"))
                    .note(format!("shapes: {}", self.trail(*value)));
                return Err(self.model.report(error));
            }
        }
        Ok(())
    }

    /// Every input must reach a result.
    fn check_used(&mut self, function: &Function) -> Lowering<()> {
        let uses = self.graph.uses();
        let mut outcome = Ok(());
        for (i, (arg, value)) in function.args.iter().zip(&self.graph.args).enumerate() {
            let name = arg.name.to_string();
            if function.args[i + 1..].iter().any(|other| other.name == arg.name) {
                continue;
            }
            if uses[*value] == 0 && !name.starts_with('_') {
                let text =
                    format!("the input `{name}` does not reach the result of `{}`", function.name);
                outcome = Err(self
                    .model
                    .report(Diagnostic::new(arg.name.span(), text).help("use it, or take it out")));
            }
        }
        outcome
    }

    /// Adds a node; a refusal becomes a message about the current step.
    pub fn op(&mut self, op: impl Op + 'static, inputs: &[ValueId]) -> Lowering<ValueId> {
        Ok(self.ops(op, inputs)?[0])
    }

    pub fn ops(&mut self, op: impl Op + 'static, inputs: &[ValueId]) -> Lowering<Vec<ValueId>> {
        let op = std::rc::Rc::new(op);
        let phase = crate::graph::Phase::Forward;
        let result = self.graph.apply(&mut self.rule, op, inputs, phase);
        result.map_err(|mismatch| self.refuse(mismatch, inputs.first().copied()))
    }

    /// Reports that the current step does not accept its input.
    pub fn refuse(&mut self, mismatch: Mismatch, input: Option<ValueId>) -> Poison {
        let text = format!("`{}` {}", self.rule.step, mismatch.message);
        let mut error = Diagnostic::new(self.rule.span, text);
        if let Some(help) = mismatch.help {
            error = error.help(help);
        }
        if let Some(input) = input {
            error = error.note(format!("shapes: {} → {} ✗", self.trail(input), self.rule.step));
        }
        self.model.report(error)
    }

    /// Starts a step of the user's: what messages and nodes are called from here on.
    pub fn step(&mut self, name: &str, span: Span) {
        self.rule.step = name.to_string();
        self.rule.span = span;
        self.graph.label = name.to_string();
    }

    /// Ends a step: `value` is what `name` made from `from`.
    pub fn made(&mut self, value: ValueId, name: &str, from: Option<ValueId>) {
        if from != Some(value) {
            self.graph.values[value].label = name.to_string();
            self.graph.values[value].from = from;
        }
    }

    /// `image [batch, 784] → fc1 [batch, 128] → relu`
    pub fn trail(&self, value: ValueId) -> String {
        let mut steps = Vec::new();
        let mut next = Some(value);
        while let Some(v) = next {
            let value = &self.graph.values[v];
            let same = value.from.is_some_and(|from| self.graph.ty(from) == &value.ty);
            steps.push(match same {
                true => value.label.clone(),
                false => format!("{} {}", value.label, value.ty),
            });
            next = value.from;
        }
        if steps.len() > 7 {
            steps.truncate(6);
            steps.push("…".into());
        }
        steps.reverse();
        steps.join(" → ")
    }
}

/// Declares the parameters of the layers that no function could be lowered up to, as far as their
/// declarations say which: the stub of a model with mistakes has a view of each.
pub fn declare_unused(model: &mut ModelCx) {
    let mut muted = Diagnostics::default();
    let mut cx = ModelCx::new(model.item, &mut muted);
    cx.params = std::mem::take(&mut model.params);
    for (i, field) in model.item.fields.iter().enumerate() {
        if let FieldDecl::Layer(layer) = &field.decl
            && !cx.params.iter().any(|(owner, _)| *owner == i)
        {
            layers::declare(&mut FnCx::new(&mut cx), i, layer);
        }
    }
    model.params = cx.params;
}

/// The interface of a function, whatever its body is.
pub fn interface<'a>(model: &mut ModelCx<'a>, function: &'a Function) -> Interface {
    let default = model.item.header.as_ref().map(|header| header.vis.to_token_stream());
    let vis = function.vis.as_ref().map(ToTokens::to_token_stream).or(default);
    let mut cx = FnCx::new(model);
    cx.declare_sizes(function);
    let args =
        function.args.iter().map(|arg| Arg { name: arg.name.clone(), ty: cx.stub_ty(&arg.ty) });
    let args = args.collect();
    let results = match cx.model.inferred.remove(&function.name.to_string()) {
        Some(results) => results,
        None => function.returns.iter().map(|ty| cx.stub_ty(ty)).collect(),
    };
    let docs = function.attrs.iter().map(ToTokens::to_token_stream).collect();
    let vis = vis.unwrap_or_default();
    Interface { name: function.name.clone(), vis, docs, args, results }
}

/// Reports the fields that no function uses, and those that never reach a number to minimise.
pub fn check_fields(model: &mut ModelCx, functions: &[Lowered]) {
    let reached = |functions: &mut dyn Iterator<Item = &Lowered>| {
        let mut fields = HashSet::new();
        for function in functions {
            let uses = function.graph.uses();
            for (v, value) in function.graph.values.iter().enumerate() {
                if let Source::Param(index) = value.source
                    && uses[v] > 0
                {
                    fields.insert(model.params[index].0);
                }
            }
        }
        fields
    };
    if functions.is_empty() {
        return;
    }
    let used = reached(&mut functions.iter());
    let is_loss = |f: &&Lowered| f.results.len() == 1 && f.results[0].shape.rank() == 0;
    let losses: Vec<_> = functions.iter().filter(is_loss).map(|f| f.name.to_string()).collect();
    let trained = reached(&mut functions.iter().filter(is_loss));
    let (mut errors, mut untrained) = (Vec::new(), Vec::new());
    for (i, field) in model.item.fields.iter().enumerate() {
        let has_params = match &field.decl {
            FieldDecl::Layer(layer) => layers::has_params(&layer.path),
            FieldDecl::Model(_) | FieldDecl::Array(..) => true,
            FieldDecl::Broken => false,
        };
        let name = &field.name;
        if model.broken_fields.contains(&i) || !has_params {
            continue;
        }
        if !used.contains(&i) {
            let text = format!("the layer `{name}` is never used");
            let help = format!("call it as `self.{name}(x)`, or take it out");
            errors.push(Diagnostic::new(name.span(), text).help(help));
        } else if !losses.is_empty() && !trained.contains(&i) {
            untrained.push(name);
        }
    }
    if let Some(first) = untrained.first() {
        let names: Vec<_> = untrained.iter().map(ToString::to_string).collect();
        let text = format!("the parameters of {} do not reach {}", list(&names), list(&losses));
        let help = "they would never be trained: use them there, or take them out";
        errors.push(Diagnostic::new(first.span(), text).help(help));
    }
    errors.into_iter().for_each(|error| model.diagnostics.push(error));
}

/// The text of tokens without the spaces that token streams print.
pub fn text_of(tokens: &impl ToTokens) -> String {
    let text = tokens.to_token_stream().to_string();
    let mut tight = text;
    for (loose, close) in [
        (" < ", "<"),
        (" >", ">"),
        (" :: ", "::"),
        (" , ", ", "),
        (" ; ", "; "),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        (" . ", "."),
    ] {
        tight = tight.replace(loose, close);
    }
    tight
}
