//! Rows: normalisations, softmax and losses, positions.

use gradiron::ops::batch_norm::{BatchNormSpec, Running};
use gradiron::ops::cross::CrossSpec;
use gradiron::ops::cross_entropy::CrossEntropySpec;
use gradiron::ops::cumsum::CumsumSpec;
use gradiron::ops::layer_norm::{Affine, LayerNormSpec, STATS};
use gradiron::ops::nll_loss::NllLossSpec;
use gradiron::ops::rotary::RotarySpec;
use gradiron::ops::softmax::SoftmaxSpec;

use super::{calls, indices};

calls!(Softmax, 1 << 11, |k, m| {
    for (outer, size, inner) in [(2, 5, 1), (1, 70, 1), (3, 4, 3), (1, 3, 66), (2, 1, 1)] {
        let spec = SoftmaxSpec { outer, size, inner };
        let len = spec.elements();
        let (x, d_y) = (m.x(len), m.x(len));
        let [y, log, d_x, d_log] = [len; 4].map(|n| m.result(n));
        k.softmax(y, x, spec);
        k.log_softmax(log, x, spec);
        k.softmax_grad(d_x, d_y, y, spec);
        k.log_softmax_grad(d_log, d_y, log, spec);
    }
});

calls!(Argmax, 1 << 9, |k, m| {
    for (outer, size, inner) in [(2, 5, 1), (1, 70, 1), (3, 4, 3), (1, 3, 66), (2, 1, 1)] {
        let spec = SoftmaxSpec { outer, size, inner };
        let (x, y) = (m.x(spec.elements()), m.result(outer * inner));
        k.argmax(y, x, spec);
    }
});

calls!(CrossEntropy, 1 << 10, |k, m| {
    for (outer, inner, smoothing) in [(3, 1, 0.0), (3, 1, 0.1), (2, 5, 0.1), (1, 9, 0.0)] {
        let (classes, n) = (3, outer * inner);
        let spec = CrossEntropySpec { outer, classes, inner, smoothing };
        let (x, len) = (m.x(n * classes), n * classes);
        let [loss, again, d_x, d_y] = [1, 1, len, len].map(|n| m.result(n));
        k.cross_entropy(loss, x, indices(n), spec);
        k.cross_entropy_with_grad(again, d_x, x, indices(n), spec);
        k.cross_entropy_grad(d_y, loss, d_x);
        // In the place of the logits.
        let logits = m.result(len);
        k.copy(logits, x);
        k.cross_entropy_with_grad(again, logits, logits, indices(n), spec);
        k.cross_entropy_grad(logits, loss, logits);
    }
});

calls!(Cross, 1 << 10, |k, m| {
    for (outer, inner) in [(2, 1), (1, 66), (3, 4)] {
        let len = outer * 3 * inner;
        let (a, b, y) = (m.x(len), m.x(len), m.result(len));
        k.cross(y, a, b, CrossSpec { outer, inner });
    }
});

calls!(NllLoss, 1 << 9, |k, m| {
    for (outer, inner) in [(3, 1), (2, 5), (1, 9)] {
        let (classes, n) = (3, outer * inner);
        let spec = NllLossSpec { outer, classes, inner };
        let (x, loss, d_x) = (m.x(n * classes), m.result(1), m.result(n * classes));
        k.nll_loss(loss, x, indices(n), spec);
        k.nll_loss_grad(d_x, loss, indices(n), spec);
    }
});

calls!(LayerNorm, 1 << 12, |k, m| {
    for (rows, dim, centred) in [(1, 5, true), (9, 70, true), (3, 5, false), (20, 3, true)] {
        let spec = LayerNormSpec { rows, dim, eps: 1e-5, centred };
        let (len, w, b) = (rows * dim, m.x(dim), m.x(dim));
        let (x, d_y) = (m.x(len), m.x(len));
        let [y, stats, d_x, d_w, d_b] = [len, rows * STATS, len, dim, dim].map(|n| m.result(n));
        let scratch = m.scratch(spec.grad_scratch());
        k.layer_norm(y, stats, x, Affine { weight: w, bias: b }, spec);
        let none = w.part(0, 0);
        k.layer_norm(y, stats, x, Affine { weight: none, bias: none }, spec);
        let to = Affine { weight: d_w, bias: d_b };
        k.layer_norm_grad(d_x, to, d_y, x, w, stats, spec, scratch);
    }
});

calls!(BatchNorm, 1 << 10, |k, m| {
    for (batch, channels, inner) in [(3, 5, 1), (2, 3, 7), (2, 2, 70), (1, 2, 4)] {
        let spec = BatchNormSpec { batch, channels, inner, eps: 1e-5 };
        let len = spec.elements();
        let (x, d_y) = (m.x(len), m.x(len));
        let [mean, rest, invstd, new_mean, new_var, d_w, d_b] = [channels; 7].map(|n| m.result(n));
        let count = m.result(1);
        let old = [m.x(channels), m.x(channels), m.result(1)];
        k.fill(old[2], 4.0);
        let new = [new_mean, new_var, count];
        let running = Some(Running { old, new, momentum: Some(0.1) });
        k.batch_norm_statistics([mean, rest], invstd, x, running, spec);
        k.batch_norm_sums(d_w, d_b, d_y, x, [mean, rest], invstd, spec);
        k.batch_norm_statistics([mean, rest], invstd, x, None, spec);
    }
});

calls!(Rotary, 1 << 10, |k, m| {
    for (interleaved, inverse) in [(false, false), (true, true)] {
        let (outer, len, inner, dim) = (2, 9, 2, 6);
        let spec = RotarySpec { outer, len, inner, dim, past: 3, base: 1e4, interleaved, inverse };
        let (x, y) = (m.x(outer * len * inner * dim), m.result(outer * len * inner * dim));
        k.rotary(y, x, spec);
    }
    let y = m.result(5 * 7);
    k.sinusoidal(y, 5, 7, 1e4);
});

calls!(Cumsum, 1 << 10, |k, m| {
    for reverse in [false, true] {
        for (outer, size, inner) in [(2, 5, 1), (1, 3, 66)] {
            let (x, y) = (m.x(outer * size * inner), m.result(outer * size * inner));
            k.cumsum(y, x, CumsumSpec { outer, size, inner, reverse });
        }
    }
});
