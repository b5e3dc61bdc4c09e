//! The layers as types, for the fields of a `#[derive(Module)]` struct. They hold nothing: the
//! struct describes a network, and `Net` owns its parameters. In `model!`, the same names are
//! written with parentheses: `Linear(784 -> 128)`.

// From the rows of the compiler, which say what the parameters are.
gradiron_macros::layer_types!();
