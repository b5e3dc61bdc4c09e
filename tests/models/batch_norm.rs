//! Batch normalisation in models: values, gradients and the state, wherever the layer stands.

use gradiron::ops::batch_norm::{BatchNormSpec, reference};
use gradiron::prelude::*;
use gradiron::view::{batch, flat};

type Outcome = Result<(), Box<dyn std::error::Error>>;
type Image = [[[f32; 5]; 4]; 3];

const BATCH: usize = 6;
const SPEC: BatchNormSpec = BatchNormSpec { batch: BATCH, channels: 3, inner: 20, eps: 1e-5 };
const COUNT: f64 = 120.0;

model! {
    struct Normed {
        bn: BatchNorm2d(3),
        scale: Param([1], init = ones),
    }

    fn forward(&self, x: [batch, 3, 4, 5]) -> [batch, 3, 4, 5] {
        self.bn(x)
    }

    fn activated(&self, x: [batch, 3, 4, 5]) -> [batch, 3, 4, 5] {
        (self.bn(x) + x).relu()
    }

    fn twice(&self, x: [batch, 3, 4, 5]) -> [batch, 3, 4, 5] {
        self.bn(self.bn(x) * 2.0)
    }

    fn without(&self, x: [batch, 3, 4, 5]) -> [batch, 3, 4, 5] {
        x * self.scale
    }
}

/// Numbers within ±2, of channels with different means.
fn images(seed: f32) -> Vec<f32> {
    let value = |i: usize| (i as f32 * 0.731 + seed).sin() + (i / 20 % 3) as f32 * 0.5;
    (0..SPEC.elements()).map(value).collect()
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|x| f64::from(*x)).collect()
}

/// Values and terms are at most 8, their sums of some 40 in `f32`; operations in a row are fewer
/// than 64.
#[track_caller]
fn assert_close(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (i, (x, y)) in found.iter().zip(expected).enumerate() {
        let bound = 64.0 * 8.0 / f64::from(1 << 24);
        assert!((f64::from(*x) - y).abs() <= bound, "element {i} is {x}, not {y} ± {bound:e}");
    }
}

/// A net with parameters and running statistics unlike the first ones.
fn trained() -> Normed {
    let mut net = Normed::init(Seed(0));
    net.params_mut().copy_from_slice(&[0.5, -1.5, 1.0, 0.25, 0.75, -0.5, 1.0]);
    net.state_mut().copy_from_slice(&[0.1, 0.2, -0.3, 0.5, 1.5, 1.0, 7.0]);
    net
}

/// The mean and the variance of each channel.
fn moments(x: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (mut means, mut vars) = (Vec::new(), Vec::new());
    reference::channels(SPEC, |_, places| {
        let (mean, var) = reference::moments(x, places);
        means.push(mean);
        vars.push(var);
    });
    (means, vars)
}

/// The running statistics after one more batch.
fn moved(state: &[f64], x: &[f64]) -> Vec<f64> {
    let (means, vars) = moments(x);
    let new = means.into_iter().chain(vars.into_iter().map(|var| var * COUNT / (COUNT - 1.0)));
    let moved = state.iter().zip(new).map(|(old, new)| 0.9 * old + 0.1 * new);
    moved.chain([state[6] + 1.0]).collect()
}

fn normed(x: &[f64], net: &Normed) -> Vec<f64> {
    let params = wide(net.params());
    let mut y = vec![0.0; x.len()];
    reference::batch_norm(&mut y, x, &params[..3], &params[3..6], SPEC);
    y
}

#[test]
fn a_training_pass_uses_the_batch() -> Outcome {
    let (net, x, d_y) = (trained(), images(0.0), images(1.0));
    let mut ws = Normed::workspace(BATCH)?;
    ws.poison();
    let (x64, d_y64) = (wide(&x), wide(&d_y));
    let (y, d_x) = net.forward_grad_inputs(&mut ws, batch(&x), batch(&d_y))?;
    assert_close(flat(y), &normed(&x64, &net));
    let mut expected = vec![0.0; x.len()];
    reference::input_grad(&mut expected, &d_y64, &x64, &wide(net.bn().weight()), SPEC);
    assert_close(flat(d_x), &expected);
    let (means, vars) = moments(&x64);
    let invstds: Vec<f64> = vars.iter().map(|var| 1.0 / (var + 1e-5).sqrt()).collect();
    let (mut d_w, mut d_b) = (vec![0.0; 3], vec![0.0; 3]);
    reference::sums([&mut d_w, &mut d_b], &d_y64, &x64, [&means, &invstds], SPEC);
    assert_close(ws.grads().as_slice(), &[&d_w[..], &d_b[..], &[0.0]].concat());
    assert_close(ws.grads().state(), &moved(&wide(net.state()), &x64));
    Ok(())
}

