//! Recurrent cells on a GPU, in one of two forms.
//!
//! By steps: for each step a product of the states with the weights, and a kernel for the rest.
//! What a step of a small layer takes is the time of two launches, an estimated 2 µs each in a
//! graph.
//!
//! By blocks: one launch, in which a block of threads takes a few samples through all steps. Each
//! block needs all weights at each step, and nothing from other blocks.
//!
//! Which of them is faster is estimated, from what NVIDIA says of an H200: nothing of this has run
//! on a GPU. Of its 132 multiprocessors one reads 64 bytes a clock from the second-level cache, and
//! all together 2850 (5 TB/s). 512 threads keep 128 KiB of weights in registers, and the rest of an
//! LSTM of 128 units, as much again, would take 1.2 µs a step; in what the first-level cache holds
//! it would take half of that. With 256 units 900 KB are to be read at each step, which would take
//! 8 µs: that layer goes by steps.
//!
//! Weights that are divided between blocks would stay in registers at 256 units too. The blocks
//! then exchange states at each step, through clusters or a barrier of all blocks; both need a GPU
//! to be tried on, and are left out.

use super::{Cell, InputGrads, Inputs, OutputGrads, Outputs, Recurrent, RecurrentSpec, Saved};
use crate::device::{Arg, Buf, CudaKernel, CudaKernels, Grid, Text};
use crate::ops::fill::Fill;
use crate::ops::matmul::{Layout, Matmul, MatmulSpec};

const STEPS: Text = Text {
    room: "recurrent",
    text: concat!(include_str!("cells.cuh"), include_str!("kernels.cu")),
};
const BLOCKS: Text =
    Text { room: "recurrent", text: concat!(include_str!("cells.cuh"), include_str!("blocks.cu")) };

/// Multiprocessors of an H200.
const MULTIPROCESSORS: usize = 132;
/// Multiply-adds a clock of one.
const LANES: usize = 128;
/// Bytes a clock from the second-level cache, to one multiprocessor and to all.
const READ_BY_ONE: usize = 64;
const READ_BY_ALL: usize = 2850;
/// Clocks of two launches, an estimate.
const LAUNCHES: usize = 7000;

/// Threads of a block that takes samples through all steps: 128 registers are left for each.
const BLOCK: usize = 512;

fn with_sizes(kernel: CudaKernel, spec: RecurrentSpec) -> CudaKernel {
    let cell = match spec.cell {
        Cell::Tanh => 0,
        Cell::Relu => 1,
        Cell::Lstm => 2,
        Cell::Gru => 3,
    };
    let kernel = kernel.with("CELL", cell).with("HIDDEN", spec.hidden);
    kernel.with("REVERSE", u8::from(spec.reverse))
}

/// How a block multiplies its states with weights `[rows, cols]`.
#[derive(Clone, Copy, Debug)]
struct Shares {
    rows: usize,
    cols: usize,
    /// Samples of a block: as few as there are multiprocessors for.
    samples: usize,
    /// Groups of threads, and the rows of each. A thread has four columns.
    groups: usize,
    each: usize,
    /// Rows whose weights stay in registers.
    kept: usize,
}

impl Shares {
    fn new(batch: usize, [rows, cols]: [usize; 2]) -> Self {
        let samples = batch.div_ceil(MULTIPROCESSORS).next_power_of_two().min(4);
        let most = (BLOCK / cols.div_ceil(4)).max(1);
        let each = rows.div_ceil(most).next_multiple_of(4);
        let kept = each.min(if samples > 2 { 8 } else { 16 });
        Self { rows, cols, samples, groups: rows.div_ceil(each), each, kept }
    }

    fn threads(&self) -> usize {
        (self.groups * self.cols.div_ceil(4)).next_multiple_of(32)
    }

    /// Clocks of a step of `batch` samples.
    fn clocks(&self, batch: usize) -> usize {
        let weights = self.rows * self.cols;
        let blocks = batch.div_ceil(self.samples);
        let reading = blocks.min(MULTIPROCESSORS);
        let bytes = 4 * weights.saturating_sub(4 * self.kept * self.threads());
        let reads = (bytes / READ_BY_ONE).max(bytes * reading / READ_BY_ALL);
        blocks.div_ceil(MULTIPROCESSORS) * reads.max(self.samples * weights / LANES)
    }

