//! The compiler on one page: the phases in their order.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proc_macro2::{Ident, Span, TokenStream};

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::differentiate::differentiate;
use crate::dim::Dim;
use crate::emit::{self, Function, Model, StepForm, Table};
use crate::expand::expand_ops;
use crate::facts::Facts;
use crate::fuse::fuse;
use crate::graph::Graph;
use crate::lower::{self, Lowered, ModelCx, check_fields, lower_function};
use crate::ops::Deferred;
use crate::plan::{Plan, plan};
use crate::prepare::prepare;
use crate::step::{Held, Refused, stepwise};
use crate::store::store;
use crate::syntax::{ModelItem, check_item, distinct, limits, parse_model};

/// `model! { … }` to Rust.
pub fn expand(tokens: TokenStream) -> TokenStream {
    guarded(|diagnostics| {
        let item = parse_model(tokens, diagnostics);
        compile(&item, diagnostics)
    })
}

/// The errors and the Rust of `work`; a panic of ours is an error like others.
pub fn guarded(work: impl FnOnce(&mut Diagnostics) -> TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    diagnostics.phase = "parse";
    let caught = catch_unwind(AssertUnwindSafe(|| work(&mut diagnostics)));
    let expansion = caught.unwrap_or_else(|panic| {
        let text = format!("a bug of gradiron, in `{}`: {}", diagnostics.phase, message(&*panic));
        let help = "please report it together with this model";
        let span = diagnostics.subject.unwrap_or_else(Span::call_site);
        diagnostics.push(Diagnostic::new(span, text).help(help));
        TokenStream::new()
    });
    let errors = diagnostics.emit();
    quote::quote!(#errors #expansion)
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or(panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic")
}

/// Which run of a function a graph is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    Infer,
    Train,
    /// Inference of the next positions of sequences.
    Step,
}

/// A graph behind a pass: what tests look at.
#[derive(Debug)]
pub struct Seen<'a> {
    pub function: &'a Ident,
    pub form: Form,
    pub pass: &'static str,
    pub graph: &'a Graph,
}

/// Is shown every graph behind every pass.
pub type Watch<'a> = &'a mut dyn FnMut(&Seen);

/// A parsed model to Rust; what is wrong with it is in `diagnostics`.
pub fn compile(item: &ModelItem, diagnostics: &mut Diagnostics) -> TokenStream {
    let model = analyse(item, diagnostics, &mut |_| {});
    let rust = emit::emit(&model);
    crate::dump::dump(&model, &rust);
    rust
}

/// All passes but the emission of Rust.
pub fn analyse<'a>(item: &'a ModelItem, diagnostics: &mut Diagnostics, watch: Watch) -> Model<'a> {
    let name = item.header.as_ref().map(|header| &header.name);
    let name = name.or(item.functions.first().map(|function| &function.name));
    diagnostics.subject = name.map(Ident::span);
    diagnostics.phase = "check";
    check_item(item, diagnostics);
    let functions = match limits::is_within(item) {
        true => distinct(&item.functions),
        false => Vec::new(),
    };
    diagnostics.phase = "lower";
    let mut cx = ModelCx::new(item, diagnostics);
    let lowered: Vec<_> = functions.iter().map(|f| lower_function(&mut cx, f)).collect();
    let lowered: Option<Vec<Lowered>> = lowered.into_iter().collect();
    let trained = lowered.as_ref().map(|functions| check_fields(&mut cx, functions));
    if !cx.diagnostics.is_empty() {
        lower::declare_unused(&mut cx);
    }
    let lowered = lowered.filter(|_| cx.diagnostics.is_empty());
    let unified =
        lowered.and_then(|lowered| lower::unified(item, &functions, lowered, cx.diagnostics));
    let (lowered, facts) = unified.unzip();
    let facts = facts.unwrap_or_default();
    let interfaces = functions.iter().map(|f| lower::interface(&mut cx, f, &facts)).collect();
    let params = Table::new(std::mem::take(&mut cx.params));
    let state = Table::new(std::mem::take(&mut cx.state));
    let mut deferred = Vec::new();
    let functions = lowered.filter(|_| diagnostics.is_empty()).and_then(|lowered| {
        let functions =
            lowered.into_iter().map(|f| finish(f, &facts, &mut deferred, diagnostics, watch));
        functions.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>()
    });
    diagnostics.phase = "emit";
    let header = item.header.as_ref();
    let (fields, derived) = (&item.fields, item.derived);
    let trained = trained.unwrap_or_default();
    Model { header, derived, fields, params, state, interfaces, functions, deferred, trained }
}

