//! Arrays of the program's as values: `const` items of the same `model!`, whose types say their
//! sizes, and others, whose sizes are stated at their place: `let mel: [80, 201] = consts::MEL;`.

use std::any::Any;

use quote::ToTokens;
use syn::{Expr, ExprPath};

use super::options::number;
use super::{Fixed, FnCx, Lowering, text_of};
use crate::diagnostics::Diagnostic;
use crate::dim::Dim;
use crate::graph::{Source, Ty, ValueId};
use crate::ops::elementwise::{Constant, Elementwise, Func};
use crate::syntax::{ConstItem, TypeExpr};

impl FnCx<'_, '_> {
    /// The array that a path names, where it is known to be one.
    pub fn array(&mut self, path: &ExprPath, expected: &[TypeExpr]) -> Lowering<Option<ValueId>> {
        if let Some(declared) = self.declared_array(path) {
            let ty = declared.clone();
            let ty = self.ty(&ty)?;
            return Ok(Some(self.fixed(path, ty, false)));
        }
        let [stated] = expected else { return Ok(None) };
        let expr = Expr::Path(path.clone());
        let is_size =
            path.path.get_ident().is_some_and(|name| self.model.consts.contains(&name.to_string()));
        if stated.dims.is_empty() && !stated.classes || is_size || number(&expr).is_none() {
            return Ok(None);
        }
        let ty = self.ty(stated)?;
        if ty.dims().iter().any(Dim::is_run_time) {
            let text =
                format!("`{}` is a constant, and {ty} is not known before a run", text_of(path));
            let error = Diagnostic::new(stated.span, text);
            return Err(self.model.report(error.help("state the sizes that it has: `[8, 8]`")));
        }
        Ok(Some(self.fixed(path, ty, true)))
    }

    /// The type of an array that is declared in the same `model!`.
    pub fn declared_array(&self, path: &ExprPath) -> Option<&TypeExpr> {
        self.declared(path)?.array.as_ref()
    }

    /// A constant of the same `model!`.
    pub fn declared(&self, path: &ExprPath) -> Option<&ConstItem> {
        let name = path.path.get_ident()?;
        self.model.item.constants.iter().find(|declared| declared.name == *name)
    }

    fn fixed(&mut self, path: &ExprPath, ty: Ty, is_stated: bool) -> ValueId {
        let text = text_of(path);
        let known = &mut self.model.constants;
        let at = known.iter().position(|fixed| fixed.text == text && fixed.ty == ty);
        let at = at.unwrap_or_else(|| {
            let path = path.to_token_stream();
            known.push(Fixed { text: text.clone(), path, ty: ty.clone(), is_stated });
            known.len() - 1
        });
        self.graph.given(Source::Constant(at), ty, &text)
    }

    /// What helps where an operation refuses a constant that may be an array.
    pub fn array_help(&self, inputs: &[ValueId]) -> Option<String> {
        inputs.iter().find_map(|input| {
            let Source::Node(n, _) = self.graph.values[*input].source else { return None };
            let op: &dyn Any = &*self.graph.nodes[n].op;
            let Elementwise { func: Func::Constant, constants, .. } = op.downcast_ref()? else {
                return None;
            };
            let Constant::Expr(text, _) = &constants[0] else { return None };
            Some(format!(
                "`{text}` is taken for a number; where it is an array, state its shape: \
                 `let a: [8, 8] = {text};`"
            ))
        })
    }
}
