//! Reader of the IDX format, plain or compressed with gzip.
//!
//! An IDX file is two zero bytes, a byte for the element type, a byte for the number of
//! dimensions, each dimension as a big-endian `u32`, and then the elements with the last
//! dimension running fastest. This reader takes unsigned bytes (type `0x08`), which is what
//! images and labels are published as.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;

use super::DataError;

/// The contents of an IDX file of unsigned bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idx<const RANK: usize> {
    /// The dimensions, the slowest first.
    pub dims: [usize; RANK],
    /// The elements; as many as the product of `dims`.
    pub bytes: Vec<u8>,
}

/// Reads an IDX file of unsigned bytes with `RANK` dimensions. A file whose name ends in
/// `.gz` is decompressed on the way.
///
/// Memory use follows from the length of the file, never from what its header claims: a plain file
/// must have as many bytes as the header says before they are read, and a compressed one may become
/// 64 MiB, or a hundred times as long as it is, the larger of the two ([`DataError::Unpacked`]).
///
/// ```no_run
/// use gradiron::data::idx;
///
/// let labels = idx::read::<1>("data/mnist/train-labels-idx1-ubyte.gz")?;
/// println!("{} labels, the first is {}", labels.dims[0], labels.bytes[0]);
/// # Ok::<(), gradiron::data::DataError>(())
/// ```
///
/// # Errors
///
/// When the file is missing, no regular file or cannot be read, is not what its name or `RANK`
/// says, or is truncated, damaged or longer than its header says.
pub fn read<const RANK: usize>(path: impl AsRef<Path>) -> Result<Idx<RANK>, DataError> {
    Reader::open(path.as_ref())?.read()
}

/// [`read`] from bytes in memory, as those of a file of this name: for tests of the reader.
#[doc(hidden)]
pub fn read_bytes<const RANK: usize>(name: &str, bytes: &[u8]) -> Result<Idx<RANK>, DataError> {
    Reader::new(Path::new(name), bytes, bytes.len() as u64)?.read()
}

/// A file whose header was read.
pub(super) struct Reader<'a, R, const RANK: usize> {
    path: &'a Path,
    /// What follows the header.
    data: Data<R>,
    pub dims: [usize; RANK],
}

enum Data<R> {
    Plain(R),
    Zipped(Members<Start<R>>),
}

/// The bytes that were looked at, and what follows them.
type Start<R> = io::Chain<&'static [u8], R>;

impl<'a, const RANK: usize> Reader<'a, BufReader<File>, RANK> {
    pub fn open(path: &'a Path) -> Result<Self, DataError> {
        let (file, len) = crate::files::open(path).map_err(|source| match source.kind() {
            ErrorKind::NotFound => {
                DataError::NotFound { path: path.into(), help: "check the path" }
            }
            _ => DataError::Io { path: path.into(), source },
        })?;
        Self::new(path, BufReader::new(file), len)
    }
}

impl<'a, R: BufRead, const RANK: usize> Reader<'a, R, RANK> {
    /// Reads the header of a file of `len` bytes.
    fn new(path: &'a Path, mut reader: R, len: u64) -> Result<Self, DataError> {
        let mut data = if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gz")) {
            let mut start = [0; 2];
            let got = fill(&mut reader, &mut start).map_err(|source| read_error(path, source))?;
            if start[..got] != *GZIP {
                return Err(DataError::NotGzip { path: path.into(), found: hex(&start[..got]) });
            }
            Data::Zipped(Members::new(GZIP.chain(reader)))
        } else {
            Data::Plain(reader)
        };
        let dims = header(path, &mut data)?;
        let expected = product(&dims)
            .ok_or_else(|| DataError::TooLarge { path: path.into(), dims: dims.to_vec() })?;
        match &data {
            // What is too long is found when it is read.
            Data::Plain(_) => {
                let found = len.saturating_sub(4 + 4 * RANK as u64);
                if found < expected as u64 {
                    let (path, dims, found) = (path.into(), dims.to_vec(), found as usize);
                    return Err(DataError::Truncated { path, dims, expected, found });
                }
            }
            Data::Zipped(_) => {
                let most = len.saturating_mul(RATIO).max(UNPACKED);
                if expected as u64 > most {
                    let (path, dims) = (path.into(), dims.to_vec());
                    return Err(DataError::Unpacked { path, dims, expected, packed: len, most });
                }
            }
        }
        Ok(Self { path, data, dims })
    }

    /// The elements.
    pub fn read(self) -> Result<Idx<RANK>, DataError> {
        let Self { path, data, dims } = self;
        let expected = product(&dims).unwrap_or(0);
        // Grows with what arrives, and says when memory does not suffice. The byte past the end
        // tells whether there is more.
        let mut bytes = Vec::new();
        data.take(expected as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| read_error(path, source))?;
        if bytes.len() > expected {
            return Err(DataError::Trailing { path: path.into(), dims: dims.to_vec(), expected });
        }
        if bytes.len() < expected {
            return Err(DataError::Truncated {
                path: path.into(),
                dims: dims.to_vec(),
                expected,
                found: bytes.len(),
            });
        }
        Ok(Idx { dims, bytes })
    }
}

