//! Algorithms that small calls do not choose by themselves, and values for which kernels take
//! another way.

use gradiron::ops::attention::{Attention as _, AttentionSpec, Inputs, Strides, View};
use gradiron::ops::conv2d::{Algorithm, Conv2d as _, Conv2dSpec, Pass};
use gradiron::ops::elementwise::Operands;
use gradiron::ops::fill::Fill as _;

use crate::calls::images::{AddBias, PASSES, lens, specs};
use crate::calls::sequences::SPEC;
use crate::run::check_all;

#[test]
fn convolutions_by_every_algorithm() {
    for algorithm in [Algorithm::Direct, Algorithm::Winograd, Algorithm::Windows] {
        for spec in specs() {
            for pass in PASSES.into_iter().filter(|pass| spec.fits(*pass, algorithm)) {
                let floats = lens(&spec, pass)[0] + spec.scratch_of(pass, algorithm) + 100;
                check_all(&format!("{algorithm:?} {pass:?}"), floats, true, |m, step| {
                    let [out, a, b] = lens(&spec, pass);
                    let (out, a, b) = (m.result(out), m.x(a), m.x(b));
                    let scratch = m.scratch(spec.scratch_of(pass, algorithm));
                    step.convolve_by(algorithm);
                    step.conv2d(pass, out, [a, b], scratch, spec);
                });
            }
        }
    }
}

/// Parts of a result that a chain takes over while others are computed.
#[test]
fn chains_behind_every_algorithm() {
    for algorithm in [Algorithm::Direct, Algorithm::Winograd, Algorithm::Windows] {
        let spec = specs()[0];
        for pass in PASSES {
            let len = lens(&spec, pass)[0];
            let floats = len + spec.scratch_of(pass, algorithm) + 100;
            check_all(&format!("{algorithm:?} {pass:?} and a chain"), floats, true, |m, step| {
                let [len, a, b] = lens(&spec, pass);
                let (out, a, b) = (m.result(len), m.x(a), m.x(b));
                let scratch = m.scratch(spec.scratch_of(pass, algorithm));
                step.convolve_by(algorithm);
                let inputs = [(out, [true]), (m.x(1), [false])];
                let then = Operands { outputs: [out], inputs, dims: [len], constants: [] };
                step.conv2d_map::<AddBias, 2, 1, 0, 1>(pass, out, [a, b], scratch, spec, then);
            });
        }
    }
}

/// Values for which minimal filtering takes plain sums: one is an infinity.
#[test]
fn an_image_that_is_not_finite() {
    let spec = Conv2dSpec { padding: [1, 1], ..Conv2dSpec::new(1, [2, 3], [9, 9], [3, 3]) };
    for pass in [Pass::Forward, Pass::InputGrad] {
        let [out, a, b] = lens(&spec, pass);
        let scratch = spec.scratch_of(pass, Algorithm::Winograd);
        check_all("not finite", out + a + scratch + 200, false, |m, step| {
            let (out, image, from, w) = (m.result(out), m.scratch(a), m.x(a), m.x(b));
            step.copy(image, from);
            step.fill(image.part(a / 2, 1), f32::INFINITY);
            let scratch = m.scratch(scratch);
            step.convolve_by(Algorithm::Winograd);
            step.conv2d(pass, out, [image, w], scratch, spec);
        });
    }
}

/// Keys that are not seen and are not finite: rows are computed once more.
#[test]
fn attention_beside_an_infinity() {
    let spec = AttentionSpec { keys: 6, causal: Some(0), ..SPEC };
    check_all("attention", 1 << 14, false, |m, step| {
        let AttentionSpec { batch, heads, kv_heads, queries, keys, dim, .. } = spec;
        let [of_q, of_k] = [batch * heads * queries * dim, batch * kv_heads * keys * dim];
        let (key, from) = (m.scratch(of_k), m.x(of_k));
        step.copy(key, from);
        step.fill(key.part(of_k - 1, 1), f32::INFINITY);
        let of_keys = |buf| View { buf, strides: Strides::by_row(keys, kv_heads, dim) };
        let plain = |buf| View { buf, strides: Strides::by_row(queries, heads, dim) };
        let given = Inputs { q: plain(m.x(of_q)), k: of_keys(key), v: of_keys(key), mask: None };
        let (y, lse) = (plain(m.result(of_q)), m.result(batch * heads * queries));
        step.attention(y, lse, given, spec);
        let [d_q, d_k, d_v] = [of_q, of_k, of_k].map(|len| m.result(len));
        let d_qkv = [plain(d_q), of_keys(d_k), of_keys(d_v)];
        step.attention_grad(d_qkv, [plain(m.x(of_q)), y], lse, given, spec);
    });
}
