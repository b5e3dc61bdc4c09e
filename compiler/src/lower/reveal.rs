//! `reveal!(x)`: says the shape of `x`, and is `x`.

use syn::spanned::Spanned;
use syn::{Expr, Macro};

use super::expr::Lowered;
use super::{FnCx, Lowering, text_of};
use crate::diagnostics::{Diagnostic, Warning};
use crate::syntax::TypeExpr;

impl FnCx<'_, '_> {
    pub fn reveal(&mut self, call: &Macro, expected: &[TypeExpr]) -> Lowering<Lowered> {
        let span = call.path.span();
        let inner: Expr = call.parse_body().map_err(|_| {
            let error = Diagnostic::new(span, "`reveal!` shows the shape of one value");
            self.model.report(error.help("write `reveal!(x)`"))
        })?;
        let lowered = self.expr(&inner, expected)?;
        let (is, trail) = match &lowered {
            Lowered::Value(value) => (self.graph.ty(*value).to_string(), Some(self.trail(*value))),
            Lowered::Tuple(values) => {
                let types: Vec<_> = values.iter().map(|v| self.graph.ty(*v).to_string()).collect();
                (format!("({})", types.join(", ")), None)
            }
            Lowered::Number(constant) => (format!("the number {constant}"), None),
        };
        let mut told = Diagnostic::new(span, format!("`{}` is {is}", text_of(&inner)));
        if let Some(trail) = trail {
            told = told.note(format!("shapes: {trail}"));
        }
        self.model.diagnostics.warn(Warning { name: "reveal", diagnostic: told, always: true });
        Ok(lowered)
    }
}
