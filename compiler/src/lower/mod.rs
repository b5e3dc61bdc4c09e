//! Names and layers to ops. Building a node runs its shape rule at once, because
//! inferred sizes need the shapes; what failed is poison, and what poison feeds stays silent.

mod blocks;
mod bound;
mod call;
mod constants;
mod expr;
mod fields;
mod foreign;
mod functions;
mod interface;
mod known;
mod lints;
mod losses;
mod mentions;
mod methods;
mod nodes;
mod numbers;
mod options;
mod ranges;
mod results;
mod reveal;
mod rows;
mod scan;
mod siblings;
mod sizes;
mod trains;
mod unify;
mod weights;
pub mod work;

pub use bound::{Bound, bound};
pub use expr::is_self;
pub use fields::{check_fields, check_layers};
pub use foreign::explained;
pub use functions::{FUNCTIONS, Function as FunctionRow};
pub use interface::{check_unapplied, declare_unused, interface};
pub use mentions::Word;
pub use methods::{elementwise_rows, images, methods, names as method_names, shaping, values};
pub use options::{Options, number};
pub use ranges::is_too_large;
pub use siblings::{Siblings, name_of};
pub use sizes::{Scope, dim, shape};
pub use unify::{unified, with_length};
pub use work::Work;

pub use crate::declared::{Arg, Fixed, Param, ParamInit, State, StateInit};
pub use crate::range::Range;
pub use crate::text::text_of;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use proc_macro2::{Ident, Span, TokenStream};

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::dim::{Atom, Dim};
use crate::facts::Facts;
use crate::flow::{Flow, Flows};
use crate::graph::{Callee, Dest, Graph, Kind, Source, Ty, ValueId, is_loss};
use crate::mentions::Mentions;
use crate::names::is_run_time_name;
use crate::ops::{Deferred, Rule};
use crate::syntax::{Function, ModelItem, TypeExpr, ambiguous, run_time_names};

/// A mistake that has been reported already.
#[derive(Debug, Clone, Copy)]
pub struct Poison;

pub type Lowering<T> = Result<T, Poison>;

/// A function as the later phases see it.
#[derive(Debug)]
pub struct Lowered {
    pub name: Ident,
    pub args: Vec<Arg>,
    pub results: Vec<Ty>,
    pub graph: Graph,
    /// The calls of other models, with sizes as they are written: the graph has one form for those
    /// that are equal.
    pub calls: Vec<Callee>,
    /// Where gradients of the results get to, for models around this one.
    pub flows: TokenStream,
    /// Whether a gradient reaches a parameter: of a loss, its own.
    pub trains: bool,
    /// The fields that it goes to, where these are not all.
    pub only: Option<HashSet<usize>>,
    pub deferred: Vec<Deferred>,
    /// What is equal in it.
    pub facts: Facts,
    /// The size of the sequences of which the next positions run by themselves.
    pub step: Option<(Dim, Span)>,
}

/// The model while its functions are lowered.
pub struct ModelCx<'a> {
    pub item: &'a ModelItem,
    pub diagnostics: &'a mut Diagnostics,
    /// Each field's parameters, declared at the field's first use; a flat index is handed out
    /// by [`ModelCx::param_index`].
    pub params: Vec<(usize, Param)>,
    /// The same for the state.
    pub state: Vec<(usize, State)>,
    /// The arrays of the program's that bodies use as values, by index.
    pub constants: Vec<Fixed>,
    /// Fields whose declaration has been reported as wrong.
    pub broken_fields: HashSet<usize>,
    /// Functions that call themselves, which is reported once for all on the way.
    pub endless: HashSet<String>,
    /// Fields whose layer was applied.
    pub applied: HashSet<usize>,
    pub consts: HashSet<String>,
    /// Names that are declared twice.
    pub ambiguous: HashSet<String>,
    /// The results of functions that do not state them, as their bodies make them.
    pub inferred: HashMap<String, Vec<Ty>>,
    /// What is known to be equal.
    pub facts: Rc<Facts>,
    /// How much of all functions has been written out.
    pub work: Work,
    /// The other models of the same `model!`, as far as they are known.
    pub siblings: &'a Siblings,
    /// The rows of models of which one is named alone.
    pub named_alone: HashSet<usize>,
    /// Functions whose bodies make other results than they declare, which is reported: those that
    /// call them see what is declared.
    pub misdeclared: HashSet<String>,
    /// What the words of the text stand for.
    pub mentions: Mentions,
}