/// The number of elements, when memory can hold them.
fn product(dims: &[usize]) -> Option<usize> {
    let all = dims
        .iter()
        // The product of the others must fit even when one is zero.
        .map(|&n| n.max(1))
        .try_fold(1_usize, usize::checked_mul)
        .filter(|&n| n < isize::MAX as usize)?;
    Some(if dims.contains(&0) { 0 } else { all })
}

impl<R: BufRead> Read for Data<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Data::Plain(reader) => reader.read(buffer),
            Data::Zipped(members) => members.read(buffer),
        }
    }
}

/// So many times as long as it is a compressed file may become; images are compressed to a fifth.
const RATIO: u64 = 100;
/// So many bytes it may become in any case.
const UNPACKED: u64 = 64 << 20;

const GZIP: &[u8] = &[0x1f, 0x8b];
const UNSIGNED_BYTE: u8 = 0x08;

/// The data of one gzip member after the other (RFC 1952, section 2.2). Zeros behind the last one
/// are padding, which tapes and block devices add and `gzip` leaves out as well.
struct Members<R>(Option<GzDecoder<R>>);

impl<R: BufRead> Members<R> {
    fn new(reader: R) -> Self {
        Self(Some(GzDecoder::new(reader)))
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.0 {
            let got = member.read(buffer)?;
            if got > 0 || buffer.is_empty() {
                return Ok(got);
            }
            let Some(ended) = self.0.take() else { break };
            let mut rest = ended.into_inner();
            if more_than_zeros(&mut rest)? {
                self.0 = Some(GzDecoder::new(rest));
            }
        }
        Ok(0)
    }
}

/// Skips zeros; whether anything stands behind them.
fn more_than_zeros(reader: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = match reader.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            bytes => bytes?,
        };
        if bytes.is_empty() {
            return Ok(false);
        }
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let all = zeros == bytes.len();
        reader.consume(zeros);
        if !all {
            return Ok(true);
        }
    }
}

fn header<const RANK: usize>(
    path: &Path,
    reader: &mut impl Read,
) -> Result<[usize; RANK], DataError> {
    let size = 4 + 4 * RANK;
    let short = |found| DataError::TruncatedHeader { path: path.into(), expected: size, found };

    let mut magic = [0; 4];
    let got = fill(reader, &mut magic).map_err(|source| read_error(path, source))?;
    if magic[..got.min(2)].iter().any(|&byte| byte != 0) {
        let help = if magic[..got.min(2)] == *GZIP {
            "this is gzip data, so the name of the file should end in `.gz`"
        } else {
            "check that this is the right file, or get it anew"
        };
        return Err(DataError::Magic { path: path.into(), found: hex(&magic[..got]), help });
    }
    if got < magic.len() {
        return Err(short(got));
    }
    let [_, _, element, rank] = magic;
    if element != UNSIGNED_BYTE {
        return Err(DataError::ElementType {
            path: path.into(),
            found: element,
            name: element_name(element),
        });
    }
    if usize::from(rank) != RANK {
        return Err(DataError::Rank { path: path.into(), expected: RANK, found: rank.into() });
    }

    let mut dims = [0; RANK];
    for (i, dim) in dims.iter_mut().enumerate() {
        let mut word = [0; 4];
        let got = fill(reader, &mut word).map_err(|source| read_error(path, source))?;
        if got < word.len() {
            return Err(short(4 + 4 * i + got));
        }
        // Where `usize` is narrower than 32 bits, the largest makes the product overflow.
        *dim = usize::try_from(u32::from_be_bytes(word)).unwrap_or(usize::MAX);
    }
    Ok(dims)
}

fn element_name(code: u8) -> &'static str {
    match code {
        0x09 => "signed byte",
        0x0b => "16-bit integer",
        0x0c => "32-bit integer",
        0x0d => "32-bit float",
        0x0e => "64-bit float",
        _ => "not an IDX type",
    }
}

/// Reads until `buffer` is full or the data ends; returns how much was read.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match reader.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

/// Tells damaged gzip data, which the decoder reports with these kinds, from a failing disk.
fn read_error(path: &Path, source: io::Error) -> DataError {
    let path = path.into();
    match source.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput => {
            DataError::DamagedGzip { path, source }
        }
        _ => DataError::Io { path, source },
    }
}

fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "nothing (it is empty)".into();
    }
    let words: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    words.join(" ")
}

#[cfg(test)]
#[path = "idx_tests.rs"]
mod tests;
