//! What users see of a model, which stays whatever is wrong with its functions.

use quote::ToTokens;

use super::{FnCx, ModelCx, Poison, dim, with_length};
use crate::declared::{self, Interface};
use crate::diagnostics::Diagnostics;
use crate::dim::Shape;
use crate::facts::Facts;
use crate::graph::{Kind, Ty};
use crate::layers;
use crate::syntax::{Arg, FieldDecl, Function, TypeExpr};

/// The interface of a function, whatever its body is.
pub fn interface<'a>(model: &mut ModelCx<'a>, function: &'a Function, facts: &Facts) -> Interface {
    let default = model.item.header.as_ref().map(|header| header.vis.to_token_stream());
    let vis = function.vis.as_ref().map(ToTokens::to_token_stream).or(default);
    let mut cx = FnCx::new(model);
    cx.declare_sizes(function);
    let args = function
        .args
        .iter()
        .map(|arg| declared::Arg { name: arg.name.clone(), ty: cx.stub_ty(&arg.ty) });
    let mut args: Vec<declared::Arg> = args.collect();
    let mut results: Vec<Ty> = match cx.model.inferred.remove(&function.name.to_string()) {
        Some(results) => results,
        None => function.returns.iter().map(|ty| cx.stub_ty(ty)).collect(),
    };
    let docs = function.attrs.iter().map(ToTokens::to_token_stream).collect();
    let vis = vis.unwrap_or_default();
    let length = |size| dim(size, &super::Scope { run_time: false, ..cx.scope() }).ok();
    let step = function.step.as_ref().and_then(length);
    if let Some(length) = step.as_ref().filter(|_| !facts.is_empty()) {
        let types = args.iter_mut().map(|arg| &mut arg.ty).chain(&mut results);
        types.for_each(|ty| with_length(ty, length, facts));
    }
    Interface { name: function.name.clone(), vis, docs, args, results, step, is_wrong: false }
}

impl FnCx<'_, '_> {
    /// A type that may be wrong: of one that is, the run-time size is kept.
    fn stub_ty(&mut self, ty: &TypeExpr) -> Ty {
        self.ty(ty).unwrap_or_else(|Poison| {
            let any_size = || self.sizes.values().next().cloned();
            let lead = match ty.dims.first() {
                Some(lead) => Some(dim(lead, &self.scope()).ok().or_else(any_size)),
                None => ty.broken.then(any_size),
            };
            let rest = ty.dims.iter().skip(1).map(|size| dim(size, &self.scope()).ok());
            let kind = if ty.classes { Kind::Classes } else { Kind::Float };
            match lead.into_iter().chain(rest).collect::<Option<Vec<_>>>() {
                Some(dims) if !ty.broken => Ty { shape: Shape(dims), kind },
                dims => {
                    let lead = dims.into_iter().flatten().take(1).collect();
                    Ty { shape: Shape(lead), kind: Kind::Unknown }
                }
            }
        })
    }
}

/// Reports what is wrong with the declarations of layers that no function applies: a layer is
/// checked where it stands.
pub fn check_unapplied(model: &mut ModelCx) {
    let mut found = Diagnostics::default();
    for (i, field) in model.item.fields.iter().enumerate() {
        let (FieldDecl::Layer(layer) | FieldDecl::Layers(layer, _)) = &field.decl else { continue };
        // What an axis is depends on the value.
        if layers::has_axis(&layer.path) {
            continue;
        }
        // A weight of another layer is known where that is applied.
        let is_tied = layer.args.iter().any(|arg| matches!(arg, Arg::Named(n, _) if n == "tied"));
        if model.applied.contains(&i) || model.broken_fields.contains(&i) || is_tied {
            continue;
        }
        let before = found.len();
        let mut cx = ModelCx::new(model.item, model.siblings, &mut found);
        let place = layers::Place { field: i, element: None };
        let mut cx = FnCx::new(&mut cx);
        cx.step(&field.name.to_string(), field.name.span());
        let _ = layers::declare(&mut cx, place, layer, Some(8));
        if found.len() > before {
            model.broken_fields.insert(i);
        }
    }
    found.into_found().into_iter().for_each(|error| model.diagnostics.push(error));
}

/// Declares the parameters of the layers that no function could be lowered up to, as far as their
/// declarations say which: the stub of a model with mistakes has a view of each.
pub fn declare_unused(model: &mut ModelCx) {
    let mut muted = Diagnostics::default();
    let mut cx = ModelCx::new(model.item, model.siblings, &mut muted);
    cx.params = std::mem::take(&mut model.params);
    cx.state = std::mem::take(&mut model.state);
    for (i, field) in model.item.fields.iter().enumerate() {
        if let FieldDecl::Layer(layer) = &field.decl
            && !cx.params.iter().any(|(owner, _)| *owner == i)
        {
            let _ = layers::declare(
                &mut FnCx::new(&mut cx),
                layers::Place { field: i, element: None },
                layer,
                None,
            );
        }
    }
    model.params = cx.params;
    model.state = cx.state;
}
