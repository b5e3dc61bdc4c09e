//! What the code that `model!` and `#[derive(Module)]` generate names, and what the tests of this
//! repository look at. It is no part of the interface: it may change with any version.

/// Where buffers lie.
pub mod arena {
    pub use crate::arena::*;
}
/// What rustc evaluates of a model.
pub mod check {
    pub use crate::check::*;
}
/// Arrays that are constants of the program.
pub mod constant {
    pub use crate::constant::*;
}
/// Constants that describe the tensors of a module.
pub mod table {
    pub use crate::module::table::*;
}

pub use crate::arena::{
    MOST, Part, Sizes, bytes, max, min, minus, padded, plus, size_of_axis, sum, times,
};
pub use crate::buf::{Buf, Indices, Region};
pub use crate::device::{Cpu, Device, DeviceError, Kernels, Loss, PerSide, Target};
pub use crate::function::{Backward, Forward, Function, Infer, Lens, apart, is_small, offsets};
pub use crate::init::Init;
pub use crate::layout::{Layout, Row, are_too_large, layout, share};
pub use crate::math::Arith;
pub use crate::memory::Memory;
pub use crate::module::{Model, Module, ParamSpec, StateKind, StateSpec, init_params};
pub use crate::net::{Net, Sequential};
pub use crate::ops::elementwise::blocks::{Blocks, Link, Operand};
pub use crate::ops::elementwise::functions::on_blocks;
pub use crate::ops::elementwise::{Elementwise, Epilogue, functions, operands};
pub use crate::ops::*;
pub use crate::optim::Optimizer;
pub use crate::profile::{PassOps, Phase};
pub use crate::program::{FunctionPlan, Pass, PreparedAt, Program, Purpose};
pub use crate::rng::Seed;
pub use crate::step::{Held, Part as StepPart, Stepwise};
pub use crate::storage::Storage;
pub use crate::stub::{Broken, NoModel, NoStep, Unknown};
pub use crate::summary::{Outline, Summary};
pub use crate::tensor::{AsTensor, ClassIndex, TensorView};
pub use crate::typed::Size;
pub use crate::view::{self, BatchNorm, Layer, array, batch, flat};
pub use crate::want::{Reach, Want};
pub use crate::workspace::{
    Cache, Footprint, InferWorkspace, InputError, Inputs, StepCheck, Workspace, WorkspaceError,
    check_steps,
};
pub use crate::{device, init, math, ops, profile, rooms};
pub use std::option::Option::{self, None, Some};
pub use std::result::Result::{self, Ok};
pub use std::vec::Vec;
