//! The optimizers against `torch.optim` (`parity optim` made the files), and
//! their hyper-parameters.

mod cases;
mod groups;
mod state;

use std::collections::BTreeMap;

use gradiron::device::{Host, Threads};
use gradiron::init::Init;
use gradiron::math::simd_levels;
use gradiron::module::{Model, Module, ParamSpec};
use gradiron::optim::{Adam, AdamW, Grads, HyperParamError, Optimizer, RMSprop, Sgd};

use crate::cases::build;

const COUNT: usize = 37;

struct Weights;

impl Module for Weights {
    const PARAMS: usize = COUNT;

    fn describe(prefix: &str, start: usize, specs: &mut Vec<ParamSpec>) {
        for (name, shape, at) in [("weight", vec![4, 5], 0), ("bias", vec![COUNT - 20], 20)] {
            let name = format!("{prefix}{name}");
            let (start, tied) = (start + at, vec![]);
            specs.push(ParamSpec { name, shape, start, init: Init::Zeros, tied, frozen: false });
        }
    }
}

#[derive(Clone)]
struct Net(Vec<f32>);

impl Model for Net {
    type Module = Weights;

    fn params(&self) -> &[f32] {
        &self.0
    }

    fn params_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

/// The lines `label: bits bits …` of a golden file.
fn tensors(text: &str) -> BTreeMap<&str, Vec<f32>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (label, bits) = line.split_once(": ").unwrap();
            let float = |word| f32::from_bits(u32::from_str_radix(word, 16).unwrap());
            (label, bits.split(' ').map(float).collect())
        })
        .collect()
}

fn ulp(x: f32) -> f32 {
    x.abs().next_up() - x.abs()
}

/// PyTorch's processor code contracts some of the products and sums into fused multiply-adds,
/// which save one rounding; everything else is the same operation on the same bits. So both
/// sides agree, per step, to
///
/// - one ulp of the largest value of the parameter so far, for the two roundings of
///   `p - update`, and
/// - a few roundings (2⁻²⁴ each) of the update, at most 6 on either side: one ulp each of the
///   scale of an update, as the values that cancel (`g - m`, momentum against a new gradient)
///   are bounded by the largest update that the case makes.
#[test]
fn parameters_follow_pytorch() {
    let inputs = tensors(include_str!("inputs.txt"));
    let goldens = tensors(include_str!("goldens.txt"));
    let mut cases: Vec<&str> =
        goldens.keys().map(|label| label.split_once(' ').unwrap().0).collect();
    cases.dedup();
    assert_eq!(cases.len(), 28);

    let mut exact = 0;
    let mut all = 0;
    for case in cases {
        let mut net = Net(inputs["start"].clone());
        let mut optimizer = build(case, &net).unwrap();
        let mut scale = net.0.clone();
        let mut update = [0f32; COUNT];
        let mut worst = 0f32;
        for step in 1..=10 {
            if case.starts_with("schedule") {
                optimizer.set_learning_rate(0.1 / step as f32).unwrap();
                assert_eq!(optimizer.learning_rate(), 0.1 / step as f32);
            }
            let before = net.clone();
            let grads = Grads::new(&inputs[format!("grad {step}").as_str()], &[], None);
            optimizer.step(&mut net, grads);
            for i in 0..COUNT {
                scale[i] = scale[i].abs().max(net.0[i].abs());
                update[i] = update[i].max((net.0[i] - before.0[i]).abs());
            }
            let Some(golden) = goldens.get(format!("{case} {step}").as_str()) else { continue };
            for i in 0..COUNT {
                let (p, q) = (net.0[i], golden[i]);
                let tolerance = step as f32 * (ulp(scale[i]) + 6.0 * ulp(update[i]));
                let error = (p - q).abs();
                worst = worst.max(error / ulp(scale[i]));
                exact += usize::from(error == 0.0);
                all += 1;
                assert!(error <= tolerance, "{case}, step {step}, [{i}]: {p} and {q}");
            }
        }
        println!("{case}: at most {worst} ulp of the parameter");
    }
    println!("{exact} of {all} with the same bits");
}

