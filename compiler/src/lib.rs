//! The compiler behind gradiron's `model!` and `#[derive(Module)]`: use the crate `gradiron`. What this
//! crate exports is for its macros and its tests, and follows no version but theirs.

pub mod derive;
pub mod diagnostics;
pub mod differentiate;
pub mod dim;
mod dump;
pub mod emit;
pub mod expand;
pub mod facts;
pub mod flow;
pub mod fuse;
pub mod graph;
mod hygiene;
pub mod layers;
pub mod lower;
pub mod model;
pub mod ops;
pub mod plan;
pub mod prepare;
pub mod step;
pub mod store;
pub mod syntax;
#[cfg(test)]
mod tests;
pub mod vocabulary;
