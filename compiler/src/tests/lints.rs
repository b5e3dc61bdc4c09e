//! Lints: each warns of its example, and not of the example as it should be; `docs/LINTS.md` is
//! written from their rows.

use std::fmt::Write;

use proc_macro2::TokenStream;

use super::{compare, expand, rendered};
use crate::diagnostics::{Diagnostics, Warning};
use crate::vocabulary::lint::{LINTS, Lint};

const HEAD: &str = "\
# Lints

What compiles and is most often a mistake is a warning of `cargo check`, at the text that it is
about. Each kind has a name, and is silent where `#[allow(name)]` stands above the struct, a field,
a function or a statement; above the struct of a `#[derive(Module)]`, or above a field of it, it is
`#[module(allow(name))]`. A name that is no lint is an error.

<!-- from tests/ui/lint_column.stderr -->
```text
COLUMN
```

rustc calls what it warns of deprecated: that is the one way in which a macro of stable Rust can
warn. `#![allow(deprecated)]` therefore silences all lints of a crate, and `-D warnings` makes
errors of them. Models of a library warn where the library is built, not where it is used.

Weight decay of norms and biases is a matter of the optimizer, which no model sees: write
`AdamW::new(&net, 3e-4)?.no_decay(Kind::NormsAndBiases)?`.
";

/// What a text is warned of, as `name <text> message`.
fn warned(text: &str) -> Vec<String> {
    let (diagnostics, rust) = expand(text);
    assert_eq!(rendered(&diagnostics), "", "{text}");
    assert!(syn::parse2::<syn::File>(rust).is_ok());
    named(&diagnostics)
}

fn named(diagnostics: &Diagnostics) -> Vec<String> {
    let one = |warning: &&Warning| {
        let at = warning.diagnostic.start.source_text().unwrap_or_default();
        format!("{} <{at}> {}", warning.name, warning.diagnostic.message)
    };
    diagnostics.warnings().iter().map(one).collect()
}

fn is_of(lint: &Lint, found: &[String]) -> bool {
    found.iter().any(|found| found.starts_with(&format!("{} ", lint.name)))
}

#[test]
fn each_warns_of_its_example_alone() {
    for lint in LINTS {
        let found = warned(lint.example);
        assert!(found.len() == 1 && is_of(lint, &found), "`{}` finds {found:?}", lint.name);
        assert_eq!(warned(lint.fixed), [""; 0], "`{}` as it should be", lint.name);
    }
}

#[test]
fn each_is_silent_where_it_is_allowed() {
    for lint in LINTS {
        let allow = format!("#[allow({})]", lint.name);
        let with = |what: &str| lint.example.replacen(what, &format!("{allow} {what}"), 1);
        assert_eq!(warned(&with("struct")), [""; 0], "`{}` above the struct", lint.name);
        if lint.name != "unused_layer" {
            assert_eq!(warned(&with("fn")), [""; 0], "`{}` above the function", lint.name);
            let (front, body) = lint.example.rsplit_once("{\n").expect("a body has a line");
            let statements: Vec<_> = body
                .lines()
                .map(|line| match line {
                    "}" => line.to_string(),
                    line => format!("{allow} {line}"),
                })
                .collect();
            let text = format!("{front}{{\n{}", statements.join("\n"));
            assert_eq!(warned(&text), [""; 0], "`{}` above the statements", lint.name);
        }
        // Another lint says nothing of this one.
        let other = LINTS.iter().find(|other| other.name != lint.name).expect("there are several");
        let text = format!("#[allow({})] {}", other.name, lint.example);
        assert!(is_of(lint, &warned(&text)), "`{}` under another", lint.name);
    }
}

#[test]
fn fields_allow_what_is_of_them() {
    for (name, field) in [
        ("unused_layer", "dropout:"),
        ("bias_before_batch_norm", "conv:"),
        ("linear_after_linear", "fc1:"),
        ("linear_after_linear", "fc2:"),
    ] {
        let lint = LINTS.iter().find(|lint| lint.name == name).expect("it is a lint");
        let text = lint.example.replacen(field, &format!("#[allow({name})] {field}"), 1);
        assert_eq!(warned(&text), [""; 0], "`{name}` above `{field}`");
    }
}

