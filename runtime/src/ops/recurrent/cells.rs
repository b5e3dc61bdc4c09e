//! A step of one sample behind its product, and the same backward.

use super::Cell;
use crate::math::{self, SimdLevel, simd};

/// The next state `h` of a sample, from `p` and its row of `x`. `p` becomes the gates; `c` is the
/// cell of an LSTM, and becomes `pₙ` in a GRU.
pub(super) fn advance(
    level: SimdLevel,
    cell: Cell,
    p: &mut [f32],
    x: &[f32],
    [h, c]: [&mut [f32]; 2],
) {
    match cell {
        Cell::Tanh => tanh(level, p, x, h),
        Cell::Relu => relu(level, p, x, h),
        Cell::Lstm => {
            lstm_gates(level, p, x);
            lstm(level, p, h, c);
        }
        Cell::Gru => gru(level, p, x, h, c),
    }
}

simd! {
    fn tanh<A>(p: &mut [f32], x: &[f32], h: &mut [f32]) {
        for ((p, x), h) in p.iter_mut().zip(x).zip(h) {
            *p = math::tanh::<A>(*p + x);
            *h = *p;
        }
    }
}

simd! {
    fn relu<A>(p: &mut [f32], x: &[f32], h: &mut [f32]) {
        for ((p, x), h) in p.iter_mut().zip(x).zip(h) {
            let sum = *p + x;
            // NaN passes through.
            *p = if sum < 0.0 { 0.0 } else { sum };
            *h = *p;
        }
    }
}

simd! {
    fn lstm_gates<A>(p: &mut [f32], x: &[f32]) {
        let hidden = p.len() / 4;
        for gate in 0..4 {
            let rows = p[gate * hidden..][..hidden].iter_mut().zip(&x[gate * hidden..][..hidden]);
            match gate {
                2 => rows.for_each(|(p, x)| *p = math::tanh::<A>(*p + x)),
                _ => rows.for_each(|(p, x)| *p = math::sigmoid::<A>(*p + x)),
            }
        }
    }
}

simd! {
    fn lstm<A>(gates: &[f32], h: &mut [f32], c: &mut [f32]) {
        let hidden = h.len();
        let gate = |k: usize| &gates[k * hidden..][..hidden];
        let (i, f, g, o, c) = (gate(0), gate(1), gate(2), gate(3), &mut c[..hidden]);
        for j in 0..hidden {
            c[j] = A::mul_add(f[j], c[j], i[j] * g[j]);
            h[j] = o[j] * math::tanh::<A>(c[j]);
        }
    }
}

simd! {
    fn gru<A>(p: &mut [f32], x: &[f32], h: &mut [f32], inner: &mut [f32]) {
        let hidden = h.len();
        let (r, rest) = p.split_at_mut(hidden);
        let (z, n) = rest.split_at_mut(hidden);
        let part = |k: usize| &x[k * hidden..][..hidden];
        let (x_r, x_z, x_n) = (part(0), part(1), part(2));
        let (n, inner) = (&mut n[..hidden], &mut inner[..hidden]);
        for j in 0..hidden {
            r[j] = math::sigmoid::<A>(r[j] + x_r[j]);
            z[j] = math::sigmoid::<A>(z[j] + x_z[j]);
        }
        for j in 0..hidden {
            inner[j] = n[j];
            n[j] = math::tanh::<A>(A::mul_add(r[j], n[j], x_n[j]));
            // (1 − z) n + z h
            h[j] = A::mul_add(z[j], h[j] - n[j], n[j]);
        }
    }
}

/// What a step of a sample read and made.
pub(super) struct Past<'a> {
    /// The state before.
    pub before: &'a [f32],
    /// An LSTM's cell before and behind; zeros for others.
    pub cells: [&'a [f32]; 2],
}

/// A step of a sample backward. `d` has its gates and becomes the gradient of its products. `d_h`
/// is the gradient of its new state, and becomes the part of that of the state before that does not
/// go through the products. `d_c` is the same of an LSTM's cell; in a GRU it is `pₙ`, and becomes
/// the gradient of `xₙ`.
pub(super) fn retreat(
    level: SimdLevel,
    cell: Cell,
    d: &mut [f32],
    [d_h, d_c]: [&mut [f32]; 2],
    past: &Past<'_>,
) {
    match cell {
        Cell::Tanh => tanh_grad(level, d, d_h),
        Cell::Relu => relu_grad(level, d, d_h),
        Cell::Lstm => lstm_grad(level, d, d_h, d_c, past.cells[1], past.cells[0]),
        Cell::Gru => gru_grad(level, d, d_h, d_c, past.before),
    }
}

simd! {
    fn tanh_grad<A>(d: &mut [f32], d_h: &mut [f32]) {
        for (d, d_h) in d.iter_mut().zip(d_h) {
            *d = *d_h * A::mul_add(-*d, *d, 1.0);
            *d_h = 0.0;
        }
    }
}

simd! {
    fn relu_grad<A>(d: &mut [f32], d_h: &mut [f32]) {
        for (d, d_h) in d.iter_mut().zip(d_h) {
            // Behind NaN the gradient passes, as that of `relu`.
            *d = if *d <= 0.0 { 0.0 } else { *d_h };
            *d_h = 0.0;
        }
    }
}

simd! {
    fn lstm_grad<A>(
        d: &mut [f32],
        d_h: &mut [f32],
        d_c: &mut [f32],
        c: &[f32],
        c_before: &[f32],
    ) {
        let hidden = d_h.len();
        let (i, rest) = d.split_at_mut(hidden);
        let (f, rest) = rest.split_at_mut(hidden);
        let (g, o) = rest.split_at_mut(hidden);
        let (o, d_c) = (&mut o[..hidden], &mut d_c[..hidden]);
        let (c, c_before) = (&c[..hidden], &c_before[..hidden]);
        for j in 0..hidden {
            let tanh = math::tanh::<A>(c[j]);
            let all = A::mul_add(d_h[j] * o[j], A::mul_add(-tanh, tanh, 1.0), d_c[j]);
            let (in_gate, forget, new) = (i[j], f[j], g[j]);
            o[j] = d_h[j] * tanh * o[j] * (1.0 - o[j]);
            i[j] = all * new * in_gate * (1.0 - in_gate);
            f[j] = all * c_before[j] * forget * (1.0 - forget);
            g[j] = all * in_gate * A::mul_add(-new, new, 1.0);
            d_c[j] = all * forget;
            d_h[j] = 0.0;
        }
    }
}

simd! {
    fn gru_grad<A>(d: &mut [f32], d_h: &mut [f32], inner: &mut [f32], before: &[f32]) {
        let hidden = d_h.len();
        let (r, rest) = d.split_at_mut(hidden);
        let (z, n) = rest.split_at_mut(hidden);
        let (n, inner, before) = (&mut n[..hidden], &mut inner[..hidden], &before[..hidden]);
        for j in 0..hidden {
            let (reset, update, new) = (r[j], z[j], n[j]);
            let d_n = d_h[j] * (1.0 - update) * A::mul_add(-new, new, 1.0);
            r[j] = d_n * inner[j] * reset * (1.0 - reset);
            z[j] = d_h[j] * (before[j] - new) * update * (1.0 - update);
            n[j] = d_n * reset;
            inner[j] = d_n;
            d_h[j] *= update;
        }
    }
}
