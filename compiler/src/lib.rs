//! The compiler behind gradiron's `model!` and `#[derive(Module)]`: use the crate `gradiron`. What
//! this crate exports is for its macros and its tests, and follows no version but theirs.

pub mod declared;
pub mod derive;
pub mod diagnostics;
pub mod dim;
mod dump;
pub mod emit;
pub mod facts;
pub mod flow;
pub mod graph;
mod hygiene;
pub mod language;
pub mod layers;
pub mod lower;
pub mod mentions;
pub mod model;
pub mod names;
pub mod ops;
mod outline;
pub mod passes;
pub mod range;
pub mod reference;
pub mod syntax;
#[cfg(test)]
mod tests;
pub mod text;
pub mod vocabulary;
