//! Data sets: paired samples in memory, and readers of published formats.
//!
//! [`Dataset`] holds the samples as plain nested arrays and hands them out in batches. [`idx`]
//! reads the IDX format, [`mnist`] the set of handwritten digits that is published in it,
//! [`cifar10`] a set of colour images. Whatever is wrong with a file comes back as a [`DataError`].

pub mod cifar10;
mod dataset;
mod error;
pub mod idx;
pub mod mnist;

pub use dataset::Dataset;
pub use error::DataError;