    fn kernel(&self, function: &'static str, spec: RecurrentSpec) -> CudaKernel {
        let kernel = with_sizes(BLOCKS.kernel(function), spec);
        let kernel = kernel.with("ROWS", self.rows).with("COLS", self.cols);
        let kernel = kernel.with("SAMPLES", self.samples).with("BLOCK", self.threads());
        kernel.with("GROUPS", self.groups).with("EACH", self.each).with("KEPT", self.kept)
    }

    fn grid(&self, batch: usize) -> Grid {
        Grid { blocks: batch.div_ceil(self.samples), threads: self.threads() }
    }
}

impl RecurrentSpec {
    /// The shares of blocks, forward and backward; nothing where going by steps is faster.
    fn shares(&self) -> Option<[Shares; 2]> {
        let (hidden, width) = (self.hidden, self.width());
        let shares = [[hidden, width], [width, hidden]].map(|w| Shares::new(self.batch, w));
        let by_steps = LAUNCHES + self.batch * hidden * width / (LANES * MULTIPROCESSORS);
        shares.iter().all(|shares| shares.clocks(self.batch) < by_steps).then_some(shares)
    }
}

impl CudaKernels {
    /// `y = x`, or zeros.
    fn copy_or_clear(&mut self, y: Buf, x: Option<Buf>) {
        match x {
            Some(x) => self.copy(y, x),
            None => self.fill(y, 0.0),
        }
    }

    fn forward_by_blocks(
        &mut self,
        outputs: Outputs,
        saved: Option<Saved>,
        inputs: Inputs,
        shares: Shares,
        spec: RecurrentSpec,
    ) {
        let RecurrentSpec { batch, steps, hidden, .. } = spec;
        let width = spec.width();
        let [w] = self.scratch([width * hidden]);
        self.transpose(w, inputs.w.into(), [1, width, hidden]);
        let args = [
            ("y", outputs.y.into()),
            ("h", outputs.h.into()),
            ("c", outputs.c.into()),
            ("gates", saved.map(|saved| saved.gates).into()),
            ("before", saved.map(|saved| saved.before).into()),
            ("inner", saved.and_then(|saved| saved.inner).into()),
            ("x", inputs.x.into()),
            ("w", w),
            ("bias", inputs.b.into()),
            ("h_first", inputs.h.into()),
            ("c_first", inputs.c.into()),
            ("lengths", inputs.lengths.map_or(Arg::Null, Arg::Indices)),
            ("steps", steps.into()),
            ("batch", batch.into()),
        ];
        self.launch(shares.kernel("forward_all", spec), shares.grid(batch), &args);
    }

    fn backward_by_blocks(
        &mut self,
        d_inputs: InputGrads,
        d_outputs: OutputGrads,
        saved: Saved,
        inputs: Inputs,
        shares: Shares,
        spec: RecurrentSpec,
    ) {
        let args = [
            ("d_x", d_inputs.x.into()),
            ("d_products", d_inputs.products.into()),
            ("d_h", d_inputs.h.into()),
            ("d_c", d_inputs.c.into()),
            ("d_h_last", d_outputs.h.into()),
            ("d_c_last", d_outputs.c.into()),
            ("d_y", d_outputs.y.into()),
            ("gates", saved.gates.into()),
            ("before", saved.before.into()),
            ("inner", saved.inner.into()),
            ("w", inputs.w.into()),
            ("lengths", inputs.lengths.map_or(Arg::Null, Arg::Indices)),
            ("steps", spec.steps.into()),
            ("batch", spec.batch.into()),
        ];
        self.launch(shares.kernel("backward_all", spec), shares.grid(spec.batch), &args);
    }

