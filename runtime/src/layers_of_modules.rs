//! The order of the modules: each knows those below it, and those beside it in one line.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// The modules from the bottom to the top. Those of one line know each other: kernels are
/// implemented for the types of devices, which are generic over all kernels; a `Model` saves
/// itself, and is changed by optimizers.
const LAYERS: [&[&str]; 12] = [
    &["buf", "constant", "failure", "math", "rng", "tensor"],
    &["arena", "files", "init", "storage", "want"],
    &["profile"],
    &["device", "observe", "ops"],
    &["io", "module", "optim"],
    &["check", "layout", "program"],
    &["function", "memory"],
    &["step", "training"],
    &["view"],
    &["workspace"],
    &[
        "data", "debug", "language", "layers", "net", "pytorch", "sample", "stub", "summary",
        "typed",
    ],
    &["__private"],
];

/// Exported macros, which have no module.
const MACROS: [&str; 1] = ["rooms"];

/// The modules that the code of a file names: `storage` in `use crate::storage::Storage;`.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.match_indices("crate::").map(move |(at, _)| (line, at))).filter_map(
        |(line, at)| {
            let is_macro = line[..at].ends_with('$');
            let end = |c: char| !c.is_alphanumeric() && c != '_';
            let name = line[at + "crate::".len()..].split(end).next();
            name.filter(|name| {
                !is_macro && name.starts_with(|c: char| c.is_lowercase() || c == '_')
            })
        },
    )
}

/// Files of code; tests may look at everything.
fn files(path: &Path, found: &mut Vec<String>) {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a folder of the crate");
        entries.for_each(|entry| files(&entry.expect("an entry").path(), found));
    } else if path.extension().is_some_and(|end| end == "rs")
        && !path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"))
    {
        let text = fs::read_to_string(path).expect("a file of the crate");
        found.push(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("").to_owned());
    }
}

#[test]
fn modules_know_those_below_them() {
    let layers: HashMap<&str, usize> = LAYERS
        .iter()
        .enumerate()
        .flat_map(|(layer, modules)| modules.iter().map(move |module| (*module, layer)))
        .collect();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let list = fs::read_to_string(sources.join("lib.rs")).expect("the list of modules");
    let declared = list.lines().filter_map(|line| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        line.strip_prefix("mod ")?.strip_suffix(';')
    });
    let modules: Vec<&str> = declared.filter(|name| *name != "layers_of_modules").collect();
    assert!(modules.len() > 20, "{modules:?}");
    let mut links = 0;
    for module in modules {
        let layer = *layers.get(module).unwrap_or_else(|| panic!("`{module}` has no layer"));
        let mut texts = Vec::new();
        let places = [sources.join(format!("{module}.rs")), sources.join(module)];
        places.iter().filter(|place| place.exists()).for_each(|place| files(place, &mut texts));
        let names = texts.iter().flat_map(|text| named(text));
        for name in names.filter(|name| !MACROS.contains(name)) {
            let other = *layers.get(name).unwrap_or_else(|| panic!("`{name}` has no layer"));
            assert!(other <= layer, "`{module}` names `{name}`, which is above it");
            links += 1;
        }
    }
    assert!(links > 100, "{links}");
}
