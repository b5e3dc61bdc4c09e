//! What a function declares and what its body makes.

use proc_macro2::Span;

use super::{FnCx, Lowering};
use crate::diagnostics::{Diagnostic, counted};
use crate::graph::{Kind, Ty, ValueId};
use crate::syntax::{Function, TypeExpr};

impl FnCx<'_, '_> {
    pub fn result_types(&mut self, function: &Function) -> Lowering<Vec<Ty>> {
        let types: Vec<_> = function.returns.iter().map(|ty| self.result_type(ty)).collect();
        types.into_iter().collect()
    }

    fn result_type(&mut self, written: &TypeExpr) -> Lowering<Ty> {
        let ty = self.ty(written)?;
        if ty.kind == Kind::Float {
            return Ok(ty);
        }
        let error = Diagnostic::new(written.span, "a function returns numbers, not class indices");
        Err(self.model.report(error.help(format!("write `-> {}`", ty.shape))))
    }

    /// Says which results a function without `->` makes.
    pub fn report_results(&mut self, function: &Function, span: Span, made: &[ValueId]) {
        let types: Vec<Ty> = made.iter().map(|value| self.graph.ty(*value).clone()).collect();
        let help = match types.as_slice() {
            [] => "write `-> [batch, 10]`, or `-> []` for a number".into(),
            [one] => format!("write `-> {one}` before the body"),
            several => {
                let texts: Vec<_> = several.iter().map(Ty::to_string).collect();
                format!("write `-> ({})` before the body", texts.join(", "))
            }
        };
        let text = format!("`{}` does not say what it returns", function.name);
        self.model.report(Diagnostic::new(span, text).help(help));
        self.model.inferred.insert(function.name.to_string(), types);
    }

    /// The results are what the body makes.
    pub fn infer_results(&mut self, function: &Function, made: &[ValueId]) -> Vec<Ty> {
        let types: Vec<Ty> = made.iter().map(|value| self.graph.ty(*value).clone()).collect();
        self.model.inferred.insert(function.name.to_string(), types.clone());
        types
    }

    pub fn check_results(
        &mut self,
        function: &Function,
        declared: &[Ty],
        made: &[ValueId],
    ) -> Lowering<()> {
        let name = &function.name;
        if declared.len() != made.len() {
            let text = format!(
                "`{name}` declares {}, but its body makes {}",
                counted(declared.len(), "result"),
                made.len()
            );
            let span = function.returns.first().map_or(function.body_span, |first| first.span);
            return Err(self.model.report(Diagnostic::new(span, text)));
        }
        self.rule.subject = name.to_string();
        for ((declared, value), written) in declared.iter().zip(made).zip(&function.returns) {
            self.rule.span = written.span;
            let found = self.graph.ty(*value).clone();
            let fits = found.kind == declared.kind
                && self.rule.equal_shapes(&declared.shape, &found.shape);
            if !fits {
                let (text, arrow) = match self.model.item.derived {
                    false => (format!("`{name}` returns {declared}, but its body makes"), "->"),
                    true => (format!("the output is {declared}, but the layers make"), "output ="),
                };
                let help = self.assumption(*value, &format!("expects {declared}"));
                let other = || format!("write `{arrow} {found}`, or change the last layer");
                let error = Diagnostic::new(written.span, format!("{text} {found}"))
                    .help(help.unwrap_or_else(other))
                    .note(format!("shapes: {}", self.trail(*value)));
                return Err(self.model.report(error));
            }
        }
        Ok(())
    }

    /// Every input must reach a result.
    pub fn check_used(&mut self, function: &Function) -> Lowering<()> {
        let uses = self.graph.uses();
        let mut outcome = Ok(());
        for (i, (arg, value)) in function.args.iter().zip(&self.graph.args).enumerate() {
            let name = arg.name.to_string();
            if function.args[i + 1..].iter().any(|other| other.name == arg.name) {
                continue;
            }
            if uses[*value] == 0 && !name.starts_with('_') {
                let text =
                    format!("the input `{name}` does not reach the result of `{}`", function.name);
                let help = match self.model.item.derived {
                    true => format!("write `#[module(with({name}))]` above a field that takes it"),
                    false => "use it, or take it out".into(),
                };
                outcome = Err(self.model.report(Diagnostic::new(arg.name.span(), text).help(help)));
            }
        }
        outcome
    }
}
