//! Attention, in every layout of its operands.

use gradiron::device::{Buf, Precision};
use gradiron::ops::attention::{Attention as _, AttentionSpec, Inputs, Strides, View, reference};

use crate::any::AnyKernels;
use crate::harness::*;

/// How queries, keys and values lie in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    /// Side by side in the rows of one range.
    Packed,
    ByRow,
    ByHead,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mask {
    None,
    /// For each key of a sample, `−∞` for some.
    Keys,
    /// For each query and key.
    Additive,
    /// For each head, query and key, as a bias of relative positions.
    Heads,
    /// For each score.
    Each,
}

fn spec(heads: [usize; 2], [queries, keys]: [usize; 2], dim: usize) -> AttentionSpec {
    let scale = 1.0 / (dim as f32).sqrt();
    let [heads, kv_heads] = heads;
    AttentionSpec { batch: 2, heads, kv_heads, queries, keys, dim, scale, causal: None }
}

/// Where the operands of the range `n` lie, and the floats of their ranges.
fn places(layout: Layout, s: &AttentionSpec) -> ([(usize, Strides); 3], Vec<usize>) {
    let (q, kv) = (s.heads * s.dim, s.kv_heads * s.dim);
    let lens = vec![s.batch * s.queries * q, s.batch * s.keys * kv, s.batch * s.keys * kv];
    match layout {
        Layout::Packed => {
            let row = q + 2 * kv;
            let at = |start| Strides { start, batch: s.queries * row, head: s.dim, row };
            ([(0, at(0)), (0, at(q)), (0, at(q + kv))], vec![s.batch * s.queries * row])
        }
        Layout::ByRow => {
            let [q, k] = [(s.queries, s.heads), (s.keys, s.kv_heads)]
                .map(|(rows, heads)| Strides::by_row(rows, heads, s.dim));
            ([(0, q), (1, k), (2, k)], lens)
        }
        Layout::ByHead => {
            let [q, k] = [(s.queries, s.heads), (s.keys, s.kv_heads)]
                .map(|(rows, heads)| Strides::by_head(rows, heads, s.dim));
            ([(0, q), (1, k), (2, k)], lens)
        }
    }
}

fn check(layout: Layout, mask: Mask, s: AttentionSpec) {
    check_in(Precision::F32, layout, mask, s);
}

