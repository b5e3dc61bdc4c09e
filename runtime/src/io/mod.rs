//! Parameters in files: [`Model::save`](crate::module::Model::save) and
//! [`Model::load`](crate::module::Model::load).
//!
//! The format is [safetensors](https://github.com/huggingface/safetensors), with the names and
//! layouts of PyTorch's `state_dict`: a file goes between both libraries as it is. What is written
//! has the bytes that `safetensors.torch.save_file(net.state_dict(), path, {"format": "pt"})`
//! writes.

mod error;
mod file;
mod header;
mod loading;
mod names;
mod numbers;
mod optimizer;
mod safetensors;

pub use error::{FormatError, LoadError, Mismatch};
pub use file::Loaded;
pub use loading::Loading;
#[doc(hidden)]
pub use loading::load_bytes;
pub(crate) use names::near;
pub(crate) use optimizer::{load_state, save_state};
pub(crate) use safetensors::save;

pub use crate::files::{LayoutError, SaveError};
