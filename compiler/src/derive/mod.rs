//! `#[derive(Module)]`: a plain struct becomes a model whose `forward` runs its fields in order.

mod attributes;
mod body;
mod kinds;
mod parts;
mod refused;
mod sizes;

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Fields, parse_quote};

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::model::{compile, guarded};
use crate::names::without_needless;
use crate::syntax::limits::too_deep;
use crate::syntax::{FnArg, Function, Header, ModelItem, TypeExpr, budget};
use crate::vocabulary::lint::Lints;

use attributes::{OfStruct, of_struct};
use parts::{Part, Parts};

pub fn expand(tokens: TokenStream) -> TokenStream {
    guarded(|diagnostics| module(tokens, diagnostics))
}

/// What [`expand`] finds wrong, for tools that look at more than its text.
pub fn mistakes(tokens: TokenStream) -> Vec<Diagnostic> {
    let mut diagnostics = Diagnostics::default();
    module(tokens, &mut diagnostics);
    diagnostics.into_found()
}

fn module(tokens: TokenStream, diagnostics: &mut Diagnostics) -> TokenStream {
    if let Some(error) = too_deep(tokens.clone()) {
        diagnostics.push(error);
        return TokenStream::new();
    }
    let input = diagnostics.keep(syn::parse2(without_needless(tokens)));
    input.map_or_else(TokenStream::new, |input: DeriveInput| {
        let mut item = model(&input, diagnostics);
        // Without the bounds of its struct, nothing can be said of a module.
        if !sizes::are_bounds_known(&input) {
            return TokenStream::new();
        }
        let (uses, numbers) = (uses(&input), sizes::numerals(&input));
        item.items = quote!(#uses #numbers);
        compile(&item, diagnostics)
    })
}

/// The model that a struct describes.
pub fn model(input: &DeriveInput, diagnostics: &mut Diagnostics) -> ModelItem {
    let span = input.ident.span();
    let generics = sizes::generics(input, diagnostics);
    let params: Vec<_> = generics.type_params().map(|param| param.ident.clone()).collect();
    let stated = of_struct(&input.attrs, diagnostics);
    let mut parts = Parts::new(&generics, &stated, diagnostics);
    let parts_of_struct = parts_of(input, &mut parts);
    let fields = std::mem::take(&mut parts.fields);
    let OfStruct { input: x, with, output, allow } = stated;
    let x = x.or_else(|| kinds::input(&parts_of_struct, &fields));
    if x.is_none() && diagnostics.is_empty() {
        diagnostics.push(refused::no_input(&input.ident, &fields));
    }
    let unknown =
        || TypeExpr { classes: false, dims: vec![parse_quote!(batch)], span, broken: true };
    let (body, last) = body::of(&parts_of_struct, &fields);
    let is_guess = output.is_none() && last.is_none();
    let guess = || kinds::output(&parts_of_struct, &fields).unwrap_or_else(unknown);
    let y = output.or(last).unwrap_or_else(guess);
    let x = FnArg { name: format_ident!("x", span = span), ty: x.unwrap_or_else(unknown) };
    let mut args: Vec<FnArg> = [x].into_iter().chain(with).collect();
    args.iter_mut().for_each(|arg| sizes::in_shape(&mut arg.ty, &params));
    let mut returns = vec![y];
    returns.iter_mut().for_each(|ty| sizes::in_shape(ty, &params));
    let forward = Function {
        trains: None,
        allow: Lints::default(),
        attrs: Vec::new(),
        step: None,
        vis: None,
        name: Ident::new("forward", span),
        has_self: true,
        args,
        returns,
        returns_guess: is_guess,
        returns_tuple: false,
        arrow_missing: None,
        body,
        body_span: span,
    };
    let budget = budget(&mut input.attrs.clone(), diagnostics);
    let (attrs, vis, name) = (Vec::new(), input.vis.clone(), input.ident.clone());
    let header = Header { allow, attrs, vis, name, generics, budget };
    let functions = vec![forward];
    ModelItem { header: Some(header), fields, functions, derived: true, ..ModelItem::default() }
}

/// What the fields of the struct describe, in their order.
fn parts_of(input: &DeriveInput, parts: &mut Parts) -> Vec<Part> {
    let name = &input.ident;
    let help = format!("write `struct {name} {{ fc1: Linear<784, 128> }}`");
    let none = match &input.data {
        Data::Struct(data) if !data.fields.is_empty() => {
            return data
                .fields
                .iter()
                .enumerate()
                .map(|(i, field)| parts.field(i, field))
                .collect();
        }
        Data::Struct(_) => {
            Diagnostic::new(name.span(), format!("`{name}` has no layers")).help(help)
        }
        Data::Enum(data) => {
            let text = format!("`Module` is derived for a struct of layers; `{name}` is an enum");
            Diagnostic::new(data.enum_token.span, text).help(help)
        }
        Data::Union(data) => {
            let text = format!("`Module` is derived for a struct of layers; `{name}` is a union");
            Diagnostic::new(data.union_token.span, text).help(help)
        }
    };
    parts.diagnostics.push(none);
    Vec::new()
}

/// The struct only describes: without this, rustc would call its fields unused.
fn uses(input: &DeriveInput) -> TokenStream {
    let Data::Struct(data) = &input.data else { return TokenStream::new() };
    if matches!(data.fields, Fields::Unit) || data.fields.is_empty() {
        return TokenStream::new();
    }
    let (declared, given, bounds) = input.generics.split_for_impl();
    let (name, members) = (&input.ident, data.fields.members());
    quote! {
        #[doc(hidden)]
        const _: () = {
            #[automatically_derived]
            impl #declared #name #given #bounds {
                #[allow(non_snake_case, dead_code)]
                fn __fields(&self) {
                    let _ = (#(&self.#members,)*);
                }
            }
        };
    }
}
