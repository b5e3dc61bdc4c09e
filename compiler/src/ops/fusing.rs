//! Elementwise nodes as one op: a chain by itself, or behind a call that goes on with it.

use std::any::Any;
use std::collections::HashMap;
use std::rc::Rc;

use super::Op;
use super::chain::{Chain, Link, Operand};
use super::elementwise::Elementwise;
use super::mapped::Mapped;
use crate::dim::Shape;
use crate::graph::{Graph, Node, Source, ValueId};

/// A chain, and the values that it reads.
pub struct Fused {
    chain: Chain,
    inputs: Vec<ValueId>,
}

impl Fused {
    /// The chain of the nodes `members`, which makes the values `kept`. Constants become part of
    /// it.
    pub fn new(graph: &Graph, members: &[usize], kept: &[ValueId]) -> Self {
        let mut builder =
            Builder { graph, links: Vec::new(), inputs: Vec::new(), made: HashMap::new() };
        members.iter().for_each(|m| builder.node(*m));
        let Builder { links, inputs, made, .. } = builder;
        let last = members.last().expect("a chain has a node");
        let chain = Chain {
            outputs: kept.iter().map(|v| made[v]).collect(),
            shape: graph.ty(graph.nodes[*last].outputs[0]).shape.clone(),
            inputs: inputs.len(),
            links,
        };
        Self { chain, inputs }
    }

    /// The shape of what it makes.
    pub fn shape(&self) -> &Shape {
        &self.chain.shape
    }

    pub fn inputs(&self) -> &[ValueId] {
        &self.inputs
    }

    /// The chain as an op, and its inputs.
    pub fn alone(self) -> (Rc<dyn Op>, Vec<ValueId>) {
        (Rc::new(self.chain), self.inputs)
    }

    /// The call of `before`, whose result the chain reads, with the chain behind it, and its
    /// inputs. Its outputs are those of the chain, then the result where it is `kept`.
    pub fn behind(mut self, before: Node, kept: bool) -> (Rc<dyn Op>, Vec<ValueId>) {
        let result = before.outputs[0];
        let first = self.inputs.iter().position(|input| *input == result);
        let first = first.expect("the chain reads the result");
        self.chain.swap_inputs(0, first);
        self.inputs.swap(0, first);
        let Node { op, inputs, .. } = before;
        let count = inputs.len();
        let inputs = inputs.into_iter().chain(self.inputs.into_iter().skip(1)).collect();
        (Rc::new(Mapped { op, chain: self.chain, inputs: count, kept }), inputs)
    }
}

/// Whether a node is a number that becomes part of the chains that read it.
pub fn is_constant(node: &Node) -> bool {
    elementwise(node).is_some() && node.inputs.is_empty()
}

fn elementwise(node: &Node) -> Option<&Elementwise> {
    let op: &dyn Any = &*node.op;
    op.downcast_ref()
}

struct Builder<'a> {
    graph: &'a Graph,
    links: Vec<Link>,
    inputs: Vec<ValueId>,
    /// The link that makes a value.
    made: HashMap<ValueId, usize>,
}

impl Builder<'_> {
    fn node(&mut self, n: usize) {
        let node = &self.graph.nodes[n];
        let elementwise = elementwise(node).expect("only elementwise nodes are grouped");
        let operands = node.inputs.iter().map(|input| self.operand(*input)).collect();
        self.push(elementwise, operands, node.outputs[0]);
    }

    fn push(&mut self, op: &Elementwise, operands: Vec<Operand>, value: ValueId) {
        let (func, constants) = (op.func, op.constants.clone());
        self.made.insert(value, self.links.len());
        self.links.push(Link { func, constants, operands });
    }

    fn operand(&mut self, value: ValueId) -> Operand {
        if let Some(link) = self.made.get(&value) {
            return Operand::Link(*link);
        }
        if let Source::Node(n, _) = self.graph.values[value].source
            && is_constant(&self.graph.nodes[n])
        {
            let constant = elementwise(&self.graph.nodes[n]).expect("a constant").clone();
            self.push(&constant, Vec::new(), value);
            return Operand::Link(self.links.len() - 1);
        }
        let known = self.inputs.iter().position(|input| *input == value);
        Operand::Input(known.unwrap_or_else(|| {
            self.inputs.push(value);
            self.inputs.len() - 1
        }))
    }
}
