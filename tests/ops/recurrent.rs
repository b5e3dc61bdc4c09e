//! Recurrent layers, all cells, in both directions.

use gradiron::device::{Buf, Indices};
use gradiron::ops::recurrent::{
    Cell, InputGrads, Inputs, OutputGrads, Outputs, Recurrent as _, RecurrentSpec, Saved, reference,
};

use crate::harness::*;

const CELLS: [Cell; 4] = [Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru];

/// What a call has besides `x` and the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
struct With {
    /// First states, a bias, and gradients of the last states.
    states: bool,
    lengths: bool,
}

fn spec(cell: Cell, [batch, steps, hidden]: [usize; 3], reverse: bool) -> RecurrentSpec {
    RecurrentSpec { cell, batch, steps, hidden, reverse }
}

/// Lengths from 0 on, the longest too.
fn lengths(with: With, s: RecurrentSpec) -> Vec<u32> {
    let length = |n: usize| (if n == 1 { s.steps } else { n * 5 % (s.steps + 1) }) as u32;
    if with.lengths { (0..s.batch).map(length).collect() } else { Vec::new() }
}

fn check(with: With, s: RecurrentSpec) {
    let name = format!("{with:?} {s:?}");
    let mut rng = Rng(17);
    let (state, of_steps) = (s.batch * s.hidden, s.batch * s.steps * s.hidden);
    let of_x = s.batch * s.steps * s.width();
    // Weights as layers start with: sums of products stay near 1.
    let scale = 1.0 / (s.hidden as f32).sqrt();
    let mut some = |len: usize| rng.floats(len);
    let x = some(of_x);
    let w: Vec<f32> = some(s.width() * s.hidden).iter().map(|w| w * scale).collect();
    let [b, h, c] = [some(s.width()), some(state), some(state)];
    let [d_y, d_h, d_c] = [some(of_steps), some(state), some(state)];
    let lengths = lengths(with, s);

    let wides = [&x, &w, &b, &h, &c, &d_y, &d_h, &d_c].map(|x| wide(x));
    let given = reference::Inputs {
        x: &wides[0],
        w: &wides[1],
        b: with.states.then_some(&wides[2][..]),
        h: with.states.then_some(&wides[3][..]),
        c: with.states.then_some(&wides[4][..]),
        lengths: with.lengths.then_some(&lengths[..]),
    };
    let last = |d: &Vec<f64>| if with.states { d.clone() } else { vec![0.0; state] };
    let is_lstm = s.cell == Cell::Lstm;
    let d_cells = if is_lstm { last(&wides[7]) } else { vec![0.0; state] };
    let weights = reference::Values {
        steps: wides[5].clone(),
        h: last(&wides[6]),
        c: d_cells,
        ..reference::Values::default()
    };
    let want = reference::recurrent(given, s);
    let d = reference::recurrent_grad(&weights, given, s);

    let inputs: [&[f32]; 8] = [&x, &w, &b, &h, &c, &d_y, &d_h, &d_c];
    let outputs = [
        of_steps, state, state, of_x, of_steps, of_steps, of_steps, state, state, of_x, of_x,
        state, state,
    ];
    let call = Call { outputs: &outputs, inputs: &inputs, indices: &lengths, scratch: s.scratch() };
    // A state is as wrong as its sum of products, and carries the errors of the steps before. The
    // products of the weights grow what is carried by less than 2 a step in these sizes.
    let terms = s.hidden as f64;
    let each = EPSILON * (terms + 40.0) * 2.0;
    let growth = if s.cell == Cell::Relu { 2_f64 } else { 1.5 };
    let bound = each * growth.powi(s.steps.min(12) as i32) * s.steps as f64;
    call.run(
        |step, out, x, scratch| {
            let some = |buf: Buf| with.states.then_some(buf);
            let given = Inputs {
                x: x[0],
                w: x[1],
                b: some(x[2]),
                h: some(x[3]),
                c: some(x[4]).filter(|_| is_lstm),
                lengths: with.lengths.then_some(Indices::new(0, s.batch)),
            };
            let inner = matches!(s.cell, Cell::Lstm | Cell::Gru).then_some(out[5]);
            let history = Saved { gates: out[3], before: out[4], inner };
            let cell = |buf: Buf| is_lstm.then_some(buf);
            let made = Outputs { y: out[0], h: out[1], c: cell(out[2]) };
            step.recurrent(made, Some(history), given, scratch, s);
            // Without a history.
            let again = Outputs { y: out[6], h: out[7], c: cell(out[8]) };
            step.recurrent(again, None, given, scratch, s);
            let upstream =
                OutputGrads { y: Some(x[5]), h: some(x[6]), c: some(x[7]).filter(|_| is_lstm) };
            let gradients = InputGrads {
                x: out[9],
                products: (s.cell == Cell::Gru).then_some(out[10]),
                h: Some(out[11]),
                c: cell(out[12]),
            };
            step.recurrent_grad(gradients, upstream, history, given, scratch, s);
            // In the place of the gates, and without the gradients of the first states.
            let gradients = InputGrads { x: out[3], h: None, c: None, ..gradients };
            step.recurrent_grad(gradients, upstream, history, given, scratch, s);
        },
        |level, got| {
            let close = |what: &str, got: &[f32], want: &[f64]| {
                assert_close(&format!("{name} {level} {what}"), got, want, |_| bound);
            };
            close("y", &got[0], &want.steps);
            close("h", &got[1], &want.h);
            close("before", &got[4], &want.before);
            assert!(same(&got[0], &got[6]) && same(&got[1], &got[7]), "{name} {level}: history");
            close("d x", &got[9], &d.steps);
            close("d h", &got[11], &d.h);
            assert!(same(&got[3], &got[9]), "{name} {level}: in the place of the gates");
            if is_lstm {
                close("c", &got[2], &want.c);
                close("d c", &got[12], &d.c);
                assert!(same(&got[2], &got[8]), "{name} {level}: history changes c");
            }
            if s.cell == Cell::Gru {
                close("d products", &got[10], &d.products);
            }
        },
    );
    if s.batch <= 3 && s.cell != Cell::Relu {
        check_reference(&name, given, &weights, &d, s);
    }
}