#[test]
fn inference_uses_the_running_statistics() -> Outcome {
    let (net, x) = (trained(), images(0.0));
    let mut ws = Normed::workspace(BATCH)?;
    let (params, state) = (wide(net.params()), wide(net.state()));
    let expected: Vec<f64> = (0..x.len())
        .map(|i| {
            let c = i / 20 % 3;
            let normal = (f64::from(x[i]) - state[c]) / (state[3 + c] + 1e-5).sqrt();
            normal * params[c] + params[3 + c]
        })
        .collect();
    assert_close(flat(net.forward(&mut ws, batch(&x))?), &expected);
    // The same, whatever else is in the batch.
    assert_close(flat(net.forward(&mut ws, &batch::<Image>(&x)[..1])?), &expected[..60]);
    assert!(ws.grads().state().is_empty(), "inference makes no state");
    Ok(())
}

#[test]
fn neighbours_fuse_and_change_nothing() -> Outcome {
    let (net, x, d_y) = (trained(), images(0.0), images(1.0));
    let mut ws = Normed::workspace(BATCH)?;
    let x64 = wide(&x);
    let before: Vec<f64> = normed(&x64, &net).iter().zip(&x64).map(|(y, x)| y + x).collect();
    let (y, d_x) = net.activated_grad_inputs(&mut ws, batch(&x), batch(&d_y))?;
    assert_close(flat(y), &before.iter().map(|x| x.max(0.0)).collect::<Vec<_>>());
    let through = before.iter().zip(wide(&d_y));
    let d: Vec<f64> = through.map(|(x, d)| if *x > 0.0 { d } else { 0.0 }).collect();
    let mut expected = vec![0.0; x.len()];
    reference::input_grad(&mut expected, &d, &x64, &wide(net.bn().weight()), SPEC);
    expected.iter_mut().zip(d).for_each(|(expected, d)| *expected += d);
    assert_close(flat(d_x), &expected);
    Ok(())
}

#[test]
fn a_layer_used_twice_counts_twice() -> Outcome {
    let (mut net, x, d_y) = (trained(), images(0.0), images(1.0));
    let mut ws = Normed::workspace(BATCH)?;
    ws.poison();
    let state = wide(net.state());
    let first = normed(&wide(&x), &net);
    let between: Vec<f64> = first.iter().map(|y| 2.0 * y).collect();
    let y = net.twice_grad(&mut ws, batch(&x), batch(&d_y))?;
    assert_close(flat(y), &normed(&between, &net));
    net.update_state(ws.grads());
    assert_close(net.state(), &moved(&moved(&state, &wide(&x)), &between));
    assert_eq!(net.bn().num_batches_tracked(), 9.0);
    Ok(())
}

#[test]
fn a_step_takes_the_new_state_over() -> Outcome {
    let (mut net, x, d_y) = (trained(), images(0.0), images(1.0));
    let mut ws = Normed::workspace(BATCH)?;
    let mut sgd = Sgd::new(&net, 0.1)?.weight_decay(0.5)?;
    let old = net.clone();
    // No pass has made gradients or state.
    net.update_state(ws.grads());
    assert_eq!(net.state(), old.state());
    // The calls leave the net as it is.
    net.forward_grad(&mut ws, batch(&x), batch(&d_y))?;
    assert_eq!((net.params(), net.state()), (old.params(), old.state()));
    let expected = moved(&wide(net.state()), &wide(&x));
    sgd.step(&mut net, ws.grads());
    assert_close(net.state(), &expected);
    assert_close(net.bn().running_var(), &expected[3..6]);
    assert!(net.params().iter().zip(old.params()).all(|(new, old)| new != old || *old == 1.0));
    // A function without the layer leaves the state as it is.
    let state = net.state().to_vec();
    ws.poison();
    net.without_grad(&mut ws, batch(&x), batch(&d_y))?;
    sgd.step(&mut net, ws.grads());
    assert_eq!(net.state(), state);
    Ok(())
}

