//! The attributes of a struct.

use syn::punctuated::Punctuated;
use syn::{Attribute, Path, Token, parse_quote};

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::text::text_of;

/// Traits that a model cannot have, and what to do.
const NOT_DERIVED: [(&str, &str); 10] = [
    ("Module", "a struct of a `model!` is a module by itself: take it out"),
    ("Copy", "take it out: parameters are copied where `clone()` is written"),
    (
        "Default",
        "take it out, and write `Seed(0)` where parameters are drawn: `Net::init(Seed(0))`",
    ),
    ("PartialEq", "take it out, and compare `net.params()`"),
    ("Eq", "take it out, and compare `net.params()`"),
    ("PartialOrd", "take it out"),
    ("Ord", "take it out"),
    ("Hash", "take it out"),
    ("Serialize", "take it out: `net.save(\"net.safetensors\")` writes a file"),
    ("Deserialize", "take it out: `net.load(\"net.safetensors\")` reads a file"),
];

/// The attributes of a struct: `Clone` and `Debug` are there already, and of other traits that
/// cannot be derived it is said.
pub fn attributes(attrs: Vec<Attribute>, diagnostics: &mut Diagnostics) -> Vec<Attribute> {
    let derives = |attr: &Attribute| attr.path().is_ident("derive");
    let mut kept = Vec::new();
    for attr in attrs {
        if attr.path().is_ident("module") {
            let text = "`module` belongs to `#[derive(Module)]`";
            let help = "take it out: the functions of a `model!` state their shapes";
            diagnostics.push(Diagnostic::over(&attr, text).help(help));
            continue;
        }
        if !derives(&attr) {
            kept.push(attr);
            continue;
        }
        let paths = attr.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated);
        let Some(paths) = diagnostics.keep(paths) else { continue };
        let mut left: Punctuated<Path, Token![,]> = Punctuated::new();
        for path in paths {
            let name = path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
            if name == "Clone" || name == "Debug" {
                continue;
            }
            match NOT_DERIVED.iter().find(|(known, _)| *known == name) {
                Some((_, help)) => {
                    let text = format!("a model does not derive `{}`", text_of(&path));
                    diagnostics.push(Diagnostic::over(&path, text).help(help));
                }
                None => left.push(path),
            }
        }
        if !left.is_empty() {
            kept.push(parse_quote!(#[derive(#left)]));
        }
    }
    kept
}
