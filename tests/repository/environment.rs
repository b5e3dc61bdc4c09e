//! Each environment variable of this repository is on the page of them, and none that is nowhere
//! read.

use std::collections::BTreeSet;

use crate::{each_file, root};

/// Names that begin with the prefix, as a text has them.
fn names(text: &str) -> BTreeSet<String> {
    const PREFIX: &str = "GRADIRON_";
    let name = |rest: &str| {
        let end = rest.find(|c: char| !(c.is_ascii_uppercase() || c == '_')).unwrap_or(rest.len());
        format!("{PREFIX}{}", &rest[..end])
    };
    let found = text.split(PREFIX).skip(1).map(name);
    found.filter(|name| name.len() > PREFIX.len()).collect()
}

#[test]
fn the_page_has_all_variables() {
    let root = root();
    let page = std::fs::read_to_string(root.join("docs/environment.md")).expect("the page");
    let mut read = BTreeSet::new();
    for folder in ["benches", "compiler", "emulator", "runtime", "scripts", "tests"] {
        each_file(&root.join(folder), &[".rs", ".sh", ".cpp", ".py", ".h"], &mut |_, text| {
            read.extend(names(text));
        });
    }
    assert!(read.len() > 10, "only {read:?} are read");
    assert_eq!(names(&page), read, "docs/environment.md has others (left) than are read (right)");
}
