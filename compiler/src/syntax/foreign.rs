//! Python's words and signs in the text of a model: each is said to be no Rust, once, and read as
//! what was meant, so that nothing follows from it.

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::quote;

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::names::{is_keyword, keyword_text, made_a_name};

/// The same text in Rust.
pub fn translated(tokens: TokenStream, diagnostics: &mut Diagnostics) -> TokenStream {
    changed(&tokens, Place::Items, diagnostics).unwrap_or(tokens)
}

/// Where tokens stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the `( … )` of a call or of a layer.
    Args,
    /// Between functions.
    Items,
    Open,
}

/// Nothing where nothing changes: groups keep the places of their brackets.
fn changed(
    tokens: &TokenStream,
    place: Place,
    diagnostics: &mut Diagnostics,
) -> Option<TokenStream> {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut made: Vec<TokenTree> = Vec::with_capacity(trees.len());
    let mut is_changed = false;
    let mut at = 0;
    while at < trees.len() {
        let rest = &trees[at..];
        let starts_arg =
            place == Place::Args && at.checked_sub(1).is_none_or(|at| is(&trees[at], ','));
        if let Some((first, sign)) = named_by_colon(rest).filter(|_| starts_arg) {
            let text = format!("`{first}` is given with `=`");
            let colon = [rest[0].clone(), rest[1].clone()].into_iter().collect::<TokenStream>();
            let error = Diagnostic::new(sign.span(), text);
            diagnostics.push(error.write(&colon, format!("{first} =")));
            let mut equals = Punct::new('=', Spacing::Alone);
            equals.set_span(sign.span());
            made.extend([TokenTree::Ident(first), TokenTree::Punct(equals)]);
            is_changed = true;
            at += 2;
            continue;
        }
        if let Some((name, taken)) = left_out(rest).filter(|_| starts_arg) {
            let text = format!("`{name}` has no `None`");
            let error = Diagnostic::new(name.span(), text);
            diagnostics.push(error.help(format!("leave `{name}` out")));
            is_changed = true;
            at += taken;
            continue;
        }
        match &rest[0] {
            TokenTree::Ident(word) if word == "True" || word == "False" => {
                let rust = word.to_string().to_lowercase();
                let error = Diagnostic::new(word.span(), format!("`{word}` is Python"));
                diagnostics.push(error.write(word, rust.as_str()));
                made.push(Ident::new(&rust, word.span()).into());
                is_changed = true;
            }
            // `self.in(x)`: a name that needs `r#`, as the field does.
            TokenTree::Ident(word) if is_keyword_field(word, &trees, at) => {
                let name = made_a_name(word);
                let error = Diagnostic::new(word.span(), keyword_text(word));
                diagnostics.push(error.write(word, name.to_string()).of_all());
                made.push(name.into());
                is_changed = true;
            }
            // The sign of the same rank, with the place of the one that is written: `binary` says
            // what it means.
            TokenTree::Punct(sign) if sign.as_char() == '@' => {
                let mut product = Punct::new('%', Spacing::Alone);
                product.set_span(sign.span());
                made.push(product.into());
                is_changed = true;
            }
            TokenTree::Group(group) => {
                match cut(group, value_before(place, &trees[..at]), diagnostics) {
                    Some(methods) => {
                        made.extend(methods);
                        is_changed = true;
                    }
                    None => {
                        let place = match place {
                            Place::Items => Place::Open,
                            _ => place_within(group, &trees[..at]),
                        };
                        let new = changed(&group.stream(), place, diagnostics).map(|inside| {
                            let mut new = Group::new(group.delimiter(), inside);
                            new.set_span(group.span());
                            new
                        });
                        is_changed |= new.is_some();
                        made.push(new.unwrap_or_else(|| group.clone()).into());
                    }
                }
            }
            other => made.push(other.clone()),
        }
        at += 1;
    }
    is_changed.then(|| made.into_iter().collect())
}

/// Whether a keyword is called behind a `.`.
fn is_keyword_field(word: &Ident, trees: &[TokenTree], at: usize) -> bool {
    let is_call = matches!(
        trees.get(at + 1),
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis
    );
    is_call
        && is_keyword(&word.to_string())
        && at.checked_sub(1).is_some_and(|at| is(&trees[at], '.'))
}

