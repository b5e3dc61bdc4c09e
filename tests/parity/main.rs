//! The same numbers as PyTorch's: training runs, and single operations with their gradients.

mod bert;
mod choices;
mod images;
#[path = "../nets/mod.rs"]
mod nets;
mod norm;
mod ops;
mod recurrent;
mod runs;
mod scan;
mod sequence;
mod transformer;
