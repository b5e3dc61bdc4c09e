//! The layers as types, for the fields of a `#[derive(Module)]` struct. They hold nothing: the
//! struct describes a network, and `Net` owns its parameters. In `model!`, the same names are
//! written with parentheses: `Linear(784 -> 128)`. Containers put layers, models and tuples of them
//! together.

use std::marker::PhantomData;

// From the rows of the compiler, which say what the parameters are.
gradiron_macros::layer_types!();

/// `x + f(x)`, the connection around the layers of a residual network; with a second type
/// `f(x) + s(x)`, where sizes change. `F` and `S` are layers, models or tuples of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Residual<F, S = Identity>(PhantomData<fn() -> (F, S)>);

/// The sum of branches, a tuple: `a(x) + b(x)`. PyTorch's `torch.add`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Add<F>(PhantomData<fn() -> F>);

/// The product of branches, a tuple: `a(x) * b(x)`, as in gated layers. PyTorch's `torch.mul`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mul<F>(PhantomData<fn() -> F>);

/// The results of branches, a tuple, one behind the other along the axis `DIM`. PyTorch's
/// `torch.cat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cat<F, const DIM: usize = 1>(PhantomData<fn() -> F>);

/// `x` as it is. PyTorch's `torch.nn.Identity`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity;
