//! The compiler run on texts, outside of rustc.
//!
//! What it says and makes is compared with files, word by word. After a change that is meant,
//! `GRADIRON_UPDATE=1 cargo test -p gradiron-compiler` writes the files anew: read their diff.

mod chains;
mod dims;
mod dump;
mod facts;
mod fields;
mod invariants;
mod limits;
mod lints;
mod messages;
mod outline;
mod pytorch;
mod recovery;
mod reference;
mod reserved;
mod snapshots;
mod structure;
mod trained;

use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;

use crate::derive;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::lower::Siblings;
use crate::model::{analyse, compile_all};
use crate::passes::Seen;
use crate::syntax::{ModelItem, parse_model, parse_models};

/// The text of a `model!` as it is read.
fn parsed(text: &str) -> ModelItem {
    let mut diagnostics = Diagnostics::default();
    let item = parse_model(text.parse().expect("balanced brackets"), &mut diagnostics);
    assert_eq!(rendered(&diagnostics), "");
    item
}

/// Shows every form of a right model's functions behind every pass.
fn watch(item: &ModelItem, watch: &mut dyn FnMut(&Seen)) {
    let mut diagnostics = Diagnostics::default();
    analyse(item, &Siblings::default(), &mut diagnostics, watch);
    assert_eq!(rendered(&diagnostics), "");
}

/// Compiles the text of a `model!`, or of a struct with `#[derive(Module)]`.
fn expand(text: &str) -> (Diagnostics, TokenStream) {
    let mut diagnostics = Diagnostics::default();
    let tokens: TokenStream = text.parse().expect("the text has balanced brackets");
    let mut items = match text.contains("#[derive(Module)]") {
        true => {
            let input = syn::parse2(tokens).expect("the text is a struct");
            vec![derive::model(&input, &mut diagnostics)]
        }
        false => parse_models(tokens, &mut diagnostics),
    };
    let rust = compile_all(&mut items, &mut diagnostics);
    (diagnostics, rust)
}

/// The expansion as Rust, laid out.
fn pretty(rust: &TokenStream) -> String {
    let file = syn::parse2(rust.clone()).unwrap_or_else(|error| panic!("{error}\n{rust}"));
    prettyplease::unparse(&file)
}

/// What the user sees: each underlined text and its message, in the order of the text.
fn rendered(diagnostics: &Diagnostics) -> String {
    let one = |diagnostic: &&Diagnostic| {
        let place = diagnostic.start.join(diagnostic.end).and_then(|span| span.source_text());
        format!("<{}> {}\n", place.unwrap_or_default(), diagnostic.text())
    };
    diagnostics.sorted().iter().map(one).collect()
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap_or_default()
}

/// Compares `found` with a file, or writes it there.
fn compare(name: &str, found: &str) {
    if std::env::var_os("GRADIRON_UPDATE").is_some() {
        std::fs::write(file(name), found).expect("the folder of the tests is there");
        return;
    }
    let expected = read(name);
    let lines = expected.lines().zip(found.lines()).enumerate();
    if let Some((at, (old, new))) = lines.into_iter().find(|(_, (old, new))| old != new) {
        panic!("{name}:{}\nexpected: {old}\n   found: {new}", at + 1);
    }
    assert_eq!(expected.lines().count(), found.lines().count(), "{name} has another length");
}
