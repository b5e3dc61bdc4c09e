//! The parser: recovers at the next field, statement or item.

use proc_macro2::{Delimiter, Group, Ident, Spacing, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Path, Token, Type, Visibility};

use super::{Arg, Field, FieldDecl, FnArg, Function, Header, LayerDecl, ModelItem, Stmt, TypeExpr};
use crate::diagnostics::{Diagnostic, Diagnostics};

/// Parses the text of a `model! { … }`.
pub fn parse_model(tokens: TokenStream, diagnostics: &mut Diagnostics) -> ModelItem {
    let mut model = ModelItem { header: None, fields: Vec::new(), functions: Vec::new() };
    let parser = |input: ParseStream| {
        while !input.is_empty() {
            if let Err(error) = item(input, &mut model, diagnostics) {
                diagnostics.push(error);
                skip_to_item(input);
            }
        }
        Ok(())
    };
    let result = parser.parse2(tokens);
    diagnostics.keep(result);
    model
}

fn item(
    input: ParseStream,
    model: &mut ModelItem,
    diagnostics: &mut Diagnostics,
) -> Result<(), Diagnostic> {
    let attrs = input.call(Attribute::parse_outer)?;
    let vis: Visibility = input.parse()?;
    if input.peek(Token![struct]) {
        let keyword: Token![struct] = input.parse()?;
        let name: Ident = input.parse()?;
        let generics = input.parse()?;
        let body = group(input, Delimiter::Brace, "the layers in `{ … }`")?;
        if model.header.is_some() {
            return Err(Diagnostic::new(keyword.span, "a `model!` declares one `struct`")
                .help("put the second one in a `model!` of its own; models nest as fields"));
        }
        model.header = Some(Header { attrs, vis, name, generics });
        model.fields = fields(body, diagnostics);
        Ok(())
    } else if input.peek(Token![fn]) {
        let explicit = !matches!(vis, Visibility::Inherited);
        let function = function(input, attrs, explicit.then_some(vis), diagnostics)?;
        model.functions.push(function);
        Ok(())
    } else {
        Err(Diagnostic::new(input.span(), "expected a `struct` of layers or a `fn`"))
    }
}

/// Leaves `input` before the next thing that looks like an item.
fn skip_to_item(input: ParseStream) {
    let _ = input.step(|cursor| {
        let mut rest = *cursor;
        while let Some((token, next)) = rest.token_tree() {
            rest = next;
            let ends = matches!(&token, TokenTree::Group(g) if g.delimiter() == Delimiter::Brace);
            if ends {
                break;
            }
        }
        Ok(((), rest))
    });
}

fn group(input: ParseStream, delimiter: Delimiter, what: &str) -> Result<Group, Diagnostic> {
    match input.parse::<TokenTree>() {
        Ok(TokenTree::Group(group)) if group.delimiter() == delimiter => Ok(group),
        Ok(other) => Err(Diagnostic::new(other.span(), format!("expected {what}"))),
        Err(error) => Err(Diagnostic::new(error.span(), format!("expected {what}"))),
    }
}

fn fields(body: Group, diagnostics: &mut Diagnostics) -> Vec<Field> {
    let mut fields = Vec::new();
    for tokens in split(body.stream(), ',') {
        fields.extend(diagnostics.keep(field.parse2(tokens)));
    }
    fields
}

fn field(input: ParseStream) -> syn::Result<Field> {
    input.call(Attribute::parse_outer)?;
    input.parse::<Visibility>()?;
    let name: Ident = input.parse()?;
    input.parse::<Token![:]>().map_err(|e| {
        syn::Error::new(
            e.span(),
            format!("expected `:` and a layer, as in `{name}: Linear(2 -> 1)`"),
        )
    })?;
    let decl = field_decl(input)?;
    if !input.is_empty() {
        return Err(input.error("expected `,` after this field"));
    }
    Ok(Field { name, decl })
}