/// Texts in which each lint finds something, and beside them some that look alike.
#[test]
fn what_lints_find() {
    let mut page = String::new();
    let texts = super::read("lints.txt");
    let inputs = texts.split("\n== ").map(|part| part.split("\n-- ").next().unwrap_or_default());
    for text in inputs.filter(|text| !text.trim().is_empty()) {
        let text = text.trim_start_matches("== ").trim_end();
        let (title, model) = text.split_once('\n').expect("a title and a model");
        let found = warned(model);
        let found = if found.is_empty() { "nothing".into() } else { found.join("\n-- ") };
        let _ = write!(page, "== {title}\n{model}\n-- {found}\n\n");
    }
    compare("lints.txt", page.trim_end_matches('\n'));
}

#[test]
fn names_that_are_no_lints_are_errors() {
    let model = |attr: &str| format!("{attr} struct N {{ fc: Linear(2 -> 1) }} {BODY}");
    const BODY: &str = "fn forward(&self, x: [batch, 2]) -> [batch, 1] { self.fc(x) }";
    let said = |text: &str| rendered(&expand(text).0);
    let slip = said(&model("#[allow(linear_after_liner)]"));
    assert!(slip.contains("<linear_after_liner> no lint is named `linear_after_liner`"), "{slip}");
    assert!(slip.contains("did you mean `linear_after_linear`?"), "{slip}");
    // Lints of rustc and clippy stay where Rust has such attributes.
    let (diagnostics, rust) = expand(&model("#[allow(dead_code, unused_let, clippy::pedantic)]"));
    assert_eq!(rendered(&diagnostics), "");
    let rust = rust.to_string();
    assert!(rust.contains("dead_code , clippy :: pedantic") && !rust.contains("unused_let"));
    let field = "struct N { #[allow(dead_code)] fc: Linear(2 -> 1) }";
    let said_of_field = said(&format!("{field} {BODY}"));
    assert!(said_of_field.contains("no lint is named `dead_code`"), "{said_of_field}");
    let statement = BODY.replace("{ self", "{ #[allow(nothing)] self");
    let said_of_statement = said(&format!("struct N {{ fc: Linear(2 -> 1) }} {statement}"));
    assert!(said_of_statement.contains("<nothing> no lint is named"), "{said_of_statement}");
}

#[test]
fn lints_are_silent_beside_errors_and_reveal_is_not() {
    let text = "struct N { fc: Linear(2 -> 1), drop: Dropout(0.5) }
        fn forward(&self, x: [batch, 2]) -> [batch, 1] { let y = reveal!(self.fc(x)); x }";
    let (diagnostics, _) = expand(text);
    assert!(!diagnostics.is_empty());
    assert_eq!(named(&diagnostics), ["reveal <reveal> `self.fc(x)` is [batch, 1]"]);
}

#[test]
fn derived_modules_have_lints() {
    let module =
        |attr: &str| format!("#[derive(Module)] {attr} struct M(Linear<8, 16>, Linear<16, 4>);");
    let found = warned(&module(""));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("linear_after_linear"), "{found:?}");
    assert_eq!(warned(&module("#[module(allow(linear_after_linear))]")), [""; 0]);
    let field = "#[derive(Module)] struct M(Linear<8, 16>, #[module(allow(linear_after_linear))] Linear<16, 4>);";
    assert_eq!(warned(field), [""; 0]);
    let said = rendered(&expand(&module("#[module(allow(linear_after_liner))]")).0);
    assert!(said.contains("did you mean `linear_after_linear`?"), "{said}");
}

/// Words are told to editors of a model with a mistake, too, each place once: functions that others
/// call are written out again.
#[test]
fn editors_are_told_the_words() {
    let text = "struct N { fc: Linear(2 -> 1, bias = false) }
        fn forward(&self, x: [batch, 2]) -> [batch, 1] { let y = self.fc(x); y.relu() }
        fn loss(&self, x: [batch, 2]) -> [] { mse_loss(self.forward(x), self.forward(x), MORE) }";
    for more in ["reduction = mean", "reduction = median"] {
        let (diagnostics, rust) = expand(&text.replace("MORE", more));
        assert_eq!(diagnostics.is_empty(), more == "reduction = mean");
        let rust = rust.to_string();
        for (word, count) in [
            ("layers :: Linear as _", 1),
            ("layers :: Linear :: bias as _", 1),
            ("operations :: relu as _", 1),
            ("losses :: mse_loss :: reduction as _", 1),
            ("const y : & str = \"[batch, 1]\"", 1),
            (":: y as _", 1),
            (":: fc as _", 1),
            (":: forward as _", 2),
        ] {
            assert_eq!(rust.matches(word).count(), count, "`{word}` of {more}");
        }
    }
}

