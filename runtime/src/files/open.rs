//! Files to read: regular ones, whose length says how much there is to read at most.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;

/// Opens a regular file, and says how many bytes it has. What is something else is named before it
/// is opened: a named pipe would wait for a writer, a device may never end.
pub(crate) fn open(path: &Path) -> io::Result<(File, u64)> {
    let regular = |there: &Metadata| match irregular(there) {
        None => Ok(there.len()),
        Some(kind) => Err(io::Error::other(format!(
            "expected a regular file, found {kind}, which is not read"
        ))),
    };
    regular(&fs::metadata(path)?)?;
    let file = File::open(path)?;
    // What was opened is looked at as well: the name may have come to lead to something else.
    let len = regular(&file.metadata()?)?;
    Ok((file, len))
}

/// What something is that is no regular file.
pub(super) fn irregular(there: &Metadata) -> Option<&'static str> {
    if there.is_file() {
        return None;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = there.file_type();
        if kind.is_fifo() {
            return Some("a named pipe");
        }
        if kind.is_socket() {
            return Some("a socket");
        }
        if kind.is_char_device() || kind.is_block_device() {
            return Some("a device");
        }
    }
    Some(if there.is_dir() { "a folder" } else { "something else" })
}
