//! Kernels of any device, so that one call of a test runs on all of them.

use gradiron::device::{Buf, CpuKernels, Indices, Kernels};
use gradiron::ops::attention::{self, Attention, AttentionSpec, View};
use gradiron::ops::batch_norm::{BatchNorm, BatchNormSpec, Running};
use gradiron::ops::cat::{Cat, CatSpec};
use gradiron::ops::conv2d::{Algorithm, Conv2d, Conv2dSpec, Pass};
use gradiron::ops::cross_entropy::{CrossEntropy, CrossEntropySpec};
use gradiron::ops::cumsum::{Cumsum, CumsumSpec};
use gradiron::ops::dropout::{Dropout, DropoutSpec};
use gradiron::ops::elementwise::{Elementwise, Map, Operands};
use gradiron::ops::embedding::{Embedding, EmbeddingSpec};
use gradiron::ops::fill::Fill;
use gradiron::ops::gather::{Gather, GatherSpec};
use gradiron::ops::interpolate::{Interpolate, InterpolateSpec};
use gradiron::ops::layer_norm::{Affine, LayerNorm, LayerNormSpec};
use gradiron::ops::matmul::{Matmul, MatmulSpec};
use gradiron::ops::nll_loss::{NllLoss, NllLossSpec};
use gradiron::ops::pool2d::{Pool2d, Pool2dSpec};
use gradiron::ops::recurrent::{self, Recurrent, RecurrentSpec};
use gradiron::ops::reduce::{Reduce, ReduceSpec};
use gradiron::ops::rotary::{Rotary, RotarySpec};
use gradiron::ops::softmax::{Softmax, SoftmaxSpec};
use gradiron::ops::{
    argmax::Argmax,
    convert::Convert,
    hold::{First, Hold},
    permute::Permute,
};

/// A step on some device.
pub enum AnyKernels<'a> {
    Cpu(CpuKernels<'a>),
    #[cfg(feature = "cuda")]
    Cuda(&'a mut gradiron::device::CudaKernels),
}

impl AnyKernels<'_> {
    /// Takes convolutions by one algorithm, on a device that has several.
    pub fn convolve_by(&mut self, algorithm: Algorithm) {
        match self {
            Self::Cpu(step) => step.convolve_by(algorithm),
            #[cfg(feature = "cuda")]
            Self::Cuda(_) => {}
        }
    }
}

/// The same call on whichever device it is.
macro_rules! on_each {
    ($self:ident, $step:ident => $call:expr) => {
        match $self {
            AnyKernels::Cpu($step) => $call,
            #[cfg(feature = "cuda")]
            AnyKernels::Cuda($step) => $call,
        }
    };
}

macro_rules! delegate {
    ($($room:ident { $($kernel:ident($($arg:ident: $ty:ty),*);)* })*) => {
        $(impl $room for AnyKernels<'_> {
            $(fn $kernel(&mut self, $($arg: $ty),*) {
                on_each!(self, step => step.$kernel($($arg),*))
            })*
        })*
    };
}

