//! Recurrent layers on the CPU. Samples do not depend on each other, so a thread takes a block of
//! them through all steps and waits for nobody; the weights are packed once, and stay in the
//! second-level cache of each thread.

use super::cells::{Past, advance, retreat};
use super::{Cell, Given, Gradients, History, Made, Recurrent, RecurrentSpec, Upstream};
use crate::device::{Buf, CpuKernels};
use crate::math::SimdLevel;
use crate::ops::matmul::pack::{Part, pack, pack_lines};
use crate::ops::matmul::{Panel, Tiling};
use crate::ops::{check_apart, check_holds, product, sum};

/// An operand `[batch, steps, width]`; `[batch, width]` has one step.
#[derive(Clone, Copy)]
struct Operand {
    start: *mut f32,
    steps: usize,
    width: usize,
}

// SAFETY: an operand is a pointer and its sizes. Threads read operands, and write only rows of samples,
// and blocks of memory, that are theirs alone.
unsafe impl Sync for Operand {}

impl Operand {
    /// # Safety
    /// The operand has sample `n` and step `t`, and nobody writes the row meanwhile.
    unsafe fn row<'a>(&self, n: usize, t: usize) -> &'a [f32] {
        // SAFETY: the row is inside the operand, whose memory is lent for the call, and nobody writes it,
        // which the caller promises.
        unsafe {
            std::slice::from_raw_parts(
                self.start.add((n * self.steps + t) * self.width),
                self.width,
            )
        }
    }

    /// # Safety
    /// The operand was made of memory to write and has sample `n` and step `t`, and nobody else uses the
    /// row meanwhile.
    unsafe fn row_mut<'a>(&self, n: usize, t: usize) -> &'a mut [f32] {
        let at = (n * self.steps + t) * self.width;
        // SAFETY: the row is inside the operand, whose memory is lent to write, and nobody else uses it,
        // which the caller promises.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), self.width) }
    }
}

impl RecurrentSpec {
    /// Multiply-adds and functions of all steps.
    fn work(&self) -> usize {
        product([self.batch, self.steps, self.width(), sum([self.hidden, 16])])
    }

    /// `[batch, steps, width]` or `[batch, width]`, read.
    fn read(&self, step: &CpuKernels<'_>, buf: Buf, [steps, width]: [usize; 2]) -> Operand {
        let buf = buf.part(0, product([self.batch, steps, width]));
        Operand { start: step.read(buf).cast_mut(), steps, width }
    }

    /// The same, written.
    fn write(&self, step: &CpuKernels<'_>, buf: Buf, [steps, width]: [usize; 2]) -> Operand {
        let buf = buf.part(0, product([self.batch, steps, width]));
        Operand { start: step.written(buf), steps, width }
    }

    fn of_x(&self) -> [usize; 2] {
        [self.steps, self.width()]
    }

    fn of_steps(&self) -> [usize; 2] {
        [self.steps, self.hidden]
    }

    fn of_state(&self) -> [usize; 2] {
        [1, self.hidden]
    }
}

/// What both directions know of a call.
struct Call<'a> {
    level: SimdLevel,
    spec: RecurrentSpec,
    lengths: Option<&'a [u32]>,
    packed: Operand,
    /// The memory of each block.
    blocks: Operand,
    first: [Option<Operand>; 2],
}

impl<'a> Call<'a> {
    fn new(step: &CpuKernels<'a>, given: &Given, scratch: Buf, spec: RecurrentSpec) -> Self {
        let scratch = step.written(scratch.part(0, spec.scratch()));
        let packed = Operand { start: scratch, steps: 1, width: spec.packed() };
        // SAFETY: the scratch memory was checked for `spec.scratch()` floats: the packed weights and behind
        // them the blocks.
        let start = unsafe { scratch.add(spec.packed()) };
        let blocks = Operand { start, steps: 1, width: spec.block_floats() };
        let first = [given.h, given.c].map(|buf| Some(spec.read(step, buf?, spec.of_state())));
        let lengths = given.lengths.map(|lengths| step.indices(lengths));
        if let Some(lengths) = lengths {
            check_holds("the lengths of a recurrent layer", lengths.len(), spec.batch);
            let longest = lengths.iter().copied().max().unwrap_or(0);
            assert!(
                longest as usize <= spec.steps,
                "gradiron: a sequence of {longest} elements has {} steps (a bug)",
                spec.steps,
            );
        }
        Self { level: step.level(), spec, lengths, packed, blocks, first }
    }

