//! The operations, a file each: shape rule, derivative, cost and call of the runtime. Passes know
//! the trait [`Op`] and what [`builtin`] and [`fusing`] offer, and name no op.

pub mod argmax;
pub mod attention;
pub mod batch_norm;
pub mod bmm;
pub mod builtin;
pub mod call;
pub mod cat;
pub mod chain;
pub mod conv2d;
pub mod convert;
pub mod cross;
pub mod cumsum;
pub mod cut;
pub mod detach;
pub mod dropout;
pub mod elementwise;
pub mod embedding;
pub mod fusing;
pub mod gather;
pub mod grad;
pub mod interpolate;
pub mod layer_norm;
pub mod loss;
pub mod mapped;
pub mod matmul;
pub mod narrow;
pub mod number;
pub mod pool2d;
pub mod probe;
pub mod recurrent;
pub mod reduce;
pub mod rotary;
pub mod scan;
pub mod shaping;
pub mod softmax;

use std::fmt::Debug;
use std::rc::Rc;

use proc_macro2::{Ident, Span, TokenStream};

use crate::dim::{Dim, product};
pub use crate::graph::{
    Backward, Callee, Deferred, Emission, Emit, Expand, Mismatch, Op, Prepared, Role, Rule,
    Statement, Transform,
};
use crate::hygiene::{bare, quote};
use crate::vocabulary::Row;

/// A method that is one operation, made of the axis that is one of its options. Its other options
/// are operands, behind `x` in their order.
pub type Method = Row<fn(usize) -> Rc<dyn Op>>;

/// The methods that are one operation each, which stand in the operation's file.
pub const METHODS: &[Method] = &[
    gather::METHOD,
    cross::METHOD,
    cumsum::METHOD,
    argmax::METHOD,
    softmax::METHOD,
    softmax::LOG_METHOD,
];

/// The path of a room of the runtime: `__private::matmul`.
pub fn room(name: &str) -> TokenStream {
    let name = quote::format_ident!("{name}");
    quote!(__private::#name)
}

/// Sizes as an array of Rust.
pub fn dims(dims: &[Dim]) -> TokenStream {
    let dims = dims.iter().map(|dim| bare(dim.tokens()));
    quote!([#(#dims),*])
}

/// The elements before an axis, on it, and behind it, as runtime's specs have them.
pub fn around(dims: &[Dim], axis: usize) -> [TokenStream; 3] {
    let (outer, inner) = (product(&dims[..axis]), product(&dims[axis + 1..]));
    [&outer, &dims[axis], &inner].map(Dim::tokens)
}

/// The name of an enum's variant.
pub fn variant(value: &impl Debug) -> Ident {
    Ident::new(&format!("{value:?}"), Span::call_site())
}
