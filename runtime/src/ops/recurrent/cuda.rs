//! Recurrent cells on a GPU: for each step a product of the states with the weights, and a kernel for
//! the rest.

use super::{Cell, Given, Gradients, History, Made, Recurrent, RecurrentSpec, Upstream};
use crate::device::{Arg, Buf, CudaKernel, CudaStep, Grid, Text};
use crate::ops::copy::Fill;
use crate::ops::matmul::{Layout, Matmul, MatmulSpec};

const TEXT: Text = Text { room: "recurrent", text: include_str!("kernels.cu") };

fn kernel(function: &'static str, spec: RecurrentSpec) -> CudaKernel {
    let cell = match spec.cell {
        Cell::Tanh => 0,
        Cell::Relu => 1,
        Cell::Lstm => 2,
        Cell::Gru => 3,
    };
    let kernel = TEXT.kernel(function).with("CELL", cell).with("HIDDEN", spec.hidden);
    kernel.with("REVERSE", u8::from(spec.reverse))
}

impl CudaStep {
    /// `y = x`, or zeros.
    fn copy_or_clear(&mut self, y: Buf, x: Option<Buf>) {
        match x {
            Some(x) => self.copy(y, x),
            None => self.fill(y, 0.0),
        }
    }
}

impl Recurrent for CudaStep {
    fn recurrent(
        &mut self,
        made: Made,
        history: Option<History>,
        given: Given,
        scratch: Buf,
        spec: RecurrentSpec,
    ) {
        let RecurrentSpec { batch, steps, hidden, .. } = spec;
        let (width, count) = (spec.width(), batch * hidden);
        if count == 0 {
            return;
        }
        // The last states are the states of all steps, one after another.
        let products = scratch.part(0, batch * width);
        let cell = made.c.unwrap_or(scratch.part(batch * width, count));
        self.copy_or_clear(made.h, given.h);
        if spec.cell == Cell::Lstm {
            self.copy_or_clear(cell, given.c);
        }
        let multiply = MatmulSpec { layout: Layout::NT, m: batch, k: hidden, n: width };
        for s in 0..steps {
            let is_zero = s == 0 && given.h.is_none();
            if !is_zero {
                self.matmul(products, made.h, given.w, multiply);
            }
            let args = [
                ("y", made.y.into()),
                ("h", made.h.into()),
                ("c", cell.into()),
                ("gates", history.map(|saved| saved.gates).into()),
                ("before", history.map(|saved| saved.before).into()),
                ("inner", history.and_then(|saved| saved.inner).into()),
                ("x", given.x.into()),
                ("p", if is_zero { Arg::Null } else { products.into() }),
                ("bias", given.b.into()),
                ("lengths", given.lengths.map_or(Arg::Null, Arg::Indices)),
                ("s", s.into()),
                ("steps", steps.into()),
                ("count", count.into()),
            ];
            self.launch(kernel("forward", spec), Grid::each(count), &args);
        }
    }

    fn recurrent_grad(
        &mut self,
        gradients: Gradients,
        upstream: Upstream,
        history: History,
        given: Given,
        scratch: Buf,
        spec: RecurrentSpec,
    ) {
        let RecurrentSpec { batch, steps, hidden, .. } = spec;
        let (width, count) = (spec.width(), batch * hidden);
        if count == 0 {
            return;
        }
        let d_p = scratch.part(0, batch * width);
        let through = scratch.part(batch * width, count);
        let [d_h, d_c] = self.scratch([count, count]);
        let multiply = MatmulSpec { layout: Layout::NN, m: batch, k: width, n: hidden };
        for s in (0..steps).rev() {
            let is_last = s + 1 == steps;
            let or_first =
                |first: Option<Buf>, then: Arg| if is_last { first.into() } else { then };
            let args = [
                ("d_x", gradients.x.into()),
                ("d_products", gradients.products.into()),
                ("d_p", d_p.into()),
                ("h_out", d_h),
                ("c_out", gradients.c.filter(|_| s == 0).map_or(d_c, Arg::Buf)),
                ("h_in", or_first(upstream.h, d_h)),
                ("c_in", or_first(upstream.c, d_c)),
                ("through", or_first(None, through.into())),
                ("d_y", upstream.y.into()),
                ("gates", history.gates.into()),
                ("before", history.before.into()),
                ("inner", history.inner.into()),
                ("lengths", given.lengths.map_or(Arg::Null, Arg::Indices)),
                ("s", s.into()),
                ("steps", steps.into()),
                ("count", count.into()),
            ];
            self.launch(kernel("backward", spec), Grid::each(count), &args);
            if s > 0 || gradients.h.is_some() {
                self.matmul(through, d_p, given.w, multiply);
            }
        }
        if let Some(first) = gradients.h {
            let args =
                [("y", first.into()), ("a", d_h), ("b", through.into()), ("count", count.into())];
            self.launch(kernel("sum", spec), Grid::each(count), &args);
        }
    }
}