    /// Packs the weights: `one(panel, first, cols)` for each panel of `cols` columns of `k` floats.
    fn pack(&self, cols: usize, k: usize, one: impl Fn(*mut f32, usize, usize)) {
        let width = Tiling::of(self.level).cols;
        for first in (0..cols).step_by(width) {
            one(self.packed.start.wrapping_add(first * k), first, width.min(cols - first));
        }
    }

    fn len(&self, n: usize) -> usize {
        self.lengths.map_or(self.spec.steps, |lengths| lengths[n] as usize)
    }

    /// The steps in their order.
    fn steps(&self) -> impl DoubleEndedIterator<Item = usize> + use<> {
        let (steps, reverse) = (self.spec.steps, self.spec.reverse);
        (0..steps).map(move |at| if reverse { steps - 1 - at } else { at })
    }

    /// The cell of an LSTM before step `t`.
    ///
    /// # Safety
    /// `cells` has sample `n` and the steps of the call, of which `t` is one, and nobody writes it.
    unsafe fn cell_before<'b>(&self, cells: &Operand, n: usize, t: usize) -> Option<&'b [f32]> {
        let before = match self.spec.reverse {
            true => (t + 1 < self.len(n)).then_some(t + 1),
            false => t.checked_sub(1),
        };
        // SAFETY: `before` is below the length of the sample, which is checked to be at most the steps that
        // the caller's `cells` have; the first cells have every sample.
        unsafe {
            match before {
                Some(before) => Some(cells.row(n, before)),
                None => self.first[1].map(|first| first.row(n, 0)),
            }
        }
    }
}

/// The samples of a block and its memory.
struct Block<'a> {
    samples: std::ops::Range<usize>,
    /// `[rows, gates · hidden]`
    gates: &'a mut [f32],
    /// `[rows, hidden]`
    h: &'a mut [f32],
    /// `[rows, hidden]`
    c: &'a mut [f32],
    zeros: &'a [f32],
    spare: &'a mut [f32],
}

impl<'a> Block<'a> {
    /// # Safety
    /// `at` is below the spec's blocks, and nobody else has this block.
    unsafe fn new(call: &Call<'_>, at: usize) -> Self {
        let s = call.spec;
        let rows = s.block_rows();
        let samples = at * rows..s.batch.min((at + 1) * rows);
        // SAFETY: the scratch memory has all blocks, and this one is the caller's alone.
        let memory: &'a mut [f32] = unsafe { call.blocks.row_mut(at, 0) };
        let (gates, rest) = memory.split_at_mut(rows * s.width());
        let (h, rest) = rest.split_at_mut(rows * s.hidden);
        let (c, rest) = rest.split_at_mut(rows * s.hidden);
        let (zeros, spare) = rest.split_at_mut(s.hidden);
        zeros.fill(0.0);
        Self { samples, gates, h, c, zeros, spare }
    }

    /// Fills the states with those of `from`, or zeros.
    ///
    /// # Safety
    /// The rows of the block's samples are there to read.
    unsafe fn start(&mut self, from: [Option<Operand>; 2], hidden: usize) {
        for (state, from) in [&mut *self.h, &mut *self.c].into_iter().zip(from) {
            for (n, state) in self.samples.clone().zip(state.chunks_exact_mut(hidden)) {
                match from {
                    // SAFETY: the caller lends the rows of the block's samples, of which `n` is one.
                    Some(from) => state.copy_from_slice(unsafe { from.row(n, 0) }),
                    None => state.fill(0.0),
                }
            }
        }
    }

    /// Writes the states to `to`.
    ///
    /// # Safety
    /// The rows of the block's samples are lent to write.
    unsafe fn end(&self, to: [Option<Operand>; 2], hidden: usize) {
        for (state, to) in [&*self.h, &*self.c].into_iter().zip(to) {
            let Some(to) = to else { continue };
            for (n, state) in self.samples.clone().zip(state.chunks_exact(hidden)) {
                // SAFETY: the caller lends the rows of the block's samples, of which `n` is one, to write.
                unsafe { to.row_mut(n, 0) }.copy_from_slice(state);
            }
        }
    }
}