/// In bf16 operands are numbers that rounding to bf16 leaves as they are, so that scores are exact.
fn check_in(precision: Precision, layout: Layout, mask: Mask, s: AttentionSpec) {
    let name = format!("{precision:?} {layout:?} {mask:?} {s:?}");
    let mut rng = Rng(31);
    let is_bf16 = precision == Precision::Bf16;
    let mut draw = |len: usize| -> Vec<f32> {
        let exact = |x: f32| if is_bf16 { (x * 64.0).round() / 64.0 } else { x };
        rng.floats(len).into_iter().map(exact).collect()
    };
    let (at, lens) = places(layout, &s);
    let operands: Vec<Vec<f32>> = lens.iter().map(|len| draw(*len)).collect();
    let y_at = match layout {
        Layout::ByHead => Strides::by_head(s.queries, s.heads, s.dim),
        _ => Strides::by_row(s.queries, s.heads, s.dim),
    };
    let (count, rows) = (s.batch * s.queries * s.heads * s.dim, s.batch * s.heads * s.queries);
    let d_y = draw(count);
    let (mask, mask_at) = match mask {
        Mask::None => (Vec::new(), None),
        Mask::Keys => {
            let hidden = |x: &f32| if *x > 0.3 { f32::NEG_INFINITY } else { 0.0 };
            let mask = draw(s.batch * s.keys).iter().map(hidden).collect();
            (mask, Some(Strides { start: 0, batch: s.keys, head: 0, row: 0 }))
        }
        Mask::Additive => {
            let mask = draw(s.queries * s.keys);
            (mask, Some(Strides { start: 0, batch: 0, head: 0, row: s.keys }))
        }
        Mask::Heads => {
            let mask = draw(s.heads * s.queries * s.keys);
            (mask, Some(Strides { start: 0, batch: 0, head: s.queries * s.keys, row: s.keys }))
        }
        Mask::Each => {
            let head = s.queries * s.keys;
            let mask = draw(s.batch * s.heads * head);
            (mask, Some(Strides { start: 0, batch: s.heads * head, head, row: s.keys }))
        }
    };

    let wides: Vec<Vec<f64>> = operands.iter().map(|x| wide(x)).collect();
    let (wide_mask, wide_d_y) = (wide(&mask), wide(&d_y));
    let of = |n: usize| (&wides[at[n].0][..], at[n].1);
    let given = reference::Inputs {
        q: of(0),
        k: of(1),
        v: of(2),
        mask: mask_at.map(|strides| (&wide_mask[..], strides)),
    };
    let (mut y, mut lse) = (vec![0.0; count], vec![0.0; rows]);
    reference::attention((&mut y, y_at), &mut lse, given, s);
    let mut whole = [0, 1, 2].map(|n| vec![0.0; wides[at[n].0].len()]);
    let [d_q, d_k, d_v] = &mut whole;
    reference::attention_grad([d_q, d_k, d_v], (&wide_d_y, y_at), given, s);
    let mut d_mask = vec![0.0; mask.len()];
    reference::attention_mask_grad(&mut d_mask, (&wide_d_y, y_at), given, s);
    // Packed, the three gradients are parts of one range.
    let mut expected: Vec<Vec<f64>> = lens.iter().map(|len| vec![0.0; *len]).collect();
    for (n, (range, _)) in at.iter().enumerate() {
        expected[*range].iter_mut().zip(&whole[n]).for_each(|(sum, d)| *sum += d);
    }

    let outputs: Vec<usize> =
        [count, rows, count].into_iter().chain(lens.clone()).chain([mask.len()]).collect();
    let inputs: Vec<&[f32]> = operands.iter().map(|x| &x[..]).chain([&mask[..], &d_y]).collect();
    let call = Call { outputs: &outputs, inputs: &inputs, indices: &[], scratch: 0 };
    let ranges = lens.len();
    // Scores are sums of `dim` products below 1; a probability is as wrong as its score, and as
    // the sum of `keys` exponentials.
    let (dim, keys) = (s.dim as f64, s.keys as f64);
    let of_score = EPSILON * (dim + 4.0) * (dim * f64::from(s.scale) + 1.0);
    let of_p = 2.0 * of_score + EPSILON * (keys + 16.0);
    // `|d_p − mean| ≤ 2 dim`, summed over probabilities or over all queries of a key.
    let queries = (s.queries * s.heads / s.kv_heads) as f64;
    let of_d = queries.max(2.0) * 2.0 * dim * (of_p * 4.0 + EPSILON * (dim + queries + 8.0));
    // In bf16 probabilities and `d_s` are rounded by 2⁻⁸, before they meet factors below 1. `d_v`
    // sums the probabilities of a key; `y`, and by it the mean, is off by 2⁻⁸ too, so that `d_s` is
    // off by `3 · 2⁻⁸ dim · scale` for a probability of 1. What comes from f32 is far below that.
    let of_key = {
        let mut sums = [0, 1, 2].map(|n| vec![0.0; wides[at[n].0].len()]);
        let [d_q, d_k, d_v] = &mut sums;
        reference::attention_grad([d_q, d_k, d_v], (&vec![1.0; count], y_at), given, s);
        sums[2].iter().fold(1.0, |most: f64, sum| most.max(*sum))
    };
    let of_d_s = 4.0 * dim * (of_p * 4.0 + EPSILON * (dim + 8.0));
    let rounded = 1.0 / 256.0;
    let (of_p, of_d, of_d_s) = if is_bf16 {
        let of_d = 3.0 * rounded * dim * f64::from(s.scale).max(1.0 / dim) * of_key;
        (rounded, of_d, 3.0 * rounded * dim)
    } else {
        (of_p, of_d, of_d_s)
    };
    let kernel = |step: &mut AnyKernels<'_>, outputs: &[Buf], inputs: &[Buf], _: Buf| {
        let view = |ranges: &[Buf], n: usize| View { buf: ranges[at[n].0], strides: at[n].1 };
        let whole = |buf: Buf| View { buf, strides: y_at };
        let given = Inputs {
            q: view(inputs, 0),
            k: view(inputs, 1),
            v: view(inputs, 2),
            mask: mask_at.map(|strides| View { buf: inputs[ranges], strides }),
        };
        step.attention(whole(outputs[0]), outputs[1], given, s);
        step.attention(whole(outputs[2]), outputs[1].part(0, 0), given, s);
        let d_qkv = [0, 1, 2].map(|n| view(&outputs[3..], n));
        let results = [whole(inputs[ranges + 1]), whole(outputs[0])];
        step.attention_grad(d_qkv, results, outputs[1], given, s);
        step.attention_mask_grad(outputs[3 + ranges], results, outputs[1], given, s);
    };
    // An element of the mask is read by so many scores, of each of which `d_s` is off as above.
    let readers = (rows * s.keys / mask.len().max(1)) as f64;
    call.run_in(precision, kernel, |level, got| {
        assert_close(&format!("{name} {level} y"), &got[0], &y, |_| of_p);
        assert!(same(&got[0], &got[2]), "{name} {level}: lse changes y");
        assert_close(&format!("{name} {level} lse"), &got[1], &lse, |_| of_p + EPSILON * 16.0);
        for (n, d) in expected.iter().enumerate() {
            assert_close(&format!("{name} {level} d {n}"), &got[3 + n], d, |_| of_d);
        }
        let of_mask = |_| of_d_s * readers;
        assert_close(&format!("{name} {level} d mask"), &got[3 + ranges], &d_mask, of_mask);
    });
    if is_bf16 {
        // `d_s` is off by a rounding of `y`, as above.
        let mut values: Vec<usize> = [0, 2].into_iter().chain(3..3 + ranges).collect();
        values.extend((!mask.is_empty()).then_some(3 + ranges));
        let inputs: Vec<usize> = (0..ranges).chain([ranges + 1]).collect();
        call.run_halves([&values, &inputs], rounded * 3.0, kernel);
    }
    if count <= 200 {
        for n in 0..3 {
            let value = |x: &[f64]| {
                let mut wides = wides.clone();
                wides[at[n].0] = x.to_vec();
                let of = |n: usize| (&wides[at[n].0][..], at[n].1);
                let given = reference::Inputs { q: of(0), k: of(1), v: of(2), ..given };
                let mut y = vec![0.0; count];
                reference::attention((&mut y, y_at), &mut vec![0.0; rows], given, s);
                y.iter().zip(&d_y).map(|(y, d_y)| y * f64::from(*d_y)).sum::<f64>()
            };
            assert_gradient(&name, &wides[at[n].0], &expected[at[n].0], value);
        }
        // Keys that are hidden have no difference quotient.
        if let Some(strides) = mask_at.filter(|_| mask.iter().all(|x| x.is_finite())) {
            let value = |mask: &[f64]| {
                let given = reference::Inputs { mask: Some((mask, strides)), ..given };
                let mut y = vec![0.0; count];
                reference::attention((&mut y, y_at), &mut vec![0.0; rows], given, s);
                y.iter().zip(&d_y).map(|(y, d_y)| y * f64::from(*d_y)).sum::<f64>()
            };
            assert_gradient(&name, &wide_mask, &d_mask, value);
        }
    }
}

