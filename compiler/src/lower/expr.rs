//! Expressions of a function's body.

use proc_macro2::{Ident, Span};
use syn::spanned::Spanned;
use syn::{BinOp, Expr, ExprField, Member, UnOp};

use super::call::call_args;
use super::foreign::is_function;
use super::rows::tensor_of;
use super::{FnCx, Item, Lowering, Poison, Range, methods, text_of};
use crate::diagnostics::{Diagnostic, nearest};
use crate::graph::{Kind, ValueId};
use crate::layers::{self, Place};
use crate::ops::elementwise::{Constant, Elementwise};
use crate::syntax::{FieldDecl, TypeExpr, is_reveal};

/// What an expression is.
#[derive(Debug, Clone)]
pub enum Lowered {
    Value(ValueId),
    Tuple(Vec<ValueId>),
    Number(Constant),
}

impl FnCx<'_, '_> {
    /// A number becomes a value of shape `[]`.
    pub fn value(&mut self, lowered: Lowered, span: Span) -> Lowering<ValueId> {
        match lowered {
            Lowered::Value(value) => Ok(value),
            Lowered::Number(constant) => self.op(Elementwise::constant(constant), &[]),
            Lowered::Tuple(values) => {
                let text = format!("expected one value, found a tuple of {}", values.len());
                Err(self.model.report(Diagnostic::new(span, text)))
            }
        }
    }

    pub fn values(&mut self, lowered: Lowered) -> Lowering<Vec<ValueId>> {
        match lowered {
            Lowered::Tuple(values) => Ok(values),
            other => Ok(vec![self.value(other, Span::call_site())?]),
        }
    }

    pub fn one(&mut self, expr: &Expr) -> Lowering<ValueId> {
        let lowered = self.expr(expr, &[])?;
        self.value(lowered, expr.span())
    }

    /// `expected` are the shapes that the place of the expression states, if it states any.
    pub fn expr(&mut self, expr: &Expr, expected: &[TypeExpr]) -> Lowering<Lowered> {
        self.enter(1, expr.span())?;
        let lowered = self.lowered(expr, expected);
        self.depth -= 1;
        lowered
    }