    fn forward_by_steps(
        &mut self,
        outputs: Outputs,
        saved: Option<Saved>,
        inputs: Inputs,
        scratch: Buf,
        spec: RecurrentSpec,
    ) {
        let RecurrentSpec { batch, steps, hidden, .. } = spec;
        let (width, count) = (spec.width(), batch * hidden);
        let products = scratch.part(0, batch * width);
        let [h, c] = [0, count].map(|start| scratch.part(batch * width + start, count));
        self.copy_or_clear(h, inputs.h);
        if spec.cell == Cell::Lstm {
            self.copy_or_clear(c, inputs.c);
        }
        let multiply = MatmulSpec { layout: Layout::NT, m: batch, k: hidden, n: width };
        for s in 0..steps {
            let is_zero = s == 0 && inputs.h.is_none();
            if !is_zero {
                self.matmul(products, h, inputs.w, multiply);
            }
            let args = [
                ("y", outputs.y.into()),
                ("h", h.into()),
                ("c", c.into()),
                ("gates", saved.map(|saved| saved.gates).into()),
                ("before", saved.map(|saved| saved.before).into()),
                ("inner", saved.and_then(|saved| saved.inner).into()),
                ("x", inputs.x.into()),
                ("p", if is_zero { Arg::Null } else { products.into() }),
                ("bias", inputs.b.into()),
                ("lengths", inputs.lengths.map_or(Arg::Null, Arg::Indices)),
                ("s", s.into()),
                ("steps", steps.into()),
                ("count", count.into()),
            ];
            let kernel = with_sizes(STEPS.kernel("forward"), spec);
            self.launch(kernel, Grid::each(count), &args);
        }
        self.copy(outputs.h, h);
        if let Some(last) = outputs.c {
            self.copy(last, c);
        }
    }

    fn backward_by_steps(
        &mut self,
        d_inputs: InputGrads,
        d_outputs: OutputGrads,
        saved: Saved,
        inputs: Inputs,
        scratch: Buf,
        spec: RecurrentSpec,
    ) {
        let RecurrentSpec { batch, steps, hidden, .. } = spec;
        let (width, count) = (spec.width(), batch * hidden);
        let d_p = scratch.part(0, batch * width);
        let through = scratch.part(batch * width, count);
        let [d_h, d_c] = self.scratch([count, count]);
        let multiply = MatmulSpec { layout: Layout::NN, m: batch, k: width, n: hidden };
        for s in (0..steps).rev() {
            let is_last = s + 1 == steps;
            let or_first =
                |first: Option<Buf>, then: Arg| if is_last { first.into() } else { then };
            let args = [
                ("d_x", d_inputs.x.into()),
                ("d_products", d_inputs.products.into()),
                ("d_p", d_p.into()),
                ("h_out", d_h),
                ("c_out", d_inputs.c.filter(|_| s == 0).map_or(d_c, Arg::Buf)),
                ("h_in", or_first(d_outputs.h, d_h)),
                ("c_in", or_first(d_outputs.c, d_c)),
                ("through", or_first(None, through.into())),
                ("d_y", d_outputs.y.into()),
                ("gates", saved.gates.into()),
                ("before", saved.before.into()),
                ("inner", saved.inner.into()),
                ("lengths", inputs.lengths.map_or(Arg::Null, Arg::Indices)),
                ("s", s.into()),
                ("steps", steps.into()),
                ("count", count.into()),
            ];
            let kernel = with_sizes(STEPS.kernel("backward"), spec);
            self.launch(kernel, Grid::each(count), &args);
            if s > 0 || d_inputs.h.is_some() {
                self.matmul(through, d_p, inputs.w, multiply);
            }
        }
        if let Some(first) = d_inputs.h {
            let args =
                [("y", first.into()), ("a", d_h), ("b", through.into()), ("count", count.into())];
            self.launch(with_sizes(STEPS.kernel("sum"), spec), Grid::each(count), &args);
        }
    }
}

impl Recurrent for CudaKernels {
    fn recurrent(
        &mut self,
        outputs: Outputs,
        saved: Option<Saved>,
        inputs: Inputs,
        scratch: Buf,
        spec: RecurrentSpec,
    ) {
        if spec.batch * spec.hidden == 0 {
            return;
        }
        match spec.shares() {
            Some([shares, _]) => self.forward_by_blocks(outputs, saved, inputs, shares, spec),
            None => self.forward_by_steps(outputs, saved, inputs, scratch, spec),
        }
    }

    fn recurrent_grad(
        &mut self,
        d_inputs: InputGrads,
        d_outputs: OutputGrads,
        saved: Saved,
        inputs: Inputs,
        scratch: Buf,
        spec: RecurrentSpec,
    ) {
        if spec.batch * spec.hidden == 0 {
            return;
        }
        match spec.shares() {
            Some([_, shares]) => {
                self.backward_by_blocks(d_inputs, d_outputs, saved, inputs, shares, spec);
            }
            None => self.backward_by_steps(d_inputs, d_outputs, saved, inputs, scratch, spec),
        }
    }
}
