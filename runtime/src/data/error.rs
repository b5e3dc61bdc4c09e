//! What can be wrong with data: where, what was expected, what was found, what to do.

use std::io;
use std::path::PathBuf;

/// Why data could not be loaded.
///
/// Every message names the file, what was expected and what was found, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the messages say it
pub enum DataError {
    /// A data set was given more inputs than targets, or fewer.
    #[error(
        "a data set pairs each input with one target, but got {inputs} inputs and {targets} \
         targets: give equally many of both"
    )]
    Lengths { inputs: usize, targets: usize },

    /// There is no such file.
    #[error("`{}`: no such file: {help}", path.display())]
    NotFound { path: PathBuf, help: &'static str },

    /// The operating system could not open or read the file.
    #[error("`{}`: the file could not be read ({source}): check that it is a readable file", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },

    /// A file named `.gz` is not compressed with gzip.
    #[error(
        "`{}`: expected a gzip file, which begins with the bytes 1f 8b, but it begins with \
         {found}: if it is decompressed already, drop `.gz` from its name; otherwise get it anew",
        path.display()
    )]
    NotGzip { path: PathBuf, found: String },

    /// The compressed data ends too soon, is damaged, or is followed by something else.
    #[error(
        "`{}`: expected complete gzip data, but it is truncated or damaged ({source}): get the \
         file anew",
        path.display()
    )]
    DamagedGzip {
        path: PathBuf,
        #[source]
        source: io::Error,
    },

    /// The file ends inside its header.
    #[error(
        "`{}`: expected an IDX header of {expected} bytes, but the file ends after {found}: get \
         the file anew",
        path.display()
    )]
    TruncatedHeader { path: PathBuf, expected: usize, found: usize },

    /// The file is not an IDX file.
    #[error(
        "`{}`: expected an IDX file, which begins with the bytes 00 00, but it begins with \
         {found}: {help}",
        path.display()
    )]
    Magic { path: PathBuf, found: String, help: &'static str },

    /// The elements are not unsigned bytes.
    #[error(
        "`{}`: expected elements of type 0x08 (unsigned byte), but found type {found:#04x} \
         ({name}): convert the file to unsigned bytes",
        path.display()
    )]
    ElementType { path: PathBuf, found: u8, name: &'static str },

    /// The file has another number of dimensions.
    #[error(
        "`{}`: expected {expected} dimension(s), but found {found}: check that this is the right \
         file (images have 3, labels 1)",
        path.display()
    )]
    Rank { path: PathBuf, expected: usize, found: usize },

    /// The dimensions multiply to more bytes than memory can address.
    #[error(
        "`{}`: expected dimensions whose product memory can hold, but found {dims:?}: the header \
         is damaged; get the file anew",
        path.display()
    )]
    TooLarge { path: PathBuf, dims: Vec<usize> },

    /// The compressed file would become longer than a data set is thought to.
    #[error(
        "`{}`: expected compressed data of at most {most} bytes, 64 MiB or a hundred times the {packed} of \
         the file, but the dimensions {dims:?} have {expected}: if you trust it, decompress it with \
         `gzip -d` and load that",
        path.display()
    )]
    Unpacked { path: PathBuf, dims: Vec<usize>, expected: usize, packed: u64, most: u64 },

    /// The samples of the file do not fit into memory.
    #[error(
        "`{}`: expected memory for {samples} samples of {bytes} bytes each, but there is not enough: load \
         a part of the set",
        path.display()
    )]
    Memory { path: PathBuf, samples: usize, bytes: usize },

    /// The file holds fewer bytes than its dimensions promise.
    #[error(
        "`{}`: expected {expected} bytes of data for the dimensions {dims:?}, but found only \
         {found}: the file is truncated; get it anew",
        path.display()
    )]
    Truncated { path: PathBuf, dims: Vec<usize>, expected: usize, found: usize },

    /// The file holds more bytes than its dimensions promise.
    #[error(
        "`{}`: expected {expected} bytes of data for the dimensions {dims:?}, but found more: the \
         header or the end of the file is damaged; get it anew",
        path.display()
    )]
    Trailing { path: PathBuf, dims: Vec<usize>, expected: usize },

    /// The images have another size.
    #[error(
        "`{}`: expected images of {} x {} pixels, but found {} x {}: check that this is the right \
         file",
        path.display(), expected[0], expected[1], found[0], found[1]
    )]
    ImageSize { path: PathBuf, expected: [usize; 2], found: [usize; 2] },

    /// A label is not the number of a class.
    #[error(
        "`{}`: expected labels below {classes}, but label {index} is {found}: check that this is \
         the right file, or get it anew",
        path.display()
    )]
    Label { path: PathBuf, index: usize, found: u8, classes: usize },

    /// The file does not consist of whole records.
    #[error(
        "`{}`: expected records of {record} bytes each, a label and an image, but found {found} \
         bytes, which are no whole number of them: the file is truncated or another one; get it \
         anew",
        path.display()
    )]
    Records { path: PathBuf, record: usize, found: u64 },

    /// Images and labels do not pair up.
    #[error(
        "`{}`: expected one label for each of the {images} images in `{}`, but found {found} \
         labels: take both files from the same set",
        labels.display(), path.display()
    )]
    Unpaired { path: PathBuf, labels: PathBuf, images: usize, found: usize },
}
