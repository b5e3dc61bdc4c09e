//! Recurrent cells from their definition, in `f64`, one sample at a time.

use super::{Cell, RecurrentSpec};

/// What a layer is given.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// `[batch, steps, gates · hidden]`
    pub x: &'a [f64],
    /// `[gates · hidden, hidden]`
    pub w: &'a [f64],
    /// `[gates · hidden]`
    pub b: Option<&'a [f64]>,
    /// `[batch, hidden]`
    pub h: Option<&'a [f64]>,
    /// `[batch, hidden]`
    pub c: Option<&'a [f64]>,
    /// `[batch]`
    pub lengths: Option<&'a [u32]>,
}

/// Outputs, their gradients, or gradients of what was given: `[batch, steps, _]`, `[batch, hidden]`
/// and `[batch, hidden]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// Of the steps.
    pub steps: Vec<f64>,
    /// Of a GRU's products with `w`.
    pub products: Vec<f64>,
    /// The states before each step.
    pub before: Vec<f64>,
    /// Of the states.
    pub h: Vec<f64>,
    /// Of an LSTM's cells.
    pub c: Vec<f64>,
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// A step of a sample: where it is, what it read and what it made.
struct Step {
    t: usize,
    p: Vec<f64>,
    gates: Vec<f64>,
    before: [Vec<f64>; 2],
    after: [Vec<f64>; 2],
}

fn row(x: Option<&[f64]>, n: usize, len: usize) -> Vec<f64> {
    x.map_or(vec![0.0; len], |x| x[n * len..][..len].to_vec())
}

/// The steps of sample `n`, in their order.
fn sample(inputs: &Inputs, n: usize, s: RecurrentSpec) -> Vec<Step> {
    let (hidden, width) = (s.hidden, s.width());
    let len = inputs.lengths.map_or(s.steps, |lengths| lengths[n] as usize);
    let [mut h, mut c] = [inputs.h, inputs.c].map(|first| row(first, n, hidden));
    let mut steps = Vec::new();
    for at in 0..len {
        let t = if s.reverse { len - 1 - at } else { at };
        let x = &inputs.x[(n * s.steps + t) * width..][..width];
        let product = |j: usize| -> f64 {
            let w = &inputs.w[j * hidden..][..hidden];
            inputs.b.map_or(0.0, |b| b[j]) + w.iter().zip(&h).map(|(w, h)| w * h).sum::<f64>()
        };
        let p: Vec<f64> = (0..width).map(product).collect();
        let mut gates: Vec<f64> = x.iter().zip(&p).map(|(x, p)| x + p).collect();
        let before = [h.clone(), c.clone()];
        for j in 0..hidden {
            match s.cell {
                Cell::Tanh => gates[j] = gates[j].tanh(),
                Cell::Relu => gates[j] = gates[j].max(0.0),
                Cell::Lstm => {
                    for k in [0, 1, 3] {
                        gates[k * hidden + j] = sigmoid(gates[k * hidden + j]);
                    }
                    gates[2 * hidden + j] = gates[2 * hidden + j].tanh();
                    c[j] = gates[hidden + j] * c[j] + gates[j] * gates[2 * hidden + j];
                }
                Cell::Gru => {
                    for k in [0, 1] {
                        gates[k * hidden + j] = sigmoid(gates[k * hidden + j]);
                    }
                    let at = 2 * hidden + j;
                    gates[at] = (x[at] + gates[j] * p[at]).tanh();
                }
            }
            h[j] = match s.cell {
                Cell::Tanh | Cell::Relu => gates[j],
                Cell::Lstm => gates[3 * hidden + j] * c[j].tanh(),
                Cell::Gru => {
                    let z = gates[hidden + j];
                    (1.0 - z) * gates[2 * hidden + j] + z * h[j]
                }
            };
        }
        steps.push(Step { t, p, gates, before, after: [h.clone(), c.clone()] });
    }
    steps
}

