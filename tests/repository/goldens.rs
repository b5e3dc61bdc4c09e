//! What is recorded from PyTorch is in the index of goldens, and what the index names is there.

use std::collections::BTreeSet;

use crate::root;

const PARITY: &str = "tests/parity";

/// What stands between backquotes in the second column of the index, as paths from the root.
fn indexed() -> BTreeSet<String> {
    let index = std::fs::read_to_string(root().join(PARITY).join("README.md")).expect("the index");
    let rows = index.lines().filter(|line| line.starts_with("| `"));
    let files = rows.flat_map(|row| {
        let cell = row.split(" | ").nth(1).expect("a row has three cells").to_owned();
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
    });
    let from_root = |file: String| match file.strip_prefix("../../") {
        Some(file) => file.to_owned(),
        None => match file.strip_prefix("../") {
            Some(file) => format!("tests/{file}"),
            None => format!("{PARITY}/{file}"),
        },
    };
    files.map(from_root).collect()
}

#[test]
fn the_index_names_all_that_is_recorded() {
    let indexed = indexed();
    for file in &indexed {
        assert!(
            root().join(file).is_file(),
            "the index of goldens names `{file}`, which is not there"
        );
    }
    for folder in [PARITY, "tests/optim", "tests/io", "tests/zoo"] {
        for entry in std::fs::read_dir(root().join(folder)).expect("a folder of goldens") {
            let name = entry.expect("an entry of it").file_name().into_string().expect("a name");
            let path = format!("{folder}/{name}");
            if name.ends_with(".safetensors") || name.ends_with(".txt") {
                assert!(indexed.contains(&path), "{PARITY}/README.md does not name `{path}`");
            }
        }
    }
    assert!(indexed.len() > 20, "only {} files in the index", indexed.len());
}

/// Each golden has a module in Python, a line in its list, and a row in the index.
#[test]
fn the_index_names_all_modules() {
    let folder = root().join(PARITY);
    let index = std::fs::read_to_string(folder.join("README.md")).expect("the index");
    let python = folder.join("python/parity");
    let list = std::fs::read_to_string(python.join("__init__.py")).expect("the list of goldens");
    let mut found = 0;
    for entry in std::fs::read_dir(python).expect("the package") {
        let name = entry.expect("an entry of it").file_name().into_string().expect("a name");
        let Some(name) = name.strip_suffix(".py") else { continue };
        if !name.starts_with('_') && name != "files" {
            assert!(
                index.contains(&format!("\n| `{name}` | ")),
                "no row of the index for `{name}`"
            );
            assert!(list.contains(&format!("    \"{name}\": ")), "`GOLDENS` has no `{name}`");
            found += 1;
        }
    }
    assert!(found > 10, "only {found} modules");
}
