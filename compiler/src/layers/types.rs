//! The layers as types, `Linear<784, 128>`, which `#[derive(Module)]` reads.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};
use syn::Path;

use super::{LAYERS, Layer, find};
use crate::lower::text_of;
use crate::syntax::parse_layer_type;

/// The types of all layers that have one.
pub fn types() -> TokenStream {
    LAYERS.iter().filter_map(definition).collect()
}

fn definition(layer: &Layer) -> Option<TokenStream> {
    let params = layer.type_params?.split(", ").filter(|param| !param.is_empty()).map(|param| {
        let (name, default) = match param.split_once(" = ") {
            Some((name, default)) => (name, default.parse::<usize>().ok()),
            None => (param, None),
        };
        let default = default.map(|default| {
            let default = Literal::usize_unsuffixed(default);
            quote!(= #default)
        });
        let name = format_ident!("{name}");
        quote!(const #name: usize #default)
    });
    let params: Vec<_> = params.collect();
    let generics = (!params.is_empty()).then(|| quote!(<#(#params),*>));
    let name = format_ident!("{}", layer.name);
    let docs = format!(
        "{}: {}. PyTorch's `{}`.",
        layer.shapes,
        without_links(layer.formula),
        layer.source
    );
    Some(quote! {
        #[doc = #docs]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct #name #generics;
    })
}

/// A text in whose brackets, outside of code, no links are looked for.
fn without_links(text: &str) -> String {
    let pieces = text.split('`').enumerate().map(|(at, piece)| match at % 2 {
        0 => piece.replace('[', "\\["),
        _ => format!("`{piece}`"),
    });
    pieces.collect()
}

/// How the layer that `path` names as a type, `Linear<784, 128>`, is written in a `model!`.
pub fn example(path: &Path) -> String {
    let Some(layer) = find(path) else { return text_of(path) };
    let written = parse_layer_type(path).map(|layer| layer.args).unwrap_or_default();
    let written: Vec<_> = written.iter().map(ToString::to_string).collect();
    match (layer.sizes, written.as_slice()) {
        (_, []) => layer.example.layer.to_string(),
        (Some(_), [from, to, rest @ ..]) => {
            let sizes = [format!("{from} -> {to}")].into_iter().chain(rest.iter().cloned());
            format!("{}({})", layer.name, sizes.collect::<Vec<_>>().join(", "))
        }
        _ => format!("{}({})", layer.name, written.join(", ")),
    }
}