#[test]
fn layouts_and_heads() {
    for layout in [Layout::Packed, Layout::ByRow, Layout::ByHead] {
        for heads in [[1, 1], [2, 2], [4, 2], [3, 1]] {
            for size in [1, 5, 64, 65, 130] {
                check(layout, Mask::None, spec(heads, [size; 2], 5));
            }
        }
    }
}

#[test]
fn factors_of_bf16() {
    for dim in [16, 64, 80, 128] {
        for (heads, sizes) in [([2, 1], [70, 70]), ([1, 1], [150, 40]), ([2, 2], [3, 70])] {
            let spec = spec(heads, sizes, dim);
            check_in(Precision::Bf16, Layout::ByRow, Mask::None, spec);
            check_in(Precision::Bf16, Layout::ByHead, Mask::Keys, spec);
            let causal = AttentionSpec { causal: Some(0), ..spec };
            check_in(Precision::Bf16, Layout::ByRow, Mask::Additive, causal);
        }
        check_in(Precision::Bf16, Layout::Packed, Mask::None, spec([4, 2], [65, 65], dim));
    }
}

#[test]
fn widths() {
    for dim in [1, 3, 16, 31, 32, 64, 100, 129, 260] {
        check(Layout::Packed, Mask::None, spec([2, 1], [70, 70], dim));
        check(Layout::ByHead, Mask::Additive, spec([1, 1], [3, 70], dim));
    }
}