/// `c [rows, n] (+)= a [rows, k] · b [k, n]`, `b` packed in panels of columns.
///
/// # Safety
/// The packed form, `k` floats for each of `n` columns in whole panels, is there to read.
unsafe fn multiply(
    level: SimdLevel,
    (c, accumulate): (&mut [f32], bool),
    a: &[f32],
    packed: &Operand,
    [rows, n, k]: [usize; 3],
) {
    assert!(a.len() >= rows * k && c.len() >= rows * n, "gradiron: a block is too small (a bug)");
    let tiling = Tiling::of(level);
    let each = tiling.panel_rows(rows);
    for row in (0..rows).step_by(each) {
        // SAFETY: rows `row..row + each` of `a` and `c`, cut at `rows`, which the assertion covers; the caller
        // lends the panels. `panel_rows` is at most `Tiling::rows`.
        unsafe {
            Panel {
                rows: each.min(rows - row),
                cols: n,
                k,
                a: a.as_ptr().add(row * k),
                a_row: k,
                a_k: 1,
                b: packed.start,
                b_row: tiling.cols,
                b_panel: tiling.cols * k,
                c: c.as_mut_ptr().add(row * n),
                c_row: n,
                accumulate,
            }
            .run(level);
        }
    }
}

/// The operands of a forward pass.
struct Forward {
    x: Operand,
    bias: Option<Operand>,
    y: Operand,
    last: [Option<Operand>; 2],
    gates: Option<Operand>,
    before: Option<Operand>,
    inner: Option<Operand>,
}

/// All steps of a block of samples.
///
/// # Safety
/// The operands have the sizes of the call's spec and are apart, but for the gates, which may be the
/// memory of `x`; nobody else uses rows of these samples, or writes the weights.
unsafe fn forward(call: &Call<'_>, o: &Forward, at: usize) {
    let (level, s) = (call.level, call.spec);
    let (hidden, width) = (s.hidden, s.width());
    // SAFETY: samples of this block are below the batch, and steps below the spec's, so these are rows of
    // the operands, which the caller lends to this call alone; each is borrowed for one statement. The
    // gates may be the memory of `x`: a row of it is read before that of the gates is written.
    unsafe {
        let mut block = Block::new(call, at);
        block.start(call.first, hidden);
        let rows = block.samples.len();
        // Products with zeros are left out.
        let mut is_zero = call.first[0].is_none();
        for t in call.steps() {
            if block.samples.clone().any(|n| t < call.len(n)) {
                let gates = &mut block.gates[..rows * width];
                match o.bias {
                    Some(bias) => gates
                        .chunks_exact_mut(width)
                        .for_each(|gates| gates.copy_from_slice(bias.row(0, 0))),
                    None if is_zero => gates.fill(0.0),
                    None => {}
                }
                if !is_zero {
                    let sizes = [rows, width, hidden];
                    let gates = (gates, o.bias.is_some());
                    multiply(level, gates, block.h, &call.packed, sizes);
                }
                is_zero = false;
            }
            for (i, n) in block.samples.clone().enumerate() {
                let h = &mut block.h[i * hidden..][..hidden];
                if t >= call.len(n) {
                    for to in [Some(o.y), o.before].into_iter().flatten() {
                        to.row_mut(n, t).fill(0.0);
                    }
                    continue;
                }
                if let Some(before) = o.before {
                    before.row_mut(n, t).copy_from_slice(h);
                }
                let c = &mut block.c[i * hidden..][..hidden];
                let gates = &mut block.gates[i * width..][..width];
                advance(level, s.cell, gates, o.x.row(n, t), [&mut *h, &mut *c]);
                let made: [(Option<Operand>, &[f32]); 3] =
                    [(Some(o.y), h), (o.gates, gates), (o.inner, c)];
                for (to, from) in made {
                    if let Some(to) = to {
                        to.row_mut(n, t).copy_from_slice(from);
                    }
                }
            }
        }
        block.end(o.last, hidden);
    }
}

/// The operands of a backward pass.
struct Backward {
    d_y: Option<Operand>,
    d_last: [Option<Operand>; 2],
    gates: Operand,
    before: Operand,
    inner: Option<Operand>,
    d_x: Operand,
    d_products: Option<Operand>,
    d_first: [Option<Operand>; 2],
}

