//! Neural networks whose shapes the compiler checks.
//!
//! [`model!`] turns layers and functions into a struct with methods for inference and for
//! gradients. A [`Workspace`] holds all memory of its runs, allocated once; an optimizer of
//! [`optim`] changes the parameters along the gradients in it.
//!
//! ```
//! use gradiron::prelude::*;
//!
//! model! {
//!     /// y = w x + b
//!     pub struct Line {
//!         line: Linear(1 -> 1),
//!     }
//!
//!     fn loss(&self, x: [batch, 1], y: [batch, 1]) -> [] {
//!         mse_loss(self.line(x), y)
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let x: Vec<[f32; 1]> = (0..100).map(|i| [i as f32 / 50.0 - 1.0]).collect();
//!     let y: Vec<[f32; 1]> = x.iter().map(|[x]| [3.0 * x + 2.0]).collect();
//!
//!     let mut net = Line::init(Seed(0));
//!     let mut ws = Line::workspace(100)?;
//!     let mut sgd = Sgd::new(&net, 0.2)?;
//!     for _ in 0..100 {
//!         net.loss_grad(&mut ws, &x, &y)?;
//!         sgd.step(&mut net, ws.grads());
//!     }
//!     assert!((net.line().weight()[0][0] - 3.0).abs() < 1e-2);
//!     Ok(())
//! }
//! ```
//!
//! What can be written in a model is in `docs/REFERENCE.md` of the repository: each layer,
//! operation and loss, with its shapes, options, formula and an example. The folder has a tutorial,
//! too.
#![warn(missing_docs)]

#[cfg(all(
    feature = "cuda",
    not(all(target_pointer_width = "64", any(target_os = "linux", windows)))
))]
compile_error!(
    "the feature `cuda` of gradiron needs NVIDIA's driver, which there is for 64-bit Linux and Windows alone: \
     build without it for this target"
);

#[cfg(target_endian = "big")]
compile_error!(
    "gradiron is for little-endian processors: halves and bytes lie in the places of floats in that order, and \
     no other has been tried"
);

#[cfg(not(any(target_pointer_width = "32", target_pointer_width = "64")))]
compile_error!("gradiron needs pointers of 32 or 64 bits: class indices are numbers of 32 bits");

// `model!` writes absolute paths.
extern crate self as gradiron;

#[doc(hidden)]
pub mod __private;
mod arena;
mod buf;
mod check;
mod constant;
pub mod data;
pub mod debug;
pub mod device;
mod failure;
mod files;
mod function;
pub mod init;
pub mod io;
pub mod language;
pub mod layers;
#[cfg(test)]
mod layers_of_modules;
mod layout;
#[doc(hidden)]
pub mod math;
mod memory;
pub mod module;
mod net;
mod observe;
#[doc(hidden)]
pub mod ops;
pub mod optim;
pub mod profile;
mod program;
mod pytorch;
pub mod rng;
pub mod sample;
mod step;
mod storage;
mod stub;
pub mod summary;
pub mod tensor;
mod training;
pub mod typed;
pub mod view;
mod want;
pub mod workspace;

#[doc = include_str!("derive.md")]
pub use gradiron_macros::Module;
#[doc = include_str!("model.md")]
pub use gradiron_macros::model;
pub use module::{Model, Module};
pub use net::Net;
pub use rng::Seed;
pub use tensor::{ClassIndex, Padded, TensorView};
#[doc(no_inline)]
pub use typenum;
pub use workspace::{
    Cache, InferWorkspace, InputError, Network, Purpose, StepCheck, TruncateError, Workspace,
    WorkspaceError,
};

/// What a program that trains a network needs: `use gradiron::prelude::*;`.
pub mod prelude {
    #[cfg(feature = "cuda")]
    pub use crate::device::Cuda;
    pub use crate::device::{Cpu, Precision, Target};
    pub use crate::layers::*;
    pub use crate::module::{Kind, Model, except};
    pub use crate::net::Net;
    pub use crate::optim::each::*;
    pub use crate::optim::{Grads, Optimizer};
    pub use crate::profile::Profile;
    #[doc(hidden)]
    pub use crate::pytorch::{Dictionary as _, Gradients as _, Modes as _, Moves as _, Tape as _};
    pub use crate::rng::Seed;
    pub use crate::tensor::{Padded, TensorView};
    pub use crate::typed::{self, Minus, Plus, Quotient, Size, Times};
    pub use crate::workspace::{Cache, InferWorkspace, InputError, Network, Workspace};
    pub use gradiron_macros::{Module, model};
}

/// The snippets of the README, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