#[test]
fn causal() {
    for sizes in [
        [1, 1],
        [1, 130],
        [3, 3],
        [4, 70],
        [64, 64],
        [65, 65],
        [130, 130],
        [70, 5],
        [5, 70],
        [66, 200],
    ] {
        for offset in [0, 1, 7, 65] {
            let spec = AttentionSpec { causal: Some(offset), ..spec([2, 2], sizes, 8) };
            check(Layout::ByRow, Mask::None, spec);
            check(Layout::ByHead, Mask::Keys, spec);
        }
    }
}

#[test]
fn masks() {
    for mask in [Mask::Keys, Mask::Additive, Mask::Heads, Mask::Each] {
        for sizes in [[1, 1], [2, 2], [7, 9], [70, 66], [3, 150], [150, 3]] {
            check(Layout::ByRow, mask, spec([4, 2], sizes, 8));
        }
        let causal = AttentionSpec { causal: Some(1), ..spec([2, 2], [70, 130], 8) };
        check(Layout::ByHead, mask, causal);
        check(Layout::Packed, mask, spec([2, 2], [5, 5], 3));
    }
}

#[test]
fn keys_that_nobody_sees() {
    // Of the only keys, none is seen: zeros, and no gradient.
    let s = AttentionSpec { batch: 1, ..spec([1, 1], [3, 2], 4) };
    let (q, k, d_y) = (vec![0.5; 12], vec![0.5; 8], vec![1.0; 12]);
    let mask = vec![f32::NEG_INFINITY; 2];
    let call = Call {
        outputs: &[12, 3, 12, 8, 8],
        inputs: &[&q, &k, &mask, &d_y],
        indices: &[],
        scratch: 0,
    };
    call.run(
        |step, y, x, _| {
            let (rows, keys) = (Strides::by_row(3, 1, 4), Strides::by_row(2, 1, 4));
            let view = |buf, strides| View { buf, strides };
            let repeated = Strides { start: 0, batch: 0, head: 0, row: 0 };
            let given = Inputs {
                q: view(x[0], rows),
                k: view(x[1], keys),
                v: view(x[1], keys),
                mask: Some(view(x[2], repeated)),
            };
            step.attention(view(y[0], rows), y[1], given, s);
            let d_qkv = [view(y[2], rows), view(y[3], keys), view(y[4], keys)];
            step.attention_grad(d_qkv, [view(x[3], rows), view(y[0], rows)], y[1], given, s);
        },
        |level, got| {
            for (n, got) in got.iter().enumerate().filter(|(n, _)| *n != 1) {
                assert!(got.iter().all(|x| *x == 0.0), "{level} {n}: {got:?}");
            }
        },
    );
}

