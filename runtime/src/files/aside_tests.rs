use super::*;

/// A folder of its own for one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("gradiron-aside-{name}-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Writes a file and sets back its time.
    fn file(&self, name: &str, age: Duration) -> PathBuf {
        let path = self.0.join(name);
        let file = File::create_new(&path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_nobody_writes_any_more_is_removed() {
    let folder = Folder::new("stale");
    let young = Duration::ZERO;
    let dead = format!("{START}{}-1-0-0{END}", boot());
    folder.file(&dead, young);
    // Of another machine, or of one that has started since; and of a name that is no boot's.
    let (others, old) = (format!("{START}0123-1-0-0{END}"), format!("{START}0123-1-0-1{END}"));
    folder.file(&others, young);
    folder.file(&old, 2 * LONG);
    let longer = format!("{START}{}0-1-0-0{END}", boot());
    folder.file(&longer, young);
    // What is none of ours.
    let ours = [".gradiron-notes", "net.tmp", "net.safetensors"];
    ours.iter().for_each(|name| drop(folder.file(name, 2 * LONG)));
    fs::create_dir(folder.0.join(format!("{START}{}-folder{END}", boot()))).unwrap();

    let aside = Aside::create_in(&folder.0, None).unwrap();
    aside.collect_others(&folder.0);
    drop(aside);
    let left = folder.names();
    // Without a name for the time since the start, an hour goes by.
    assert_eq!(!left.contains(&dead), boot() != UNKNOWN);
    assert!(!left.contains(&old));
    for kept in [&others, &longer].into_iter().map(|name| &name[..]).chain(ours) {
        assert!(left.iter().any(|name| name == kept), "{kept} was removed");
    }
    assert_eq!(left.len(), 6 + usize::from(boot() == UNKNOWN));
}

#[test]
fn what_somebody_writes_stays() {
    let folder = Folder::new("live");
    let writers: Vec<_> = (0..3).map(|_| Aside::create_in(&folder.0, None).unwrap()).collect();
    for writer in &writers {
        // However long ago the last byte was written.
        writer.file().unwrap().set_modified(SystemTime::now() - 2 * LONG).unwrap();
    }
    let other = Aside::create_in(&folder.0, None).unwrap();
    other.collect_others(&folder.0);
    assert_eq!(folder.names().len(), 4);
    for (i, writer) in writers.into_iter().enumerate() {
        writer.rename(&folder.0.join(i.to_string())).unwrap();
    }
    drop(other);
    assert_eq!(folder.names(), ["0", "1", "2"]);
}

/// Writers that make, collect and rename at the same time lose no file.
#[test]
fn who_collects_takes_nothing_from_others() {
    let folder = Folder::new("collect");
    let files = if cfg!(miri) { 2 } else { 100 };
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let folder = &folder.0;
            scope.spawn(move || {
                for i in 0..files {
                    let aside = Aside::create_in(folder, None).unwrap();
                    aside.collect_others(folder);
                    aside.rename(&folder.join(format!("{writer}-{i}"))).unwrap();
                }
            });
        }
    });
    assert_eq!(folder.names().len(), 4 * files);
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_a_private_file_while_it_is_written() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let folder = Folder::new("private");
    let old = folder.file("net", Duration::ZERO);
    for mode in [0o600, 0o640, 0o644, 0o666, 0o200] {
        fs::set_permissions(&old, fs::Permissions::from_mode(mode)).unwrap();
        let aside = Aside::create_in(&folder.0, Some(&fs::metadata(&old).unwrap())).unwrap();
        let new = fs::metadata(&aside.path).unwrap();
        assert_eq!(new.mode() & 0o7777, mode);
        assert_eq!(new.len(), 0);
    }
    // Between its first moment and that it has the mode of the old one, nobody but its owner reads
    // it.
    let file = create(&folder.0.join("new"), true).unwrap();
    assert_eq!(file.metadata().unwrap().mode() & 0o177, 0);
}

/// A file of another owner keeps it where the process may give files away, which root may.
#[cfg(unix)]
#[cfg_attr(miri, ignore = "it knows no owners")]
#[test]
fn owners_are_kept_where_they_can_be() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let folder = Folder::new("owner");
    let old = folder.file("net", Duration::ZERO);
    let is_root = chown(&old, Some(1234), Some(5678)).is_ok();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o640)).unwrap();
    let old = fs::metadata(&old).unwrap();
    let aside = Aside::create_in(&folder.0, Some(&old)).unwrap();
    let new = fs::metadata(&aside.path).unwrap();
    assert_eq!((new.uid(), new.gid(), new.mode()), (old.uid(), old.gid(), old.mode()));
    assert_eq!(is_root, old.uid() == 1234);
}
