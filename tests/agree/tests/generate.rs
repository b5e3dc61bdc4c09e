//! The generator itself: its programs compile, and use all that there is.

use std::collections::BTreeSet;

use gradiron_agree::generate::generate;
use gradiron_agree::program::Program;
use gradiron_compiler::diagnostics::Diagnostics;
use gradiron_compiler::layers::LAYERS;
use gradiron_compiler::lower::{FUNCTIONS, method_names};
use gradiron_compiler::model::compile;
use gradiron_compiler::syntax::parse_model;

/// What the compiler or rustc say against a program.
fn complaint(program: &Program) -> Option<String> {
    if let Err(text) = gradiron_agree::calls::check(program) {
        return Some(text);
    }
    for text in &program.models {
        let mut diagnostics = Diagnostics::default();
        let item = parse_model(text.parse().expect("balanced brackets"), &mut diagnostics);
        if let Err(error) = syn::parse2::<syn::File>(compile(&item, &mut diagnostics)) {
            return Some(format!("the Rust does not parse: {error}"));
        }
    }
    None
}

/// Whatever a user can write is drawn, and so are the ways in which things go together.
#[test]
fn everything_is_drawn() {
    let mut missing: BTreeSet<String> = BTreeSet::new();
    let names = method_names().chain(FUNCTIONS.iter().map(|row| row.name));
    missing.extend(names.map(|name| format!("{name}(")));
    missing.extend(LAYERS.iter().map(|layer| format!(": {}(", layer.name)));
    let forms = [
        "const A",
        "<const N",
        "+ 1",
        " / ",
        "2*batch",
        "rows",
        "Classes[batch]",
        "-> [] {",
        "#[step(",
        "scan(self.",
        "scan(|e0, s0| ",
        "scan(|(e0, e1)",
        "scan(|e0| ",
        "out = (",
        "::OF;",
        "out = ",
        "reverse = ",
        "lengths = ",
        "bidirectional = true",
        "num_layers = 2",
        "[First",
        ".other(",
        "is_causal = true",
        "attn_mask = ",
        "tied = self.",
        ".weight",
        "keepdim = true",
        "groups = ",
        "self.encode(",
        "track_running_stats = false",
        "momentum = none",
        "init = ",
        "num_heads = ",
        "tgt_mask = ",
        "memory_mask = ",
        "norm_first = true",
    ];
    missing.extend(forms.map(String::from));
    let mut seed = 0;
    while !missing.is_empty() {
        assert!(seed < 2000, "in {seed} programs there is no {missing:?}");
        let text = generate(seed, &|_| true).to_string().replace("2 * batch", "2*batch");
        missing.retain(|form| !text.contains(form));
        seed += 1;
    }
}

/// The same seed gives the same program.
#[test]
fn seeds_decide() {
    for seed in [3, 1 << 40, u64::MAX] {
        let texts = [0, 1].map(|_| generate(seed, &|_| true).to_string());
        assert_eq!(texts[0], texts[1]);
    }
}

#[test]
fn programs_compile() {
    let (mut whole, mut pieces) = (0, 0);
    for seed in 0..60 {
        let asked = std::cell::Cell::new(0);
        let program = generate(seed, &|piece| {
            asked.set(asked.get() + 1);
            if asked.get() % 20 == 1
                && let Some(complaint) = complaint(piece)
            {
                panic!("seed {seed}: {complaint}\n{piece}");
            }
            true
        });
        if let Some(complaint) = complaint(&program) {
            panic!("seed {seed}: {complaint}\n{program}");
        }
        whole += 1;
        pieces += asked.get();
    }
    assert!(pieces > 3 * whole, "{pieces}");
}

/// A small program is left of a large one, with what makes it fail.
#[test]
fn programs_shrink() {
    let text = |program: &Program| program.models.join("\n");
    let mut seen = 0;
    for word in ["Conv2d(", "scan(", "cat("] {
        let fails =
            |program: &Program| complaint(program).is_none() && text(program).contains(word);
        let found = (0..400).map(|seed| generate(seed, &|_| true)).find(fails);
        let Some(program) = found else { continue };
        let small = gradiron_agree::shrink::shrink(&program, &fails);
        assert!(fails(&small), "{small}");
        let statements = text(&small).matches("let ").count();
        assert!(statements < 4, "{word} of\n{program}\nis\n{small}");
        seen += 1;
    }
    assert!(seen == 3, "{seen}");
}