/// What is not finite reaches what sees it: keys that are masked or behind the diagonal, their
/// values, queries, and gradients of results.
#[test]
fn rows_that_are_not_finite() {
    // GPUs multiply what is hidden by zero.
    if cfg!(feature = "cuda") {
        return;
    }
    for (queries, keys, causal) in [(5, 6, None), (70, 70, Some(0)), (3, 70, Some(67))] {
        for (value, of) in
            [f32::NAN, f32::INFINITY].iter().flat_map(|x| (0..4).map(move |n| (*x, n)))
        {
            let s = AttentionSpec { causal, batch: 1, ..spec([2, 1], [queries, keys], 8) };
            let [q_at, k_at] =
                [(queries, 2), (keys, 1)].map(|(n, heads)| Strides::by_row(n, heads, 8));
            let mut rng = Rng(35);
            let mut given = [queries * 16, keys * 8, keys * 8, queries * 16].map(|n| rng.floats(n));
            let row = if of == 0 || of == 3 { 16 } else { 8 };
            // A key that is masked, and one behind the diagonal of most; or queries.
            let last = given[of].len() / row - 1;
            for at in [2, if causal.is_some() || row == 16 { last } else { 2 }] {
                given[of][at * row + 1] = value;
            }
            let mask: Vec<f32> = (0..queries * keys)
                .map(|i| if i % keys == 2 || i % 11 == 3 { f32::NEG_INFINITY } else { 0.25 })
                .collect();
            let mask_at = Strides { start: 0, batch: 0, head: 0, row: keys };
            let wides = given.each_ref().map(|x| wide(x));
            let wide_mask = wide(&mask);
            let wide_given = reference::Inputs {
                q: (&wides[0], q_at),
                k: (&wides[1], k_at),
                v: (&wides[2], k_at),
                mask: Some((&wide_mask, mask_at)),
            };
            let lens = [queries * 16, queries * 2, queries * 16, keys * 8, keys * 8];
            let mut want = lens.map(|len| vec![0.0; len]);
            let [y, lse, d_q, d_k, d_v] = &mut want;
            reference::attention((y, q_at), lse, wide_given, s);
            reference::attention_grad([d_q, d_k, d_v], (&wides[3], q_at), wide_given, s);
            let inputs = [&given[0][..], &given[1], &given[2], &given[3], &mask];
            Call { outputs: &lens, inputs: &inputs, indices: &[], scratch: 0 }.run(
                |step, y, x, _| {
                    let view = |buf, strides| View { buf, strides };
                    let (q, k, v) = (view(x[0], q_at), view(x[1], k_at), view(x[2], k_at));
                    let given = Inputs { q, k, v, mask: Some(view(x[4], mask_at)) };
                    step.attention(view(y[0], q_at), y[1], given, s);
                    let d_qkv = [view(y[2], q_at), view(y[3], k_at), view(y[4], k_at)];
                    let of_y = [view(x[3], q_at), view(y[0], q_at)];
                    step.attention_grad(d_qkv, of_y, y[1], given, s);
                },
                |level, got| {
                    for (n, (got, want)) in got.iter().zip(&want).enumerate() {
                        let spoiled = want.iter().filter(|want| !want.is_finite()).count();
                        assert!(spoiled < want.len(), "{n}: nothing is left to compare");
                        for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
                            let name = format!("{s:?} {of} {value} {level} {n}: element {i}");
                            // An infinity may be one, or have met another.
                            let close = (f64::from(got) - want).abs() < 1e-3;
                            assert!(close || !want.is_finite(), "{name} is {got}, not {want}");
                            assert!(
                                want.is_finite() || !got.is_finite(),
                                "{name} is {got}, not {want}"
                            );
                        }
                    }
                },
            );
        }
    }
}

#[test]
fn rows_are_appended() {
    // Two samples with two heads: three rows of `[batch, rows, heads, dim]` behind four of
    // `[batch, heads, 7, dim]`.
    let s = AttentionSpec { causal: Some(4), ..spec([2, 2], [3, 3], 5) };
    let (from, to) = (Strides::by_row(3, 2, 5), Strides::by_head(7, 2, 5));
    let rows: Vec<f32> = (0..60).map(|i| i as f32).collect();
    let others: Vec<f32> = rows.iter().map(|x| -x).collect();
    let call = Call { outputs: &[140, 140], inputs: &[&rows, &others], indices: &[], scratch: 0 };
    call.run(
        |step, y, x, _| {
            let caches = [0, 1].map(|n| View { buf: y[n], strides: to });
            step.append(caches, [0, 1].map(|n| View { buf: x[n], strides: from }), 4, s);
        },
        |level, got| {
            for (got, rows) in got.iter().zip([&rows, &others]) {
                for (b, h, row, i) in (0..140).map(|at| (at / 70, at / 35 % 2, at / 5 % 7, at % 5))
                {
                    let found = got[to.at(b, h, row) + i];
                    // The harness fills what is written with NaN.
                    match row.checked_sub(4) {
                        Some(row) => assert_eq!(found, rows[from.at(b, h, row) + i], "{level}"),
                        None => assert!(found.is_nan(), "{level}: row {row} is written"),
                    }
                }
            }
        },
    );
}
