//! Comments are at most as wide as code, which `cargo fmt` holds for that.

use crate::{each_file, root};

/// Columns, as in `rustfmt.toml`.
const WIDTH: usize = 100;

#[test]
fn comments_are_as_wide_as_code() {
    let (root, mut comments, mut wide) = (root(), 0, Vec::new());
    for folder in ["benches", "compiler", "examples", "fuzz", "macros", "runtime", "tests"] {
        each_file(&root.join(folder), &[".rs"], &mut |path, text| {
            // Docs that are generated are texts, which snapshots have line by line.
            let generates = text.contains("quote! {");
            for (at, line) in text.lines().enumerate() {
                let line_start = line.trim_start();
                let is_text = generates && line_start.starts_with("///");
                let is_comment = line_start.starts_with("//") && !is_text;
                comments += usize::from(is_comment);
                // A row of a table and an address have no place to break.
                // What is said of a mistake stands where it is made.
                let is_whole =
                    line.contains("://") || line.contains(" | ") || line.starts_with("//~");
                if is_comment && line.chars().count() > WIDTH && !is_whole {
                    let path = path.strip_prefix(&root).expect("a file within");
                    wide.push(format!("{}:{}", path.display(), at + 1));
                }
            }
        });
    }
    assert!(wide.is_empty(), "comments of more than {WIDTH} columns:\n{}", wide.join("\n"));
    assert!(comments > 5_000, "only {comments} lines of comments were found");
}