#[test]
fn one_element_a_channel_has_no_variance() -> Outcome {
    model! {
        struct Rows {
            bn: BatchNorm1d(4),
        }

        fn forward(&self, x: [batch, 4]) -> [batch, 4] {
            self.bn(x)
        }
    }
    let mut net = Rows::init(Seed(0));
    let mut ws = Rows::workspace(2)?;
    let y = net.forward_grad(&mut ws, &[[1.0, 2.0, 3.0, 4.0]], &[[1.0; 4]])?;
    assert!(y[0].iter().all(|y| y.abs() < 1e-3));
    net.update_state(ws.grads());
    assert_eq!(net.bn().running_var(), &[1.0; 4]);
    assert_eq!(net.bn().running_mean(), &[0.1, 0.2, 0.3, 0.4]);
    Ok(())
}

#[test]
fn options() -> Outcome {
    model! {
        struct Options {
            plain: BatchNorm1d(4, affine = false, momentum = none),
            fresh: BatchNorm1d(4, eps = 0.5, track_running_stats = false),
            inferred: BatchNorm1d(momentum = 0.5),
        }

        fn forward(&self, x: [batch, 4]) -> [batch, 4] {
            self.inferred(self.fresh(self.plain(x)))
        }
    }
    assert_eq!(Options::PARAMS, 16);
    let specs = Options::state_specs();
    let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    let tensors = ["running_mean", "running_var", "num_batches_tracked"];
    let expected = ["plain", "inferred"].map(|layer| tensors.map(|name| format!("{layer}.{name}")));
    assert_eq!(names, expected.as_flattened());

    let mut net = Options::init(Seed(0));
    let mut ws = Options::workspace(2)?;
    for x in [[1.0, 3.0], [5.0, 7.0]] {
        net.forward_grad(&mut ws, &x.map(|x| [x; 4]), &[[0.0; 4]; 2])?;
        net.update_state(ws.grads());
    }
    // The mean of the two means, 2 and 6, and of the two variances, 2 and 2.
    assert_eq!(net.plain().running_mean(), &[4.0; 4]);
    assert_eq!(net.plain().running_var(), &[2.0; 4]);
    assert_eq!(net.plain().num_batches_tracked(), 2.0);
    // Normalised with the running statistics, then by the batch: ±1/√2, then their mean and
    // variance, with eps 0.5.
    let y = net.forward(&mut ws, &[[3.0; 4], [5.0; 4]])?;
    let fresh = 0.5_f32.sqrt() / (0.5_f32 + 0.5).sqrt();
    let var = net.inferred().running_var()[0];
    assert!((y[1][0] - fresh / (var + 1e-5).sqrt()).abs() < 1e-5, "{y:?}");
    Ok(())
}

model! {
    #[allow(bias_before_batch_norm)]
    struct Block<const C: usize> {
        fc: Linear(C -> C),
        bn: BatchNorm1d(C),
    }

    fn forward(&self, x: [batch, C]) -> [batch, C] {
        x + self.bn(self.fc(x)).relu()
    }
}

#[derive(Module)]
#[module(input = [batch, 4], output = [batch, 4])]
struct Tail(Linear<4, 4>, BatchNorm1d<4>);

model! {
    struct Outer {
        first: Block<4>,
        rows: [Block<4>; 3],
        tail: Tail,
        bn: BatchNorm1d(4),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 4] {
        let x: [batch, 4] = self.first(x);
        let x: [batch, 4] = self.rows(self.first(x));
        self.bn(self.tail(x))
    }
}

