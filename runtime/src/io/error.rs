//! What can go wrong with a file of parameters.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::failure::DeviceError;
use crate::files::LayoutError;
use crate::optim::GroupError;

/// How many mismatches a message spells out.
pub(super) const SHOWN: usize = 5;

/// How much of a name that is too long a message shows.
pub(super) const SHOWN_OF_NAME: usize = 32;

/// How much of what a parser says a message shows: a name of 1,024 bytes and what stands around it.
pub(super) const SHOWN_OF_REASON: usize = 2048;

/// The first bytes of a text, as whole characters.
pub(super) fn start_of(text: &str, bytes: usize) -> Cow<'_, str> {
    if text.len() <= bytes {
        return Cow::Borrowed(text);
    }
    let end = (0..=bytes).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    Cow::Owned(format!("{}…", &text[..end]))
}

/// Why parameters were not loaded. The model is as it was.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The device that has the parameters before did not bring them.
    #[error("cannot load into these parameters: {0}")]
    Device(#[from] DeviceError),
    /// The file is missing or cannot be read.
    #[error("cannot read `{path}`: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file is one of PyTorch's own, which run code when they are read.
    #[error(
        "expected safetensors, found PyTorch's own format in `{path}`; convert it in Python: \
         `safetensors.torch.save_file(torch.load(\"{path}\", weights_only=True), \
         \"model.safetensors\")`"
    )]
    PyTorch {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else, or damaged.
    #[error(
        "expected safetensors, found something else or a damaged file in `{path}`: {error}; \
         write or download the file again"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: FormatError,
    },
    /// The file holds the parameters of another model.
    #[error("the parameters in `{path}` are not those of the model: {}", List(mismatches))]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// All that does not fit: first the model's parameters in their order, then what the
        /// file has beyond them.
        mismatches: Vec<Mismatch>,
    },
    /// A name to leave out is none of the model's and none of the file's.
    #[error(
        "`load_except` was to leave out `{name}`, which names no tensor of the model or of `{path}`, \
         nor what stands before a dot in one; {}",
        Near(near)
    )]
    Except {
        /// The file.
        path: PathBuf,
        /// The name that was given.
        name: String,
        /// Names that might be meant.
        near: Vec<String>,
    },
    /// A part of the model to load is none.
    #[error(
        "`only` was to load `{name}`, which names no tensor of the model, nor what stands before a dot in one; {}",
        Near(near)
    )]
    Only {
        /// The name that was given.
        name: String,
        /// Names that might be meant.
        near: Vec<String>,
    },
    /// No name of the file begins as was said.
    #[error(
        "`{method}` was to change names that begin with `{from}`, and none in `{path}` does; {}",
        Near(near)
    )]
    Rename {
        /// The file.
        path: PathBuf,
        /// `prefix` or `rename`.
        method: &'static str,
        /// The start that was given.
        from: String,
        /// Names that might be meant.
        near: Vec<String>,
    },
    /// Two tensors of the file would have one name.
    #[error(
        "`rename` gives two tensors of `{path}` the name `{name}`; leave one out or name it otherwise"
    )]
    Renamed {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// The steps of an optimizer's parameters make too many groups.
    #[error(transparent)]
    Groups(#[from] GroupError),
    /// The model describes its parameters wrongly.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

/// What is wrong with a file that should hold safetensors.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FormatError {
    /// There is no room for the length of the header.
    #[error("expected at least 8 bytes, found {found}")]
    TooShort {
        /// The bytes of the file.
        found: u64,
    },
    /// The header is longer than the file, or than the format allows.
    #[error("expected a header of at most {most} bytes, found a header length of {found}")]
    HeaderLength {
        /// The bytes after the header's length, at most 100 000 000.
        most: u64,
        /// The header's length, as the file tells it.
        found: u64,
    },
    /// The header is longer than one for the model can be.
    #[error(
        "expected a header of at most {most} bytes, 4 MiB and 64 times what the model's tensors need, \
         found one of {found}; save the model's tensors to a file of their own"
    )]
    LongHeader {
        /// The bytes of a header that are read for the model.
        most: u64,
        /// The header's length, as the file tells it.
        found: u64,
    },
    /// A tensor has a name that is too long.
    #[error("expected names of at most {most} bytes, found one of {found}, `{start}`")]
    Name {
        /// The bytes that a name may have: 1,024, or those of the model's longest.
        most: usize,
        /// Those of the name.
        found: usize,
        /// How it begins.
        start: String,
    },
    /// A tensor has too many sizes.
    #[error("expected shapes of at most {most} sizes, found more for `{tensor}`")]
    Rank {
        /// The tensor.
        tensor: String,
        /// The sizes that a shape may have.
        most: usize,
    },
    /// The header is no JSON, or tells nonsense, tensors that overlap for instance.
    #[error("its header is wrong ({reason})")]
    Header {
        /// What the parser said.
        reason: String,
    },
    /// Two tensors have one name.
    #[error("its header names `{tensor}` twice")]
    Twice {
        /// The name.
        tensor: String,
    },
    /// The file was cut off, or something was appended.
    #[error("expected {expected} bytes by its header, found {found}")]
    FileLength {
        /// The bytes that the header tells of, itself included.
        expected: u128,
        /// The bytes of the file.
        found: u64,
    },
}

