//! The texts of all diagnostics. `messages.txt` has cases: a model with mistakes, and below `---`
//! each message behind the text it underlines.

use super::{compare, expand, pretty, read, rendered};

#[test]
fn messages() {
    let cases = read("messages.txt");
    let mut found = String::new();
    for case in cases.split("\n== ") {
        let (title, rest) = case.split_once('\n').expect("a case has a title");
        let text = rest.split("\n---\n").next().expect("the first part").trim_end();
        let (diagnostics, rust) = expand(text);
        // Whatever is wrong, what is left is Rust.
        pretty(&rust);
        let title = title.trim_start_matches("== ");
        found.push_str(&format!("== {title}\n{text}\n---\n{}\n", rendered(&diagnostics)));
    }
    compare("messages.txt", &found);
}
