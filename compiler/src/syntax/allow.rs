//! `#[allow(name)]`, by which a lint is silent for a model, a field, a function or a statement.

use syn::punctuated::Punctuated;
use syn::{Attribute, Path, Token};

use crate::diagnostics::{Diagnostic, Diagnostics, nearest};
use crate::text::text_of;
use crate::vocabulary::lint::{LINTS, Lints};

/// Takes the lints of `#[allow(…)]` out of the attributes of what Rust has as well: a struct or a
/// function. Lints of rustc stay, and where nothing else is in it, the attribute goes.
pub fn take(attrs: &mut Vec<Attribute>, diagnostics: &mut Diagnostics) -> Lints {
    let mut all = Lints::default();
    attrs.retain_mut(|attr| {
        let Some(names) = names(attr) else { return true };
        let mut others = Vec::new();
        for name in names {
            match (lint(&name), near(&name)) {
                (Some(lint), _) => all = all.and(lint),
                (None, Some(near)) => diagnostics.push(unknown(&name).help(near)),
                (None, None) => others.push(name),
            }
        }
        if !others.is_empty() {
            *attr = syn::parse_quote!(#[allow(#(#others),*)]);
        }
        !others.is_empty()
    });
    all
}

/// The lints of `#[allow(…)]` above a field or a statement, where rustc has none.
pub fn of_model(attr: &Attribute, diagnostics: &mut Diagnostics) -> Lints {
    let Some(names) = names(attr) else {
        let error = Diagnostic::over(attr, "`allow` takes the names of lints");
        diagnostics.push(error.help(format!("write `#[allow({})]`", LINTS[0].name)));
        return Lints::default();
    };
    known(names, diagnostics)
}

/// The set of some names, each of which is a lint of models.
pub fn known(names: impl IntoIterator<Item = Path>, diagnostics: &mut Diagnostics) -> Lints {
    let mut all = Lints::default();
    for name in names {
        match lint(&name) {
            Some(lint) => all = all.and(lint),
            None => {
                let error = unknown(&name);
                diagnostics.push(match near(&name) {
                    Some(near) => error.help(near),
                    None => error.note("all lints are in docs/LINTS.md"),
                });
            }
        }
    }
    all
}

/// What stands in the parentheses of `#[allow(…)]`.
fn names(attr: &Attribute) -> Option<Punctuated<Path, Token![,]>> {
    let is_allow = attr.path().is_ident("allow");
    is_allow.then(|| attr.parse_args_with(Punctuated::parse_terminated).ok()).flatten()
}

fn lint(name: &Path) -> Option<Lints> {
    Lints::named(&name.get_ident()?.to_string())
}

fn near(name: &Path) -> Option<String> {
    let name = name.get_ident()?.to_string();
    // Names of rustc's share words with ours: `unused_labels` is no slip of `unused_layer`.
    let near = nearest(&name, LINTS.iter().map(|lint| lint.name))?;
    let is_slip = strsim::damerau_levenshtein(&name, near) <= 1 + near.len() / 12;
    is_slip.then(|| format!("did you mean `{near}`?"))
}

fn unknown(name: &Path) -> Diagnostic {
    Diagnostic::over(name, format!("no lint is named `{}`", text_of(name)))
}
