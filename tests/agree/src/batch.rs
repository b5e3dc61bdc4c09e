//! Batches of programs, through rustc.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::emitted;
use crate::program::Program;

/// The repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this crate lies two folders deep").to_path_buf()
}

/// Compiles programs as one crate and runs them: what does not agree, by the numbers of the
/// programs.
///
/// # Errors
/// When the crate cannot be written; what rustc says where it does not compile.
pub fn run(programs: &[Program], tiny: bool) -> Result<Vec<(usize, String)>, String> {
    let out = root().join("target/agree");
    let folder = out.join(if tiny { "tiny" } else { "plain" });
    emitted::write(programs, &root(), &folder, tiny)?;
    let lock = root().join("Cargo.lock");
    let copied = std::fs::copy(&lock, folder.join("Cargo.lock"));
    copied.map_err(|error| format!("{}: {error}", lock.display()))?;
    let ran = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["run", "--quiet", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .args(tiny.then_some("--release"))
        // With the profiles of this repository, so that the library is the one that is built here.
        .env("CARGO_TARGET_DIR", root().join("target"))
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    let (printed, said) =
        (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let failures = printed.lines().filter_map(|line| {
        let (name, text) = line.strip_prefix('m')?.split_once(' ')?;
        Some((name.parse().ok()?, text.to_string()))
    });
    let failures: Vec<(usize, String)> = failures.collect();
    match ran.status.success() || !failures.is_empty() {
        true => Ok(failures),
        false => Err(format!("the batch did not compile or run:\n{said}")),
    }
}
