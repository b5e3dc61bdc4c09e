//! Whole models: their gradients against differences, and what they promise besides.

#[macro_use]
mod macros;

mod axes;
mod batch_norm;
mod buffers;
mod check;
mod constants;
mod containers;
mod data;
mod derived;
mod detach;
mod dropout;
mod elementwise;
mod epilogues;
mod equal_constants;
mod far_from_zero;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod flush_to_zero;
mod frozen;
mod functions;
mod images;
mod indices;
mod layers;
mod lengths;
mod losses;
mod masks;
mod nested;
mod numbers;
mod penalties;
mod prepared;
mod raw_identifiers;
mod refusals;
mod rows;
mod run_time_sizes;
mod scan;
mod several_losses;
mod shapes;
mod siblings;
mod sizes_of_sums;
mod step;
mod step_states;
mod training;
mod trains;
mod weights;
