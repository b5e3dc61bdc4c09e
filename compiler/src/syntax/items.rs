//! The items of a `model!`: structs of layers and functions. What stands in their place is
//! reported, and read as what was meant; the rest goes on at the next item.

use std::rc::Rc;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Token, Visibility};

use super::attributes::{attributes, of_others};
use super::budget::budget;
use super::constants::{constant, uses};
use super::fields::fields;
use super::foreign::translated;
use super::generics::generics;
use super::limits::too_deep;
use super::recover::{parse_piece, skip_item, skip_to_item, until_body};
use super::signature::function;
use super::{ConstItem, Header, ModelItem, allow};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::names::{is_keyword, keyword_text, made_a_name, without_needless};
use crate::text::text_of;

/// Parses the text of a `model! { … }`: models, each a struct and the functions behind it.
pub fn parse_models(tokens: TokenStream, diagnostics: &mut Diagnostics) -> Vec<ModelItem> {
    let mut models = vec![ModelItem::default()];
    if let Some(error) = too_deep(tokens.clone()) {
        diagnostics.push(error);
        models[0].lost = true;
        return models;
    }
    if tokens.is_empty() {
        let error = Diagnostic::new(Span::call_site(), "this `model!` is empty");
        let help = "write a `struct` of layers and its functions, or a `fn` alone";
        diagnostics.push(error.help(help));
    }
    let tokens = translated(without_needless(tokens), diagnostics);
    let (mut constants, mut items) = (Vec::new(), TokenStream::new());
    let parser = |input: ParseStream| {
        let mut docs = input.call(Attribute::parse_inner)?;
        docs.iter_mut().for_each(|doc| doc.style = syn::AttrStyle::Outer);
        while !input.is_empty() {
            let start = input.cursor();
            match constant(input) {
                Ok(Some((constant, item))) => {
                    constants.push(constant);
                    items.extend(item);
                    continue;
                }
                Ok(None) => {}
                Err(error) => {
                    diagnostics.push(error);
                    models.iter_mut().for_each(|model| model.lost = true);
                    skip_to_item(input, input.cursor() != start);
                    continue;
                }
            }
            if let Err(error) = item(input, std::mem::take(&mut docs), &mut models, diagnostics) {
                diagnostics.push(error);
                // Which model it was a part of is not known.
                models.iter_mut().for_each(|model| model.lost = true);
                skip_to_item(input, input.cursor() != start);
            }
        }
        Ok(())
    };
    let result = parse_piece(tokens.clone(), Span::call_site(), parser);
    diagnostics.keep(result);
    items.extend(uses(&constants, &tokens));
    let constants: Rc<[ConstItem]> = constants.into();
    models.iter_mut().for_each(|model| model.constants = Rc::clone(&constants));
    models[0].items = items;
    models
}

/// The same of a text with one model.
pub fn parse_model(tokens: TokenStream, diagnostics: &mut Diagnostics) -> ModelItem {
    parse_models(tokens, diagnostics).swap_remove(0)
}

/// What an item is.
enum Kind {
    Struct,
    Fn,
    /// `impl Mlp { … }`
    Impl,
    /// Something that is not read; what it is has been reported.
    Other,
}

/// A struct begins a model, unless functions in front of it have begun that.
fn item(
    input: ParseStream,
    mut attrs: Vec<Attribute>,
    models: &mut Vec<ModelItem>,
    diagnostics: &mut Diagnostics,
) -> Result<(), Diagnostic> {
    attrs.extend(input.call(Attribute::parse_outer)?);
    if let (true, Some(last)) = (input.is_empty(), attrs.last()) {
        let what = if last.path().is_ident("doc") { "these docs stand" } else { "this stands" };
        let error = Diagnostic::over(last, format!("{what} before nothing"));
        diagnostics.push(error.help("take it out, or write a `struct` or a `fn` below it"));
        return Ok(());
    }
    let vis: Visibility = input.parse()?;
    match kind(input, diagnostics)? {
        Kind::Struct => {
            let attrs = attributes(attrs, diagnostics);
            let header = header(input, attrs, vis, diagnostics)?;
            if models.iter().all(|model| model.header.is_some()) {
                models.push(ModelItem::default());
            }
            let model = models.last_mut().expect("there is one");
            model.header = Some(header);
            let expected = "the layers in `{ … }`";
            match group(input, Delimiter::Brace, expected) {
                Ok(body) => fields(&body, model, diagnostics),
                Err(error) => {
                    diagnostics.push(error);
                    model.lost = true;
                    skip_item(input);
                }
            }
        }
        Kind::Fn => {
            let explicit = !matches!(vis, Visibility::Inherited);
            let mut found = Diagnostics::default();
            let function = function(input, attrs, explicit.then_some(vis), &mut found)?;
            if ["__init__", "new", "default"].iter().any(|name| function.name == name)
                && function.args.iter().all(|arg| arg.ty.broken)
            {
                let text = format!(
                    "a model has no `{}`: its layers are declared in the `struct`",
                    function.name
                );
                let error = Diagnostic::over(&function.name, text);
                diagnostics
                    .push(error.help("take it out: `Mlp::init(Seed(0))` makes the parameters"));
                return Ok(());
            }
            found.into_found().into_iter().for_each(|error| diagnostics.push(error));
            models.last_mut().expect("there is one").functions.push(function);
        }
        Kind::Impl => {
            until_body(input);
            let body = group(input, Delimiter::Brace, "the functions in `{ … }`")?;
            let inside = |input: ParseStream| {
                while !input.is_empty() {
                    let start = input.cursor();
                    if let Err(error) = item(input, Vec::new(), models, diagnostics) {
                        diagnostics.push(error);
                        models.iter_mut().for_each(|model| model.lost = true);
                        skip_to_item(input, input.cursor() != start);
                    }
                }
                Ok(())
            };
            inside.parse2(body.stream())?;
        }
        Kind::Other => skip_item(input),
    }
    Ok(())
}

