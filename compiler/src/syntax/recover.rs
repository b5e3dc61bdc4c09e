//! What the parser does where the text is wrong: errors at tokens, and a place to go on.

use proc_macro2::{Delimiter, Group, Ident, Spacing, Span, TokenStream, TokenTree};
use syn::Token;
use syn::parse::{ParseStream, Parser};

use crate::text::text_of;

/// Parses a piece of the text. When it ends too early, the error is at its last token, or at `end`
/// when it is empty: by itself, `syn` would point at the whole macro.
pub fn parse_piece<T>(
    tokens: TokenStream,
    end: Span,
    parser: impl FnOnce(ParseStream) -> syn::Result<T>,
) -> syn::Result<T> {
    let end = tokens.clone().into_iter().last().map_or(end, |token| token.span());
    let mut group = Group::new(Delimiter::Brace, tokens);
    group.set_span(end);
    let inside = |input: ParseStream| {
        let content;
        syn::braced!(content in input);
        let parsed = parser(&content)?;
        match content.is_empty() {
            true => Ok(parsed),
            // By itself, `syn` would expect a brace that nobody has written.
            false => {
                let rest = content.parse::<TokenTree>()?;
                let text = format!("`{}` is not expected here", text_of(&rest));
                Err(syn::Error::new(rest.span(), text))
            }
        }
    };
    inside.parse2(TokenTree::Group(group).into()).map_err(|error| {
        let text = error.to_string();
        match text.strip_prefix("unexpected end of input, ") {
            Some(expected) => {
                syn::Error::new(error.span(), format!("{} after this", in_words(expected)))
            }
            None if text.starts_with("expected identifier") => {
                syn::Error::new(error.span(), in_words(&text))
            }
            None => error,
        }
    })
}

/// What `syn` expects, in the words of models.
fn in_words(expected: &str) -> String {
    let expected = expected.replace("identifier or integer", "a method");
    let expected = expected.replace(", found keyword", ", and not the keyword");
    expected.replace("identifier", "a name")
}

/// Leaves `input` before the next thing that looks like an item, which is not where it stands
/// unless it has `moved`.
pub fn skip_to_item(input: ParseStream, mut moved: bool) {
    let skipped = input.step(|cursor| {
        let mut rest = *cursor;
        while let Some((token, next)) = rest.token_tree() {
            let starts = match &token {
                TokenTree::Ident(word) => word == "fn" || word == "struct" || word == "pub",
                TokenTree::Punct(punct) => punct.as_char() == '#',
                _ => false,
            };
            if starts && moved {
                break;
            }
            (rest, moved) = (next, true);
            if matches!(&token, TokenTree::Group(g) if g.delimiter() == Delimiter::Brace) {
                break;
            }
        }
        Ok(((), rest))
    });
    skipped.expect("a step that never fails");
}

/// Leaves `input` behind an item: a block, or what ends with `;`.
pub fn skip_item(input: ParseStream) {
    while let Ok(token) = input.parse::<TokenTree>() {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return,
            TokenTree::Punct(sign) if sign.as_char() == ';' => return,
            _ => {}
        }
        if starts_item(input) {
            return;
        }
    }
}

/// Whether a function or a struct starts here.
fn starts_item(input: ParseStream) -> bool {
    let ahead = input.fork();
    let _ = ahead.parse::<syn::Visibility>();
    (ahead.peek(Token![fn]) || ahead.peek(Token![struct])) && ahead.peek2(syn::Ident)
}

/// The tokens before the next `{ … }`, or where there is none before the next item.
pub fn until_body(input: ParseStream) -> TokenStream {
    let mut tokens = TokenStream::new();
    while !input.is_empty() && !input.peek(syn::token::Brace) && !starts_item(input) {
        tokens.extend(input.parse::<TokenTree>());
    }
    tokens
}

/// The pieces between separators outside any bracket; empty pieces are left out.
pub fn split(tokens: TokenStream, separator: char) -> Vec<TokenStream> {
    let mut pieces = vec![Vec::new()];
    let mut depth = 0_usize;
    let mut dash = false;
    for token in tokens {
        if let TokenTree::Punct(p) = &token {
            // `Block<1, 2>`: commas inside angle brackets; the arrow `->` closes nothing.
            match p.as_char() {
                '<' => depth += 1,
                '>' if !dash => depth = depth.saturating_sub(1),
                c if c == separator && (depth == 0 || separator == ';') => {
                    pieces.push(Vec::new());
                    dash = false;
                    depth = 0;
                    continue;
                }
                _ => {}
            }
            dash = p.as_char() == '-' && p.spacing() == Spacing::Joint;
        } else {
            dash = false;
        }
        pieces.last_mut().expect("never empty").push(token);
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces.into_iter().map(|piece| piece.into_iter().collect()).collect()
}

fn names_in(group: &Group) -> impl Iterator<Item = Ident> {
    group.stream().into_iter().filter_map(|token| match token {
        TokenTree::Ident(name) if name != "mut" => Some(name),
        _ => None,
    })
}

/// The names that a statement binds, whatever else is wrong with it.
pub fn bound_names(tokens: TokenStream) -> Vec<Ident> {
    let mut names = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if !matches!(&token, TokenTree::Ident(word) if word == "let") {
            continue;
        }
        tokens.next_if(|token| matches!(token, TokenTree::Ident(word) if word == "mut"));
        match tokens.next() {
            Some(TokenTree::Ident(name)) => match tokens.peek() {
                // `let Pair(a, b) = …;`
                Some(TokenTree::Group(group)) => names.extend(names_in(group)),
                _ => names.push(name),
            },
            Some(TokenTree::Group(group)) => {
                names.extend(names_in(&group));
            }
            _ => {}
        }
    }
    names
}
