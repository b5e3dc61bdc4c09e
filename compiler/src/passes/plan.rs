//! Which memory each value lives in, and from when to when. Offsets follow from the
//! sizes, by the runtime's `arena::plan`, once these are known to rustc.

use std::fmt::Write;

use super::{About, Work};
use crate::diagnostics::Diagnostic;
use crate::dim::Dim;
use crate::graph::{Dest, Graph, Kind, Phase, Source, ValueId, is_long};

/// The pass.
pub(super) fn run(work: &mut Work, _: &About) -> Result<(), Diagnostic> {
    work.plan = Some(plan(&work.graph, work.form.is_inference()));
    Ok(())
}

/// The memory of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    Arg(usize),
    Param(usize),
    State(usize),
    /// A constant of the program's.
    Constant(usize),
    DResult(usize),
    /// Handed in by the caller.
    Out(Dest),
    /// Kept from run to run, by the value that was prepared.
    Prepared(ValueId),
    /// Kept from step to step.
    Cache(usize),
    /// In the arena.
    Buffer(usize),
    /// Nothing reads it, and its op does without.
    Nowhere,
}

/// The part of the arena that a buffer is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Lives from the forward into the backward pass.
    Saved,
    Forward,
    Backward,
}

/// A buffer that only runs have which keep activations in bf16 between forward and backward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// The rounded activation.
    Half,
    /// The widened value of this buffer, which lasts where nothing is stored in bf16.
    Widened(usize),
}

#[derive(Clone, Debug)]
pub struct Buffer {
    pub size: Dim,
    /// The first and the last node that need it.
    pub first: usize,
    pub last: usize,
    pub part: Part,
    pub conversion: Option<Conversion>,
    /// Whether only processors need it.
    pub cpu_only: bool,
    /// Whether it holds an activation, which some runs store in 16 bits from the start.
    pub is_activation: bool,
    /// The last node that needs it where activations are not kept in bf16, and its part.
    pub without_bf16: (usize, Part),
    /// Needed only for the gradients of the float arguments.
    pub inputs_only: bool,
    /// In the backward pass needed only for the gradients of the parameters.
    pub params_only: bool,
    /// The last node of the forward pass that needs it.
    pub ends: usize,
    /// In the place of the gradient of a parameter, where nobody asks for it and its node makes
    /// others as well.
    pub spare: bool,
    pub label: String,
}

#[derive(Clone, Debug)]
pub struct Plan {
    /// By value.
    pub homes: Vec<Home>,
    pub buffers: Vec<Buffer>,
    /// By node: the buffer of its scratch memory.
    pub scratch: Vec<Option<usize>>,
    /// By value: the buffer of a gradient of a parameter that is not asked for.
    pub spares: Vec<Option<usize>>,
    /// By node: whether only the gradients of parameters need it.
    pub params_only: Vec<bool>,
}