/// From the checked graph of a function to its two planned ones.
fn finish(
    lowered: Lowered,
    facts: &Facts,
    deferred: &mut Vec<Deferred>,
    diagnostics: &mut Diagnostics,
    watch: Watch,
) -> Option<Function> {
    let Lowered { name, args, results, graph, flows, trains, deferred: own, step } = lowered;
    for new in own {
        if !deferred.iter().any(|known| known.is_same(&new)) {
            deferred.push(new);
        }
    }
    let mut passed = Passed { function: name.clone(), form: Form::Infer, diagnostics, watch };
    passed.end("lower", &graph);
    passed.form = Form::Step;
    passed.begin("step");
    let step = match step.map(|(length, span)| stepped(&graph, &name, length, span, facts)) {
        Some(Err(error)) => {
            diagnostics.push(error);
            return None;
        }
        Some(Ok((length, graph, held))) => {
            passed.end("step", &graph);
            Some((length, held, planned(graph, &mut passed)))
        }
        None => None,
    };
    passed.form = Form::Train;
    passed.begin("differentiate");
    let backward = match differentiate(&graph) {
        Ok(backward) => backward,
        Err(op) => {
            let text =
                format!("`{op}` has no derivative, but lies between a parameter and `{name}`");
            diagnostics.push(Diagnostic::new(name.span(), text));
            return None;
        }
    };
    passed.end("differentiate", &backward);
    let train = planned(backward, &mut passed);
    passed.form = Form::Infer;
    let infer = planned(graph, &mut passed);
    let step = step.map(|(length, held, (graph, plan))| StepForm { length, held, graph, plan });
    Some(Function { name, args, results, flows, trains, infer, train, step })
}

/// The run of a function on the next positions of its sequences.
fn stepped(
    graph: &Graph,
    name: &Ident,
    length: Dim,
    span: Span,
    facts: &Facts,
) -> Result<(Dim, Graph, Held), Diagnostic> {
    let refused = |Refused { text, help }| {
        let error = Diagnostic::new(span, format!("`{name}` cannot run step by step: {text}"));
        match help {
            Some(help) => error.help(help),
            None => error,
        }
    };
    let (graph, held) = stepwise(graph, &facts.canonical(&length)).map_err(refused)?;
    Ok((length, graph, held))
}

/// The passes of one graph, each verified and shown.
struct Passed<'a, 'w> {
    function: Ident,
    form: Form,
    diagnostics: &'a mut Diagnostics,
    watch: Watch<'w>,
}

impl Passed<'_, '_> {
    fn begin(&mut self, pass: &'static str) {
        self.diagnostics.phase = pass;
    }

    fn end(&mut self, pass: &'static str, graph: &Graph) {
        verified(graph);
        (self.watch)(&Seen { function: &self.function, form: self.form, pass, graph });
    }
}

/// A pass over a graph in place.
type InPlace = fn(&mut Graph, bool);

/// The passes behind lowering and differentiation, in their order; those that do nothing for a form
/// are left out there.
const PASSES: [(&str, InPlace, &[Form]); 4] = [
    ("expand", expand_ops, &[Form::Infer, Form::Train, Form::Step]),
    ("prepare", |graph, _| prepare(graph), &[Form::Infer, Form::Step]),
    ("fuse", |graph, _| fuse(graph), &[Form::Infer, Form::Train, Form::Step]),
    ("store", |graph, _| store(graph), &[Form::Train]),
];

fn planned(mut graph: Graph, passed: &mut Passed) -> (Graph, Plan) {
    let form = passed.form;
    let inference = form != Form::Train;
    for (name, pass, _) in PASSES.iter().filter(|(_, _, forms)| forms.contains(&form)) {
        passed.begin(name);
        pass(&mut graph, inference);
        passed.end(name, &graph);
    }
    passed.begin("plan");
    let plan = plan(&graph, inference);
    (graph, plan)
}

/// A broken graph is a bug of the macro, and says so.
fn verified(graph: &Graph) {
    if let Err(broken) = graph.verify() {
        panic!("{broken}\n{}", graph.text());
    }
}
