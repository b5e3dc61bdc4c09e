//! The compiler on one page: from text to a graph, through the passes of [`passes`], to Rust.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proc_macro2::{Ident, Span, TokenStream};

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::dump::Dump;
use crate::emit::{self, Function, Model, StepForm, Table};
use crate::graph::{Deferred, Graph};
use crate::lower::{self, Lowered, ModelCx, Siblings, check_fields, check_layers, lower_function};
use crate::passes::{self, About, Form, Watch};
use crate::syntax::{
    self, FieldDecl, ModelItem, check_item, distinct, limits, parse_models, reserved,
};

/// `model! { … }` to Rust.
pub fn expand(tokens: TokenStream) -> TokenStream {
    guarded(|diagnostics| {
        let mut items = parse_models(tokens, diagnostics);
        compile_all(&mut items, diagnostics)
    })
}

/// What [`expand`] finds wrong, for tools that look at more than its text.
pub fn mistakes(tokens: TokenStream) -> Vec<Diagnostic> {
    let mut diagnostics = Diagnostics::default();
    let mut items = parse_models(tokens, &mut diagnostics);
    compile_all(&mut items, &mut diagnostics);
    diagnostics.into_found()
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

/// The models of one `model!` to Rust, in the order of the text. What is wrong with them is in
/// `diagnostics`.
pub fn compile_all(items: &mut [ModelItem], diagnostics: &mut Diagnostics) -> TokenStream {
    for item in &mut *items {
        reserved::check(item, diagnostics);
        check_layers(item, diagnostics);
    }
    let order = order(items, diagnostics);
    let is_again = |at: usize| {
        let name = |item: &ModelItem| item.header.as_ref().map(|header| header.name.clone());
        let before = items[..at].iter().filter_map(name);
        name(&items[at]).is_some_and(|own| before.into_iter().any(|other| other == own))
    };
    // The second of two with one name would be the first once more.
    let order: Vec<_> = order.into_iter().filter(|at| !is_again(*at)).collect();
    let mut siblings = Siblings::default();
    let mut made: Vec<TokenStream> = vec![TokenStream::new(); items.len()];
    for at in order {
        if reserved::is_primitive(&items[at], diagnostics) {
            continue;
        }
        made[at] = compile_one(&items[at], &mut siblings, diagnostics);
    }
    made.into_iter().collect()
}

/// A parsed model that stands alone.
pub fn compile(item: &ModelItem, diagnostics: &mut Diagnostics) -> TokenStream {
    compile_one(item, &mut Siblings::default(), diagnostics)
}

fn compile_one(
    item: &ModelItem,
    siblings: &mut Siblings,
    diagnostics: &mut Diagnostics,
) -> TokenStream {
    let mut dump = Dump::requested();
    let mut model = analyse(item, siblings, diagnostics, &mut |seen| dump.see(seen));
    let (items, made) = (&item.items, emit::emit(&model));
    let rust = quote::quote!(#items #made);
    if dump.is_requested() {
        // What is there for editors alone has the places of the user's text, which a paste has not.
        model.mentions = Default::default();
        let made = emit::emit(&model);
        dump.write(&model, &quote::quote!(#items #made));
    }
    siblings.add(model.header, &model.interfaces);
    rust
}

/// The models in an order in which each follows those that are its fields. A field by which a model
/// holds itself is broken.
pub fn order(items: &mut [ModelItem], diagnostics: &mut Diagnostics) -> Vec<usize> {
    for (at, item) in items.iter().enumerate() {
        let Some(header) = &item.header else { continue };
        let before = items[..at].iter().filter_map(|item| item.header.as_ref());
        if before.into_iter().any(|other| other.name == header.name) {
            let text = format!("`{}` is declared twice", header.name);
            diagnostics.push(Diagnostic::new(header.name.span(), text).help("rename one of them"));
        }
    }
    let mut order = Vec::new();
    let mut state = vec![Visit::New; items.len()];
    (0..items.len()).for_each(|at| visit(at, items, &mut state, &mut order, diagnostics));
    order
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    /// Its fields are looked at.
    Open,
    Done,
}

fn visit(
    at: usize,
    items: &mut [ModelItem],
    state: &mut [Visit],
    order: &mut Vec<usize>,
    diagnostics: &mut Diagnostics,
) {
    if state[at] != Visit::New {
        return;
    }
    state[at] = Visit::Open;
    for f in 0..items[at].fields.len() {
        let field = &items[at].fields[f];
        let (FieldDecl::Model(ty) | FieldDecl::Array(ty, _)) = &field.decl else { continue };
        let Some(name) = lower::name_of(ty) else { continue };
        let is_named = |at: usize| items[at].header.as_ref().is_some_and(|h| h.name == *name);
        let found = (0..items.len()).find(|other| is_named(*other));
        let Some(other) = found.or_else(|| (name == "Self").then_some(at)) else { continue };
        if state[other] == Visit::Open {
            let holder = items[other].header.as_ref().map_or(name, |header| &header.name);
            let text = format!("`{holder}` holds itself, by the field `{}`", field.name);
            let error = Diagnostic::new(field.name.span(), text);
            diagnostics.push(error.help("a model that holds itself would have no end"));
            items[at].fields[f].decl = FieldDecl::Broken;
            continue;
        }
        visit(other, items, state, order, diagnostics);
    }
    state[at] = Visit::Done;
    order.push(at);
}

/// All passes but the emission of Rust.
pub fn analyse<'a>(
    item: &'a ModelItem,
    siblings: &Siblings,
    diagnostics: &mut Diagnostics,
    watch: Watch,
) -> Model<'a> {
    let name = item.header.as_ref().map(|header| &header.name);
    let name = name.or(item.functions.first().map(|function| &function.name));
    diagnostics.subject = name.map(Ident::span);
    diagnostics.phase = "check";
    check_item(item, diagnostics);
    let functions = match limits::is_within(item) {
        true => distinct(item),
        false => Vec::new(),
    };
    diagnostics.phase = "lower";
    let before = diagnostics.len();
    let mut cx = ModelCx::new(item, siblings, diagnostics);
    let mut lowered: Vec<_> = functions.iter().map(|f| lower_function(&mut cx, f)).collect();
    if !cx.misdeclared.is_empty() {
        // Again, with what follows from results that are not as they are declared left out.
        let misdeclared = std::mem::take(&mut cx.misdeclared);
        diagnostics.truncate(before);
        cx = ModelCx { misdeclared, ..ModelCx::new(item, siblings, diagnostics) };
        lowered = functions.iter().map(|f| lower_function(&mut cx, f)).collect();
    }
    let fails: Vec<bool> = lowered.iter().map(Option::is_none).collect();
    let failed =
        |name: &str| functions.iter().zip(&fails).any(|(f, fails)| *fails && f.name == name);
    cx.diagnostics.without_what_follows(failed);
    let lowered: Option<Vec<Lowered>> = lowered.into_iter().collect();
    lower::check_unapplied(&mut cx);
    let slip = syntax::slip(item).filter(|_| cx.diagnostics.len() > before);
    if let Some((name, meant)) = &slip {
        cx.diagnostics.truncate(before);
        for size in syntax::uses_of(item, name) {
            let text = format!("`{name}` is another size than `{meant}`");
            cx.diagnostics.push(Diagnostic::over(size, text).did_you_mean(size, meant).of_all());
        }
    }
    let trained = lowered.as_ref().map(|functions| check_fields(&mut cx, functions));
    if !cx.diagnostics.is_empty() {
        lower::declare_unused(&mut cx);
    }
    let lowered = lowered.filter(|_| cx.diagnostics.is_empty());
    let unified = lowered
        .and_then(|lowered| lower::unified(item, &functions, lowered, siblings, cx.diagnostics));
    let (lowered, facts) = unified.unzip();
    let facts = facts.unwrap_or_default();
    let interfaces = functions.iter().map(|f| lower::interface(&mut cx, f, &facts));
    let mut interfaces: Vec<_> = interfaces.collect();
    // A derived module is a trait, whose types are named.
    let with_mistakes =
        interfaces.iter_mut().zip(fails).filter(|(_, fails)| *fails && !item.derived);
    with_mistakes.for_each(|(interface, _)| interface.takes_anything());
    if let Some((name, meant)) = &slip {
        interfaces.iter_mut().for_each(|interface| interface.rename_size(name, meant));
    }
    let params = Table::new(std::mem::take(&mut cx.params));
    let state = Table::new(std::mem::take(&mut cx.state));
    let constants = std::mem::take(&mut cx.constants);
    let mentions = std::mem::take(&mut cx.mentions);
    let mut deferred = Vec::new();
    let functions = lowered.filter(|_| diagnostics.is_empty()).and_then(|lowered| {
        let functions = lowered.into_iter().map(|f| finish(f, &mut deferred, diagnostics, watch));
        functions.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>()
    });
    diagnostics.phase = "emit";
    let (header, bound) = (item.header.as_ref(), item.bound_sizes());
    let (fields, derived) = (&item.fields, item.derived);
    let trained = trained.unwrap_or_default();
    let mistake = (derived && functions.is_none()).then(|| diagnostics.as_type()).flatten();
    Model {
        header,
        derived,
        fields,
        params,
        state,
        constants,
        interfaces,
        functions,
        mistake,
        deferred,
        trained,
        bound,
        mentions,
    }
}

/// From the checked graph of a function to its planned forms.
fn finish(
    lowered: Lowered,
    deferred: &mut Vec<Deferred>,
    diagnostics: &mut Diagnostics,
    watch: Watch,
) -> Option<Function> {
    let Lowered { name, args, results, graph, calls, .. } = lowered;
    let Lowered { flows, trains, only, deferred: own, facts, step, .. } = lowered;
    let (needs, own): (Vec<_>, Vec<_>) = own.into_iter().partition(|new| new.what.is_of_run());
    for new in own {
        if !deferred.iter().any(|known| known.is_same(&new)) {
            deferred.push(new);
        }
    }
    let about = About { function: &name, length: step, facts: &facts };
    passes::show_lowered(&graph, &about, watch);
    let mut run =
        |form, graph: &Graph| passes::run(form, graph.clone(), &about, diagnostics, watch);
    let step = match &about.length {
        Some((length, _)) => {
            let (graph, plan, held) = run(Form::Step, &graph)?;
            Some(StepForm { length: length.clone(), held, graph, plan })
        }
        None => None,
    };
    let (train, train_plan, _) = run(Form::Train, &graph)?;
    let (infer, infer_plan, _) = run(Form::Infer, &graph)?;
    let (infer, train) = ((infer, infer_plan), (train, train_plan));
    Some(Function { name, args, results, calls, flows, trains, only, needs, infer, train, step })
}
