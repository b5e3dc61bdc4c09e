//! Every file of tests is one that Cargo runs, since the package of tests has to name them.

use std::path::Path;

#[test]
fn no_test_is_left_out() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("the manifest");
    let mut found = 0;
    for entry in std::fs::read_dir(folder).expect("the folder of this test") {
        let path = entry.expect("an entry of the folder").path();
        let path = if path.join("main.rs").is_file() { path.join("main.rs") } else { path };
        if path.extension().is_some_and(|end| end == "rs") {
            let name = path.strip_prefix(folder).expect("a file within").display().to_string();
            let line = format!("path = \"{name}\"");
            assert!(
                manifest.lines().any(|other| other == line),
                "tests/Cargo.toml names no test of `{name}`: add `[[test]]` with `{line}`"
            );
            found += 1;
        }
    }
    assert!(found > 15, "only {found} files of tests");
}
