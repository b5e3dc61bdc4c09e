//! The generator itself: its programs compile, and use all that there is.

use gradiron_agree::generate::generate;
use gradiron_agree::program::Program;
use gradiron_compiler::diagnostics::Diagnostics;
use gradiron_compiler::model::compile;
use gradiron_compiler::syntax::parse_model;

/// Compiles all models of a program; what is wrong with it.
fn complaint(program: &Program) -> Option<String> {
    for text in &program.models {
        let mut diagnostics = Diagnostics::default();
        let item = parse_model(text.parse().expect("balanced brackets"), &mut diagnostics);
        let rust = compile(&item, &mut diagnostics);
        if let Some(first) = diagnostics.sorted().first() {
            return Some(first.text());
        }
        if let Err(error) = syn::parse2::<syn::File>(rust) {
            return Some(format!("the Rust does not parse: {error}"));
        }
    }
    None
}

#[test]
fn programs_compile() {
    let (mut whole, mut pieces) = (0, 0);
    for seed in 0..150 {
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
    for word in ["softmax(", "Conv2d(", "scan(", "cat(", "GRU("] {
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
    assert!(seen > 3, "{seen}");
}
