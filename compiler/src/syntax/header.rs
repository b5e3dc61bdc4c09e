//! What stands between `struct` and the layers, and the attributes in front of it.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Expr, GenericParam, Generics, Path, Token, Type, parse_quote, parse_quote_spanned,
};

use super::parse::split;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::text::text_of;

/// The parameters of a model: constants of type `usize`. What is written otherwise is reported, and
/// read as one.
pub fn generics(input: ParseStream, diagnostics: &mut Diagnostics) -> syn::Result<Generics> {
    if !input.peek(Token![<]) {
        return Ok(Generics::default());
    }
    let lt = input.parse()?;
    let (mut inside, mut depth) = (TokenStream::new(), 0_usize);
    while depth > 0 || !input.peek(Token![>]) {
        let token: TokenTree = input.parse()?;
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == '<' => depth += 1,
            TokenTree::Punct(punct) if punct.as_char() == '>' => depth -= 1,
            _ => {}
        }
        inside.extend([token]);
    }
    let gt = input.parse()?;
    let mut params: Punctuated<GenericParam, Token![,]> = Punctuated::new();
    for tokens in split(inside, ',') {
        params.extend(parameter(&tokens, diagnostics));
    }
    Ok(Generics { lt_token: Some(lt), params, gt_token: Some(gt), where_clause: None })
}

fn parameter(tokens: &TokenStream, diagnostics: &mut Diagnostics) -> Option<GenericParam> {
    let name = |tokens: &TokenStream| {
        let names = tokens.clone().into_iter().filter_map(|token| match token {
            TokenTree::Ident(word) if word != "const" => Some(word),
            _ => None,
        });
        names.into_iter().next()
    };
    let parsed = syn::parse2::<GenericParam>(tokens.clone());
    let (name, default): (Ident, Option<Expr>) = match parsed {
        Ok(GenericParam::Const(param)) if matches!(&param.ty, Type::Path(ty) if ty.path.is_ident("usize")) =>
        {
            return Some(GenericParam::Const(param));
        }
        Ok(GenericParam::Const(param)) => (param.ident, param.default.map(|(_, value)| value)),
        Ok(GenericParam::Lifetime(lifetime)) => {
            let error = Diagnostic::over(
                &lifetime,
                "a model borrows nothing: its parameters are constants",
            );
            diagnostics.push(error.help("take the parameter out"));
            return None;
        }
        _ => (name(tokens)?, None),
    };
    let text =
        format!("a model's parameters are constants of type `usize`, not `{}`", text_of(tokens));
    let error = Diagnostic::over(tokens, text);
    let with = default.as_ref().map(|value| format!(" = {}", text_of(value))).unwrap_or_default();
    diagnostics.push(error.help(format!("write `const {name}: usize{with}`")));
    Some(GenericParam::Const(parse_quote_spanned!(name.span()=> const #name: usize)))
}

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
