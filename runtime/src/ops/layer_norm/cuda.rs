//! Normalisation of rows on a GPU.

use super::{Affine, LayerNorm, LayerNormSpec};
use crate::device::{Arg, Buf, CudaKernels, Grid, Team, Text, width};

const TEXT: Text = Text {
    room: "layer_norm",
    text: concat!(include_str!("../../device/cuda/rows.cuh"), include_str!("kernels.cu")),
};

/// Rows of a group whose sums are taken apart, at least, and groups at most.
const ROWS: usize = 32;
const GROUPS: usize = 128;
/// Vectors of columns that a block takes.
const VECTORS: usize = 32;

/// A null pointer where there is nothing.
fn some(buf: Buf) -> Arg {
    if buf.len > 0 { buf.into() } else { Arg::Null }
}

impl LayerNorm for CudaKernels {
    fn layer_norm(&mut self, y: Buf, stats: Buf, x: Buf, affine: Affine, spec: LayerNormSpec) {
        let args = [
            ("y", y.into()),
            ("stats", some(stats)),
            ("x", x.into()),
            ("weight", some(affine.weight)),
            ("bias", some(affine.bias)),
            ("eps", spec.eps.into()),
            ("rows", spec.rows.into()),
        ];
        let team = Team::new(spec.dim, 1, &[y, x, affine.weight, affine.bias]);
        let kernel = team.kernel(TEXT, "layer_norm").with("CENTRED", u8::from(spec.centred));
        self.launch(kernel, team.grid(spec.rows), &args);
    }

    fn layer_norm_grad(
        &mut self,
        d_x: Buf,
        d_affine: Affine,
        d_y: Buf,
        x: Buf,
        weight: Buf,
        stats: Buf,
        spec: LayerNormSpec,
        _scratch: Buf,
    ) {
        let LayerNormSpec { rows, dim, .. } = spec;
        let args = [
            ("d_x", d_x.into()),
            ("d_y", d_y.into()),
            ("x", x.into()),
            ("weight", some(weight)),
            ("stats", stats.into()),
            ("rows", rows.into()),
        ];
        let team = Team::new(dim, 1, &[d_x, d_y, x, weight]);
        let kernel = team.kernel(TEXT, "layer_norm_grad").with("CENTRED", u8::from(spec.centred));
        self.launch(kernel, team.grid(rows), &args);
        if d_affine.weight.len + d_affine.bias.len == 0 {
            return;
        }
        let group = rows.div_ceil(GROUPS).max(ROWS);
        let groups = rows.div_ceil(group);
        let [parts] = self.scratch([2 * groups * dim]);
        let args = [
            ("parts", parts),
            ("d_y", d_y.into()),
            ("x", x.into()),
            ("stats", stats.into()),
            ("rows", rows.into()),
            ("group", group.into()),
        ];
        let team = Team::new(dim, 1, &[d_y, x]);
        let blocks = dim.div_ceil(VECTORS * width(dim, &[d_y, x]));
        self.launch(team.kernel(TEXT, "affine_parts"), Grid::rows(groups * blocks), &args);
        let args = [
            ("d_weight", some(d_affine.weight)),
            ("d_bias", some(d_affine.bias)),
            ("parts", parts),
            ("groups", groups.into()),
        ];
        self.launch(team.kernel(TEXT, "affine_grad"), Grid::rows(dim.div_ceil(VECTORS)), &args);
    }
}
