//! Convolutions on the CPU: the calls of the algorithms.

use super::{Algorithm, Choice, Conv2d, Conv2dSpec, Pass, direct, windows, winograd};
use crate::device::{Buf, CpuKernels, SharedMut, Threads};
use crate::math::SimdLevel;
use crate::ops::elementwise::{Elementwise, Map, Operands};
use crate::ops::{Finish, check_holds, product};

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
        (product([self.spec.output_len(), self.spec.window()]) / 16).max(1)
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

impl CpuKernels<'_> {
    /// A pass, each part of `out` finished where it is computed.
    pub(super) fn conv2d_then(
        &mut self,
        pass: Pass,
        [out, a, b, scratch]: [Buf; 4],
        spec: Conv2dSpec,
        finish: Finish<'_>,
    ) {
        use {Algorithm::*, Pass::*};
        let run = Run { threads: self.threads(), level: self.level(), spec, finish };
        let choice = self.convolution();
        let ([out, scratch], [a, b]) = self.views([out, scratch], [a, b]);
        match pass {
            Forward => spec.check(a.len(), b.len(), out.len()),
            InputGrad => spec.check(out.len(), b.len(), a.len()),
            WeightGrad => spec.check(b.len(), out.len(), a.len()),
        }
        if out.is_empty() || a.is_empty() || b.is_empty() {
            out.fill(0.0);
            return run.complete(0, out.len());
        }
        let mut algorithm = spec.choose(pass, choice);
        check_holds("scratch memory", scratch.len(), spec.scratch_of(pass, algorithm));
        if algorithm == Winograd {
            let computed = match pass {
                Forward | InputGrad => {
                    let forward = pass == Forward;
                    let form = if forward { winograd::forward } else { winograd::input_grad };
                    form(run, SharedMut::new(&mut *out), a, b, scratch)
                }
                WeightGrad => winograd::weight_grad(run, out, a, b, scratch),
            };
            if computed {
                return;
            }
            algorithm = spec.choose(pass, Choice::WithoutWinograd);
        }
        let shared = SharedMut::new(&mut *out);
        match (pass, algorithm) {
            (Forward, Direct) => direct::forward(run, shared, a, b, scratch),
            (Forward, Windows) => windows::forward(run, shared, a, b, scratch),
            (InputGrad, Direct) => direct::input_grad(run, shared, a, b, scratch),
            (InputGrad, Windows) => windows::input_grad(run, shared, a, b, scratch),
            (WeightGrad, Direct) => direct::weight_grad(run, out, a, b, scratch),
            (_, Winograd) => unreachable!("it was computed above"),
            (WeightGrad, Windows) => windows::weight_grad(run, out, a, b, scratch),
        }
    }
}

impl Conv2d for CpuKernels<'_> {
    fn conv2d(&mut self, pass: Pass, out: Buf, [a, b]: [Buf; 2], scratch: Buf, spec: Conv2dSpec) {
        self.conv2d_then(pass, [out, a, b, scratch], spec, None);
    }

    fn conv2d_map<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &mut self,
        pass: Pass,
        out: Buf,
        [a, b]: [Buf; 2],
        scratch: Buf,
        spec: Conv2dSpec,
        then: Operands<IN, OUT, S, R>,
    ) where
        E: Elementwise<IN, OUT, S>,
    {
        if pass == Pass::WeightGrad {
            // Its sums end all at once, at the end of the call.
            self.conv2d(pass, out, [a, b], scratch, spec);
            return self.map::<E, IN, OUT, S, R>(
                then.outputs,
                then.inputs,
                then.dims,
                then.constants,
            );
        }
        let level = self.level();
        let map = self.follow::<E, IN, OUT, S, R>(&[out, scratch], &[a, b], then);
        // SAFETY: a part is finished once, when its sums are done with it, and parts are apart;
        // `follow` checked that the chain uses nothing else of what the convolution reads or
        // writes.
        let finish = |start, len| unsafe { map.run(level, start, len) };
        self.conv2d_then(pass, [out, a, b, scratch], spec, Some(&finish));
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
        let level = self.level();
        let map = self.follow::<E, IN, OUT, S, R>(&[y, scratch], &[x, w, prepared], then);
        // SAFETY: a part is finished once, when its sums are done with it, and parts are apart;
        // `follow` checked that the chain uses nothing else of what the convolution reads or
        // writes.
        let finish = |start, len| unsafe { map.run(level, start, len) };
        self.prepared_then([y, x, w, prepared, scratch], spec, Some(&finish));
    }
}
