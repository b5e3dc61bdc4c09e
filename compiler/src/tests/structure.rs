//! How the compiler's modules stand to each other, read from their text.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::ops::elementwise::ROWS;

/// The modules, each before those that may use it; those of one line may use each other.
const LAYERS: &[&[&str]] = &[
    &["hygiene"],
    &["text"],
    &["names"],
    &["range"],
    &["vocabulary"],
    &["diagnostics"],
    &["syntax"],
    &["dim"],
    &["facts"],
    &["graph"],
    &["declared"],
    &["mentions"],
    &["ops"],
    &["flow"],
    &["passes"],
    &["outline"],
    // An expression may call a layer, and a layer has expressions as its options.
    &["layers", "lower"],
    &["reference"],
    &["language"],
    &["emit"],
    &["dump"],
    &["model"],
    &["derive"],
];

/// The files of the compiler but for its tests, with the module each belongs to.
fn sources() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of the sources") {
            let path = entry.expect("an entry of it").path();
            let inside = path.strip_prefix(&root).expect("it is inside");
            let first = inside.components().next().expect("a name").as_os_str().to_string_lossy();
            let module = first.trim_end_matches(".rs").to_string();
            match path.is_dir() {
                true if module != "tests" => folders.push(path),
                false if module != "lib" => sources.push((module, path)),
                _ => {}
            }
        }
    }
    assert!(sources.len() > 80, "{}", sources.len());
    sources
}

/// A file without its comments.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("a file of the sources");
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.map(|line| format!("{line}\n")).collect()
}

/// What stands behind each `prefix` of a text: a name, or the names of a list in braces.
fn behind(text: &str, prefix: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut names = BTreeSet::new();
    for rest in text.split(prefix).skip(1) {
        match rest.strip_prefix('{') {
            None => drop(names.insert(word(rest))),
            Some(list) => {
                let list = list.split(';').next().unwrap_or_default();
                names.extend(list.split(',').map(|name| word(name.trim())));
            }
        }
    }
    names.remove("");
    names
}

#[test]
fn modules_use_only_what_is_below_them() {
    let layer = |module: &str| LAYERS.iter().position(|names| names.contains(&module));
    for (module, path) in sources() {
        let own = layer(&module).unwrap_or_else(|| panic!("`{module}` has no layer"));
        for used in behind(&code(&path), "crate::") {
            let Some(below) = layer(&used) else {
                panic!("{}: `{used}` has no layer", path.display())
            };
            assert!(
                below <= own,
                "{}: `{module}` uses `{used}`, which is above it",
                path.display()
            );
        }
    }
}

/// What the passes may use of the operations, and what the emission of Rust may.
const OF_OPS: [(&str, &[&str]); 3] =
    [("passes", &["builtin", "fusing"]), ("flow", &[]), ("emit", &["variant"])];

#[test]
fn passes_name_no_operation() {
    let mut seen = 0;
    for (module, path) in sources() {
        let Some((_, allowed)) = OF_OPS.iter().find(|(name, _)| *name == module) else { continue };
        seen += 1;
        let text = code(&path);
        for used in behind(&text, "crate::ops::") {
            assert!(allowed.contains(&used.as_str()), "{} names `{used}`", path.display());
        }
        if module == "emit" {
            continue;
        }
        let ops = std::fs::read_to_string(super::file("../ops/mod.rs")).expect("the list of ops");
        let files = ops.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
        for name in ROWS.iter().map(|row| row.name).chain(files) {
            assert!(!text.contains(&format!("\"{name}\"")), "{} names `{name}`", path.display());
        }
    }
    assert!(seen > 20, "{seen}");
}

/// A name that is found in one module alone tells where it is: `emit` has files for what passes
/// made, and none is called as a pass is.
#[test]
fn files_of_the_emission_are_not_called_as_passes_are() {
    let files = sources().into_iter().filter(|(module, _)| module == "emit");
    for (_, path) in files {
        let name = path.file_stem().expect("a file").to_string_lossy().to_string();
        assert!(crate::passes::PASSES.iter().all(|pass| pass.name != name), "emit/{name}.rs");
    }
}
