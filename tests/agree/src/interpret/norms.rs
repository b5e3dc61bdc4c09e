//! Normalisations and softmax.

use gradiron::ops::batch_norm::{BatchNormSpec, reference as batches};
use gradiron::ops::layer_norm::{LayerNormSpec, reference as rows};
use gradiron::ops::softmax::{SoftmaxSpec, reference as distributions};
use gradiron_compiler::ops::batch_norm::{BatchNorm, Options, Statistics, Sums};
use gradiron_compiler::ops::grad::Grad;
use gradiron_compiler::ops::layer_norm::{self, LayerNorm};
use gradiron_compiler::ops::softmax::Softmax;

use super::{Cx, Known, Reference, known, magnified};
use crate::array::Array;

pub const OPS: &[Known] = &[
    known::<BatchNorm>,
    known::<Statistics>,
    known::<Sums>,
    known::<LayerNorm>,
    known::<Grad<LayerNorm>>,
    known::<Softmax>,
    known::<Grad<Softmax>>,
];

fn channels_of(x: &Array, eps: f64) -> BatchNormSpec {
    let inner = x.dims[2..].iter().product();
    BatchNormSpec { batch: x.dims[0], channels: x.dims[1], inner, eps: eps as f32 }
}

/// The mean, nothing for what an `f32` leaves of it, and `1 / √(σ² + ε)` of each channel; then the
/// new state.
fn statistics(options: &Options, x: &Array, state: &[Array]) -> Vec<Array> {
    let spec = channels_of(x, options.eps);
    let [mut mean, mut invstd] = [0, 1].map(|_| Array::zeros([spec.channels]));
    let mut unbiased = mean.clone();
    batches::channels(spec, |c, places| {
        let (m, var) = batches::moments(&x.data, places);
        mean.data[c] = m;
        invstd.data[c] = 1.0 / (var + f64::from(spec.eps)).sqrt();
        let n = places.len() as f64;
        unbiased.data[c] = if n > 1.0 { var * n / (n - 1.0) } else { var };
    });
    let mut new = state.to_vec();
    if let [running_mean, running_var, count] = &mut new[..] {
        count.data[0] += 1.0;
        let momentum = options.momentum.map(|m| f64::from(m as f32));
        let weight = momentum.unwrap_or(1.0 / count.data[0]);
        for (running, new) in [(running_mean, &mean), (running_var, &unbiased)] {
            let pairs = running.data.iter_mut().zip(&new.data);
            pairs.for_each(|(old, new)| *old = (1.0 - weight) * *old + weight * new);
        }
    }
    let rest = Array::zeros([spec.channels]);
    [vec![mean, rest, invstd], new].concat()
}

impl Reference for BatchNorm {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let x = &inputs[0];
        let spec = channels_of(x, self.0.eps);
        let ones = Array::new([spec.channels], vec![1.0; spec.channels]);
        let (weight, bias) = match self.0.affine {
            true => (inputs[1].clone(), inputs[2].clone()),
            false => (ones, Array::zeros([spec.channels])),
        };
        let state = &inputs[if self.0.affine { 3 } else { 1 }..];
        let mut made = statistics(&self.0, x, state);
        if cx.mode.inference && self.0.track {
            let invstd = |var: &f64| 1.0 / (var + f64::from(self.0.eps as f32)).sqrt();
            made[0].data.clone_from(&state[0].data);
            made[2].data = state[1].data.iter().map(invstd).collect();
            made[3..].clone_from_slice(state);
        }
        let mut y = x.clone();
        batches::channels(spec, |c, places| {
            for &at in places {
                let normal = (x.data[at] - made[0].data[c]) * made[2].data[c];
                y.data[at] = normal * weight.data[c] + bias.data[c];
            }
        });
        [vec![y], made].concat()
    }
}

impl Reference for Statistics {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        statistics(&self.0, &inputs[0], &inputs[1..])
    }
}

impl Reference for Sums {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        let [d_y, x, mean, rest, invstd] = [0, 1, 2, 3, 4].map(|i| &inputs[i]);
        let spec = channels_of(x, 0.0);
        let mean: Vec<f64> = mean.data.iter().zip(&rest.data).map(|(m, rest)| m + rest).collect();
        let [mut d_w, mut d_b] = [0, 1].map(|_| Array::zeros([spec.channels]));
        let sums = [&mut d_w.data[..], &mut d_b.data[..]];
        batches::sums(sums, &d_y.data, &x.data, [&mean, &invstd.data], spec);
        vec![d_w, d_b]
    }
}

fn rows_of(options: &layer_norm::Options, x: &Array) -> LayerNormSpec {
    let dim: usize = x.dims[x.dims.len() - options.axes..].iter().product();
    let (rows, eps) = (x.data.len() / dim, options.eps as f32);
    LayerNormSpec { rows, dim, eps, centred: options.centred }
}

impl Reference for LayerNorm {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (x, given) = (&inputs[0], &inputs[1..]);
        let empty = Vec::new();
        let weight = if self.0.weight { &given[0].data } else { &empty };
        let bias = if self.0.bias { &given[usize::from(self.0.weight)].data } else { &empty };
        let (mut y, spec) = (x.clone(), rows_of(&self.0, x));
        rows::layer_norm(&mut y.data, &x.data, weight, bias, spec);
        // Of a row of equal numbers, what is divided by the root of `eps` is their rounding.
        let is_flat = |row: &[f64]| {
            let (n, mean) = (row.len() as f64, row.iter().sum::<f64>() / row.len() as f64);
            let var = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            spec.centred && mean.abs() > 1e4 * (var + f64::from(spec.eps)).sqrt()
        };
        if x.data.chunks(spec.dim).any(is_flat) {
            magnified();
        }
        vec![y, Array::default()]
    }
}

impl Reference for Grad<LayerNorm> {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (d_y, x, weight) = (&inputs[0], &inputs[1], inputs.get(3));
        let spec = rows_of(&self.op.0, x);
        let row = x.dims[x.dims.len() - self.op.0.axes..].to_vec();
        let mut d_x = x.clone();
        let [mut d_w, mut d_b] = [0, 1].map(|_| Array::zeros(row.clone()));
        let d = [&mut d_x.data[..], &mut d_w.data[..], &mut d_b.data[..]];
        let weight = weight.map_or(&[][..], |weight| &weight.data);
        rows::layer_norm_grad(d, &d_y.data, &x.data, weight, spec);
        let weight = self.op.0.weight.then_some(d_w);
        let bias = self.op.0.bias.then_some(d_b);
        [d_x].into_iter().chain(weight).chain(bias).collect()
    }
}

fn along(of: &Softmax, x: &Array) -> SoftmaxSpec {
    let (outer, size, inner) = x.around(of.axis);
    SoftmaxSpec { outer, size, inner }
}

impl Reference for Softmax {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (x, spec) = (&inputs[0], along(self, &inputs[0]));
        let mut y = Array::zeros(x.dims.clone());
        match self.log {
            false => distributions::softmax(&mut y.data, &x.data, spec),
            true => distributions::log_softmax(&mut y.data, &x.data, spec),
        }
        vec![y]
    }
}

impl Reference for Grad<Softmax> {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (d_y, y, spec) = (&inputs[0], &inputs[1], along(&self.op, &inputs[1]));
        let mut d_x = Array::zeros(y.dims.clone());
        match self.op.log {
            false => distributions::softmax_grad(&mut d_x.data, &d_y.data, &y.data, spec),
            true => distributions::log_softmax_grad(&mut d_x.data, &d_y.data, &y.data, spec),
        }
        vec![d_x]
    }
}
