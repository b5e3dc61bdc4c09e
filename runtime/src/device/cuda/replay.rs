//! Runs of steps: recorded at the first call, captured as one CUDA graph at the second, replayed
//! from then on. What a graph reads and writes has fixed places, which are a part of its name.

use std::ffi::c_void;
use std::sync::{Arc, PoisonError};

use cudarc::driver::{result, sys};

use super::Shared;
use super::error::{Context, CudaError};
use super::library_call::{LibraryCall, Planned};
use super::memory::{Block, Range};
use super::products::{self, Factors, Operands, Plan, Types};
use super::recording::{Arg, CudaKernels, Grid, Launch};
use super::staging::{Placed, Staging};
use super::timing::{Mark, Recorded, Times};
use crate::device::{Buf, Element, Region, RemoteFunction, RunKey};

/// Graphs that a workspace keeps.
const GRAPHS: usize = 32;

/// The steps that work on a block of memory.
#[derive(Default)]
pub(super) struct Runs {
    pub staging: Staging,
    known: Vec<(Name, Prepared)>,
    /// What calls use on the side, and factors that are rounded for a product. Steps that were
    /// prepared with smaller ones are forgotten.
    side: [Option<Block>; 2],
}

/// Where a step finds its memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    pub params: Range,
    /// The parameters in 16 bits, for steps that compute with these.
    pub halves: Range,
    /// The state of the scale of losses, for steps that scale them.
    pub loss_scale: Range,
    pub grads: Range,
    pub arena: Range,
    pub cache: Range,
    pub prepared: Range,
}

/// What tells a step from others.
#[derive(Clone, Debug, PartialEq)]
struct Name {
    key: RunKey,
    places: Places,
    staged: Range,
    /// The optimizer's step that follows.
    then: Option<Follows>,
}

/// What tells an optimizer's step from others.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Follows {
    pub function: RemoteFunction,
    pub state: [Range; 3],
    /// The ends of runs of parameters, and their groups.
    pub groups: Arc<[(usize, u8)]>,
    pub clips: bool,
    /// Whether the parameters in 16 bits are renewed as well.
    pub halves: bool,
    /// Whether it is left out after gradients that were not finite.
    pub scaled: bool,
    /// From where on the state of the model is renewed, and what of it stays.
    pub renews: Option<(usize, Vec<std::ops::Range<usize>>)>,
}

/// A step that can be launched.
struct Prepared {
    launches: Vec<Ready>,
    graph: Option<Graph>,
}

/// A launch whose memory is known.
enum Ready {
    Kernel { function: sys::CUfunction, grid: Grid, args: Vec<u64> },
    Product { plan: Plan, at: Operands },
    Library { planned: Arc<dyn Planned>, at: Vec<u64> },
    Mark(Mark),
}

// SAFETY: functions and plans may be used by any thread that has bound the context.
unsafe impl Send for Ready {}

/// What is given to the runs of a step.
pub(super) struct Inputs<'a> {
    pub floats: &'a [&'a [f32]],
    pub placed: Placed,
    /// What products are made of.
    pub factors: Factors,
    /// Where the run is recorded.
    pub recorded: Option<Recorded<'a>>,
}

impl Inputs<'_> {
    /// An empty list for such a run.
    fn step(&self) -> CudaKernels {
        let mut step = CudaKernels::new(self.factors);
        step.marked = self.recorded.is_some();
        step
    }
}

impl Runs {
    /// Launches the step `key`, which `record` describes when it is not known yet. Without a key
    /// it is launched and forgotten.
    pub fn launch(
        &mut self,
        shared: &Arc<Shared>,
        key: Option<RunKey>,
        then: Option<Follows>,
        places: Places,
        inputs: &Inputs<'_>,
        record: impl FnOnce(&mut CudaKernels),
    ) -> Result<(), CudaError> {
        let Some(key) = key else {
            let mut step = inputs.step();
            record(&mut step);
            let side = self.side(shared, step.side)?;
            let mut prepared = Prepared::new(shared, &step, places, side, inputs)?;
            return prepared.launch_now(shared, inputs.recorded);
        };
        let name = Name { key, places, staged: inputs.placed.whole, then };
        let known = self.known.iter().position(|(known, _)| *known == name);
        if let Some(at) = known {
            return self.known[at].1.launch(shared, inputs.recorded);
        }
        let mut step = inputs.step();
        record(&mut step);
        let side = self.side(shared, step.side)?;
        let mut prepared = Prepared::new(shared, &step, places, side, inputs)?;
        prepared.launch_now(shared, inputs.recorded)?;
        if self.known.len() == GRAPHS {
            self.known.remove(0);
        }
        self.known.push((name, prepared));
        Ok(())
    }

