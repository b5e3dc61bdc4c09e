//! The parameters of a model, which are sizes: `<const D: usize, const HEADS: usize = 4>`.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::{GenericParam, Generics, Token, Type};

use super::recover::split;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::text::text_of;

/// Reads the parameters; what is none of a model is reported, and taken for a size.
pub(super) fn generics(input: ParseStream, diagnostics: &mut Diagnostics) -> Generics {
    let mut generics = Generics::default();
    if !input.peek(Token![<]) {
        return generics;
    }
    for tokens in split(angles(input), ',') {
        let Some(param) = param(&tokens, diagnostics) else { continue };
        generics.lt_token.get_or_insert_default();
        generics.gt_token.get_or_insert_default();
        generics.params.push(param);
    }
    generics
}

/// What stands between `<` and its `>`, without them.
fn angles(input: ParseStream) -> TokenStream {
    let (mut tokens, mut depth, mut dash) = (TokenStream::new(), 0_usize, false);
    while let Ok(token) = input.fork().parse::<TokenTree>() {
        if let TokenTree::Group(group) = &token
            && group.delimiter() == proc_macro2::Delimiter::Brace
            && depth <= 1
            && !matches!(tokens.clone().into_iter().last(), Some(TokenTree::Punct(p)) if p.as_char() == '=')
        {
            // A `>` is missing.
            break;
        }
        let _ = input.parse::<TokenTree>();
        if let TokenTree::Punct(sign) = &token {
            match sign.as_char() {
                '<' => depth += 1,
                '>' if !dash => depth = depth.saturating_sub(1),
                _ => {}
            }
            dash = sign.as_char() == '-';
            if depth == 0 {
                break;
            }
            if depth == 1 && sign.as_char() == '<' && tokens.is_empty() {
                continue;
            }
        }
        tokens.extend([token]);
    }
    tokens
}

fn param(tokens: &TokenStream, diagnostics: &mut Diagnostics) -> Option<GenericParam> {
    let parsed = syn::parse2::<GenericParam>(tokens.clone());
    if let Ok(GenericParam::Const(param)) = &parsed {
        if text_of(&param.ty) != "usize" {
            let ty: &Type = &param.ty;
            let text = format!("`{}` is a size, and a size is a `usize`", param.ident);
            diagnostics.push(Diagnostic::over(ty, text).write(ty, "usize"));
            let mut param = param.clone();
            param.ty = syn::parse_quote!(usize);
            return Some(GenericParam::Const(param));
        }
        return parsed.ok();
    }
    if let Ok(GenericParam::Lifetime(lifetime)) = &parsed {
        let text = "a model borrows nothing: its parameters are constants";
        diagnostics.push(Diagnostic::over(lifetime, text).help("take the parameter out"));
        return None;
    }
    let words = |input: ParseStream| {
        input.parse::<Option<Token![const]>>()?;
        let name: Ident = input.parse()?;
        input.parse::<TokenStream>()?;
        Ok(name)
    };
    match (&parsed, words.parse2(tokens.clone())) {
        (_, Ok(name)) => {
            let text = format!("a model's parameters are sizes, and `{name}` is none yet");
            let written = format!("const {name}: usize");
            diagnostics.push(Diagnostic::over(tokens, text).write(tokens, written.as_str()));
            syn::parse_str(&written).ok().map(|param: GenericParam| at(param, &name))
        }
        _ => {
            let text = format!("a model's parameters are sizes, and `{}` is none", text_of(tokens));
            let error = Diagnostic::over(tokens, text);
            diagnostics.push(error.help("write `const D: usize`, or take it out"));
            None
        }
    }
}

/// A parameter with the place of its name.
fn at(param: GenericParam, name: &Ident) -> GenericParam {
    match param {
        GenericParam::Const(mut param) => {
            param.ident.clone_from(name);
            GenericParam::Const(param)
        }
        other => other,
    }
}