/// The bound is that of `parameters_follow_pytorch`: here one side rounds alone, but constants such
/// as `1 - 0.999` are rounded to `f32`s, which is less than a rounding of the update each.
#[test]
fn parameters_follow_the_papers() {
    let inputs = tensors(include_str!("inputs.txt"));
    for (case, definition) in cases::PAPERS {
        let mut net = Net(inputs["start"].clone());
        let mut optimizer = build(case, &net).unwrap();
        let mut want: Vec<f64> = net.0.iter().map(|p| f64::from(*p)).collect();
        let mut state = [[0.0; 2]; COUNT];
        let (mut scale, mut update) = (net.0.clone(), [0_f32; COUNT]);
        for step in 1..=10 {
            let grads = &inputs[format!("grad {step}").as_str()];
            let before = net.clone();
            optimizer.step(&mut net, Grads::new(grads, &[], None));
            for i in 0..COUNT {
                want[i] = definition(step, want[i], f64::from(grads[i]), &mut state[i]);
                scale[i] = scale[i].abs().max(net.0[i].abs());
                update[i] = update[i].max((net.0[i] - before.0[i]).abs());
                let tolerance = step as f32 * (ulp(scale[i]) + 6.0 * ulp(update[i]));
                let error = (f64::from(net.0[i]) - want[i]).abs();
                let found = net.0[i];
                assert!(
                    error <= f64::from(tolerance),
                    "{case}, step {step}, [{i}]: {found} and {}",
                    want[i]
                );
            }
        }
    }
}

/// Every optimizer of the library is built here.
#[test]
fn every_optimizer_has_a_case() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/src/optim");
    let text = std::fs::read_to_string(folder.join("mod.rs")).expect("the list of optimizers");
    let list = text.split_once("mod each {").and_then(|(_, rest)| rest.split_once("\n}"));
    let names: Vec<&str> = list
        .expect("the list is there")
        .0
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| word.starts_with(char::is_uppercase))
        .collect();
    assert!(names.contains(&"Adam") && names.len() >= 4, "{names:?}");
    for name in names {
        let built = include_str!("cases.rs").contains(&format!("{name}::new"));
        assert!(built, "`{name}` has no case in tests/optim/cases.rs");
    }
}

/// Parameters of many chunks, changed by a team or in pieces that have no whole block: vectors,
/// threads and instruction sets do not change a bit.
#[test]
fn threads_and_vectors_give_the_same_bits() {
    let len = 3 * 8192 + 37;
    let start: Vec<f32> = (0..len).map(|i| (i as f32 * 0.37).sin()).collect();
    let grads: Vec<f32> = (0..len).map(|i| (i as f32 * 0.73).cos() * 0.1).collect();
    let steps = |case: &str, start: &[f32], grads: &[f32], host: Option<Host<'_>>| {
        let mut net = Net(start.to_vec());
        let mut optimizer = build(case, &net).unwrap();
        (0..3).for_each(|_| optimizer.step(&mut net, Grads::new(grads, &[], host)));
        net.0
    };
    let cases = ["sgd_decay", "sgd_nesterov", "adam", "adam_amsgrad", "adamw", "rmsprop_centered"];
    for case in cases {
        let pieces = start.chunks(7).zip(grads.chunks(7));
        let expected: Vec<f32> = pieces.flat_map(|(p, g)| steps(case, p, g, None)).collect();
        assert_eq!(steps(case, &start, &grads, None), expected, "{case}");
        for count in [1, 2, 3] {
            let threads = Threads::new(count);
            for level in simd_levels() {
                let host = Host { threads: &threads, level };
                let found = steps(case, &start, &grads, Some(host));
                assert_eq!(found, expected, "{case}, {count} threads, {level:?}");
            }
        }
    }
}

/// A boundary of groups inside of a chunk, and a tail that no parameter describes, which decays.
#[test]
fn groups_are_cut_where_they_end() {
    let len = 2 * 8192 + 5;
    let start: Vec<f32> = (0..len).map(|i| (i as f32 * 0.37).sin()).collect();
    let grads: Vec<f32> = (0..len).map(|i| (i as f32 * 0.73).cos() * 0.1).collect();
    let steps = |case: &str, host: Option<Host<'_>>| {
        let mut net = Net(start.clone());
        let mut optimizer = build(case, &net).unwrap();
        (0..3).for_each(|_| optimizer.step(&mut net, Grads::new(&grads, &[], host)));
        net.0
    };
    let grouped = steps("adamw_groups", None);
    for threads in [1, 2, 3].map(Threads::new) {
        for level in simd_levels() {
            let host = Host { threads: &threads, level };
            assert_eq!(steps("adamw_groups", Some(host)), grouped);
        }
    }
    let decayed = steps("adamw_decay", None);
    for (i, (grouped, decayed)) in grouped.iter().zip(&decayed).enumerate() {
        assert_eq!(grouped == decayed, !(20..COUNT).contains(&i), "element {i}");
    }
    let mut net = Net(start.clone());
    let mut plain = AdamW::new(&net, 1e-2).unwrap().weight_decay(0.3).unwrap();
    plain = plain.decay_only(|param| param.name == "weight").decay_only(|_| true);
    (0..3).for_each(|_| plain.step(&mut net, Grads::new(&grads, &[], None)));
    assert_eq!(net.0, decayed);
}

