//! What the parts of a struct say of its shapes.

use syn::{Expr, parse_quote};

use super::parts::Part;
use crate::layers;
use crate::syntax::{Arg, Field, FieldDecl, LayerDecl, TypeExpr};

/// What a part says of its input.
enum Says {
    Shape(TypeExpr),
    /// It is that of what follows.
    Nothing,
    Unknown,
}

/// The input, from a first layer of rows: `[batch, 784]` of `Linear<784, 128>`.
pub fn input(parts: &[Part], fields: &[Field]) -> Option<TypeExpr> {
    match first(parts, fields) {
        Says::Shape(ty) => Some(ty),
        _ => None,
    }
}

fn first(parts: &[Part], fields: &[Field]) -> Says {
    let said = parts.iter().map(|part| of(part, fields));
    said.into_iter().find(|said| !matches!(said, Says::Nothing)).unwrap_or(Says::Nothing)
}

fn of(part: &Part, fields: &[Field]) -> Says {
    match part {
        Part::Leaf(leaf) => match layer(&fields[leaf.field].decl) {
            Some(layer) if layers::keeps_shape(&layer.path) => Says::Nothing,
            Some(layer) if layers::takes_rows(&layer.path) => size(layer, 0),
            _ => Says::Unknown,
        },
        Part::Sequence(parts) => first(parts, fields),
        Part::Joined { parts, .. } => {
            let said = parts.iter().map(|part| of(part, fields));
            said.into_iter().find(|said| matches!(said, Says::Shape(_))).unwrap_or(Says::Unknown)
        }
    }
}

/// The output of a last `Linear`, for the stubs of what has mistakes.
pub fn output(parts: &[Part], fields: &[Field]) -> Option<TypeExpr> {
    let said = parts.iter().rev().map(|part| match part {
        Part::Leaf(leaf) => match layer(&fields[leaf.field].decl) {
            Some(layer) if layers::states_rows(&layer.path) => size(layer, 1),
            Some(layer) if !layers::has_params(&layer.path) => Says::Nothing,
            _ => Says::Unknown,
        },
        _ => Says::Unknown,
    });
    match said.into_iter().find(|said| !matches!(said, Says::Nothing)) {
        Some(Says::Shape(ty)) => Some(ty),
        _ => None,
    }
}

fn layer(decl: &FieldDecl) -> Option<&LayerDecl> {
    match decl {
        FieldDecl::Layer(layer) | FieldDecl::Layers(layer, _) => Some(layer),
        _ => None,
    }
}

fn size(layer: &LayerDecl, at: usize) -> Says {
    match layer.args.get(at) {
        Some(Arg::Value(size)) => {
            let batch: Expr = parse_quote!(batch);
            let dims = vec![batch, size.clone()];
            Says::Shape(TypeExpr { classes: false, dims, span: layer.span, broken: false })
        }
        _ => Says::Unknown,
    }
}
