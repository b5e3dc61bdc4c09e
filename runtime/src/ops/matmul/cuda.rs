//! Products on a GPU: cuBLASLt's. A bias, and a ReLU behind it, are part of the product where the
//! chain that follows is just these.

use super::{Matmul, MatmulSpec};
use crate::device::{Buf, CudaKernels, Element, Epilogue, Product, Region};
use crate::ops::elementwise::{self, Elementwise, Map, Operands};
use crate::ops::fill::Fill;

impl CudaKernels {
    fn multiply(
        &mut self,
        y: Buf,
        a: Buf,
        b: Buf,
        spec: MatmulSpec,
        bias: Option<(Epilogue, Buf)>,
    ) {
        if spec.m == 0 || spec.n == 0 {
            return;
        }
        let (epilogue, bias) = bias.unzip();
        let product = Product::new(spec, epilogue.unwrap_or_default());
        self.product(product, y, [a, b], bias);
    }
}

impl Matmul for CudaKernels {
    fn matmul(&mut self, y: Buf, a: Buf, b: Buf, spec: MatmulSpec) {
        if spec.k == 0 {
            return self.fill(y, 0.0);
        }
        self.multiply(y, a, b, spec, None);
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
        let epilogue = E::EPILOGUE.map(|epilogue| match epilogue {
            elementwise::Epilogue::Bias => Epilogue::Bias,
            elementwise::Epilogue::BiasRelu => Epilogue::BiasRelu,
        });
        // A bias has the last axis and no other.
        let is_bias = |(buf, has): (Buf, [bool; R])| {
            buf.len == spec.n
                && has[R - 1]
                && !has[..R - 1].contains(&true)
                && then.dims[R - 1] == spec.n
        };
        // A half is the sum of a bias that is a half as well, of which only parameters have a form.
        let is_float = then.outputs[0].element == Element::Float;
        let is_like_y = |bias: Buf| is_float || bias.region == Region::Params;
        let fits = |bias: (Buf, [bool; R])| R > 1 && is_bias(bias) && is_like_y(bias.0);
        match (epilogue, then.inputs.get(1)) {
            (Some(epilogue), Some(bias)) if spec.k > 0 && fits(*bias) => {
                self.multiply(then.outputs[0], a, b, spec, Some((epilogue, bias.0)));
            }
            _ => {
                self.matmul(y, a, b, spec);
                self.map::<E, IN, OUT, S, R>(then.outputs, then.inputs, then.dims, then.constants);
            }
        }
    }

    fn matmul_packed_map<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &mut self,
        y: Buf,
        a: Buf,
        b: Buf,
        _packed: Buf,
        spec: MatmulSpec,
        then: Operands<IN, OUT, S, R>,
    ) where
        E: Elementwise<IN, OUT, S>,
    {
        self.matmul_map::<E, IN, OUT, S, R>(y, a, b, spec, then);
    }
}
