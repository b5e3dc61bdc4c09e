//! `agree batch`: the programs of a crate, compiled and run.

use std::path::{Path, PathBuf};
use std::process::Command;

use gradiron_agree::{emitted, known};

fn main() {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the root");
    let folder: PathBuf = root.join("target/agree/batch");
    let tiny = std::env::args().nth(1).as_deref() == Some("tiny");
    emitted::write(&known::programs(), &root, &folder, tiny).expect("programs compile");
    let status = Command::new("cargo")
        .args(["run", "--quiet", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", root.join("target/agree/target"))
        .status()
        .expect("cargo runs");
    std::process::exit(status.code().unwrap_or(1));
}
