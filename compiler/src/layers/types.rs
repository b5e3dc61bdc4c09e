//! The layers as types, `Linear<784, 128>`, which `#[derive(Module)]` reads.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};
use syn::Path;

use super::{LAYERS, Layer, find};
use crate::lower::text_of;
use crate::syntax::parse_layer_type;

/// The types of all layers that have one.
pub fn types() -> TokenStream {
    let rows = LAYERS.iter().filter_map(|layer| Some((layer, params(layer)?)));
    let types = rows.map(|(layer, params)| {
        let params = params.iter().map(|(name, default)| {
            let default = default.map(|default| {
                let default = Literal::usize_unsuffixed(default);
                quote!(= #default)
            });
            quote!(const #name: usize #default)
        });
        let params: Vec<_> = params.collect();
        let generics = (!params.is_empty()).then(|| quote!(<#(#params),*>));
        definition(layer, &quote!(#generics;))
    });
    types.collect()
}

/// The same with types as sizes, of the layers that have sizes.
pub fn typed_types() -> TokenStream {
    let rows = LAYERS.iter().filter_map(|layer| Some((layer, params(layer)?)));
    let types = rows.filter(|(_, params)| !params.is_empty()).map(|(layer, params)| {
        let names = params.iter().map(|(name, _)| name);
        let held = quote!((::core::marker::PhantomData<fn() -> (#(#names,)*)>););
        let params = params.iter().map(|(name, default)| {
            let default = default.map(|default| {
                let default = format_ident!("U{default}");
                quote!(= ::typenum::consts::#default)
            });
            quote!(#name #default)
        });
        definition(layer, &quote!(<#(#params),*> #held))
    });
    types.collect()
}

/// The sizes of a layer's type, with their defaults.
fn params(layer: &Layer) -> Option<Vec<(Ident, Option<usize>)>> {
    let params = layer.type_params?.split(", ").filter(|param| !param.is_empty()).map(|param| {
        let (name, default) = match param.split_once(" = ") {
            Some((name, default)) => (name, default.parse().ok()),
            None => (param, None),
        };
        (format_ident!("{name}"), default)
    });
    Some(params.collect())
}

/// A struct that holds nothing; `rest` is what stands behind its name.
fn definition(layer: &Layer, rest: &TokenStream) -> TokenStream {
    let name = format_ident!("{}", layer.name);
    let docs = format!(
        "{}: {}. PyTorch's `{}`.",
        layer.shapes,
        without_links(layer.formula),
        layer.source
    );
    quote! {
        #[doc = #docs]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct #name #rest
    }
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
