//! The fields of a struct: layers, models, and rows of them.

use std::collections::HashSet;

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Expr, LitStr, Path, Token, Type, Visibility};

use super::arrows::{sizes_first, split_arrow, with_arrow};
use super::foreign_layers::{
    bare, computed_size, in_angles, in_braces, module, negative_size, parameter, without_module,
};
use super::items::checked_name;
use super::limits::MOST_FIELDS;
use super::recover::{parse_piece, split};
use super::{Arg, Field, FieldDecl, LayerDecl, ModelItem, Written, allow, held};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::names::plain;
use crate::text::{mentions, text_of};
use crate::vocabulary::lint::Lints;

/// The fields of a struct.
pub(super) fn fields(body: &Group, model: &mut ModelItem, diagnostics: &mut Diagnostics) {
    let generics = model.header.iter().flat_map(|header| header.generics.const_params());
    let params: HashSet<String> = generics.map(|param| param.ident.to_string()).collect();
    for tokens in split(body.stream(), ',') {
        let mut rest = tokens;
        // More than one where a comma is missing.
        while !rest.is_empty() {
            let (field, behind) = field(rest, body.span_close(), &params, diagnostics);
            model.lost |= field.is_none();
            model.fields.extend(field);
            rest = behind;
        }
    }
}

/// A field, broken when only its name could be read.
fn field(
    tokens: TokenStream,
    end: Span,
    params: &HashSet<String>,
    diagnostics: &mut Diagnostics,
) -> (Option<Field>, TokenStream) {
    let (mut name, mut in_files, mut behind) = (None, None, TokenStream::new());
    let mut before = TokenStream::new();
    let (mut held, mut allowed) = (None, Lints::default());
    let mut docs = Vec::new();
    let decl = parse_piece(tokens, end, |input| {
        let attrs = input.call(Attribute::parse_outer)?;
        // Docs behind the last field are those of none.
        if let (true, Some(last)) = (input.is_empty(), attrs.last()) {
            let error = Diagnostic::over(last, "this stands before nothing");
            diagnostics.push(error.help("write `//` for a comment, or take it out"));
            return Ok(FieldDecl::Broken);
        }
        input.parse::<Visibility>()?;
        let word = field_name(input, &mut before)?;
        if input.peek(syn::token::Paren) {
            let args: TokenTree = input.parse()?;
            let called = plain(&word.to_string()).to_lowercase();
            let layer: TokenStream = [TokenTree::from(word.clone()), args].into_iter().collect();
            let error = Diagnostic::over(&layer, "this layer has no name");
            let written = text_of(&layer);
            diagnostics.push(error.write(&layer, format!("{called}: {written}")));
            behind = input.parse()?;
            return Ok(FieldDecl::Broken);
        }
        let is_nameless = word == "_";
        let ident = checked_name(word, diagnostics);
        name = Some(ident.clone()).filter(|_| !is_nameless);
        let is_known = |attr: &Attribute| {
            ["doc", "name", "frozen", "allow"].iter().any(|known| attr.path().is_ident(known))
        };
        if let Some(other) = attrs.iter().find(|attr| !is_known(attr)) {
            let text = "a layer has docs, `#[name = \"…\"]`, `#[frozen]` and `#[allow(…)]`, and no \
                other attributes";
            diagnostics.push(syn::Error::new_spanned(other, text));
        }
        in_files = name_in_files(&attrs, diagnostics);
        held = frozen(&attrs, diagnostics);
        let allow = attrs.iter().filter(|attr| attr.path().is_ident("allow"));
        allow.for_each(|attr| allowed = allowed.and(allow::of_model(attr, diagnostics)));
        docs = attrs.into_iter().filter(|attr| attr.path().is_ident("doc")).collect();
        if !colon(&before, &ident, input, diagnostics)? {
            behind = input.parse()?;
            return Ok(FieldDecl::Broken);
        }
        let decl = match held::refused(&ident, input.cursor().token_stream()) {
            Some((error, len)) => {
                diagnostics.push(error);
                for _ in 0..len {
                    input.parse::<TokenTree>()?;
                }
                FieldDecl::Broken
            }
            None => field_decl(input, params, diagnostics)?,
        };
        if let Ok(semicolon) = input.parse::<Token![;]>() {
            let error = Diagnostic::over(&semicolon, "a `,` stands behind each layer");
            diagnostics.push(error.write(&semicolon, ","));
            behind = input.parse()?;
        } else if !input.is_empty() {
            diagnostics.push(input.error("expected `,` before this"));
            behind = input.parse()?;
        }
        Ok(decl)
    });
    let decl = diagnostics.keep(decl).unwrap_or(FieldDecl::Broken);
    let (frozen, allow) = (held, allowed);
    (name.map(|name| Field { docs, name, in_files, frozen, allow, decl }), behind)
}

