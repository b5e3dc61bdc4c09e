//! Layers that do nothing.

use std::collections::HashSet;

use super::{Lowered, ModelCx};
use crate::diagnostics::{Diagnostic, list};
use crate::graph::{Source, is_loss};
use crate::layers;
use crate::syntax::FieldDecl;

/// Reports the fields that no function uses, and those that never reach a number to minimise.
pub fn check_fields(model: &mut ModelCx, functions: &[Lowered]) {
    let reached = |functions: &mut dyn Iterator<Item = &Lowered>| {
        let mut fields = HashSet::new();
        for function in functions {
            let uses = function.graph.uses();
            for (v, value) in function.graph.values.iter().enumerate() {
                match value.source {
                    Source::Param(index) if uses[v] > 0 => fields.insert(model.params[index].0),
                    Source::State(index) if uses[v] > 0 => fields.insert(model.state[index].0),
                    _ => continue,
                };
            }
        }
        fields
    };
    if functions.is_empty() {
        return;
    }
    let used = reached(&mut functions.iter());
    let is_loss = |f: &&Lowered| is_loss(&f.results);
    let losses: Vec<_> = functions.iter().filter(is_loss).map(|f| f.name.to_string()).collect();
    let trained = reached(&mut functions.iter().filter(is_loss));
    let (mut errors, mut untrained) = (Vec::new(), Vec::new());
    for (i, field) in model.item.fields.iter().enumerate() {
        let has_params = match &field.decl {
            FieldDecl::Layer(layer) => layers::has_params(&layer.path),
            FieldDecl::Model(_) | FieldDecl::Array(..) => true,
            FieldDecl::Broken => false,
        };
        let owns = model.params.iter().map(|(owner, _)| owner);
        let owns = owns.chain(model.state.iter().map(|(owner, _)| owner)).any(|owner| *owner == i);
        // Options may leave a layer without parameters.
        let has_params = has_params && (owns || !model.applied.contains(&i));
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
