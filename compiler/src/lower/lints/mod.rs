//! Lints of functions: what their graphs show, and names that nothing reads. Each is a row of
//! [`crate::vocabulary::lint`].

mod graph;
mod unused;

pub use unused::unused_layer;

use std::collections::HashMap;

use proc_macro2::Span;

use super::FnCx;
use crate::diagnostics::{Diagnostic, Warning};
use crate::graph::{Ty, ValueId};
use crate::syntax::{Function, ModelItem};
use crate::vocabulary::lint::{Lint, Lints};

/// What lints ask of the nodes of a graph.
#[derive(Debug, Default)]
pub struct Seen {
    /// The lints that are silent where the next node is made.
    pub allow: Lints,
    /// The field whose layer is written out, and where it is called.
    pub layer: Option<(usize, Span)>,
    /// By the first output of a node.
    nodes: HashMap<ValueId, Place>,
}

/// Where a node comes from.
#[derive(Clone, Copy, Debug)]
struct Place {
    span: Span,
    allow: Lints,
    field: Option<usize>,
}

impl Seen {
    /// Notes where a node is made.
    pub fn node(&mut self, made: ValueId, span: Span) {
        let (field, span) = match self.layer {
            Some((field, span)) => (Some(field), span),
            None => (None, span),
        };
        self.nodes.insert(made, Place { span, allow: self.allow, field });
    }
}

/// The lints that are silent in a whole function.
pub fn allowed(item: &ModelItem, function: &Function) -> Lints {
    of_model(item).and(function.allow)
}

fn of_model(item: &ModelItem) -> Lints {
    item.header.as_ref().map(|header| header.allow).unwrap_or_default()
}

/// A warning of `lint`, which says why, and how it is turned off.
fn warning(lint: &Lint, item: &ModelItem, found: Diagnostic) -> Warning {
    let allow = match item.derived {
        true => format!("#[module(allow({}))]", lint.name),
        false => format!("#[allow({})]", lint.name),
    };
    let why = format!("why: {}", lint.why);
    let diagnostic = found.note(why).note(format!("where it is meant: `{allow}`"));
    Warning { name: lint.name, diagnostic, always: false }
}

impl FnCx<'_, '_> {
    /// Looks for what is most often a mistake in a function that is right.
    pub fn lint(&mut self, function: &Function, results: &[Ty]) {
        let item = self.model.item;
        let found = graph::Lines::new(self).all(results);
        for (lint, found) in found.into_iter().chain(unused::lets(item, function)) {
            self.model.diagnostics.warn(warning(lint, item, found));
        }
    }
}
