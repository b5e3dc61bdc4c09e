//! The compiler run on texts, outside of rustc.

mod messages;

use proc_macro2::TokenStream;

use crate::diagnostics::Diagnostics;
use crate::model::compile;
use crate::syntax::parse_model;

/// Compiles the text of a `model!`.
fn model(text: &str) -> (Diagnostics, TokenStream) {
    let mut diagnostics = Diagnostics::default();
    let tokens = text.parse().expect("the text has balanced brackets");
    let item = parse_model(tokens, &mut diagnostics);
    let rust = compile(&item, false, &mut diagnostics);
    (diagnostics, rust)
}

/// What the user sees: each underlined text and its message, in the order of the text.
fn rendered(diagnostics: &Diagnostics) -> String {
    let one = |d: &&crate::diagnostics::Diagnostic| {
        let place = d.start.join(d.end).and_then(|span| span.source_text());
        format!("{}: {}\n", place.unwrap_or_default(), d.text())
    };
    diagnostics.sorted().iter().map(one).collect()
}