/// Words in front of `fn` that a model's functions do not have.
const QUALIFIERS: [&str; 6] = ["async", "unsafe", "const", "extern", "static", "inline"];

/// Items that are no part of a model.
const OUTSIDE: [&str; 9] =
    ["enum", "union", "mod", "trait", "type", "use", "macro_rules", "static", "extern"];

/// Reads up to the name of an item.
fn kind(input: ParseStream, diagnostics: &mut Diagnostics) -> Result<Kind, Diagnostic> {
    let ahead = input.fork();
    let mut before = TokenStream::new();
    while let Ok(word) = ahead.call(Ident::parse_any)
        && QUALIFIERS.contains(&word.to_string().as_str())
    {
        word.to_tokens(&mut before);
        if ahead.peek(syn::LitStr) {
            before.extend(ahead.parse::<TokenTree>());
        }
        if ahead.peek(Token![fn]) {
            let text = format!("a function of a model is not `{}`", text_of(&before));
            ahead.parse::<Token![fn]>()?.to_tokens(&mut before);
            diagnostics.push(Diagnostic::over(&before, text).write(&before, "fn"));
            while !input.peek(Token![fn]) {
                input.parse::<TokenTree>()?;
            }
            break;
        }
    }
    if input.parse::<Option<Token![struct]>>()?.is_some() {
        return Ok(Kind::Struct);
    }
    if input.parse::<Option<Token![fn]>>()?.is_some() {
        return Ok(Kind::Fn);
    }
    let expected = "expected a `struct` of layers, a `fn` or a `const`";
    let span = input.span();
    let ahead = input.fork();
    let Ok(word) = ahead.call(Ident::parse_any) else {
        if let Ok(semicolon) = input.parse::<Token![;]>() {
            let error = Diagnostic::over(&semicolon, "a `;` stands between items here");
            return Err(error.help("take it out"));
        }
        return Err(Diagnostic::new(span, expected));
    };
    let text = word.to_string();
    if text == "impl" {
        let error = Diagnostic::over(&word, "the functions of a model stand below its `struct`");
        diagnostics.push(error.help("take `impl … {` and its `}` out"));
        return Ok(Kind::Impl);
    }
    if OUTSIDE.contains(&text.as_str()) {
        let text = format!("a `{word}` is no part of a model");
        let help = "a `model!` holds a `struct` of layers, functions and constants; write the rest \
            outside";
        diagnostics.push(Diagnostic::over(&word, text).help(help));
        return Ok(Kind::Other);
    }
    if text == "let" {
        let error = Diagnostic::over(&word, "a `let` stands in the body of a function");
        diagnostics.push(error.help("a number of the whole model is a `const`"));
        return Ok(Kind::Other);
    }
    // `loss(&self, x: [batch, 784]) -> []`
    if ahead.peek(syn::token::Paren) {
        let error = Diagnostic::over(&word, "a function starts with `fn`");
        diagnostics.push(error.write(&word, format!("fn {word}")));
        return Ok(Kind::Fn);
    }
    let name = ahead.call(Ident::parse_any);
    // `class Net(nn.Module):`
    if text == "class" {
        diagnostics.push(
            Diagnostic::over(&word, "`class` is Python: a model is a `struct` of layers")
                .help("write `struct Net { fc1: Linear(784 -> 128) }`, and its functions below"),
        );
        input.call(Ident::parse_any)?;
        return Ok(if name.is_ok() && ahead.peek(syn::token::Brace) {
            Kind::Struct
        } else {
            Kind::Other
        });
    }
    let meant = match name {
        Ok(_) if ahead.peek(syn::token::Paren) => Some(("fn", "function", Kind::Fn)),
        Ok(_) if ahead.peek(syn::token::Brace) || ahead.peek(Token![<]) => {
            Some(("struct", "model", Kind::Struct))
        }
        _ => None,
    };
    if let Some((keyword, what, kind)) = meant {
        let text = format!("`{word}` is not Rust: a {what} starts with `{keyword}`");
        diagnostics.push(Diagnostic::over(&word, text).write(&word, keyword));
        input.call(Ident::parse_any)?;
        return Ok(kind);
    }
    if input.fork().call(Ident::parse_any).is_ok() && input.peek2(Token![:]) {
        let error = Diagnostic::over(&word, format!("`{word}` stands outside of the `struct`"));
        diagnostics.push(error.help("layers stand in the `{ … }` of the `struct`"));
        return Ok(Kind::Other);
    }
    Err(Diagnostic::new(span, expected))
}

