//! A case: a program, and the errors that stand in it as comments.
//!
//! `//~   ^^^ text` is an error of the line above at these columns, `//~| text` more of its text.
//! What starts left of the fourth column is counted: `//~[1..7] text`.

use crate::rustc::Found;

pub struct Case {
    /// The text without what is said of it.
    pub program: String,
    /// How many mistakes there are: `// mistakes: 2` says that there are more than one.
    pub mistakes: usize,
    /// Whether a help may be one step of several: `// needs more`.
    pub needs_more: bool,
    /// Why the answer is not as it should be: `// weak: …`.
    pub weak: Option<String>,
}

/// What a line with an error starts with.
const MARK: &str = "//~";
/// The longest line.
const WIDTH: usize = 100;

impl Case {
    pub fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with(MARK));
        let program: String = lines.map(|line| format!("{line}\n")).collect();
        let mistakes = program.lines().find_map(|line| line.strip_prefix("// mistakes: "));
        let mistakes = mistakes.map_or(1, |count| count.parse().expect("a number of mistakes"));
        let needs_more = program.lines().any(|line| line == "// needs more");
        let weak = program.lines().find_map(|line| line.strip_prefix("// weak: "));
        let weak = weak.map(str::to_string);
        Self { program, mistakes, needs_more, weak }
    }

    /// The program with errors in it.
    pub fn with_errors(&self, found: &[Found]) -> String {
        let mut text = String::new();
        for error in found.iter().filter(|error| error.place.is_none()) {
            text.push_str(&written(error));
        }
        for (i, line) in self.program.lines().enumerate() {
            text.push_str(&format!("{line}\n"));
            let here = |error: &&Found| error.place.is_some_and(|place| place.line == i + 1);
            for error in found.iter().filter(here) {
                text.push_str(&written(error));
            }
        }
        text
    }
}

/// An error as comments.
fn written(error: &Found) -> String {
    let mut text = match error.place {
        None => format!("{MARK} nowhere:"),
        Some(place) if place.start <= MARK.len() => {
            format!("{MARK}[{}..{}]", place.start, place.end)
        }
        Some(place) => {
            let carets = "^".repeat(place.end.saturating_sub(place.start).max(1));
            format!("{MARK}{}{carets}", " ".repeat(place.start - MARK.len() - 1))
        }
    };
    text.push_str(&format!(" {}\n", error.title()));
    for line in error.rest() {
        for piece in wrapped(line) {
            text.push_str(&format!("{MARK}| {piece}\n"));
        }
    }
    text
}

/// A text in lines of some length.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one");
        if !line.is_empty() && line.chars().count() + word.chars().count() + 6 > WIDTH {
            lines.push(format!("  {word}"));
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines
}
