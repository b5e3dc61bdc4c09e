//! Lints of what is declared and not used.

use std::collections::HashSet;

use proc_macro2::Ident;

use super::super::ModelCx;
use super::{allowed, of_model, warning};
use crate::diagnostics::Diagnostic;
use crate::syntax::{Function, ModelItem, Stmt, Value};
use crate::text::mentions;
use crate::vocabulary::lint::{Lint, Lints, UNUSED_LAYER, UNUSED_LET};

/// The names of a body that nothing reads. The bodies of derived modules are ours.
pub fn lets(item: &ModelItem, function: &Function) -> Vec<(&'static Lint, Diagnostic)> {
    let mut found = Vec::new();
    if !item.derived {
        in_block(&function.body, allowed(item, function), &mut found);
    }
    found.into_iter().map(|name| (&UNUSED_LET, text(name))).collect()
}

fn text(name: &Ident) -> Diagnostic {
    let error = Diagnostic::new(name.span(), format!("nothing reads `{name}`"));
    error.help(format!("use it, take it out, or write `_{name}`"))
}

/// The names that statements bind without reading them, those of their blocks first.
fn in_block<'s>(stmts: &'s [Stmt], outside: Lints, found: &mut Vec<&'s Ident>) {
    for (at, stmt) in stmts.iter().enumerate() {
        let (allow, stmt) = stmt.allowed();
        let allow = outside.and(allow);
        match stmt {
            Stmt::For(each) => in_block(&each.body, allow, found),
            Stmt::If(choice) | Stmt::Let { value: Value::If(choice), .. } => {
                in_block(&choice.then, allow, found);
                in_block(&choice.otherwise, allow, found);
            }
            _ => {}
        }
        let Stmt::Let { names, .. } = stmt else { continue };
        let unread = names.iter().filter(|name| {
            let text = name.to_string();
            !text.starts_with('_') && !is_read(&text, &stmts[at + 1..])
        });
        if !allow.has(&UNUSED_LET) {
            found.extend(unread);
        }
    }
}

/// Whether a statement reads the name before another `let` has it.
fn is_read(name: &str, stmts: &[Stmt]) -> bool {
    let names = HashSet::from([name.to_string()]);
    for stmt in stmts {
        let (_, stmt) = stmt.allowed();
        if reads(stmt, &names) {
            return true;
        }
        if matches!(stmt, Stmt::Let { names, .. } if names.iter().any(|other| other == name)) {
            return false;
        }
    }
    false
}

/// Whether a statement mentions one of `names`, assigning it aside.
fn reads(stmt: &Stmt, names: &HashSet<String>) -> bool {
    let of_block = |stmts: &[Stmt]| stmts.iter().any(|stmt| reads(stmt.allowed().1, names));
    let of_value = |value: &Value| match value {
        Value::Expr(value) => mentions(value, names),
        Value::If(choice) => {
            mentions(&choice.condition, names)
                || of_block(&choice.then)
                || of_block(&choice.otherwise)
        }
    };
    match stmt {
        Stmt::Let { value, .. } | Stmt::Assign { value, .. } => of_value(value),
        Stmt::For(each) => mentions(&each.over, names) || of_block(&each.body),
        Stmt::If(choice) => {
            mentions(&choice.condition, names)
                || of_block(&choice.then)
                || of_block(&choice.otherwise)
        }
        Stmt::Tail(value) | Stmt::Reveal(value) => mentions(value, names),
        // What did not parse may read anything.
        Stmt::Broken { .. } => true,
        Stmt::Allow(..) => unreachable!("taken off above"),
    }
}

/// Warns of a layer without parameters that no function calls.
pub fn unused_layer(model: &mut ModelCx, field: usize) {
    let (item, field) = (model.item, &model.item.fields[field]);
    let name = &field.name;
    let is_silent = of_model(item).and(field.allow).has(&UNUSED_LAYER);
    if !is_silent && !name.to_string().starts_with('_') {
        let found = Diagnostic::new(name.span(), format!("no function calls the layer `{name}`"));
        let found = found.help(format!("call it as `self.{name}(x)`, or take it out"));
        model.diagnostics.warn(warning(&UNUSED_LAYER, item, found));
    }
}
