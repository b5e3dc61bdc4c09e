//! Layers and models in rows, `fc: [Linear(64 -> 64); 3]`: which one an expression names, and calls
//! of it.

use std::collections::HashSet;

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Expr, ExprIndex, Lit, Member, Type};

use super::expr::{Lowered, is_self};
use super::{FnCx, Item, Lowering, Poison};
use crate::diagnostics::Diagnostic;
use crate::layers::{self, Place};
use crate::syntax::{Arg, FieldDecl, LayerDecl, ModelItem, Stmt, TypeExpr, Value};

impl<'a> FnCx<'a, '_> {
    /// The field and the number of its layers, where `expr` is a row of them.
    pub fn row(&mut self, expr: &Expr) -> Option<Lowering<(usize, usize)>> {
        let Expr::Field(field) = expr else { return None };
        let Member::Named(name) = &field.member else { return None };
        let at = self.model.field(&name.to_string()).filter(|_| is_self(&field.base))?;
        self.model.mention_field(name, at);
        match &self.model.item.fields[at].decl {
            FieldDecl::Layers(_, count) => Some(Ok((at, *count))),
            FieldDecl::Array(_, count) => Some(self.models(name, count).map(|count| (at, count))),
            FieldDecl::Broken => Some(Err(Poison)),
            FieldDecl::Layer(_) | FieldDecl::Model(_) => None,
        }
    }

    /// Whether it is written as a layer of a row: `self.fc[1]`, or `fc` in a loop over one.
    pub fn is_element(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Paren(inner) => self.is_element(&inner.expr),
            Expr::Path(path) => path.path.get_ident().is_some_and(|name| {
                matches!(self.names.get(&name.to_string()), Some(Item::Layer(..)))
            }),
            Expr::Index(index) => {
                matches!(&*index.expr, Expr::Field(field) if is_self(&field.base))
            }
            _ => false,
        }
    }

    /// The layer that `self.fc[1]` is, or `fc` in a loop over a row.
    pub fn element(&mut self, expr: &Expr) -> Option<Lowering<Place>> {
        match expr {
            Expr::Paren(inner) => self.element(&inner.expr),
            Expr::Path(path) => match self.names.get(&path.path.get_ident()?.to_string())? {
                Item::Layer(field, at) => Some(Ok(Place { field: *field, element: Some(*at) })),
                _ => None,
            },
            Expr::Index(index) => self.indexed(index),
            _ => None,
        }
    }

    /// `self.fc[1]`
    fn indexed(&mut self, index: &ExprIndex) -> Option<Lowering<Place>> {
        let Expr::Field(field) = &*index.expr else { return None };
        let Member::Named(name) = &field.member else { return None };
        if !is_self(&field.base) {
            return None;
        }
        let Some(at) = self.model.field(&name.to_string()) else {
            return Some(Err(self.unknown_member(name)));
        };
        self.model.mention_field(name, at);
        let count = match &self.model.item.fields[at].decl {
            FieldDecl::Layers(_, count) => *count,
            FieldDecl::Array(_, count) => match self.models(name, count) {
                Ok(count) => count,
                Err(poison) => return Some(Err(poison)),
            },
            FieldDecl::Broken => return Some(Err(Poison)),
            FieldDecl::Layer(_) | FieldDecl::Model(_) => {
                let text = format!("`{name}` is no row: it has no index");
                let error = Diagnostic::over(index, text);
                return Some(Err(self.model.report(error.help(format!("write `self.{name}`")))));
            }
        };
        let place = self.position(&index.index).and_then(|element| match element < count {
            true => Ok(Place { field: at, element: Some(element) }),
            false => {
                let what = match self.model.item.fields[at].decl {
                    FieldDecl::Array(..) => "models",
                    _ => "layers",
                };
                let text = format!("`{name}` has {count} {what}, and none at {element}");
                let help = format!("the indices here are 0 to {}", count - 1);
                Err(self.model.report(Diagnostic::over(&index.index, text).help(help)))
            }
        });
        Some(place)
    }

    /// How many models a row has of which one is named alone.
    fn models(&mut self, name: &Ident, count: &Expr) -> Lowering<usize> {
        number(count).ok_or_else(|| {
            let text = format!("how many models `{name}` has is known to rustc alone");
            let error = Diagnostic::over(count, text);
            self.model.report(error.help("write a number, where one of them is called alone"))
        })
    }

    /// The model that `expr` is, where it is one of a row.
    pub fn model_element(&mut self, expr: &Expr) -> Option<Lowering<(Place, &'a Type)>> {
        let place = match self.is_element(expr) {
            true => self.element(expr)?,
            false => return None,
        };
        let item = self.model.item;
        match place {
            Ok(place) => match &item.fields[place.field].decl {
                FieldDecl::Array(ty, _) => Some(Ok((place, ty))),
                _ => None,
            },
            Err(poison) => Some(Err(poison)),
        }
    }

    /// A call of all models of a row, each by itself.
    pub fn call_models(
        &mut self,
        field: usize,
        (ty, count): (&Type, &Expr),
        function: &Ident,
        mut values: Vec<super::ValueId>,
        expected: &[TypeExpr],
    ) -> Lowering<Lowered> {
        let name = self.model.item.fields[field].name.clone();
        let count = self.models(&name, count)?;
        let mut made = Lowered::Tuple(Vec::new());
        for element in 0..count {
            let place = Place { field, element: Some(element) };
            let expected = if element + 1 == count { expected } else { &[] };
            made = self.call_model(place, ty, None, function, &values, expected)?;
            if let (Lowered::Value(y), Some(x)) = (&made, values.first_mut()) {
                *x = *y;
            } else if element + 1 < count {
                let text = format!("`{name}` makes several results, which the next does not take");
                let error = Diagnostic::new(function.span(), text);
                let help = format!("write `for model in self.{name} {{ … }}`");
                return Err(self.model.report(error.help(help)));
            }
        }
        Ok(made)
    }

    /// A call of one layer or model, or of a row of layers one behind the other.
    pub fn call_layer(
        &mut self,
        place: Place,
        span: Span,
        args: Vec<Arg>,
        expected: &[TypeExpr],
    ) -> Lowering<Lowered> {
        let item = self.model.item;
        let (decl, count) = match &item.fields[place.field].decl {
            FieldDecl::Layer(decl) => (decl, None),
            FieldDecl::Layers(decl, count) => (decl, Some(*count)),
            FieldDecl::Array(ty, _) => {
                let values = self.arg_values(&args)?;
                let function = Ident::new("forward", span);
                return self.call_model(place, ty, None, &function, &values, expected);
            }
            _ => panic!("bug: a layer is called that is none"),
        };
        let has_options = layers::has_options(&decl.path);
        let is_option = |arg: &Arg| has_options && matches!(arg, Arg::Named(..));
        let (options, args): (Vec<_>, Vec<_>) = args.into_iter().partition(is_option);
        // Of an option in the call of a layer that has none, `arg_values` says where it stands.
        let named = args.iter().any(|arg| matches!(arg, Arg::Named(..)));
        let name = self.called(place);
        let wrong = layers::wrong_count(&decl.path, &name, span, args.len());
        if let Some(error) = wrong.filter(|_| !named) {
            return Err(self.model.report(error));
        }
        let mut values = self.arg_values(&args)?;
        self.argument = match args.first() {
            Some(Arg::Value(value)) => Some(value.clone()),
            _ => None,
        };
        let all = match (place.element, count) {
            (None, Some(count)) => 0..count,
            (element, _) => element.unwrap_or(0)..element.unwrap_or(0) + 1,
        };
        let mut made = Lowered::Tuple(Vec::new());
        for element in all {
            let place = Place { element: count.map(|_| element), ..place };
            made = self.call_one(place, span, decl, &values, options.clone())?;
            match (&made, values.first_mut()) {
                (Lowered::Value(y), Some(x)) => *x = *y,
                _ if count.is_some_and(|count| place.element != Some(count - 1)) => {
                    let name = &item.fields[place.field].name;
                    let text =
                        format!("`{name}` makes several results, which the next does not take");
                    let help = format!("write `for layer in self.{name} {{ … }}`");
                    return Err(self.model.report(Diagnostic::new(span, text).help(help)));
                }
                _ => {}
            }
        }
        Ok(made)
    }

    fn call_one(
        &mut self,
        place: Place,
        span: Span,
        decl: &LayerDecl,
        values: &[super::ValueId],
        options: Vec<Arg>,
    ) -> Lowering<Lowered> {
        let name = self.called(place);
        self.step(&name, span);
        if self.model.broken_fields.contains(&place.field) {
            return Err(Poison);
        }
        self.seen.layer = Some((place.field, span));
        let results = layers::apply(self, place, decl, values, options);
        self.seen.layer = None;
        let results = results.inspect_err(|Poison| {
            self.model.broken_fields.insert(place.field);
        })?;
        for value in &results {
            self.made(*value, &name, Some(values[0]));
        }
        Ok(match results[..] {
            [one] => Lowered::Value(one),
            _ => Lowered::Tuple(results),
        })
    }

    /// `fc`, `fc[1]`
    pub fn called(&self, place: Place) -> String {
        let name = &self.model.item.fields[place.field].name;
        match place.element {
            Some(element) => format!("{name}[{element}]"),
            None => name.to_string(),
        }
    }

    /// `fc[1]` as a value.
    pub fn no_value(&mut self, place: Place, expr: &Expr) -> Poison {
        let name = self.called(place);
        let what = match self.model.item.fields[place.field].decl {
            FieldDecl::Array(..) => "model",
            _ => "layer",
        };
        let error = Diagnostic::over(expr, format!("`{name}` is a {what}, not a value"));
        self.model.report(error.help(format!("call it: `self.{name}(x)`")))
    }
}