/// One tensor that does not fit the model.
#[derive(Clone, Debug, PartialEq)]
pub enum Mismatch {
    /// The file lacks a parameter.
    Missing {
        /// The parameter.
        tensor: String,
        /// Its shape.
        expected: Vec<usize>,
        /// A tensor of the file that the model does not have, with a similar name. Looked for
        /// only where a message shows it.
        similar: Option<String>,
    },
    /// The file has a tensor that the model does not have.
    Unexpected {
        /// The tensor.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
    },
    /// A tensor has another shape.
    Shape {
        /// The tensor.
        tensor: String,
        /// The shape of the parameter.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// Two tensors hold different numbers, but are one weight of the model.
    Tied {
        /// The tensor.
        tensor: String,
        /// The tensor that it should equal.
        equal: String,
    },
    /// A count is negative.
    Count {
        /// The tensor.
        tensor: String,
        /// The count in the file.
        found: i64,
    },
    /// A tensor holds other numbers: not `F32`, or `I64` for a count.
    Dtype {
        /// The tensor.
        tensor: String,
        /// The type it should have, as safetensors calls it.
        expected: String,
        /// The type in the file, as safetensors calls it, `BF16`.
        found: String,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mismatch::Missing { tensor, expected, similar } => {
                write!(f, "`{tensor}`: expected shape {expected:?}, found no such tensor")?;
                match similar {
                    Some(similar) => write!(f, "; rename `{similar}` if you meant that"),
                    None => Ok(()),
                }
            }
            Mismatch::Unexpected { tensor, found } => {
                let todo = "leave it out with `load_except`";
                write!(f, "`{tensor}`: expected no such tensor, found shape {found:?}; {todo}")
            }
            Mismatch::Tied { tensor, equal } => {
                let tied = format!("the numbers of `{equal}`, to which it is tied in the model");
                let todo = "leave it out with `load_except`, or do not tie it";
                write!(f, "`{tensor}`: expected {tied}, found others; {todo}")
            }
            Mismatch::Shape { tensor, expected, found } => {
                write!(f, "`{tensor}`: expected shape {expected:?}, found {found:?}")
            }
            Mismatch::Count { tensor, found } => {
                let todo = "leave it out with `load_except`";
                write!(f, "`{tensor}`: expected a count from 0 on, found {found}; {todo}")
            }
            Mismatch::Dtype { tensor, expected, found } => {
                let method = if expected == "I64" { "long" } else { "float" };
                let todo = format!("convert it in Python with `tensor.{method}()`");
                write!(f, "`{tensor}`: expected dtype {expected}, found {found}; {todo}")
            }
        }
    }
}

/// The first ones of the model's tensors, and the first ones that only the file has: where all
/// names differ, both sides are to be seen.
struct List<'a>(&'a [Mismatch]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_file = |mismatch: &&Mismatch| matches!(mismatch, Mismatch::Unexpected { .. });
        for (file, whose) in [(false, "of the model"), (true, "of the file")] {
            let mut all = self.0.iter().filter(|mismatch| of_file(mismatch) == file);
            for mismatch in all.by_ref().take(SHOWN) {
                write!(f, "\n  {mismatch}")?;
            }
            match all.count() {
                0 => {}
                rest => write!(f, "\n  and {rest} more {whose}")?,
            }
        }
        Ok(())
    }
}

/// Names that might be meant.
struct Near<'a>(&'a [String]);

impl fmt::Display for Near<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|name| format!("`{name}`")).collect();
        match names.is_empty() {
            true => f.write_str("leave it away"),
            false => write!(f, "the nearest names are {}", names.join(", ")),
        }
    }
}
