//! Names in generated code.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// `quote!` for generated code: its variables and the user's names (`n`, `args`, a size `k`) never
/// meet, while items, types and methods are found as usual.
macro_rules! quote {
    ($($tokens:tt)*) => {
        ::quote::quote_spanned!(::proc_macro2::Span::mixed_site()=> $($tokens)*)
    };
}

/// `format_ident!` for a variable of generated code.
macro_rules! variable {
    ($($text:tt)*) => {
        ::quote::format_ident!($($text)*, span = ::proc_macro2::Span::mixed_site())
    };
}

/// An expression as an argument or an element: without parentheses around all of it.
pub(crate) fn bare(tokens: TokenStream) -> TokenStream {
    let mut parts = tokens.clone().into_iter();
    match (parts.next(), parts.next()) {
        (Some(TokenTree::Group(group)), None) if group.delimiter() == Delimiter::Parenthesis => {
            group.stream()
        }
        _ => tokens,
    }
}

pub(crate) use {quote, variable};
