//! The compiler on one page: the phases in their order.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proc_macro2::{Ident, Span, TokenStream};

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::differentiate::differentiate;
use crate::dim::Dim;
use crate::emit::{self, Function, Model, StepForm, Table};
use crate::expand::expand_ops;
use crate::fuse::fuse;
use crate::graph::Graph;
use crate::lower::{self, Lowered, ModelCx, check_fields, lower_function};
use crate::ops::Deferred;
use crate::plan::{Plan, plan};
use crate::prepare::prepare;
use crate::step::{Held, Refused, stepwise};
use crate::store::store;
use crate::syntax::{ModelItem, check_item, distinct, parse_model};

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

/// A parsed model to Rust; what is wrong with it is in `diagnostics`.
pub fn compile(item: &ModelItem, diagnostics: &mut Diagnostics) -> TokenStream {
    let name = item.header.as_ref().map(|header| &header.name);
    let name = name.or(item.functions.first().map(|function| &function.name));
    diagnostics.subject = name.map(Ident::span);
    diagnostics.phase = "check";
    check_item(item, diagnostics);
    let functions = distinct(&item.functions);
    diagnostics.phase = "lower";
    let mut cx = ModelCx::new(item, diagnostics);
    let lowered: Vec<_> = functions.iter().map(|f| lower_function(&mut cx, f)).collect();
    let lowered: Option<Vec<Lowered>> = lowered.into_iter().collect();
    if let Some(functions) = &lowered {
        check_fields(&mut cx, functions);
    }
    if !cx.diagnostics.is_empty() {
        lower::declare_unused(&mut cx);
    }
    let interfaces = functions.iter().map(|f| lower::interface(&mut cx, f)).collect();
    let params = Table::new(std::mem::take(&mut cx.params));
    let state = Table::new(std::mem::take(&mut cx.state));
    let mut deferred = Vec::new();
    let functions = lowered.filter(|_| diagnostics.is_empty()).and_then(|lowered| {
        let functions = lowered.into_iter().map(|f| finish(f, &mut deferred, diagnostics));
        functions.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>()
    });
    diagnostics.phase = "emit";
    let header = item.header.as_ref();
    let (fields, derived) = (&item.fields, item.derived);
    let model = Model { header, derived, fields, params, state, interfaces, functions, deferred };
    let rust = emit::emit(&model);
    crate::dump::dump(&model, &rust);
    rust
}

/// From the checked graph of a function to its two planned ones.
fn finish(
    lowered: Lowered,
    deferred: &mut Vec<Deferred>,
    diagnostics: &mut Diagnostics,
) -> Option<Function> {
    let Lowered { name, args, results, graph, deferred: own, step } = lowered;
    for new in own {
        if !deferred.iter().any(|known| known.is_same(&new)) {
            deferred.push(new);
        }
    }
    verified(&graph);
    diagnostics.phase = "step";
    let step = match step.map(|(length, span)| stepped(&graph, &name, length, span)) {
        Some(Err(error)) => {
            diagnostics.push(error);
            return None;
        }
        Some(Ok((length, graph, held))) => Some((length, held, planned(graph, true, diagnostics))),
        None => None,
    };
    diagnostics.phase = "differentiate";
    let backward = match differentiate(&graph) {
        Ok(backward) => backward,
        Err(op) => {
            let text =
                format!("`{op}` has no derivative, but lies between a parameter and `{name}`");
            diagnostics.push(Diagnostic::new(name.span(), text));
            return None;
        }
    };
    verified(&backward);
    let infer = planned(graph, true, diagnostics);
    let train = planned(backward, false, diagnostics);
    let step = step.map(|(length, held, (graph, plan))| StepForm { length, held, graph, plan });
    Some(Function { name, args, results, infer, train, step })
}

/// The run of a function on the next positions of its sequences.
fn stepped(
    graph: &Graph,
    name: &Ident,
    length: Dim,
    span: Span,
) -> Result<(Dim, Graph, Held), Diagnostic> {
    let refused = |Refused { text, help }| {
        let error = Diagnostic::new(span, format!("`{name}` cannot run step by step: {text}"));
        match help {
            Some(help) => error.help(help),
            None => error,
        }
    };
    let (graph, held) = stepwise(graph, &length).map_err(refused)?;
    verified(&graph);
    Ok((length, graph, held))
}

fn planned(mut graph: Graph, inference: bool, diagnostics: &mut Diagnostics) -> (Graph, Plan) {
    diagnostics.phase = "expand";
    expand_ops(&mut graph, inference);
    verified(&graph);
    if inference {
        diagnostics.phase = "prepare";
        prepare(&mut graph);
        verified(&graph);
    }
    diagnostics.phase = "fuse";
    fuse(&mut graph);
    verified(&graph);
    if !inference {
        diagnostics.phase = "store";
        store(&mut graph);
        verified(&graph);
    }
    diagnostics.phase = "plan";
    let plan = plan(&graph, inference);
    (graph, plan)
}

/// A broken graph is a bug of the macro, and says so.
fn verified(graph: &Graph) {
    if let Err(broken) = graph.verify() {
        panic!("{broken}\n{}", graph.text());
    }
}