/// Plans the memory of `graph`.
pub fn plan(graph: &Graph, inference: bool) -> Plan {
    let roots: Vec<ValueId> = (0..graph.values.len()).map(|v| graph.view_root(v)).collect();
    let mut last_use = vec![0; graph.values.len()];
    let mut is_used = vec![false; graph.values.len()];
    for (n, node) in graph.nodes.iter().enumerate() {
        for input in &node.inputs {
            last_use[roots[*input]] = n;
            is_used[roots[*input]] = true;
        }
    }
    let mut planner = Planner {
        graph,
        inference,
        last_use,
        is_used,
        homes: vec![Home::Nowhere; graph.values.len()],
        buffers: Vec::new(),
    };
    planner.outside(&roots);
    let params_only = graph.params_only();
    let mut spares = vec![None; graph.values.len()];
    let mut scratch = Vec::new();
    for (n, node) in graph.nodes.iter().enumerate() {
        if !node.op.is_view() {
            planner.outputs(n, &roots);
        }
        for output in &node.outputs {
            // A call is told that it is not asked for them.
            let is_param = matches!(planner.homes[*output], Home::Out(Dest::DParam(_)));
            if is_param && !params_only[n] && node.op.callee().is_none() {
                let (size, last) =
                    (graph.ty(*output).shape.len(), planner.last_use[*output].max(n));
                let spare = planner.buffer(size, n, last, "spare", false);
                planner.buffers[spare].spare = true;
                spares[*output] = Some(spare);
            }
        }
        let size = node.op.scratch(inference);
        let buffer = size.map(|size| planner.buffer(size, n, n, "scratch", false));
        if let Some(buffer) = buffer {
            planner.buffers[buffer].cpu_only = node.op.serves_cpu_only();
        }
        scratch.push(buffer);
    }
    let Planner { mut homes, mut buffers, .. } = planner;
    for v in 0..homes.len() {
        (homes[v], spares[v]) = (homes[roots[v]], spares[roots[v]]);
    }
    let first_backward = graph.nodes.iter().position(|n| n.phase > Phase::Forward);
    let boundary = first_backward.unwrap_or(graph.nodes.len());
    for b in 0..buffers.len() {
        if let Some(Conversion::Widened(of)) = buffers[b].conversion {
            buffers[of].without_bf16.0 = buffers[b].last;
        }
    }
    let part = |first: usize, last: usize| match (first < boundary, last < boundary) {
        (true, false) => Part::Saved,
        (true, true) => Part::Forward,
        (false, _) => Part::Backward,
    };
    for buffer in &mut buffers {
        let last = buffer.last.max(buffer.without_bf16.0);
        buffer.without_bf16 = (last, part(buffer.first, last));
        buffer.part = part(buffer.first, buffer.last);
        let inputs_only = |n: usize| graph.nodes[n].phase == Phase::BackwardInputs;
        buffer.inputs_only = inputs_only(buffer.first) && inputs_only(buffer.last);
    }
    let mut needed = vec![Needed::default(); buffers.len()];
    for (n, node) in graph.nodes.iter().enumerate() {
        let values = node.inputs.iter().chain(&node.outputs).filter_map(|v| match homes[*v] {
            Home::Buffer(b) => Some(b),
            _ => None,
        });
        for b in values.chain(scratch[n]) {
            needed[b].at(n, node.phase, params_only[n]);
            if let Some(Conversion::Widened(of)) = buffers[b].conversion {
                needed[of].at(n, node.phase, params_only[n]);
            }
        }
    }
    for (buffer, needed) in buffers.iter_mut().zip(needed) {
        buffer.ends = needed.ends.unwrap_or(buffer.first);
        buffer.params_only = needed.for_params && !needed.for_others && !buffer.spare;
    }
    Plan { homes, buffers, scratch, spares, params_only }
}

/// Which nodes need a buffer.
#[derive(Clone, Copy, Default)]
struct Needed {
    /// The last one of the forward pass.
    ends: Option<usize>,
    /// In the backward pass.
    for_params: bool,
    for_others: bool,
}

impl Needed {
    fn at(&mut self, n: usize, phase: Phase, params_only: bool) {
        if phase <= Phase::Forward {
            self.ends = self.ends.max(Some(n));
        } else {
            self.for_params |= params_only;
            self.for_others |= !params_only;
        }
    }
}

struct Planner<'a> {
    graph: &'a Graph,
    inference: bool,
    last_use: Vec<usize>,
    is_used: Vec<bool>,
    homes: Vec<Home>,
    buffers: Vec<Buffer>,
}

