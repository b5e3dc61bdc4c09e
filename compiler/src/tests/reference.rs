//! `docs/REFERENCE.md`: an entry for each row of what users can write, whose example compiles.

use super::{compare, expand, rendered};
use crate::layers::{Build, LAYERS};
use crate::reference::{page, sections};
use crate::vocabulary::OptionRow;

#[test]
fn the_reference_is_that_of_the_rows() {
    compare("../../../docs/REFERENCE.md", &page());
}

/// Every entry says all that one has to say.
#[test]
fn every_row_says_what_it_is() {
    for entry in sections().into_iter().flat_map(|section| section.entries) {
        let row = &entry.row;
        let said = [
            ("formula", row.formula),
            ("source", row.source),
            ("example", row.example.function),
            ("shapes", row.shapes),
        ];
        for (what, text) in said {
            assert!(!text.is_empty(), "the row of `{}` has no {what}", row.name);
        }
        assert!(row.shapes.contains('→'), "the shapes of `{}` have no result", row.name);
        for option in row.options.iter().chain(row.call_options) {
            assert!(!option.drawn.is_empty(), "no test draws `{}` of `{}`", option.name, row.name);
            // A default and a domain that do not fit each other panic.
            let _ = (option.default_text(), option.domain_text());
        }
    }
}

/// Every example is right, and uses the name that it is an example of.
#[test]
fn every_example_compiles() {
    for entry in sections().into_iter().flat_map(|section| section.entries) {
        let name = entry.row.name;
        let uses = entry.example.contains(&format!("{name}(")) || name == "scan";
        assert!(uses, "the example of `{name}` is of something else:\n{}", entry.example);
        let (diagnostics, rust) = expand(&entry.example);
        assert_eq!(rendered(&diagnostics), "", "the example of `{name}`:\n{}", entry.example);
        assert!(syn::parse2::<syn::File>(rust).is_ok(), "the Rust of `{name}` does not parse");
    }
}

/// What a layer takes and what its row lists are the same: an option that there is not, the
/// compiler answers with those that there are.
#[test]
fn every_option_is_in_its_row() {
    for layer in LAYERS.iter().filter(|layer| !matches!(layer.build, Build::Value(_))) {
        let declared = layer.example.layer;
        let (front, _) = declared.rsplit_once(')').expect("a declaration has parentheses");
        let comma = if front.ends_with('(') { "" } else { ", " };
        let wrong = format!("{front}{comma}zzz = 1)");
        let text = layer.example.text().replacen(declared, &wrong, 1);
        let (diagnostics, _) = expand(&text);
        let said = rendered(&diagnostics);
        let listed = |option: &OptionRow| said.contains(&format!("`{}`", option.name));
        for option in layer.options {
            assert!(listed(option), "`{}` does not ask for `{}`:\n{said}", layer.name, option.name);
        }
        // Each is in quotes, and so are the layer, its name twice, and what is wrong.
        let quoted = said.matches('`').count() / 2;
        let names = 3 + layer.options.len();
        assert_eq!(quoted, names, "`{}` takes what its row does not list:\n{said}", layer.name);
    }
}

/// The names of parameters and state are those that a layer declares.
#[test]
fn every_parameter_is_in_its_row() {
    use crate::diagnostics::Diagnostics;
    use crate::lower::Siblings;
    use crate::model::analyse;
    use crate::syntax::parse_model;

    for layer in LAYERS.iter().filter(|layer| !matches!(layer.build, Build::Value(_))) {
        let mut diagnostics = Diagnostics::default();
        let tokens = layer.example.text().parse().expect("the example has balanced brackets");
        let item = parse_model(tokens, &mut diagnostics);
        let model = analyse(&item, &Siblings::default(), &mut diagnostics, &mut |_| {});
        let params = model.params.tensors.iter().map(|(_, param)| &param.name);
        let state = model.state.tensors.iter().map(|(_, state)| &state.name);
        let names: Vec<_> = params.chain(state).collect();
        assert_eq!(names.is_empty(), layer.params.is_empty(), "`{}` has {names:?}", layer.name);
        for name in names {
            let attention = name.split_once("attn.").map(|(front, _)| format!("`{front}attn.…`"));
            let is_there = layer.params.contains(&format!("`{name} ["))
                || attention.is_some_and(|attention| layer.params.contains(&attention));
            assert!(is_there, "the row of `{}` does not list `{name}`", layer.name);
        }
    }
}