impl<'a> ModelCx<'a> {
    pub fn new(
        item: &'a ModelItem,
        siblings: &'a Siblings,
        diagnostics: &'a mut Diagnostics,
    ) -> Self {
        let generics = item.header.iter().flat_map(|header| header.generics.const_params());
        let consts = generics.map(|param| param.ident.to_string()).collect();
        let (params, state) = (Vec::new(), Vec::new());
        let (broken_fields, applied) = (HashSet::new(), HashSet::new());
        let (ambiguous, inferred) = (ambiguous(item), HashMap::new());
        Self {
            item,
            diagnostics,
            params,
            state,
            constants: Vec::new(),
            broken_fields,
            endless: HashSet::new(),
            applied,
            consts,
            ambiguous,
            inferred,
            facts: Rc::default(),
            work: Work::default(),
            siblings,
            named_alone: rows::named_alone(item),
            misdeclared: HashSet::new(),
            mentions: Mentions::default(),
        }
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

    /// The same for a tensor of the state.
    pub fn state_index(&mut self, field: usize, state: State) -> usize {
        let known = self.state.iter().position(|(f, s)| *f == field && s.name == state.name);
        known.unwrap_or_else(|| {
            self.state.push((field, state));
            self.state.len() - 1
        })
    }

    pub fn report(&mut self, diagnostic: Diagnostic) -> Poison {
        self.diagnostics.push(diagnostic);
        Poison
    }
}

/// Said of the branches of a derived module's container.
const BRANCHES: &str = "branches give one shape; what is in a `Residual` gives the shape that it \
                        takes, or stands beside a second type that gives its own";

/// Said of a value of more than 2^40 numbers.
pub const TOO_LARGE: &str = "this is more than any memory holds";

/// What a name of the body stands for.
#[derive(Debug, Clone)]
pub enum Item {
    Value(ValueId),
    Tuple(Vec<ValueId>),
    /// The constant of a loop.
    Number(usize),
    /// A layer of a row: its field and its place.
    Layer(usize, usize),
    /// Something that was reported already.
    Poison,
}

/// A function while it is lowered.
pub struct FnCx<'a, 'm> {
    pub model: &'m mut ModelCx<'a>,
    pub graph: Graph,
    pub rule: Rule,
    pub names: HashMap<String, Item>,
    /// What the names that the open blocks bind stood for before.
    pub scopes: Vec<HashMap<String, Option<Item>>>,
    /// The run-time names in scope and what they stand for, and the constants of loops.
    pub sizes: HashMap<String, Dim>,
    /// The present values of the state that layers have changed, by index.
    pub state: BTreeMap<usize, ValueId>,
    /// The fields that the gradient goes to, where these are not all.
    pub only: Option<HashSet<usize>>,
    /// The functions that are being written out in place, to find recursion.
    pub inlining: Vec<String>,
    pub calls: usize,
    /// Results of other models that nothing states: what is called, `enc` or `enc.encode`.
    pub assumed: HashMap<ValueId, String>,
    /// How deep expressions and calls are in each other.
    pub depth: usize,
    /// The numbers of the names that values are bound to.
    pub bound: HashMap<(String, ValueId), usize>,
    /// What lints ask of the nodes.
    pub seen: lints::Seen,
    /// A statement was wrong: what it would have used may be unused.
    pub failed: bool,
    /// What a layer is called with, as it is written.
    pub argument: Option<syn::Expr>,
}

/// Lowers one function; what is wrong with it is in the diagnostics.
pub fn lower_function<'a>(model: &mut ModelCx<'a>, function: &'a Function) -> Option<Lowered> {
    let mut cx = FnCx::new(model);
    cx.inlining.push(function.name.to_string());
    cx.seen.allow = lints::allowed(cx.model.item, function);
    cx.only = function
        .trains
        .as_ref()
        .map(|names| names.iter().filter_map(|name| cx.model.field(&name.to_string())).collect());
    let args = cx.declare_args(function);
    let results = match function.returns_guess {
        true => Ok(Vec::new()),
        false => cx.result_types(function),
    };
    let made = cx.body(function);
    if let Some(span) = function.arrow_missing {
        cx.report_results(function, span, made.as_deref().unwrap_or_default());
        return None;
    }
    let (args, mut results, made) = (args.ok()?, results.ok()?, made.ok()?);
    match function.returns_guess {
        true => results = cx.infer_results(function, &made),
        false => cx.check_results(function, &results, &made).ok()?,
    }
    if cx.failed {
        return None;
    }
    for (r, value) in made.iter().enumerate() {
        cx.graph.outputs.push((Dest::Result(r), *value));
    }
    for (s, value) in std::mem::take(&mut cx.state) {
        cx.graph.outputs.push((Dest::NewState(s), value));
    }
    cx.graph.remove_dead();
    if cx.model.misdeclared.is_empty() {
        cx.check_used(function).ok()?;
    }
    cx.lint(function, &results);
    let step = match &function.step {
        Some(size) => {
            Some((cx.step_length(function, size).ok()?, syn::spanned::Spanned::span(size)))
        }
        None => None,
    };
    let (graph, deferred, only) = (cx.graph, cx.rule.deferred, cx.only);
    let field = |p: usize| model.item.fields[model.params[p].0].name.to_string();
    let flows = Flows::new(&graph, |_| true).item(&graph, field);
    let from = Flows::new(&graph, |r| r == 0 || !is_loss(&results));
    let trains = from.params(&graph).any(|(_, flow)| !matches!(flow, Flow::No));
    let name = function.name.clone();
    let facts = Facts::default();
    let calls = graph.nodes.iter().filter_map(|node| node.op.callee()).cloned().collect();
    Some(Lowered { name, args, results, graph, calls, flows, trains, only, deferred, facts, step })
}

