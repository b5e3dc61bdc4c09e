//! The text of tokens, as messages and names of nodes have it.

use std::collections::HashSet;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;

/// The text of tokens without the spaces that token streams print.
pub fn text_of(tokens: &impl ToTokens) -> String {
    let text = tokens.to_token_stream().to_string();
    let mut tight = text;
    for (loose, close) in [
        (" < ", "<"),
        (" >", ">"),
        (" :: ", "::"),
        (" , ", ", "),
        (" ; ", "; "),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        (" . ", "."),
        (" : ", ": "),
        ("& '", "&'"),
        ("reveal !(", "reveal!("),
    ] {
        tight = tight.replace(loose, close);
    }
    tight
}

/// Whether `tokens` use one of `names`.
pub fn mentions(tokens: &impl ToTokens, names: &HashSet<String>) -> bool {
    !names.is_empty() && uses(tokens.to_token_stream(), names)
}

fn uses(tokens: TokenStream, names: &HashSet<String>) -> bool {
    // What stands behind a `.` is a method or a field.
    let mut is_member = false;
    tokens.into_iter().any(|token| {
        let before = std::mem::replace(&mut is_member, false);
        match token {
            TokenTree::Ident(ident) => !before && names.contains(&ident.to_string()),
            TokenTree::Group(group) => uses(group.stream(), names),
            TokenTree::Punct(sign) => {
                // `0..x` is no member.
                is_member = sign.as_char() == '.' && !before;
                false
            }
            TokenTree::Literal(_) => false,
        }
    })
}