/// The name and the parameters of a struct, up to its layers.
fn header(
    input: ParseStream,
    mut attrs: Vec<Attribute>,
    vis: Visibility,
    diagnostics: &mut Diagnostics,
) -> Result<Header, Diagnostic> {
    let name = name(input, "a model", diagnostics)?;
    let generics = generics(input, diagnostics);
    let behind = until_body(input);
    if !behind.is_empty() {
        let what = text_of(&behind);
        let error = match (behind.clone().into_iter().next(), input.is_empty()) {
            (Some(TokenTree::Ident(word)), _) if word == "where" => Diagnostic::over(
                &behind,
                "a model has no `where`: its sizes are checked by themselves",
            )
            .fix(&behind, "")
            .help("take it out"),
            (Some(TokenTree::Group(group)), _) if group.delimiter() == Delimiter::Bracket => {
                let inside = text_of(&group.stream());
                Diagnostic::over(&behind, "the parameters of a model stand in angles")
                    .write(&behind, format!("<{inside}>"))
            }
            (Some(TokenTree::Punct(colon)), _) if colon.as_char() == ':' => {
                Diagnostic::over(&behind, "a model inherits from nothing")
                    .fix(&behind, "")
                    .help("take it out")
            }
            (Some(TokenTree::Group(_)), _) => {
                Diagnostic::over(&behind, format!("the layers of `{name}` have names"))
                    .help(format!("write `struct {name} {{ fc1: Linear(784 -> 128) }}`"))
            }
            (_, true) => Diagnostic::new(name.span(), format!("`{name}` has no layers"))
                .help(format!("write `struct {name} {{ fc1: Linear(784 -> 128) }}`")),
            _ => Diagnostic::over(&behind, format!("`{what}` is no part of a model")),
        };
        diagnostics.push(error);
    }
    let allow = allow::take(&mut attrs, diagnostics);
    let budget = budget(&mut attrs, diagnostics);
    of_others(&mut attrs, "struct", diagnostics);
    Ok(Header { allow, attrs, vis, name, generics, budget })
}

/// The name of an item; a keyword is reported, and made one.
pub(super) fn name(
    input: ParseStream,
    whose: &str,
    diagnostics: &mut Diagnostics,
) -> Result<Ident, Diagnostic> {
    let word = input.call(Ident::parse_any).map_err(|error| {
        let place = if input.is_empty() { error.span() } else { input.span() };
        Diagnostic::new(place, format!("expected the name of {whose}"))
    })?;
    Ok(checked_name(word, diagnostics))
}

/// The same of a word that was read.
pub(super) fn checked_name(word: Ident, diagnostics: &mut Diagnostics) -> Ident {
    if !is_keyword(&word.to_string()) {
        return word;
    }
    let name = made_a_name(&word);
    if word == "_" {
        let error = Diagnostic::over(&word, "`_` is no name");
        diagnostics.push(error.help("a layer is called by its name: `fc1: Linear(784 -> 128)`"));
        return name;
    }
    let error = Diagnostic::over(&word, keyword_text(&word));
    diagnostics.push(error.write(&word, name.to_string()).of_all());
    name
}

pub(super) fn group(
    input: ParseStream,
    delimiter: Delimiter,
    what: &str,
) -> Result<Group, Diagnostic> {
    match input.fork().parse::<TokenTree>() {
        Ok(TokenTree::Group(group)) if group.delimiter() == delimiter => {
            input.parse::<TokenTree>()?;
            Ok(group)
        }
        _ => Err(Diagnostic::new(input.span(), format!("expected {what}"))),
    }
}
