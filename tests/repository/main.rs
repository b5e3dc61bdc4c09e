//! What holds of the repository's own texts: tests are listed, unsafe blocks have reasons, pages of
//! documentation have links that lead somewhere and snippets that are parts of programs, comments
//! are as wide as code.

mod comments;
mod docs;
mod environment;
mod goldens;
mod listed;
mod unsafe_reasons;

use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().expect("the root of the repository")
}

/// Calls `f` with each file below a folder whose name ends with one of `ends`, and its text. What
/// is built, fetched or hidden is left out.
fn each_file(folder: &Path, ends: &[&str], f: &mut impl FnMut(&Path, &str)) {
    let entries = std::fs::read_dir(folder).expect("a folder of this repository");
    let mut paths: Vec<_> = entries.map(|e| e.expect("an entry of the folder").path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let left_out = name.starts_with('.') || path.is_symlink();
        if path.is_dir() && !left_out && !matches!(name, "target" | "node_modules") {
            each_file(&path, ends, f);
        } else if path.is_file() && !left_out && ends.iter().any(|end| name.ends_with(end)) {
            // Data, such as images, is no text.
            f(
                &path,
                &String::from_utf8_lossy(&std::fs::read(&path).expect("a file of this repository")),
            );
        }
    }
}