impl<'a, 'm> FnCx<'a, 'm> {
    fn new(model: &'m mut ModelCx<'a>) -> Self {
        let graph = Graph { facts: Rc::clone(&model.facts), ..Graph::default() };
        Self {
            model,
            graph,
            rule: Rule::default(),
            names: HashMap::new(),
            scopes: Vec::new(),
            sizes: HashMap::new(),
            state: BTreeMap::new(),
            only: None,
            inlining: Vec::new(),
            calls: 0,
            assumed: HashMap::new(),
            depth: 0,
            bound: HashMap::new(),
            seen: lints::Seen::default(),
            failed: false,
            argument: None,
        }
    }
}

impl<'a> FnCx<'a, '_> {
    /// A function of the same model without arguments: what is made in it is nowhere, but for what
    /// it declares.
    pub fn apart(&mut self) -> FnCx<'a, '_> {
        FnCx::new(self.model)
    }

    fn declare_args(&mut self, function: &'a Function) -> Lowering<Vec<Arg>> {
        let mut args = Vec::new();
        let mut failed = false;
        self.declare_sizes(function);
        for (i, arg) in function.args.iter().enumerate() {
            let name = arg.name.to_string();
            let ty = self.ty(&arg.ty).and_then(|ty| {
                self.has_largest(&ty, arg.ty.span)?;
                Ok(ty)
            });
            match ty {
                Ok(ty) => {
                    let value = self.graph.add_value(ty.clone(), Source::Arg(i), &name);
                    self.graph.args.push(value);
                    self.mention_bound(&arg.name, value);
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
                && is_run_time_name(&name)
            {
                self.sizes.insert(name.clone(), Dim::atom(Atom::Run(name)));
            }
        }
    }

    /// The size of `#[step(CONTEXT)]`.
    fn step_length(&mut self, function: &Function, size: &syn::Expr) -> Lowering<Dim> {
        let types = function.args.iter().map(|arg| &arg.ty).chain(&function.returns);
        let behind = |ty: &TypeExpr| {
            let sizes = ty.dims.iter().skip(1).filter_map(|size| dim(size, &self.scope()).ok());
            sizes.into_iter().any(|size| size.is_run_time())
        };
        let text = if types.into_iter().any(behind) {
            "a function that runs step by step has its run-time size first"
        } else if self.model.item.header.is_none() {
            "`step` belongs above a function of a struct"
        } else if self.sizes.len() > 1 {
            "a function that runs step by step has one run-time size, that of its batch"
        } else if self.run_time_names() > 2 {
            "a model with a function that runs step by step has at most two run-time sizes"
        } else {
            let length = dim(size, &Scope { run_time: false, ..self.scope() });
            let length = self.ok(length)?;
            return self.at_least(length, 1, "a step's context", syn::spanned::Spanned::span(size));
        };
        Err(self.model.report(Diagnostic::over(size, text)))
    }

    /// How many run-time sizes the model has.
    fn run_time_names(&self) -> usize {
        run_time_names(self.model.item).len()
    }

    pub fn scope(&self) -> Scope<'_> {
        let (consts, facts) = (&self.model.consts, &self.model.facts);
        Scope { sizes: &self.sizes, consts, facts, item: self.model.item, run_time: true }
    }

    pub fn ty(&mut self, ty: &TypeExpr) -> Lowering<Ty> {
        if ty.broken {
            return Err(Poison);
        }
        let shape = shape(&ty.dims, &self.scope());
        let shape = shape.map_err(|error| self.model.report(error))?;
        for (size, written) in shape.0.iter().zip(&ty.dims) {
            let span = syn::spanned::Spanned::span(written);
            self.at_least(size.clone(), 1, "a size", span)?;
        }
        if is_too_large(&shape) {
            return Err(self.model.report(Diagnostic::new(ty.span, TOO_LARGE)));
        }
        let before = std::mem::replace(&mut self.rule.span, ty.span);
        self.rule.defer_memory(&shape, || format!("a value of shape {shape}"));
        self.rule.span = before;
        self.few_axes(&shape, ty.span)?;
        Ok(Ty { shape, kind: if ty.classes { Kind::Classes } else { Kind::Float } })
    }
}
