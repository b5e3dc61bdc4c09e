//! The lengths that `docs/zoo.md` states are those of the texts.

use std::path::{Path, PathBuf};

use crate::golden::Outcome;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The number of words, numbers, strings and other signs, without comments.
fn tokens(text: &str, comment: &str) -> usize {
    let (mut count, mut rest) = (0, text.trim_start());
    while let Some(first) = rest.chars().next() {
        let is_comment = rest.starts_with(comment);
        let len = if is_comment {
            rest.find('\n').unwrap_or(rest.len())
        } else if first == '"' {
            2 + rest[1..].find('"').expect("a string ends")
        } else if first.is_alphanumeric() || first == '_' {
            let is_number = first.is_ascii_digit();
            let mut chars = rest.char_indices().peekable();
            let mut end = rest.len();
            while let Some((at, c)) = chars.next() {
                let next = chars.peek().map(|(_, c)| *c);
                let is_point = is_number && c == '.' && next.is_some_and(|c| c.is_ascii_digit());
                if !(c.is_alphanumeric() || c == '_' || is_point) {
                    end = at;
                    break;
                }
            }
            end
        } else {
            first.len_utf8()
        };
        count += usize::from(!is_comment);
        rest = rest[len..].trim_start();
    }
    count
}

/// What stands between the braces of each `model!`.
fn models(text: &str) -> String {
    let bodies = text.split("\nmodel! {\n").skip(1);
    bodies.map(|body| body.split("\n}\n").next().expect("a first part")).collect()
}

/// What stands from the first class to `make`.
fn classes(text: &str) -> &str {
    let (start, end) = (text.find("\nclass ").expect("a class"), text.find("\ndef make"));
    &text[start..end.expect("what makes the golden")]
}

#[test]
fn the_page_has_the_lengths_of_the_texts() -> Outcome {
    let path = root().join("docs/zoo.md");
    let (mut page, update) = (std::fs::read_to_string(&path)?, std::env::var_os("GRADIRON_UPDATE"));
    let python = root().join("tests/parity/python/parity/zoo");
    let mut found = 0;
    for entry in std::fs::read_dir(root().join("tests/zoo"))? {
        let golden = entry?.path();
        if golden.extension().is_none_or(|end| end != "safetensors") {
            continue;
        }
        let name = golden.file_stem().expect("a name").to_str().expect("of ASCII").to_owned();
        let ours = models(&std::fs::read_to_string(golden.with_extension("rs"))?);
        let theirs = std::fs::read_to_string(python.join(format!("{name}.py")))?;
        let (ours, theirs) = (tokens(&ours, "//"), tokens(classes(&theirs), "# "));
        let cells = format!("[{name}](../tests/zoo/{name}.rs) | {ours} | {theirs} |");
        let start = page.find(&format!("[{name}](../tests/zoo/")).expect("a row for each");
        if update.is_some() {
            let len: usize = page[start..].split_inclusive('|').take(3).map(str::len).sum();
            page.replace_range(start..start + len, &cells);
        }
        assert!(page[start..].starts_with(&cells), "docs/zoo.md has no row with `{cells}`");
        found += 1;
    }
    assert_eq!(page.matches("](../tests/zoo/").count(), found, "rows of docs/zoo.md");
    if update.is_some() {
        std::fs::write(path, page)?;
    }
    Ok(())
}

#[test]
fn tokens_are_counted_alike_in_both_languages() {
    assert_eq!(tokens("// no\nx.relu(-0.5) // no\n + 1e-3", "//"), 7 + 4);
    assert_eq!(tokens("f(\"a b\", 16) # no", "# "), 6);
}
