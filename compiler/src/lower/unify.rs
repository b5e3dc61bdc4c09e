//! One form for equal sizes: what a shape rule left to rustc, later phases know in all functions,
//! and what it left to the run, in the function that needs it.
//!
//! Functions are lowered once to find the equalities, and again with one name in place of equal
//! ones. What users see, and what rustc checks, has the sizes as they are written.

use std::rc::Rc;

use super::{Lowered, ModelCx, Siblings, lower_function};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::dim::Dim;
use crate::facts::{Facts, Learned};
use crate::graph::Ty;
use crate::ops::{Deferred, Statement};
use crate::syntax::{Function, ModelItem};

/// New names bring new equalities to light, but not for long.
const MOST_ROUNDS: usize = 8;

/// The functions with the graphs of sizes in one form.
///
/// Nothing where equalities contradict each other, which is reported.
pub fn unified(
    item: &ModelItem,
    functions: &[&Function],
    mut lowered: Vec<Lowered>,
    siblings: &Siblings,
    diagnostics: &mut Diagnostics,
) -> Option<(Vec<Lowered>, Facts)> {
    let mut facts = Facts::default();
    let mut found: Vec<Vec<Deferred>> = lowered.iter().map(|f| f.deferred.clone()).collect();
    let mut taken = Vec::new();
    for _ in 0..MOST_ROUNDS {
        // Constants are equal everywhere; run-time sizes in the function that needs it.
        let is_of_run = |deferred: &&Deferred| deferred.what.is_of_run();
        let of_rustc = found.iter().flatten().filter(|deferred| !is_of_run(deferred));
        let mut is_new = learn(&mut facts, of_rustc, &mut taken, diagnostics)?;
        for (function, found) in lowered.iter_mut().zip(&found) {
            let mut own = facts.clone();
            let of_run = found.iter().filter(is_of_run);
            learn(&mut own, of_run, &mut taken.clone(), diagnostics)?;
            is_new |= own != function.facts;
            function.facts = own;
        }
        if !is_new {
            break;
        }
        let mut cx = ModelCx::new(item, siblings, diagnostics);
        for ((function, found), written) in lowered.iter_mut().zip(&mut found).zip(functions) {
            cx.facts = Rc::new(function.facts.clone());
            let again = lower_function(&mut cx, written)?;
            function.graph = again.graph;
            found.extend(again.deferred);
        }
    }
    if !facts.is_empty() {
        lowered.iter_mut().for_each(|function| by_its_length(function, &facts));
    }
    Some((lowered, facts))
}

/// Whether the equalities say something new.
fn learn<'a>(
    facts: &mut Facts,
    found: impl Iterator<Item = &'a Deferred>,
    taken: &mut Vec<Deferred>,
    diagnostics: &mut Diagnostics,
) -> Option<bool> {
    let mut is_new = false;
    for deferred in found.filter(|deferred| deferred.are_sizes) {
        let Statement::Equal(left, right) = &deferred.what else { continue };
        match facts.learn(left, right) {
            Learned::Nothing => {}
            Learned::Something => {
                is_new = true;
                taken.push(deferred.clone());
            }
            Learned::Contradiction => {
                diagnostics.push(contradiction(deferred, taken));
                return None;
            }
        }
    }
    Some(is_new)
}

fn contradiction(new: &Deferred, taken: &[Deferred]) -> Diagnostic {
    let mut error = Diagnostic::new(new.span, new.message.clone());
    // The equalities about the same names.
    let Statement::Equal(left, right) = &new.what else { return error };
    let own: Vec<_> = left.atoms().chain(right.atoms()).collect();
    for other in taken {
        let Statement::Equal(left, right) = &other.what else { continue };
        if left.atoms().chain(right.atoms()).any(|atom| own.contains(&atom)) {
            error = error.note(format!("but also: {}", other.message));
        }
    }
    error.note("both cannot be")
}

/// Writes the length of a step's sequences with one name wherever a signature has it.
fn by_its_length(function: &mut Lowered, facts: &Facts) {
    let Some((length, _)) = &function.step else { return };
    let args = function.args.iter_mut().map(|arg| &mut arg.ty);
    args.chain(&mut function.results).for_each(|ty| with_length(ty, length, facts));
}

/// The same for one type.
pub fn with_length(ty: &mut Ty, length: &Dim, facts: &Facts) {
    let known = facts.canonical(length);
    for dim in &mut ty.shape.0 {
        if facts.canonical(dim) == known {
            dim.clone_from(length);
        }
    }
}
