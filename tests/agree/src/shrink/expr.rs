//! Expressions that are smaller than another.

use gradiron_compiler::lower::text_of;
use syn::Expr;
use syn::punctuated::Punctuated;

/// What may stand in the place of an expression.
pub fn smaller(text: &str) -> Vec<String> {
    let Ok(expr) = syn::parse_str::<Expr>(text) else { return Vec::new() };
    let texts = parts(&expr).into_iter().map(|part| text_of(&part));
    texts.filter(|other| other.len() < text.len()).collect()
}

/// Its operands, and the expression with one of them left out or smaller.
fn parts(expr: &Expr) -> Vec<Expr> {
    let mut made = Vec::new();
    match expr {
        Expr::Paren(inner) => made.push((*inner.expr).clone()),
        Expr::Unary(unary) => made.push((*unary.expr).clone()),
        Expr::Binary(binary) => {
            made.extend([(*binary.left).clone(), (*binary.right).clone()]);
            for left in parts(&binary.left) {
                made.push(Expr::Binary(syn::ExprBinary { left: Box::new(left), ..binary.clone() }));
            }
            for right in parts(&binary.right) {
                made.push(Expr::Binary(syn::ExprBinary {
                    right: Box::new(right),
                    ..binary.clone()
                }));
            }
        }
        Expr::MethodCall(call) => {
            let is_self = text_of(&call.receiver) == "self";
            if !is_self {
                made.push((*call.receiver).clone());
                for receiver in parts(&call.receiver) {
                    let receiver = Box::new(receiver);
                    made.push(Expr::MethodCall(syn::ExprMethodCall { receiver, ..call.clone() }));
                }
            }
            made.extend(call.args.iter().filter(|arg| !is_option(arg)).cloned());
            for args in lists(&call.args) {
                made.push(Expr::MethodCall(syn::ExprMethodCall { args, ..call.clone() }));
            }
        }
        Expr::Call(call) => {
            made.extend(call.args.iter().filter(|arg| !is_option(arg)).cloned());
            for args in lists(&call.args) {
                made.push(Expr::Call(syn::ExprCall { args, ..call.clone() }));
            }
        }
        Expr::Array(array) => {
            for elems in lists(&array.elems) {
                made.push(Expr::Array(syn::ExprArray { elems, ..array.clone() }));
            }
        }
        Expr::Tuple(tuple) => made.extend(tuple.elems.iter().cloned()),
        Expr::Assign(assign) => {
            for right in parts(&assign.right) {
                made.push(Expr::Assign(syn::ExprAssign {
                    right: Box::new(right),
                    ..assign.clone()
                }));
            }
        }
        _ => {}
    }
    made
}

fn is_option(expr: &Expr) -> bool {
    matches!(expr, Expr::Assign(_))
}

type List = Punctuated<Expr, syn::Token![,]>;

/// The list without one element, or with a smaller one.
fn lists(list: &List) -> Vec<List> {
    let mut made = Vec::new();
    for at in 0..list.len() {
        let others = list.iter().enumerate().filter(|(other, _)| *other != at);
        made.push(others.map(|(_, expr)| expr.clone()).collect());
        for part in parts(&list[at]) {
            let mut list = list.clone();
            list[at] = part;
            made.push(list);
        }
    }
    made
}

/// The arguments of a declaration, as texts: `Linear(2 -> 3, bias = false)`.
pub fn arguments(decl: &str) -> Option<(String, Vec<String>)> {
    let (name, rest) = decl.split_once('(')?;
    let rest = rest.strip_suffix(')')?;
    let (mut pieces, mut depth) = (vec![String::new()], 0usize);
    for c in rest.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                pieces.push(String::new());
                continue;
            }
            _ => {}
        }
        pieces.last_mut()?.push(c);
    }
    let pieces = pieces.iter().map(|piece| piece.trim().to_string());
    Some((name.into(), pieces.filter(|piece| !piece.is_empty()).collect()))
}
