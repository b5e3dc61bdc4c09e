//! Every file of tests is one that Cargo runs, since a package within the folder has to name them; and
//! every unsafe block says why it is sound.

use std::path::Path;

/// Calls `f` with each file of Rust below a folder, and its text.
fn each_file(folder: &Path, f: &mut impl FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).expect("a folder of this repository") {
        let path = entry.expect("an entry of the folder").path();
        if path.is_dir() && !path.ends_with("target") {
            each_file(&path, f);
        } else if path.extension().is_some_and(|end| end == "rs") {
            f(&path, &std::fs::read_to_string(&path).expect("a file of this repository"));
        }
    }
}

/// A reason that stands elsewhere is soon that of something else.
#[test]
fn every_unsafe_block_has_its_own_reason() {
    // In two parts, since this file is one of those.
    let elsewhere = [
        concat!("as ", "above"),
        concat!("see ", "above"),
        concat!("here and ", "below"),
        concat!("as there", "."),
        concat!("the caller's ", "promise."),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut reasons, mut bad) = (0, Vec::new());
    for folder in ["runtime", "compiler", "macros", "tests", "benches", "examples", "emulator"] {
        each_file(&root.join(folder), &mut |path, text| {
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            for (at, line) in lines.iter().enumerate() {
                let Some(reason) = line.strip_prefix("// SAFETY:") else { continue };
                reasons += 1;
                let more = lines[at + 1..].iter().map_while(|line| line.strip_prefix("//"));
                let reason = [reason].into_iter().chain(more).collect::<String>();
                if elsewhere.iter().any(|other| reason.contains(other)) || reason.len() < 16 {
                    bad.push(format!("{}:{}: {reason}", path.display(), at + 1));
                }
            }
        });
    }
    assert!(bad.is_empty(), "reasons that are none of their own:\n{}", bad.join("\n"));
    assert!(reasons > 300, "only {reasons} reasons were found");
}

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
