//! What can be wrong with a workspace and with what it is given.

use crate::device::DeviceError;

/// A workspace that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the messages say it
pub enum WorkspaceError {
    #[error("the workspace's `{name}` is {size}, but goes from 1 to {most}")]
    Capacity { name: &'static str, size: usize, most: usize },
    #[error(
        "a workspace for {sizes} has values of more than {} elements, or needs more memory than there are \
         addresses; make it for smaller sizes",
        crate::arena::MOST
    )]
    TooLarge { sizes: String },
    #[error("a cache for {sequences} sequences, but the workspace was made for at most {most}")]
    Sequences { sequences: usize, most: usize },
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// An input that does not fit, and nothing was computed; or a device that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the messages say it
pub enum InputError {
    #[error("`{input}` is empty; give it at least one sample")]
    Empty { input: &'static str },
    #[error(
        "`{input}` has {size} = {found}, but the workspace was made for at most {capacity}; \
         make a larger one or split the input"
    )]
    TooLarge { input: &'static str, size: &'static str, found: usize, capacity: usize },
    #[error("`{input}` has {size} = {found}, but the inputs before it have {expected}")]
    Differs { input: &'static str, size: &'static str, expected: usize, found: usize },
    #[error("`{input}` has {size} = 0, and sizes start at 1")]
    Zero { input: &'static str, size: &'static str },
    #[error("`{input}` has the sizes {found:?}, but needs {expected:?}")]
    Sizes { input: &'static str, expected: Vec<usize>, found: Vec<usize> },
    #[error("with {sizes}, {need}; give it sizes for which it holds, as by padding")]
    Unmet { sizes: String, need: String },
    #[error("`{input}` has {found} floats, but needs {expected}")]
    Length { input: &'static str, expected: usize, found: usize },
    #[error("`{input}` has {found} elements, not a whole number of samples of {sample} each")]
    NotWhole { input: &'static str, found: usize, sample: usize },
    #[error("{}", full(input, [*new, *past, *length]))]
    Full { input: &'static str, new: usize, past: usize, length: usize },
    #[error(
        "`{input}` has {new} new positions, but the cache holds {past} of at most {length}, and states, \
         which do not go back; `clear` it"
    )]
    FullOfStates { input: &'static str, new: usize, past: usize, length: usize },
    #[error(
        "`{input}` has {new} new positions, but a step takes at most {length}; give it some of them \
         at a time"
    )]
    TooMany { input: &'static str, new: usize, length: usize },
    #[error(
        "the cache holds positions of other parameters, or of these before they changed; `clear` it"
    )]
    Stale,
    #[error("the cache was made for a workspace on another device; make one with this workspace")]
    OtherDevice,
    #[error(
        "a step failed before it had changed all that the cache holds, whose positions are lost; \
         `clear` it"
    )]
    LostCache,
    #[error("`{input}{}` is the class {found}, but classes go from 0 to {}", Place(at), classes - 1)]
    Class { input: &'static str, at: Vec<usize>, found: i128, classes: usize },
    #[error("`{input}{}` is the length {found}, but sequences have 0 to {steps} steps", Place(at))]
    Steps { input: &'static str, at: Vec<usize>, found: i128, steps: usize },
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// Why new positions find no room behind those before.
fn full(input: &str, [new, past, length]: [usize; 3]) -> String {
    match past {
        0 => format!("`{input}` has {new} new positions, but sequences have at most {length}"),
        _ => format!(
            "`{input}` has {new} new positions, but the cache holds {past} of at most {length}; `clear` \
             it, or `truncate` it"
        ),
    }
}

/// `[3][17]`
struct Place<'a>(&'a [usize]);

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|at| write!(f, "[{at}]"))
    }
}
