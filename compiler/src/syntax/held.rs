//! Types that users give to fields and that hold no layers, with what to write instead.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

use super::recover::split;
use super::typed::PRIMITIVES;
use crate::diagnostics::Diagnostic;
use crate::names::plain;
use crate::text::text_of;

/// Containers of Rust, and what they say of what is in them that a model says otherwise.
enum Container {
    /// As many as a run has.
    Many,
    /// Perhaps none.
    Perhaps,
    /// Somewhere else in memory.
    Elsewhere,
}

fn container(name: &str) -> Option<Container> {
    Some(match name {
        "Vec" | "VecDeque" | "LinkedList" | "HashMap" | "BTreeMap" | "ModuleList" => {
            Container::Many
        }
        "Option" => Container::Perhaps,
        "Box" | "Rc" | "Arc" | "RefCell" | "Mutex" | "RwLock" => Container::Elsewhere,
        _ => return None,
    })
}

/// What to write for a field of a container, of which `inner` is what it holds.
pub fn in_place_of(container: &str, field: &Ident, inner: &str) -> Option<String> {
    let container = self::container(container)?;
    // A model of the user's, with sizes.
    if inner.starts_with(|c: char| c.is_ascii_digit() || c == '{') {
        return None;
    }
    if ["dyn ", "impl "].iter().any(|of_any| inner.starts_with(of_any)) {
        return Some(OF_ANY.into());
    }
    Some(match container {
        Container::Many => {
            format!("a row has a fixed length: write `{field}: {}`", row_of(inner.into()))
        }
        Container::Perhaps => format!("a model has all its layers: write `{field}: {inner}`"),
        Container::Elsewhere => {
            format!("a model owns its layers by itself: write `{field}: {inner}`")
        }
    })
}

/// Of a type that stands for several.
pub const OF_ANY: &str = "a network is compiled for the models in it: name the one that is meant";

/// What is wrong with a field of a `model!` of which these tokens are the type, where they hold no
/// layers, and how many of them are the type.
pub fn refused(field: &Ident, tokens: TokenStream) -> Option<(Diagnostic, usize)> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let (help, len) = refusal(field, &tokens)?;
    let written: TokenStream = tokens[..len].iter().cloned().collect();
    let text = text_of(&written).replace("& ", "&");
    let text = format!("`{text}` is neither a layer nor a model");
    Some((Diagnostic::over(&written, text).help(help), len))
}

fn refusal(field: &Ident, tokens: &[TokenTree]) -> Option<(String, usize)> {
    match tokens.first()? {
        TokenTree::Literal(literal) => {
            let text = literal.to_string();
            let ty = if text.contains('.') { "f32" } else { "usize" };
            let help = match text.starts_with(|c: char| c.is_ascii_digit()) {
                true => format!("write `const {}: {ty} = {text};` above the struct", upper(field)),
                false => NO_TEXT.into(),
            };
            Some((help, 1))
        }
        TokenTree::Punct(punct) if punct.as_char() == '&' => {
            let inner = behind_reference(tokens);
            let help = match text_of_all(inner).as_str() {
                "str" => NO_TEXT.into(),
                inner if inner.starts_with("dyn ") => OF_ANY.into(),
                _ => {
                    let inner = better(inner).unwrap_or_else(|| text_of_all(inner));
                    format!("a model owns its layers by itself: write `{field}: {inner}`")
                }
            };
            Some((help, tokens.len()))
        }
        TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {
            let parts = split(group.stream(), ',');
            let of = |at: usize, part: &TokenStream| match parts.len() {
                1 => format!("{field}: {}", written(part)),
                _ => format!("{field}{}: {}", at + 1, written(part)),
            };
            let fields: Vec<_> = parts.iter().enumerate().map(|(at, part)| of(at, part)).collect();
            let help = match fields.is_empty() {
                true => "take the field out".into(),
                false => format!("each layer is a field: write `{}`", fields.join(", ")),
            };
            Some((help, 1))
        }
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
            row(field, group.stream()).map(|help| (help, 1))
        }
        TokenTree::Ident(word) if word == "dyn" || word == "impl" => {
            Some((OF_ANY.into(), tokens.len()))
        }
        TokenTree::Ident(word) if word == "fn" => {
            let help = format!(
                "write `fn {field}(&self, x: [batch, 10]) -> [batch, 10] {{ x }}` below the struct"
            );
            Some((help, tokens.len()))
        }
        TokenTree::Ident(_) => named(field, tokens),
        _ => None,
    }
}

pub const NO_TEXT: &str = "a model holds no text: take the field out";

/// A type that is a path.
fn named(field: &Ident, tokens: &[TokenTree]) -> Option<(String, usize)> {
    let path = Named::of(tokens)?;
    let help = match path.name.as_str() {
        "String" | "str" | "char" => NO_TEXT.into(),
        "f32" | "f64" | "f16" | "bf16" | "Tensor" => parameter(field, "1"),
        "bool" => format!("write `const {}: bool = true;` above the struct", upper(field)),
        number if PRIMITIVES.contains(&number) => {
            format!("write `const {}: usize = 64;` above the struct", upper(field))
        }
        container => {
            let inner = match path.given.last() {
                Some(inner) => written(inner),
                None => return None,
            };
            in_place_of(container, field, &inner)?
        }
    };
    Some((help, path.len))
}