#[test]
fn norms_are_exact_for_any_threads_and_vectors() {
    for len in [0, 1, 31, 33, 8192, 8193, 3 * 8192 + 37, 130 * 8192 + 1] {
        let grads: Vec<f32> = (0..len).map(|i| (i as f32 * 0.73).cos() * 1e20).collect();
        // Squares that are too large for an `f32`, in `f64`s in order: each addition rounds once.
        let exact = grads.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let norm = |host: Option<Host<'_>>| Grads::<Net>::new(&grads, &[], host).norm();
        let expected = norm(None);
        let bound = exact * (f64::from(f32::EPSILON) + len as f64 * f64::EPSILON);
        assert!((f64::from(expected) - exact).abs() <= bound, "{len}: {expected} and {exact}");
        for threads in [1, 2, 3].map(Threads::new) {
            for level in simd_levels() {
                let host = Some(Host { threads: &threads, level });
                assert_eq!(norm(host).to_bits(), expected.to_bits(), "{len}, {level:?}");
            }
        }
    }
}

#[test]
fn steps_are_as_long_as_with_gradients_of_the_norm() {
    let values = [3.0, 4.0];
    let grads = Grads::<Net>::new(&values, &[], None);
    assert_eq!(grads.norm(), 5.0);
    // Of the step, which is the gradient here.
    let length = |max_norm: f32| {
        let mut net = Net(vec![0.0; 2]);
        Sgd::new(&net, 1.0).unwrap().clip_norm(max_norm).unwrap().step(&mut net, grads);
        net.0[0].hypot(net.0[1])
    };
    assert_eq!(length(6.0), 5.0);
    assert_eq!(length(0.0), 0.0);
    for max_norm in [1.0, 0.25] {
        assert!((length(max_norm) - max_norm).abs() < 1e-6);
    }
    let error = Sgd::new(&Net(vec![0.0; 2]), 1.0).unwrap().clip_norm(-1.0).unwrap_err();
    assert_eq!(error.to_string(), "Sgd: expected max_norm to be finite and at least 0, found -1");
    // A norm above the range of `f32`.
    let mut net = Net(vec![0.0; 2]);
    let grads = Grads::<Net>::new(&[3e38, 3e38], &[], None);
    Sgd::new(&net, 1.0).unwrap().clip_norm(1.0).unwrap().step(&mut net, grads);
    assert!(net.0.iter().all(|p| (p + 0.5_f32.sqrt()).abs() < 1e-6), "{:?}", net.0);
    // No number is hidden that is none.
    let grads = Grads::<Net>::new(&[1.0, f32::NAN], &[], None);
    let mut net = Net(vec![1.0; 2]);
    Sgd::new(&net, 0.1).unwrap().clip_norm(1.0).unwrap().step(&mut net, grads);
    assert!(net.0.iter().all(|p| p.is_nan()));
}

#[test]
fn a_step_may_find_gradients_that_are_not_numbers() {
    let mut net = Net(vec![1.0; COUNT]);
    let mut adam = Adam::new(&net, 1e-3).unwrap();
    let mut grads = vec![0.5; COUNT];
    grads[3] = f32::NAN;
    grads[4] = f32::INFINITY;
    adam.step(&mut net, Grads::new(&grads, &[], None));
    assert!(net.0[3].is_nan() && net.0[4].is_nan());
    assert_eq!(net.0[2], 1.0 - 1e-3);
}

