//! `#[trains(critic)]` above a loss: which fields its gradient goes to.

use std::collections::BTreeMap;

use super::{Lowered, ModelCx};
use crate::diagnostics::{Diagnostic, list};
use crate::flow::{Flow, Flows};
use crate::graph::{are_losses, is_loss};
use crate::syntax::FieldDecl;

/// Reports what a loss is said to train and cannot, and functions that are none.
pub fn report_trains(model: &mut ModelCx, functions: &[Lowered]) {
    let mut errors = Vec::new();
    for function in functions {
        let Some(names) =
            model.function(&function.name.to_string()).and_then(|f| f.trains.as_ref())
        else {
            continue;
        };
        let loss = &function.name;
        let are_losses = are_losses(&function.results);
        if !is_loss(&function.results) && !are_losses {
            let text =
                format!("`{loss}` is no loss: what trains follows from gradients of its results");
            let help = "a loss returns a number, `[]`, or several; `detach` and `#[frozen]` say what trains \
                elsewhere";
            errors.push(Diagnostic::new(names[0].span(), text).help(help));
            continue;
        }
        let flows = Flows::new(&function.graph, |result| result == 0 || are_losses);
        // Whether a gradient may get there, of each field that is read.
        let mut reached: BTreeMap<usize, bool> = BTreeMap::new();
        for (param, flow) in flows.params(&function.graph) {
            let field = model.params[param].0;
            *reached.entry(field).or_default() |= !matches!(flow, Flow::No);
        }
        for name in names {
            let Some(field) = model.field(&name.to_string()) else { continue };
            let is_model =
                matches!(model.item.fields[field].decl, FieldDecl::Model(_) | FieldDecl::Array(..));
            let has_params = is_model || model.params.iter().any(|(owner, _)| *owner == field);
            let error = |text: String| Diagnostic::new(name.span(), text);
            errors.push(match reached.get(&field) {
                Some(true) => continue,
                _ if !has_params => {
                    let owners = (0..model.item.fields.len())
                        .filter(|field| model.params.iter().any(|(owner, _)| owner == field));
                    let owners: Vec<_> =
                        owners.map(|field| model.item.fields[field].name.to_string()).collect();
                    error(format!("`{name}` has no parameters that could be trained"))
                        .help(format!("those that have are {}", list(&owners)))
                }
                Some(false) => error(format!("no gradient gets from `{loss}` to `{name}`"))
                    .help("`detach` and operations with steps let none through"),
                None => error(format!("`{loss}` does not use `{name}`, which it is to train"))
                    .help(format!("use `self.{name}`, or take it out here")),
            });
        }
    }
    errors.into_iter().for_each(|error| model.diagnostics.push(error));
}
