//! Sequences: attention, recurrent layers, look-ups, samples of different lengths.

use gradiron::device::{Buf, Kernels};
use gradiron::ops::attention::{AttentionSpec, Inputs, Strides, View};
use gradiron::ops::embedding::EmbeddingSpec;
use gradiron::ops::gather::GatherSpec;
use gradiron::ops::padding::First;
use gradiron::ops::recurrent::{
    self, Cell, InputGrads, OutputGrads, Outputs, RecurrentSpec, Saved,
};

use super::{Memory, calls, indices};

pub const SPEC: AttentionSpec = AttentionSpec {
    batch: 2,
    heads: 4,
    kv_heads: 2,
    queries: 6,
    keys: 7,
    dim: 5,
    scale: 0.4,
    causal: None,
};

/// An attention, forward and backward, of operands side by side or each by itself.
fn attention<K: Kernels>(k: &mut K, m: &mut Memory, spec: AttentionSpec, with_mask: bool) {
    let AttentionSpec { batch, heads, kv_heads, queries, keys, dim, .. } = spec;
    let [of_q, of_k] = [batch * heads * queries * dim, batch * kv_heads * keys * dim];
    let by_row = Strides::by_row;
    let view = |buf, strides| View { buf, strides };
    let q = view(m.x(of_q), by_row(queries, heads, dim));
    let [key, value] =
        [m.x(of_k), m.x(of_k)].map(|buf| view(buf, Strides::by_head(keys, kv_heads, dim)));
    // The same for all samples and heads.
    let strides = Strides { start: 0, batch: 0, head: 0, row: keys };
    let mask = with_mask.then(|| view(m.x(queries * keys), strides));
    let given = Inputs { q, k: key, v: value, mask };
    let (y, lse) = (view(m.result(of_q), q.strides), m.result(batch * heads * queries));
    k.attention(y, lse, given, spec);
    let none = view(m.result(of_q), q.strides);
    k.attention(none, lse.part(0, 0), given, spec);
    let d_y = view(m.x(of_q), q.strides);
    let (d_q, d_k, d_v) = (m.result(of_q), m.result(of_k), m.result(of_k));
    let d_qkv = [(d_q, q), (d_k, key), (d_v, value)].map(|(buf, like)| view(buf, like.strides));
    k.attention_grad(d_qkv, [d_y, y], lse, given, spec);
    if with_mask {
        let d_mask = m.result(queries * keys);
        k.attention_mask_grad(d_mask, [d_y, y], lse, given, spec);
    }
}

calls!(Attention, 11_000, |k, m| {
    for causal in [None, Some(1), Some(usize::MAX)] {
        attention(k, m, AttentionSpec { causal, ..SPEC }, false);
    }
    attention(k, m, SPEC, true);
    // Few queries, and more keys than a block has.
    attention(k, m, AttentionSpec { queries: 2, keys: 66, batch: 1, ..SPEC }, false);
    attention(k, m, AttentionSpec { queries: 66, keys: 3, heads: 2, ..SPEC }, true);
});

calls!(AttentionSideBySide, 1 << 11, |k, m| {
    let spec = AttentionSpec { keys: 6, causal: Some(0), ..SPEC };
    let AttentionSpec { batch, heads, kv_heads, queries, dim, .. } = spec;
    let width = (heads + 2 * kv_heads) * dim;
    let qkv = m.x(batch * queries * width);
    let strides = |start| Strides { start, batch: queries * width, head: dim, row: width };
    let starts = [0, heads * dim, (heads + kv_heads) * dim];
    let [q, key, value] = starts.map(|start| View { buf: qkv, strides: strides(start) });
    let given = Inputs { q, k: key, v: value, mask: None };
    let len = batch * heads * queries * dim;
    let plain = |buf| View { buf, strides: Strides::by_row(queries, heads, dim) };
    let (y, d_y, lse) = (plain(m.result(len)), plain(m.x(len)), m.result(batch * heads * queries));
    k.attention(y, lse, given, spec);
    let d_qkv = m.result(batch * queries * width);
    let d_qkv = starts.map(|start| View { buf: d_qkv, strides: strides(start) });
    k.attention_grad(d_qkv, [d_y, y], lse, given, spec);
    // Keys and values behind those of before.
    let cache = m.result(batch * kv_heads * 9 * dim);
    k.fill(cache, 0.0);
    let cached = View { buf: cache, strides: Strides::by_head(9, kv_heads, dim) };
    let values = m.result(batch * kv_heads * 9 * dim);
    k.fill(values, 0.0);
    k.append([cached, View { buf: values, ..cached }], [key, value], 3, spec);
});

