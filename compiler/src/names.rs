//! Names: of sizes, and raw identifiers: `r#match` is a name, which files, messages and hidden
//! items call `match`.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};

/// A name without the `r#` that Rust needs.
pub fn plain(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// Whether a word needs `r#` to be a name.
pub fn is_keyword(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_alphabetic() || c == '_')
        && syn::parse_str::<Ident>(word).is_err()
}

/// The same tokens with `x` in place of `r#x` where both are one name.
pub fn without_needless(tokens: TokenStream) -> TokenStream {
    changed(&tokens).unwrap_or(tokens)
}

/// Nothing where nothing changes: groups keep the places of their brackets.
fn changed(tokens: &TokenStream) -> Option<TokenStream> {
    let mut is_changed = false;
    let trees: Vec<TokenTree> = tokens
        .clone()
        .into_iter()
        .map(|tree| {
            let new = match &tree {
                TokenTree::Ident(name) => needless(name).map(TokenTree::Ident),
                TokenTree::Group(group) => changed(&group.stream()).map(|inner| {
                    let mut new = Group::new(group.delimiter(), inner);
                    new.set_span(group.span());
                    TokenTree::Group(new)
                }),
                _ => None,
            };
            is_changed |= new.is_some();
            new.unwrap_or(tree)
        })
        .collect();
    is_changed.then(|| trees.into_iter().collect())
}

fn needless(name: &Ident) -> Option<Ident> {
    let text = name.to_string();
    // rustc refuses an emoji in a name, and gives it on all the same.
    if text.chars().any(|c| !c.is_alphanumeric() && c != '_' && c != '#') {
        let plain: String = text.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
        let plain = if plain.is_empty() { "x".into() } else { plain };
        return Some(quote::format_ident!("{plain}", span = name.span()));
    }
    let rest = text.strip_prefix("r#")?;
    (!is_keyword(rest)).then(|| Ident::new(rest, name.span()))
}

/// What is said of a keyword in the place of a name.
pub fn keyword_text(word: &Ident) -> String {
    format!("`{word}` is a word of Rust's own")
}

/// A keyword as the name that it was meant to be.
pub fn made_a_name(word: &Ident) -> Ident {
    match word.to_string().as_str() {
        // These are none with `r#` either.
        text @ ("self" | "Self" | "super" | "crate" | "_") => {
            let stem = if text == "_" { "layer".into() } else { text.to_lowercase() };
            quote::format_ident!("{stem}_", span = word.span())
        }
        text => Ident::new_raw(text, word.span()),
    }
}

/// Constants are upper case; what starts in lower case is a run-time size.
pub fn is_run_time_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_lowercase() || c == '_')
}
