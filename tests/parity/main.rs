//! The same numbers as PyTorch's: training runs, and single operations with their gradients.
//! `README.md` beside this file says how the numbers are recorded.

mod bert;
mod images;
mod indexing;
#[path = "../nets/mod.rs"]
mod nets;
mod norm;
mod ops;
mod recurrent;
mod scan;
mod sequence;
mod training;
mod transformer;
