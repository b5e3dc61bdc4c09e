//! Layers as other languages and libraries declare them: told, and read as what they mean.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use syn::parse::ParseStream;
use syn::{Expr, Path, Token, Type};

use super::fields::{args, layer};
use super::recover::split;
use super::{FieldDecl, LayerDecl, Written};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::text::text_of;
use crate::vocabulary::pytorch::{self, Here};

/// The `-1` of `Block<-1>`, and its number.
pub(super) fn negative_size(whole: &TokenStream) -> Option<(TokenStream, String)> {
    let trees: Vec<TokenTree> = whole.clone().into_iter().collect();
    trees.windows(2).find_map(|pair| match pair {
        [TokenTree::Punct(sign), TokenTree::Literal(number)] if sign.as_char() == '-' => {
            Some((pair.iter().cloned().collect(), number.to_string()))
        }
        _ => None,
    })
}

/// The size `D * 4` of `Block<D * 4>`, and the type with it in braces.
pub(super) fn computed_size(whole: &TokenStream) -> Option<(TokenStream, Type)> {
    let trees: Vec<TokenTree> = whole.clone().into_iter().collect();
    let is =
        |token: &TokenTree, sign: char| matches!(token, TokenTree::Punct(p) if p.as_char() == sign);
    let open = trees.iter().position(|token| is(token, '<'))?;
    let close = trees.iter().rposition(|token| is(token, '>'))?;
    let inside: TokenStream = trees.get(open + 1..close)?.iter().cloned().collect();
    let mut wrong = None;
    let sizes = split(inside, ',').into_iter().map(|size| {
        let is_one = syn::parse2::<syn::GenericArgument>(size.clone()).is_ok();
        if !is_one && syn::parse2::<Expr>(size.clone()).is_ok() {
            let braced = quote::quote!({ #size });
            wrong.get_or_insert(size);
            return braced;
        }
        size
    });
    let sizes: Vec<_> = sizes.collect();
    let name: TokenStream = trees[..open].iter().cloned().collect();
    let ty = syn::parse2(quote::quote!(#name < #(#sizes),* >)).ok()?;
    Some((wrong?, ty))
}

/// `Linear { 48 -> 24 }`: a layer is written with parentheses.
pub(super) fn in_braces(
    input: ParseStream,
    diagnostics: &mut Diagnostics,
) -> syn::Result<Option<FieldDecl>> {
    let ahead = input.fork();
    let Ok(name) = ahead.parse::<Ident>() else { return Ok(None) };
    let Ok(TokenTree::Group(args)) = ahead.parse::<TokenTree>() else { return Ok(None) };
    if args.delimiter() != Delimiter::Brace && args.delimiter() != Delimiter::Bracket {
        return Ok(None);
    }
    let whole: TokenStream = [input.parse::<TokenTree>()?, input.parse()?].into_iter().collect();
    let error = Diagnostic::over(&whole, "a layer is written with parentheses");
    diagnostics.push(error.write(&whole, format!("{name}({})", text_of(&args.stream()).trim())));
    layer(name.into(), &args, diagnostics).map(|layer| Some(FieldDecl::Layer(layer)))
}

/// The path of a layer without what others have around it: `Linear::new`, `models::Linear`.
pub(super) fn bare(path: Path, diagnostics: &mut Diagnostics) -> Path {
    let names: Vec<_> = path.segments.iter().map(|segment| segment.ident.clone()).collect();
    let is_made = |name: &Ident| name == "new" || name == "default" || name == "init";
    let layer = match &names[..] {
        [first, ..] if first == "gradiron" => return path,
        [.., layer, made] if is_made(made) => layer,
        [_, .., layer] if layer.to_string().starts_with(char::is_uppercase) => layer,
        _ => return path,
    };
    let error = Diagnostic::over(&path, "a layer is named without a path");
    diagnostics.push(error.write(&path, layer.to_string()));
    layer.clone().into()
}

/// `nn.Parameter(torch.randn(32))`: a parameter is declared by its shape, and has first values by
/// itself.
pub(super) fn parameter(
    input: ParseStream,
    diagnostics: &mut Diagnostics,
) -> syn::Result<Option<FieldDecl>> {
    let ahead = input.fork();
    module(&ahead)?;
    let name = ahead.parse::<Ident>();
    let is_one = name.is_ok_and(|name| name == "Parameter" || name == "Param");
    let Ok(TokenTree::Group(args)) = ahead.parse::<TokenTree>() else { return Ok(None) };
    let inner = args.stream().into_iter().find_map(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => Some(group),
        _ => None,
    });
    let starts_with_name = matches!(args.stream().into_iter().next(), Some(TokenTree::Ident(_)));
    let Some(inner) = inner.filter(|_| is_one && starts_with_name) else { return Ok(None) };
    let shape = text_of(&inner.stream());
    let shape = shape.trim_matches(['[', ']', '(', ')', ',']).to_string();
    let mut whole = TokenStream::new();
    while input.cursor() != ahead.cursor() {
        whole.extend([input.parse::<TokenTree>()?]);
    }
    let error = Diagnostic::over(&whole, "a parameter is declared by its shape");
    diagnostics.push(error.write(&whole, format!("Param([{shape}])")));
    let inside = syn::parse_str::<TokenStream>(&format!("[{shape}]"))?;
    let mut group = Group::new(Delimiter::Parenthesis, inside);
    group.set_span(args.span());
    let path = Ident::new("Param", args.span()).into();
    layer(path, &group, diagnostics).map(|layer| Some(FieldDecl::Layer(layer)))
}

/// Takes `nn.` of `nn.Linear(784 -> 128)`; nothing where no module stands.
pub(super) fn module(input: ParseStream) -> syn::Result<TokenStream> {
    let mut words = TokenStream::new();
    while input.peek(syn::Ident) {
        let (is_path, is_field) = (input.peek2(Token![::]), input.peek2(Token![.]));
        let word: Ident = input.fork().parse()?;
        let is_module = is_path && pytorch::MODULES.iter().any(|module| word == module);
        if !is_field && !is_module {
            break;
        }
        for _ in 0..if is_path { 3 } else { 2 } {
            words.extend([input.parse::<TokenTree>()?]);
        }
    }
    Ok(words)
}

/// Takes a module out, and says so; gives the layer behind it where that has another name here.
pub(super) fn without_module(
    input: ParseStream,
    diagnostics: &mut Diagnostics,
) -> syn::Result<Option<Path>> {
    let words = module(input)?;
    let name = input.fork().parse::<Ident>();
    let (false, Ok(name)) = (words.is_empty(), name) else { return Ok(None) };
    match pytorch::layer(&name.to_string()) {
        Some(Here::Named(ours)) => {
            let whole = quote::quote!(#words #name);
            let error = Diagnostic::over(&whole, format!("`{name}` is called `{ours}` here"));
            diagnostics.push(error.write(&whole, ours));
            return Ok(Some(Ident::new(ours, name.span()).into()));
        }
        // What it is, it is without its module.
        Some(_) => return Ok(None),
        None => {}
    }
    let what = text_of(&words).replace(' ', "");
    let error = Diagnostic::over(&words, "a layer is named without a module");
    diagnostics.push(error.fix(&words, "").help(format!("take `{what}` out")));
    Ok(None)
}

/// `Linear<784 -> 128>`: a layer is written with parentheses.
pub(super) fn in_angles(
    path: &Path,
    input: ParseStream,
    diagnostics: &mut Diagnostics,
) -> Option<FieldDecl> {
    let ahead = input.fork();
    ahead.call(Path::parse_mod_style).ok()?;
    let inside = |input: ParseStream| {
        let mut tokens = TokenStream::new();
        let mut dash = false;
        while !input.is_empty() {
            let token: TokenTree = input.parse()?;
            let sign = if let TokenTree::Punct(sign) = &token { sign.as_char() } else { ' ' };
            if sign == '>' && !dash {
                break;
            }
            dash = sign == '-';
            tokens.extend([token]);
        }
        Ok::<_, syn::Error>(tokens)
    };
    ahead.parse::<Token![<]>().ok()?;
    let sizes = inside(&ahead).ok()?;
    if !sizes.to_string().contains("->") {
        return None;
    }
    let whole: TokenStream = input
        .step(|cursor| {
            let (mut rest, mut tokens) = (*cursor, TokenStream::new());
            while rest != ahead.cursor() {
                let Some((token, next)) = rest.token_tree() else { break };
                tokens.extend([token]);
                rest = next;
            }
            Ok((tokens, rest))
        })
        .ok()?;
    let name = text_of(path);
    let text = format!("`{name}` is a layer of gradiron and is written with parentheses");
    let error = Diagnostic::over(&whole, text);
    diagnostics.push(error.write(&whole, format!("{name}({})", text_of(&sizes))));
    let args = args(sizes, syn::spanned::Spanned::span(&whole)).ok()?;
    let span = syn::spanned::Spanned::span(&whole);
    Some(FieldDecl::Layer(LayerDecl { path: path.clone(), args, written: Written::Call, span }))
}