model! {
    /// The same with every block a field.
    #[allow(bias_before_batch_norm)]
    struct Flat {
        first: Block<4>,
        row0: Block<4>,
        row1: Block<4>,
        row2: Block<4>,
        fc: Linear(4 -> 4),
        bn0: BatchNorm1d(4),
        bn: BatchNorm1d(4),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 4] {
        let x: [batch, 4] = self.row0(self.first(self.first(x)));
        let x: [batch, 4] = self.row2(self.row1(x));
        self.bn(self.bn0(self.fc(x)))
    }
}

#[test]
fn models_in_models_carry_state() -> Outcome {
    let names: Vec<String> = Outer::state_specs().into_iter().map(|spec| spec.name).collect();
    assert_eq!(names.len(), 18);
    assert_eq!(names[0], "first.bn.running_mean");
    assert_eq!(names[7], "rows.1.bn.running_var");
    assert_eq!(names[14], "tail.1.num_batches_tracked");
    let (mut outer, mut flat) = (Outer::init(Seed(3)), Flat::init(Seed(3)));
    assert_eq!(outer.params(), flat.params());
    let (mut ws, mut flat_ws) = (Outer::workspace(8)?, Flat::workspace(8)?);
    let mut adam = Adam::new(&outer, 1e-2)?;
    let mut flat_adam = Adam::new(&flat, 1e-2)?;
    let x: Vec<f32> = (0..32).map(|i| (i as f32 * 0.77).sin()).collect();
    for _ in 0..3 {
        ws.poison();
        flat_ws.poison();
        let (y, d_x) = outer.forward_grad_inputs(&mut ws, batch(&x), batch(&x))?;
        let (flat_y, flat_d_x) = flat.forward_grad_inputs(&mut flat_ws, batch(&x), batch(&x))?;
        assert_eq!((y, d_x), (flat_y, flat_d_x));
        adam.step(&mut outer, ws.grads());
        flat_adam.step(&mut flat, flat_ws.grads());
        assert_eq!((outer.params(), outer.state()), (flat.params(), flat.state()));
        let y = outer.forward(&mut ws, batch(&x))?;
        assert_eq!(y, flat.forward(&mut flat_ws, batch(&x))?);
    }
    let batches = outer.state_mut()[8];
    assert_eq!(batches, 6.0, "`first` runs twice in a pass");
    Ok(())
}

#[test]
fn derived_nets_have_state() -> Outcome {
    let mut net = Tail::init(Seed(1));
    let mut ws = Tail::workspace(2)?;
    assert_eq!((net.params().len(), net.state()), (28, &[0., 0., 0., 0., 1., 1., 1., 1., 0.][..]));
    net.forward_grad(&mut ws, &[[1.0; 4], [0.0; 4]], &[[1.0; 4]; 2])?;
    net.update_state(ws.grads());
    assert_eq!(net.state()[8], 1.0);
    assert_eq!(Tail::footprint(2, Target::Host).train, ws.bytes());
    assert_eq!(Outer::footprint(5, Target::Host).train, Outer::workspace(5)?.bytes());
    Ok(())
}

#[test]
fn batches_are_counted_beyond_whole_floats() -> Outcome {
    model! {
        struct Even {
            bn: BatchNorm1d(1, momentum = none),
        }

        fn forward(&self, x: [batch, 1]) -> [batch, 1] {
            self.bn(x)
        }
    }
    let mut net = Even::init(Seed(0));
    let mut ws = Even::workspace(2)?;
    net.state_mut().copy_from_slice(&[0.0, 1.0, 16_777_215.0]);
    for count in [16_777_216.0, 16_777_217.0, 16_777_218.0, 16_777_219.0] {
        net.state_mut()[0] = 0.0;
        // A mean of 2²⁶: its share shows the weight.
        net.forward_grad(&mut ws, &[[67_108_864.0]; 2], &[[0.0]; 2])?;
        net.update_state(ws.grads());
        assert_eq!(net.bn().num_batches_tracked(), count);
        assert_eq!(net.bn().running_mean(), &[(67_108_864.0 / count) as f32]);
    }
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("batches.safetensors");
    net.save(&path)?;
    let mut other = Even::init(Seed(1));
    other.load(&path)?;
    assert_eq!(other.bn().num_batches_tracked(), 16_777_219.0);
    assert_eq!(other.state(), net.state());
    Ok(())
}
