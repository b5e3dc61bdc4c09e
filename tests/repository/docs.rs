//! The pages of documentation: links lead somewhere, paths exist, snippets are parts of programs or
//! tests themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::{each_file, root};

/// Every page of Markdown, by its path from the root.
fn pages() -> BTreeMap<PathBuf, String> {
    let (root, mut pages) = (root(), BTreeMap::new());
    each_file(&root, &[".md"], &mut |path, text| {
        let path = path.strip_prefix(&root).expect("a file within").to_owned();
        // What was fetched, and the texts of rustdoc, whose links are items.
        if !path.starts_with("data") && !path.starts_with("runtime/src") {
            pages.insert(path, text.to_owned());
        }
    });
    assert!(pages.len() > 70, "only {} pages", pages.len());
    pages
}

/// The lines that are no code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        (!is_code && !is_fence).then_some((at + 1, line))
    })
}

/// What stands in `](…)`, but for addresses of other places.
fn links(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let targets = prose(text).flat_map(|(at, line)| {
        // What stands behind an odd number of backquotes is code: `self.norm[0](x)`.
        let ends = line.match_indices("](").map(|(at, _)| line.split_at(at));
        let ends = ends.filter(|(before, _)| before.matches('`').count() % 2 == 0);
        let targets = ends.filter_map(|(_, rest)| rest[2..].split_once(')'));
        targets.map(move |(target, _)| (at, target))
    });
    targets.filter(|(_, target)| !target.contains("://"))
}