fn field_decl(input: ParseStream) -> syn::Result<FieldDecl> {
    if input.peek(syn::token::Bracket) {
        let content;
        syn::bracketed!(content in input);
        let element = field_decl(&content)?;
        content.parse::<Token![;]>()?;
        let count: Expr = content.parse()?;
        return match element {
            FieldDecl::Model(ty) => Ok(FieldDecl::Array(ty, count)),
            FieldDecl::Layer(layer) => Err(syn::Error::new(
                layer.span,
                "an array holds models; put the layer in a `model!` of its own",
            )),
            FieldDecl::Array(..) => Err(content.error("an array of arrays is not supported")),
        };
    }
    let ahead = input.fork();
    if ahead.call(Path::parse_mod_style).is_ok() && ahead.peek(syn::token::Paren) {
        let path = input.call(Path::parse_mod_style)?;
        let TokenTree::Group(group) = input.parse()? else { unreachable!("peeked") };
        let args = args(group.stream())?;
        return Ok(FieldDecl::Layer(LayerDecl { path, args, span: group.span() }));
    }
    Ok(FieldDecl::Model(input.parse::<Type>().map_err(|e| {
        syn::Error::new(e.span(), "expected a layer such as `Linear(784 -> 128)` or a model's type")
    })?))
}

/// `784 -> 128, bias = false`
fn args(tokens: TokenStream) -> syn::Result<Vec<Arg>> {
    split(tokens, ',').into_iter().map(arg).collect()
}

fn arg(tokens: TokenStream) -> syn::Result<Arg> {
    if let Some((from, to)) = split_arrow(&tokens) {
        return Ok(Arg::Sizes(syn::parse2(from)?, syn::parse2(to)?));
    }
    match syn::parse2(tokens)? {
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
    Ok(LayerDecl { span: last.ident.span(), path, args })
}

fn function(
    input: ParseStream,
    attrs: Vec<Attribute>,
    vis: Option<Visibility>,
    diagnostics: &mut Diagnostics,
) -> Result<Function, Diagnostic> {
    input.parse::<Token![fn]>()?;
    let name: Ident = input.parse()?;
    let params = group(input, Delimiter::Parenthesis, "the arguments in `( … )`")?;
    let mut has_self = false;
    let mut args = Vec::new();
    for tokens in split(params.stream(), ',') {
        if is_self(&tokens) {
            has_self = true;
        } else {
            args.extend(diagnostics.keep(fn_arg.parse2(tokens)));
        }
    }
    let arrow = input.parse::<Token![->]>().map_err(|e| {
        Diagnostic::new(e.span(), format!("`{name}` does not say what it returns"))
            .help("write `-> [batch, 10]`, or `-> []` for a number")
    });
    arrow?;
    let (returns, returns_tuple) = if input.peek(syn::token::Paren) {
        let content = group(input, Delimiter::Parenthesis, "the results in `( … )`")?;
        let types = Punctuated::<TypeExpr, Token![,]>::parse_terminated.parse2(content.stream())?;
        (types.into_iter().collect(), true)
    } else {
        (vec![input.parse()?], false)
    };
    let body = group(input, Delimiter::Brace, "the body in `{ … }`")?;
    let (statements, broken) = statements(&body, diagnostics);
    Ok(Function {
        attrs,
        vis,
        name,
        has_self,
        args,
        returns,
        returns_tuple,
        body: statements,
        broken,
        body_span: body.span_close(),
    })
}

fn is_self(tokens: &TokenStream) -> bool {
    matches!(tokens.clone().into_iter().last(), Some(TokenTree::Ident(name)) if name == "self")
}

fn fn_arg(input: ParseStream) -> syn::Result<FnArg> {
    let name = input.call(Ident::parse_any)?;
    input.parse::<Token![:]>()?;
    let ty = input.parse()?;
    Ok(FnArg { name, ty })
}

impl Parse for TypeExpr {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let classes = if input.peek(syn::Ident) {
            let name: Ident = input.parse()?;
            if name != "Classes" {
                return Err(syn::Error::new(
                    name.span(),
                    "expected a shape such as `[batch, 10]`, or `Classes[batch]` for class indices",
                ));
            }
            true
        } else {
            false
        };
        let shape = input.fork().parse::<TokenTree>();
        let Ok(TokenTree::Group(shape)) = shape else {
            return Err(input.error("expected a shape such as `[batch, 10]`"));
        };
        if shape.delimiter() != Delimiter::Bracket {
            return Err(input.error("expected a shape such as `[batch, 10]`"));
        }
        input.parse::<TokenTree>()?;
        let dims = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(shape.stream())?;
        Ok(Self { classes, dims: dims.into_iter().collect(), span: shape.span() })
    }
}