/// The reference's gradients against differences.
fn check_reference(
    name: &str,
    given: reference::Inputs,
    weights: &reference::Values,
    d: &reference::Values,
    s: RecurrentSpec,
) {
    let value = |given: reference::Inputs| {
        let made = reference::recurrent(given, s);
        weighted(&made.steps, &weights.steps)
            + weighted(&made.h, &weights.h)
            + weighted(&made.c, &weights.c)
    };
    assert_gradient(&format!("{name} x"), given.x, &d.steps, |x| {
        value(reference::Inputs { x, ..given })
    });
    // d w = Σ d products · states before
    let before = reference::recurrent(given, s).before;
    let (width, hidden) = (s.width(), s.hidden);
    let mut d_w = vec![0.0; width * hidden];
    for (d, h) in d.products.chunks_exact(width).zip(before.chunks_exact(hidden)) {
        for (j, d) in d.iter().enumerate() {
            for (i, h) in h.iter().enumerate() {
                d_w[j * hidden + i] += d * h;
            }
        }
    }
    assert_gradient(&format!("{name} w"), given.w, &d_w, |w| {
        value(reference::Inputs { w, ..given })
    });
    if let (Some(h), Some(c)) = (given.h, given.c) {
        assert_gradient(&format!("{name} h"), h, &d.h, |h| {
            value(reference::Inputs { h: Some(h), ..given })
        });
        assert_gradient(&format!("{name} c"), c, &d.c, |c| {
            value(reference::Inputs { c: Some(c), ..given })
        });
    }
}

#[test]
fn sizes_around_blocks() {
    for cell in CELLS {
        for (batch, steps, hidden) in
            [(1, 1, 1), (1, 5, 3), (2, 3, 17), (3, 4, 7), (7, 2, 33), (17, 3, 64), (33, 2, 5)]
        {
            for states in [false, true] {
                check(With { states, lengths: false }, spec(cell, [batch, steps, hidden], false));
            }
        }
    }
}

#[test]
fn in_reverse() {
    for cell in CELLS {
        for sizes in [[1, 1, 2], [2, 5, 3], [9, 4, 19]] {
            for states in [false, true] {
                check(With { states, lengths: false }, spec(cell, sizes, true));
            }
        }
    }
}

#[test]
fn samples_of_different_lengths() {
    for cell in CELLS {
        for sizes in [[1, 3, 2], [3, 6, 5], [18, 7, 16]] {
            for reverse in [false, true] {
                for states in [false, true] {
                    check(With { states, lengths: true }, spec(cell, sizes, reverse));
                }
            }
        }
    }
}

#[test]
fn many_steps() {
    for cell in [Cell::Tanh, Cell::Lstm, Cell::Gru] {
        check(With { states: true, lengths: false }, spec(cell, [4, 40, 24], false));
    }
}

/// Enough work for the whole team.
#[test]
fn many_samples() {
    for cell in CELLS {
        check(With { states: true, lengths: true }, spec(cell, [40, 6, 65], false));
    }
}

/// On a GPU: weights beyond the registers of a block, and such as no block goes through.
#[test]
fn large_weights() {
    for (cell, hidden) in
        [(Cell::Tanh, 401), (Cell::Relu, 401), (Cell::Lstm, 201), (Cell::Gru, 231)]
    {
        for (sizes, reverse) in
            [([2, 3, 130], false), ([3, 3, hidden], true), ([2, 2, hidden], false)]
        {
            let with = With { states: !reverse, lengths: sizes[0] == 3 };
            check(with, spec(cell, sizes, reverse));
        }
    }
}

/// On a GPU: blocks of two and of four samples, the last one with fewer.
#[test]
fn more_samples_than_multiprocessors() {
    for cell in CELLS {
        for (sizes, reverse) in [([141, 3, 9], false), ([269, 2, 33], true)] {
            for states in [false, true] {
                check(With { states, lengths: states }, spec(cell, sizes, reverse));
            }
        }
    }
    check(With { states: true, lengths: true }, spec(Cell::Lstm, [266, 2, 127], false));
}