/// A heading as the end of a link: lower case, without punctuation, with `-` for blanks.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn links_lead_somewhere() {
    let (root, pages) = (root(), pages());
    let (mut checked, mut broken) = (0, Vec::new());
    for (page, text) in &pages {
        for (line, link) in links(text) {
            checked += 1;
            let (path, end) = link.split_once('#').unwrap_or((link, ""));
            let folder = page.parent().expect("a page is in a folder");
            let target = if path.is_empty() { page.clone() } else { folder.join(path) };
            let mut fail =
                |why: &str| broken.push(format!("{}:{line}: {link}: {why}", page.display()));
            let Ok(target) = root.join(target).canonicalize() else {
                fail("there is no such file");
                continue;
            };
            let target = target.strip_prefix(&root).expect("a file within");
            let headings = |text: &str| {
                prose(text).any(|(_, line)| line.starts_with('#') && anchor(line) == end)
            };
            if !end.is_empty() && !pages.get(target).is_some_and(|text| headings(text)) {
                fail("that page has no such heading");
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
    assert!(checked > 120, "only {checked} links were found");
}

/// A page that nobody links is found by nobody.
#[test]
fn every_page_of_docs_is_linked() {
    let (root, pages) = (root(), pages());
    let mut linked = BTreeSet::new();
    for (page, text) in &pages {
        let folder = root.join(page.parent().expect("a page is in a folder"));
        for (_, link) in links(text) {
            let path = link.split('#').next().expect("a first part");
            linked.extend(folder.join(path).canonicalize());
        }
    }
    for page in pages.keys().filter(|page| page.starts_with("docs")) {
        assert!(linked.contains(&root.join(page)), "no page links to {}", page.display());
    }
}

/// Files that pages name in backquotes: each is the end of the path of a file that is there.
#[test]
fn files_that_pages_name_are_there() {
    let root = root();
    let ends = [".rs", ".sh", ".py", ".cu", ".cuh", ".md", ".toml", ".stderr", ".txt", ".mjs"];
    let mut files = Vec::new();
    each_file(&root, &ends, &mut |path, _| {
        let path = path.strip_prefix(&root).expect("a file within");
        files.push(format!("/{}", path.display()));
    });
    let (mut named, mut missing) = (0, Vec::new());
    for (page, text) in pages() {
        // What there was is named there.
        if page == Path::new("CHANGELOG.md") {
            continue;
        }
        for (line, text) in prose(&text) {
            for word in text.split('`').skip(1).step_by(2) {
                let is_path = word.chars().all(|c| c.is_alphanumeric() || "_-./".contains(c));
                let is_file = ends.iter().any(|end| word.ends_with(end) && word.len() > end.len());
                // Files that a user makes.
                let is_made = word.ends_with(".graph.txt") || word.contains("NAME");
                if !is_path || !is_file || is_made {
                    continue;
                }
                named += 1;
                let end = format!("/{}", word.trim_start_matches("../"));
                if !files.iter().any(|file| file.ends_with(&end)) {
                    missing.push(format!("{}:{line}: `{word}`", page.display()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "files that are not there:\n{}", missing.join("\n"));
    assert!(named > 60, "only {named} files are named");
}

/// A block of code of a page: its words behind the fence, where it is said to come from, its lines.
struct Block<'a> {
    line: usize,
    words: &'a str,
    from: Option<&'a str>,
    lines: Vec<&'a str>,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let (mut blocks, mut from, mut open): (Vec<Block>, _, Option<Block>) = (Vec::new(), None, None);
    for (at, line) in text.lines().enumerate() {
        let line_number = at + 1;
        if let Some(words) = line.strip_prefix("```") {
            match open.take() {
                Some(block) => blocks.push(block),
                None => {
                    let (from, lines) = (from.take(), Vec::new());
                    open = Some(Block { line: line_number, words, from, lines });
                }
            }
        } else if let Some(block) = &mut open {
            block.lines.push(line);
        } else {
            let comment = line.strip_prefix("<!-- from ");
            from = comment.and_then(|rest| rest.strip_suffix(" -->"));
        }
    }
    assert!(open.is_none(), "a block of code has no end");
    blocks
}

/// The lines less what all of them are indented by.
fn dedented(lines: &[&str]) -> Vec<String> {
    let filled = lines.iter().filter(|line| !line.trim().is_empty());
    let indent = filled.map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    lines.iter().map(|line| line.get(indent..).unwrap_or("").to_owned()).collect()
}

/// Whether a file has these lines one behind the other, at some indentation. A line `…` stands for
/// any number of lines.
fn is_part(block: &[&str], file: &str) -> bool {
    let file: Vec<&str> = file.lines().collect();
    let mut start = 0;
    block.split(|line| line.trim() == "…").all(|part| {
        let wanted = dedented(part);
        let found = (start..file.len().saturating_sub(part.len() - 1))
            .find(|at| dedented(&file[*at..][..part.len()]) == wanted);
        start = found.unwrap_or(0) + part.len();
        found.is_some()
    })
}

/// `<!-- from PATH -->` before a block says that it is a part of that file. Blocks of Rust without
/// it are compiled as tests of documentation, and so must not be ignored.
#[test]
fn snippets_are_parts_of_programs() {
    let (root, mut parts, mut wrong) = (root(), 0, Vec::new());
    for (page, text) in pages() {
        for block in blocks(&text) {
            let place = format!("{}:{}", page.display(), block.line);
            let Some(from) = block.from else {
                let is_ignored = block.words.contains("ignore");
                if is_ignored {
                    wrong.push(format!("{place}: ignored, and not said to come from a file"));
                }
                continue;
            };
            parts += 1;
            match std::fs::read_to_string(root.join(from)) {
                Ok(file) if is_part(&block.lines, &file) => {}
                Ok(_) => wrong.push(format!("{place}: {from} has no such lines")),
                Err(_) => wrong.push(format!("{place}: there is no {from}")),
            }
        }
    }
    assert!(wrong.is_empty(), "snippets that are not what they seem:\n{}", wrong.join("\n"));
    assert!(parts > 20, "only {parts} snippets are parts of files");
}

/// Pages with Rust that is not a part of a file are in `tests/docs.rs`, which compiles and runs it.
#[test]
fn rust_on_pages_is_tested() {
    let list = std::fs::read_to_string(root().join("tests/docs.rs")).expect("the list of pages");
    let runtime = std::fs::read_to_string(root().join("runtime/src/lib.rs")).expect("the library");
    for (page, text) in pages() {
        let is_rust = |block: &Block| block.words.starts_with("rust") && block.from.is_none();
        if blocks(&text).iter().any(is_rust) {
            let name = page.display().to_string();
            let is_listed = match name.as_str() {
                // The page of the crate, which its package holds.
                "README.md" => runtime.contains("include_str!(\"../README.md\")"),
                name => list.contains(&format!("\"../{name}\"")),
            };
            assert!(is_listed, "tests/docs.rs does not name {name}, which has snippets of Rust");
        }
    }
}

#[test]
fn the_readme_is_short() {
    let lines =
        std::fs::read_to_string(root().join("README.md")).expect("the README").lines().count();
    assert!(lines <= 150, "the README has {lines} lines: at most 150, the rest belongs into docs/");
}

#[test]
fn parts_are_found() {
    let file = "fn a() {\n    one();\n    two();\n}\n\nfn b() {}\n";
    assert!(is_part(&["one();", "two();"], file));
    assert!(is_part(&["fn a() {", "…", "}", "…", "fn b() {}"], file));
    assert!(!is_part(&["two();", "one();"], file));
    assert!(!is_part(&["fn b() {}", "…", "fn a() {"], file));
    assert_eq!(anchor("## What `is_part` does, in Short"), "what-is_part-does-in-short");
}
