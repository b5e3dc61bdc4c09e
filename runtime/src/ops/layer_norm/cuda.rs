//! Normalisation of rows on a GPU.

use super::{Affine, LayerNorm, LayerNormSpec};
use crate::device::{Arg, Buf, CudaKernel, CudaStep, Grid, Text, lanes};

const TEXT: Text = Text { room: "layer_norm", text: include_str!("kernels.cu") };

/// Rows of a group whose sums are taken apart, at least, and groups at most.
const ROWS: usize = 32;
const GROUPS: usize = 128;

fn kernel(function: &'static str, spec: LayerNormSpec) -> CudaKernel {
    let kernel = TEXT.kernel(function).with("DIM", spec.dim);
    kernel.with("LANES", lanes(spec.dim, 1)).with("CENTRED", u8::from(spec.centred))
}

/// A null pointer where there is nothing.
fn some(buf: Buf) -> Arg {
    if buf.len > 0 { buf.into() } else { Arg::Null }
}

impl LayerNorm for CudaStep {
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
        let grid = Grid::teams(spec.rows, lanes(spec.dim, 1));
        self.launch(kernel("layer_norm", spec), grid, &args);
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
        let grid = Grid::teams(rows, lanes(dim, 1));
        self.launch(kernel("layer_norm_grad", spec), grid, &args);
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
        self.launch(kernel("affine_parts", spec), Grid::rows(groups * dim.div_ceil(32)), &args);
        let args = [
            ("d_weight", some(d_affine.weight)),
            ("d_bias", some(d_affine.bias)),
            ("parts", parts),
            ("groups", groups.into()),
        ];
        self.launch(kernel("affine_grad", spec), Grid::each(dim), &args);
    }
}
