//! One form for equal sizes in all functions: what a shape rule left to rustc, later phases know.
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
    let mut found: Vec<Deferred> = lowered.iter().flat_map(|f| f.deferred.clone()).collect();
    let mut taken: Vec<Deferred> = Vec::new();
    for _ in 0..MOST_ROUNDS {
        if !learn(&mut facts, found, &mut taken, diagnostics)? {
            break;
        }
        let mut cx = ModelCx::new(item, siblings, diagnostics);
        cx.facts = Rc::new(facts.clone());
        let again: Vec<_> = functions.iter().map(|f| lower_function(&mut cx, f)).collect();
        let again = again.into_iter().collect::<Option<Vec<_>>>()?;
        found = Vec::new();
        for (function, again) in lowered.iter_mut().zip(again) {
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
fn learn(
    facts: &mut Facts,
    found: Vec<Deferred>,
    taken: &mut Vec<Deferred>,
    diagnostics: &mut Diagnostics,
) -> Option<bool> {
    let mut is_new = false;
    for deferred in found.into_iter().filter(|deferred| deferred.are_sizes) {
        let Statement::Equal(left, right) = &deferred.what else { continue };
        match facts.learn(left, right) {
            Learned::Nothing => {}
            Learned::Something => {
                is_new = true;
                taken.push(deferred);
            }
            Learned::Contradiction => {
                diagnostics.push(contradiction(&deferred, taken));
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
