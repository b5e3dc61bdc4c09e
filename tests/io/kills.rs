//! What processes leave behind that end while they save, and what others make of it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use gradiron::device::Storage;
use gradiron::module::{Model, init_params};
use gradiron::prelude::Seed;

use super::{Folder, Layers, Net};

/// Names what the processes below save to.
const TO: &str = "GRADIRON_TEST_SAVES_TO";

fn to() -> Option<PathBuf> {
    std::env::var_os(TO).map(PathBuf::from)
}

/// Runs one of the tests below as a process that saves to `path`.
fn process(test: &str, path: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]).env(TO, path);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    piped.spawn().unwrap()
}

/// Waits until a process has said that it saves.
fn wait_for(child: &mut Child) {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // What else it prints is the test harness's.
    assert!(lines.map_while(Result::ok).any(|line| line.contains("saved")), "it has not saved");
}

#[test]
#[ignore = "a process that another test starts"]
fn saves_until_its_input_ends() {
    let Some(path) = to() else { return };
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let mut saves = 0;
    loop {
        if let Err(error) = Net::new(saves % 2).save(&path) {
            eprintln!("{error}");
            std::process::exit(3);
        }
        if saves == 0 {
            println!("saved");
        }
        saves += 1;
    }
}

/// A net at which the process ends as if it were killed, when it has been read so often.
struct Ending(Storage, AtomicUsize);

impl Model for Ending {
    type Module = Layers;

    fn params(&self) -> &[f32] {
        if self.1.fetch_sub(1, Ordering::Relaxed) == 0 {
            std::process::abort();
        }
        self.0.as_slice()
    }

    fn params_mut(&mut self) -> &mut [f32] {
        self.0.as_mut_slice()
    }
}

#[test]
#[ignore = "a process that another test starts"]
fn ends_while_it_saves() {
    let Some(path) = to() else { return };
    // Each of five tensors is looked at, then written: this is in the third.
    let _ = Ending(init_params::<Layers>(Seed(1)), AtomicUsize::new(7)).save(path);
}

fn loads(path: &Path) {
    let mut net = Net::new(9);
    net.load(path).unwrap();
    assert!([0, 1].iter().any(|seed| Net::new(*seed).bits() == net.bits()), "half a file");
}

#[test]
fn the_next_save_removes_what_a_process_left_that_ended() {
    let folder = Folder::new("ended");
    let path = folder.0.join("net.safetensors");
    Net::new(0).save(&path).unwrap();
    let end = || {
        let mut ended = process("kills::ends_while_it_saves", &path);
        drop(ended.stdin.take());
        assert!(!ended.wait().unwrap().success());
    };
    for _ in 0..8 {
        end();
        // Each took away what the one before had left.
        assert_eq!(folder.names().len(), 2, "{:?}", folder.names());
        loads(&path);
    }
    let ended: Vec<_> = (0..4).map(|_| process("kills::ends_while_it_saves", &path)).collect();
    for mut ended in ended {
        ended.wait().unwrap();
    }
    loads(&path);
    Net::new(1).save(folder.0.join("other.safetensors")).unwrap();
    let mut names = folder.names();
    names.sort();
    if cfg!(target_os = "linux") {
        assert_eq!(names, ["net.safetensors", "other.safetensors"]);
    }
}

/// A process that saves all the while, beside others that are killed and collect each other's
/// files, never fails.
#[test]
fn who_is_killed_harms_nobody() {
    let folder = Folder::new("killed");
    let path = folder.0.join("net.safetensors");
    let mut lasting = process("kills::saves_until_its_input_ends", &path);
    wait_for(&mut lasting);
    for _ in 0..12 {
        let mut killed: Vec<_> =
            (0..2).map(|_| process("kills::saves_until_its_input_ends", &path)).collect();
        killed.iter_mut().for_each(wait_for);
        for mut killed in killed {
            killed.kill().unwrap();
            killed.wait().unwrap();
            loads(&path);
        }
    }
    drop(lasting.stdin.take());
    assert!(lasting.wait().unwrap().success(), "a save failed");
    loads(&path);
    Net::new(1).save(&path).unwrap();
    if cfg!(target_os = "linux") {
        assert_eq!(folder.names(), ["net.safetensors"]);
    }
}

#[test]
#[ignore = "a process that another test starts"]
fn saves_once() {
    let Some(path) = to() else { return };
    match Net::new(1).save(path) {
        Ok(()) => println!("saved"),
        Err(error) => println!("error: {error}"),
    }
}

/// A process that may write no byte to files, as on a full disk.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_old_file() {
    let folder = Folder::new("full");
    let path = folder.0.join("net.safetensors");
    Net::new(0).save(&path).unwrap();
    let mut shell = Command::new("sh");
    // Without the signal that ends a process.
    shell.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""]);
    shell.arg(std::env::current_exe().unwrap());
    shell.args(["--exact", "kills::saves_once", "--ignored", "--nocapture"]);
    let output = shell.env(TO, &path).output().unwrap();
    let output = String::from_utf8_lossy(&output.stdout);
    assert!(output.contains("error: cannot save to"), "{output}");
    assert!(output.contains("writing failed") && output.contains("is unchanged"), "{output}");
    assert_eq!(folder.names(), ["net.safetensors"]);
    loads(&path);
}
