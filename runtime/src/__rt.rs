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
/// Functions of models as workspaces run them.
pub mod function {
    pub use crate::function::*;
}
/// Runs step by step.
pub mod step {
    pub use crate::step::*;
    pub use crate::workspace::check_steps;
}
/// Memory that a device keeps.
pub mod storage {
    pub use crate::storage::*;
}
/// Constants that describe the tensors of a module.
pub mod table {
    pub use crate::module::table::*;
}

pub use crate::arena::{minus, plus, times};
pub use crate::module::{ParamSpec, StateKind, StateSpec, init_params};
pub use crate::net::Sequential;
pub use crate::program::{FunctionPlan, Pass, Program};
pub use crate::storage::Storage;
pub use crate::{device, init, math, no_step, ops, profile, rooms, view};
