//! Neural networks whose shapes the compiler checks.

// `model!` writes absolute paths.
extern crate self as gradiron;

pub mod arena;
pub mod check;
pub mod data;
pub mod device;
pub mod init;
pub mod io;
pub mod layers;
pub mod math;
pub mod module;
pub mod net;
pub mod ops;
pub mod optim;
pub mod rng;
pub mod storage;
pub mod view;
pub mod workspace;

pub use gradiron_macros::{Module, model};
pub use init::Seed;
pub use module::{Model, Module, ParamSpec, init_params};
pub use net::{Net, Sequential};
pub use storage::Storage;
#[doc(hidden)]
pub use workspace::FunctionPlan;
pub use workspace::{ClassIndex, InputError, Pass, Program, Workspace, WorkspaceError};

/// What a program that trains a network needs: `use gradiron::prelude::*;`.
pub mod prelude {
    pub use crate::device::Cpu;
    pub use crate::init::Seed;
    pub use crate::layers::*;
    pub use crate::module::Model;
    pub use crate::net::Net;
    pub use crate::optim::{Adam, AdamW, Grads, Optimizer, RMSprop, Sgd};
    pub use crate::workspace::Workspace;
    pub use gradiron_macros::{Module, model};
}
