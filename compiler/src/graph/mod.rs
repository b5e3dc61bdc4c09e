//! The graph. Values in SSA form, nodes in the order of execution, and what a node's operation says
//! of itself: the trait [`Op`].

mod backward;
pub mod callee;
mod emit;
mod expand;
mod op;
mod rule;
pub mod step;
mod ty;
mod verify;

pub use backward::Backward;
pub use callee::{Asked, Callee, Reach};
pub use emit::Emit;
pub use expand::Expand;
pub use op::{Emission, Op, Prepared, Role, Transform};
pub use rule::{Deferred, Mismatch, Rule, Statement};
pub use step::Step;
pub use ty::{Kind, Ty, are_losses, is_long, is_loss};

use std::collections::BTreeSet;
use std::fmt::Write;
use std::rc::Rc;

use proc_macro2::Span;

use crate::facts::Facts;

pub type ValueId = usize;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The n-th argument of the function.
    Arg(usize),
    /// The n-th parameter in the model's table.
    Param(usize),
    /// The n-th tensor of the model's state.
    State(usize),
    /// The n-th array that is a constant of the program's.
    Constant(usize),
    /// The gradient of the n-th result, given from outside.
    DResult(usize),
    /// The n-th memory of a step that lasts from run to run. Ops change it in place.
    Cache(usize),
    /// The k-th output of a node.
    Node(usize, usize),
    /// Nothing makes it any more: its node was dropped or became part of another.
    Gone,
}

/// Whether a node makes the value, or made it.
fn is_made(source: Source) -> bool {
    matches!(source, Source::Node(..) | Source::Gone)
}

#[derive(Clone, Debug)]
pub struct Value {
    pub ty: Ty,
    pub source: Source,
    /// What the user would call it: `image`, `fc1`, `relu`.
    pub label: String,
    /// The value that the user's step started from, for the trail of shapes.
    pub from: Option<ValueId>,
}

/// Which pass a node runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Inference: once for each version of the parameters and the state, in front.
    Prepare,
    Forward,
    Backward,
    /// Backward work that only the gradients of the float arguments need.
    BackwardInputs,
}

#[derive(Clone, Debug)]
pub struct Node {
    pub op: Rc<dyn Op>,
    pub inputs: Vec<ValueId>,
    pub outputs: Vec<ValueId>,
    pub phase: Phase,
    /// The step of the user's that this node belongs to: `fc1`.
    pub label: String,
    /// Where that step, or each of them, stands in the user's text.
    pub places: Vec<Span>,
}

/// What becomes of a value at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dest {
    Result(usize),
    /// The new value of a tensor of the state.
    NewState(usize),
    /// The gradient of a parameter.
    DParam(usize),
    /// The gradient of a float argument.
    DArg(usize),
}

#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub values: Vec<Value>,
    pub nodes: Vec<Node>,
    pub args: Vec<ValueId>,
    pub outputs: Vec<(Dest, ValueId)>,
    /// The label that new nodes carry.
    pub label: String,
    /// The places that new nodes carry.
    pub places: Vec<Span>,
    /// What is known of sizes: types have them in one form.
    pub facts: Rc<Facts>,
    /// The parameters that have no gradient, by their index.
    pub frozen: BTreeSet<usize>,
}

impl Graph {
    pub fn ty(&self, value: ValueId) -> &Ty {
        &self.values[value].ty
    }

    pub fn add_value(&mut self, ty: Ty, source: Source, label: impl Into<String>) -> ValueId {
        self.values.push(Value { ty, source, label: label.into(), from: None });
        self.values.len() - 1
    }

    /// The value of a parameter, a tensor of the state or a constant, one for all its uses.
    pub fn given(&mut self, source: Source, ty: Ty, name: &str) -> ValueId {
        let known = self.values.iter().position(|v| v.source == source);
        known.unwrap_or_else(|| self.add_value(ty, source, name))
    }

    /// New nodes belong to the step of the user's that `node` belongs to.
    pub fn go_on_from(&mut self, node: &Node) {
        self.label.clone_from(&node.label);
        self.places.clone_from(&node.places);
    }

