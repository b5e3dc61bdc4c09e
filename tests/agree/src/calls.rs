//! What rustc checks of models: equalities of constants, and the shapes at which models call each
//! other.

use std::collections::BTreeMap;

use gradiron_compiler::dim::{Atom, Dim};
use gradiron_compiler::graph::Callee;
use gradiron_compiler::graph::{Kind, Ty};
use gradiron_compiler::passes::{Form, LOWER};

use crate::library::{Library, Scope, Unit};
use crate::program::Program;

/// Whether the compiler accepts a program, and rustc will.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(program: &Program) -> Result<(), String> {
    let library = Library::new(program)?;
    let (unit, scope) = library.main();
    check_unit(unit, &scope)
}

fn check_unit(unit: &Unit, scope: &Scope) -> Result<(), String> {
    for deferred in &unit.deferred {
        if !deferred.holds(&|dim| scope.try_size(dim)) {
            return Err(format!("{}: {:?}", deferred.message, deferred.what));
        }
    }
    for function in &unit.functions {
        let graph = function.graph(Form::Infer, LOWER);
        for node in &graph.nodes {
            // What lies in memory has a size, of what is constant alone as well.
            for value in &node.outputs {
                let dims = graph.ty(*value).dims().iter().filter(|dim| !dim.is_run_time());
                let known = dims.filter(|_| graph.ty(*value).kind == Kind::Float);
                for dim in known {
                    if matches!(scope.try_size(dim), None | Some(0)) {
                        return Err(format!("`{}` makes a size of {dim}", node.label));
                    }
                }
            }
            if let Some(callee) = node.op.callee() {
                check_call(callee, scope).map_err(|text| format!("`{}` {text}", node.label))?;
            }
        }
        if function.length.is_some() {
            for node in &function.graph(Form::Step, "step").nodes {
                if let Some(callee) = node.op.callee().filter(|callee| callee.is_step) {
                    check_steps(callee, scope)
                        .map_err(|text| format!("`{}` {text}", node.label))?;
                }
            }
        }
    }
    Ok(())
}

/// `gradiron::__private::check::steps`, but for the lengths.
fn check_steps(callee: &Callee, scope: &Scope) -> Result<(), String> {
    let ty = syn::parse2(callee.model.clone()).map_err(|error| error.to_string())?;
    let (unit, _) = scope.model(&ty).ok_or("calls a model that is not there")?;
    let function = unit.function(&callee.function.to_string());
    let length = function.length.as_ref().ok_or("runs step by step, but what it calls does not")?;
    let new = gradiron_compiler::graph::step::new();
    let theirs = function.args.iter().map(|(_, ty)| ty).chain(&function.results);
    let ours = callee.args.iter().chain(&callee.results);
    for (theirs, ours) in theirs.zip(ours) {
        let axis = ours.dims().iter().position(|dim| *dim == new);
        if gradiron_compiler::graph::step::axis_of(theirs, length) != axis {
            return Err(format!("has its positions elsewhere in {theirs}"));
        }
    }
    Ok(())
}

/// `gradiron::__private::check::call`
fn check_call(callee: &Callee, scope: &Scope) -> Result<(), String> {
    let ty = syn::parse2(callee.model.clone()).map_err(|error| error.to_string())?;
    let (unit, inner) = scope.model(&ty).ok_or("calls a model that is not there")?;
    check_unit(unit, &inner)?;
    let name = callee.function.to_string();
    let function = unit.functions.iter().find(|function| function.name == name);
    let function = function.ok_or_else(|| format!("calls `{name}`, which is not there"))?;
    if callee.scans && !unit.state.is_empty() {
        return Err("has state of its own, which a scan does not carry".into());
    }
    let counts = [&function.args.len(), &function.results.len()];
    if counts != [&callee.args.len(), &callee.results.len()] {
        return Err(format!("has other numbers of inputs and results than {counts:?}"));
    }
    let mut bound = BTreeMap::new();
    let args = function.args.iter().map(|(_, ty)| ty).zip(&callee.args);
    for (expected, found) in args.chain(function.results.iter().zip(&callee.results)) {
        let same = |(a, b): (&Dim, &Dim)| same_size(a, b, &inner, scope, &mut bound);
        let dims = expected.dims().iter().zip(found.dims());
        let ranks = expected.dims().len() == found.dims().len();
        if !ranks || kind(expected) != kind(found) || !dims.into_iter().all(same) {
            return Err(format!("has {expected} where {found} is taken"));
        }
    }
    Ok(())
}

fn kind(ty: &Ty) -> bool {
    ty.kind == Kind::Classes
}

/// Constants by their numbers; what only a run knows is the same expression of the caller's names.
fn same_size(
    expected: &Dim,
    found: &Dim,
    inner: &Scope,
    scope: &Scope,
    bound: &mut BTreeMap<String, Dim>,
) -> bool {
    let number =
        |atom: &Atom, scope: &Scope| scope.try_size(&Dim::atom(atom.clone())).map(Dim::lit);
    let found = found.with(&|atom| match atom {
        Atom::Run(_) => Some(Dim::atom(atom.clone())),
        _ => number(atom, scope),
    });
    let Some(found) = found else { return false };
    if let Some(name) = expected.as_run() {
        return *bound.entry(name.into()).or_insert_with(|| found.clone()) == found;
    }
    let expected = expected.with(&|atom| match atom {
        Atom::Run(name) => bound.get(name).cloned(),
        _ => number(atom, inner),
    });
    expected == Some(found)
}
