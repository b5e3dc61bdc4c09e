//! Values of 16 bits on a GPU: what kernels make of halves is what they make of the same numbers as
//! floats, rounded once. Kernels compute in floats, so this holds whatever they compute.

use gradiron::device::{Buf, Indices};
use gradiron::ops::cat::{Cat as _, CatSpec};
use gradiron::ops::cumsum::{Cumsum as _, CumsumSpec};
use gradiron::ops::embedding::{Embedding as _, EmbeddingSpec};
use gradiron::ops::fill::Fill as _;
use gradiron::ops::permute::Permute as _;
use gradiron::ops::recurrent::{
    Cell, InputGrads, Inputs, OutputGrads, Outputs, Recurrent as _, RecurrentSpec, Saved,
};

use crate::any::AnyKernels;
use crate::harness::*;

/// Checks `kernel` on values, `made` and `given` being their lengths; scratch memory stays floats.
fn check(
    [made, given]: [&[usize]; 2],
    indices: &[u32],
    scratch: usize,
    kernel: impl Fn(&mut AnyKernels<'_>, &[Buf], &[Buf], Buf),
) {
    let mut rng = Rng(23);
    // Exact in all formats.
    let mut some = |len: &usize| -> Vec<f32> {
        (0..*len).map(|_| (rng.below(129) as f32 - 64.0) / 64.0).collect()
    };
    let inputs: Vec<Vec<f32>> = given.iter().map(&mut some).collect();
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let all = |lens: &[usize]| (0..lens.len()).collect::<Vec<_>>();
    let call = Call { outputs: made, inputs: &inputs, indices, scratch };
    call.run_halves([&all(made), &all(given)], 0.0, kernel);
}

#[test]
fn moves() {
    for n in [5, 24, 64] {
        check([&[n * 33, n * 33], &[n * 33]], &[], 0, |step, y, x, _| {
            step.copy(y[0], x[0]);
            step.fill(y[1], 0.25);
            step.accumulate(y[1], x[0]);
        });
        for axes in [[0, 2, 1], [1, 0, 2], [2, 1, 0]] {
            check([&[n * 160], &[n * 160]], &[], 0, |step, y, x, _| {
                step.permute(y[0], x[0], [4, 40, n], axes);
            });
        }
        check([&[3 * (n + 8), 3 * n], &[3 * n, 24]], &[], 0, |step, y, x, _| {
            let spec = CatSpec { outer: 3, start: 0, len: n, total: n + 8 };
            step.cat(y[0], x[0], spec);
            step.cat(y[0], x[1], CatSpec { start: n, len: 8, ..spec });
            step.cat_grad(y[1], y[0], spec);
        });
    }
}

#[test]
fn tables_and_running_sums() {
    let index = Rng(3).labels(70, 9);
    for dim in [3, 24] {
        check([&[70 * dim, 9 * dim], &[9 * dim, 70 * dim]], &index, 0, |step, y, x, _| {
            let spec = EmbeddingSpec { count: 70, rows: 9, dim, padding: Some(2) };
            step.embedding(y[0], Indices::new(0, 70), x[0], spec);
            step.embedding_grad(y[1], x[1], Indices::new(0, 70), spec);
        });
    }
    for [outer, size, inner] in [[5, 70, 1], [2, 700, 1], [3, 9, 8]] {
        let len = outer * size * inner;
        check([&[len], &[len]], &[], 0, |step, y, x, _| {
            step.cumsum(y[0], x[0], CumsumSpec { outer, size, inner, reverse: false });
        });
    }
}

/// The history of a layer, and the weights, stay floats.
fn layer(s: RecurrentSpec) {
    let (state, of_steps) = (s.batch * s.hidden, s.batch * s.steps * s.hidden);
    let of_x = s.batch * s.steps * s.width();
    let made = [of_steps, state, state, of_x, of_x, state, state];
    let given = [of_x, s.width(), state, state, of_steps, state, state];
    let lengths: Vec<u32> = (0..s.batch).map(|n| (n % (s.steps + 1)) as u32).collect();
    let scratch = of_x + 2 * of_steps + s.width() * s.hidden + s.scratch();
    check([&made, &given], &lengths, scratch, |step, y, x, scratch| {
        let is_lstm = s.cell == Cell::Lstm;
        let of_lstm = |buf: Buf| is_lstm.then_some(buf);
        let mut start = 0;
        let mut part = |len: usize| {
            start += len;
            scratch.part(start - len, len)
        };
        let history =
            Saved { gates: part(of_x), before: part(of_steps), inner: Some(part(of_steps)) };
        let (w, rest) = (part(s.width() * s.hidden), part(s.scratch()));
        step.fill(w, 1.0 / s.hidden as f32);
        let given = Inputs {
            x: x[0],
            w,
            b: Some(x[1]),
            h: Some(x[2]),
            c: of_lstm(x[3]),
            lengths: Some(Indices::new(0, s.batch)),
        };
        step.recurrent(
            Outputs { y: y[0], h: y[1], c: of_lstm(y[2]) },
            Some(history),
            given,
            rest,
            s,
        );
        let gradients =
            InputGrads { x: y[3], products: Some(y[4]), h: Some(y[5]), c: of_lstm(y[6]) };
        let upstream = OutputGrads { y: Some(x[4]), h: Some(x[5]), c: of_lstm(x[6]) };
        step.recurrent_grad(gradients, upstream, history, given, rest, s);
        for cells in [y[2], y[6]].into_iter().filter(|_| !is_lstm) {
            step.fill(cells, 0.0);
        }
    });
}

#[test]
fn layers_over_time() {
    for (cell, hidden) in [(Cell::Tanh, 9), (Cell::Relu, 5), (Cell::Lstm, 16), (Cell::Gru, 7)] {
        layer(RecurrentSpec { cell, batch: 5, steps: 4, hidden, reverse: cell == Cell::Gru });
    }
    for (cell, hidden) in [(Cell::Tanh, 400), (Cell::Lstm, 200), (Cell::Gru, 230)] {
        layer(RecurrentSpec { cell, batch: 3, steps: 3, hidden, reverse: false });
    }
}