/// A layer, forward and backward.
fn layer<K: Kernels>(k: &mut K, m: &mut Memory, s: RecurrentSpec, with_lengths: bool) {
    let (states, steps) = (s.batch * s.hidden, s.batch * s.steps * s.hidden);
    let of_x = s.batch * s.steps * s.width();
    let is_lstm = s.cell == Cell::Lstm;
    let cell = |buf: Buf| is_lstm.then_some(buf);
    let given = recurrent::Inputs {
        x: m.x(of_x),
        w: m.x(s.width() * s.hidden),
        b: with_lengths.then(|| m.x(s.width())),
        h: with_lengths.then(|| m.x(states)),
        c: cell(m.x(states)).filter(|_| with_lengths),
        lengths: with_lengths.then(|| indices(s.batch)),
    };
    let made =
        Outputs { y: m.result(steps), h: m.result(states), c: is_lstm.then(|| m.result(states)) };
    let keeps = matches!(s.cell, Cell::Lstm | Cell::Gru);
    // Behind the end of a sample nothing is kept of the gates.
    let history = Saved {
        gates: m.scratch(of_x),
        before: m.result(steps),
        inner: keeps.then(|| m.scratch(steps)),
    };
    let scratch = m.scratch(s.scratch());
    k.recurrent(made, Some(history), given, scratch, s);
    let upstream = OutputGrads { y: Some(m.x(steps)), h: Some(m.x(states)), c: cell(m.x(states)) };
    let gradients = InputGrads {
        x: m.result(of_x),
        products: (s.cell == Cell::Gru).then(|| m.result(of_x)),
        h: Some(m.result(states)),
        c: is_lstm.then(|| m.result(states)),
    };
    k.recurrent_grad(gradients, upstream, history, given, scratch, s);
    // In the place of the gates.
    let gradients = InputGrads { x: history.gates, h: None, c: None, ..gradients };
    k.recurrent_grad(gradients, upstream, history, given, scratch, s);
}

calls!(Recurrent, 12_000, |k, m| {
    for cell in [Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru] {
        for (reverse, with_lengths) in [(false, true), (true, true), (true, false)] {
            let spec = RecurrentSpec { cell, batch: 3, steps: 3, hidden: 5, reverse };
            layer(k, m, spec, with_lengths);
        }
    }
});

calls!(Embedding, 1 << 9, |k, m| {
    for (count, dim) in [(7, 5), (1, 1), (24, 3)] {
        let spec = EmbeddingSpec { count, rows: 3, dim, padding: Some(1) };
        let (w, d_y) = (m.x(3 * dim), m.x(count * dim));
        let (y, d_w) = (m.result(count * dim), m.result(3 * dim));
        k.embedding(y, indices(count), w, spec);
        k.embedding_grad(d_w, d_y, indices(count), spec);
    }
});

calls!(Gather, 1 << 9, |k, m| {
    for (outer, size, count, inner) in [(2, 3, 4, 3), (1, 3, 24, 1), (3, 4, 1, 2)] {
        let spec = GatherSpec { outer, size, count, inner };
        let [of_x, of_y] = [outer * size * inner, outer * count * inner];
        let (x, d_y, y, d_x) = (m.x(of_x), m.x(of_y), m.result(of_y), m.result(of_x));
        k.gather(y, x, indices(of_y), spec);
        k.gather_grad(d_x, d_y, indices(of_y), spec);
    }
});

calls!(Padding, 1 << 9, |k, m| {
    let (batch, steps, dim) = (4, 3, 5);
    let (x, old, all) = (m.x(batch * dim), m.x(batch * dim), m.x(batch * steps * dim));
    for t in 0..steps {
        let (y, z, first) = (m.result(batch * dim), m.result(batch * dim), m.result(batch * dim));
        k.advance(y, x, old, indices(batch), t);
        k.advance(z, x, old.part(0, 0), indices(batch), t);
        k.replay(first, x, all, indices(batch), t, First::Last);
    }
    let y = m.result(batch * steps * dim);
    k.zero_padding(y, all, indices(batch), steps);
});
