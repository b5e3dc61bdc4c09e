//! What a function declares and what its body makes.

use proc_macro2::Span;

use super::{FnCx, Lowering};
use crate::diagnostics::{Diagnostic, Fix, counted};
use crate::graph::{Kind, Ty, ValueId};
use crate::layers::without_flatten;
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
            let span = function.returns.first().map_or(name.span(), |first| first.span);
            let types: Vec<_> = made.iter().map(|v| self.graph.ty(*v).to_string()).collect();
            let written = match types.as_slice() {
                [one] => one.clone(),
                _ => format!("({})", types.join(", ")),
            };
            self.misdeclares(function, declared, made);
            let error = Diagnostic::new(span, text).help(format!("write `-> {written}`"));
            return Err(self.model.report(
                match (function.returns_tuple, function.returns.first()) {
                    (false, Some(first)) => error.fix_at(first.span, written),
                    _ => error,
                },
            ));
        }
        self.rule.subject = name.to_string();
        let declared_types = declared;
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
                let error = Diagnostic::new(written.span, format!("{text} {found}"));
                let assumed = self.assumption(*value, &format!("expects {declared}"));
                let error = match without_flatten(self, *value, &declared.shape) {
                    _ if assumed.is_some() => error.help(assumed.unwrap_or_default()),
                    Some(layer) => error.help(format!(
                        "`{layer}` acts on the last axis alone: write `.flatten()` before it"
                    )),
                    None if self.joins_batches(*value, declared) => error.help(
                        "`cat` joins along axis 0 where nothing else is said: write `dim = 1`",
                    ),
                    None => error
                        .help(format!("write `{arrow} {found}`, or change the last layer"))
                        .fix_at(written.span, found.to_string()),
                };
                let mut error = error.note(format!("shapes: {}", self.trail(*value)));
                if declared_types.len() > 1 {
                    // All that differ are one mistake.
                    let types: Vec<_> =
                        made.iter().map(|v| self.graph.ty(*v).to_string()).collect();
                    let all = declared_types.iter().zip(made).zip(&function.returns).skip(1);
                    for ((declared, value), written) in all {
                        let found = self.graph.ty(*value);
                        if found != declared {
                            error.told.others.push(Some(Fix::at(written.span, found.to_string())));
                        }
                    }
                    error.notes[0] = format!("help: write `-> ({})`", types.join(", "));
                }
                self.misdeclares(function, declared_types, made);
                return Err(self.model.report(error));
            }
        }
        Ok(())
    }

    /// Whether a `cat` on the way has made several batches one, which are not declared.
    fn joins_batches(&self, made: ValueId, declared: &Ty) -> bool {
        let lead = |ty: &Ty| ty.dims().first().cloned();
        let steps = std::iter::successors(Some(made), |value| self.graph.values[*value].from);
        lead(self.graph.ty(made)) != lead(declared)
            && steps.into_iter().any(|value| self.graph.values[value].label == "cat")
    }

    /// Remembers that a function declares other results than it makes. What users see of it is what
    /// it declares; nothing is known of it where a number is made, since losses are called in a way
    /// of their own.
    fn misdeclares(&mut self, function: &Function, declared: &[Ty], made: &[ValueId]) {
        let name = function.name.to_string();
        let makes_loss = made.first().is_some_and(|made| self.graph.ty(*made).shape.rank() == 0);
        if let ([one], [_]) = (declared, made)
            && one.shape.rank() > 0
            && makes_loss
        {
            let unknown = Ty { kind: Kind::Unknown, ..one.clone() };
            self.model.inferred.insert(name.clone(), vec![unknown]);
        }
        // `-> ()`
        if let ([], [value]) = (declared, made) {
            let unknown = Ty { kind: Kind::Unknown, ..self.graph.ty(*value).clone() };
            self.model.inferred.insert(name.clone(), vec![unknown]);
        }
        self.model.misdeclared.insert(name);
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