/// All steps of a block of samples, backward.
///
/// # Safety
/// The operands have the sizes of the call's spec and are apart, but for `d_x`, which may be the
/// memory of the gates; nobody else uses rows of these samples, or writes the weights.
unsafe fn backward(call: &Call<'_>, o: &Backward, at: usize) {
    let (level, s) = (call.level, call.spec);
    let (hidden, width) = (s.hidden, s.width());
    // SAFETY: samples of this block are below the batch, and steps below the spec's, so these are rows of
    // the operands, which the caller lends to this call alone. `d_x` may be the memory of the gates: a
    // row of these is copied before that of `d_x` is borrowed.
    unsafe {
        let mut block = Block::new(call, at);
        block.start(o.d_last, hidden);
        let rows = block.samples.len();
        for (left, t) in (0..s.steps).rev().zip(call.steps().rev()) {
            for (i, n) in block.samples.clone().enumerate() {
                let d = &mut block.gates[i * width..][..width];
                if t >= call.len(n) {
                    d.fill(0.0);
                    for to in [Some(o.d_x), o.d_products].into_iter().flatten() {
                        to.row_mut(n, t).fill(0.0);
                    }
                    continue;
                }
                d.copy_from_slice(o.gates.row(n, t));
                let d_h = &mut block.h[i * hidden..][..hidden];
                if let Some(d_y) = o.d_y {
                    d_h.iter_mut().zip(d_y.row(n, t)).for_each(|(sum, d_y)| *sum += d_y);
                }
                let mut d_c = &mut block.c[i * hidden..][..hidden];
                let mut past = Past { before: o.before.row(n, t), cells: [block.zeros; 2] };
                match (s.cell, &o.inner) {
                    (Cell::Lstm, Some(cells)) => {
                        let before = call.cell_before(cells, n, t).unwrap_or(block.zeros);
                        past.cells = [before, cells.row(n, t)];
                    }
                    (_, Some(inner)) => {
                        d_c = &mut *block.spare;
                        d_c.copy_from_slice(inner.row(n, t));
                    }
                    _ => {}
                }
                retreat(level, s.cell, d, [d_h, &mut *d_c], &past);
                let d_x = o.d_x.row_mut(n, t);
                d_x.copy_from_slice(d);
                if let Some(d_products) = o.d_products {
                    d_x[2 * hidden..].copy_from_slice(d_c);
                    d_products.row_mut(n, t).copy_from_slice(d);
                }
            }
            let is_active = block.samples.clone().any(|n| t < call.len(n));
            if is_active && (left > 0 || o.d_first[0].is_some()) {
                let d_h = (&mut block.h[..rows * hidden], true);
                multiply(level, d_h, block.gates, &call.packed, [rows, hidden, width]);
            }
        }
        block.end(o.d_first, hidden);
    }
}

/// Panics where ranges overlap: a bug of the plan. `shared` may be the memory of `with`.
fn check_ranges(writes: &[Buf], reads: &[Buf], (shared, with): (Buf, Buf)) {
    for (i, write) in writes.iter().enumerate() {
        check_apart(&[*write], &writes[i + 1..]);
        check_apart(&[*write], reads);
    }
    check_apart(&[shared], writes);
    check_apart(&[shared], reads);
    check_apart(writes, &[with]);
    assert!(
        !shared.overlaps(with) || shared.start == with.start,
        "gradiron: a range is shared in part (a bug)"
    );
}