/// `[Block<32>, 3]`, `[Block<32>]`, `[f32; 10]`, `[Vec<Block<32>>; 3]`
fn row(field: &Ident, inside: TokenStream) -> Option<String> {
    if let Some(sizes) = numbers(&inside) {
        return Some(parameter(field, &sizes));
    }
    let parts = split(inside.clone(), ';');
    let element: Vec<TokenTree> = parts.first()?.clone().into_iter().collect();
    if let [_, count] = &parts[..] {
        let better = better(&element)?;
        return Some(match better.as_str() {
            any if any.starts_with("dyn ") => OF_ANY.into(),
            _ => format!("write `{field}: [{better}; {}]`", text_of(count)),
        });
    }
    let [_] = &parts[..] else { return None };
    let listed = split(inside, ',');
    let (of, count) = match &listed[..] {
        [of, count] if syn::parse2::<syn::Expr>(count.clone()).is_ok() && is_number(count) => {
            (of, text_of(count))
        }
        // Several, one by one: a row has equal ones.
        [of, rest @ ..] if rest.iter().all(|other| text_of(other) == text_of(of)) => {
            (of, if rest.is_empty() { "3".into() } else { listed.len().to_string() })
        }
        _ => return None,
    };
    Some(format!("a row has a fixed length: write `{field}: [{}; {count}]`", written(of)))
}

/// Whether it is a number or the name of a constant.
fn is_number(tokens: &TokenStream) -> bool {
    let mut tokens = tokens.clone().into_iter();
    let first = match tokens.next() {
        Some(TokenTree::Literal(_)) => true,
        Some(TokenTree::Ident(name)) => name.to_string().chars().all(|c| !c.is_lowercase()),
        _ => false,
    };
    first && tokens.next().is_none()
}

/// The sizes of an array of numbers: `3, 10` of `[f32; 10]; 3`.
fn numbers(inside: &TokenStream) -> Option<String> {
    let parts = split(inside.clone(), ';');
    let [element, count] = &parts[..] else { return None };
    let count = text_of(count);
    match element.clone().into_iter().collect::<Vec<_>>().as_slice() {
        [TokenTree::Ident(name)] if PRIMITIVES.contains(&name.to_string().as_str()) => Some(count),
        [TokenTree::Group(group)] if group.delimiter() == Delimiter::Bracket => {
            numbers(&group.stream()).map(|inner| format!("{count}, {inner}"))
        }
        _ => None,
    }
}

fn parameter(field: &Ident, sizes: &str) -> String {
    format!("write `{field}: Param([{sizes}], init = ones)`")
}

/// A part of a type as it is to be written.
fn written(part: &TokenStream) -> String {
    let tokens: Vec<TokenTree> = part.clone().into_iter().collect();
    better(&tokens).unwrap_or_else(|| text_of(part))
}

/// What is written for a type in another one, where it is none that holds layers.
fn better(tokens: &[TokenTree]) -> Option<String> {
    if matches!(tokens.first(), Some(TokenTree::Punct(punct)) if punct.as_char() == '&') {
        return Some(text_of_all(behind_reference(tokens)));
    }
    let path = Named::of(tokens)?;
    let inner = written(path.given.last()?);
    Some(match container(&path.name)? {
        Container::Many if !inner.starts_with("dyn ") => row_of(inner),
        _ => inner,
    })
}

/// A row holds no rows.
fn row_of(inner: String) -> String {
    if inner.starts_with('[') { inner } else { format!("[{inner}; 3]") }
}

fn behind_reference(tokens: &[TokenTree]) -> &[TokenTree] {
    let mut rest = tokens;
    loop {
        rest = match rest {
            [TokenTree::Punct(punct), TokenTree::Ident(_), behind @ ..]
                if punct.as_char() == '\'' =>
            {
                behind
            }
            [TokenTree::Punct(punct), behind @ ..] if punct.as_char() == '&' => behind,
            [TokenTree::Ident(word), behind @ ..] if word == "mut" => behind,
            _ => return rest,
        };
    }
}

/// A type such as `std::vec::Vec<Block<32>>`.
struct Named {
    name: String,
    /// What stands between its brackets.
    given: Vec<TokenStream>,
    /// How many tokens it has.
    len: usize,
}

impl Named {
    fn of(tokens: &[TokenTree]) -> Option<Self> {
        let is = |at: usize, c: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == c);
        let mut at = 0;
        while let (Some(TokenTree::Ident(_)), true, true) =
            (tokens.get(at), is(at + 1, ':'), is(at + 2, ':'))
        {
            at += 3;
        }
        let Some(TokenTree::Ident(name)) = tokens.get(at) else { return None };
        let (name, mut len) = (plain(&name.to_string()).to_string(), at + 1);
        let mut given = Vec::new();
        if is(len, '<') {
            let (start, mut depth) = (len + 1, 0_usize);
            while len < tokens.len() {
                // The arrow of `784 -> 10` closes nothing.
                let arrow = len > 0 && is(len - 1, '-');
                match () {
                    () if is(len, '<') => depth += 1,
                    () if is(len, '>') && !arrow => depth -= 1,
                    () => {}
                }
                len += 1;
                if depth == 0 {
                    break;
                }
            }
            let inside = tokens[start..len.saturating_sub(1).max(start)].iter().cloned();
            given = split(inside.collect(), ',');
            given.retain(|part| !text_of(part).starts_with('\''));
        }
        Some(Self { name, given, len })
    }
}

fn text_of_all(tokens: &[TokenTree]) -> String {
    text_of(&tokens.iter().cloned().collect::<TokenStream>())
}

/// A field's name as a constant's.
fn upper(field: &Ident) -> String {
    plain(&field.to_string()).to_uppercase()
}