    fn lowered(&mut self, expr: &Expr, expected: &[TypeExpr]) -> Lowering<Lowered> {
        match expr {
            Expr::Paren(inner) => self.expr(&inner.expr, expected),
            Expr::Group(inner) => self.expr(&inner.expr, expected),
            Expr::Reference(inner) => self.expr(&inner.expr, expected),
            Expr::Path(path) => match path.path.get_ident() {
                Some(name) if self.names.contains_key(&name.to_string()) => self.name(name),
                _ => {
                    if let Some(array) = self.array(path, expected)? {
                        return Ok(Lowered::Value(array));
                    }
                    match self.constant(expr)? {
                        Some(constant) => self.number(constant, expr),
                        None => Err(self.unknown_name(expr)),
                    }
                }
            },
            Expr::Lit(_) | Expr::Cast(_) => match self.constant(expr)? {
                Some(constant) => self.number(constant, expr),
                None => Err(self.unsupported(expr)),
            },
            Expr::Tuple(tuple) => {
                let is_stated = expected.len() == tuple.elems.len();
                let element = |(i, element): (usize, &Expr)| {
                    let expected = if is_stated { &expected[i..=i] } else { &[] };
                    let lowered = self.expr(element, expected)?;
                    self.value(lowered, element.span())
                };
                let values: Lowering<Vec<_>> =
                    tuple.elems.iter().enumerate().map(element).collect();
                values.map(Lowered::Tuple)
            }
            Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => {
                if let Some(constant) = self.constant(expr)? {
                    return self.number(constant, expr);
                }
                let x = self.one(&unary.expr)?;
                self.step("-", unary.op.span());
                let y = self.op(Elementwise::new("neg"), &[x])?;
                self.made(y, "neg", Some(x));
                Ok(Lowered::Value(y))
            }
            Expr::Binary(binary) => self.binary(binary),
            Expr::Field(field) => self.field_value(field),
            Expr::MethodCall(call) if is_self(&call.receiver) && call.turbofish.is_none() => {
                let args = call_args(&call.args);
                self.self_call(&call.method, args, expected)
            }
            Expr::MethodCall(call) if self.nested_model(&call.receiver).is_some() => {
                let (field, ty) = self.nested_model(&call.receiver).expect("just found");
                if let Expr::Field(ExprField { member: Member::Named(name), .. }) = &*call.receiver
                {
                    self.model.mention_field(name, field);
                }
                let values = self.arg_values(&call_args(&call.args))?;
                let place = Place { field, element: None };
                self.call_model(place, ty, None, &call.method, &values, expected)
            }
            Expr::MethodCall(call) if self.is_element(&call.receiver) => {
                let Some(element) = self.model_element(&call.receiver) else {
                    let place = self.element(&call.receiver).expect("just found")?;
                    return Err(self.no_value(place, &call.receiver));
                };
                let (place, ty) = element?;
                let values = self.arg_values(&call_args(&call.args))?;
                self.call_model(place, ty, None, &call.method, &values, expected)
            }
            Expr::MethodCall(call) if self.is_module(&call.receiver) => self.call_in_module(call),
            Expr::MethodCall(call) if call.turbofish.is_some() => Err(self.has_turbofish(call)),
            Expr::MethodCall(call) => {
                if let Some(constant) = self.constant(expr)? {
                    return self.number(constant, expr);
                }
                if let Some(poison) = self.unknown_method(call) {
                    // A chain reports its other mistakes as well.
                    if matches!(&*call.receiver, Expr::MethodCall(_) | Expr::Call(_)) {
                        let _ = self.expr(&call.receiver, &[]);
                    }
                    return Err(poison);
                }
                let x = self.expr(&call.receiver, &[])?;
                let x = self.value(x, call.receiver.span())?;
                let args = call_args(&call.args);
                self.method(x, &call.method, args).map(Lowered::Value)
            }
            Expr::Macro(call) if is_reveal(expr) => self.reveal(&call.mac, expected),
            Expr::Index(_) if self.is_element(expr) => {
                let place = self.element(expr).expect("just found")?;
                Err(self.no_value(place, expr))
            }
            Expr::Call(call) if self.is_element(&call.func) => {
                let place = self.element(&call.func).expect("just found")?;
                self.call_layer(place, call.func.span(), call_args(&call.args), expected)
            }
            Expr::Call(call) => match &*call.func {
                Expr::Path(path) if path.path.get_ident().is_some() => {
                    let name = path.path.get_ident().expect("checked").clone();
                    self.free_call(&name, call_args(&call.args)).map(|values| {
                        match values.as_slice() {
                            [one] => Lowered::Value(*one),
                            _ => Lowered::Tuple(values),
                        }
                    })
                }
                Expr::Field(field) if is_self(&field.base) => {
                    // `(self.fc1)(x)` and `self.fc1(x)` mean the same here.
                    let syn::Member::Named(name) = &field.member else {
                        return Err(self.unsupported(expr));
                    };
                    self.self_call(&name.clone(), call_args(&call.args), expected)
                }
                Expr::Path(path) => self.call_of_path(path, call_args(&call.args), expected),
                other => Err(self.call_of_value(call, other)),
            },
            other => Err(self.unsupported(other)),
        }
    }

    fn number(&mut self, constant: Constant, expr: &Expr) -> Lowering<Lowered> {
        self.in_range(constant, expr, None, Range::Any).map(Lowered::Number)
    }

    fn name(&mut self, name: &Ident) -> Lowering<Lowered> {
        if let Item::Value(value) = self.names[&name.to_string()] {
            self.mention_value(name, value);
        }
        match &self.names[&name.to_string()] {
            Item::Value(value) => Ok(Lowered::Value(*value)),
            Item::Tuple(values) => Ok(Lowered::Tuple(values.clone())),
            Item::Number(number) => Ok(Lowered::Number(Constant::Literal(*number as f64))),
            Item::Layer(field, at) => {
                let place = Place { field: *field, element: Some(*at) };
                let text = format!("`{name}` is the layer `{}`, not a value", self.called(place));
                let error = Diagnostic::new(name.span(), text);
                Err(self.model.report(error.help(format!("call it: `{name}(x)`"))))
            }
            Item::Poison => Err(Poison),
        }
    }

    pub fn unknown_name(&mut self, expr: &Expr) -> Poison {
        let name = text_of(expr);
        let mut error = Diagnostic::over(expr, format!("no value is named `{name}`"));
        if self.model.field(&name).is_some() {
            error = error.help(format!("the layer is `self.{name}`"));
        } else if let Some(near) = self.near_name(&name) {
            error = error.did_you_mean(expr, near);
        }
        self.model.report(error)
    }

