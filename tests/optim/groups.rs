//! Groups of parameters: PyTorch's formulas in `f64`s, where each parameter has its own rate,
//! decay, and count of steps.

use gradiron::device::{Host, Threads};
use gradiron::init::Init;
use gradiron::math::simd_levels;
use gradiron::module::{Model, Module, ParamSpec};
use gradiron::optim::{
    Adam, AdamW, Grads, GroupError, HyperParamError, Lion, Optimizer, RMSprop, Sgd,
};
use gradiron::prelude::{Kind, except};

/// The parameters, and the sizes of each.
const TENSORS: [(&str, &[usize]); 5] = [
    ("body.fc.weight", &[4, 5]),
    ("body.fc.bias", &[5]),
    ("body.norm.weight", &[7]),
    ("head.weight", &[2, 5]),
    ("head.bias", &[2]),
];
const COUNT: usize = 20 + 5 + 7 + 10 + 2;

struct Parts;

impl Module for Parts {
    const PARAMS: usize = COUNT;

    fn describe(prefix: &str, mut start: usize, specs: &mut Vec<ParamSpec>) {
        for (name, shape) in TENSORS {
            let (name, shape) = (format!("{prefix}{name}"), shape.to_vec());
            let len = shape.iter().product::<usize>();
            specs.push(ParamSpec {
                name,
                shape,
                start,
                init: Init::Zeros,
                tied: vec![],
                frozen: false,
            });
            start += len;
        }
    }
}

#[derive(Clone)]
struct Net(Vec<f32>);

impl Model for Net {
    type Module = Parts;

    fn params(&self) -> &[f32] {
        &self.0
    }