/// The statements of a body; one that does not parse is reported and left out.
fn statements(body: &Group, diagnostics: &mut Diagnostics) -> (Vec<Stmt>, bool) {
    let mut statements = Vec::new();
    let mut broken = false;
    let pieces = split(body.stream(), ';');
    let ends_open = !matches!(
        body.stream().into_iter().last(),
        Some(TokenTree::Punct(p)) if p.as_char() == ';'
    );
    let count = pieces.len();
    for (i, tokens) in pieces.into_iter().enumerate() {
        let last = i + 1 == count && ends_open;
        match diagnostics.keep((|input: ParseStream| statement(input, last)).parse2(tokens)) {
            Some(statement) => statements.push(statement),
            None => broken = true,
        }
    }
    (statements, broken)
}

fn statement(input: ParseStream, last: bool) -> syn::Result<Stmt> {
    if input.peek(Token![let]) {
        input.parse::<Token![let]>()?;
        if input.peek(Token![mut]) {
            input.parse::<Token![mut]>()?;
        }
        let names = if input.peek(syn::token::Paren) {
            let content;
            syn::parenthesized!(content in input);
            let names = Punctuated::<Ident, Token![,]>::parse_separated_nonempty_with(
                &content,
                Ident::parse_any,
            )?;
            names.into_iter().collect()
        } else {
            vec![input.call(Ident::parse_any)?]
        };
        let annotation = if input.peek(Token![:]) {
            input.parse::<Token![:]>()?;
            Some(input.parse()?)
        } else {
            None
        };
        input.parse::<Token![=]>()?;
        let value = whole_expr(input)?;
        return Ok(Stmt::Let { names, annotation, value });
    }
    let value = whole_expr(input)?;
    match value {
        Expr::Assign(assign) => match *assign.left {
            Expr::Path(ref path) if path.path.get_ident().is_some() => Ok(Stmt::Let {
                names: vec![path.path.get_ident().cloned().expect("checked")],
                annotation: None,
                value: *assign.right,
            }),
            other => Err(syn::Error::new_spanned(other, "only a name can be assigned")),
        },
        value if last => Ok(Stmt::Tail(value)),
        value => Err(syn::Error::new_spanned(
            value,
            "this value is dropped: bind it with `let`, or leave out the `;` to return it",
        )),
    }
}

fn whole_expr(input: ParseStream) -> syn::Result<Expr> {
    let expr = input.parse()?;
    if input.is_empty() {
        Ok(expr)
    } else {
        Err(input.error("expected `;` or an operator before this"))
    }
}

/// The pieces between separators outside any bracket; empty pieces are left out.
fn split(tokens: TokenStream, separator: char) -> Vec<TokenStream> {
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

/// `784 -> 128` as its two sides.
fn split_arrow(tokens: &TokenStream) -> Option<(TokenStream, TokenStream)> {
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    let is = |token: &TokenTree, c: char| matches!(token, TokenTree::Punct(p) if p.as_char() == c);
    let at = tokens.windows(2).position(|pair| is(&pair[0], '-') && is(&pair[1], '>'))?;
    let side = |tokens: &[TokenTree]| tokens.iter().cloned().collect();
    Some((side(&tokens[..at]), side(&tokens[at + 2..])))
}
