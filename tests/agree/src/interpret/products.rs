//! Products of matrices.

use gradiron::ops::matmul::{self, MatmulSpec, reference};
use gradiron_compiler::ops::bmm::Bmm;
use gradiron_compiler::ops::matmul::{Layout, Matmul, Pack, Packed};

use super::{Cx, Known, Reference, known};
use crate::array::Array;

pub const OPS: &[Known] = &[known::<Matmul>, known::<Pack>, known::<Packed>, known::<Bmm>];

fn layout(layout: Layout) -> matmul::Layout {
    match layout {
        Layout::NN => matmul::Layout::NN,
        Layout::NT => matmul::Layout::NT,
        Layout::TN => matmul::Layout::TN,
    }
}

impl Reference for Matmul {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (a, b) = (&inputs[0], &inputs[1]);
        let rows = |x: &Array| x.dims[..x.dims.len() - 1].iter().product::<usize>();
        let last = |x: &Array| x.dims[x.dims.len() - 1];
        let lead = &a.dims[..a.dims.len() - 1];
        let (m, k, n, dims) = match self.0 {
            Layout::NN => (rows(a), last(a), last(b), [lead, &[last(b)]].concat()),
            Layout::NT => (rows(a), last(a), rows(b), [lead, &[rows(b)]].concat()),
            Layout::TN => (last(a), rows(a), last(b), vec![last(a), last(b)]),
        };
        let mut y = Array::zeros(dims);
        let spec = MatmulSpec { layout: layout(self.0), m, k, n };
        reference::matmul(&mut y.data, &a.data, &b.data, spec);
        vec![y]
    }
}

impl Reference for Pack {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        vec![Array::keeping(inputs)]
    }
}

impl Reference for Packed {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        Matmul(Layout::NT).run(cx, &[inputs[0].clone(), inputs[2].kept[0].clone()])
    }
}

impl Reference for Bmm {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let pairs = inputs[0].dims[..inputs[0].dims.len() - 2].to_vec();
        let matrices = |x: &Array| -> Vec<Array> {
            let dims = &x.dims[x.dims.len() - 2..];
            let parts = x.data.chunks(dims.iter().product());
            parts.map(|part| Array::new(dims, part.to_vec())).collect()
        };
        let [a, b] = [0, 1].map(|i| matrices(&inputs[i]));
        let made: Vec<Array> =
            a.into_iter().zip(b).map(|(a, b)| Matmul(self.0).run(cx, &[a, b]).remove(0)).collect();
        let dims = [pairs, made[0].dims.clone()].concat();
        vec![Array::new(dims, made.into_iter().flat_map(|matrix| matrix.data).collect())]
    }
}