    /// Appends a node after its shape rule has agreed.
    pub fn apply(
        &mut self,
        rule: &mut Rule,
        op: Rc<dyn Op>,
        inputs: &[ValueId],
        phase: Phase,
    ) -> Result<Vec<ValueId>, Mismatch> {
        let types: Vec<_> = inputs.iter().map(|v| self.ty(*v).clone()).collect();
        let mut outputs = op.infer(rule, &types)?;
        outputs.iter_mut().for_each(|ty| ty.shape = self.facts.canonical_shape(&ty.shape));
        let node = self.nodes.len();
        let label = self.label.clone();
        let outputs = outputs.into_iter().enumerate().map(|(k, ty)| {
            self.values.push(Value {
                ty,
                source: Source::Node(node, k),
                label: label.clone(),
                from: inputs.first().copied(),
            });
            self.values.len() - 1
        });
        let outputs: Vec<_> = outputs.collect();
        let (inputs, places) = (inputs.to_vec(), self.places.clone());
        self.nodes.push(Node { op, inputs, outputs: outputs.clone(), phase, label, places });
        Ok(outputs)
    }

    /// The value whose memory `value` is.
    pub fn view_root(&self, mut value: ValueId) -> ValueId {
        while let Source::Node(n, _) = self.values[value].source {
            if !self.nodes[n].op.is_view() {
                break;
            }
            value = self.nodes[n].inputs[0];
        }
        value
    }

    /// Which values are read by a node or are outputs.
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.values.len()];
        let read = self.nodes.iter().flat_map(|n| &n.inputs);
        for value in read.chain(self.outputs.iter().map(|(_, v)| v)) {
            uses[*value] += 1;
        }
        uses
    }

    /// Replaces the nodes, keeping the values' sources true.
    pub fn set_nodes(&mut self, nodes: Vec<Node>) {
        self.nodes = nodes;
        for value in &mut self.values {
            if matches!(value.source, Source::Node(..)) {
                value.source = Source::Gone;
            }
        }
        for (n, node) in self.nodes.iter().enumerate() {
            for (k, output) in node.outputs.iter().enumerate() {
                self.values[*output].source = Source::Node(n, k);
            }
        }
    }

    /// Which nodes of the backward pass only the gradients of parameters need.
    pub fn params_only(&self) -> Vec<bool> {
        let mut others = vec![false; self.values.len()];
        for (_, value) in self.outputs.iter().filter(|(dest, _)| matches!(dest, Dest::DArg(_))) {
            others[*value] = true;
        }
        let mut only = vec![false; self.nodes.len()];
        for (n, node) in self.nodes.iter().enumerate().rev() {
            let is_shared = node.outputs.iter().any(|output| others[*output]);
            only[n] = node.phase == Phase::Backward && !is_shared;
            if is_shared {
                node.inputs.iter().for_each(|input| others[*input] = true);
            }
        }
        only
    }

    /// Drops the nodes that no output depends on.
    pub fn remove_dead(&mut self) {
        let mut live = vec![false; self.values.len()];
        for (_, value) in &self.outputs {
            live[*value] = true;
        }
        let mut kept = Vec::new();
        for node in std::mem::take(&mut self.nodes).into_iter().rev() {
            if node.outputs.iter().any(|o| live[*o]) {
                node.inputs.iter().for_each(|i| live[*i] = true);
                kept.push(node);
            }
        }
        kept.reverse();
        self.set_nodes(kept);
    }

    /// The text form.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (v, value) in self.values.iter().enumerate() {
            if !is_made(value.source) {
                let _ = writeln!(text, "%{v}: {} = {:?} `{}`", value.ty, value.source, value.label);
            }
        }
        let mut phase = Phase::Forward;
        for node in &self.nodes {
            let part = node.phase.min(Phase::Backward);
            if part != phase {
                text.push_str(&format!("-- {part:?}\n").to_lowercase());
                phase = part;
            }
            let outputs: Vec<_> =
                node.outputs.iter().map(|o| format!("%{o}: {}", self.ty(*o))).collect();
            let inputs: Vec<_> = node.inputs.iter().map(|i| format!("%{i}")).collect();
            let only = if node.phase == Phase::BackwardInputs { " (inputs only)" } else { "" };
            let _ = writeln!(
                text,
                "{} = {}({})  # {}{only}",
                outputs.join(", "),
                node.op.name(),
                inputs.join(", "),
                node.label
            );
        }
        for (dest, value) in &self.outputs {
            let _ = writeln!(text, "{dest:?} = %{value}");
        }
        text
    }
}