    /// Memory of at least so many floats each that calls use on the side.
    fn side(&mut self, shared: &Arc<Shared>, floats: [usize; 2]) -> Result<[Range; 2], CudaError> {
        for (block, floats) in self.side.iter_mut().zip(floats) {
            if block.as_ref().is_none_or(|block| block.range().len < floats) && floats > 0 {
                self.known.clear();
                *block = Some(Block::zeroed(shared, floats)?);
            }
        }
        Ok(self.side.each_ref().map(|block| block.as_ref().map(Block::range).unwrap_or_default()))
    }
}

/// What gives a step its memory.
struct Placing<'a> {
    shared: &'a Shared,
    places: Places,
    scratch: Range,
    rounded: Range,
    inputs: &'a Inputs<'a>,
    /// Of the inputs.
    lens: Vec<usize>,
}

impl Placing<'_> {
    fn at(&self, buf: Buf) -> Result<u64, CudaError> {
        let Places { params, halves, grads, arena, cache, prepared, .. } = self.places;
        let range = match buf.region {
            Region::Params if buf.element == Element::Half => halves,
            Region::Params => params,
            Region::Grads => grads,
            Region::Arena => arena,
            Region::Cache => cache,
            Region::Prepared => prepared,
            Region::Input(i) => self.inputs.placed.input(usize::from(i), &self.lens),
            Region::Constant => {
                let constant = buf.constant.expect("a range of a constant has it");
                self.shared.constant(constant)?
            }
        };
        Ok(range.of(buf))
    }

    fn word(&self, arg: &Arg) -> Result<u64, CudaError> {
        let placed = &self.inputs.placed;
        Ok(match *arg {
            Arg::Buf(buf) => self.at(buf)?,
            Arg::Indices(indices) => {
                let range = match indices.constant {
                    Some(constant) => self.shared.constant(constant)?,
                    None => placed.indices,
                };
                range.address(indices.start, indices.len)
            }
            Arg::Size(size) => u64::from(size),
            Arg::Float(value) => u64::from(value.to_bits()),
            Arg::Random => placed.random.at,
            Arg::Scalars => placed.scalars.at,
            Arg::LossScale => self.places.loss_scale.at,
            Arg::Null => 0,
            Arg::Scratch(start) => self.scratch.address(start, 0),
            Arg::Rounded(start) => self.rounded.address(start, 0),
            Arg::Address(address) => address,
        })
    }

    fn words(&self, args: &[Arg]) -> Result<Vec<u64>, CudaError> {
        args.iter().map(|arg| self.word(arg)).collect()
    }

    /// Adds launches whose memory is known.
    fn ready(&self, launches: &[Launch], to: &mut Vec<Ready>) -> Result<(), CudaError> {
        for launch in launches {
            to.push(match launch {
                Launch::Kernel { kernel, grid, args } => Ready::Kernel {
                    function: self.shared.function(kernel)?,
                    grid: *grid,
                    args: self.words(args)?,
                },
                Launch::Product { product, y, a, b, bias } => {
                    let (a, b) = (self.word(a)?, self.word(b)?);
                    let bias = bias.map(|bias| self.at(bias)).transpose()?;
                    let at = Operands { y: self.at(*y)?, a, b, bias };
                    let types = Types { factors: self.inputs.factors, result: y.element };
                    Ready::Product { plan: self.shared.products.plan(*product, at, types)?, at }
                }
                Launch::Library(call) => {
                    self.ready_library(call, to)?;
                    continue;
                }
                Launch::Mark(mark) => Ready::Mark(*mark),
            });
        }
        Ok(())
    }

    /// Adds a call of a library with what it needs around it, or what there is otherwise.
    fn ready_library(&self, call: &LibraryCall, to: &mut Vec<Ready>) -> Result<(), CudaError> {
        let at = self.words(&call.at)?;
        let Some(planned) = call.call.plan(self.shared, &at)? else {
            return self.ready(&call.otherwise, to);
        };
        self.ready(&call.before, to)?;
        to.push(Ready::Library { planned, at });
        self.ready(&call.after, to)
    }
}