fn is(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

/// What may be a value in front of a group: none stands between functions.
fn value_before(place: Place, before: &[TokenTree]) -> &[TokenTree] {
    if place == Place::Items { &[] } else { before }
}

/// Whether a group holds the arguments of a call, and not the inputs of a function.
fn place_within(group: &Group, before: &[TokenTree]) -> Place {
    let is_named = matches!(before.last(), Some(TokenTree::Ident(_)));
    let declares = match before {
        [.., TokenTree::Ident(word), TokenTree::Ident(_)] => word != "return" && word != "in",
        _ => false,
    };
    match group.delimiter() == Delimiter::Parenthesis && is_named && !declares {
        true => Place::Args,
        false => Place::Open,
    }
}

/// `dim: 1`
fn named_by_colon(tokens: &[TokenTree]) -> Option<(Ident, Punct)> {
    match tokens {
        [TokenTree::Ident(name), TokenTree::Punct(colon), _, ..]
            if colon.as_char() == ':' && colon.spacing() == Spacing::Alone =>
        {
            Some((name.clone(), colon.clone()))
        }
        _ => None,
    }
}

/// `mask = None`, and how many tokens that is with its comma.
fn left_out(tokens: &[TokenTree]) -> Option<(Ident, usize)> {
    match tokens {
        [TokenTree::Ident(name), equals, TokenTree::Ident(none), rest @ ..]
            if is(equals, '=') && none == "None" =>
        {
            let comma = rest.first().is_some_and(|token| is(token, ','));
            Some((name.clone(), if comma { 4 } else { 3 }))
        }
        _ => None,
    }
}

/// `[:, 0]` behind a value, as the methods that cut the same out of it.
fn cut(
    group: &Group,
    before: &[TokenTree],
    diagnostics: &mut Diagnostics,
) -> Option<Vec<TokenTree>> {
    let is_value = match before {
        // The inputs of a function.
        [.., TokenTree::Ident(word), TokenTree::Ident(_), TokenTree::Group(_)] => word == "return",
        [.., TokenTree::Ident(name)] => {
            let name = name.to_string();
            name == "self" || !name.starts_with(char::is_uppercase) && !is_keyword(&name)
        }
        [.., TokenTree::Group(group)] => group.delimiter() == Delimiter::Parenthesis,
        _ => false,
    };
    let inside: Vec<TokenTree> = group.stream().into_iter().collect();
    let is_cut = inside.iter().any(|token| is(token, ',') || is(token, ':'));
    if group.delimiter() != Delimiter::Bracket || !is_value || !is_cut {
        return None;
    }
    let mut text = String::new();
    // From the last axis to the first: what is cut from one leaves the numbers of those before it.
    let parts: Vec<_> = inside.split(|token| is(token, ',')).collect();
    let mut axis = parts.iter().filter(|part| !part.is_empty() && !is_new_axis(part)).count();
    // `[..., 0]` counts from the end.
    if parts.first().is_some_and(|part| part.len() == 3 && part.iter().all(|dot| is(dot, '.'))) {
        let [_, last] = &parts[..] else { return None };
        return Some(said(group, &part_as_method(last, "-1".into())?, diagnostics));
    }
    for part in parts.iter().rev().filter(|part| !part.is_empty()) {
        if is_new_axis(part) {
            text.push_str(&format!(".unsqueeze({axis})"));
            continue;
        }
        axis -= 1;
        text.push_str(&part_as_method(part, axis.to_string())?);
    }
    Some(said(group, &text, diagnostics))
}

/// Says which methods cut the same, and gives them.
fn said(group: &Group, text: &str, diagnostics: &mut Diagnostics) -> Vec<TokenTree> {
    let what = quote!(#group).to_string().replace(' ', "");
    let error = Diagnostic::over(group, format!("a value is cut by methods, not by `{what}`"));
    diagnostics.push(if text.is_empty() {
        error.help("all of it is the value itself")
    } else {
        error.write(group, text)
    });
    let span = group.span();
    let methods: TokenStream = text.parse().unwrap_or_default();
    methods.into_iter().map(|token| at_span(token, span)).collect()
}

fn is_new_axis(part: &[TokenTree]) -> bool {
    matches!(part, [TokenTree::Ident(word)] if word == "None")
}

/// `0`, `:`, `2:5`, `..`, `2..5` of an axis.
fn part_as_method(part: &[TokenTree], axis: String) -> Option<String> {
    let number = |tokens: &[TokenTree]| {
        let text: String = tokens.iter().map(ToString::to_string).collect();
        text
    };
    let colon = part.iter().position(|token| is(token, ':'));
    let dots = part.windows(2).position(|pair| is(&pair[0], '.') && is(&pair[1], '.'));
    let (from, to) = match (colon, dots) {
        (Some(at), _) => (number(&part[..at]), number(&part[at + 1..])),
        (None, Some(at)) => (number(&part[..at]), number(&part[at + 2..])),
        (None, None) => return Some(format!(".select({axis}, {})", number(part))),
    };
    // A step, as in `::2`.
    if to.contains(':') {
        return None;
    }
    Some(match (from.as_str(), to.as_str()) {
        ("", "") => String::new(),
        (from, to) => format!(".slice({axis}, {from}..{to})"),
    })
}

/// A token at a place of the user's.
fn at_span(token: TokenTree, span: Span) -> TokenTree {
    match token {
        TokenTree::Group(group) => {
            let inside = group.stream().into_iter().map(|token| at_span(token, span)).collect();
            let mut new = Group::new(group.delimiter(), inside);
            new.set_span(span);
            new.into()
        }
        TokenTree::Ident(name) => Ident::new(&name.to_string(), span).into(),
        TokenTree::Punct(mut punct) => {
            punct.set_span(span);
            punct.into()
        }
        TokenTree::Literal(literal) => {
            let mut new: Literal = literal;
            new.set_span(span);
            new.into()
        }
    }
}