delegate! {
    Argmax { argmax(y: Buf, x: Buf, spec: SoftmaxSpec); }
    Attention {
        attention(y: View, lse: Buf, given: attention::Given, spec: AttentionSpec);
        append(to: [View; 2], from: [View; 2], past: usize, spec: AttentionSpec);
        attention_grad(
            d_qkv: [View; 3], d_y_and_y: [View; 2], lse: Buf, given: attention::Given,
            spec: AttentionSpec
        );
        attention_mask_grad(
            d_mask: Buf, d_y_and_y: [View; 2], lse: Buf, given: attention::Given, spec: AttentionSpec
        );
    }
    BatchNorm {
        batch_norm_statistics(
            mean: [Buf; 2], invstd: Buf, x: Buf, running: Option<Running>, spec: BatchNormSpec
        );
        batch_norm_sums(
            d_w: Buf, d_b: Buf, d_y: Buf, x: Buf, mean: [Buf; 2], invstd: Buf, spec: BatchNormSpec
        );
    }
    Cat {
        cat(y: Buf, x: Buf, spec: CatSpec);
        cat_grad(d_x: Buf, d_y: Buf, spec: CatSpec);
    }
    Convert {
        narrow(y: Buf, x: Buf);
        widen(y: Buf, x: Buf);
    }
    CrossEntropy {
        cross_entropy(loss: Buf, logits: Buf, label: Indices, spec: CrossEntropySpec);
        cross_entropy_with_grad(
            loss: Buf, d_logits: Buf, logits: Buf, label: Indices, spec: CrossEntropySpec
        );
        cross_entropy_grad(d_logits: Buf, d_loss: Buf, of_one: Buf);
    }
    Cumsum { cumsum(y: Buf, x: Buf, spec: CumsumSpec); }
    Dropout {
        dropout(y: Buf, call: Buf, x: Buf, spec: DropoutSpec);
        dropout_grad(d_x: Buf, d_y: Buf, call: Buf, spec: DropoutSpec);
    }
    Embedding {
        embedding(y: Buf, index: Indices, w: Buf, spec: EmbeddingSpec);
        embedding_grad(d_w: Buf, d_y: Buf, index: Indices, spec: EmbeddingSpec);
    }
    Fill {
        copy(y: Buf, x: Buf);
        accumulate(y: Buf, x: Buf);
        fill(y: Buf, value: f32);
    }
    Gather {
        gather(y: Buf, x: Buf, index: Indices, spec: GatherSpec);
        gather_grad(d_x: Buf, d_y: Buf, index: Indices, spec: GatherSpec);
    }
    Hold {
        hold(y: Buf, new: Buf, old: Buf, length: Indices, t: usize);
        cut(y: Buf, x: Buf, length: Indices, steps: usize);
        replay(y: Buf, now: Buf, all: Buf, length: Indices, t: usize, first: First);
    }
    Interpolate {
        interpolate(y: Buf, x: Buf, spec: InterpolateSpec);
        interpolate_grad(d_x: Buf, d_y: Buf, spec: InterpolateSpec);
    }
    LayerNorm {
        layer_norm(y: Buf, stats: Buf, x: Buf, affine: Affine, spec: LayerNormSpec);
        layer_norm_grad(
            d_x: Buf, d_affine: Affine, d_y: Buf, x: Buf, weight: Buf, stats: Buf,
            spec: LayerNormSpec, scratch: Buf
        );
    }
    NllLoss {
        nll_loss(loss: Buf, log_probs: Buf, label: Indices, spec: NllLossSpec);
        nll_loss_grad(d_log_probs: Buf, d_loss: Buf, label: Indices, spec: NllLossSpec);
    }
    Pool2d {
        max_pool2d(y: Buf, index: Option<Buf>, x: Buf, spec: Pool2dSpec);
        max_pool2d_grad(d_x: Buf, d_y: Buf, index: Buf, spec: Pool2dSpec);
        avg_pool2d(y: Buf, x: Buf, spec: Pool2dSpec);
        avg_pool2d_grad(d_x: Buf, d_y: Buf, spec: Pool2dSpec);
    }
    Recurrent {
        recurrent(
            made: recurrent::Made, history: Option<recurrent::History>, given: recurrent::Given,
            scratch: Buf, spec: RecurrentSpec
        );
        recurrent_grad(
            gradients: recurrent::Gradients, upstream: recurrent::Upstream,
            history: recurrent::History, given: recurrent::Given, scratch: Buf, spec: RecurrentSpec
        );
    }
    Rotary {
        rotary(y: Buf, x: Buf, spec: RotarySpec);
        sinusoidal(y: Buf, len: usize, dim: usize, base: f32);
    }
    Softmax {
        softmax(y: Buf, x: Buf, spec: SoftmaxSpec);
        log_softmax(y: Buf, x: Buf, spec: SoftmaxSpec);
        softmax_grad(d_x: Buf, d_y: Buf, y: Buf, spec: SoftmaxSpec);
        log_softmax_grad(d_x: Buf, d_y: Buf, y: Buf, spec: SoftmaxSpec);
    }
}