/// The rows of models of which one is named alone somewhere: these have their parameters apart.
pub fn named_alone(item: &ModelItem) -> HashSet<usize> {
    let mut names = HashSet::new();
    item.functions.iter().for_each(|function| in_statements(&function.body, &mut names));
    let rows = item.fields.iter().enumerate();
    let rows = rows.filter(|(_, field)| matches!(field.decl, FieldDecl::Array(..)));
    rows.filter(|(_, field)| names.contains(&field.name.to_string())).map(|(at, _)| at).collect()
}

fn in_statements(statements: &[Stmt], names: &mut HashSet<String>) {
    for statement in statements {
        match statement {
            Stmt::Let { value, .. } | Stmt::Assign { value, .. } => match value {
                Value::Expr(expr) => in_tokens(expr.to_token_stream(), false, names),
                Value::If(choice) => {
                    in_statements(&choice.then, names);
                    in_statements(&choice.otherwise, names);
                }
            },
            Stmt::For(each) => {
                in_tokens(each.over.to_token_stream(), true, names);
                in_statements(&each.body, names);
            }
            Stmt::If(choice) => {
                in_statements(&choice.then, names);
                in_statements(&choice.otherwise, names);
            }
            Stmt::Allow(_, stmt) => in_statements(std::slice::from_ref(stmt), names),
            Stmt::Tail(expr) | Stmt::Reveal(expr) => {
                in_tokens(expr.to_token_stream(), false, names)
            }
            Stmt::Broken { .. } => {}
        }
    }
}

