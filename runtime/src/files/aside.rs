//! Files that are written beside others to take their names, and what is left of them when a
//! process ends on the way.
//!
//! Such a file is `.gradiron-BOOT-PROCESS-TIME-NUMBER.tmp`, a name that nobody makes twice. Its
//! writer holds a lock of the system on it, which ends with the process, however that ends. Whoever
//! writes the next file in the same folder removes those that nobody writes any more:
//!
//! - that nobody has locked, and
//! - that were made under the same kernel since it started (`BOOT`), where a lock that is missing
//!   means a writer that is missing; others, on a network drive perhaps, when an hour has gone
//!   since they were last written.
//!
//! Where the system has no locks, none is removed.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

const START: &str = ".gradiron-";
const END: &str = ".tmp";

/// What stands in names where the system does not tell when it started.
const UNKNOWN: &str = "any";

/// For so long nobody writes a part of a file.
const LONG: Duration = Duration::from_secs(3600);

/// A file that is removed unless it is renamed.
pub(super) struct Aside {
    path: PathBuf,
    /// Open, and locked where locks are to be had, until it is renamed.
    file: Option<File>,
    renamed: bool,
}

impl Aside {
    /// A new file in the folder, open to those alone who may read `old`, if there is one: before
    /// anything is written.
    pub fn create_in(folder: &Path, old: Option<&Metadata>) -> io::Result<Self> {
        // Names are unique, so a second attempt follows one who looked at the first before it was
        // locked.
        for _ in 0..100 {
            let path = folder.join(new_name());
            let file = match create(&path, old.is_some()) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                file => file?,
            };
            let mut aside = Self { path, file: None, renamed: false };
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => continue,
                // A file system without locks: nobody removes what is in it.
                Ok(()) | Err(TryLockError::Error(_)) => {}
            }
            if fs::symlink_metadata(&aside.path).is_err() {
                continue;
            }
            if let Some(old) = old {
                keep_permissions(&file, old)?;
            }
            aside.file = Some(file);
            return Ok(aside);
        }
        Err(io::Error::other("files that are made there are removed at once"))
    }

    /// The file, to write.
    pub fn file(&self) -> io::Result<&File> {
        self.file.as_ref().ok_or_else(|| io::Error::other("the file is closed"))
    }

    /// Gives the file the name `target`, also where something has it.
    pub fn rename(mut self, target: &Path) -> io::Result<()> {
        if !cfg!(unix) {
            // A lock keeps readers away there, and would for a moment after the file has its name.
            let _ = self.file().and_then(File::unlock);
        }
        let mut renamed = fs::rename(&self.path, target);
        if renamed.is_err() {
            // Some systems do not rename what is open here, nor over what others have open for a
            // moment.
            self.file = None;
            let attempts = if cfg!(unix) { 1 } else { 10 };
            for _ in 0..attempts {
                renamed = fs::rename(&self.path, target);
                if renamed.is_ok() || cfg!(unix) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        renamed?;
        self.renamed = true;
        Ok(())
    }

    /// Removes what processes that are no more have left in the folder. What cannot be removed
    /// stays.
    pub fn collect_others(&self, folder: &Path) {
        let now = self.file().and_then(File::metadata).and_then(|own| own.modified());
        let (Ok(entries), Ok(now)) = (fs::read_dir(folder), now) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if is_aside(&name) && self.path.file_name() != Some(&name) {
                remove_stale(&entry.path(), &name, now);
            }
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.renamed {
            self.file = None;
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn create(path: &Path, is_private: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if is_private {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let _ = is_private;
    options.open(path)
}

/// Gives the file the mode of an old one, and its owner and group as far as the process may. Where
/// the group is another, it may do what everybody may.
#[cfg(unix)]
fn keep_permissions(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let (owner, group) = (old.uid(), old.gid());
    let mut mode = old.mode() & 0o7777;
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (owner, group) {
        let _ = fchown(file, Some(owner), Some(group)).or_else(|_| fchown(file, None, Some(group)));
        let new = file.metadata()?;
        if new.uid() != owner {
            mode &= !0o4000;
        }
        if new.gid() != group {
            mode &= !0o2070 | (mode & 0o007) << 3;
        }
    }
    // Not every file system has permissions to keep; then the file is as private as it was made.
    let _ = file.set_permissions(fs::Permissions::from_mode(mode));
    Ok(())
}

#[cfg(not(unix))]
fn keep_permissions(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

fn new_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // WASI has no numbers of processes.
    let process = if cfg!(target_family = "wasm") { 0 } else { std::process::id() };
    // Without a system there is no clock, and no file either, which making it will say.
    let time = match cfg!(all(target_family = "wasm", target_os = "unknown")) {
        true => Duration::ZERO,
        false => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default(),
    };
    let (time, count) = (time.as_nanos(), COUNT.fetch_add(1, Ordering::Relaxed));
    format!("{START}{}-{process}-{time:x}-{count}{END}", boot())
}

fn is_aside(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(START) && name.ends_with(END))
}

/// Names the kernel since its last start, which is what knows its locks: Linux tells it.
fn boot() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        let id = match cfg!(any(target_os = "linux", target_os = "android")) {
            true => fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default(),
            false => String::new(),
        };
        let id: String = id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
        if id.len() == 16 { id } else { UNKNOWN.to_owned() }
    })
}

/// Removes a file that nobody writes any more. `now` is the time as the file system has it.
fn remove_stale(path: &Path, name: &OsStr, now: SystemTime) {
    if !fs::symlink_metadata(path).is_ok_and(|there| there.is_file()) {
        return;
    }
    let Ok(file) = OpenOptions::new().read(true).write(true).open(path) else { return };
    if file.try_lock().is_err() {
        return;
    }
    let (Ok(locked), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return };
    let of_this_boot = boot() != UNKNOWN
        && name.to_str().and_then(|name| name.strip_prefix(START)).is_some_and(|rest| {
            rest.strip_prefix(boot()).is_some_and(|rest| rest.starts_with('-'))
        });
    let is_old = locked
        .modified()
        .is_ok_and(|written| now.duration_since(written).is_ok_and(|age| age >= LONG));
    if is_same(&locked, &there) && (of_this_boot || is_old) {
        let _ = fs::remove_file(path);
    }
}

/// Whether the name still leads to the file that was locked.
#[cfg(unix)]
fn is_same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Nobody makes a name twice.
#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(test)]
#[path = "aside_tests.rs"]
mod tests;
