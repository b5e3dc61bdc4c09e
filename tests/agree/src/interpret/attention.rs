//! Attention, of whole sequences and of the next positions.

use gradiron::ops::attention::reference::{Inputs, attention};
use gradiron::ops::attention::{AttentionSpec, Strides};
use gradiron_compiler::ops::attention::{Attention, Layout, MaskGrad, Next};
use gradiron_compiler::ops::grad::Grad;

use super::{Cx, Known, Reference, known, vjp};
use crate::array::Array;

pub const OPS: &[Known] =
    &[known::<Attention>, known::<Grad<Attention>>, known::<MaskGrad>, known::<Next>];

/// Queries, keys and values as `[batch, heads, rows, dim]` each.
fn by_head(cx: &Cx, of: &Attention, inputs: &[Array]) -> [Array; 3] {
    if of.layout == Layout::ByHead {
        return [0, 1, 2].map(|i| {
            let rank = inputs[i].dims.len();
            let dims = [&[1, 1, 1, 1][..4 - rank], &inputs[i].dims[..]].concat();
            // Three axes are a batch without heads.
            let dims = if rank == 3 { vec![dims[1], 1, dims[2], dims[3]] } else { dims };
            inputs[i].reshaped(dims)
        });
    }
    let heads = cx.scope.size(&of.heads);
    [0, 1, 2].map(|part| {
        let (x, parts) = match of.layout {
            Layout::Packed => (&inputs[0], 3),
            _ => (&inputs[part], 1),
        };
        let [batch, rows, width] = [0, 1, 2].map(|axis| x.dims[axis]);
        let dim = width / parts / heads;
        let first = if parts == 3 { part * heads * dim } else { 0 };
        let mut made = Array::zeros([batch, heads, rows, dim]);
        for (at, y) in made.data.iter_mut().enumerate() {
            let (b, h) = (at / (heads * rows * dim), at / (rows * dim) % heads);
            let (row, d) = (at / dim % rows, at % dim);
            *y = x.data[(b * rows + row) * width + first + h * dim + d];
        }
        made
    })
}

/// `y [batch, heads, rows, dim]` in the layout of the queries, without what stood beside them.
fn as_given(of: &Attention, y: &Array, q: &Array) -> Array {
    let [batch, heads, rows, dim] = [0, 1, 2, 3].map(|axis| y.dims[axis]);
    if of.layout == Layout::ByHead {
        return y.reshaped(q.dims.clone());
    }
    let mut made = Array::zeros([batch, rows, heads * dim]);
    for (at, y) in y.data.iter().enumerate() {
        let (b, h) = (at / (heads * rows * dim), at / (rows * dim) % heads);
        let (row, d) = (at / dim % rows, at % dim);
        made.data[((b * rows + row) * heads + h) * dim + d] = *y;
    }
    made
}

/// `y` by heads and `lse`.
fn attend(
    of: &Attention,
    [q, k, v]: [&Array; 3],
    mask: Option<&Array>,
    causal: Option<usize>,
) -> (Array, Array) {
    let [batch, heads, queries, dim] = [0, 1, 2, 3].map(|axis| q.dims[axis]);
    let (kv_heads, keys) = (k.dims[1], k.dims[2]);
    let scale = of.scale.map_or(1.0 / (dim as f32).sqrt(), |scale| scale as f32);
    let spec = AttentionSpec { batch, heads, kv_heads, queries, keys, dim, scale, causal };
    let mask = mask.map(|mask| mask.broadcast(&[batch, heads, queries, keys]));
    let rows = Strides::by_head(queries, heads, dim);
    let columns = Strides::by_head(keys, kv_heads, dim);
    let given = Inputs {
        q: (&q.data, rows),
        k: (&k.data, columns),
        v: (&v.data, columns),
        mask: mask.as_ref().map(|m| (&m.data[..], Strides::by_head(queries, heads, keys))),
    };
    let mut y = Array::zeros(q.dims.clone());
    let mut lse = Array::zeros([batch * heads * queries]);
    attention((&mut y.data, rows), &mut lse.data, given, spec);
    (y, lse)
}

fn operands(of: &Attention) -> usize {
    if of.layout == Layout::Packed { 1 } else { 3 }
}

impl Reference for Attention {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let [q, k, v] = by_head(cx, self, inputs);
        let mask = self.mask.then(|| {
            let mask = &inputs[operands(self)];
            // The scores of three axes have no axis of heads.
            match (self.layout, inputs[0].dims.len(), mask.dims.len()) {
                (Layout::ByHead, 3, 3) => {
                    let [batch, queries, keys] = [0, 1, 2].map(|axis| mask.dims[axis]);
                    mask.reshaped([batch, 1, queries, keys])
                }
                _ => mask.clone(),
            }
        });
        let causal = self.causal.then_some(0);
        let (y, lse) = attend(self, [&q, &k, &v], mask.as_ref(), causal);
        vec![as_given(self, &y, &inputs[0]), lse]
    }
}

impl Reference for Grad<Attention> {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (d_y, given) = (&inputs[0], &inputs[3..]);
        let wanted: Vec<usize> = (0..operands(&self.op)).collect();
        let forward = |inputs: &[Array]| self.op.run(cx, inputs)[..1].to_vec();
        vjp(&forward, given, &[Some(d_y)], &wanted)
    }
}

impl Reference for MaskGrad {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (d_y, given) = (&inputs[0], &inputs[3..]);
        let forward = |inputs: &[Array]| self.0.run(cx, inputs)[..1].to_vec();
        vjp(&forward, given, &[Some(d_y)], &[operands(&self.0)])
    }
}

impl Reference for Next {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let of = &self.0;
        let (given, caches) = inputs.split_at(operands(of));
        let [q, k, v] = by_head(cx, of, given);
        let past = cx.scope.sizes[gradiron_compiler::graph::step::SIZES[0]];
        let longer = |cache: &Array, new: &Array| {
            let before = if past == 0 { &[][..] } else { &cache.data };
            let [batch, heads, rows, dim] = [0, 1, 2, 3].map(|axis| new.dims[axis]);
            let mut made = Array::zeros([batch, heads, past + rows, dim]);
            let (len, old, add) = ((past + rows) * dim, past * dim, rows * dim);
            for pair in 0..batch * heads {
                let to = &mut made.data[pair * len..][..len];
                to[..old].copy_from_slice(&before[pair * old..][..old]);
                to[old..].copy_from_slice(&new.data[pair * add..][..add]);
            }
            made
        };
        let [keys, values] = [longer(&caches[0], &k), longer(&caches[1], &v)];
        let (y, _) = attend(of, [&q, &keys, &values], None, Some(past));
        vec![as_given(of, &y, &given[0]), keys, values]
    }
}
