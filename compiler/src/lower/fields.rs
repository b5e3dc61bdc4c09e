//! Layers that do nothing, and parameters that a loss reads without a gradient.

use std::collections::{BTreeMap, HashSet};

use proc_macro2::TokenStream;

use super::{Lowered, ModelCx};
use crate::declared::{Tensor, Trained};
use crate::diagnostics::{Diagnostic, Diagnostics, list};
use crate::flow::{Flow, Flows};
use crate::graph::{Source, is_loss};
use crate::hygiene::quote;
use crate::layers;
use crate::syntax::{FieldDecl, ModelItem};
use crate::text::text_of;

/// How the losses of a model read a field.
#[derive(Default)]
struct Reading {
    losses: Vec<String>,
    /// Set when a gradient gets there.
    is_reached: bool,
    /// Whether one does, where rustc has to say.
    perhaps: Vec<TokenStream>,
    /// What lets none through.
    flat: Vec<String>,
    /// Whether something is detached.
    detached: bool,
}

/// Reports the fields that no function uses, and those that losses read without ever training them.
/// What other functions read may be trained by gradients from outside, or not at all.
pub fn check_fields(model: &mut ModelCx, functions: &[Lowered]) -> Vec<Trained> {
    if functions.is_empty() {
        return Vec::new();
    }
    report_unused(model, functions);
    report_names(model);
    super::trains::report_trains(model, functions);
    let mut readings: BTreeMap<usize, Reading> = BTreeMap::new();
    for function in functions.iter().filter(|function| is_loss(&function.results)) {
        let flows = Flows::new(&function.graph, |result| result == 0);
        for (param, flow) in flows.params(&function.graph) {
            let reading = readings.entry(param).or_default();
            reading.losses.push(function.name.to_string());
            match flow {
                Flow::Yes => reading.is_reached = true,
                Flow::If(_) => reading.perhaps.push(flows.bound(&flow.tokens())),
                Flow::No => {
                    reading.flat.extend(flows.flat.iter().cloned());
                    reading.detached |= flows.detached;
                }
            }
        }
    }
    let mut trained = Vec::new();
    let (mut untrained, mut flat, mut losses) = (Vec::new(), Vec::new(), Vec::new());
    let mut detached = false;
    for (param, reading) in readings {
        let field = model.params[param].0;
        if reading.is_reached || model.broken_fields.contains(&field) {
            continue;
        }
        let perhaps = &reading.perhaps;
        if !perhaps.is_empty() {
            let (is_reached, losses) = (quote!(false #(| #perhaps)*), list(&reading.losses));
            trained.push(Trained { field, is_reached, losses });
            continue;
        }
        detached |= reading.detached;
        for (all, new) in [(&mut flat, reading.flat), (&mut losses, reading.losses)] {
            new.into_iter().for_each(|name| {
                if !all.contains(&name) {
                    all.push(name);
                }
            });
        }
        if !untrained.contains(&field) {
            untrained.push(field);
        }
    }
    untrained.sort_unstable();
    if let Some(first) = untrained.first() {
        let names = untrained.iter().map(|field| model.item.fields[*field].name.to_string());
        let names: Vec<_> = names.collect();
        let text = format!(
            "no gradient gets from {} to the parameters of {}",
            list(&losses),
            list(&names)
        );
        let steps = if flat.len() == 1 { "has steps, so its" } else { "have steps, so their" };
        let help = match (flat.is_empty(), detached) {
            (true, true) => {
                "`detach` lets none through; write `#[frozen]` above a field that is not \
                to be trained"
                    .into()
            }
            (_, true) => {
                format!("{} {steps} derivative is 0, and `detach` lets none through", list(&flat))
            }
            _ => format!("{} {steps} derivative is 0: they would never be trained", list(&flat)),
        };
        let span = model.item.fields[*first].name.span();
        model.diagnostics.push(Diagnostic::new(span, text).help(help));
    }
    trained
}

/// Tensors of two fields that have one name in files. What nested models call theirs, they know.
fn report_names(model: &mut ModelCx) {
    let params = model.params.iter().map(|(field, param)| (*field, param.name.as_str()));
    let state = model.state.iter().map(|(field, state)| (*field, state.name.as_str()));
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut errors = Vec::new();
    for (at, tensor) in params.chain(state) {
        let field = &model.item.fields[at];
        let is_nested = !matches!(field.decl, FieldDecl::Layer(_) | FieldDecl::Layers(..));
        let name = field.tensor_in_files(tensor);
        match seen.insert(name.clone(), at) {
            Some(other) if other != at && !is_nested => {
                let other = &model.item.fields[other];
                // Two fields of one name are a mistake that is reported already.
                if other.name_in_files() != field.name_in_files() {
                    let text = format!(
                        "`{}` and `{}` have a tensor `{name}` in files",
                        other.name, field.name
                    );
                    errors.push(Diagnostic::new(field.name.span(), text));
                }
            }
            _ => {}
        }
    }
    errors.into_iter().for_each(|error| model.diagnostics.push(error));
}

/// Fields that no function uses.
fn report_unused(model: &mut ModelCx, functions: &[Lowered]) {
    let mut used = HashSet::new();
    for function in functions {
        let uses = function.graph.uses();
        for (v, value) in function.graph.values.iter().enumerate() {
            match value.source {
                Source::Param(index) if uses[v] > 0 => used.insert(place(&model.params[index])),
                Source::State(index) if uses[v] > 0 => used.insert(place(&model.state[index])),
                _ => continue,
            };
        }
    }
    for (i, field) in model.item.fields.iter().enumerate() {
        let has_params = match &field.decl {
            FieldDecl::Layer(layer) | FieldDecl::Layers(layer, _) => {
                layers::has_params(&layer.path)
            }
            FieldDecl::Model(_) | FieldDecl::Array(..) => true,
            FieldDecl::Broken => false,
        };
        let owns = model.params.iter().map(|(owner, _)| owner);
        let owns = owns.chain(model.state.iter().map(|(owner, _)| owner)).any(|owner| *owner == i);
        // Options may leave a layer without parameters.
        let has_params = has_params && (owns || !model.applied.contains(&i));
        let name = &field.name;
        let is_value = |of: fn(&syn::Path) -> bool| match &field.decl {
            FieldDecl::Layer(layer) => of(&layer.path),
            _ => false,
        };
        let trains = has_params && !is_value(layers::is_buffer);
        if let Some(span) =
            field.frozen.filter(|_| !trains && !matches!(field.decl, FieldDecl::Broken))
        {
            let text = format!("`{name}` has no parameters that could be held fixed");
            model.diagnostics.push(Diagnostic::new(span, text).help("take `#[frozen]` out"));
        }
        if model.broken_fields.contains(&i) {
            continue;
        }
        if !has_params {
            if !model.applied.contains(&i) && !matches!(field.decl, FieldDecl::Broken) {
                super::lints::unused_layer(model, i);
            }
            continue;
        }
        let count = match &field.decl {
            FieldDecl::Layers(_, count) => *count,
            FieldDecl::Array(_, count) if model.named_alone.contains(&i) => {
                super::rows::number(count).unwrap_or(1)
            }
            _ => 1,
        };
        let is_used = |element: &usize| used.contains(&(i, *element));
        let unused: Vec<_> = (0..count).filter(|element| !is_used(element)).collect();
        let first = unused.first().filter(|_| unused.len() < count);
        if let Some(element) = first {
            let what = if matches!(field.decl, FieldDecl::Array(..)) { "model" } else { "layer" };
            let text = format!("the {what} `{name}[{element}]` is never used");
            let help = format!("call it, or declare {} {what}s", count - unused.len());
            model.diagnostics.push(Diagnostic::new(name.span(), text).help(help));
        } else if !unused.is_empty() {
            let (text, help) = match is_value(layers::is_value) {
                true => (
                    format!("the value `{name}` is never used"),
                    format!("use it as `self.{name}`, or take it out"),
                ),
                false => (
                    format!("the layer `{name}` is never used"),
                    format!("call it as `self.{name}(x)`, or take it out"),
                ),
            };
            model.diagnostics.push(Diagnostic::new(name.span(), text).help(help));
        }
    }
}

/// The field of a tensor, and which layer of a row has it.
fn place<T: Tensor>((field, tensor): &(usize, T)) -> (usize, usize) {
    (*field, tensor.element())
}

/// Reports fields whose types are layers without their parentheses, and leaves them broken.
pub fn check_layers(item: &mut ModelItem, diagnostics: &mut Diagnostics) {
    for field in &mut item.fields {
        let (path, count) = match &field.decl {
            FieldDecl::Model(syn::Type::Path(path)) => (path, None),
            FieldDecl::Array(syn::Type::Path(path), count) => (path, Some(text_of(count))),
            _ => continue,
        };
        if layers::is_layer(&path.path) {
            let layer = text_of(&path.path);
            let text = format!("`{layer}` is a layer of gradiron and is written with parentheses");
            let example = layers::example(&path.path);
            let example = match count {
                Some(count) => format!("[{example}; {count}]"),
                None => example,
            };
            let help = format!("write `{}: {example}`", field.name);
            diagnostics.push(Diagnostic::over(path, text).help(help));
            field.decl = FieldDecl::Broken;
        }
    }
}
