//! The two sizes of a layer, `784 -> 128`, and what is written in place of the arrow.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use syn::{BinOp, Expr, Path, RangeLimits};

use super::Arg;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::text::text_of;

/// `784 -> 128` as its two sides and the arrow.
pub(super) fn split_arrow(tokens: &TokenStream) -> Option<(TokenStream, Span, TokenStream)> {
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    let is = |token: &TokenTree, c: char| matches!(token, TokenTree::Punct(p) if p.as_char() == c);
    let at = tokens.windows(2).position(|pair| is(&pair[0], '-') && is(&pair[1], '>'))?;
    let side = |tokens: &[TokenTree]| tokens.iter().cloned().collect();
    Some((side(&tokens[..at]), tokens[at + 1].span(), side(&tokens[at + 2..])))
}

/// What is written in place of the arrow where no expression has it: `784 => 128`, `784 to 128`.
const OTHER_ARROWS: [&str; 9] = ["=>", "-->", "->>", "<-", "~>", ">>", ":", "to", "="];

/// The same tokens with an arrow in place of something like it, which is reported.
pub(super) fn with_arrow(tokens: TokenStream, diagnostics: &mut Diagnostics) -> TokenStream {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let is_sign = |token: &TokenTree| match token {
        TokenTree::Punct(sign) => "=-<>~:".contains(sign.as_char()),
        TokenTree::Ident(word) => word == "to",
        _ => false,
    };
    let Some(start) = trees.iter().position(is_sign).filter(|start| *start > 0) else {
        return tokens;
    };
    let count = trees[start..].iter().take_while(|token| is_sign(token)).count();
    let (arrow, behind) = (&trees[start..start + count], start + count);
    let written: String = arrow.iter().map(ToString::to_string).collect();
    let is_option = written == "=" && matches!(trees[..start], [TokenTree::Ident(_)]);
    let is_minus = written == "<-" && matches!(trees.get(behind), Some(TokenTree::Literal(_)));
    let is_one = OTHER_ARROWS.contains(&written.as_str()) && (written != "<-" || is_minus);
    // What stands behind a comma is another argument.
    let comma = |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == ',');
    if !is_one || is_option || trees[..start].iter().any(comma) || behind == trees.len() {
        return tokens;
    }
    let signs: TokenStream = arrow.iter().cloned().collect();
    let text = format!("the sizes of a layer have an arrow between them, and not `{written}`");
    diagnostics.push(Diagnostic::over(&signs, text).write(&signs, "->"));
    let span = arrow[0].span();
    let right = quote::quote_spanned!(span=> ->);
    let (left, rest) = (trees[..start].iter().cloned(), trees[behind..].iter().cloned());
    left.chain(right).chain(rest).collect()
}

/// Moves the sizes to the front, and says that they stand there.
pub(super) fn sizes_first(
    path: &Path,
    group: &Group,
    args: &mut Vec<Arg>,
    diagnostics: &mut Diagnostics,
) {
    let sizes = args.iter().position(|arg| matches!(arg, Arg::Sizes(..)));
    let named = args.iter().position(|arg| matches!(arg, Arg::Named(..)));
    let (Some(at), Some(named)) = (sizes, named) else { return };
    if named > at {
        return;
    }
    let sizes = args.remove(at);
    args.insert(0, sizes);
    let Arg::Sizes(from, _) = &args[0] else { return };
    let all: Vec<_> = args.iter().map(ToString::to_string).collect();
    let name = text_of(path);
    let error = Diagnostic::over(from, format!("the sizes of `{name}` stand first"));
    let whole = quote::quote!(#path #group);
    diagnostics.push(error.write(&whole, format!("{name}({})", all.join(", "))));
}

/// The two sides of `784 > 128`, `784 - 128`, `784..128` and their like: of two numbers, or of any
/// two sizes where no size has the sign.
pub fn sides(expr: &Expr) -> Option<(&Expr, &Expr)> {
    let is_number = |expr: &Expr| matches!(expr, Expr::Lit(_));
    match expr {
        Expr::Paren(inner) => sides(&inner.expr),
        Expr::Tuple(tuple) if tuple.elems.len() == 2 => Some((&tuple.elems[0], &tuple.elems[1])),
        Expr::Array(array) if array.elems.len() == 2 => Some((&array.elems[0], &array.elems[1])),
        Expr::Range(range) if matches!(range.limits, RangeLimits::HalfOpen(_)) => {
            Some((range.start.as_deref()?, range.end.as_deref()?))
        }
        Expr::Binary(binary) => {
            let no_size = matches!(
                binary.op,
                BinOp::Gt(_) | BinOp::Lt(_) | BinOp::Ge(_) | BinOp::Le(_) | BinOp::BitOr(_)
            );
            let both = is_number(&binary.left) && is_number(&binary.right);
            let minus = matches!(binary.op, BinOp::Sub(_)) && both;
            (no_size || minus).then_some((&binary.left, &binary.right))
        }
        _ => None,
    }
}