impl Recurrent for CpuKernels<'_> {
    fn recurrent(
        &mut self,
        made: Made,
        history: Option<History>,
        given: Given,
        scratch: Buf,
        spec: RecurrentSpec,
    ) {
        if [spec.batch, spec.steps, spec.hidden].contains(&0) {
            return;
        }
        let Given { x, w, b, h, c, .. } = given;
        let none = w.part(0, 0);
        let [gates, before] = [history.map(|saved| saved.gates), history.map(|saved| saved.before)];
        let inner = history.and_then(|saved| saved.inner);
        let [shared, first, second, cell] =
            [gates, before, inner, made.c].map(|buf| buf.unwrap_or(none));
        let reads = [w, b.unwrap_or(none), h.unwrap_or(none), c.unwrap_or(none)];
        check_ranges(&[made.y, made.h, cell, first, second, scratch], &reads, (shared, x));
        let operands = Forward {
            x: spec.read(self, x, spec.of_x()),
            bias: b.map(|b| RecurrentSpec { batch: 1, ..spec }.read(self, b, [1, spec.width()])),
            y: spec.write(self, made.y, spec.of_steps()),
            last: [Some(made.h), made.c].map(|buf| Some(spec.write(self, buf?, spec.of_state()))),
            gates: gates.map(|buf| spec.write(self, buf, spec.of_x())),
            before: before.map(|buf| spec.write(self, buf, spec.of_steps())),
            inner: inner.map(|buf| spec.write(self, buf, spec.of_steps())),
        };
        let call = Call::new(self, &given, scratch, spec);
        // The columns of `p = h · wᵀ` are rows of the weights.
        let (rows, k) = (spec.width(), spec.hidden);
        let from = self.read(w.part(0, rows * k));
        call.pack(rows, k, |panel, first, cols| {
            let part = Part { data: from.wrapping_add(first * k), row: k, col: 1 };
            // SAFETY: rows `first..first + cols` of the weights, which were checked for `rows · k` floats; the
            // panel is one of those that the scratch memory has room for, and `check_ranges` found the
            // two apart.
            unsafe { pack(call.level, (panel, Tiling::of(call.level).cols), part, (cols, k)) };
        });
        self.threads().run_if(spec.work(), spec.blocks(), &|at| {
            // SAFETY: `read` and `write` checked that the operands have the sizes of `spec`, and
            // `check_ranges` that they are apart; each block comes once, and has samples of its own.
            unsafe { forward(&call, &operands, at) };
        });
    }

    fn recurrent_grad(
        &mut self,
        gradients: Gradients,
        upstream: Upstream,
        history: History,
        given: Given,
        scratch: Buf,
        spec: RecurrentSpec,
    ) {
        if [spec.batch, spec.steps, spec.hidden].contains(&0) {
            return;
        }
        assert!(
            history.inner.is_some() == matches!(spec.cell, Cell::Lstm | Cell::Gru)
                && gradients.products.is_some() == (spec.cell == Cell::Gru),
            "gradiron: a recurrent layer lacks what its cell needs, or has more (a bug)"
        );
        let none = given.w.part(0, 0);
        let or_none = |buf: Option<Buf>| buf.unwrap_or(none);
        let writes = [gradients.products, gradients.h, gradients.c, Some(scratch)].map(or_none);
        let reads = [upstream.y, upstream.h, upstream.c, history.inner, given.c].map(or_none);
        check_ranges(&writes, &reads, (gradients.x, history.gates));
        check_ranges(&writes, &[given.w, history.before], (gradients.x, history.gates));
        let operands = Backward {
            d_y: upstream.y.map(|buf| spec.read(self, buf, spec.of_steps())),
            d_last: [upstream.h, upstream.c]
                .map(|buf| Some(spec.read(self, buf?, spec.of_state()))),
            gates: spec.read(self, history.gates, spec.of_x()),
            before: spec.read(self, history.before, spec.of_steps()),
            inner: history.inner.map(|buf| spec.read(self, buf, spec.of_steps())),
            d_x: spec.write(self, gradients.x, spec.of_x()),
            d_products: gradients.products.map(|buf| spec.write(self, buf, spec.of_x())),
            d_first: [gradients.h, gradients.c]
                .map(|buf| Some(spec.write(self, buf?, spec.of_state()))),
        };
        let call = Call::new(self, &given, scratch, spec);
        let (cols, k) = (spec.hidden, spec.width());
        let from = self.read(given.w.part(0, cols * k));
        let row = cols;
        call.pack(cols, k, |panel, first, cols| {
            let part = Part { data: from.wrapping_add(first), row, col: 1 };
            let width = Tiling::of(call.level).cols;
            // SAFETY: columns `first..first + cols` of the weights, which were checked for `cols · k` floats;
            // the panel is one of those that the scratch memory has room for, and `check_ranges` found
            // the two apart.
            unsafe { pack_lines(call.level, panel, part, (k, cols), width) };
        });
        self.threads().run_if(spec.work(), spec.blocks(), &|at| {
            // SAFETY: `read` and `write` checked that the operands have the sizes of `spec`, and
            // `check_ranges` that they are apart; each block comes once, and has samples of its own.
            unsafe { backward(&call, &operands, at) };
        });
    }
}