/// A body that is written out in another one has its names from where it stands.
#[test]
fn names_of_a_body_are_those_of_its_function() {
    let text = "fn loss(&self, x: [batch, 2]) -> [] { self.forward(x).mean() }
        fn forward(&self, x: [batch, 2]) -> [batch, 1] { self.fc(x) }";
    let (_, rust) = expand(&format!("struct N {{ fc: Linear(2 -> 1) }} {text}"));
    let (rust, shown) = (rust.to_string(), "const x : & str = \"[batch, 2]\"");
    assert_eq!(rust.matches(shown).count(), 2);
    assert!(rust.contains("names_0 :: x as _") && rust.contains("names_1 :: x as _"));
}

/// What `reveal!` says, and that it is the value that it shows.
#[test]
fn reveal_shows_and_goes_on() {
    let text = "struct N { fc: [Linear(4 -> 4); 2], lstm: LSTM(4 -> 8) }
        fn forward(&self, x: [batch, t, 4]) -> [batch, t, 8] {
            let mut y = reveal!(x).relu();
            for i in 0..2 { y = self.fc[i](y).tanh(); reveal!(y.narrow(1, 0, i + 1)); }
            let (z, _) = { 0 };
            z
        }";
    let text =
        text.replace("let (z, _) = { 0 };", "let (z, _, _) = reveal!(self.lstm(reveal!(y)));");
    let found = warned(&text);
    let expected = [
        "reveal <reveal> `x` is [batch, t, 4]",
        "reveal <reveal> `y.narrow(1, 0, i + 1)` is [batch, 1, 4]",
        "reveal <reveal> `self.lstm(reveal!(y))` is ([batch, t, 8], [batch, 8], [batch, 8])",
        "reveal <reveal> `y` is [batch, t, 4]",
    ];
    assert_eq!(found, expected);
    let (diagnostics, _) = expand(&text);
    let also = &diagnostics.warnings()[1].diagnostic.notes;
    assert!(also.contains(&"also: `y.narrow(1, 0, i + 1)` is [batch, 2, 4]".into()), "{also:?}");
    // What is read in any case makes the same Rust with it and without.
    let text = text.replace("reveal!(y.narrow(1, 0, i + 1));", "");
    // Places in the text are in the Rust as well.
    let [with, without] = [&text, &text.replace("reveal!", "       ")].map(|text| expand(text).1);
    let declared = |rust: &TokenStream| rust.to_string().contains("#[deprecated");
    assert!(!declared(&with) && with.to_string() == without.to_string());
    let wrong = expand("fn f(x: [n, 2]) -> [n, 2] { reveal!(x, x) }").0;
    assert!(rendered(&wrong).contains("<reveal> `reveal!` shows the shape of one value"));
}

#[test]
fn the_page_is_that_of_the_rows() {
    let shown = super::read("../../../tests/ui/lint_column.stderr");
    let mut page = HEAD.replace("COLUMN", shown.trim_end());
    page.push_str("\n| lint | warns of |\n|---|---|\n");
    for lint in LINTS {
        let _ = writeln!(page, "| [`{0}`](#{0}) | {1} |", lint.name, lint.what);
    }
    for lint in LINTS {
        let _ = writeln!(page, "\n## {}\n\nWarns of {}.\n", lint.name, lint.what);
        let _ = writeln!(page, "- Why: {}.\n- Instead: {}.", lint.why, lint.fix);
        let _ = writeln!(page, "\n```text\n{}\n```\n\nAs it should be:", lint.example);
        let _ = writeln!(page, "\n```text\n{}\n```", lint.fixed);
    }
    compare("../../../docs/LINTS.md", &page);
}