    /// `self::fc1(x)`, `F::relu(x)`: what a body calls has no path.
    fn call_of_path(
        &mut self,
        path: &syn::ExprPath,
        args: Vec<crate::syntax::Arg>,
        expected: &[TypeExpr],
    ) -> Lowering<Lowered> {
        let segments: Vec<_> = path.path.segments.iter().map(|segment| &segment.ident).collect();
        let last = (*segments.last().expect("a path has segments")).clone();
        let first = segments[0].to_string();
        let model = self.model.item.header.as_ref().is_some_and(|header| header.name == first);
        let error = Diagnostic::over(path, "a body calls functions by their names alone");
        if first == "self" || first == "Self" || model {
            let error = error.write(path, format!("self.{last}"));
            self.model.report(error);
            // `Self::forward(self, x)`
            let is_this = |arg: &crate::syntax::Arg| matches!(arg, crate::syntax::Arg::Value(value) if is_self(value));
            let args = args.into_iter().filter(|arg| !is_this(arg)).collect();
            return self.self_call(&last, args, expected);
        }
        if self.is_module(&Expr::Path(path.clone())) {
            let mut module = path.path.clone();
            module.segments.pop();
            return self.of_module(quote::ToTokens::to_token_stream(&module), &last, args);
        }
        Err(self.model.report(error.write(path, last.to_string())))
    }

    fn unsupported(&mut self, expr: &Expr) -> Poison {
        match self.around_a_value(expr) {
            Some(poison) => poison,
            None => self.report_unsupported(expr),
        }
    }

    pub fn report_unsupported(&mut self, expr: &Expr) -> Poison {
        let what = match expr {
            Expr::ForLoop(_) | Expr::While(_) | Expr::Loop(_) => {
                let error = Diagnostic::over(expr, "no loop has an end that the macro knows here");
                let help = "write `for i in 0..3 { … }`, or `for fc in self.fc { … }` with \
                    `fc: [Linear(64 -> 64); 3]`";
                return self.model.report(error.help(help));
            }
            Expr::If(_) => {
                let error = Diagnostic::over(expr, "an `if` is a value of its own");
                return self.model.report(error.help("write `let y = if i > 0 { a } else { b };`"));
            }
            Expr::Match(_) => "a body has no `match`: its shapes are fixed",
            Expr::Macro(_) => "a body calls no macros but `reveal!`",
            Expr::Closure(_) => "a body has no closures",
            _ => "this is not part of the language of models",
        };
        let help = "a body has `let`, method calls, functions, `self.layer(x)` and + - * /";
        self.model.report(Diagnostic::over(expr, what).help(help))
    }

    fn binary(&mut self, binary: &syn::ExprBinary) -> Lowering<Lowered> {
        if let Some(poison) = self.power_of_value(binary) {
            return Err(poison);
        }
        let func = match binary.op {
            BinOp::Add(_) => "add",
            BinOp::Sub(_) => "sub",
            BinOp::Mul(_) => "mul",
            BinOp::Div(_) => "div",
            _ => return Err(self.foreign_operator(binary)),
        };
        // Both sides first, so that each reports its own mistakes.
        let (left, right) = (self.expr(&binary.left, &[]), self.expr(&binary.right, &[]));
        let (left, right) = (left?, right?);
        if let (Lowered::Number(_), Lowered::Number(_)) = (&left, &right) {
            let whole = Expr::Binary(binary.clone());
            return match self.constant(&whole)? {
                Some(constant) => self.number(constant, &whole),
                None => Err(self.unsupported(&whole)),
            };
        }
        let symbol = text_of(&binary.op);
        self.step(&symbol, binary.op.span());
        let a = self.value(left, binary.left.span())?;
        let b = self.value(right, binary.right.span())?;
        self.floats(&[a, b])?;
        self.step(&symbol, binary.op.span());
        let y = self.op(Elementwise::new(func), &[a, b])?;
        let from = if self.graph.values[a].label.is_empty() { b } else { a };
        self.made(y, &symbol, Some(from));
        Ok(Lowered::Value(y))
    }

    /// Class indices are not numbers to compute with.
    pub fn floats(&mut self, values: &[ValueId]) -> Lowering<()> {
        for value in values {
            let value = &self.graph.values[*value];
            if value.ty.kind != Kind::Float {
                let (step, label) = (&self.rule.subject, &value.label);
                let text = format!("`{step}` computes with numbers, but `{label}` is {}", value.ty);
                let error = Diagnostic::new(self.rule.span, text)
                    .help("class indices are the target of `cross_entropy` or `nll_loss`");
                return Err(self.model.report(error));
            }
        }
        Ok(())
    }

