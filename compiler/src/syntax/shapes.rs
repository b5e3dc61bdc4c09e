//! Shapes: `[batch, 784]`, `Classes[batch]`. What other libraries write in their place is reported,
//! and read as the shape that it means.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, Token};

use super::TypeExpr;
use super::recover::{parse_piece, split};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::names::{is_keyword, keyword_text, made_a_name};
use crate::text::text_of;

/// A shape, or those of a tuple, and whether it is one.
pub(super) fn several(
    input: ParseStream,
    diagnostics: &mut Diagnostics,
) -> syn::Result<(Vec<TypeExpr>, bool)> {
    if !input.peek(syn::token::Paren) {
        return Ok((vec![read(input, diagnostics)?], false));
    }
    let content;
    syn::parenthesized!(content in input);
    let mut types = Vec::new();
    while !content.is_empty() {
        types.push(read(&content, diagnostics)?);
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    Ok((types, true))
}

/// A result that is one number, written as Rust's type of it; or none of a model.
pub(super) fn scalar(whole: &TokenStream, diagnostics: &mut Diagnostics) -> Option<TypeExpr> {
    let text = text_of(whole);
    let is_number = matches!(text.as_str(), "f32" | "f64" | "Scalar" | "Loss" | "float");
    if !is_number {
        return None;
    }
    let error = Diagnostic::over(whole, "a number is a value without axes");
    diagnostics.push(error.write(whole, "[]"));
    let span = syn::spanned::Spanned::span(whole);
    Some(TypeExpr { classes: false, dims: Vec::new(), span, broken: false })
}

const EXPECTED: &str = "expected a shape such as `[batch, 10]`";

/// A shape, whatever stands in its place.
pub(super) fn read(input: ParseStream, diagnostics: &mut Diagnostics) -> syn::Result<TypeExpr> {
    let mut ty = read_any(input, diagnostics)?;
    // No type is a size here, and constants are in capitals.
    for size in &mut ty.dims {
        let written = text_of(size);
        let is_camel = written.starts_with(char::is_uppercase)
            && written.contains(char::is_lowercase)
            && written.chars().all(char::is_alphanumeric);
        if is_camel {
            let error = Diagnostic::over(size, "a size that a run decides starts in lower case");
            let name = snake(&written);
            diagnostics.push(error.write(size, name.as_str()).of_all());
            *size = named(&name, syn::spanned::Spanned::span(size))?;
        }
    }
    Ok(ty)
}

/// The same, where types may be sizes.
fn read_any(input: ParseStream, diagnostics: &mut Diagnostics) -> syn::Result<TypeExpr> {
    if input.peek(Token![&]) {
        let sign = reference(input)?;
        let mut found = Diagnostics::default();
        let ty = read_any(input, &mut found);
        // What is wrong behind it says what to write.
        if found.is_empty() && ty.is_ok() {
            let error = Diagnostic::over(&sign, "a value has a shape, and is not a reference");
            diagnostics.push(error.fix(&sign, "").help(format!("take `{}` out", text_of(&sign))));
        }
        found.into_found().into_iter().for_each(|error| {
            diagnostics.push(error.starting_at(&sign));
        });
        return ty;
    }
    let start = input.cursor();
    if let Ok(word) = input.fork().call(Ident::parse_any)
        && word != "Classes"
    {
        return of_name(&word, input, diagnostics);
    }
    let classes = input.peek(syn::Ident);
    if classes {
        let word: Ident = input.parse()?;
        if let Some(shape) = other_brackets(&word, input, diagnostics)? {
            return dims(true, &shape, diagnostics);
        }
    }
    match input.fork().parse::<TokenTree>() {
        Ok(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => {
            input.parse::<TokenTree>()?;
            dims(classes, &group, diagnostics)
        }
        Ok(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
            input.parse::<TokenTree>()?;
            let inside = text_of(&group.stream());
            let error = Diagnostic::over(&group, "a shape stands in brackets");
            diagnostics.push(error.write(&group, format!("[{}]", inside.trim_end_matches(','))));
            dims(classes, &group, diagnostics)
        }
        Ok(token) if input.cursor() != start => {
            Err(syn::Error::new(token.span(), format!("{EXPECTED} behind `Classes`")))
        }
        Ok(TokenTree::Literal(number)) => {
            let error = Diagnostic::over(&number, "a shape stands in brackets");
            diagnostics.push(error.write(&number, format!("[{number}]")));
            input.parse::<TokenTree>()?;
            let size = syn::parse2(TokenTree::Literal(number.clone()).into())?;
            Ok(TypeExpr { classes, dims: vec![size], span: number.span(), broken: false })
        }
        _ => Err(input.error(EXPECTED)),
    }
}

/// `&`, `&mut`, `&'a`
fn reference(input: ParseStream) -> syn::Result<TokenStream> {
    let and: Token![&] = input.parse()?;
    let life: Option<syn::Lifetime> = input.parse()?;
    let word: Option<Token![mut]> = input.parse()?;
    Ok(quote!(#and #life #word))
}

/// Other names for class indices.
const INDICES: [&str; 8] =
    ["Class", "classes", "class", "Labels", "Label", "Indices", "Index", "Tokens"];

/// Types of the elements that class indices are in other libraries.
const INTEGERS: [&str; 4] = ["usize", "i64", "u32", "u8"];

/// A type in the place of a shape.
fn of_name(
    word: &Ident,
    input: ParseStream,
    diagnostics: &mut Diagnostics,
) -> syn::Result<TypeExpr> {
    let name = word.to_string();
    let classes = name == "LongTensor"
        || INDICES.contains(&name.as_str())
        || INTEGERS.contains(&name.as_str());
    let ahead = input.fork();
    ahead.call(Ident::parse_any)?;
    // `Tensor[batch, 784]`, `f32[784]`
    if ahead.peek(syn::token::Bracket) {
        input.parse::<Ident>()?;
        let TokenTree::Group(shape) = input.parse()? else { unreachable!("peeked") };
        let written = format!("{}{}", if classes { "Classes" } else { "" }, text_of(&shape));
        let text = match classes {
            true => format!("class indices are `Classes`, and not `{name}`"),
            false => "the shape of a value is all of its type".into(),
        };
        let whole = quote!(#word #shape);
        diagnostics.push(Diagnostic::over(word, text).write(&whole, written));
        return dims(classes, &shape, diagnostics);
    }
    if let Some(shape) = other_brackets(word, &ahead, diagnostics)? {
        let found = dims(classes, &shape, diagnostics);
        while input.cursor() != ahead.cursor() {
            input.parse::<TokenTree>()?;
        }
        return found;
    }
    let span = word.span();
    let is_size = name.starts_with(char::is_lowercase)
        && !is_keyword(&name)
        && !super::PRIMITIVES.contains(&name.as_str());
    let ty = until_comma(input)?;
    let text = match name.as_str() {
        "Self" => "a model is not a value".into(),
        "Result" => {
            "a function of a model returns its value alone: a call of it returns a `Result`".into()
        }
        "Option" => "a value is always there".into(),
        "impl" | "dyn" => "a value has a shape, and no trait".into(),
        _ if is_size => "a shape stands in brackets".to_string(),
        _ => format!("a value has a shape, and no type such as `{}`", text_of(&ty)),
    };
    let error = Diagnostic::over(&ty, text);
    // `Result<[batch, 10], Error>`, `Vec<[f32; 784]>`
    let inner = ty.clone().into_iter().find_map(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => Some(group),
        _ => None,
    });
    if let Some(inner) = inner {
        let found = dims(false, &inner, &mut Diagnostics::default())?;
        diagnostics.push(error.write(&ty, found.to_string()).of_all());
        return Ok(found);
    }
    diagnostics.push(match is_size {
        true => error.write(&ty, format!("[{name}]")),
        false => error
            .help("write its shape: `[batch, 10]`, `[]` of a number, `Classes[batch]` of class indices")
            .of_all(),
    });
    Ok(match is_size {
        true => {
            let size = syn::parse2(quote!(#word))?;
            TypeExpr { classes: false, dims: vec![size], span, broken: false }
        }
        false => TypeExpr::any_batch(span),
    })
}

/// The tokens of a type, up to a comma outside of its angles.
fn until_comma(input: ParseStream) -> syn::Result<TokenStream> {
    let (mut tokens, mut depth) = (TokenStream::new(), 0_usize);
    let ends = |depth| input.peek(Token![=]) || depth == 0 && input.peek(Token![,]);
    while !input.is_empty() && !ends(depth) {
        let token: TokenTree = input.parse()?;
        if let TokenTree::Punct(sign) = &token {
            match sign.as_char() {
                '<' => depth += 1,
                '>' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        tokens.extend([token]);
    }
    Ok(tokens)
}

/// `Classes<batch>`, `Classes(batch)`: the sizes, as if they stood in brackets.
fn other_brackets(
    word: &Ident,
    input: ParseStream,
    diagnostics: &mut Diagnostics,
) -> syn::Result<Option<Group>> {
    if word != "Classes" && !INDICES.iter().any(|other| word == other) {
        return Ok(None);
    }
    let (written, inside): (TokenStream, TokenStream) = if input.peek(syn::token::Paren) {
        let TokenTree::Group(group) = input.parse()? else { unreachable!("peeked") };
        (quote!(#word #group), group.stream())
    } else if input.peek(Token![<]) {
        let (mut all, mut inside) = (quote!(#word), TokenStream::new());
        let open: Token![<] = input.parse()?;
        all.extend(quote!(#open));
        while !input.is_empty() && !input.peek(Token![>]) {
            let token: TokenTree = input.parse()?;
            all.extend([token.clone()]);
            inside.extend([token]);
        }
        let close: Option<Token![>]> = input.parse()?;
        all.extend(quote!(#close));
        (all, inside)
    } else {
        return Ok(None);
    };
    // `Classes<5>[batch]`
    if input.peek(syn::token::Bracket) {
        let TokenTree::Group(shape) = input.parse()? else { unreachable!("peeked") };
        let whole = quote!(#written #shape);
        let error = Diagnostic::over(&whole, "how many classes there are follows from the loss");
        diagnostics.push(error.write(&whole, format!("Classes{}", text_of(&shape))));
        return Ok(Some(shape));
    }
    let error = Diagnostic::over(&written, "the sizes of class indices stand in brackets");
    diagnostics.push(error.write(&written, format!("Classes[{}]", text_of(&inside))));
    let mut group = Group::new(Delimiter::Bracket, inside);
    group.set_span(word.span());
    Ok(Some(group))
}

/// The sizes in the brackets of a shape.
fn dims(classes: bool, group: &Group, diagnostics: &mut Diagnostics) -> syn::Result<TypeExpr> {
    let span = group.span();
    if let Some(array) = array(group, diagnostics) {
        return Ok(array);
    }
    let mut sizes = Vec::new();
    for (at, tokens) in split(group.stream(), ',').into_iter().enumerate() {
        let tokens = without_colon(tokens, at, &mut sizes, diagnostics)?;
        size(tokens, at, group.span_close(), &mut sizes, diagnostics)?;
    }
    // `[[f32; 784]]`, a slice of arrays.
    if let [Expr::Repeat(_)] = &sizes[..]
        && let Some(TokenTree::Group(sample)) = group.stream().into_iter().next()
        && let Some(ty) = array(&sample, &mut Diagnostics::default())
    {
        let error = Diagnostic::over(group, "a shape is a list of sizes");
        diagnostics.push(error.write(group, ty.to_string()).of_all());
        return Ok(ty);
    }
    let of_numbers = |size: &Expr| super::PRIMITIVES.contains(&text_of(size).as_str());
    if sizes.iter().any(of_numbers) {
        let error = Diagnostic::over(group, "the sizes of this value are missing");
        let help = "write its shape: `[batch, 10]`, `Classes[batch]` of class indices";
        diagnostics.push(error.help(help));
        return Ok(TypeExpr { classes, ..TypeExpr::any_batch(span) });
    }
    Ok(TypeExpr { classes, dims: sizes, span, broken: false })
}

/// `[f32; 784]`, `[[f32; 784]; BATCH]`, `[batch; 784]`: a shape is a list of sizes.
fn array(group: &Group, diagnostics: &mut Diagnostics) -> Option<TypeExpr> {
    let mut outer = Vec::new();
    let mut level = group.clone();
    let element = loop {
        let mut parts = split(level.stream(), ';').into_iter();
        let (element, length, None) = (parts.next()?, parts.next(), parts.next()) else {
            return None;
        };
        let inner = syn::parse2::<TokenTree>(element.clone()).ok();
        match (length, inner) {
            (Some(length), Some(TokenTree::Group(inner))) => {
                outer.push(syn::parse2::<Expr>(length).ok()?);
                level = inner;
            }
            (Some(length), _) => {
                outer.push(syn::parse2::<Expr>(length).ok()?);
                break element;
            }
            (None, _) => return None,
        }
    };
    let name = text_of(&element);
    let (is_float, is_index) =
        (matches!(name.as_str(), "f32" | "f64"), INTEGERS.contains(&name.as_str()));
    if !is_float && !is_index {
        outer.push(syn::parse2::<Expr>(element).ok()?);
        outer.reverse();
    }
    let span = group.span();
    // Of one sample: values have the batch before it.
    if is_float && outer.len() == 1 {
        outer.insert(0, named("batch", span).ok()?);
    }
    let ty = TypeExpr { classes: is_index, dims: outer, span, broken: false };
    let error = Diagnostic::over(group, "a shape is a list of sizes");
    diagnostics.push(error.write(group, ty.to_string()).of_all());
    Some(ty)
}

/// `batch: 13`, with a `:` in place of the comma: reads the first of both.
fn without_colon(
    tokens: TokenStream,
    at: usize,
    sizes: &mut Vec<Expr>,
    diagnostics: &mut Diagnostics,
) -> syn::Result<TokenStream> {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    match &trees[..] {
        [first, TokenTree::Punct(colon), rest @ ..]
            if colon.as_char() == ':' && at == 0 && !rest.is_empty() =>
        {
            let error = Diagnostic::new(colon.span(), "a `,` stands between two sizes");
            diagnostics.push(error.write(colon, ","));
            sizes.push(syn::parse2(first.clone().into())?);
            Ok(rest.iter().cloned().collect())
        }
        _ => Ok(tokens),
    }
}

/// A size, or several where commas are missing.
fn size(
    tokens: TokenStream,
    at: usize,
    end: Span,
    sizes: &mut Vec<Expr>,
    diagnostics: &mut Diagnostics,
) -> syn::Result<()> {
    let written = text_of(&tokens).replace("- ", "-");
    let any = ["?", "_", "*", ":", "..", "...", "-1", "None", "Any", "dyn"];
    let quoted = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let in_quotes = quoted.filter(|name| syn::parse_str::<Ident>(name).is_ok());
    let free = if at == 0 { "batch" } else { "n" };
    let (text, name) = if any.contains(&written.as_str()) {
        (format!("a size that a run decides has a name, and not `{written}`"), free.to_string())
    } else if let Some(name) = in_quotes {
        ("the name of a size stands without quotes".into(), name.to_lowercase())
    } else if is_word(&written) && is_keyword(&written) {
        let word = syn::ext::IdentExt::parse_any;
        let word = syn::parse::Parser::parse2(word, tokens.clone())?;
        (keyword_text(&word), made_a_name(&word).to_string())
    } else {
        return parse_piece(tokens, end, |input| {
            sizes.push(input.parse()?);
            while !input.is_empty() {
                let next: TokenTree = input.fork().parse()?;
                let error = Diagnostic::new(next.span(), "expected `,` between two sizes");
                diagnostics.push(error.write(&next, format!(", {}", text_of(&next))));
                sizes.push(input.parse()?);
            }
            Ok(())
        });
    };
    let error = Diagnostic::over(&tokens, text);
    diagnostics.push(error.write(&tokens, name.as_str()).of_all());
    sizes.push(named(&name, syn::spanned::Spanned::span(&tokens))?);
    Ok(())
}

/// A name as a size.
fn named(name: &str, span: Span) -> syn::Result<Expr> {
    let name = match name.strip_prefix("r#") {
        Some(raw) => Ident::new_raw(raw, span),
        None => Ident::new(name, span),
    };
    syn::parse2(quote!(#name))
}

fn is_word(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_numeric())
        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// `batch_size` of `BatchSize`.
fn snake(name: &str) -> String {
    let mut made = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !made.is_empty() {
            made.push('_');
        }
        made.extend(c.to_lowercase());
    }
    made
}

impl TypeExpr {
    /// Of a text that does not parse, the name that its shape starts with.
    pub(super) fn broken(tokens: TokenStream, span: Span) -> Self {
        let shape = tokens.into_iter().find_map(|token| match token {
            TokenTree::Group(group) => group.stream().into_iter().next(),
            _ => None,
        });
        let lead = shape.and_then(|token| syn::parse2(token.into()).ok());
        Self { classes: false, dims: lead.into_iter().collect(), span, broken: true }
    }

    /// Of what says no shape at all.
    pub(super) fn any_batch(span: Span) -> Self {
        let batch = Ident::new("batch", span);
        let lead = syn::parse2(quote!(#batch)).expect("a name is an expression");
        Self { classes: false, dims: vec![lead], span, broken: true }
    }
}

/// For attributes, whose parser takes one error.
impl Parse for TypeExpr {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let mut found = Diagnostics::default();
        let ty = read_any(input, &mut found)?;
        match found.sorted().first() {
            Some(error) => Err(syn::Error::new(error.start, error.text())),
            None => Ok(ty),
        }
    }
}
