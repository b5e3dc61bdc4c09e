//! Constants of the program that stand in a `model!`.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::ParseStream;
use syn::{Attribute, Item, Token, Type, Visibility};

use super::{ConstItem, TypeExpr};
use crate::hygiene::quote;
use crate::text::text_of;

/// `const GRID: [[f32; 8]; 8] = …;` or a `static`: what bodies see of it, and the item, which stays
/// as it is written.
pub(super) fn constant(input: ParseStream) -> syn::Result<Option<(ConstItem, TokenStream)>> {
    let ahead = input.fork();
    ahead.call(Attribute::parse_outer)?;
    ahead.parse::<Visibility>()?;
    let is_one =
        (ahead.peek(Token![static]) || ahead.peek(Token![const])) && !ahead.peek2(Token![fn]);
    if !is_one {
        return Ok(None);
    }
    let item: Item = input.parse()?;
    let (name, ty, value) = match &item {
        Item::Const(item) => (&item.ident, &item.ty, &item.expr),
        Item::Static(item) => (&item.ident, &item.ty, &item.expr),
        other => return Err(syn::Error::new_spanned(other, "expected a constant")),
    };
    let (name, value) = (name.clone(), (**value).clone());
    let constant = ConstItem { name, array: TypeExpr::of_array(ty), value };
    Ok(Some((constant, item.into_token_stream())))
}

/// What loops and conditions are decided by stands in no other Rust, and is used all the same.
pub(super) fn uses(constants: &[ConstItem], tokens: &TokenStream) -> TokenStream {
    let numbers = constants.iter().filter(|constant| constant.array.is_none());
    let used = numbers.map(|constant| &constant.name).filter(|name| count(tokens, name) > 1);
    used.map(|name| quote!(const _: () = { let _ = &#name; };)).collect()
}

/// How often a name stands in a text.
fn count(tokens: &TokenStream, name: &Ident) -> usize {
    let each = tokens.clone().into_iter().map(|token| match token {
        TokenTree::Ident(found) => usize::from(found == *name),
        TokenTree::Group(group) => count(&group.stream(), name),
        _ => 0,
    });
    each.sum()
}

impl TypeExpr {
    /// The type of an array of arrays of numbers.
    fn of_array(ty: &Type) -> Option<Self> {
        let (mut dims, mut element) = (Vec::new(), ty);
        while let Type::Array(array) = element {
            dims.push(array.len.clone());
            element = &array.elem;
        }
        let classes = match text_of(element).as_str() {
            "f32" => false,
            "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize" => true,
            _ => return None,
        };
        let span = syn::spanned::Spanned::span(ty);
        (!dims.is_empty()).then_some(Self { classes, dims, span, broken: false })
    }
}
