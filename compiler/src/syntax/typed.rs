//! Sizes that are types, as layers of `typed` have them: `Times<U4, D>`.

use proc_macro2::Ident;
use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::{Expr, ExprPath, GenericArgument, Path, PathArguments, PathSegment, Type, parse_quote};

use super::{Arg, LayerDecl, Written, parse_layer_type};
use crate::text::{mentions, text_of};

/// The types of the runtime that compute, and what they do.
const OPERATORS: [(&str, &str); 4] =
    [("Times", "*"), ("Plus", "+"), ("Minus", "-"), ("Quotient", "/")];

/// Types of values, which are no sizes.
pub const PRIMITIVES: [&str; 17] = [
    "f32", "f64", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128",
    "isize", "bool", "char", "str",
];

/// Those of `typenum`, which need bounds where a parameter is in them.
const OF_TYPENUM: [(&str, &str); 4] =
    [("Prod", "Times"), ("Sum", "Plus"), ("Diff", "Minus"), ("Quot", "Quotient")];

/// Reads `typed::Linear<D, Times<U4, D>>` as `Linear(D -> 4 * D)`, `Linear<784, 128>` too;
/// `params` are the types that the struct has as parameters.
pub fn parse_layer(path: &Path, params: &[Ident]) -> syn::Result<LayerDecl> {
    let last = path.segments.last().expect("a path has segments");
    let (PathArguments::AngleBracketed(given), true) =
        (&last.arguments, is_typed(path, last, params))
    else {
        return parse_layer_type(path);
    };
    let size = |arg: &GenericArgument| match arg {
        GenericArgument::Type(ty) => size(ty, params),
        GenericArgument::Const(expr) => Ok(expr.clone()),
        other => Err(syn::Error::new_spanned(other, "expected a size")),
    };
    let args = given.args.iter().map(|arg| size(arg).map(Arg::Value));
    let args = args.collect::<syn::Result<_>>()?;
    let mut path = path.clone();
    path.segments.last_mut().expect("a path has segments").arguments = PathArguments::None;
    Ok(LayerDecl { span: last.ident.span(), path, args, written: Written::Types })
}

/// Whether the sizes of a layer are types.
fn is_typed(path: &Path, last: &PathSegment, params: &[Ident]) -> bool {
    let PathArguments::AngleBracketed(given) = &last.arguments else { return false };
    let is_size = |arg: &GenericArgument| match arg {
        GenericArgument::Type(Type::Path(ty)) => {
            let last = ty.path.segments.last().expect("a path has segments");
            ty.path.get_ident().is_some_and(|name| params.contains(name))
                || numeral(&last.ident).is_some()
                || !last.arguments.is_empty()
        }
        _ => false,
    };
    path.segments.iter().any(|segment| segment.ident == "typed") || given.args.iter().any(is_size)
}

/// `64` of `U64`.
pub fn numeral(name: &Ident) -> Option<usize> {
    let text = name.to_string();
    let digits = text.strip_prefix('U').filter(|rest| rest.bytes().all(|c| c.is_ascii_digit()))?;
    digits.parse().ok()
}

/// A type as a size: `4 * D` of `Times<U4, D>`.
fn size(ty: &Type, params: &[Ident]) -> syn::Result<Expr> {
    let span = ty.span();
    let Type::Path(path) = ty else {
        return Err(syn::Error::new(span, "a size is a type such as `U64` or `Times<U4, D>`"));
    };
    let last = path.path.segments.last().expect("a path has segments");
    let name = last.ident.to_string();
    if PRIMITIVES.contains(&name.as_str()) {
        let text = format!("`{name}` is not a size: write `U64`, or `Times<U4, D>`");
        return Err(syn::Error::new(span, text));
    }
    let given: Vec<&Type> = match &last.arguments {
        PathArguments::AngleBracketed(list) => list
            .args
            .iter()
            .filter_map(|arg| match arg {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    if let (Some(number), true) = (numeral(&last.ident), given.is_empty()) {
        let mut number = proc_macro2::Literal::usize_unsuffixed(number);
        number.set_span(span);
        return Ok(parse_quote!(#number));
    }
    let operator = OPERATORS.iter().find(|(operator, _)| name == *operator);
    if let Some((operator, sign)) = operator {
        let [a, b] = given[..] else {
            let text = format!("`{operator}` has two sizes: write `{operator}<U4, D>`");
            return Err(syn::Error::new(span, text));
        };
        let (a, b) = (size(a, params)?, size(b, params)?);
        // With what is wrong of it at the operator.
        return syn::parse2(match *sign {
            "*" => quote_spanned!(last.ident.span()=> (#a) * (#b)),
            "+" => quote_spanned!(last.ident.span()=> (#a) + (#b)),
            "-" => quote_spanned!(last.ident.span()=> (#a) - (#b)),
            _ => quote_spanned!(last.ident.span()=> (#a) / (#b)),
        });
    }
    let names = params.iter().map(ToString::to_string).collect();
    let of_typenum = OF_TYPENUM.iter().find(|(of_typenum, _)| name == *of_typenum);
    if let Some((_, ours)) = of_typenum.filter(|_| mentions(ty, &names)) {
        let given: Vec<_> = given.iter().map(|ty| text_of(*ty)).collect();
        let text = format!(
            "`{name}` needs a bound for each parameter in it: write `{ours}<{}>`",
            given.join(", ")
        );
        return Err(syn::Error::new(span, text));
    }
    Ok(value(ty))
}

/// The number that a type is.
pub fn value(ty: &Type) -> Expr {
    let number = quote_spanned!(ty.span()=> <#ty as __private::Size>::VALUE);
    syn::parse2(number).expect("an expression")
}

/// The type of which this is the number, as it was written.
pub fn type_of(path: &ExprPath) -> Option<String> {
    let ty = &path.qself.as_ref()?.ty;
    let names: Vec<_> = path.path.segments.iter().map(|segment| &segment.ident).collect();
    match names[..] {
        [private, size, value] if private == "__private" && size == "Size" && value == "VALUE" => {
            Some(text_of(ty))
        }
        _ => None,
    }
}
