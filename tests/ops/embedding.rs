//! Rows of a table.

use gradiron::device::Indices;
use gradiron::ops::embedding::{Embedding, EmbeddingSpec, reference};
use gradiron::ops::fill::Fill as _;

use crate::harness::*;

#[test]
fn rows_and_their_gradients() {
    for rows in SIZES.into_iter().chain([1000]) {
        for (count, dim) in
            [(1, 1), (7, 3), (64, 17), (65, 64), (3, 65), (0, 5), (3000, 33), (20, 2060)]
        {
            let mut rng = Rng(17);
            let (w, d_y) = (rng.floats(rows * dim), rng.floats(count * dim));
            let index = rng.labels(count, rows);
            for padding in [None, Some(0), Some(rows - 1)] {
                let spec = EmbeddingSpec { count, rows, dim, padding };
                check(spec, &index, &w, &d_y);
            }
        }
    }
}

fn check(spec: EmbeddingSpec, index: &[u32], w: &[f32], d_y: &[f32]) {
    let mut y = vec![0.0; d_y.len()];
    reference::embedding(&mut y, index, &wide(w), spec);
    let [mut d_w, mut sums] = [0, 1].map(|_| vec![0.0; w.len()]);
    reference::embedding_grad(&mut d_w, &wide(d_y), index, spec);
    reference::embedding_grad(&mut sums, &abs(&wide(d_y)), index, spec);
    let outputs = [y.len(), w.len(), y.len(), w.len()];
    let scratch = y.len().max(w.len()) + 7;
    let call = Call { outputs: &outputs, inputs: &[w, d_y], indices: index, scratch };
    let indices = Indices::new(0, index.len());
    call.run(
        |step, y, x, scratch| {
            step.embedding(y[0], indices, x[0], spec);
            step.embedding_grad(y[1], x[1], indices, spec);
            let at_once = [x[1].len, x[0].len].map(|len| aligned(scratch, len));
            step.embedding(at_once[0], indices, x[0], spec);
            step.copy(y[2], at_once[0]);
            step.embedding_grad(at_once[1], x[1], indices, spec);
            step.copy(y[3], at_once[1]);
        },
        |level, got| {
            let name = format!("{spec:?} {level}");
            assert_close(&name, &got[0], &y, |_| 0.0);
            assert!(same(&got[0], &got[2]) && same(&got[1], &got[3]), "{name}: aligned");
            // Sums that lose nothing but their last rounding.
            assert_close(&name, &got[1], &d_w, |i| 4.0 * EPSILON * sums[i]);
        },
    );
    if w.len() <= 300 && d_y.len() <= 300 {
        assert_gradient("embedding", &wide(w), &d_w, |w| {
            let mut y = vec![0.0; d_y.len()];
            reference::embedding(&mut y, index, w, spec);
            let hidden = |i: usize| spec.padding == Some(index[i / spec.dim] as usize);
            let terms = y.iter().zip(d_y).enumerate().filter(|(i, _)| !hidden(*i));
            terms.map(|(_, (y, d_y))| y * f64::from(*d_y)).sum()
        });
    }
}

#[test]
fn one_row_looked_up_again_and_again() {
    let (count, rows, dim) = (200_000, 3, 5);
    let spec = EmbeddingSpec { count, rows, dim, padding: None };
    let d_y = vec![0.1; count * dim];
    let index: Vec<u32> = (0..count).map(|i| (i % 2) as u32).collect();
    let call = Call { outputs: &[rows * dim], inputs: &[&d_y], indices: &index, scratch: 0 };
    let indices = Indices::new(0, count);
    call.run(
        |step, y, x, _| step.embedding_grad(y[0], x[0], indices, spec),
        |level, got| {
            let sum = (count / 2) as f64 * f64::from(0.1_f32);
            let want = [[sum; 5], [sum; 5], [0.0; 5]];
            assert_close(level, &got[0], want.as_flattened(), |_| 4.0 * EPSILON * sum);
        },
    );
}
