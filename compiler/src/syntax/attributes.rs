//! The attributes of a struct.

use syn::punctuated::Punctuated;
use syn::{Attribute, Path, Token, parse_quote};

use crate::diagnostics::{Diagnostic, Diagnostics, nearest};
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

/// Attributes of models, and above what they stand.
const OURS: [(&str, &str); 5] = [
    ("frozen", "field"),
    ("name", "field"),
    ("step", "function"),
    ("trains", "function"),
    ("budget", "struct"),
];

/// Takes attributes out that stand above other things, or have a slip in their name: rustc knows
/// none of them.
pub fn of_others(attrs: &mut Vec<Attribute>, place: &str, diagnostics: &mut Diagnostics) {
    attrs.retain(|attr| {
        let Some(name) = attr.path().get_ident().map(ToString::to_string) else { return true };
        let meant = OURS.iter().find(|(known, _)| *known == name);
        let error = match meant {
            Some((_, other)) if *other == place => {
                Diagnostic::over(attr, format!("`{name}` stands here twice"))
                    .help("write it once, with all that it says")
            }
            Some((_, other)) => {
                let text = format!("`{name}` stands above a {other}, and not above a {place}");
                Diagnostic::over(attr, text)
                    .help(format!("write it above the {other} that is meant"))
            }
            None => {
                let rustc = ["doc", "cfg", "allow", "expect", "warn", "deny", "inline", "must_use"];
                let near = nearest(&name, OURS.iter().map(|(known, _)| *known));
                let Some(near) = near.filter(|_| !rustc.contains(&&*name)) else { return true };
                let error =
                    Diagnostic::over(attr.path(), format!("no attribute is named `{name}`"));
                error.did_you_mean(attr.path(), near)
            }
        };
        diagnostics.push(error);
        false
    });
}