impl Planner<'_> {
    /// Values that the caller keeps.
    fn outside(&mut self, roots: &[ValueId]) {
        for (v, value) in self.graph.values.iter().enumerate() {
            match value.source {
                Source::Arg(a) => self.homes[v] = Home::Arg(a),
                Source::Param(p) => self.homes[v] = Home::Param(p),
                Source::State(s) => self.homes[v] = Home::State(s),
                Source::Constant(c) => self.homes[v] = Home::Constant(c),
                Source::DResult(r) => self.homes[v] = Home::DResult(r),
                Source::Cache(c) => self.homes[v] = Home::Cache(c),
                Source::Node(..) | Source::Gone => {}
            }
        }
        for node in self.graph.nodes.iter().filter(|node| node.phase == Phase::Prepare) {
            node.outputs.iter().for_each(|v| self.homes[*v] = Home::Prepared(*v));
        }
        for (dest, value) in &self.graph.outputs {
            self.homes[roots[*value]] = Home::Out(*dest);
        }
    }

    fn buffer(
        &mut self,
        size: Dim,
        first: usize,
        last: usize,
        label: &str,
        is_activation: bool,
    ) -> usize {
        let label = label.to_string();
        let (part, inputs_only) = (Part::Forward, false);
        let (conversion, without_bf16) = (None, (last, part));
        self.buffers.push(Buffer {
            size,
            first,
            last,
            part,
            conversion,
            cpu_only: false,
            is_activation,
            without_bf16,
            inputs_only,
            params_only: false,
            ends: last,
            spare: false,
            label,
        });
        self.buffers.len() - 1
    }

    fn outputs(&mut self, n: usize, roots: &[ValueId]) {
        let node = &self.graph.nodes[n];
        for (k, output) in node.outputs.iter().enumerate() {
            if self.homes[*output] != Home::Nowhere {
                continue;
            }
            let ty = self.graph.ty(*output);
            let unread = !self.is_used[*output];
            let is_result = !matches!(ty.kind, Kind::Saved | Kind::State);
            if unread && !is_result && (self.inference || !node.op.needs_output(k)) {
                continue;
            }
            let last = self.last_use[*output].max(n);
            let buffer = match self.ending(n, k, roots) {
                Some(buffer) => {
                    self.buffers[buffer].last = last;
                    buffer
                }
                None => {
                    let (label, is_activation) =
                        (&self.graph.values[*output].label, self.is_activation(n, k));
                    self.buffer(ty.shape.len(), n, last, label, is_activation)
                }
            };
            self.homes[*output] = Home::Buffer(buffer);
            if node.op.is_conversion() {
                self.buffers[buffer].conversion = Some(self.conversion(n));
            }
        }
    }

    /// Whether output `k` of node `n` is worth 16 bits.
    fn is_activation(&self, n: usize, k: usize) -> bool {
        let node = &self.graph.nodes[n];
        let activation = node.op.activation(self.graph.ty(node.outputs[k]), k);
        activation.is_some_and(|ty| is_long(&ty))
    }

    /// What the conversion at `n` makes.
    fn conversion(&self, n: usize) -> Conversion {
        // A widened value is made of a half, which is made of the value.
        let source = |v: ValueId| match self.graph.values[v].source {
            Source::Node(n, _) => Some(&self.graph.nodes[n]),
            _ => None,
        };
        let narrow = source(self.graph.nodes[n].inputs[0]).filter(|node| node.op.is_conversion());
        match narrow.map(|narrow| self.homes[narrow.inputs[0]]) {
            Some(Home::Buffer(of)) => Conversion::Widened(of),
            _ => Conversion::Half,
        }
    }

    /// A buffer of the size of output `k` among the inputs that nothing needs after node `n`.
    fn ending(&self, n: usize, k: usize, roots: &[ValueId]) -> Option<usize> {
        let node = &self.graph.nodes[n];
        let size = self.graph.ty(node.outputs[k]).shape.len();
        let is_activation = self.is_activation(n, k);
        let inputs = || node.inputs.iter().map(|input| roots[*input]);
        inputs().find_map(|input| {
            let allowed = |(i, other)| other != input || node.op.in_place(k, i);
            if !inputs().enumerate().all(allowed) {
                return None;
            }
            let Home::Buffer(b) = self.homes[input] else { return None };
            let buffer = &self.buffers[b];
            let given = node.outputs.iter().any(|o| self.homes[*o] == Home::Buffer(b));
            // A node that runs only at times leaves the memory of the others alone.
            let made = self.graph.nodes[buffer.first].phase;
            let same_runs =
                (made == Phase::BackwardInputs) == (node.phase == Phase::BackwardInputs);
            let alike = buffer.size == size && buffer.is_activation == is_activation;
            let fits = buffer.last == n && alike && !given && same_runs;
            fits.then_some(b)
        })
    }
}

impl Plan {
    /// The text form.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (b, buffer) in self.buffers.iter().enumerate() {
            let only = match (buffer.inputs_only, buffer.cpu_only) {
                (true, _) => ", inputs only",
                (false, true) => ", CPU only",
                (false, false) => "",
            };
            let Buffer { label, size, first, last, part, without_bf16, .. } = buffer;
            let of = if buffer.is_activation { "values" } else { "floats" };
            let _ = write!(
                text,
                "buffer {b} `{label}`: {size} {of}, nodes {first}..={last}, {part:?}{only}"
            );
            text.push_str(&match buffer.conversion {
                Some(Conversion::Half) => "; with bf16 only".into(),
                Some(Conversion::Widened(of)) => format!("; with bf16, else buffer {of}"),
                None if without_bf16.0 != *last => {
                    format!(" with bf16, else ..={}, {:?}", without_bf16.0, without_bf16.1)
                }
                None => String::new(),
            });
            text.push('\n');
        }
        text
    }
}