    /// `self.position`: a free parameter; `self.fc.weight`: that of a layer.
    fn field_value(&mut self, field: &syn::ExprField) -> Lowering<Lowered> {
        if let Some((layer, tensor)) = tensor_of(field) {
            return self.weight(layer, &tensor, field).map(Lowered::Value);
        }
        let syn::Member::Named(name) = &field.member else {
            let text = "the parts of a tuple have no numbers here";
            let error = Diagnostic::over(field, text).of_all();
            let value = text_of(&field.base);
            let help = format!("give them names: `let (a, b) = {value};`");
            return Err(self.model.report(error.help(help)));
        };
        if !is_self(&field.base) {
            return Err(self.attribute(field, name));
        }
        if self.model.ambiguous.contains(&name.to_string()) {
            return Err(Poison);
        }
        let Some(index) = self.model.field(&name.to_string()) else {
            return Err(self.unknown_member(name));
        };
        self.model.mention_field(name, index);
        match &self.model.item.fields[index].decl {
            FieldDecl::Layer(layer) if layers::is_value(&layer.path) => {
                layers::value(self, index, layer).map(Lowered::Value)
            }
            FieldDecl::Broken => Err(Poison),
            FieldDecl::Layers(..) => {
                let text = format!("`{name}` is a row of layers, not a value");
                let help = format!("call all `self.{name}(x)`, or one: `self.{name}[0](x)`");
                Err(self.model.report(Diagnostic::new(name.span(), text).help(help)))
            }
            _ => {
                let text = format!("`{name}` is a layer, not a value");
                let help = format!("call it: `self.{name}(x)`");
                Err(self.model.report(Diagnostic::new(name.span(), text).help(help)))
            }
        }
    }

    /// `self.fc.weight`, `self.attn.out_proj.weight`, `self.fc[1].weight`, `fc.weight`
    fn weight(
        &mut self,
        layer: &Expr,
        tensor: &[Ident],
        whole: &syn::ExprField,
    ) -> Lowering<ValueId> {
        let names: Vec<_> = tensor.iter().map(ToString::to_string).collect();
        let span = tensor.last().map_or(layer.span(), Ident::span);
        let place = match (self.element(layer), layer) {
            (Some(place), _) => place?,
            (None, Expr::Field(field)) => {
                let syn::Member::Named(name) = &field.member else { return Err(Poison) };
                if self.model.ambiguous.contains(&name.to_string()) {
                    return Err(Poison);
                }
                match self.model.field(&name.to_string()) {
                    Some(field) => {
                        self.model.mention_field(name, field);
                        Place { field, element: None }
                    }
                    None => return Err(self.unknown_member(name)),
                }
            }
            (None, _) => {
                let name = tensor.last().expect("a tensor has a name");
                return Err(self.attribute(whole, name));
            }
        };
        let (item, name) = (self.model.item, self.called(place));
        match &item.fields[place.field].decl {
            FieldDecl::Layer(decl) if layers::is_value(&decl.path) => {
                let what = if layers::is_buffer(&decl.path) { "buffer" } else { "parameter" };
                let text = format!("`{name}` is a {what} itself");
                let help = format!("write `self.{name}`");
                Err(self.model.report(Diagnostic::new(span, text).help(help)))
            }
            FieldDecl::Layers(..) if place.element.is_none() => {
                let text = format!("`{name}` is a row of layers");
                let help = format!("write `self.{name}[0].{}`", names.join("."));
                Err(self.model.report(Diagnostic::new(span, text).help(help)))
            }
            FieldDecl::Layer(decl) | FieldDecl::Layers(decl, _) => {
                self.step(&name, layer.span());
                layers::weight(self, place, decl, &names.join("."), span)
            }
            FieldDecl::Broken => Err(Poison),
            FieldDecl::Model(_) | FieldDecl::Array(..) => {
                let text = format!("`{name}` is a model, whose parameters it alone reads");
                let error = Diagnostic::over(whole, text);
                let help = format!("write a function of `{name}` that uses them");
                Err(self.model.report(error.help(help)))
            }
        }
    }

    pub fn unknown_member(&mut self, name: &Ident) -> Poison {
        // What is declared twice may be it.
        if self.model.item.lost || !self.model.ambiguous.is_empty() {
            return Poison;
        }
        let text = format!("the model has no layer or function `{name}`");
        let fields = self.model.item.fields.iter().map(|f| f.name.to_string());
        let functions = self.model.item.functions.iter().map(|f| f.name.to_string());
        let known: Vec<_> = fields.chain(functions).collect();
        let error = Diagnostic::new(name.span(), text);
        if methods::names().any(|method| name == method) || is_function(&name.to_string()) {
            let error =
                Diagnostic::new(name.span(), format!("`{name}` is a function of any value"));
            return self.model.report(error.help(format!("write `{name}(…)` without `self.`")));
        }
        let error = match nearest(&name.to_string(), known.iter().map(String::as_str)) {
            Some(near) => error.did_you_mean(name, near),
            None => error.help(format!("declare it: `{name}: Linear(784 -> 128)`")),
        };
        self.model.report(error)
    }

    /// The name of a value that is near to another; `self` as well.
    fn near_name(&self, name: &str) -> Option<String> {
        let known = self.names.keys().map(String::as_str).chain(["self"]);
        nearest(name, known).map(str::to_string)
    }
}

pub fn is_self(expr: &Expr) -> bool {
    matches!(expr, Expr::Path(path) if path.path.is_ident("self"))
}
