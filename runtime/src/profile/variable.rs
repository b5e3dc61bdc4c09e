//! `GRADIRON_PROFILE`: a record of the whole process without a change of its code.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use super::{Profile, Record, Table, Track, trace};

const NAME: &str = "GRADIRON_PROFILE";

/// Where the record goes.
#[derive(Clone)]
pub(super) enum Destination {
    /// As a table.
    StandardError,
    /// As a trace.
    File(PathBuf),
}

/// The record of the process.
struct Process {
    /// While devices share it.
    record: Weak<Record>,
    /// What was recorded before it.
    earlier: Vec<Track>,
}

static PROCESS: Mutex<Process> = Mutex::new(Process { record: Weak::new(), earlier: Vec::new() });

/// The record for a new device; none unless the variable asks for it.
pub(crate) fn from_environment() -> Option<Profile> {
    static DESTINATION: OnceLock<Option<Destination>> = OnceLock::new();
    let destination = DESTINATION.get_or_init(|| {
        let value = std::env::var_os(NAME)?;
        destination(&value).unwrap_or_else(|message| {
            say(format_args!("{NAME}={}: {message}; nothing is recorded", value.display()));
            None
        })
    });
    let destination = destination.clone()?;
    let mut process = PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(record) = process.record.upgrade() {
        return Some(Profile { record });
    }
    let profile = Profile::with(std::mem::take(&mut process.earlier), Some(destination));
    process.record = Arc::downgrade(&profile.record);
    Some(profile)
}

/// What the value of the variable asks for.
///
/// # Errors
/// What is wrong with it. A file that cannot be written is found out before hours of training.
fn destination(value: &OsStr) -> Result<Option<Destination>, String> {
    let path = Path::new(value);
    if value == "0" {
        Ok(None)
    } else if value == "1" {
        Ok(Some(Destination::StandardError))
    } else if path.extension().is_some_and(|end| end == "json") {
        let written = trace::write(&[], path).map_err(|error| error.to_string());
        written.map(|()| Some(Destination::File(path.to_owned())))
    } else {
        let expected = "1 for a table on standard error, or a path that ends in .json for a trace";
        Err(format!("expected {expected}"))
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Some(destination) = &self.destination else { return };
        let tracks = self.tracks.get_mut().unwrap_or_else(PoisonError::into_inner);
        if tracks.is_empty() {
            return;
        }
        match destination {
            Destination::StandardError => say(format_args!("{}", Table::new(tracks))),
            Destination::File(path) => match trace::write(tracks, path) {
                Ok(()) => say(format_args!("{NAME}: the trace is in {}", path.display())),
                Err(error) => say(format_args!("{NAME}={}: {error}", path.display())),
            },
        }
        let mut process = PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
        process.earlier.append(tracks);
    }
}

/// Writes to standard error, where there is one.
fn say(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}