#[test]
fn wrong_hyper_parameters_are_named() {
    let net = Net(vec![0.0; COUNT]);
    let text = |error: HyperParamError| error.to_string();
    let refused = [
        Sgd::new(&net, f32::NAN).map(drop),
        Sgd::new(&net, -0.1).map(drop),
        Sgd::new(&net, 0.1).unwrap().momentum(-1.0).map(drop),
        Sgd::new(&net, 0.1).unwrap().dampening(f64::INFINITY).map(drop),
        Sgd::new(&net, 0.1).unwrap().nesterov(true).map(drop),
        Sgd::new(&net, 0.1).unwrap().dampening(0.5).unwrap().momentum(0.9).map(drop),
        Adam::new(&net, f32::INFINITY).map(drop),
        Adam::new(&net, 0.1).unwrap().betas(1.0, 0.999).map(drop),
        Adam::new(&net, 0.1).unwrap().betas(0.9, f64::NAN).map(drop),
        Adam::new(&net, 0.1).unwrap().eps(-1e-8).map(drop),
        AdamW::new(&net, 0.1).unwrap().weight_decay(1e300).map(drop),
        RMSprop::new(&net, 0.1).unwrap().alpha(1.5).map(drop),
    ]
    .map(|result| result.err().map(text));
    let expected = [
        Some("Sgd: expected lr to be finite and at least 0, found NaN"),
        Some("Sgd: expected lr to be finite and at least 0, found -0.1"),
        Some("Sgd: expected momentum to be finite and at least 0, found -1"),
        Some("Sgd: expected dampening to be finite, found inf"),
        Some("Sgd: expected momentum to be above 0 before nesterov(true), found 0"),
        None,
        Some("Adam: expected lr to be finite and at least 0, found inf"),
        Some("Adam: expected betas[0] to be at least 0 and below 1, found 1"),
        Some("Adam: expected betas[1] to be at least 0 and below 1, found NaN"),
        Some("Adam: expected eps to be finite and at least 0, found -0.00000001"),
    ];
    for (found, expected) in refused.iter().zip(expected) {
        assert_eq!(found.as_deref(), expected);
    }
    assert!(refused[10].as_deref().unwrap().starts_with("AdamW: expected weight_decay to be"));
    assert!(refused[11].as_deref().unwrap().ends_with("found 1.5"));

    let mut adam = Adam::new(&net, 0.25).unwrap();
    assert!(adam.set_learning_rate(f32::NAN).is_err());
    assert_eq!(adam.learning_rate(), 0.25);
}

/// Gradients that hardly vary: the variance is far below the rounding of the mean square. The
/// bound: the running mean is rounded by at most half an ulp of 1e-3 a step, which adds up to 100
/// of these at `alpha` 0.99, 0.12 of the gradients' deviation; so the root is off by at most that
/// share, and the steps with it.
#[test]
fn rmsprop_divides_by_a_small_deviation() {
    for (momentum, signs) in [(0.0, 2), (0.5, 2), (0.0, 3)] {
        let mut net = Net(vec![0.0; COUNT]);
        let rmsprop = RMSprop::new(&net, 1e-6).unwrap().centered(true);
        let mut rmsprop = rmsprop.momentum(momentum).unwrap();
        let (mut p, mut v, mut a, mut b) = (0.0, 0.0, 0.0, 0.0);
        for step in 0..3000 {
            let g = 1e-3 * if step % signs == 0 { 1.0 + 5e-5 } else { 1.0 - 5e-5 };
            let grads = [g as f32; COUNT];
            let before = (net.0[0], p);
            rmsprop.step(&mut net, Grads::new(&grads, &[], None));
            // The definition, in `f64`s.
            let g = f64::from(grads[0]);
            v = 0.99 * v + 0.01 * g * g;
            a += 0.01 * (g - a);
            b = momentum * b + g / ((v - a * a).max(0.0).sqrt() + 1e-8);
            p -= 1e-6 * b;
            let (found, want) = (f64::from(net.0[0] - before.0), p - before.1);
            // Beside the bound, the rounding of the parameter.
            let bound = 0.12 * want.abs() + f64::from(f32::EPSILON) * p.abs();
            assert!((found - want).abs() <= bound, "step {step}: {found} and {want}");
            assert!(net.0.iter().all(|each| *each == net.0[0]));
        }
    }
}

/// Gradients of 0, the smallest, and such as have squares near the end of the range: no step is
/// NaN, none is longer than the optimizer's formula makes it.
#[test]
fn steps_at_the_ends_of_the_range() {
    let cases = ["sgd_nesterov", "adam", "adam_amsgrad", "adamw", "rmsprop", "rmsprop_momentum"];
    let centered = ["rmsprop_centered", "rmsprop_centered_momentum"];
    for case in cases.into_iter().chain(centered) {
        for g in [0.0, 1e-45, 1e-30, 1e-8, 1e8, 1e18, -1e18] {
            let mut net = Net(vec![0.0; COUNT]);
            let mut optimizer = build(case, &net).unwrap();
            for step in 0..200 {
                optimizer.step(&mut net, Grads::new(&[g; COUNT], &[], None));
                assert!(net.0[0].is_finite(), "{case}, gradient {g}, step {step}");
            }
            assert!(g != 0.0 || net.0[0] == 0.0, "{case}");
        }
    }
    // At the first step an Adam goes as far as its rate, whatever the gradient is.
    for g in [1e-3_f32, 1.0, 1e10, 1e20] {
        let mut net = Net(vec![0.0; COUNT]);
        Adam::new(&net, 0.5).unwrap().step(&mut net, Grads::new(&[g; COUNT], &[], None));
        assert!((net.0[0] + 0.5).abs() < 1e-5, "{g}: {}", net.0[0]);
    }
}
