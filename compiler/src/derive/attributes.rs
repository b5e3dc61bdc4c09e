//! What `#[module(…)]` says above the struct and above its fields.

use proc_macro2::{Ident, Span};
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Meta, Path, Token, parenthesized};

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::syntax::{FnArg, TypeExpr, allow};
use crate::vocabulary::lint::Lints;

/// Above the struct.
#[derive(Debug, Default)]
pub struct OfStruct {
    pub input: Option<TypeExpr>,
    /// The inputs behind the first.
    pub with: Vec<FnArg>,
    pub output: Option<TypeExpr>,
    /// The lints that are silent.
    pub allow: Lints,
}

/// Above a field.
#[derive(Clone, Debug, Default)]
pub struct OfField {
    /// The inputs of the struct that it is given behind the first.
    pub with: Vec<Ident>,
    pub output: Option<TypeExpr>,
    /// The lints that say nothing of it.
    pub allow: Lints,
}

pub fn of_struct(attrs: &[Attribute], diagnostics: &mut Diagnostics) -> OfStruct {
    let mut said = OfStruct::default();
    let mut allowed = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("module")) {
        if let Some(error) = no_list(attr, "input = [batch, 784]") {
            diagnostics.push(error);
            continue;
        }
        let read = attr.parse_nested_meta(|meta| match () {
            () if meta.path.is_ident("allow") => allow(&meta, &mut allowed),
            () if meta.path.is_ident("input") => shape(&meta, &mut said.input, "input"),
            () if meta.path.is_ident("output") => shape(&meta, &mut said.output, "output"),
            () if meta.path.is_ident("with") => {
                let list;
                parenthesized!(list in meta.input);
                let further = list.parse_terminated(further, Token![,])?;
                once(&meta, said.with.is_empty(), "with")?;
                said.with = further.into_iter().collect();
                Ok(())
            }
            () => Err(meta.error(
                "there are `input = [batch, 784]`, `output = [batch, 10]` and, for further \
                 inputs, `with(mask: [10, 10])`",
            )),
        });
        diagnostics.keep(read);
    }
    said.allow = allow::known(allowed, diagnostics);
    for attr in attrs {
        let of_field = ["name", "frozen"].iter().find(|name| attr.path().is_ident(name));
        if let Some(name) = of_field {
            let error = Diagnostic::over(attr, format!("`{name}` belongs above a field"));
            diagnostics.push(error);
        }
    }
    said
}

pub fn of_field(attrs: &[Attribute], stated: &OfStruct, diagnostics: &mut Diagnostics) -> OfField {
    let mut said = OfField::default();
    let mut allowed = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("module")) {
        if let Some(error) = no_list(attr, "output = [batch, 10]") {
            diagnostics.push(error);
            continue;
        }
        let read = attr.parse_nested_meta(|meta| match () {
            () if meta.path.is_ident("allow") => allow(&meta, &mut allowed),
            () if meta.path.is_ident("output") => shape(&meta, &mut said.output, "output"),
            () if meta.path.is_ident("with") => {
                let list;
                parenthesized!(list in meta.input);
                let names = Punctuated::<Ident, Token![,]>::parse_terminated(&list)?;
                once(&meta, said.with.is_empty(), "with")?;
                said.with = names.into_iter().collect();
                Ok(())
            }
            () if meta.path.is_ident("input") => {
                Err(meta.error("`input` belongs above the struct: a field takes what is before it"))
            }
            () => Err(meta.error(
                "above a field there are `output = [batch, 10]` and, for further inputs of the \
                 struct, `with(mask)`",
            )),
        });
        diagnostics.keep(read);
    }
    said.allow = allow::known(allowed, diagnostics);
    for name in &said.with {
        if !stated.with.iter().any(|arg| arg.name == *name) {
            let error = Diagnostic::new(name.span(), format!("no input is named `{name}`"));
            let help = format!("write `#[module(with({name}: [batch, 10]))]` above the struct");
            diagnostics.push(error.help(help));
        }
    }
    said.with.retain(|name| stated.with.iter().any(|arg| arg.name == *name));
    said
}

/// What is wrong with an attribute that has no list, or an empty one.
fn no_list(attr: &Attribute, example: &str) -> Option<Diagnostic> {
    match &attr.meta {
        Meta::List(list) if !list.tokens.is_empty() => None,
        _ => {
            let error = Diagnostic::over(attr, "`module` states nothing here");
            Some(error.help(format!("write `#[module({example})]`, or take it out")))
        }
    }
}

/// `[batch, 784]` behind `input =`.
fn shape(meta: &ParseNestedMeta, slot: &mut Option<TypeExpr>, name: &str) -> syn::Result<()> {
    let ty = meta.value()?.parse::<TypeExpr>()?;
    once(meta, slot.is_none(), name)?;
    *slot = Some(ty);
    Ok(())
}

/// `allow(linear_after_linear)`: rustc knows no lint of ours above a struct of its own.
fn allow(meta: &ParseNestedMeta, names: &mut Vec<Path>) -> syn::Result<()> {
    let list;
    parenthesized!(list in meta.input);
    names.extend(list.parse_terminated(Path::parse_mod_style, Token![,])?);
    Ok(())
}

fn once(meta: &ParseNestedMeta, is_first: bool, name: &str) -> syn::Result<()> {
    match is_first {
        true => Ok(()),
        false => Err(syn::Error::new(meta.path.span(), format!("`{name}` is stated twice"))),
    }
}

/// `mask: [10, 10]`
fn further(input: syn::parse::ParseStream) -> syn::Result<FnArg> {
    let name: Ident = input.parse()?;
    input.parse::<Token![:]>()?;
    Ok(FnArg { name, ty: input.parse()? })
}

/// Where an attribute that stands once stands again.
pub fn again(attrs: &[Attribute], name: &str) -> Option<Span> {
    attrs.iter().filter(|attr| attr.path().is_ident(name)).nth(1).map(Spanned::span)
}
