//! Layers in rows, `fc: [Linear(64 -> 64); 3]`: which layer an expression names, and calls of it.

use proc_macro2::{Ident, Span};
use syn::{Expr, ExprIndex, Member};

use super::expr::{Lowered, is_self};
use super::{FnCx, Item, Lowering, Poison};
use crate::diagnostics::Diagnostic;
use crate::layers::{self, Place};
use crate::syntax::{Arg, FieldDecl, LayerDecl};

impl<'a> FnCx<'a, '_> {
    /// The field and the number of its layers, where `expr` is a row of them.
    pub fn row(&mut self, expr: &Expr) -> Option<Lowering<(usize, usize)>> {
        let Expr::Field(field) = expr else { return None };
        let Member::Named(name) = &field.member else { return None };
        let at = self.model.field(&name.to_string()).filter(|_| is_self(&field.base))?;
        match &self.model.item.fields[at].decl {
            FieldDecl::Layers(_, count) => Some(Ok((at, *count))),
            FieldDecl::Array(..) => {
                let text = format!("no loop goes over `{name}`, a row of models");
                let error = Diagnostic::new(name.span(), text);
                let help = format!("it is called as a whole: `self.{name}(x)`");
                Some(Err(self.model.report(error.help(help))))
            }
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
        let count = match &self.model.item.fields[at].decl {
            FieldDecl::Layers(_, count) => *count,
            FieldDecl::Array(..) => {
                let text = format!("`{name}` is a row of models, of which none is called alone");
                let error = Diagnostic::over(index, text);
                let help = format!("call all: `self.{name}(x)`");
                return Some(Err(self.model.report(error.help(help))));
            }
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
                let text = format!("`{name}` has {count} layers, and none at {element}");
                let help = format!("the indices here are 0 to {}", count - 1);
                Err(self.model.report(Diagnostic::over(&index.index, text).help(help)))
            }
        });
        Some(place)
    }

    /// A call of one layer, or of a row of layers one behind the other.
    pub fn call_layer(&mut self, place: Place, span: Span, args: Vec<Arg>) -> Lowering<Lowered> {
        let item = self.model.item;
        let (decl, count) = match &item.fields[place.field].decl {
            FieldDecl::Layer(decl) => (decl, None),
            FieldDecl::Layers(decl, count) => (decl, Some(*count)),
            _ => panic!("bug: a layer is called that is none"),
        };
        let has_options = layers::has_options(&decl.path);
        let is_option = |arg: &Arg| has_options && matches!(arg, Arg::Named(..));
        let (options, args): (Vec<_>, Vec<_>) = args.into_iter().partition(is_option);
        let mut values = self.arg_values(&args)?;
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
        let results = layers::apply(self, place, decl, values, options);
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
        let error = Diagnostic::over(expr, format!("`{name}` is a layer, not a value"));
        self.model.report(error.help(format!("call it: `self.{name}(x)`")))
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
