//! What users read at `cargo check` when a model has a mistake: each file of `tests/ui` is a small
//! program with one, beside it the errors that rustc prints. `GRADIRON_UPDATE=1` writes them anew.
//!
//! The texts of the macro itself are compared word by word in `compiler/src/tests`.

use std::process::Command;

/// Set where the programs are compiled, in a process whose package is the one at the root: those of
/// users depend on the library alone, and there is little to build for them.
const WITHIN: &str = "GRADIRON_UI";

#[test]
fn mistakes() {
    if std::env::var_os(WITHIN).is_some() {
        return trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
    }
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let root = std::fs::canonicalize(root).expect("the root of the repository");
    let this = std::env::current_exe().expect("the path of this test");
    // Trybuild has a switch of its own.
    let anew = std::env::var_os("GRADIRON_UPDATE").is_some();
    let status = Command::new(this)
        .env("TRYBUILD", if anew { "overwrite" } else { "wip" })
        .args(["--exact", "mistakes", "--nocapture"])
        .current_dir(&root)
        .envs([(WITHIN, "1".as_ref()), ("CARGO_MANIFEST_DIR", root.as_os_str())])
        .status();
    assert!(status.expect("this test runs").success(), "the messages above have changed");
}
