//! The names that fields and functions cannot have are those that generated code and the trait
//! `Model` have.

use std::collections::BTreeSet;

use syn::{ImplItem, Item, TraitItem};

use super::expand;
use crate::syntax::reserved::{OF_FUNCTIONS, OF_MODELS, OF_STEPS, OF_TRAITS};

/// The items of `impl`s that users see.
fn seen(rust: &proc_macro2::TokenStream) -> BTreeSet<String> {
    let file: syn::File = syn::parse2(rust.clone()).expect("the expansion is Rust");
    let impls = file.items.into_iter().filter_map(|item| match item {
        Item::Impl(of) if of.trait_.is_none() => Some(of.items),
        _ => None,
    });
    let names = impls.flatten().filter_map(|item| match item {
        ImplItem::Fn(of) => Some(of.sig.ident.to_string()),
        ImplItem::Const(of) => Some(of.ident.to_string()),
        _ => None,
    });
    names.filter(|name| !name.starts_with("__")).collect()
}

#[test]
fn generated_names_are_reserved() {
    let (diagnostics, rust) = expand(
        "pub struct Net { fc: Linear(8 -> 8) }
        #[step(16)]
        fn forward(&self, x: [batch, 16, 8]) -> [batch, 16, 8] { self.fc(x) }
        fn loss(&self, x: [batch, 16, 8]) -> [] { self.fc(x).square().mean() }",
    );
    assert_eq!(super::rendered(&diagnostics), "");
    let of = |name: &str, suffixes: &[&str]| -> Vec<String> {
        suffixes.iter().map(|suffix| format!("{name}_{suffix}")).collect()
    };
    // A model with something of its own that is called `summary` has no other.
    let own = ["fc", "fc_mut", "forward", "loss", "loss_train", "summary"].map(String::from);
    let known: BTreeSet<String> = OF_MODELS
        .map(String::from)
        .into_iter()
        .chain(own)
        .chain(of("forward", &OF_FUNCTIONS))
        .chain(of("loss", &OF_FUNCTIONS))
        .chain(of("forward", &OF_STEPS))
        .collect();
    assert_eq!(seen(&rust), known);
}

#[test]
fn methods_of_models_are_reserved() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../runtime/src/module.rs");
    let text = std::fs::read_to_string(path).expect("the runtime is beside the compiler");
    let file = syn::parse_file(&text).expect("it is Rust");
    let model = file.items.iter().find_map(|item| match item {
        Item::Trait(of) if of.ident == "Model" => Some(&of.items),
        _ => None,
    });
    let methods = model.expect("the trait").iter().filter_map(|item| match item {
        TraitItem::Fn(method) => Some(method.sig.ident.to_string()),
        _ => None,
    });
    let methods: BTreeSet<String> = methods.chain(["clone".into()]).collect();
    assert_eq!(methods, OF_TRAITS.map(String::from).into());
}
