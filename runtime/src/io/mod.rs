//! Parameters in files: [`Model::save`](crate::module::Model::save) and
//! [`Model::load`](crate::module::Model::load).
//!
//! The format is [safetensors](https://github.com/huggingface/safetensors), with the names and
//! layouts of PyTorch's `state_dict`: a file goes between both libraries as it is. What is written
//! has the bytes that `safetensors.torch.save_file(net.state_dict(), path, {"format": "pt"})`
//! writes.

mod error;
mod header;
mod names;
mod numbers;
mod safetensors;

pub use error::{FormatError, LoadError, Mismatch};
pub(crate) use names::near;
#[doc(hidden)]
pub use safetensors::load_bytes;
pub(crate) use safetensors::{load, save};

pub use crate::files::{LayoutError, SaveError};
