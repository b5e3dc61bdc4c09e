//! What users read when they make a mistake. Each file of `cases` is a program with one, and with a
//! correct `main` below it, so that what follows from a mistake is seen as well. Behind each line
//! with an error stand, as comments, what rustc underlines and our text; `GRADIRON_UPDATE=1` writes
//! them anew. The texts of rustc itself are left out, so that another rustc changes nothing.
//!
//! Of each case it is checked that there is one error, at a token of the user's, with the names of
//! the user alone, and that a help which says what to write makes a program that compiles. A case
//! whose answer is not so says why, `// weak: …`, and fails once it is.

mod case;
mod fixes;
mod rustc;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use case::Case;
use rustc::{Found, Rustc};

#[test]
fn each_mistake_has_one_answer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mistakes/cases");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder of cases")
        .map(|entry| entry.expect("an entry of the folder").path())
        .collect();
    files.sort();
    let only = std::env::var("GRADIRON_MISTAKES").unwrap_or_default();
    files.retain(|file| file.to_string_lossy().contains(&only));
    let (rustc, next, complaints) = (Rustc::new(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let found = look_at(file, &rustc);
            let name = file.file_name().expect("a file").to_string_lossy();
            let mut all = complaints.lock().expect("no thread panicked");
            all.extend(found.into_iter().map(|text| format!("{name}: {text}")));
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let mut complaints = complaints.into_inner().expect("no thread panicked");
    complaints.sort();
    assert!(
        complaints.is_empty(),
        "{} of {} cases:\n{}",
        complaints.len(),
        files.len(),
        complaints.join("\n")
    );
}

/// What is wrong with the answer to a case.
fn look_at(file: &Path, rustc: &Rustc) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("a case is a text");
    let case = Case::read(&text);
    let mut found = rustc.errors(file, &case.program);
    // A warning is the answer where nothing is an error.
    if found.iter().any(|one| !one.is_lint()) {
        found.retain(|one| !one.is_lint());
    }
    let mut complaints: Vec<String> =
        found.iter().filter_map(|error| what_is_bad(error, &case.program)).collect();
    if found.len() != case.mistakes {
        let texts: Vec<_> = found.iter().map(Found::line_of_text).collect();
        complaints.push(format!(
            "{} errors for {} mistakes:\n    {}",
            found.len(),
            case.mistakes,
            texts.join("\n    ")
        ));
    }
    let fixed = fixes::applied(&case.program, &found);
    if let Err(text) = &fixed {
        complaints.push(text.clone());
    }
    if let Ok(Some(fixed)) = fixed {
        let mut left = rustc.errors(&file.with_extension("fixed.rs"), &fixed);
        left.retain(|one| !one.is_lint());
        if !left.is_empty() && !case.needs_more {
            let texts: Vec<_> = left.iter().map(Found::line_of_text).collect();
            complaints.push(format!(
                "with its help it does not compile:\n    {}\n{fixed}",
                texts.join("\n    ")
            ));
        }
    }
    complaints = match (&case.weak, complaints.is_empty()) {
        (Some(_), true) => vec!["is called weak, and is not".into()],
        (Some(_), false) => Vec::new(),
        (None, _) => complaints,
    };
    let now = case.with_errors(&found);
    if now != text {
        match std::env::var_os("GRADIRON_UPDATE") {
            Some(_) => std::fs::write(file, now).expect("the case can be written"),
            None => complaints.push(format!("what is said has changed. It is now:\n{now}")),
        }
    }
    complaints
}

/// What no error may have: names that users did not write, and no place of its own.
fn what_is_bad(error: &Found, program: &str) -> Option<String> {
    let has_hidden_name = error
        .all_text
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|w| w.starts_with("__") && w.len() > 2 && !program.contains(w));
    let line = error.line_of_text();
    if has_hidden_name {
        return Some(format!("names what users did not write: {line}"));
    }
    if error.all_text.contains("a bug of gradiron") {
        return Some(format!("a bug: {line}"));
    }
    if error.lines > 3 || error.place.is_none() {
        return Some(format!("has no place of its own: {line}"));
    }
    None
}
