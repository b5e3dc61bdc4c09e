//! The parameters of layers as values: `self.fc.weight`.

use proc_macro2::Span;

use super::{declare, has_params};
use crate::diagnostics::{Diagnostic, list, nearest};
use crate::graph::ValueId;
use crate::lower::{FnCx, Lowering, Poison};
use crate::ops::Statement;
use crate::syntax::LayerDecl;

/// `self.fc.weight`: a parameter of a layer, by the name that it has in files. A layer that was not
/// called before is declared as it is written.
pub fn weight(
    cx: &mut FnCx,
    field: usize,
    decl: &LayerDecl,
    tensor: &str,
    span: Span,
) -> Lowering<ValueId> {
    if cx.model.broken_fields.contains(&field) {
        return Err(Poison);
    }
    let layer = cx.model.item.fields[field].name.clone();
    if !has_params(&decl.path) {
        let text = format!("`{layer}` has no parameters");
        return Err(cx.model.report(Diagnostic::new(span, text)));
    }
    let is_declared = cx.model.params.iter().any(|(owner, _)| *owner == field);
    if !is_declared && !cx.model.applied.contains(&field) {
        declare_here(cx, field, decl, span)?;
    }
    let owned = cx.model.params.iter().filter(|(owner, param)| {
        // A weight that is shared is that of all who share it.
        *owner == field || param.tied.contains(&field)
    });
    let owned: Vec<_> = owned.cloned().collect();
    if let Some((owner, param)) = owned.iter().find(|(_, param)| param.name == tensor) {
        let (owner, param) = (*owner, param.clone());
        cx.rule.defer_memory(&param.shape, || format!("the `{tensor}` of `{layer}`"));
        return Ok(cx.field_param(owner, param));
    }
    let names: Vec<_> = owned.iter().map(|(_, param)| param.name.as_str()).collect();
    let error = Diagnostic::new(span, format!("`{layer}` has no parameter `{tensor}`"));
    let error = match nearest(tensor, names.iter().copied()) {
        Some(near) => error.help(format!("did you mean `self.{layer}.{near}`?")),
        None if names.is_empty() => error.help(format!("by its options `{layer}` has none")),
        None => error.help(format!("it has {}", list(&names))),
    };
    Err(cx.model.report(error))
}

/// Declares the parameters of a layer by its declaration alone.
fn declare_here(cx: &mut FnCx, field: usize, decl: &LayerDecl, span: Span) -> Lowering<()> {
    let layer = cx.model.item.fields[field].name.clone();
    let mut apart = cx.apart();
    apart.step(&layer.to_string(), layer.span());
    let declared = declare(&mut apart, field, decl);
    let deferred = std::mem::take(&mut apart.rule.deferred);
    match declared {
        Some(Ok(())) => {}
        Some(Err(Poison)) => {
            cx.model.broken_fields.insert(field);
            return Err(Poison);
        }
        None => {
            let text =
                format!("`{layer}` takes a size from its input, and has had none before this");
            let help = format!("write both sizes of `{layer}`, as in `Linear(784 -> 128)`");
            return Err(cx.model.report(Diagnostic::new(span, text).help(help)));
        }
    }
    // The input that it was declared by is no value of the model.
    let kept = deferred.into_iter().filter(|one| !matches!(one.what, Statement::Fits(_)));
    for one in kept {
        if !cx.rule.deferred.iter().any(|known| known.is_same(&one)) {
            cx.rule.deferred.push(one);
        }
    }
    Ok(())
}
