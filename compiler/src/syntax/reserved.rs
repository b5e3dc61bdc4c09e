//! Names of fields and functions that generated code needs for itself.

use proc_macro2::Ident;

use super::{Field, FieldDecl, Function, Header, ModelItem, PRIMITIVES};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::names::plain;

/// What each model has, whatever its functions are.
pub const OF_MODELS: [&str; 8] = [
    "PARAMS",
    "flops",
    "footprint",
    "infer_workspace",
    "infer_workspace_on",
    "init",
    "workspace",
    "workspace_on",
];

/// The methods of the runtime's trait `Model`, and those of traits that each model has: another
/// method of the name would stand before them.
pub const OF_TRAITS: [&str; 22] = [
    "clone",
    "copy_from",
    "fetch",
    "lerp",
    "load",
    "load_except",
    "load_from",
    "param_specs",
    "params",
    "params_mut",
    "save",
    "select",
    "select_mut",
    "select_state",
    "select_state_mut",
    "selection",
    "state",
    "state_mut",
    "state_specs",
    "storage",
    "stored",
    "update_state",
];

/// What each function has beside itself, and each that has a step.
pub const OF_FUNCTIONS: [&str; 2] = ["grad", "grad_inputs"];
const OF_LOSSES: &str = "train";
pub const OF_STEPS: [&str; 3] = ["cache", "step", "step_check"];

/// Whether generated code has an item of this name, so that there can be no other.
pub fn is_taken(item: &ModelItem, name: &Ident) -> bool {
    let text = name.to_string();
    let name = plain(&text);
    !item.derived
        && (OF_MODELS.contains(&name) || name.starts_with("__") || owner(item, name).is_some())
}

/// The function that has this name beside its own.
fn owner<'a>(item: &'a ModelItem, name: &str) -> Option<&'a Function> {
    item.functions.iter().find(|function| {
        let own = function.name.to_string();
        let suffix = name.strip_prefix(plain(&own)).and_then(|rest| rest.strip_prefix('_'));
        suffix.is_some_and(|suffix| {
            OF_FUNCTIONS.contains(&suffix)
                || (suffix == OF_LOSSES && is_loss(function))
                || (OF_STEPS.contains(&suffix) && function.step.is_some())
        })
    })
}

/// Whether the first result is a number: an optimizer may follow it.
fn is_loss(function: &Function) -> bool {
    function.returns.first().is_some_and(|ty| ty.dims.is_empty() && !ty.broken)
}

/// Reports fields and functions whose names are taken, and leaves such fields broken.
pub fn check(item: &mut ModelItem, diagnostics: &mut Diagnostics) {
    if item.header.is_none() || item.derived {
        return;
    }
    report(item, diagnostics);
    for at in 0..item.fields.len() {
        let name = &item.fields[at].name;
        if is_taken(item, name) || OF_TRAITS.contains(&name.to_string().as_str()) {
            item.fields[at].decl = FieldDecl::Broken;
        }
    }
}

fn report(item: &ModelItem, diagnostics: &mut Diagnostics) {
    let fields = item.fields.iter().map(|Field { name, .. }| (name, true));
    let functions = item.functions.iter().map(|Function { name, .. }| (name, false));
    let names: Vec<_> = fields.chain(functions).collect();
    for (name, is_field) in &names {
        let text = name.to_string();
        let text = plain(&text);
        let why = match owner(item, text) {
            Some(owner) => format!("is what `{}` has beside itself", owner.name),
            None if text.starts_with("__") => "starts as names of generated code do".into(),
            None if OF_MODELS.contains(&text) || OF_TRAITS.contains(&text) => {
                "is what each model has".into()
            }
            None => continue,
        };
        let stem = text.trim_matches('_').to_lowercase();
        let first = if *is_field { format!("{stem}_layer") } else { format!("run_{stem}") };
        let numbered = (2..).map(|number| format!("{first}{number}"));
        let is_free = |free: &String| names.iter().all(|(other, _)| *other != free);
        let free = [first.clone()].into_iter().chain(numbered).find(is_free);
        let free = free.expect("there is always another number");
        let error = Diagnostic::new(name.span(), format!("the name `{name}` {why}"));
        diagnostics.push(error.help(format!("give it another name, such as `{free}`")));
    }
}

/// Whether a model is called as a type of Rust's own that generated code names, which is reported.
pub fn is_primitive(item: &ModelItem, diagnostics: &mut Diagnostics) -> bool {
    let Some(Header { name, .. }) = &item.header else { return false };
    let is_primitive = PRIMITIVES.contains(&name.to_string().as_str());
    if is_primitive {
        let error = Diagnostic::new(name.span(), format!("`{name}` is a type of Rust's own"));
        diagnostics.push(error.help("give the model a name of its own, such as `Net`"));
    }
    is_primitive
}
