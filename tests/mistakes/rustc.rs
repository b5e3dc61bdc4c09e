//! Programs through rustc, and what it says of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Where an error stands, in lines and columns from 1 on.
#[derive(Clone, Copy)]
pub struct Place {
    pub line: usize,
    pub start: usize,
    pub end: usize,
}

/// An error.
pub struct Found {
    /// rustc's number, of its own errors.
    pub code: Option<String>,
    /// What it says, a line for each help.
    pub text: String,
    /// This and all that rustc adds.
    pub all_text: String,
    pub place: Option<Place>,
    /// Over how many lines it goes.
    pub lines: usize,
}

impl Found {
    /// Whether it is a warning of ours.
    pub fn is_lint(&self) -> bool {
        self.code.as_deref() == Some("deprecated")
    }

    /// Whether its text is ours.
    pub fn is_ours(&self) -> bool {
        self.code.as_deref().is_none_or(|code| code == "E0080" || code == "deprecated")
    }

    /// The first line of what stands in a case. Of rustc's own errors, which change with it, the
    /// number.
    pub fn title(&self) -> &str {
        match (&self.code, self.is_ours()) {
            (Some(code), false) => code,
            _ => self.text.lines().next().unwrap_or_default().trim(),
        }
    }

    pub fn rest(&self) -> impl Iterator<Item = &str> {
        let lines = self.text.lines().skip(1).filter(|_| self.is_ours());
        lines.map(str::trim).filter(|line| !line.is_empty())
    }

    pub fn line_of_text(&self) -> String {
        let place = self.place.map_or("nowhere".into(), |at| format!("{}:{}", at.line, at.start));
        let code = self.code.as_deref().unwrap_or("ours");
        format!("{place} [{code}] {}", self.text.replace('\n', " / "))
    }
}

/// rustc with the library at hand.
pub struct Rustc {
    library: PathBuf,
    /// For the programs, and for what rustc makes of them.
    folder: PathBuf,
}

impl Rustc {
    /// Builds the library as far as programs are checked against it.
    pub fn new() -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let output = Command::new(cargo)
            .args(["check", "--locked", "--package", "gradiron", "--message-format", "json"])
            .current_dir(root)
            .output()
            .expect("cargo runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let artifacts = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let library = artifacts
            .filter(|artifact| artifact["target"]["name"] == "gradiron")
            .filter_map(|artifact| {
                Some(artifact["filenames"].as_array()?.first()?.as_str()?.into())
            })
            .next_back();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mistakes");
        std::fs::create_dir_all(&folder).expect("a folder for programs");
        Self { library: library.unwrap_or_else(|| panic!("no library:\n{errors}")), folder }
    }

    /// What is wrong with a program; `file` is its name.
    pub fn errors(&self, file: &Path, program: &str) -> Vec<Found> {
        let name = file.file_name().expect("a file");
        let source = self.folder.join(name);
        std::fs::write(&source, program).expect("the program can be written");
        let made = source.with_extension("rmeta");
        let output = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()))
            .args(["--edition", "2024", "--crate-type", "bin", "--crate-name", "case"])
            .args(["--error-format", "json", "--emit", "metadata", "-o"])
            .arg(made)
            .arg("--extern")
            .arg(format!("gradiron={}", self.library.display()))
            .arg("-L")
            .arg(format!("dependency={}", self.library.parent().expect("a folder").display()))
            .arg(&source)
            .env_remove("GRADIRON_DUMP")
            .output()
            .expect("rustc runs");
        let text = String::from_utf8_lossy(&output.stderr);
        let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let is_error = |message: &Value| {
            let text = message["message"].as_str().unwrap_or_default();
            // Lints are warnings of a constant that is deprecated.
            let is_lint = message["code"]["code"] == "deprecated";
            (message["level"] == "error" || is_lint)
                && !text.starts_with("aborting due to")
                && !text.starts_with("could not compile")
        };
        let mut found: Vec<Found> =
            messages.filter(is_error).map(|message| read(&message, &source)).collect();
        found.sort_by_key(|error| error.place.map(|place| (place.line, place.start)));
        found
    }
}

fn read(message: &Value, source: &Path) -> Found {
    let text = message["message"].as_str().unwrap_or_default();
    let text = text.strip_prefix("evaluation panicked: ").unwrap_or(text);
    let text = text.strip_prefix("use of deprecated constant ").unwrap_or(text).to_string();
    let spans = message["spans"].as_array().map_or(&[][..], Vec::as_slice);
    let primary = spans.iter().find(|span| span["is_primary"] == true);
    let user = source.to_string_lossy();
    let mut at = primary;
    while let Some(span) = at.filter(|span| span["file_name"] != *user) {
        at = Some(&span["expansion"]["span"]).filter(|span| span.is_object());
    }
    let number = |span: &Value, name: &str| span[name].as_u64().unwrap_or_default() as usize;
    let place = at.map(|span| {
        let (line, start) = (number(span, "line_start"), number(span, "column_start"));
        let lines = number(span, "line_end") - line;
        let end = if lines == 0 { number(span, "column_end") } else { start + 1 };
        Place { line, start, end }
    });
    let lines = at.map_or(0, |span| number(span, "line_end") + 1 - number(span, "line_start"));
    let children = message["children"].as_array().map_or(&[][..], Vec::as_slice);
    let of_children = children.iter().filter_map(|child| child["message"].as_str());
    let labels = spans.iter().filter_map(|span| span["label"].as_str());
    let all: Vec<&str> = [text.as_str()].into_iter().chain(of_children).chain(labels).collect();
    let all_text = all.join("\n");
    let code = message["code"]["code"].as_str().map(str::to_string);
    Found { code, text, all_text, place, lines }
}