/// The name of a field, and what Python and other languages have before it.
fn field_name(input: ParseStream, before: &mut TokenStream) -> syn::Result<Ident> {
    if input.peek(Token![self]) && input.peek2(Token![.]) {
        before.extend([input.parse::<TokenTree>()?, input.parse::<TokenTree>()?]);
    }
    while input.peek(Token![let]) || input.peek(Token![mut]) {
        before.extend([input.parse::<TokenTree>()?]);
    }
    if input.peek(Token![const]) {
        let text = "a constant stands above the `struct`: a struct holds layers alone";
        return Err(syn::Error::new(input.span(), text));
    }
    if let Ok(literal) = input.fork().parse::<proc_macro2::Literal>() {
        let text = match literal.to_string().trim_matches('"') {
            name if literal.to_string().starts_with('"') => {
                format!("the name of a layer stands without quotes: write `{name}`")
            }
            number => format!("a name starts with a letter: write `layer{number}`"),
        };
        return Err(syn::Error::new(literal.span(), text));
    }
    input.call(Ident::parse_any)
}

/// The `:` behind the name of a field; whether a layer stands behind it.
fn colon(
    before: &TokenStream,
    name: &Ident,
    input: ParseStream,
    diagnostics: &mut Diagnostics,
) -> syn::Result<bool> {
    if input.parse::<Option<Token![:]>>()?.is_some() {
        if !before.is_empty() {
            let words = text_of(before);
            let error = Diagnostic::over(before, "a layer is declared by its name alone");
            let words = words.replace(' ', "");
            diagnostics.push(error.fix(before, "").help(format!("take `{words}` out")));
        }
        return Ok(true);
    }
    // `=`, `->`, `:=`, `::`
    let ahead = input.fork();
    let mut sign = TokenStream::new();
    while let Ok(TokenTree::Punct(punct)) = ahead.fork().parse::<TokenTree>()
        && "=-<>~:".contains(punct.as_char())
    {
        sign.extend([ahead.parse::<TokenTree>()?]);
    }
    if !sign.is_empty() && ahead.peek(syn::Ident) {
        for _ in sign.clone() {
            input.parse::<TokenTree>()?;
        }
        let module = module(input)?;
        let whole = quote::quote!(#before #name #sign #module);
        let error = Diagnostic::over(&whole, format!("a layer stands behind `{name}:`"));
        diagnostics.push(error.write(&whole, format!("{name}:")));
        return Ok(true);
    }
    let is_layer = |input: ParseStream| {
        let ahead = input.fork();
        ahead.call(Path::parse_mod_style).is_ok() && ahead.peek(syn::token::Paren)
    };
    if is_layer(input) {
        let error = Diagnostic::over(name, format!("`{name}` has no `:` behind it"));
        diagnostics.push(error.write(name, format!("{name}:")));
        return Ok(true);
    }
    let (at, text) = match input.is_empty() || input.peek(syn::Ident) {
        true => (name.span(), format!("`{name}` has no layer")),
        false => {
            let example = format!("{name}: Linear(2 -> 1)");
            (input.span(), format!("expected `:` and a layer, as in `{example}`"))
        }
    };
    diagnostics.push(Diagnostic::new(at, text).help(format!("write `{name}: Linear(784 -> 128)`")));
    Ok(false)
}

/// Where `#[frozen]` stands among the attributes of a field.
pub fn frozen(attrs: &[Attribute], diagnostics: &mut Diagnostics) -> Option<Span> {
    let attr = attrs.iter().find(|attr| attr.path().is_ident("frozen"))?;
    if attr.meta.require_path_only().is_err() {
        let error = Diagnostic::over(attr, "`frozen` takes nothing");
        diagnostics.push(error.help("write `#[frozen]` above a field that is not to be trained"));
    }
    Some(syn::spanned::Spanned::span(attr.path()))
}

/// `#[name = "attention.self"]` among the attributes of a field.
pub fn name_in_files(attrs: &[Attribute], diagnostics: &mut Diagnostics) -> Option<LitStr> {
    let attr = attrs.iter().find(|attr| attr.path().is_ident("name"))?;
    let text: syn::Result<LitStr> =
        attr.meta.require_name_value().and_then(|meta| syn::parse2(meta.value.to_token_stream()));
    match text {
        Ok(text) if is_name_in_files(&text.value()) => Some(text),
        _ => {
            let error = Diagnostic::over(attr, "expected a field's name in files");
            diagnostics.push(error.help("write `#[name = \"encoder.layer\"]`"));
            None
        }
    }
}

/// `attention.self`, and `layer1.1..` of a row whose first element is number 1.
fn is_name_in_files(text: &str) -> bool {
    let name = match text.strip_suffix("..").map(|row| row.rsplit_once('.')) {
        Some(Some((name, first))) if first.parse::<u16>().is_ok() => name,
        Some(_) => return false,
        None => text,
    };
    name.split('.').all(|part| !part.is_empty())
}

fn field_decl(
    input: ParseStream,
    params: &HashSet<String>,
    diagnostics: &mut Diagnostics,
) -> syn::Result<FieldDecl> {
    if input.peek(syn::token::Bracket) {
        let content;
        syn::bracketed!(content in input);
        let start = content.span();
        let element = field_decl(&content, params, diagnostics)?;
        if content.is_empty() {
            let text = "a row says how many there are: `[Block<64>; 4]`";
            return Err(syn::Error::new(start, text));
        }
        if let Ok(comma) = content.parse::<Token![,]>() {
            let error = Diagnostic::over(&comma, "a `;` stands before the number of a row");
            diagnostics.push(error.write(&comma, ";"));
        } else {
            content.parse::<Token![;]>()?;
        }
        let count: Expr = content.parse()?;
        return match element {
            FieldDecl::Model(ty) => Ok(FieldDecl::Array(ty, count)),
            FieldDecl::Layer(layer) => Ok(FieldDecl::Layers(layer, count_of(&count)?)),
            FieldDecl::Broken => Ok(FieldDecl::Broken),
            _ => Err(syn::Error::new(start, "a row holds layers or models, and no rows")),
        };
    }
    if let Some(parameter) = parameter(input, diagnostics)? {
        return Ok(parameter);
    }
    if let Some(layer) = in_braces(input, diagnostics)? {
        return Ok(layer);
    }
    let ours = without_module(input, diagnostics)?;
    let ahead = input.fork();
    if let Ok(path) = ahead.call(Path::parse_mod_style) {
        if ahead.peek(syn::token::Paren) {
            input.call(Path::parse_mod_style)?;
            let path = bare(ours.unwrap_or(path), diagnostics);
            let TokenTree::Group(group) = input.parse()? else { unreachable!("peeked") };
            return layer(path, &group, diagnostics).map(FieldDecl::Layer);
        }
        if let Some(broken) = in_angles(&path, input, diagnostics) {
            return Ok(broken);
        }
    }
    let expected = "expected a layer such as `Linear(784 -> 128)` or a model's type";
    let start = input.span();
    let whole: TokenStream = input.fork().parse()?;
    match input.parse::<Type>() {
        Ok(ty @ Type::Path(_)) => {
            if let Some((size, positive)) = negative_size(&whole) {
                let error = Diagnostic::over(&size, "a size starts at 1, and is not negative");
                diagnostics.push(error.write(&size, positive));
                return Ok(FieldDecl::Broken);
            }
            Ok(FieldDecl::Model(ty))
        }
        // What a `macro_rules!` was given.
        Ok(Type::Group(group)) if matches!(&*group.elem, Type::Path(_)) => {
            Ok(FieldDecl::Model(*group.elem))
        }
        Ok(_) => Err(syn::Error::new(start, expected)),
        Err(error) => {
            // `Block<D * 4>`
            if let Some((size, ty)) = computed_size(&whole) {
                if mentions(&size, params) {
                    let text = format!("`{}` is computed of a parameter", text_of(&size));
                    let help = "stable Rust computes nothing of parameters in a type: give the \
                        model one more, `const INNER: usize`, and write it here";
                    diagnostics.push(Diagnostic::over(&size, text).help(help));
                    input.parse::<TokenStream>()?;
                    return Ok(FieldDecl::Broken);
                }
                let text = "a size that is computed stands in braces";
                let error = Diagnostic::over(&size, text);
                let written = text_of(&size);
                diagnostics.push(error.write(&size, format!("{{ {written} }}")));
                input.parse::<TokenStream>()?;
                return Ok(FieldDecl::Model(ty));
            }
            Err(syn::Error::new(error.span(), expected))
        }
    }
}

/// `Linear(784 -> 128)`
pub(super) fn layer(
    path: Path,
    group: &Group,
    diagnostics: &mut Diagnostics,
) -> syn::Result<LayerDecl> {
    let mut args = args(with_arrow(group.stream(), diagnostics), group.span_close())?;
    sizes_first(&path, group, &mut args, diagnostics);
    Ok(LayerDecl { path, args, written: Written::Call, span: group.span() })
}

/// The number of layers in a row, which are written out one by one.
pub fn count_of(count: &Expr) -> syn::Result<usize> {
    let number = match count {
        Expr::Lit(lit) => match &lit.lit {
            syn::Lit::Int(number) => number.base10_parse::<usize>().ok(),
            _ => None,
        },
        _ => None,
    };
    number.filter(|number| (1..=MOST_FIELDS).contains(number)).ok_or_else(|| {
        let text = format!(
            "layers in a row are written out one by one: their number is a literal from 1 to \
             {MOST_FIELDS}"
        );
        syn::Error::new_spanned(count, text)
    })
}

/// `784 -> 128, bias = false`
pub(super) fn args(tokens: TokenStream, end: Span) -> syn::Result<Vec<Arg>> {
    split(tokens, ',').into_iter().map(|tokens| arg(tokens, end)).collect()
}

fn arg(tokens: TokenStream, end: Span) -> syn::Result<Arg> {
    if let Some((from, arrow, to)) = split_arrow(&tokens) {
        let side = |tokens| parse_piece(tokens, arrow, Expr::parse);
        return Ok(Arg::Sizes(side(from)?, side(to)?));
    }
    match parse_piece(tokens, end, Expr::parse)? {
        Expr::Assign(assign) => match *assign.left {
            Expr::Path(path) if path.path.get_ident().is_some() => {
                Ok(Arg::Named(path.path.get_ident().cloned().expect("checked"), *assign.right))
            }
            other => Err(syn::Error::new_spanned(other, "expected the name of an option")),
        },
        value => Ok(Arg::Value(value)),
    }
}

/// Reads `Linear<784, 128>` as `Linear(784 -> 128)`: the layers of `#[derive(Module)]`.
pub fn parse_layer_type(path: &Path) -> syn::Result<LayerDecl> {
    let last = path.segments.last().expect("a path has segments");
    let mut args = Vec::new();
    if let syn::PathArguments::AngleBracketed(generics) = &last.arguments {
        for generic in &generics.args {
            args.push(Arg::Value(match generic {
                syn::GenericArgument::Const(expr) => expr.clone(),
                syn::GenericArgument::Type(ty) => syn::parse2(quote::quote!(#ty))?,
                other => return Err(syn::Error::new_spanned(other, "expected a number")),
            }));
        }
    }
    let mut path = path.clone();
    path.segments.last_mut().expect("a path has segments").arguments = syn::PathArguments::None;
    Ok(LayerDecl { span: last.ident.span(), path, args, written: Written::Consts })
}
