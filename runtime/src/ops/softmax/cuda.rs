//! Softmax on a GPU.

use super::{Softmax, SoftmaxSpec};
use crate::device::{Arg, Buf, CudaKernels, Team, Text};

const TEXT: Text = Text {
    room: "softmax",
    text: concat!(include_str!("../../device/cuda/rows.cuh"), include_str!("kernels.cu")),
};

impl CudaKernels {
    fn softmax_rows<const N: usize>(
        &mut self,
        function: &'static str,
        bufs: [(&str, Buf); N],
        spec: SoftmaxSpec,
    ) {
        let SoftmaxSpec { outer, size, inner } = spec;
        let (team, rows) = (Team::new(size, inner, &bufs.map(|(_, buf)| buf)), outer * inner);
        let mut args = bufs.map(|(name, buf)| (name, Arg::from(buf))).to_vec();
        args.push(("rows", rows.into()));
        self.launch(team.kernel(TEXT, function), team.grid(rows), &args);
    }
}

impl Softmax for CudaKernels {
    fn softmax(&mut self, y: Buf, x: Buf, spec: SoftmaxSpec) {
        self.softmax_rows("softmax", [("y", y), ("x", x)], spec);
    }

    fn log_softmax(&mut self, y: Buf, x: Buf, spec: SoftmaxSpec) {
        self.softmax_rows("log_softmax", [("y", y), ("x", x)], spec);
    }

    fn softmax_grad(&mut self, d_x: Buf, d_y: Buf, y: Buf, spec: SoftmaxSpec) {
        self.softmax_rows("softmax_grad", [("d_x", d_x), ("d_y", d_y), ("y", y)], spec);
    }

    fn log_softmax_grad(&mut self, d_x: Buf, d_y: Buf, y: Buf, spec: SoftmaxSpec) {
        self.softmax_rows("log_softmax_grad", [("d_x", d_x), ("d_y", d_y), ("y", y)], spec);
    }
}
