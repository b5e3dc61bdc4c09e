//! The statements that run the parts of a struct.

use proc_macro2::{Ident, Span};
use quote::{format_ident, quote_spanned};
use syn::{Expr, parse_quote};

use super::parts::{Join, Leaf, Part};
use crate::syntax::{Field, Stmt, TypeExpr, Value};

/// `let x = self.fc1(x); let x = self.act(x); self.fc2(x)`, and the shape that is stated of the
/// last value.
pub fn of(parts: &[Part], fields: &[Field]) -> (Vec<Stmt>, Option<TypeExpr>) {
    let x = format_ident!("x");
    let mut body = Body { fields, statements: Vec::new(), made: 0 };
    body.all(parts, &x, &x);
    let mut stated = None;
    let tail = match body.statements.pop() {
        Some(Stmt::Let { value: Value::Expr(value), annotation, .. }) => {
            stated = annotation.into_iter().next();
            value
        }
        _ => parse_quote!(x),
    };
    body.statements.push(Stmt::Tail(tail));
    (body.statements, stated)
}

struct Body<'a> {
    fields: &'a [Field],
    statements: Vec<Stmt>,
    /// How many values have names of their own.
    made: usize,
}

impl Body<'_> {
    /// One behind the other, from `x` to the name `y`.
    fn all(&mut self, parts: &[Part], x: &Ident, y: &Ident) {
        if parts.is_empty() && x != y {
            let value = parse_quote!(#x);
            self.bind(y, Vec::new(), value);
        }
        for (at, part) in parts.iter().enumerate() {
            self.one(part, if at == 0 { x } else { y }, y);
        }
    }

    fn one(&mut self, part: &Part, x: &Ident, y: &Ident) {
        match part {
            Part::Leaf(Leaf { field, with, output }) => {
                let name = &self.fields[*field].name;
                let call = parse_quote!(self.#name(#x #(, #with)*));
                self.bind(y, output.clone().into_iter().collect(), call);
            }
            Part::Sequence(parts) => self.all(parts, x, y),
            Part::Joined { parts, join, span } => {
                let branches: Vec<Ident> = parts
                    .iter()
                    .map(|part| match part {
                        Part::Sequence(parts) if parts.is_empty() => x.clone(),
                        part => {
                            self.made += 1;
                            let branch = format_ident!("__branch{}", self.made);
                            self.one(part, x, &branch);
                            branch
                        }
                    })
                    .collect();
                self.bind(y, Vec::new(), joined(&branches, join, *span));
            }
        }
    }

    fn bind(&mut self, name: &Ident, annotation: Vec<TypeExpr>, value: Expr) {
        let (names, value) = (vec![name.clone()], Value::Expr(value));
        self.statements.push(Stmt::Let { names, annotation, value });
    }
}

/// `a + b + c`, with what is wrong of it at the container.
fn joined(branches: &[Ident], join: &Join, span: Span) -> Expr {
    let (first, rest) = branches.split_first().expect("a container has branches");
    let tokens = match join {
        Join::Add => quote_spanned!(span=> #first #(+ #rest)*),
        Join::Mul => quote_spanned!(span=> #first #(* #rest)*),
        Join::Cat(dim) => quote_spanned!(span=> cat([#(#branches),*], #dim)),
    };
    syn::parse2(tokens).expect("an expression")
}
