//! Files that are replaced whole or not at all.
//!
//! The new file is written beside the old one, synced and renamed over it, which a file system does
//! at once. So there is always one whole file under the name, whatever stops the program. What a
//! program that is killed leaves behind, a file `.gradiron-….tmp`, the next save in the folder
//! removes (`aside.rs`).

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::SaveError;
use super::aside::Aside;
use super::open::irregular;

/// As many links one behind the other are followed as Linux follows.
const LINKS: usize = 40;

/// Replaces the file at `path`, or the file that a link there leads to, whether it is there or not,
/// by what `write` writes. Keeps the permissions of an old file, which the new one has from the
/// start.
pub(crate) fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> Result<(), SaveError> {
    let refused = |reason| SaveError::Refused { path: path.to_owned(), reason };
    // Some links lead where no name does: those of open files.
    let there = fs::metadata(path).ok();
    if let Some(kind) = there.as_ref().and_then(irregular) {
        return Err(refused(format!("it is {kind} and not a regular file")));
    }
    let target = behind_links(path)
        .ok_or_else(|| refused("the links there lead to each other".to_owned()))?;
    let old = fs::metadata(&target).ok();
    match &old {
        Some(old) if irregular(old).is_some() => {
            return Err(refused("it is not a regular file".to_owned()));
        }
        // WASI tells no permissions, which looks like read-only.
        Some(old) if old.permissions().readonly() && cfg!(not(target_family = "wasm")) => {
            return Err(refused("it is read-only".to_owned()));
        }
        _ => {}
    }
    let folder = match target.parent() {
        _ if target.file_name().is_none() => return Err(refused("it names no file".to_owned())),
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };

    let aside = Aside::create_in(folder, old.as_ref()).map_err(|error| SaveError::Folder {
        path: path.to_owned(),
        folder: folder.to_owned(),
        error,
    })?;
    // First, since a disk may be full of them.
    aside.collect_others(folder);
    let written = || {
        let file = aside.file()?;
        let mut writer = BufWriter::new(file);
        write(&mut writer)?;
        writer.flush()?;
        drop(writer);
        file.sync_all()
    };
    written().map_err(|error| SaveError::Write { path: path.to_owned(), error })?;
    aside.rename(&target).map_err(|error| SaveError::Rename { path: path.to_owned(), error })?;
    sync(folder).map_err(|error| SaveError::Sync {
        path: path.to_owned(),
        folder: folder.to_owned(),
        error,
    })
}

/// The path behind all links at `path`. Nothing needs to be there.
fn behind_links(path: &Path) -> Option<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&target) {
            // Relative to the link's folder.
            Ok(to) => target = target.parent().unwrap_or(Path::new("")).join(to),
            Err(_) => return Some(target),
        }
    }
    None
}

/// Makes a rename in the folder outlast a loss of power, where folders can be synced.
fn sync(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder)?.sync_all() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of its own for one test, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir()
                .join(format!("gradiron-replace-{name}-{}", std::process::id()));
            fs::create_dir(&folder).unwrap();
            Self(folder)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_write_that_fails_halfway_leaves_the_old_file() {
        let folder = Folder::new("halfway");
        let path = folder.0.join("net");
        fs::write(&path, "old").unwrap();
        let result = replace(&path, |file| {
            file.write_all(&[0; 100_000])?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(matches!(result, Err(SaveError::Write { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(folder.names(), ["net"]);
    }

    #[test]
    fn a_panic_while_writing_leaves_the_old_file() {
        let folder = Folder::new("panic");
        let path = folder.0.join("net");
        fs::write(&path, "old").unwrap();
        let write = || replace(&path, |_| std::panic::resume_unwind(Box::new(())));
        assert!(std::panic::catch_unwind(write).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(folder.names(), ["net"]);
    }

    #[test]
    fn a_file_that_cannot_be_renamed_is_removed() {
        let folder = Folder::new("rename");
        let path = folder.0.join("net");
        // A folder takes the name while the file is being written.
        let result = replace(&path, |_| fs::create_dir_all(path.join("full")));
        let error = result.unwrap_err();
        assert!(matches!(error, SaveError::Rename { .. }));
        assert!(error.to_string().contains("close it in other programs"), "{error}");
        assert_eq!(folder.names(), ["net"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_permissions_kept() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = Folder::new("links");
        let (path, link) = (folder.0.join("net"), folder.0.join("latest"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("net", &link).unwrap();
        replace(&link, |file| file.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