    fn params_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

fn start() -> Net {
    Net((0..COUNT).map(|i| (i as f32 * 0.37).sin()).collect())
}

fn grads(step: usize) -> Vec<f32> {
    (0..COUNT).map(|i| ((i * 7 + step * 13) as f32 * 0.73).cos() * 0.3).collect()
}

/// What is said of a parameter in the reference.
#[derive(Clone, Copy)]
struct Said {
    lr: f64,
    decay: f64,
    frozen: bool,
}

/// One parameter's number as `torch.optim` computes it: `t` counts its own steps.
type Formula = fn(t: i32, lr: f64, decay: f64, p: f64, g: f64, state: &mut [f64; 3]) -> f64;

fn sgd(t: i32, lr: f64, decay: f64, p: f64, g: f64, [b, ..]: &mut [f64; 3]) -> f64 {
    let g = g + decay * p;
    *b = if t == 1 { g } else { 0.9 * *b + (1.0 - 0.3) * g };
    p - lr * *b
}

fn adam(t: i32, lr: f64, decay: f64, p: f64, g: f64, [m, v, _]: &mut [f64; 3]) -> f64 {
    let g = g + decay * p;
    *m = 0.9 * *m + 0.1 * g;
    *v = 0.999 * *v + 0.001 * g * g;
    let (m, v) = (*m / (1.0 - 0.9_f64.powi(t)), *v / (1.0 - 0.999_f64.powi(t)));
    p - lr * m / (v.sqrt() + 1e-8)
}

fn amsgrad(t: i32, lr: f64, decay: f64, p: f64, g: f64, [m, v, u]: &mut [f64; 3]) -> f64 {
    let p = p * (1.0 - lr * decay);
    *m = 0.9 * *m + 0.1 * g;
    *v = 0.999 * *v + 0.001 * g * g;
    *u = u.max(*v);
    let (m, u) = (*m / (1.0 - 0.9_f64.powi(t)), *u / (1.0 - 0.999_f64.powi(t)));
    p - lr * m / (u.sqrt() + 1e-8)
}

fn lion(_: i32, lr: f64, decay: f64, p: f64, g: f64, [m, ..]: &mut [f64; 3]) -> f64 {
    let c = 0.9 * *m + 0.1 * g;
    *m = 0.99 * *m + 0.01 * g;
    p * (1.0 - lr * decay) - lr * c.signum()
}

fn rmsprop(_: i32, lr: f64, decay: f64, p: f64, g: f64, [v, a, b]: &mut [f64; 3]) -> f64 {
    let g = g + decay * p;
    *v = 0.99 * *v + 0.01 * g * g;
    *a = 0.99 * *a + 0.01 * g;
    *b = 0.5 * *b + g / ((*v - *a * *a).max(0.0).sqrt() + 1e-2);
    p - lr * *b
}

/// Steps of an optimizer of the library with its groups, and of the formula with the same said of
/// each tensor. `norm` of the second tensor trains from step 4 on, and `fc` rests in steps 6 and 7.
fn compare<O: Optimizer<Net>>(
    mut optimizer: O,
    formula: Formula,
    (lr, decay): (f64, f64),
    set_frozen: impl Fn(&mut O, &str, bool),
) {
    let mut net = start();
    let mut want: Vec<f64> = net.0.iter().map(|p| f64::from(*p)).collect();
    let mut state = [[0.0; 3]; COUNT];
    let mut said = TENSORS.map(|(name, _)| Said {
        lr: if name.starts_with("head") { 3.0 * lr } else { lr },
        decay: match name {
            "body.fc.weight" => decay,
            "head.weight" => 0.25,
            _ => 0.0,
        },
        frozen: name == "body.norm.weight",
    });
    let mut counts = [0; TENSORS.len()];
    for step in 1..=12 {
        if step == 4 {
            set_frozen(&mut optimizer, "body.norm", false);
            said[2].frozen = false;
        }
        if step == 6 || step == 8 {
            set_frozen(&mut optimizer, "body.fc.*", step == 6);
            said[0].frozen = step == 6;
            said[1].frozen = step == 6;
        }
        if step >= 9 {
            // A scheduler multiplies the rates of all groups by the same factor.
            optimizer.set_learning_rate((lr * 0.5) as f32).unwrap();
        }
        let factor = if step >= 9 { 0.5 } else { 1.0 };
        let before = net.clone();
        let grads = grads(step);
        let mut at = 0;
        let places = TENSORS.map(|(_, shape)| {
            let start = at;
            at += shape.iter().product::<usize>();
            start..at
        });
        let trains = |i: &usize| places.iter().zip(&said).any(|(r, s)| r.contains(i) && !s.frozen);
        let squares = (0..COUNT).filter(trains).map(|i| f64::from(grads[i]).powi(2));
        let clip = (0.8 / (squares.sum::<f64>().sqrt() + 1e-6)).min(1.0);
        assert!(clip < 1.0);
        optimizer.step(&mut net, Grads::new(&grads, &[], None));
        for ((place, said), count) in places.iter().zip(&said).zip(&mut counts) {
            *count += i32::from(!said.frozen);
            for i in place.clone() {
                if said.frozen {
                    assert_eq!(net.0[i], before.0[i], "step {step}, [{i}] is frozen");
                    continue;
                }
                let g = clip * f64::from(grads[i]);
                let rate = factor * said.lr;
                want[i] = formula(*count, rate, said.decay, want[i], g, &mut state[i]);
                let error = (f64::from(net.0[i]) - want[i]).abs();
                let found = net.0[i];
                assert!(
                    error <= 1e-5 * (want[i].abs() + f64::from(start().0[i]).abs()).max(0.1),
                    "step {step}, [{i}]: {found} and {}",
                    want[i]
                );
            }
        }
    }
}

macro_rules! compare {
    ($formula:ident, $lr:expr, $optimizer:expr) => {{
        let net = start();
        let optimizer = $optimizer(&net).unwrap().clip_norm(0.8).unwrap();
        let groups = optimizer.no_decay(Kind::NormsAndBiases).unwrap();
        let groups = groups.group("head", |g| g.learning_rate(3.0 * $lr as f32)).unwrap();
        let groups = groups.group("head.weight", |g| g.weight_decay(0.25)).unwrap();
        let groups = groups.freeze("body.norm.weight").unwrap();
        compare(groups, $formula, ($lr, 0.1), |optimizer, name, frozen| {
            optimizer.set_frozen(name, frozen).unwrap();
        });
    }};
}

#[test]
fn each_optimizer_has_groups() {
    compare!(sgd, 0.05, |net| {
        Sgd::new(net, 0.05)?.momentum(0.9)?.dampening(0.3)?.weight_decay(0.1)
    });
    compare!(adam, 1e-2, |net| Adam::new(net, 1e-2)?.weight_decay(0.1));
    compare!(amsgrad, 1e-2, |net| {
        Ok::<_, HyperParamError>(AdamW::new(net, 1e-2)?.weight_decay(0.1)?.amsgrad(true))
    });
    compare!(lion, 1e-2, |net| Lion::new(net, 1e-2)?.weight_decay(0.1));
    compare!(rmsprop, 1e-2, |net| {
        let rmsprop = RMSprop::new(net, 1e-2)?.eps(1e-2)?.weight_decay(0.1)?.momentum(0.5)?;
        Ok::<_, HyperParamError>(rmsprop.centered(true))
    });
}

/// A factor and a rate are the same, and later words count.
#[test]
fn what_is_said_later_counts() {
    let net = start();
    let steps = |mut adam: AdamW<Net>| {
        let mut net = net.clone();
        for step in 0..3 {
            adam.set_learning_rate(1e-2 / (step + 1) as f32).unwrap();
            adam.step(&mut net, Grads::new(&grads(step), &[], None));
        }
        net.0
    };
    let new = || AdamW::new(&net, 1e-2).unwrap();
    let head = steps(new().group("head", |g| g.learning_rate_factor(0.5)).unwrap());
    assert_eq!(steps(new().group("head", |g| g.learning_rate(0.005)).unwrap()), head);
    let twice = new().group("*", |g| g.learning_rate(1.0).weight_decay(2.0)).unwrap();
    let twice = twice.group("*", |g| g.learning_rate_factor(1.0).weight_decay(1e-2)).unwrap();
    assert_eq!(steps(twice.group("head", |g| g.learning_rate(0.005)).unwrap()), head);
    // A rate of 0 changes nothing, without being frozen.
    let still = steps(new().group("*", |g| g.learning_rate(0.0)).unwrap());
    assert_eq!(still, net.0);
    let thawed = new().freeze("*").unwrap();
    let mut thawed = thawed.freeze("head").unwrap();
    thawed.set_frozen("*", false).unwrap();
    assert_eq!(steps(thawed), steps(new()));
    assert_eq!(steps(new().decay_only(|p| p.shape.len() >= 2)), {
        steps(new().no_decay(Kind::NormsAndBiases).unwrap())
    });
}

#[test]
fn frozen_gradients_are_no_part_of_the_norm() {
    let mut gradients = grads(0);
    gradients[0] = f32::NAN;
    gradients[31] = f32::INFINITY;
    let frozen = ["body.fc.weight", "body.norm"];
    let whole = grads(0);
    for threads in [1, 2, 3].map(Threads::new) {
        for level in simd_levels() {
            let host = Some(Host { threads: &threads, level });
            let mut net = start();
            let mut sgd = Sgd::new(&net, 1.0).unwrap().clip_norm(0.5).unwrap();
            sgd.set_frozen(frozen, true).unwrap();
            sgd.step(&mut net, Grads::new(&gradients, &[], host));
            let moved = |i: &usize| (20..25).contains(i) || (32..COUNT).contains(i);
            let norm = (0..COUNT).filter(moved).map(|i| f64::from(whole[i]).powi(2)).sum::<f64>();
            for (i, (new, old)) in net.0.iter().zip(start().0).enumerate() {
                let step = if moved(&i) { whole[i] * (0.5 / norm.sqrt()) as f32 } else { 0.0 };
                assert!((new - (old - step)).abs() < 1e-6, "[{i}]");
            }
            let trained =
                Grads::<Net>::new(&whole, &[], host).select(sgd.trained()).unwrap().norm();
            assert!((f64::from(trained) - norm.sqrt()).abs() < 1e-6);
        }
    }
}

#[test]
fn what_cannot_be_said_is_an_error() {
    let net = start();
    let new = || Adam::new(&net, 1e-3).unwrap();
    let text = |error: Result<Adam<Net>, GroupError>| error.map(drop).unwrap_err().to_string();
    assert!(text(new().freeze("bodi")).contains("the nearest names are `body`"));
    assert!(text(new().no_decay("head.wait")).contains("`head.weight`"));
    assert!(text(new().group(except("x"), |g| g)).starts_with("`x` names no parameter"));
    let wrong = new().group("head", |g| g.learning_rate(-1.0));
    assert_eq!(text(wrong), "Adam: expected lr to be finite and at least 0, found -1");
    let wrong = new().group("head", |g| g.learning_rate_factor(f32::NAN));
    let expected = "Adam: expected learning_rate_factor to be finite and at least 0, found NaN";
    assert_eq!(text(wrong), expected);
    let wrong = new().group("head", |g| g.weight_decay(-0.5));
    assert_eq!(text(wrong), "Adam: expected weight_decay to be finite and at least 0, found -0.5");
    let wrong = Adam::new(&net, 0.0).unwrap().group("head", |g| g.learning_rate(0.1));
    let expected = "Adam: expected lr to be above 0 where a group has a rate of its own, found 0";
    assert_eq!(text(wrong), expected);
    // An error changes nothing.
    let mut adam = new().freeze("head").unwrap();
    assert!(adam.set_frozen(["body", "had"], true).is_err());
    assert_eq!(adam.trained().count(), COUNT - 12);
}

/// More rates than a step can bring to a GPU.
#[test]
fn too_many_groups_are_an_error() {
    struct Many;

    impl Module for Many {
        const PARAMS: usize = 40;

        fn describe(prefix: &str, start: usize, specs: &mut Vec<ParamSpec>) {
            specs.extend((0..40).map(|i| ParamSpec {
                name: format!("{prefix}layer{i}"),
                shape: vec![1],
                start: start + i,
                init: Init::Zeros,
                tied: vec![],
                frozen: false,
            }));
        }
    }

    struct Layers(Vec<f32>);

    impl Model for Layers {
        type Module = Many;

        fn params(&self) -> &[f32] {
            &self.0
        }

        fn params_mut(&mut self) -> &mut [f32] {
            &mut self.0
        }
    }

    let mut net = Layers(vec![0.0; 40]);
    let mut sgd = Sgd::new(&net, 1.0).unwrap();
    for layer in 0..31 {
        let rate = 0.5 + layer as f32;
        sgd = sgd.group(format!("layer{layer}"), |g| g.learning_rate(rate)).unwrap();
    }
    sgd.step(&mut net, Grads::new(&[1.0; 40], &[], None));
    let want = |i: usize| if i < 31 { -0.5 - i as f32 } else { -1.0 };
    assert!(net.0.iter().enumerate().all(|(i, p)| *p == want(i)), "{:?}", net.0);
    let error = sgd.group("layer31", |g| g.learning_rate(99.0)).map(drop).unwrap_err();
    let text = "expected at most 32 groups of parameters with different settings, found more; give some the same";
    assert_eq!(error.to_string(), text);
}
