//! Shapes, parts, reductions and positions.

use gradiron::ops::rotary::{RotarySpec, reference as turning};
use gradiron_compiler::ops::cat::{Cat, CatGrad};
use gradiron_compiler::ops::cross::Cross;
use gradiron_compiler::ops::cumsum::Cumsum;
use gradiron_compiler::ops::cut::Cut;
use gradiron_compiler::ops::grad::Grad;
use gradiron_compiler::ops::narrow::Narrow;
use gradiron_compiler::ops::probe::Probe;
use gradiron_compiler::ops::reduce::{Kind, Reduce};
use gradiron_compiler::ops::rotary::{Rotary, Sinusoidal};
use gradiron_compiler::ops::shaping::{Permute, Reshape};

use super::{Cx, Known, Reference, known};
use crate::array::{Array, strides_of};

pub const OPS: &[Known] = &[
    known::<Reshape>,
    known::<Permute>,
    known::<Cat>,
    known::<CatGrad>,
    known::<Cut>,
    known::<Narrow>,
    known::<Grad<Narrow>>,
    known::<Reduce>,
    known::<Cross>,
    known::<Cumsum>,
    known::<Probe>,
    known::<Rotary>,
    known::<Sinusoidal>,
];

impl Reference for Reshape {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        vec![inputs[0].reshaped(cx.scope.sizes_of(&self.0.0))]
    }
}

impl Reference for Permute {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        let x = &inputs[0];
        let dims: Vec<usize> = self.0.iter().map(|axis| x.dims[*axis]).collect();
        let (to, from) = (strides_of(&dims), strides_of(&x.dims));
        let place = |at: usize| -> usize {
            let axes = self.0.iter().enumerate();
            axes.map(|(i, axis)| at / to[i] % dims[i] * from[*axis]).sum()
        };
        let data = (0..x.data.len()).map(|at| x.data[place(at)]).collect();
        vec![Array::new(dims, data)]
    }
}

/// The elements `start..start + len` of an axis.
fn part(x: &Array, axis: usize, start: usize, len: usize) -> Array {
    let (outer, size, inner) = x.around(axis);
    let mut dims = x.dims.clone();
    dims[axis] = len;
    let rows = (0..outer).flat_map(|o| &x.data[(o * size + start) * inner..][..len * inner]);
    Array::new(dims, rows.copied().collect())
}

impl Reference for Cat {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        let mut dims = inputs[0].dims.clone();
        dims[self.axis] = inputs.iter().map(|input| input.dims[self.axis]).sum();
        let outer = inputs[0].around(self.axis).0;
        let rows = (0..outer).flat_map(|o| {
            inputs.iter().flat_map(move |input| {
                let row = input.data.len() / outer;
                &input.data[o * row..][..row]
            })
        });
        vec![Array::new(dims, rows.copied().collect())]
    }
}

impl Reference for CatGrad {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (start, len) = (cx.scope.size(&self.start), cx.scope.size(&self.x[self.axis]));
        vec![part(&inputs[0], self.axis, start, len)]
    }
}

/// Zeros behind the end of each sequence.
impl Reference for Cut {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (mut y, lengths) = (inputs[0].clone(), inputs[1].indices());
        let (steps, row) = (y.dims[1], y.dims[2..].iter().product::<usize>());
        for (n, length) in lengths.into_iter().enumerate() {
            y.data[(n * steps + length as usize) * row..(n + 1) * steps * row].fill(0.0);
        }
        vec![y]
    }
}

impl Reference for Narrow {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (start, len) = (cx.scope.size(&self.start), cx.scope.size(&self.len));
        vec![part(&inputs[0], self.axis, start, len)]
    }
}

impl Reference for Grad<Narrow> {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let mut d_x = Array::zeros(cx.scope.sizes_of(self.outputs[0].dims()));
        let (outer, size, inner) = d_x.around(self.op.axis);
        let row = inputs[0].data.len() / outer;
        let start = cx.scope.size(&self.op.start);
        for o in 0..outer {
            let to = &mut d_x.data[(o * size + start) * inner..][..row];
            to.copy_from_slice(&inputs[0].data[o * row..][..row]);
        }
        vec![d_x]
    }
}

impl Reference for Reduce {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        let x = &inputs[0];
        let kept: Vec<usize> = (0..x.dims.len()).filter(|axis| !self.axes.contains(axis)).collect();
        let dims: Vec<usize> = kept.iter().map(|axis| x.dims[*axis]).collect();
        let (from, to) = (strides_of(&x.dims), strides_of(&dims));
        let mut y = Array::zeros(dims.clone());
        let mut seen = vec![0usize; y.data.len()];
        for (at, x_at) in x.data.iter().enumerate() {
            let place = kept.iter().zip(&to);
            let place: usize = place.map(|(axis, to)| at / from[*axis] % x.dims[*axis] * to).sum();
            let sum = &mut y.data[place];
            *sum = match self.kind {
                _ if seen[place] == 0 => *x_at,
                Kind::Sum | Kind::Mean => *sum + x_at,
                Kind::Max => sum.max(*x_at),
                Kind::Min => sum.min(*x_at),
            };
            seen[place] += 1;
        }
        if self.kind == Kind::Mean {
            y.data.iter_mut().zip(&seen).for_each(|(y, count)| *y /= *count as f64);
        }
        vec![y]
    }
}

impl Reference for Cross {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (a, b) = (&inputs[0], &inputs[1]);
        let (outer, _, inner) = a.around(self.axis);
        let spec = gradiron::ops::cross::CrossSpec { outer, inner };
        let mut y = Array::zeros(a.dims.clone());
        gradiron::ops::cross::reference::cross(&mut y.data, &a.data, &b.data, spec);
        vec![y]
    }
}

impl Reference for Probe {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        vec![inputs[0].clone()]
    }
}

impl Reference for Cumsum {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        let x = &inputs[0];
        let (outer, size, inner) = x.around(self.axis);
        let spec = gradiron::ops::cumsum::CumsumSpec { outer, size, inner, reverse: self.reverse };
        let mut y = Array::zeros(x.dims.clone());
        gradiron::ops::cumsum::reference::cumsum(&mut y.data, &x.data, spec);
        vec![y]
    }
}

impl Reference for Rotary {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let x = &inputs[0];
        let (outer, len, behind) = x.around(self.axis);
        let dim = x.dims[x.dims.len() - 1];
        let spec = RotarySpec {
            outer,
            len,
            inner: behind / dim,
            dim,
            past: cx.scope.size(&self.past),
            base: self.base as f32,
            interleaved: self.interleaved,
            inverse: self.inverse,
        };
        let mut y = Array::zeros(x.dims.clone());
        turning::rotary(&mut y.data, &x.data, spec);
        vec![y]
    }
}

impl Reference for Sinusoidal {
    fn run(&self, cx: &Cx, _: &[Array]) -> Vec<Array> {
        let [len, size] = [&self.len, &self.size].map(|dim| cx.scope.size(dim));
        let mut y = Array::zeros([len, size]);
        turning::sinusoidal(&mut y.data, size, self.base as f32);
        vec![y]
    }
}
