//! What tests ask of a body that is not finished.

use std::collections::BTreeMap;

use super::{FnCx, Item, ModelCx};
use crate::graph::Ty;
use crate::ops::Deferred;

/// What a function's body binds: what tests continue it with.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Its arguments and what its statements name, with their types, by name.
    pub values: BTreeMap<String, Ty>,
    /// The equalities that are left to rustc.
    pub deferred: Vec<Deferred>,
}

/// What the statements of a function bind, where nothing is wrong with it.
pub fn bound(model: &mut ModelCx, name: &str) -> Option<Bound> {
    let function = model.function(name)?;
    let mut cx = FnCx::new(model);
    cx.inlining.push(function.name.to_string());
    cx.declare_args(function).ok()?;
    cx.body(function).ok()?;
    let fine = !cx.failed && cx.model.diagnostics.is_empty();
    let values = cx.names.iter().filter_map(|(name, item)| match item {
        Item::Value(value) => Some((name.clone(), cx.graph.ty(*value).clone())),
        _ => None,
    });
    fine.then(|| Bound {
        values: values.collect(),
        deferred: std::mem::take(&mut cx.rule.deferred),
    })
}
