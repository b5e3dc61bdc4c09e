//! Types that are no parts of a network, with what to write instead.

use proc_macro2::Ident;
use syn::{Expr, GenericArgument, Lit, Path, PathArguments, Type, TypePath, UnOp};

use crate::diagnostics::{Diagnostic, counted};
use crate::layers;
use crate::syntax::{Field, FieldDecl, LayerDecl, NO_TEXT, OF_ANY, PRIMITIVES, in_place_of};
use crate::text::text_of;

/// Whether a layer's type has too few sizes or too many.
pub fn miscounted(layer: &LayerDecl) -> Option<Diagnostic> {
    let (all, needed) = layers::type_sizes(&layer.path)?;
    let found = layer.args.len();
    if (needed..=all.len()).contains(&found) {
        return None;
    }
    let (name, sizes) = (text_of(&layer.path), all.join(", "));
    let count = match (needed, all.len()) {
        (_, 0) => "no sizes".into(),
        (needed, most) if needed == most => counted(needed, "size"),
        (needed, most) => format!("{needed} to {most} sizes"),
    };
    let text = format!("`{name}` has {count}, but here are {found}");
    let help = match all.is_empty() {
        true => format!("write `{name}`"),
        false => format!("write `{name}<{sizes}>`"),
    };
    Some(Diagnostic::new(layer.span, text).help(help))
}

/// That nothing says what a module takes: its first layer may be one that is spelled otherwise.
pub fn no_input(name: &Ident, fields: &[Field]) -> Diagnostic {
    let first = fields.iter().find_map(|field| match &field.decl {
        FieldDecl::Model(Type::Path(ty)) | FieldDecl::Array(Type::Path(ty), _) => Some(ty),
        _ => None,
    });
    if let Some(ty) = first
        && let Some(last) = ty.path.segments.last()
        && let Some(near) = layers::nearest_type(&last.ident.to_string())
    {
        let error = Diagnostic::over(&last.ident, format!("no layer is named `{}`", last.ident));
        return error.help(format!("did you mean `{near}`?"));
    }
    let text = format!("nothing states the input shape of `{name}`");
    let help = "write `#[module(input = [batch, 1, 28, 28])]` above the struct";
    Diagnostic::new(name.span(), text).help(help)
}

/// A size of a layer's type that is a number and no size, of which rustc says so by itself.
pub fn no_sizes(path: &Path) -> Option<Diagnostic> {
    let last = path.segments.last()?;
    let PathArguments::AngleBracketed(given) = &last.arguments else { return None };
    let wrong = given.args.iter().find(|arg| match arg {
        GenericArgument::Const(Expr::Lit(lit)) => match &lit.lit {
            Lit::Int(number) => number.to_string().starts_with('-'),
            Lit::Bool(_) => false,
            _ => true,
        },
        GenericArgument::Const(Expr::Unary(unary)) => matches!(unary.op, UnOp::Neg(_)),
        GenericArgument::Const(_) | GenericArgument::Type(_) => false,
        _ => true,
    });
    wrong.map(|wrong| Diagnostic::over(wrong, format!("`{}` is no size", text_of(wrong))))
}

/// What is wrong with a type that is no name.
pub fn no_name(ty: &Type, field: &Ident) -> Diagnostic {
    let text = format!("`{}` is neither a layer nor a model", text_of(ty));
    let help = match ty {
        Type::Reference(reference) => match &*reference.elem {
            Type::TraitObject(_) => OF_ANY.into(),
            inner if text_of(inner) == "str" => NO_TEXT.into(),
            inner => format!("write `{field}: {}`", text_of(inner)),
        },
        Type::TraitObject(_) | Type::ImplTrait(_) => OF_ANY.into(),
        Type::FnPtr(_) => format!("a function of each value is a layer: write `{field}: Relu`"),
        _ => format!("write `{field}: Linear<784, 128>`"),
    };
    Diagnostic::over(ty, text).help(help)
}

/// What is wrong with a type that can be no module.
pub fn no_module(ty: &TypePath, name: &Ident, params: &[Ident]) -> Option<Diagnostic> {
    let last = ty.path.segments.last()?;
    let written = text_of(ty);
    let inner = match &last.arguments {
        PathArguments::AngleBracketed(list) => list.args.first().map(text_of),
        _ => None,
    };
    let inner = inner.unwrap_or_else(|| "Linear<784, 128>".into());
    let neither = format!("`{written}` is neither a layer nor a model");
    if ty.path.get_ident().is_some_and(|name| params.contains(name)) {
        let text = format!("`{written}` is a size, not a layer");
        let help =
            format!("the fields are layers and models: `{name}: typed::Linear<{written}, U10>`");
        return Some(Diagnostic::over(ty, text).help(help));
    }
    let help = match last.ident.to_string().as_str() {
        "String" | "str" | "char" => NO_TEXT.into(),
        number if PRIMITIVES.contains(&number) => {
            "the struct holds no numbers; a `model!` has parameters of its own, \
             `scale: Param([1], init = ones)`"
                .into()
        }
        "Sequential" | "ModuleList" => {
            format!("layers in a row are a tuple: write `{name}: (Linear<784, 128>, Relu)`")
        }
        layer if layers::is_layer(&ty.path) && !layers::has_type(&ty.path) => {
            let text = format!("`{layer}` is no field of a derived module: it has no type");
            let help = format!("write it in a `model!`: `{name}: {}`", layers::example(&ty.path));
            return Some(Diagnostic::over(ty, text).help(help));
        }
        "Param" | "Buffer" => "a parameter of its own stands in a `model!`".into(),
        container => in_place_of(container, name, &inner)?,
    };
    Some(Diagnostic::over(ty, neither).help(help))
}
