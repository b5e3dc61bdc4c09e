//! Where files are saved to: links, folders that take none, and what is no file.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use gradiron::data::{DataError, cifar10, idx, mnist};
use gradiron::io::{LoadError, SaveError};
use gradiron::module::Model;

use super::{FIXTURE, Folder, Net, load_error};

fn link(folder: &Folder, to: &str, name: &str) -> PathBuf {
    let path = folder.0.join(name);
    symlink(to, &path).unwrap();
    path
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).unwrap().is_symlink()
}

#[test]
fn links_lead_to_what_is_written_whether_it_is_there_or_not() {
    let folder = Folder::new("dangling");
    fs::create_dir(folder.0.join("run")).unwrap();
    let net = Net::new(1);
    let links = [
        link(&folder, "run/net.safetensors", "latest"),
        link(&folder, "latest", "best"),
        link(&folder, "../best", "run/again"),
    ];
    let target = folder.0.join("run/net.safetensors");
    for path in &links {
        net.save(path).unwrap();
        assert!(links.iter().all(|link| is_link(link)) && !is_link(&target));
        let mut loaded = Net::new(2);
        loaded.load(&target).unwrap();
        assert_eq!(loaded.bits(), net.bits());
        // And over the old one.
        net.save(path).unwrap();
        assert!(links.iter().all(|link| is_link(link)) && !is_link(&target));
        fs::remove_file(&target).unwrap();
    }
    // An absolute one, and one into a folder that is not there.
    let absolute = link(&folder, target.to_str().unwrap(), "absolute");
    net.save(&absolute).unwrap();
    assert!(is_link(&absolute) && target.exists());
    let error = net.save(link(&folder, "missing/net", "nowhere")).unwrap_err();
    let SaveError::Folder { folder: named, .. } = &error else { panic!("{error}") };
    assert_eq!(named, &folder.0.join("missing"));
}

#[test]
fn links_that_lead_to_each_other_are_refused() {
    let folder = Folder::new("circle");
    let (a, _) = (link(&folder, "b", "a"), link(&folder, "a", "b"));
    let error = Net::new(1).save(&a).unwrap_err().to_string();
    assert!(error.ends_with("the links there lead to each other; name another file"), "{error}");
    assert!(is_link(&a));
    load_error(&a);
}

/// Everything that is no regular file, with what it is called.
fn others(folder: &Folder) -> Vec<(PathBuf, &'static str)> {
    let pipe = folder.0.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let socket = folder.0.join("socket");
    std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let inside = folder.0.join("inside");
    fs::create_dir(&inside).unwrap();
    let (zero, null) = (PathBuf::from("/dev/zero"), PathBuf::from("/dev/null"));
    let linked = link(folder, "pipe", "linked");
    let mut others = vec![
        (pipe, "a named pipe"),
        (linked, "a named pipe"),
        (socket, "a socket"),
        (inside, "a folder"),
        (zero, "a device"),
        (null, "a device"),
    ];
    if cfg!(target_os = "linux") {
        others.push(("/dev/full".into(), "a device"));
    }
    others
}

#[test]
fn what_is_no_file_is_named_and_neither_read_nor_replaced() {
    let folder = Folder::new("others");
    for (path, kind) in others(&folder) {
        let found = format!("found {kind}");
        let error = load_error(&path);
        assert!(matches!(error, LoadError::Read { .. }));
        assert!(error.to_string().contains(&found), "{error}");
        let error = Net::new(1).save(&path).unwrap_err();
        assert!(matches!(error, SaveError::Refused { .. }));
        assert!(error.to_string().contains(&format!("it is {kind} and not")), "{error}");
        let error = idx::read::<1>(&path).unwrap_err();
        assert!(matches!(error, DataError::Io { .. }));
        assert!(error.to_string().contains(&found), "{error}");

        // As one of the files of a set.
        for name in ["data_batch_1.bin", "train-images-idx3-ubyte.gz"] {
            let set = folder.0.join("set");
            fs::create_dir(&set).unwrap();
            symlink(&path, set.join(name)).unwrap();
            fs::write(set.join("train-labels-idx1-ubyte"), [0, 0, 8, 1, 0, 0, 0, 0]).unwrap();
            let error = match name.starts_with("data") {
                true => cifar10::load(&set).unwrap_err().to_string(),
                false => mnist::load(&set).unwrap_err().to_string(),
            };
            assert!(error.contains(&found) && error.contains(name), "{error}");
            fs::remove_dir_all(set).unwrap();
        }
    }
}

/// `/proc` takes no files, from root neither.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_no_file_is_named() {
    let error = Net::new(1).save("/proc/net.safetensors").unwrap_err();
    assert!(matches!(&error, SaveError::Folder { folder, .. } if folder == Path::new("/proc")));
    let folder = Folder::new("read-only");
    let path = folder.file("net.safetensors", FIXTURE);
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o555)).unwrap();
    // Root writes there nevertheless.
    let saved = Net::new(1).save(&path);
    let may = fs::write(folder.0.join("may"), "").is_ok();
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).unwrap();
    match saved {
        Ok(()) => assert!(may),
        Err(error) => {
            assert!(!may && matches!(&error, SaveError::Folder { .. }), "{error}");
            assert_eq!(fs::read(&path).unwrap(), FIXTURE);
        }
    }
}

#[test]
fn a_private_file_stays_private() {
    let folder = Folder::new("private");
    let path = folder.file("net.safetensors", FIXTURE);
    for mode in [0o600, 0o640, 0o644] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        Net::new(1).save(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
    }
}
