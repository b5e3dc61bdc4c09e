//! Convolutions on the CPU: the choice of the algorithm.

use super::{Algorithm, Conv2d, Conv2dSpec, direct, windows, winograd};
use crate::device::{Buf, CpuStep, SharedMut, Threads};
use crate::math::SimdLevel;
use crate::ops::Finish;
use crate::ops::elementwise::{Elementwise, Operands};

/// What every algorithm is told about a pass.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub threads: &'a Threads,
    pub level: SimdLevel,
    pub spec: Conv2dSpec,
    pub finish: Finish<'a>,
}

impl Run<'_> {
    /// The estimated operations of the pass, for [`Threads::run_if`].
    pub fn work(&self) -> usize {
        (self.spec.output_len() * self.spec.window() / 16).max(1)
    }

    /// Says that elements `start..start + len` of the result are complete and not used any more.
    pub fn complete(&self, start: usize, len: usize) {
        if let Some(finish) = self.finish {
            finish(start, len);
        }
    }
}

/// The share of `slot` when `items` are dealt out to `slots`.
pub(super) fn share(items: usize, slot: usize, slots: usize) -> std::ops::Range<usize> {
    items * slot / slots..items * (slot + 1) / slots
}

impl CpuStep<'_> {
    /// `conv2d`, each part of `y` finished where it is computed.
    pub(super) fn conv2d_then(
        &mut self,
        [y, x, w, scratch]: [Buf; 4],
        spec: Conv2dSpec,
        finish: Finish<'_>,
    ) {
        let run = Run { threads: self.threads(), level: self.level(), spec, finish };
        let algorithm = spec.forward_choice(self.winograd());
        let ([y, scratch], [x, w]) = self.views([y, scratch], [x, w]);
        if y.is_empty() || spec.window() == 0 {
            y.fill(0.0);
            return run.complete(0, spec.output_len());
        }
        let y = SharedMut::new(y);
        match algorithm {
            Algorithm::Direct => direct::forward(run, y, x, w, scratch),
            Algorithm::Depthwise => windows::forward(run, y, x, w, scratch),
            Algorithm::Winograd => winograd::forward(run, y, x, w, scratch),
            Algorithm::Windows => windows::forward(run, y, x, w, scratch),
        }
    }

    /// `conv2d_input_grad`, each part of `d_x` finished where it is computed.
    fn conv2d_input_grad_then(
        &mut self,
        [d_x, d_y, w, scratch]: [Buf; 4],
        spec: Conv2dSpec,
        finish: Finish<'_>,
    ) {
        let run = Run { threads: self.threads(), level: self.level(), spec, finish };
        let algorithm = spec.input_grad_choice(self.winograd());
        let ([d_x, scratch], [d_y, w]) = self.views([d_x, scratch], [d_y, w]);
        if d_y.is_empty() || d_x.is_empty() {
            d_x.fill(0.0);
            return run.complete(0, spec.input_len());
        }
        let d_x = SharedMut::new(d_x);
        match algorithm {
            Algorithm::Direct => direct::input_grad(run, d_x, d_y, w, scratch),
            Algorithm::Depthwise => windows::input_grad(run, d_x, d_y, w, scratch),
            Algorithm::Winograd => winograd::input_grad(run, d_x, d_y, w, scratch),
            Algorithm::Windows => windows::input_grad(run, d_x, d_y, w, scratch),
        }
    }
}

impl Conv2d for CpuStep<'_> {
    fn conv2d(&mut self, y: Buf, x: Buf, w: Buf, scratch: Buf, spec: Conv2dSpec) {
        self.conv2d_then([y, x, w, scratch], spec, None);
    }

    fn conv2d_map<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &mut self,
        y: Buf,
        x: Buf,
        w: Buf,
        scratch: Buf,
        spec: Conv2dSpec,
        then: Operands<IN, OUT, S, R>,
    ) where
        E: Elementwise<IN, OUT, S>,
    {
        let reads = [x, w, scratch];
        let (level, map) = (self.level(), self.follow::<E, IN, OUT, S, R>(y, &reads, then));
        // SAFETY: parts are complete and apart, and the sums do not use what the chain does.
        let finish = |start, len| unsafe { map.run(level, start, len) };
        self.conv2d_then([y, x, w, scratch], spec, Some(&finish));
    }

    fn conv2d_prepare(&mut self, prepared: Buf, w: Buf, spec: Conv2dSpec) {
        self.prepare(prepared, w, spec);
    }

    fn conv2d_prepared(
        &mut self,
        y: Buf,
        x: Buf,
        [w, prepared]: [Buf; 2],
        scratch: Buf,
        spec: Conv2dSpec,
    ) {
        self.prepared_then([y, x, w, prepared, scratch], spec, None);
    }

    fn conv2d_prepared_map<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &mut self,
        y: Buf,
        x: Buf,
        [w, prepared]: [Buf; 2],
        scratch: Buf,
        spec: Conv2dSpec,
        then: Operands<IN, OUT, S, R>,
    ) where
        E: Elementwise<IN, OUT, S>,
    {
        let reads = [x, w, prepared, scratch];
        let (level, map) = (self.level(), self.follow::<E, IN, OUT, S, R>(y, &reads, then));
        // SAFETY: parts are complete and apart, and the sums do not use what the chain does.
        let finish = |start, len| unsafe { map.run(level, start, len) };
        self.prepared_then([y, x, w, prepared, scratch], spec, Some(&finish));
    }

    fn conv2d_input_grad(&mut self, d_x: Buf, d_y: Buf, w: Buf, scratch: Buf, spec: Conv2dSpec) {
        self.conv2d_input_grad_then([d_x, d_y, w, scratch], spec, None);
    }

    fn conv2d_input_grad_map<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &mut self,
        d_x: Buf,
        d_y: Buf,
        w: Buf,
        scratch: Buf,
        spec: Conv2dSpec,
        then: Operands<IN, OUT, S, R>,
    ) where
        E: Elementwise<IN, OUT, S>,
    {
        let reads = [d_y, w, scratch];
        let (level, map) = (self.level(), self.follow::<E, IN, OUT, S, R>(d_x, &reads, then));
        // SAFETY: parts are complete and apart, and the sums do not use what the chain does.
        let finish = |start, len| unsafe { map.run(level, start, len) };
        self.conv2d_input_grad_then([d_x, d_y, w, scratch], spec, Some(&finish));
    }

    fn conv2d_weight_grad(&mut self, d_w: Buf, d_y: Buf, x: Buf, scratch: Buf, spec: Conv2dSpec) {
        let run = Run { threads: self.threads(), level: self.level(), spec, finish: None };
        let algorithm = spec.weight_grad_choice(self.winograd());
        let ([d_w, scratch], [d_y, x]) = self.views([d_w, scratch], [d_y, x]);
        if d_y.is_empty() || d_w.is_empty() {
            return d_w.fill(0.0);
        }
        match algorithm {
            Algorithm::Direct => direct::weight_grad(run, d_w, d_y, x, scratch),
            Algorithm::Depthwise => windows::weight_grad(run, d_w, d_y, x, scratch),
            Algorithm::Winograd => winograd::weight_grad(run, d_w, d_y, x, scratch),
            Algorithm::Windows => windows::weight_grad(run, d_w, d_y, x, scratch),
        }
    }
}
