//! Nodes of a graph, and the steps of the user's that they are made for: what is said of a step
//! that does not accept its input.

use std::rc::Rc;

use proc_macro2::Span;

use super::{BRANCHES, FnCx, Lowering, Poison, TOO_LARGE, is_too_large};
use crate::diagnostics::Diagnostic;
use crate::graph::{Kind, Ty, ValueId};
use crate::ops::{Mismatch, Op};

impl FnCx<'_, '_> {
    /// Adds a node; a refusal becomes a message about the current step.
    pub fn op(&mut self, op: impl Op + 'static, inputs: &[ValueId]) -> Lowering<ValueId> {
        Ok(self.ops(op, inputs)?[0])
    }

    pub fn ops(&mut self, op: impl Op + 'static, inputs: &[ValueId]) -> Lowering<Vec<ValueId>> {
        self.apply(Rc::new(op), inputs)
    }

    pub fn apply(&mut self, op: Rc<dyn Op>, inputs: &[ValueId]) -> Lowering<Vec<ValueId>> {
        self.count_node()?;
        let phase = crate::graph::Phase::Forward;
        let result = self.graph.apply(&mut self.rule, op, inputs, phase);
        let made = result.map_err(|mut mismatch| {
            mismatch.help = self.array_help(inputs).or(mismatch.help);
            self.refuse(mismatch, inputs.first().copied())
        })?;
        let mut types = made.iter().map(|value| self.graph.ty(*value));
        let too_large = types.find(|ty| ty.kind == Kind::Float && is_too_large(&ty.shape)).cloned();
        if let Some(ty) = too_large {
            let text = format!("makes {ty}: {TOO_LARGE}");
            return Err(self.refuse(Mismatch::new(text), inputs.first().copied()));
        }
        for value in &made {
            let ty = self.graph.ty(*value).clone();
            self.few_axes(&ty.shape, self.rule.span)?;
            self.grows(&ty, inputs.first().copied())?;
            if ty.kind == Kind::Float {
                let step = self.rule.subject.clone();
                self.rule.defer_memory(&ty.shape, || format!("`{step}` makes {ty}"));
            }
        }
        self.seen.node(made[0], self.rule.span);
        Ok(made)
    }

    /// Memory is planned for the largest run-time sizes: no shape may be larger with less of one.
    fn grows(&mut self, ty: &Ty, input: Option<ValueId>) -> Lowering<()> {
        let Some(falls) = what_falls(ty) else { return Ok(()) };
        let text = format!("makes {ty}, of which {falls}");
        Err(self.refuse(Mismatch::new(text).help(GIVE_IT_A_NAME), input))
    }

    /// The same of an argument.
    pub fn has_largest(&mut self, ty: &Ty, span: Span) -> Lowering<()> {
        let Some(falls) = what_falls(ty) else { return Ok(()) };
        Err(self.model.report(Diagnostic::new(span, falls).help(GIVE_IT_A_NAME)))
    }

    /// Reports that the current step does not accept its input.
    pub fn refuse(&mut self, mismatch: Mismatch, input: Option<ValueId>) -> Poison {
        // Values meet in a derived module where a container puts branches together.
        let of_branches = self.model.item.derived && ["+", "*"].contains(&&*self.rule.subject);
        let (text, help) = match of_branches {
            true => (format!("the container {}", mismatch.message), Some(BRANCHES.into())),
            false => (format!("`{}` {}", self.rule.subject, mismatch.message), mismatch.help),
        };
        let help = input.and_then(|input| self.assumption(input, &text)).or(help);
        let mut error = Diagnostic::new(self.rule.span, text);
        if let Some(help) = help {
            error = error.help(help);
        }
        if let Some(input) = input {
            error = error.note(format!("shapes: {} → {} ✗", self.trail(input), self.rule.subject));
        }
        self.model.report(error)
    }

    /// Starts a step of the user's: what messages and nodes are called from here on.
    pub fn step(&mut self, name: &str, span: Span) {
        self.rule.subject = name.to_string();
        self.rule.span = span;
        self.graph.label = name.to_string();
        self.graph.places = vec![span];
    }

    /// Ends a step: `value` is what `name` made from `from`.
    pub fn made(&mut self, value: ValueId, name: &str, from: Option<ValueId>) {
        if from != Some(value) {
            self.graph.values[value].label = name.to_string();
            self.graph.values[value].from = from;
        }
    }

    /// That the shape of a value is none that is known, where it is the result of another model: to
    /// be said with a mistake that `text` tells.
    pub fn assumption(&self, value: ValueId, text: &str) -> Option<String> {
        let found = self.graph.ty(value);
        let before = std::iter::successors(Some(value), |v| self.graph.values[*v].from);
        let mut same = before.take_while(|v| self.graph.ty(*v) == found);
        let called = same.find_map(|v| self.assumed.get(&v))?;
        let expected = text.split_once("expects [").and_then(|(_, rest)| rest.split_once(']'));
        let shape = match expected {
            Some((sizes, _)) if !sizes.contains("..") => format!("[{sizes}]"),
            _ => found.to_string(),
        };
        let state = match self.model.item.derived {
            true => format!("`#[module(output = {shape})]` above the field"),
            false => format!("`let y: {shape} = self.{called}(x);`"),
        };
        Some(format!(
            "`{called}` is taken to give what it is given, {found}; if not, write {state}"
        ))
    }

    /// `image [batch, 784] → fc1 [batch, 128] → relu`
    pub fn trail(&self, value: ValueId) -> String {
        let mut steps = Vec::new();
        let mut next = Some(value);
        while let Some(v) = next {
            let value = &self.graph.values[v];
            let same = value.from.is_some_and(|from| self.graph.ty(from) == &value.ty);
            steps.push(match same {
                true => value.label.clone(),
                false => format!("{} {}", value.label, value.ty),
            });
            next = value.from;
        }
        if steps.len() > 7 {
            steps.truncate(6);
            steps.push("…".into());
        }
        steps.reverse();
        steps.join(" → ")
    }
}

const GIVE_IT_A_NAME: &str = "memory is planned for the largest run-time sizes: give the difference \
    a name of its own, as the size of an input";

/// `` `s - t` is larger where `t` is smaller ``, where it is so of a size.
fn what_falls(ty: &Ty) -> Option<String> {
    let (dim, atom) = ty.dims().iter().find_map(|dim| Some((dim, dim.falls_with()?)))?;
    Some(format!("`{dim}` is larger where `{atom}` is smaller"))
}