impl Conv2d for AnyKernels<'_> {
    fn conv2d_prepare(&mut self, prepared: Buf, w: Buf, spec: Conv2dSpec) {
        on_each!(self, step => step.conv2d_prepare(prepared, w, spec));
    }

    fn conv2d_prepared(
        &mut self,
        y: Buf,
        x: Buf,
        weights: [Buf; 2],
        scratch: Buf,
        spec: Conv2dSpec,
    ) {
        on_each!(self, step => step.conv2d_prepared(y, x, weights, scratch, spec));
    }

    fn conv2d_prepared_map<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &mut self,
        y: Buf,
        x: Buf,
        weights: [Buf; 2],
        scratch: Buf,
        spec: Conv2dSpec,
        then: Operands<IN, OUT, S, R>,
    ) where
        E: Elementwise<IN, OUT, S>,
    {
        on_each!(self, step => {
            step.conv2d_prepared_map::<E, IN, OUT, S, R>(y, x, weights, scratch, spec, then)
        });
    }

    fn conv2d(&mut self, pass: Pass, out: Buf, of: [Buf; 2], scratch: Buf, spec: Conv2dSpec) {
        on_each!(self, step => step.conv2d(pass, out, of, scratch, spec));
    }

    fn conv2d_map<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &mut self,
        pass: Pass,
        out: Buf,
        of: [Buf; 2],
        scratch: Buf,
        spec: Conv2dSpec,
        then: Operands<IN, OUT, S, R>,
    ) where
        E: Elementwise<IN, OUT, S>,
    {
        on_each!(self, step => {
            step.conv2d_map::<E, IN, OUT, S, R>(pass, out, of, scratch, spec, then)
        });
    }
}

impl Matmul for AnyKernels<'_> {
    fn matmul(&mut self, y: Buf, a: Buf, b: Buf, spec: MatmulSpec) {
        on_each!(self, step => step.matmul(y, a, b, spec));
    }

    fn matmul_map<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &mut self,
        y: Buf,
        a: Buf,
        b: Buf,
        spec: MatmulSpec,
        then: Operands<IN, OUT, S, R>,
    ) where
        E: Elementwise<IN, OUT, S>,
    {
        on_each!(self, step => step.matmul_map::<E, IN, OUT, S, R>(y, a, b, spec, then));
    }

    fn matmul_pack(&mut self, packed: Buf, b: Buf, spec: MatmulSpec) {
        on_each!(self, step => step.matmul_pack(packed, b, spec));
    }

    fn matmul_packed(&mut self, y: Buf, a: Buf, b: Buf, packed: Buf, spec: MatmulSpec) {
        on_each!(self, step => step.matmul_packed(y, a, b, packed, spec));
    }

    fn matmul_packed_map<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &mut self,
        y: Buf,
        a: Buf,
        b: Buf,
        packed: Buf,
        spec: MatmulSpec,
        then: Operands<IN, OUT, S, R>,
    ) where
        E: Elementwise<IN, OUT, S>,
    {
        on_each!(self, step => {
            step.matmul_packed_map::<E, IN, OUT, S, R>(y, a, b, packed, spec, then)
        });
    }
}

impl Map for AnyKernels<'_> {
    fn map<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &mut self,
        outputs: [Buf; OUT],
        inputs: [(Buf, [bool; R]); IN],
        dims: [usize; R],
        constants: [f32; S],
    ) where
        E: Elementwise<IN, OUT, S>,
    {
        on_each!(self, step => step.map::<E, IN, OUT, S, R>(outputs, inputs, dims, constants));
    }
}

impl Permute for AnyKernels<'_> {
    fn permute<const R: usize>(&mut self, y: Buf, x: Buf, dims: [usize; R], axes: [usize; R]) {
        on_each!(self, step => step.permute(y, x, dims, axes));
    }
}

impl Reduce for AnyKernels<'_> {
    fn reduce<const R: usize>(&mut self, y: Buf, x: Buf, spec: ReduceSpec<R>) {
        on_each!(self, step => step.reduce(y, x, spec));
    }
}

impl Kernels for AnyKernels<'_> {}
