//! Calls of layers, of the model's own functions and of other models.

use std::collections::HashMap;

use proc_macro2::Ident;
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{Expr, Token, Type};

use super::expr::{Lowered, is_self};
use super::work::CALL;
use super::{FnCx, Item, Lowering, Poison, dim, text_of};
use crate::diagnostics::{Diagnostic, counted, list};
use crate::dim::{Dim, Shape};
use crate::graph::{Asked, Callee, Kind, Reach, Source, Ty, ValueId};
use crate::layers::{self, Place};
use crate::ops::call::Call;
use crate::syntax::{Arg, FieldDecl, Function, TypeExpr};

impl<'a> FnCx<'a, '_> {
    /// `self.fc1(x)`, `self.encode(x)`
    pub fn self_call(
        &mut self,
        name: &Ident,
        args: Vec<Arg>,
        expected: &[TypeExpr],
    ) -> Lowering<Lowered> {
        if self.model.ambiguous.contains(&name.to_string()) {
            return Err(Poison);
        }
        if let Some(function) = self.model.function(&name.to_string()) {
            self.model.mention_function(name, function);
            return self.inline(name, function, args);
        }
        let Some(index) = self.model.field(&name.to_string()) else {
            return Err(self.unknown_member(name));
        };
        self.model.mention_field(name, index);
        let item = self.model.item;
        match &item.fields[index].decl {
            FieldDecl::Layer(layer) if layers::is_value(&layer.path) => {
                let what = if layers::is_buffer(&layer.path) { "buffer" } else { "parameter" };
                let text = format!("`{name}` is a {what}, not a function");
                let help = format!("use its value: `self.{name}`");
                Err(self.model.report(Diagnostic::new(name.span(), text).help(help)))
            }
            FieldDecl::Layer(_) | FieldDecl::Layers(..) => {
                self.call_layer(Place { field: index, element: None }, name.span(), args, expected)
            }
            FieldDecl::Broken => Err(Poison),
            FieldDecl::Model(ty) => {
                let values = self.arg_values(&args)?;
                let method = Ident::new("forward", name.span());
                let place = Place { field: index, element: None };
                self.call_model(place, ty, None, &method, &values, expected)
            }
            FieldDecl::Array(ty, count) if self.model.named_alone.contains(&index) => {
                let values = self.arg_values(&args)?;
                let method = Ident::new("forward", name.span());
                self.call_models(index, (ty, count), &method, values, expected)
            }
            FieldDecl::Array(ty, count) => {
                let scope = super::Scope { run_time: false, ..self.scope() };
                let (span, count) = (syn::spanned::Spanned::span(count), dim(count, &scope));
                let count = self.ok(count)?;
                let count = self.at_least(count, 1, "the number of models in a row", span)?;
                let values = self.arg_values(&args)?;
                let method = Ident::new("forward", name.span());
                let place = Place { field: index, element: None };
                self.call_model(place, ty, Some(count), &method, &values, &[])
            }
        }
    }

    /// The model `self.encoder`, of which `self.encoder.encode(x)` calls a function.
    pub fn nested_model(&self, receiver: &Expr) -> Option<(usize, &'a Type)> {
        let Expr::Field(field) = receiver else { return None };
        let syn::Member::Named(name) = &field.member else { return None };
        let index = self.model.field(&name.to_string()).filter(|_| is_self(&field.base))?;
        let item = self.model.item;
        match &item.fields[index].decl {
            FieldDecl::Model(ty) => Some((index, ty)),
            _ => None,
        }
    }

    pub fn arg_values(&mut self, args: &[Arg]) -> Lowering<Vec<ValueId>> {
        let lowered: Vec<_> = args
            .iter()
            .map(|arg| match arg {
                Arg::Value(expr) => self.one(expr),
                Arg::Named(name, _) => {
                    let text = format!("no option `{name}` in a call of a layer or model");
                    let error = Diagnostic::new(name.span(), text);
                    Err(self.model.report(error.help("options stand where the layer is declared")))
                }
                Arg::Sizes(from, _) => {
                    Err(self.model.report(Diagnostic::over(from, "no sizes in a call")))
                }
            })
            .collect();
        lowered.into_iter().collect()
    }

    /// A call of the model's own function: its body in place.
    fn inline(
        &mut self,
        name: &Ident,
        function: &'a Function,
        args: Vec<Arg>,
    ) -> Lowering<Lowered> {
        let key = name.to_string();
        if self.model.endless.contains(&key) {
            return Err(Poison);
        }
        if let Some(at) = self.inlining.iter().position(|open| *open == key) {
            let way: Vec<_> = self.inlining[at + 1..].to_vec();
            let text = match way.is_empty() {
                true => format!("`{name}` calls itself"),
                false => format!("`{name}` calls itself, by way of {}", list(&way)),
            };
            self.model.endless.extend(way.into_iter().chain([key]));
            let help = "calls are written out in place: let one of them end in layers";
            return Err(self.model.report(Diagnostic::new(name.span(), text).help(help)));
        }
        if function.trains.is_some() {
            let text = format!(
                "`{name}` says what it trains, so its gradient is not one of a function that calls it"
            );
            let help = "put what both compute into a function without `#[trains(…)]`";
            return Err(self.model.report(Diagnostic::new(name.span(), text).help(help)));
        }
        let values = self.arg_values(&args)?;
        self.enter(CALL, name.span())?;
        self.depth -= CALL;
        if values.len() != function.args.len() {
            let inputs = counted(function.args.len(), "input");
            let this = ["&self".to_string()].into_iter();
            let args: Vec<_> = this.chain(function.args.iter().map(ToString::to_string)).collect();
            let text = format!("`{name}` takes {inputs}, but receives {}", values.len());
            let help = format!("it is declared as `fn {name}({})`", args.join(", "));
            return Err(self.model.report(Diagnostic::new(name.span(), text).help(help)));
        }
        let mut names = HashMap::new();
        let mut sizes = HashMap::new();
        for (arg, value) in function.args.iter().zip(&values) {
            for (size, actual) in arg.ty.dims.iter().zip(self.graph.ty(*value).dims()) {
                if let Expr::Path(path) = size
                    && let Some(size) = path.path.get_ident().map(ToString::to_string)
                    && crate::names::is_run_time_name(&size)
                {
                    sizes.entry(size).or_insert_with(|| actual.clone());
                }
            }
            names.insert(arg.name.to_string(), Item::Value(*value));
        }
        let names = std::mem::replace(&mut self.names, names);
        let scopes = std::mem::take(&mut self.scopes);
        let sizes = std::mem::replace(&mut self.sizes, sizes);
        self.inlining.push(key.clone());
        self.depth += CALL;
        let result = self.inline_body(name, function, &values);
        self.depth -= CALL;
        self.inlining.pop();
        self.names = names;
        self.scopes = scopes;
        self.sizes = sizes;
        let results = result?;
        Ok(match results.as_slice() {
            [one] => Lowered::Value(*one),
            _ => Lowered::Tuple(results),
        })
    }

    fn inline_body(
        &mut self,
        name: &Ident,
        function: &'a Function,
        values: &[ValueId],
    ) -> Lowering<Vec<ValueId>> {
        for (arg, value) in function.args.iter().zip(values) {
            let declared = self.ty(&arg.ty)?;
            let found = self.graph.ty(*value).clone();
            self.step(&name.to_string(), name.span());
            let fits = declared.kind == found.kind
                && self.rule.equal_shapes(&declared.shape, &found.shape);
            if !fits {
                let text =
                    format!("`{name}` expects {declared} as `{}`, but receives {found}", arg.name);
                let error = Diagnostic::new(name.span(), text)
                    .note(format!("shapes: {} → {name} ✗", self.trail(*value)));
                return Err(self.model.report(error.follows(&name.to_string())));
            }
        }
        let outside = self.seen.allow;
        self.seen.allow = outside.and(function.allow);
        let made = self.body(function);
        self.seen.allow = outside;
        // What calls it would say the same once more.
        match self.model.misdeclared.contains(&name.to_string()) {
            true => Err(Poison),
            false => made,
        }
    }

    /// A call of another model. The results of one in the same `model!` follow from its
    /// declaration. Those of any other are not visible from here: they are what the place of the
    /// call states, or else taken to have the shape of the input; rustc checks it.
    pub fn call_model(
        &mut self,
        place: Place,
        ty: &Type,
        count: Option<Dim>,
        function: &Ident,
        values: &[ValueId],
        expected: &[TypeExpr],
    ) -> Lowering<Lowered> {
        let model = ty.to_token_stream();
        let name = self.called(place);
        let span = match place.element {
            Some(_) => function.span(),
            None => self.model.item.fields[place.field].name.span(),
        };
        self.step(&name, span);
        let args: Vec<Ty> = values.iter().map(|v| self.graph.ty(*v).clone()).collect();
        let known = match count {
            None => self.sibling_results(&name, ty, function, &args, values)?,
            Some(_) => None,
        };
        // A function without inputs states what it returns.
        if args.is_empty() && known.is_none() && (expected.is_empty() || count.is_some()) {
            let text = format!("`{name}` receives no input");
            let error = Diagnostic::new(function.span(), text);
            let help = match function == "forward" {
                true => format!("write `self.{name}(x)`"),
                false => format!(
                    "write `self.{name}.{function}(x)`, or of a function without inputs what it \
                    returns: `let y: [] = self.{name}.{function}();`"
                ),
            };
            return Err(self.model.report(error.help(help)));
        }
        let (is_known, is_stated) = (known.is_some(), !expected.is_empty());
        let results = match known {
            Some(results) => results,
            None if expected.is_empty() => vec![args[0].clone()],
            None => expected.iter().map(|written| self.ty(written)).collect::<Lowering<_>>()?,
        };
        self.step(&name, span);
        let callee = Callee {
            id: self.calls,
            text: text_of(&model),
            model,
            function: function.clone(),
            count: count.clone(),
            args,
            results,
            is_known,
            is_step: false,
            scans: None,
            frozen: self.is_frozen(place.field),
            asked: Asked { trains: true, reach: Reach::Params },
        };
        self.calls += 1;
        let (params, state, state_value) = self.callee_tensors(place, &callee);
        let inputs: Vec<_> = [params, state_value].iter().chain(values).copied().collect();
        let results = callee.results.len();
        let outputs = self.ops(Call::new(callee), &inputs)?;
        self.state.insert(state, *outputs.last().expect("the new state is the last output"));
        for y in &outputs[..results] {
            self.made(*y, &name, values.first().copied());
        }
        if !is_known && !is_stated && count.is_none() {
            let called = match function == "forward" {
                true => name,
                false => format!("{name}.{function}"),
            };
            self.assumed.insert(outputs[0], called);
        }
        Ok(match outputs[..results] {
            [one] => Lowered::Value(one),
            _ => Lowered::Tuple(outputs[..results].to_vec()),
        })
    }

    /// The parameters and the state of a model that is called: both values, and the index of the
    /// state.
    pub fn callee_tensors(&mut self, place: Place, callee: &Callee) -> (ValueId, usize, ValueId) {
        let field = place.field;
        // One of a row is called by its number, in files too.
        let name = place.element.map(|element| element.to_string()).unwrap_or_default();
        let (model, count) = (&callee.model, &callee.count);
        let size = callee.params().times(&count.clone().unwrap_or(Dim::lit(1)));
        let param = super::Param {
            name: name.clone(),
            shape: crate::dim::Shape(vec![size]),
            init: super::ParamInit::Nested { model: model.clone(), count: count.clone() },
            tied: Vec::new(),
        };
        let params = self.field_param(field, param);
        let size = callee.state().times(&count.clone().unwrap_or(Dim::lit(1)));
        let state = super::State {
            name,
            shape: crate::dim::Shape(vec![size]),
            init: super::StateInit::Nested { model: model.clone(), count: count.clone() },
        };
        let (state, state_value) = self.field_state(field, state);
        (params, state, state_value)
    }

    /// Whether the parameters of a field are held fixed.
    pub fn is_frozen(&self, field: usize) -> bool {
        self.model.item.fields[field].frozen.is_some()
    }

    /// The value of a field's parameter.
    pub fn field_param(&mut self, field: usize, param: super::Param) -> ValueId {
        let label = self.label(field, &param.name);
        let ty = Ty { shape: param.shape.clone(), kind: Kind::Float };
        let index = self.model.param_index(field, param);
        let is_left_out = self.only.as_ref().is_some_and(|only| !only.contains(&field));
        if is_left_out || self.is_frozen(field) {
            self.graph.frozen.insert(index);
        }
        let known = self.model.params[index].1.shape.clone();
        self.same_at_each_use(&label, &known, &ty.shape);
        self.graph.given(Source::Param(index), ty, &label)
    }

    /// A layer that takes its size from its input has the size of the first: others must have it,
    /// too.
    fn same_at_each_use(&mut self, label: &str, known: &Shape, here: &Shape) {
        if self.rule.equal_shapes(known, here) || !self.model.diagnostics.is_empty() {
            return;
        }
        let text = format!("`{label}` is {known} by its first use, but has to be {here} here");
        let error = Diagnostic::new(self.rule.span, text);
        self.model.report(error.help("inputs of other sizes need a layer of their own"));
    }

    /// A tensor of a field's state: its index, under which a layer notes its new value, and the
    /// value that it has here.
    pub fn field_state(&mut self, field: usize, state: super::State) -> (usize, ValueId) {
        let label = self.label(field, &state.name);
        let ty = Ty { shape: state.shape.clone(), kind: Kind::State };
        let index = self.model.state_index(field, state);
        let known = self.model.state[index].1.shape.clone();
        self.same_at_each_use(&label, &known, &ty.shape);
        let first = self.graph.given(Source::State(index), ty, &label);
        (index, self.state.get(&index).copied().unwrap_or(first))
    }

    /// The value of a buffer, which no pass changes.
    pub fn field_buffer(&mut self, field: usize, buffer: super::State) -> ValueId {
        let label = self.label(field, "");
        let ty = Ty { shape: buffer.shape.clone(), kind: Kind::Float };
        let index = self.model.state_index(field, buffer);
        self.graph.given(Source::State(index), ty, &label)
    }

    /// `fc1.weight`
    fn label(&self, field: usize, tensor: &str) -> String {
        let owner = &self.model.item.fields[field].name;
        match tensor {
            "" => owner.to_string(),
            name => format!("{owner}.{name}"),
        }
    }
}

/// `logits, label, label_smoothing = 0.1`
pub fn call_args(args: &Punctuated<Expr, Token![,]>) -> Vec<Arg> {
    args.iter()
        .map(|arg| match arg {
            Expr::Assign(assign) => match &*assign.left {
                Expr::Path(path) if path.path.get_ident().is_some() => Arg::Named(
                    path.path.get_ident().expect("checked").clone(),
                    (*assign.right).clone(),
                ),
                _ => Arg::Value(arg.clone()),
            },
            other => Arg::Value(other.clone()),
        })
        .collect()
}