/// The states of all steps, zeros behind a sample's length, and the last ones.
pub fn recurrent(inputs: Inputs, s: RecurrentSpec) -> Values {
    let hidden = s.hidden;
    let mut outputs = Values { steps: vec![0.0; s.batch * s.steps * hidden], ..Values::default() };
    outputs.before = outputs.steps.clone();
    for n in 0..s.batch {
        let steps = sample(&inputs, n, s);
        for step in &steps {
            let at = (n * s.steps + step.t) * hidden;
            outputs.steps[at..][..hidden].copy_from_slice(&step.after[0]);
            outputs.before[at..][..hidden].copy_from_slice(&step.before[0]);
        }
        let first = || [inputs.h, inputs.c].map(|first| row(first, n, hidden));
        let [h, c] = steps.last().map_or_else(first, |last| last.after.clone());
        outputs.h.extend(h);
        outputs.c.extend(c);
    }
    outputs
}

/// The gradients of `x`, of the products with `w`, and of the first states, of the weighted sum of
/// what [`recurrent`] makes by `weights`.
pub fn recurrent_grad(weights: &Values, inputs: Inputs, s: RecurrentSpec) -> Values {
    let (hidden, width) = (s.hidden, s.width());
    let mut d = Values { steps: vec![0.0; s.batch * s.steps * width], ..Values::default() };
    d.products = d.steps.clone();
    for n in 0..s.batch {
        let mut d_h = row(Some(&weights.h), n, hidden);
        let mut d_c = row(Some(&weights.c), n, hidden);
        for step in sample(&inputs, n, s).iter().rev() {
            let place = n * s.steps + step.t;
            let (mut d_x, mut d_p) = (vec![0.0; width], vec![0.0; width]);
            let mut carried = vec![0.0; hidden];
            let gate = |k: usize, j: usize| step.gates[k * hidden + j];
            for j in 0..hidden {
                let d_h = d_h[j] + weights.steps[place * hidden + j];
                match s.cell {
                    Cell::Tanh => d_x[j] = d_h * (1.0 - gate(0, j) * gate(0, j)),
                    Cell::Relu => d_x[j] = if gate(0, j) <= 0.0 { 0.0 } else { d_h },
                    Cell::Lstm => {
                        let [i, f, g, o] = [0, 1, 2, 3].map(|k| gate(k, j));
                        let (before, tanh) = (step.before[1][j], step.after[1][j].tanh());
                        let all = d_c[j] + d_h * o * (1.0 - tanh * tanh);
                        d_x[j] = all * g * i * (1.0 - i);
                        d_x[hidden + j] = all * before * f * (1.0 - f);
                        d_x[2 * hidden + j] = all * i * (1.0 - g * g);
                        d_x[3 * hidden + j] = d_h * tanh * o * (1.0 - o);
                        d_c[j] = all * f;
                    }
                    Cell::Gru => {
                        let [r, z, n] = [0, 1, 2].map(|k| gate(k, j));
                        let d_n = d_h * (1.0 - z) * (1.0 - n * n);
                        d_x[j] = d_n * step.p[2 * hidden + j] * r * (1.0 - r);
                        d_x[hidden + j] = d_h * (step.before[0][j] - n) * z * (1.0 - z);
                        d_x[2 * hidden + j] = d_n;
                        carried[j] = d_h * z;
                    }
                }
            }
            d_p.copy_from_slice(&d_x);
            if s.cell == Cell::Gru {
                (0..hidden).for_each(|j| d_p[2 * hidden + j] *= gate(0, j));
            }
            for (j, d_p) in d_p.iter().enumerate() {
                let w = &inputs.w[j * hidden..][..hidden];
                carried.iter_mut().zip(w).for_each(|(sum, w)| *sum += d_p * w);
            }
            d_h = carried;
            d.steps[place * width..][..width].copy_from_slice(&d_x);
            d.products[place * width..][..width].copy_from_slice(&d_p);
        }
        d.h.extend(d_h);
        d.c.extend(d_c);
    }
    d
}
