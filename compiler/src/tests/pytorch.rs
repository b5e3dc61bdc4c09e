//! That the dictionary of PyTorch's words names what is there, and nothing that is ours.

use crate::layers;
use crate::lower::{FUNCTIONS, method_names};
use crate::vocabulary::pytorch::{Here, entries, option_entries};

fn is_ours(name: &str) -> bool {
    let is_layer = |name: &str| {
        syn::parse_str::<syn::Path>(name)
            .is_ok_and(|path| layers::is_layer(&path) || layers::is_value(&path))
    };
    FUNCTIONS.iter().any(|row| row.name == name)
        || method_names().any(|method| method == name)
        || is_layer(name)
}

#[test]
fn words_are_those_of_pytorch_and_answers_are_ours() {
    for (word, here) in entries() {
        assert!(!is_ours(word), "`{word}` is a name of ours");
        if let Here::Named(ours) = here {
            assert!(is_ours(ours), "`{word}` is said to be `{ours}`, which is not there");
        }
    }
}

/// Helps that say to write an expression or a layer have one that parses.
#[test]
fn what_helps_say_to_write_is_rust() {
    for (word, here) in entries() {
        let (Here::Written(text) | Here::Missing(text) | Here::Outside(text)) = here else {
            continue;
        };
        for code in text.split('`').skip(1).step_by(2) {
            let is_rust = syn::parse_str::<syn::Expr>(code).is_ok()
                || syn::parse_str::<syn::Item>(&code.replace('…', "0.0")).is_ok()
                || code.starts_with('#')
                || code.contains("->")
                || code.contains('…')
                || code.contains(": ");
            assert!(is_rust, "{word}: `{code}`");
        }
    }
}

#[test]
fn options_have_names_that_some_row_has() {
    let layers =
        layers::LAYERS.iter().flat_map(|layer| layer.options.iter().chain(layer.call_options));
    let functions = FUNCTIONS.iter().flat_map(|row| row.options);
    let methods: Vec<_> = crate::lower::methods().collect();
    let methods = methods.iter().flat_map(|row| row.options);
    let elementwise: Vec<_> =
        crate::lower::elementwise_rows().flat_map(|row| row.constants).collect();
    let known: Vec<&str> = layers
        .chain(functions)
        .chain(methods)
        .chain(elementwise)
        .map(|option| option.name)
        .collect();
    for (word, ours) in option_entries() {
        for name in *ours {
            assert!(known.contains(name), "`{word}` is said to be `{name}`, which no row has");
        }
    }
}
