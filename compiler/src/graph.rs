//! The graph. Values in SSA form, nodes in the order of execution.

use std::fmt::Write;
use std::rc::Rc;

use crate::dim::{Dim, Shape};
use crate::facts::Facts;
use crate::ops::{Mismatch, Op, Rule};

pub type ValueId = usize;

/// What a value holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Float,
    /// Class indices, `Classes[batch]`.
    Classes,
    /// Something an op keeps for its backward: positions of maxima, a nested model's memory.
    Saved,
    /// A tensor of the model's state. An op's k-th one among the outputs is the new value of its
    /// k-th one among the inputs.
    State,
    /// What is declared wrongly: in the signatures of stubs only.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ty {
    pub shape: Shape,
    pub kind: Kind,
}

impl Ty {
    pub fn float(dims: impl Into<Vec<Dim>>) -> Self {
        Self { shape: Shape(dims.into()), kind: Kind::Float }
    }

    pub fn dims(&self) -> &[Dim] {
        &self.shape.0
    }
}

impl std::fmt::Display for Ty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            Kind::Float => write!(f, "{}", self.shape),
            Kind::Classes => write!(f, "Classes{}", self.shape),
            Kind::Saved => write!(f, "saved{}", self.shape),
            Kind::State => write!(f, "state{}", self.shape),
            Kind::Unknown => f.write_str("?"),
        }
    }
}

/// Whether the first result, and no other, is a number: gradients are of it, and further results
/// come along.
pub fn is_loss(results: &[Ty]) -> bool {
    let mut numbers = results.iter().map(|ty| ty.shape.rank() == 0);
    numbers.next() == Some(true) && !numbers.any(|is_number| is_number)
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The n-th argument of the function.
    Arg(usize),
    /// The n-th parameter in the model's table.
    Param(usize),
    /// The n-th tensor of the model's state.
    State(usize),
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
    /// What is known of sizes: types have them in one form.
    pub facts: Rc<Facts>,
}

impl Graph {
    pub fn ty(&self, value: ValueId) -> &Ty {
        &self.values[value].ty
    }

    pub fn add_value(&mut self, ty: Ty, source: Source, label: impl Into<String>) -> ValueId {
        self.values.push(Value { ty, source, label: label.into(), from: None });
        self.values.len() - 1
    }

    /// The value of a parameter or a tensor of the state, one for all its uses.
    pub fn given(&mut self, source: Source, ty: Ty, name: &str) -> ValueId {
        let known = self.values.iter().position(|v| v.source == source);
        known.unwrap_or_else(|| self.add_value(ty, source, name))
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
        let inputs = inputs.to_vec();
        self.nodes.push(Node { op, inputs, outputs: outputs.clone(), phase, label });
        Ok(outputs)
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

    /// Whether a value is made only where the gradients of the float arguments are asked for.
    fn is_at_times(&self, value: ValueId) -> bool {
        match self.values[value].source {
            Source::Node(n, _) => self.nodes[n].phase == Phase::BackwardInputs,
            _ => false,
        }
    }

    /// Checks what every phase relies on.
    ///
    /// # Errors
    /// The broken invariant, in words: a bug of the phase that ran last.
    pub fn verify(&self) -> Result<(), String> {
        let mut defined: Vec<bool> = self.values.iter().map(|v| !is_made(v.source)).collect();
        let mut phase = Phase::Prepare;
        for (n, node) in self.nodes.iter().enumerate() {
            if let Some(early) = node.inputs.iter().find(|i| !defined[**i]) {
                return Err(format!("node {n} ({}) reads %{early} too early", node.op.name()));
            }
            if let Some(absent) = node.inputs.iter().find(|i| self.is_at_times(**i))
                && node.phase < Phase::BackwardInputs
            {
                let name = node.op.name();
                return Err(format!(
                    "node {n} ({name}) reads %{absent}, which is made only at times"
                ));
            }
            if node.phase <= Phase::Forward && node.phase < phase {
                let (name, late) = (node.op.name(), node.phase);
                return Err(format!("node {n} ({name}) is {late:?} after {phase:?}"));
            }
            phase = phase.max(node.phase);
            for (k, output) in node.outputs.iter().enumerate() {
                if std::mem::replace(&mut defined[*output], true) {
                    return Err(format!("%{output} is defined twice"));
                }
                if self.values[*output].source != Source::Node(n, k) {
                    return Err(format!("%{output} does not know that node {n} makes it"));
                }
            }
        }
        let always = |dest: &Dest| !matches!(dest, Dest::DArg(_));
        if let Some((dest, v)) =
            self.outputs.iter().find(|(dest, v)| always(dest) && self.is_at_times(*v))
        {
            return Err(format!("{dest:?} is %{v}, which is made only at times"));
        }
        match self.outputs.iter().find(|(_, v)| !defined[*v]) {
            Some((dest, v)) => Err(format!("{dest:?} is %{v}, which nothing makes")),
            None => Ok(()),
        }
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
