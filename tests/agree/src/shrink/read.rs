//! A model's text as its parts.

use gradiron_compiler::diagnostics::Diagnostics;
use gradiron_compiler::lower::text_of;
use gradiron_compiler::syntax::{self, FieldDecl, Stmt, Value, parse_model};
use syn::Expr;

use crate::generate::model::{Field, Function, Is, Let, Model, Param};
use crate::generate::world::tokens;

/// Nothing where it does not parse, or is no struct.
pub fn model(text: &str) -> Option<Model> {
    let mut diagnostics = Diagnostics::default();
    let item = parse_model(tokens(text), &mut diagnostics);
    if !diagnostics.is_empty() {
        return None;
    }
    let header = item.header.as_ref()?;
    let params = header.generics.const_params();
    let params = params.map(|param| Param { name: param.ident.to_string(), value: 0 }).collect();
    let fields = item.fields.iter().map(field).collect::<Option<_>>()?;
    let functions = item.functions.iter().map(function).collect::<Option<_>>()?;
    Some(Model { name: header.name.to_string(), params, fields, functions, count: 0 })
}

fn field(field: &syntax::Field) -> Option<Field> {
    let (decl, is) = match &field.decl {
        FieldDecl::Layer(layer) => {
            let args: Vec<_> = layer.args.iter().map(ToString::to_string).collect();
            (format!("{}({})", text_of(&layer.path), args.join(", ")), Is::Param)
        }
        FieldDecl::Layers(layer, count) => {
            let args: Vec<_> = layer.args.iter().map(ToString::to_string).collect();
            (format!("[{}({}); {count}]", text_of(&layer.path), args.join(", ")), Is::Param)
        }
        FieldDecl::Model(ty) => (text_of(ty), Is::Model),
        FieldDecl::Array(ty, count) => {
            (format!("[{}; {}]", text_of(ty), text_of(count)), Is::Model)
        }
        FieldDecl::Broken => return None,
    };
    Some(Field { name: field.name.to_string(), decl, is, weight: None })
}

fn function(function: &syntax::Function) -> Option<Function> {
    let args = function.args.iter().map(|arg| (arg.name.to_string(), arg.ty.to_string())).collect();
    let types: Vec<_> = function.returns.iter().map(ToString::to_string).collect();
    let (mut body, mut results) = (Vec::new(), Vec::new());
    for statement in &function.body {
        match statement {
            Stmt::Let { names, annotation, value: Value::Expr(value) } => body.push(Let {
                names: names.iter().map(ToString::to_string).collect(),
                ty: match &annotation[..] {
                    [] => None,
                    [one] => Some(one.to_string()),
                    several => {
                        let texts: Vec<_> = several.iter().map(ToString::to_string).collect();
                        Some(format!("({})", texts.join(", ")))
                    }
                },
                value: text_of(value),
            }),
            Stmt::Tail(Expr::Tuple(tuple)) if tuple.elems.len() == types.len() => {
                results = tuple.elems.iter().map(text_of).zip(types.iter().cloned()).collect();
            }
            Stmt::Tail(value) => {
                let ty = match &types[..] {
                    [one] => one.clone(),
                    _ => format!("({})", types.join(", ")),
                };
                results = vec![(text_of(value), ty)];
            }
            // The generator writes no blocks.
            _ => return None,
        }
    }
    let (name, step) = (function.name.to_string(), function.step.as_ref().map(text_of));
    Some(Function { name, step, args, body, results })
}
