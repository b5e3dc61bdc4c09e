//! What `model!` makes as a text that can stand in its place.

use std::collections::BTreeSet;

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};

/// The Rust, laid out. In it, what the user calls an argument and generated code a variable are two
/// names: in the macro they never meet, since each belongs to its own text, and in one text they
/// would.
pub fn text(rust: &TokenStream, args: &BTreeSet<String>) -> String {
    let made = Span::mixed_site();
    // A span says whose it is in no other way.
    let made = format!("{made:?}");
    let is_made = |name: &Ident| format!("{:?}", name.span()) == made;
    let mut others = BTreeSet::new();
    each(rust, &mut |name| {
        others.insert((name.to_string(), is_made(name)));
    });
    let taken =
        |name: &str| [false, true].iter().any(|made| others.contains(&(name.into(), *made)));
    let renamed = |name: &Ident| {
        let text = name.to_string();
        let meets =
            args.contains(&text) && !is_made(name) && others.contains(&(text.clone(), true));
        meets.then(|| {
            let stem = crate::names::plain(&text).to_string();
            let free = (1..).map(|number| format!("{stem}_{number}")).find(|free| !taken(free));
            Ident::new(&free.expect("there is always another number"), name.span())
        })
    };
    let rust = rename(rust.clone(), &renamed);
    match syn::parse2(rust.clone()) {
        Ok(file) => prettyplease::unparse(&file),
        Err(_) => rust.to_string(),
    }
}

fn each(tokens: &TokenStream, see: &mut dyn FnMut(&Ident)) {
    for token in tokens.clone() {
        match &token {
            TokenTree::Group(group) => each(&group.stream(), see),
            TokenTree::Ident(name) => see(name),
            _ => {}
        }
    }
}

/// Other names for variables: not for what stands behind `.`, `:`, `::` or `fn`.
fn rename(tokens: TokenStream, renamed: &dyn Fn(&Ident) -> Option<Ident>) -> TokenStream {
    let mut is_variable = true;
    let tokens = tokens.into_iter().map(|token| {
        let here = is_variable;
        is_variable = match &token {
            TokenTree::Punct(punct) => !matches!(punct.as_char(), '.' | ':'),
            TokenTree::Ident(name) => name != "fn",
            _ => true,
        };
        match token {
            TokenTree::Group(group) => {
                let mut new = Group::new(group.delimiter(), rename(group.stream(), renamed));
                new.set_span(group.span());
                TokenTree::Group(new)
            }
            TokenTree::Ident(name) if here => TokenTree::Ident(renamed(&name).unwrap_or(name)),
            other => other,
        }
    });
    tokens.collect()
}
