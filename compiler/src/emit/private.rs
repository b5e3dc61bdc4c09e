//! The hidden module of the runtime, as generated code names it.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::quote_spanned;

/// Tokens outside of the scope in which `__private` is a name: with its whole path.
pub fn absolute(tokens: TokenStream) -> TokenStream {
    let mut made = TokenStream::new();
    // How many colons stand before a token: behind two of them it is a part of a path.
    let mut colons = 0;
    for token in tokens {
        let is_part = colons == 2;
        colons = match &token {
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons + 1,
            _ => 0,
        };
        match token {
            TokenTree::Group(group) => {
                let mut whole = Group::new(group.delimiter(), absolute(group.stream()));
                whole.set_span(group.span());
                made.extend([TokenTree::Group(whole)]);
            }
            TokenTree::Ident(name) if name == "__private" && !is_part => {
                // Where the name is, so is what rustc says of it.
                made.extend(quote_spanned!(name.span()=> ::gradiron::__private));
            }
            other => made.extend([other]),
        }
    }
    made
}
