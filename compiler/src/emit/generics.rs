//! The parameters of a model: constants, and of a derived one types that are sizes as well.

use std::collections::HashSet;

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::format_ident;
use syn::GenericParam;

use super::Model;
use crate::hygiene::quote;

impl Model<'_> {
    /// `<const D: usize>` behind `impl`, and the model's type, `Block<D>`.
    pub fn generics(&self) -> (TokenStream, TokenStream) {
        let (declared, given) = self.generic_lists();
        let name = self.name();
        (declared, quote!(#name #given))
    }

    /// `<const D: usize>` and `<D>`; nothing without parameters.
    pub fn generic_lists(&self) -> (TokenStream, TokenStream) {
        let params = self.parameters().filter_map(|param| {
            Some(match param {
                GenericParam::Const(param) => {
                    let (ident, ty) = (&param.ident, &param.ty);
                    quote!(const #ident: #ty)
                }
                GenericParam::Type(param) => {
                    let (ident, bounds) = (&param.ident, param.bounds.iter());
                    quote!(#ident: #(#bounds +)* __private::Size)
                }
                GenericParam::Lifetime(_) => return None,
            })
        });
        let params: Vec<_> = params.collect();
        let names = self.parameters().map(|param| match param {
            // A mistake that is reported.
            GenericParam::Lifetime(_) => quote!('static),
            param => {
                let name = name_of(param);
                quote!(#name)
            }
        });
        match self.header.is_some_and(|header| !header.generics.params.is_empty()) {
            true => (quote!(<#(#params),*>), quote!(<#(#names),*>)),
            false => (quote!(), quote!()),
        }
    }

    pub fn generic_names(&self) -> HashSet<String> {
        self.parameters().map(|param| name_of(param).to_string()).collect()
    }

    /// What generated methods call the type of a device.
    pub fn device(&self) -> Ident {
        self.free(["D", "Device", "Device_"], "Device__")
    }

    /// What they call what a workspace is for.
    pub fn purpose(&self) -> Ident {
        self.free(["P", "Purpose", "Purpose_"], "Purpose__")
    }

    fn free(&self, names: [&str; 3], otherwise: &str) -> Ident {
        let taken = self.generic_names();
        let free = names.into_iter().find(|name| !taken.contains(*name));
        format_ident!("{}", free.unwrap_or(otherwise))
    }

    /// Those that are constants, and of a derived model the types.
    fn parameters(&self) -> impl Iterator<Item = &GenericParam> {
        let params = self.header.into_iter().flat_map(|header| &header.generics.params);
        params.filter(|param| match param {
            GenericParam::Const(_) => true,
            GenericParam::Type(_) | GenericParam::Lifetime(_) => self.derived,
        })
    }

    /// Whether sizes are types.
    pub fn has_types(&self) -> bool {
        !self.types().is_empty()
    }

    fn types(&self) -> Vec<&Ident> {
        let types = self.parameters().filter(|param| matches!(param, GenericParam::Type(_)));
        types.map(name_of).collect()
    }

    /// The definition of a type without values of its own behind its name, and its one value. What
    /// has types as parameters must hold them.
    pub fn unit(&self, ty: &Ident) -> (TokenStream, TokenStream) {
        let (declared, _) = self.generic_lists();
        let types = self.types();
        match types.is_empty() {
            true => (quote!(struct #ty #declared;), quote!(#ty)),
            false => (
                quote!(struct #ty #declared(::core::marker::PhantomData<fn() -> (#(#types,)*)>);),
                quote!(#ty(::core::marker::PhantomData)),
            ),
        }
    }
}

fn name_of(param: &GenericParam) -> &Ident {
    match param {
        GenericParam::Const(param) => &param.ident,
        GenericParam::Type(param) => &param.ident,
        GenericParam::Lifetime(param) => &param.lifetime.ident,
    }
}

/// The items of functions, in which `Self` is also the value of their types. With types as
/// parameters it is a constant, `Self::IT__`.
pub fn with_values(model: &Model, items: TokenStream) -> TokenStream {
    if !model.has_types() {
        return items;
    }
    let (declared, given) = model.generic_lists();
    let values = model.interfaces.iter().map(|function| {
        let ty = super::function_type(&function.name);
        quote!(impl #declared #ty #given {
            const IT__: Self = Self(::core::marker::PhantomData);
        })
    });
    let items = by_constant(items);
    match model.functions.is_some() {
        true => quote!(#(#values)* #items),
        false => items,
    }
}

/// `Self.layout(…)` as `Self::IT__.layout(…)`.
fn by_constant(tokens: TokenStream) -> TokenStream {
    let mut made = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is_value = matches!(&token, TokenTree::Ident(name) if name == "Self")
            && matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == '.');
        match token {
            TokenTree::Group(group) => {
                let mut whole = Group::new(group.delimiter(), by_constant(group.stream()));
                whole.set_span(group.span());
                made.extend([TokenTree::Group(whole)]);
            }
            other => made.extend([other]),
        }
        if is_value {
            made.extend(quote!(::IT__));
        }
    }
    made
}
