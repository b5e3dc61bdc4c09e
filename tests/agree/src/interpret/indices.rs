//! Operations with class indices, those that make places, and what has no gradient.

use std::cell::RefCell;

use gradiron::ops::cross_entropy::{CrossEntropySpec, reference as entropy};
use gradiron::ops::embedding::{EmbeddingSpec, reference as table};
use gradiron::ops::gather::{GatherSpec, reference as choice};
use gradiron::ops::nll_loss::{NllLossSpec, reference as nll};
use gradiron::ops::softmax::SoftmaxSpec;
use gradiron_compiler::ops::argmax::Argmax;
use gradiron_compiler::ops::detach::Detach;
use gradiron_compiler::ops::embedding::Embedding;
use gradiron_compiler::ops::gather::Gather;
use gradiron_compiler::ops::grad::Grad;
use gradiron_compiler::ops::loss::{CrossEntropy, NllLoss};

use super::{Cx, Known, Reference, known};
use crate::array::Array;

pub const OPS: &[Known] = &[
    known::<Argmax>,
    known::<Detach>,
    known::<Embedding>,
    known::<Grad<Embedding>>,
    known::<Gather>,
    known::<Grad<Gather>>,
    known::<CrossEntropy>,
    known::<NllLoss>,
];

impl Reference for Argmax {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        let x = &inputs[0];
        let (outer, size, inner) = x.around(self.axis);
        let mut dims = x.dims.clone();
        dims.remove(self.axis);
        let mut y = Array::zeros(dims);
        gradiron::ops::argmax::reference::argmax(
            &mut y.data,
            &x.data,
            SoftmaxSpec { outer, size, inner },
        );
        vec![y]
    }
}

/// Rows of padding and what is detached have values, but no gradients: a run for a difference
/// quotient takes those of the run before it, in their order.
#[derive(Default)]
struct Constants {
    values: Vec<Vec<f64>>,
    /// The next one, in a run that repeats.
    at: Option<usize>,
}

thread_local! {
    static CONSTANTS: RefCell<Constants> = RefCell::default();
}

/// Keeps the constants of the next run, which is at the point itself.
pub fn keep_constants() {
    CONSTANTS.with_borrow_mut(|constants| *constants = Constants::default());
}

/// The next run is beside the point.
pub fn repeat_constants() {
    CONSTANTS.with_borrow_mut(|constants| constants.at = Some(0));
}

/// What stands for values that are constants to gradients.
fn constant(values: &[f64]) -> Vec<f64> {
    CONSTANTS.with_borrow_mut(|constants| match &mut constants.at {
        Some(at) => {
            *at += 1;
            constants.values[*at - 1].clone()
        }
        None => {
            constants.values.push(values.to_vec());
            values.to_vec()
        }
    })
}

impl Reference for Detach {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        vec![Array { data: constant(&inputs[0].data), ..inputs[0].clone() }]
    }
}

impl Reference for Embedding {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (index, mut w) = (&inputs[0], inputs[1].clone());
        let padding = self.padding.as_ref().map(|row| cx.scope.size(row));
        let (rows, dim) = (w.dims[0], w.dims[1]);
        if let Some(row) = padding {
            let row = &mut w.data[row * dim..][..dim];
            let kept = constant(row);
            row.copy_from_slice(&kept);
        }
        let spec = EmbeddingSpec { count: index.data.len(), rows, dim, padding };
        let mut y = Array::zeros([&index.dims[..], &[dim]].concat());
        table::embedding(&mut y.data, &index.indices(), &w.data, spec);
        vec![y]
    }
}

impl Reference for Grad<Embedding> {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (d_y, index) = (&inputs[0], &inputs[1]);
        let padding = self.op.padding.as_ref().map(|row| cx.scope.size(row));
        let w = cx.scope.sizes_of(self.outputs[0].dims());
        let (rows, dim) = (w[0], w[1]);
        let spec = EmbeddingSpec { count: index.data.len(), rows, dim, padding };
        let mut d_w = Array::zeros([rows, dim]);
        table::embedding_grad(&mut d_w.data, &d_y.data, &index.indices(), spec);
        vec![d_w]
    }
}

fn choice_spec(of: &Gather, x: &Array, y: &Array) -> GatherSpec {
    let (outer, size, inner) = x.around(of.axis);
    GatherSpec { outer, size, count: y.dims[of.axis], inner }
}

impl Reference for Gather {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (x, index) = (&inputs[0], &inputs[1]);
        let mut y = Array::zeros(index.dims.clone());
        choice::gather(&mut y.data, &x.data, &index.indices(), choice_spec(self, x, index));
        vec![y]
    }
}

impl Reference for Grad<Gather> {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (d_y, index) = (&inputs[0], &inputs[1]);
        let mut d_x = Array::zeros(cx.scope.sizes_of(self.outputs[0].dims()));
        let spec = choice_spec(&self.op, &d_x, d_y);
        choice::gather_grad(&mut d_x.data, &d_y.data, &index.indices(), spec);
        vec![d_x]
    }
}

/// `[N, C, ..]` as `(N, C, product of ..)`.
fn split(dims: &[usize]) -> (usize, usize, usize) {
    (dims[0], dims[1], dims[2..].iter().product())
}

impl Reference for CrossEntropy {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        if self.grad {
            let (d_loss, of_one) = (inputs[0].data[0], &inputs[1]);
            let scaled = of_one.data.iter().map(|d| d * d_loss).collect();
            return vec![Array::new(of_one.dims.clone(), scaled)];
        }
        let (logits, label) = (&inputs[0], inputs[1].indices());
        let (outer, classes, inner) = split(&logits.dims);
        let spec = CrossEntropySpec { outer, classes, inner, smoothing: self.smoothing as f32 };
        let loss = entropy::cross_entropy(&logits.data, &label, spec);
        let mut of_one = Array::zeros(logits.dims.clone());
        entropy::cross_entropy_grad(&mut of_one.data, 1.0, &logits.data, &label, spec);
        vec![Array::new([], vec![loss]), of_one]
    }
}

impl Reference for NllLoss {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (outer, classes, inner) = split(&inputs[usize::from(self.grad)].dims);
        let spec = NllLossSpec { outer, classes, inner };
        if self.grad {
            let mut d_x = Array::zeros(inputs[1].dims.clone());
            nll::nll_loss_grad(&mut d_x.data, inputs[0].data[0], &inputs[2].indices(), spec);
            return vec![d_x];
        }
        vec![Array::new([], vec![nll::nll_loss(&inputs[0].data, &inputs[1].indices(), spec)])]
    }
}
