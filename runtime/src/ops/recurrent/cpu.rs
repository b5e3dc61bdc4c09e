//! Recurrent layers on the CPU. Samples do not depend on each other, so a thread takes a block of
//! them through all steps and waits for nobody; the weights are packed once, and stay in the
//! second-level cache of each thread.

use super::block::{Block, Call, Operand, multiply};
use super::cells::{Past, advance, retreat};
use super::{Cell, InputGrads, Inputs, OutputGrads, Outputs, Recurrent, RecurrentSpec, Saved};
use crate::device::{Buf, CpuKernels};
use crate::ops::check_apart;
use crate::ops::matmul::Tiling;
use crate::ops::matmul::pack::{Part, pack, pack_lines};

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
/// The operands have the sizes of the call's spec and are apart, but for the gates, which may be
/// the memory of `x`; nobody else uses rows of these samples, or writes the weights.
unsafe fn forward(call: &Call<'_>, o: &Forward, at: usize) {
    let (level, s) = (call.level, call.spec);
    let (hidden, width) = (s.hidden, s.width());
    // SAFETY: samples of this block are below the batch, and steps below the spec's, so these are
    // rows of the operands, which the caller lends to this call alone; each is borrowed for one
    // statement. The gates may be the memory of `x`: a row of it is read before that of the gates
    // is written.
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
                let outputs: [(Option<Operand>, &[f32]); 3] =
                    [(Some(o.y), h), (o.gates, gates), (o.inner, c)];
                for (to, from) in outputs {
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
    // SAFETY: samples of this block are below the batch, and steps below the spec's, so these are
    // rows of the operands, which the caller lends to this call alone. `d_x` may be the memory of
    // the gates: a row of these is copied before that of `d_x` is borrowed.
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
        outputs: Outputs,
        saved: Option<Saved>,
        inputs: Inputs,
        scratch: Buf,
        spec: RecurrentSpec,
    ) {
        if [spec.batch, spec.steps, spec.hidden].contains(&0) {
            return;
        }
        let Inputs { x, w, b, h, c, .. } = inputs;
        let none = w.part(0, 0);
        let [gates, before] = [saved.map(|saved| saved.gates), saved.map(|saved| saved.before)];
        let inner = saved.and_then(|saved| saved.inner);
        let [shared, first, second, cell] =
            [gates, before, inner, outputs.c].map(|buf| buf.unwrap_or(none));
        let reads = [w, b.unwrap_or(none), h.unwrap_or(none), c.unwrap_or(none)];
        check_ranges(&[outputs.y, outputs.h, cell, first, second, scratch], &reads, (shared, x));
        let operands = Forward {
            x: spec.read(self, x, spec.of_x()),
            bias: b.map(|b| RecurrentSpec { batch: 1, ..spec }.read(self, b, [1, spec.width()])),
            y: spec.write(self, outputs.y, spec.of_steps()),
            last: [Some(outputs.h), outputs.c]
                .map(|buf| Some(spec.write(self, buf?, spec.of_state()))),
            gates: gates.map(|buf| spec.write(self, buf, spec.of_x())),
            before: before.map(|buf| spec.write(self, buf, spec.of_steps())),
            inner: inner.map(|buf| spec.write(self, buf, spec.of_steps())),
        };
        let call = Call::new(self, &inputs, scratch, spec);
        // The columns of `p = h · wᵀ` are rows of the weights.
        let (rows, k) = (spec.width(), spec.hidden);
        if self.is_observed() {
            self.note(&[w], &[]);
        }
        let from = self.read(w.part(0, rows * k));
        call.pack(rows, k, |panel, first, cols| {
            let part = Part { data: from.wrapping_add(first * k), row: k, col: 1 };
            // SAFETY: rows `first..first + cols` of the weights, which were checked for `rows · k`
            // floats; the panel is one of those that the scratch memory has room for, and
            // `check_ranges` found the two apart.
            unsafe { pack(call.level, (panel, Tiling::of(call.level).cols), part, (cols, k)) };
        });
        self.threads().run_if(spec.work(), spec.blocks(), &|at| {
            // SAFETY: `read` and `write` checked that the operands have the sizes of `spec`, and
            // `check_ranges` that they are apart; each block comes once, and has samples of its
            // own.
            unsafe { forward(&call, &operands, at) };
        });
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
        if [spec.batch, spec.steps, spec.hidden].contains(&0) {
            return;
        }
        assert!(
            saved.inner.is_some() == matches!(spec.cell, Cell::Lstm | Cell::Gru)
                && d_inputs.products.is_some() == (spec.cell == Cell::Gru),
            "gradiron: a recurrent layer lacks what its cell needs, or has more (a bug)"
        );
        let none = inputs.w.part(0, 0);
        let or_none = |buf: Option<Buf>| buf.unwrap_or(none);
        let writes = [d_inputs.products, d_inputs.h, d_inputs.c, Some(scratch)].map(or_none);
        let reads = [d_outputs.y, d_outputs.h, d_outputs.c, saved.inner, inputs.c].map(or_none);
        check_ranges(&writes, &reads, (d_inputs.x, saved.gates));
        check_ranges(&writes, &[inputs.w, saved.before], (d_inputs.x, saved.gates));
        let operands = Backward {
            d_y: d_outputs.y.map(|buf| spec.read(self, buf, spec.of_steps())),
            d_last: [d_outputs.h, d_outputs.c]
                .map(|buf| Some(spec.read(self, buf?, spec.of_state()))),
            gates: spec.read(self, saved.gates, spec.of_x()),
            before: spec.read(self, saved.before, spec.of_steps()),
            inner: saved.inner.map(|buf| spec.read(self, buf, spec.of_steps())),
            d_x: spec.write(self, d_inputs.x, spec.of_x()),
            d_products: d_inputs.products.map(|buf| spec.write(self, buf, spec.of_x())),
            d_first: [d_inputs.h, d_inputs.c]
                .map(|buf| Some(spec.write(self, buf?, spec.of_state()))),
        };
        let call = Call::new(self, &inputs, scratch, spec);
        let (cols, k) = (spec.hidden, spec.width());
        if self.is_observed() {
            self.note(&[inputs.w], &[]);
        }
        let from = self.read(inputs.w.part(0, cols * k));
        let row = cols;
        call.pack(cols, k, |panel, first, cols| {
            let part = Part { data: from.wrapping_add(first), row, col: 1 };
            let width = Tiling::of(call.level).cols;
            // SAFETY: columns `first..first + cols` of the weights, which were checked for
            // `cols · k` floats; the panel is one of those that the scratch memory has room for,
            // and `check_ranges` found the two apart.
            unsafe { pack_lines(call.level, panel, part, (k, cols), width) };
        });
        self.threads().run_if(spec.work(), spec.blocks(), &|at| {
            // SAFETY: `read` and `write` checked that the operands have the sizes of `spec`, and
            // `check_ranges` that they are apart; each block comes once, and has samples of its
            // own.
            unsafe { backward(&call, &operands, at) };
        });
    }
}
