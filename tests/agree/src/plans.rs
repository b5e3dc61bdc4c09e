//! Plans of memory, run with a mark in the place of each value: whatever is read must still hold
//! the mark that was written. What has died is poisoned, and nothing touches the space around a
//! range.

use gradiron::__private::arena::{self, Life};
use gradiron_compiler::graph::{Graph, Phase, ValueId};
use gradiron_compiler::passes::Form;
use gradiron_compiler::passes::plan::{Buffer, Conversion, Home, Part, Plan};

use crate::library::{Function, Scope};

/// The buffers that a plan may have here.
const MOST: usize = 512;

/// The floats of a buffer whose size only the runtime knows.
const OPAQUE: usize = 37;

/// Holds nothing.
const POISON: usize = usize::MAX;

/// Which of the memories that one plan serves.
#[derive(Clone, Copy, Debug)]
struct Variant {
    want_params: bool,
    want_inputs: bool,
    /// Whether values are stored in bf16 between the passes.
    between: bool,
    /// Whether forward and backward share one block.
    whole: bool,
}

/// Runs the plans of a function.
///
/// # Errors
/// What is read after it was overwritten, or overlaps what is in use.
pub fn check(function: &Function, scope: &Scope) -> Result<(), String> {
    for (form, plan) in &function.plans {
        let (_, _, graph) =
            function.graphs.iter().rfind(|(f, ..)| f == form).expect("it was planned");
        for variant in 0..16 {
            let is = |bit: u32| variant >> bit & 1 == 1;
            let [want_params, want_inputs, between, whole] = [0, 1, 2, 3].map(is);
            // Without gradients of parameters, memory is that of a nested model.
            let is_run = if *form == Form::Train { want_params || !whole } else { variant == 15 };
            if is_run {
                let variant = Variant { want_params, want_inputs, between, whole };
                let run = Run::new(graph, plan, scope, variant)?;
                run.run().map_err(|text| format!("{form:?} {variant:?}: {text}"))?;
            }
        }
    }
    Ok(())
}

impl Variant {
    /// Whether there is no backward pass.
    fn is_still(self) -> bool {
        !self.want_params && !self.want_inputs
    }
}

struct Run<'a> {
    graph: &'a Graph,
    plan: &'a Plan,
    variant: Variant,
    /// By buffer: the block, the first float and the length.
    places: Vec<(usize, usize, usize)>,
    /// The last node that needs a buffer.
    lasts: Vec<usize>,
    /// Memory that lasts from pass to pass, and memory within one.
    blocks: [Vec<usize>; 2],
}

impl<'a> Run<'a> {
    fn new(
        graph: &'a Graph,
        plan: &'a Plan,
        scope: &Scope,
        variant: Variant,
    ) -> Result<Self, String> {
        let count = plan.buffers.len();
        if count > MOST {
            return Err(format!("{count} buffers are more than this test plans"));
        }
        let is_there = |buffer: &Buffer| {
            let is_backward = buffer.part == Part::Backward;
            (variant.want_inputs || !buffer.inputs_only)
                && !(is_backward && variant.is_still())
                && !(is_backward && buffer.params_only && !variant.want_params)
                && !(buffer.spare && variant.want_params)
                && (variant.between || buffer.conversion.is_none())
        };
        let (mut sizes, mut lens) = ([0; MOST], Vec::new());
        let mut lives = [Life::new(u32::MAX, u32::MAX, arena::Part::Backward); MOST];
        let (mut parts, mut lasts) = (Vec::new(), Vec::new());
        for (b, buffer) in plan.buffers.iter().enumerate() {
            let len = scope.try_size(&buffer.size).unwrap_or(OPAQUE);
            lens.push(if is_there(buffer) || buffer.conversion.is_some() { len } else { 0 });
            // A cache line more, which nothing may touch.
            sizes[b] = if is_there(buffer) { len + arena::ALIGN } else { 0 };
            let (last, part) = match variant.between {
                true => (buffer.last, buffer.part),
                false => buffer.without_bf16,
            };
            let shortens = buffer.params_only && !variant.want_params && !variant.between;
            let (last, part) = match part == Part::Saved && (variant.is_still() || shortens) {
                true => (buffer.ends, Part::Forward),
                false => (last, part),
            };
            lives[b] = Life::new(
                buffer.first as u32,
                last as u32,
                match part {
                    Part::Saved => arena::Part::Saved,
                    Part::Forward => arena::Part::Forward,
                    Part::Backward => arena::Part::Backward,
                },
            );
            parts.push(part);
            lasts.push(last);
        }
        let layout = arena::plan::<MOST>(sizes, lives, variant.whole);
        let block = |b: usize| usize::from(!variant.whole && parts[b] != Part::Saved);
        let places = (0..count).map(|b| (block(b), layout.offsets[b], lens[b])).collect();
        let blocks = [layout.saved, layout.scratch].map(|len| vec![POISON; len]);
        Ok(Self { graph, plan, variant, places, lasts, blocks })
    }

