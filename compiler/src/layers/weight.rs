//! The parameters of layers as values: `self.fc.weight`.

use proc_macro2::Span;

use super::{Place, declare, has_params};
use crate::diagnostics::{Diagnostic, list, nearest};
use crate::graph::ValueId;
use crate::lower::{FnCx, Lowering, Param, Poison};
use crate::ops::Statement;
use crate::syntax::LayerDecl;

/// `self.fc.weight`: a parameter of a layer, by the name that it has in files. A layer that was not
/// called before is declared as it is written.
pub fn weight(
    cx: &mut FnCx,
    place: Place,
    decl: &LayerDecl,
    tensor: &str,
    span: Span,
) -> Lowering<ValueId> {
    if cx.model.broken_fields.contains(&place.field) {
        return Err(Poison);
    }
    let (field, layer) = (place.field, cx.called(place));
    let own = place.tensor("");
    if !has_params(&decl.path) {
        let text = format!("`{layer}` has no parameters");
        return Err(cx.model.report(Diagnostic::new(span, text)));
    }
    let is_own = |(owner, param): &(usize, Param)| *owner == field && param.name.starts_with(&own);
    let is_applied = cx.model.applied.contains(&field) && place.element.is_none();
    if !is_applied && !cx.model.params.iter().any(is_own) {
        declare_here(cx, place, decl, span)?;
    }
    // A weight that is shared is that of all who share it.
    let shares = |(_, param): &(usize, Param)| param.tied.contains(&field);
    let owned = cx.model.params.iter().filter(|param| is_own(param) || shares(param));
    let owned: Vec<_> = owned.cloned().collect();
    let wanted = place.tensor(tensor);
    let is_wanted = |found: &&(usize, Param)| match is_own(found) {
        true => found.1.name == wanted,
        false => found.1.name == tensor,
    };
    if let Some((owner, param)) = owned.iter().find(is_wanted) {
        let (owner, param) = (*owner, param.clone());
        cx.rule.defer_memory(&param.shape, || format!("the `{tensor}` of `{layer}`"));
        return Ok(cx.field_param(owner, param));
    }
    let plain = |name: &str| name.strip_prefix(&own).unwrap_or(name).to_string();
    let names: Vec<_> = owned.iter().map(|(_, param)| plain(&param.name)).collect();
    let error = Diagnostic::new(span, format!("`{layer}` has no parameter `{tensor}`"));
    let error = match nearest(tensor, names.iter().map(String::as_str)) {
        Some(near) => error.help(format!("did you mean `self.{layer}.{near}`?")),
        None if names.is_empty() => error.help(format!("by its options `{layer}` has none")),
        None => error.help(format!("it has {}", list(&names))),
    };
    Err(cx.model.report(error))
}

/// Declares the parameters of a layer by its declaration alone.
fn declare_here(cx: &mut FnCx, place: Place, decl: &LayerDecl, span: Span) -> Lowering<()> {
    let (field, layer) = (place.field, cx.called(place));
    let name = cx.model.item.fields[field].name.span();
    let mut apart = cx.apart();
    apart.step(&layer, name);
    let declared = declare(&mut apart, place, decl, None);
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
