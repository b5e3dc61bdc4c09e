//! Statistics of channels on a GPU.

use super::{BatchNorm, BatchNormSpec, Running};
use crate::device::{Arg, Buf, CudaKernel, CudaKernels, Grid, Text, width};

const TEXT: Text = Text { room: "batch_norm", text: include_str!("kernels.cu") };

/// Elements of a part of a channel, at least.
const PART: usize = 1 << 13;
/// Blocks that keep a GPU busy.
const BLOCKS: usize = 1024;

/// How channels are cut.
struct Cut {
    /// Neighbours that a thread loads at once.
    width: usize,
    /// Elements of a part, and parts.
    chunk: usize,
    splits: usize,
}

impl Cut {
    fn new(bufs: &[Buf], spec: &BatchNormSpec) -> Self {
        let (count, width) = (spec.count(), width(spec.inner, bufs));
        let most = BLOCKS.div_ceil(spec.channels.max(1));
        let splits = count.div_ceil(PART).min(most).max(1);
        let chunk = count.div_ceil(splits).max(1).next_multiple_of(width);
        Self { width, chunk, splits: count.div_ceil(chunk) }
    }
}

fn kernel(function: &'static str, spec: &BatchNormSpec) -> CudaKernel {
    TEXT.kernel(function).with("CHANNELS", spec.channels).with("INNER", spec.inner)
}

impl BatchNorm for CudaKernels {
    fn batch_norm_statistics(
        &mut self,
        mean: [Buf; 2],
        invstd: Buf,
        x: Buf,
        running: Option<Running>,
        spec: BatchNormSpec,
    ) {
        let Cut { width, chunk, splits } = Cut::new(&[x], &spec);
        // Doubles.
        let [parts] = self.scratch([4 * spec.channels * splits]);
        let sizes =
            [("count", spec.count().into()), ("chunk", chunk.into()), ("splits", splits.into())];
        let args = [("parts", parts), ("x", x.into()), sizes[0], sizes[1], sizes[2]];
        let moments = kernel("moments", &spec).with("WIDTH", width);
        self.launch(moments, Grid::rows(spec.channels * splits), &args);
        let [new, old] = [running.map(|r| r.new), running.map(|r| r.old)];
        let of = |bufs: Option<[Buf; 3]>, i: usize| bufs.map_or(Arg::Null, |bufs| bufs[i].into());
        let momentum = running.and_then(|running| running.momentum).unwrap_or(-1.0);
        let args = [
            ("mean", mean[0].into()),
            ("rest", mean[1].into()),
            ("invstd", invstd.into()),
            ("new_mean", of(new, 0)),
            ("new_var", of(new, 1)),
            ("new_batches", of(new, 2)),
            ("old_mean", of(old, 0)),
            ("old_var", of(old, 1)),
            ("old_batches", of(old, 2)),
            ("parts", parts),
            ("eps", spec.eps.into()),
            ("momentum", momentum.into()),
            sizes[0],
            sizes[1],
            sizes[2],
        ];
        self.launch(kernel("statistics", &spec), Grid::each(spec.channels), &args);
    }

    fn batch_norm_sums(
        &mut self,
        d_w: Buf,
        d_b: Buf,
        d_y: Buf,
        x: Buf,
        mean: [Buf; 2],
        invstd: Buf,
        spec: BatchNormSpec,
    ) {
        let Cut { width, chunk, splits } = Cut::new(&[d_y, x], &spec);
        // Doubles.
        let [parts] = self.scratch([4 * spec.channels * splits]);
        let args = [
            ("parts", parts),
            ("d_y", d_y.into()),
            ("x", x.into()),
            ("mean", mean[0].into()),
            ("rest", mean[1].into()),
            ("invstd", invstd.into()),
            ("count", spec.count().into()),
            ("chunk", chunk.into()),
            ("splits", splits.into()),
        ];
        let sums = kernel("sums", &spec).with("WIDTH", width);
        self.launch(sums, Grid::rows(spec.channels * splits), &args);
        let args =
            [("d_w", d_w.into()), ("d_b", d_b.into()), ("parts", parts), ("splits", splits.into())];
        self.launch(kernel("combine", &spec), Grid::each(spec.channels), &args);
    }
}
