//! Matrix product (`torch.matmul` of two matrices): `y[i, j] = Σ_p a[i, p] · b[p, j]`, where either
//! operand may be stored transposed. With `d_y` the gradient of the result,
//! `d_a = d_y · bᵀ` and `d_b = aᵀ · d_y`, which are matrix products again.

mod bf16;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod cut;
pub(crate) mod few;
mod gemm;
pub(in crate::ops) mod pack;
mod packed;
pub mod reference;
mod tile;
mod tiny;
mod view;

pub(crate) use gemm::{pack_a, pack_all};
pub(crate) use tile::{Block, Panel, Tiling};
pub(crate) use view::View;

use crate::device::Buf;
use crate::ops::elementwise::{Elementwise, Map, Operands};
use crate::ops::kernels;

/// How the operands are stored, row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `a [m, k]`, `b [k, n]`
    NN,
    /// `a [m, k]`, `b [n, k]`
    NT,
    /// `a [k, m]`, `b [k, n]`
    TN,
}

/// The sizes of a product `y [m, n]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatmulSpec {
    /// How the operands are stored.
    pub layout: Layout,
    /// Rows of `a` and `y`.
    pub m: usize,
    /// Columns of `a`, rows of `b`.
    pub k: usize,
    /// Columns of `b` and `y`.
    pub n: usize,
}

/// `y [m, n] = a [m, k] · b [k, n]`
pub const fn nn(m: usize, k: usize, n: usize) -> MatmulSpec {
    MatmulSpec { layout: Layout::NN, m, k, n }
}

/// `y [m, n] = a [m, k] · b [n, k]ᵀ`
pub const fn nt(m: usize, k: usize, n: usize) -> MatmulSpec {
    MatmulSpec { layout: Layout::NT, m, k, n }
}

/// `y [m, n] = a [k, m]ᵀ · b [k, n]`
pub const fn tn(m: usize, k: usize, n: usize) -> MatmulSpec {
    MatmulSpec { layout: Layout::TN, m, k, n }
}

impl MatmulSpec {
    /// `(m, k, n)`
    pub const fn sizes(&self) -> (usize, usize, usize) {
        (self.m, self.k, self.n)
    }

    /// The distances of neighbours in `a`: from row to row, along `k`.
    pub const fn a_strides(&self) -> (usize, usize) {
        match self.layout {
            Layout::NN | Layout::NT => (self.k, 1),
            Layout::TN => (1, self.m),
        }
    }

    /// The distances of neighbours in `b`: along `k`, from column to column.
    pub const fn b_strides(&self) -> (usize, usize) {
        match self.layout {
            Layout::NN | Layout::TN => (self.n, 1),
            Layout::NT => (1, self.k),
        }
    }

    /// The floats of the packed form of `b [n, k]`, whatever `m`; 0 where reading `b` itself is as
    /// fast.
    #[inline]
    pub const fn packed_len(&self) -> usize {
        packed::len(self.k, self.n)
    }
}

kernels! {
    #[tiny]
    /// The kernel of this room.
    pub trait Matmul: Map {
        /// `y = a · b`; zeros where `k` is 0.
        fn matmul(&mut self, y: Buf, a: Buf, b: Buf, spec: MatmulSpec);

        /// `y = a · b`, then a chain whose first input is `y`; `y` may be the memory of its first
        /// output.
        #[inline(always)]
        fn matmul_map<
            E: Elementwise<IN, OUT, S>,
            const IN: usize,
            const OUT: usize,
            const S: usize,
            const R: usize,
        >(
            &mut self,
            y: Buf,
            a: Buf,
            b: Buf,
            spec: MatmulSpec,
            then: Operands<IN, OUT, S, R>,
        ) {
            self.matmul(y, a, b, spec);
            self.map::<E, IN, OUT, S, R>(then.outputs, then.inputs, then.dims, then.constants);
        }

        /// Writes a form of `b [n, k]`, `packed_len` floats, that `matmul_packed` may prefer.
        fn matmul_pack(&mut self, _packed: Buf, _b: Buf, _spec: MatmulSpec) {}

        /// `matmul` of layout [`NT`](Layout::NT), given `b` and what `matmul_pack` made of it.
        #[inline(always)]
        fn matmul_packed(&mut self, y: Buf, a: Buf, b: Buf, _packed: Buf, spec: MatmulSpec) {
            self.matmul(y, a, b, spec);
        }

        /// `matmul_packed`, then a chain, as in `matmul_map`.
        #[inline(always)]
        fn matmul_packed_map<
            E: Elementwise<IN, OUT, S>,
            const IN: usize,
            const OUT: usize,
            const S: usize,
            const R: usize,
        >(
            &mut self,
            y: Buf,
            a: Buf,
            b: Buf,
            packed: Buf,
            spec: MatmulSpec,
            then: Operands<IN, OUT, S, R>,
        ) {
            self.matmul_packed(y, a, b, packed, spec);
            self.map::<E, IN, OUT, S, R>(then.outputs, then.inputs, then.dims, then.constants);
        }
    }
}
