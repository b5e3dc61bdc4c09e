//! What can go wrong as a file is written.

use std::io;
use std::path::PathBuf;

use crate::failure::DeviceError;

/// Why a file was not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The path leads to something that a file must not replace.
    #[error("cannot save to `{path}`: {reason}; name another file")]
    Refused {
        /// The path to save to.
        path: PathBuf,
        /// What is there.
        reason: String,
    },
    /// The new file could not be made beside the old one: its folder is missing, for instance.
    #[error(
        "cannot save to `{path}`: no file can be made in the folder `{folder}` ({error}); \
         check that the folder exists and may be written to"
    )]
    Folder {
        /// The path to save to.
        path: PathBuf,
        /// The folder of the path.
        folder: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Writing failed: the disk is full, for instance. An old file is as it was.
    #[error(
        "cannot save to `{path}`: writing failed ({error}); what was there before is unchanged"
    )]
    Write {
        /// The path to save to.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The new file was written, and the system did not give it its name: others have the old one
    /// open, for instance, on a drive where that keeps it. An old file is as it was.
    #[error(
        "cannot save to `{path}`: the new file could not take its name ({error}); what was there before \
         is unchanged; close it in other programs, or name another file"
    )]
    Rename {
        /// The path to save to.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A count of the state is none, so that the file would not load.
    #[error(
        "cannot save `{tensor}`: expected a whole number from 0 on, found {found}; correct what was written \
         to `state_mut()`"
    )]
    Count {
        /// The tensor.
        tensor: String,
        /// What is in its place of the state.
        found: f32,
    },
    /// The new file is in place, and the system did not confirm that it would outlast a loss of
    /// power.
    #[error(
        "saved `{path}`, but the folder `{folder}` could not be synced ({error}); the file may \
         not outlast a loss of power"
    )]
    Sync {
        /// The path to save to.
        path: PathBuf,
        /// The folder of the path.
        folder: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The model describes its parameters wrongly.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The device that has the parameters did not bring them. An old file is as it was.
    #[error("cannot save the parameters: {0}")]
    Device(#[from] DeviceError),
}

/// A model whose description of its parameters is wrong, which only one written by hand can be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LayoutError {
    /// A parameter lies outside of the flat slice.
    #[error(
        "the model describes `{tensor}` with shape {shape:?} from float {start} on, and has \
         {floats} floats; correct its `Module::describe`"
    )]
    Outside {
        /// The parameter.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Its first float.
        start: usize,
        /// The length of the flat slice.
        floats: usize,
    },
    /// Two parameters have one name.
    #[error("the model describes two parameters `{tensor}`; correct its `Module::describe`")]
    Twice {
        /// The name.
        tensor: String,
    },
}