impl Prepared {
    fn new(
        shared: &Arc<Shared>,
        step: &CudaKernels,
        places: Places,
        [scratch, rounded]: [Range; 2],
        inputs: &Inputs<'_>,
    ) -> Result<Self, CudaError> {
        let lens = inputs.floats.iter().map(|x| x.len()).collect();
        let placing = Placing { shared, places, scratch, rounded, inputs, lens };
        let mut launches = Vec::with_capacity(step.launches.len());
        placing.ready(&step.launches, &mut launches)?;
        Ok(Self { launches, graph: None })
    }

    /// Replays the graph, which is made first where there is none. Runs that are recorded have
    /// none.
    fn launch(
        &mut self,
        shared: &Arc<Shared>,
        recorded: Option<Recorded<'_>>,
    ) -> Result<(), CudaError> {
        if recorded.is_some() {
            return self.launch_now(shared, recorded);
        }
        if self.graph.is_none() {
            self.graph = Some(self.capture(shared)?);
        }
        if let Some(graph) = &self.graph {
            let _uncaptured = shared.uncaptured();
            // SAFETY: the graph is open; what it reads and writes has the places of its name.
            unsafe { result::graph::launch(graph.0, shared.stream()) }.to("launch a graph")?;
            shared.counts.graph();
        }
        Ok(())
    }

    fn capture(&mut self, shared: &Arc<Shared>) -> Result<Graph, CudaError> {
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED;
        let _alone = shared.capture.write().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the stream is open and not captured.
        unsafe { result::stream::begin_capture(shared.stream(), mode) }.to("capture a step")?;
        let launched = self.launch_each(shared, None);
        // SAFETY: the stream is captured, by this thread.
        let graph = unsafe { result::stream::end_capture(shared.stream()) }.to("capture a step")?;
        let made = launched.and_then(|()| {
            let flags = sys::CUgraphInstantiate_flags(0);
            // SAFETY: the graph is whole.
            unsafe { result::graph::instantiate(graph, flags) }.to("make a graph")
        });
        // SAFETY: the capture made this graph, and what can be launched was made of it and needs it
        // no more.
        let _ = unsafe { result::graph::destroy(graph) };
        made.map(Graph)
    }

    /// Launches the step outside of a capture.
    fn launch_now(
        &mut self,
        shared: &Arc<Shared>,
        recorded: Option<Recorded<'_>>,
    ) -> Result<(), CudaError> {
        let mut times = recorded.map(|_| Times::new(shared)).transpose()?;
        let uncaptured = shared.uncaptured();
        self.launch_each(shared, times.as_mut())?;
        drop(uncaptured);
        match times.zip(recorded) {
            Some((times, recorded)) => times.end(recorded),
            None => Ok(()),
        }
    }

    fn launch_each(
        &mut self,
        shared: &Arc<Shared>,
        mut times: Option<&mut Times<'_>>,
    ) -> Result<(), CudaError> {
        for launch in &mut self.launches {
            match launch {
                Ready::Kernel { function, grid, args } => {
                    let mut args: Vec<*mut c_void> =
                        args.iter_mut().map(|arg| std::ptr::from_mut(arg).cast()).collect();
                    // SAFETY: the kernel takes these arguments, whose ranges have the sizes that it
                    // was made for; the stream runs one launch after another.
                    unsafe {
                        result::launch_kernel(
                            *function,
                            (grid.blocks as u32, 1, 1),
                            (grid.threads as u32, 1, 1),
                            0,
                            shared.stream(),
                            &mut args,
                        )
                    }
                    .to("launch a kernel")?;
                }
                Ready::Product { plan, at } => {
                    let workspace = shared.workspace(products::WORKSPACE)?;
                    shared.products.launch(plan, *at, workspace, shared.stream())?;
                }
                Ready::Library { planned, at } => {
                    let workspace = shared.workspace(planned.workspace())?;
                    planned.launch(shared, at, workspace)?;
                }
                Ready::Mark(mark) => {
                    if let Some(times) = &mut times {
                        times.mark(*mark)?;
                    }
                    continue;
                }
            }
            shared.counts.launch();
        }
        Ok(())
    }
}

/// A graph that can be launched.
struct Graph(sys::CUgraphExec);

// SAFETY: graphs may be launched by any thread, one at a time.
unsafe impl Send for Graph {}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: open, and destroyed once.
        let _ = unsafe { result::graph::exec_destroy(self.0) };
    }
}