    /// The buffer of a value, where it has one.
    fn buffer(&self, v: ValueId) -> Option<usize> {
        let Home::Buffer(b) = self.plan.homes[v] else {
            return self.plan.spares[v].filter(|_| !self.variant.want_params);
        };
        match self.plan.buffers[b].conversion {
            Some(Conversion::Widened(of)) if !self.variant.between => Some(of),
            _ => Some(b),
        }
    }

    fn cells(&mut self, b: usize) -> &mut [usize] {
        let (block, start, len) = self.places[b];
        &mut self.blocks[block][start..][..len]
    }

    fn overlap(&self, a: usize, b: usize) -> bool {
        let ((block, a, len), (other, b, other_len)) = (self.places[a], self.places[b]);
        block == other && a < b + other_len && b < a + len
    }

    fn run(mut self) -> Result<(), String> {
        let graph = self.graph;
        let mut phase = Phase::Forward;
        for (n, node) in graph.nodes.iter().enumerate() {
            let skipped = node.phase == Phase::Prepare
                || node.phase == Phase::BackwardInputs && !self.variant.want_inputs
                || node.phase > Phase::Forward && self.variant.is_still()
                || self.plan.params_only[n] && !self.variant.want_params
                || node.op.is_conversion() && !self.variant.between
                || node.op.is_view();
            if skipped {
                continue;
            }
            if node.phase > Phase::Forward && phase == Phase::Forward {
                phase = Phase::Backward;
                if !self.variant.whole {
                    // Others run between the passes.
                    self.blocks[1].fill(POISON);
                }
            }
            let name = || format!("node {n} ({})", node.op.name());
            let roots: Vec<ValueId> = node.inputs.iter().map(|v| graph.view_root(*v)).collect();
            let inputs: Vec<(usize, ValueId, usize)> = roots
                .iter()
                .enumerate()
                .filter_map(|(i, root)| Some((i, *root, self.buffer(*root)?)))
                .collect();
            for (_, root, b) in &inputs {
                let mark = self.mark(*root);
                if self.cells(*b).iter().any(|cell| *cell != mark) {
                    return Err(format!("{} reads %{root}, which was overwritten", name()));
                }
            }
            let scratch = self.plan.scratch[n];
            let outputs: Vec<(usize, ValueId, usize)> = node
                .outputs
                .iter()
                .enumerate()
                .filter_map(|(k, v)| Some((k, *v, self.buffer(*v)?)))
                .collect();
            for (k, v, b) in &outputs {
                for (i, root, other) in &inputs {
                    if self.overlap(*b, *other) && !(b == other && node.op.in_place(*k, *i)) {
                        return Err(format!("{} writes %{v} over its input %{root}", name()));
                    }
                }
                let others = outputs.iter().filter(|(other, ..)| other != k).map(|(.., b)| *b);
                if others.chain(scratch).any(|other| self.overlap(*b, other)) {
                    return Err(format!("{} writes %{v} over what else it writes", name()));
                }
            }
            if let Some(scratch) = scratch {
                if inputs.iter().any(|(.., b)| self.overlap(*b, scratch)) {
                    return Err(format!("{} has its scratch memory over an input", name()));
                }
                self.cells(scratch).fill(POISON);
            }
            for (_, v, b) in outputs {
                let mark = self.mark(v);
                self.cells(b).fill(mark);
            }
            for b in 0..self.places.len() {
                let is_over = self.lasts[b] == n && self.plan.buffers[b].first <= n;
                if is_over && self.plan.buffers[b].conversion.is_none() {
                    self.cells(b).fill(POISON);
                }
            }
        }
        Ok(())
    }

    /// What marks the memory of a value: a widened value that is the value itself has its mark.
    fn mark(&self, v: ValueId) -> usize {
        use gradiron_compiler::graph::Source;
        if self.variant.between {
            return v;
        }
        match self.graph.values[v].source {
            Source::Node(n, _) if self.graph.nodes[n].op.is_conversion() => {
                self.mark(self.graph.view_root(self.graph.nodes[n].inputs[0]))
            }
            _ => v,
        }
    }
}
