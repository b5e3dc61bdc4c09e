//! Types that are no parts of a network, with what to write instead.

use proc_macro2::Ident;
use syn::{PathArguments, TypePath};

use crate::diagnostics::{Diagnostic, counted};
use crate::layers;
use crate::syntax::{LayerDecl, PRIMITIVES, in_place_of};
use crate::text::text_of;

/// Whether a layer's type has too few sizes or too many.
pub fn miscounted(layer: &LayerDecl) -> Option<Diagnostic> {
    let (all, needed) = layers::type_sizes(&layer.path)?;
    let found = layer.args.len();
    if (needed..=all.len()).contains(&found) {
        return None;
    }
    let (name, sizes) = (text_of(&layer.path), all.join(", "));
    let count = match (needed, all.len()) {
        (_, 0) => "no sizes".into(),
        (needed, most) if needed == most => counted(needed, "size"),
        (needed, most) => format!("{needed} to {most} sizes"),
    };
    let text = format!("`{name}` has {count}, but here are {found}");
    let help = match all.is_empty() {
        true => format!("write `{name}`"),
        false => format!("write `{name}<{sizes}>`"),
    };
    Some(Diagnostic::new(layer.span, text).help(help))
}

/// What is wrong with a type that can be no module.
pub fn no_module(ty: &TypePath, name: &Ident, params: &[Ident]) -> Option<Diagnostic> {
    let last = ty.path.segments.last()?;
    let written = text_of(ty);
    let inner = match &last.arguments {
        PathArguments::AngleBracketed(list) => list.args.first().map(text_of),
        _ => None,
    };
    let inner = inner.unwrap_or_else(|| "Linear<784, 128>".into());
    let neither = format!("`{written}` is neither a layer nor a model");
    if ty.path.get_ident().is_some_and(|name| params.contains(name)) {
        let text = format!("`{written}` is a size, not a layer");
        let help =
            format!("the fields are layers and models: `{name}: typed::Linear<{written}, U10>`");
        return Some(Diagnostic::over(ty, text).help(help));
    }
    let help = match last.ident.to_string().as_str() {
        number if number == "String" || PRIMITIVES.contains(&number) => {
            "the struct holds no numbers; a `model!` has parameters of its own, \
             `scale: Param([1], init = ones)`"
                .into()
        }
        "Sequential" | "ModuleList" => {
            format!("layers in a row are a tuple: write `{name}: (Linear<784, 128>, Relu)`")
        }
        layer if layers::is_layer(&ty.path) && !layers::has_type(&ty.path) => {
            let text = format!("`{layer}` is no field of a derived module: it has no type");
            let help = format!("write it in a `model!`: `{name}: {}`", layers::example(&ty.path));
            return Some(Diagnostic::over(ty, text).help(help));
        }
        "Param" | "Buffer" => "a parameter of its own stands in a `model!`".into(),
        container => in_place_of(container, name, &inner)?,
    };
    Some(Diagnostic::over(ty, neither).help(help))
}