/// `self.blocks[…]`; where `all`, `self.blocks` as well.
fn in_tokens(tokens: TokenStream, all: bool, names: &mut HashSet<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => in_tokens(group.stream(), all, names),
            TokenTree::Ident(ident) if ident == "self" => {
                let Some(TokenTree::Ident(name)) = tokens.get(at + 2) else { continue };
                let is_index = matches!(
                    tokens.get(at + 3),
                    Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket
                );
                if all || is_index {
                    names.insert(name.to_string());
                }
            }
            _ => {}
        }
    }
}

/// A number that is written as one.
pub fn number(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Paren(inner) => number(&inner.expr),
        Expr::Lit(lit) => match &lit.lit {
            Lit::Int(number) => number.base10_parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// The layer and the name of `self.fc.weight`, `self.fc[1].weight`, `fc.weight`.
pub(super) fn tensor_of(field: &syn::ExprField) -> Option<(&Expr, Vec<Ident>)> {
    let mut names = Vec::new();
    let mut next = field;
    loop {
        let Member::Named(name) = &next.member else { return None };
        names.push(name.clone());
        match &*next.base {
            Expr::Field(inner) if is_self(&inner.base) => {
                names.reverse();
                return Some((&*next.base, names));
            }
            Expr::Field(inner) => next = inner,
            base @ (Expr::Index(_) | Expr::Path(_)) if !is_self(base) => {
                names.reverse();
                return Some((base, names));
            }
            _ => return None,
        }
    }
}
