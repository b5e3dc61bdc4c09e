//! Statements: what a body and its blocks bind, and loops, which are written out.

use proc_macro2::Ident;
use syn::{Expr, RangeLimits};

use super::expr::Lowered;
use super::{FnCx, Item, Lowering, Poison, text_of};
use crate::diagnostics::{Diagnostic, counted, nearest};
use crate::dim::Dim;
use crate::graph::ValueId;
use crate::syntax::{For, Function, If, Stmt, TypeExpr, Value};

impl<'a> FnCx<'a, '_> {
    /// The values that a body returns.
    pub fn body(&mut self, function: &'a Function) -> Lowering<Vec<ValueId>> {
        let stated = if function.returns_guess { &[] } else { &function.returns[..] };
        let result = self.block(&function.body, stated);
        match result {
            Some(lowered) => lowered.and_then(|lowered| self.values(lowered)),
            None if self.failed => Err(Poison),
            None => {
                let text = format!("`{}` ends without a value", function.name);
                let stmts = function.body.iter().rev().map(|stmt| stmt.allowed().1);
                let last = stmts.into_iter().find_map(|stmt| match stmt {
                    Stmt::Let { names, .. } => names.last(),
                    Stmt::Assign { name, .. } => Some(name),
                    _ => None,
                });
                let value = last.map_or("x".into(), ToString::to_string);
                let help = format!("write `{value}` without `;` at the end");
                Err(self.model.report(Diagnostic::new(function.body_span, text).help(help)))
            }
        }
    }
}

impl FnCx<'_, '_> {
    /// What a list of statements ends with, where it does not end with `;`.
    fn block(&mut self, stmts: &[Stmt], expected: &[TypeExpr]) -> Option<Lowering<Lowered>> {
        let mut result = None;
        for (i, stmt) in stmts.iter().enumerate() {
            let (allow, stmt) = stmt.allowed();
            let outside = self.seen.allow;
            self.seen.allow = outside.and(allow);
            match stmt {
                Stmt::Let { names, annotation, value } => {
                    self.failed |= self.bind(names, annotation, value).is_err();
                }
                Stmt::Assign { name, value } => {
                    self.failed |= self.assign(name, value).is_err();
                }
                Stmt::For(each) => self.failed |= self.for_each(each).is_err(),
                Stmt::If(choice) => {
                    let is_last = i + 1 == stmts.len();
                    let made = self.choose(choice, if is_last { expected } else { &[] });
                    self.failed |= matches!(made, Some(Err(_)));
                    if !is_last && matches!(made, Some(Ok(_))) {
                        self.drops(choice);
                    }
                    result = made.filter(|_| is_last);
                }
                Stmt::Broken { names } => {
                    self.failed = true;
                    self.poison(names);
                }
                Stmt::Tail(expr) => {
                    let lowered = self.expr(expr, expected);
                    self.failed |= lowered.is_err();
                    result = Some(lowered);
                }
                Stmt::Reveal(expr) => self.failed |= self.expr(expr, &[]).is_err(),
                Stmt::Allow(..) => unreachable!("taken off above"),
            }
            self.seen.allow = outside;
        }
        result
    }

    /// Reports that the value of an `if` goes nowhere.
    fn drops(&mut self, choice: &If) {
        let text =
            "the value of this `if` is dropped: bind it with `let`, or end its blocks with `;`";
        self.model.report(Diagnostic::new(choice.span, text));
        self.failed = true;
    }

    /// A block in a block: what it binds ends with it, what it assigns stays.
    fn inner(
        &mut self,
        stmts: &[Stmt],
        expected: &[TypeExpr],
        constant: Option<(&Ident, Item)>,
    ) -> Option<Lowering<Lowered>> {
        self.scopes.push(Default::default());
        let size = constant.and_then(|(name, item)| {
            let known = match item {
                Item::Number(number) => Some(Dim::lit(number)),
                _ => None,
            };
            self.declare(name, item);
            let known = known?;
            let name = name.to_string();
            Some((name.clone(), self.sizes.insert(name, known)))
        });
        let result = self.block(stmts, expected);
        if let Some((name, before)) = size {
            match before {
                Some(before) => self.sizes.insert(name, before),
                None => self.sizes.remove(&name),
            };
        }
        for (name, before) in self.scopes.pop().unwrap_or_default() {
            match before {
                Some(before) => self.names.insert(name, before),
                None => self.names.remove(&name),
            };
        }
        result
    }

    /// Binds a name in the innermost block.
    fn declare(&mut self, name: &Ident, item: Item) {
        if let Item::Value(value) = item {
            self.mention_bound(name, value);
        }
        let before = self.names.insert(name.to_string(), item);
        if let Some(scope) = self.scopes.last_mut() {
            scope.entry(name.to_string()).or_insert(before);
        }
    }

    /// The block that an `if` chooses.
    fn choose(&mut self, choice: &If, expected: &[TypeExpr]) -> Option<Lowering<Lowered>> {
        if let Err(poison) = self.enter(1, choice.span) {
            return Some(Err(poison));
        }
        let holds = self.holds(&choice.condition);
        let result = match self.ok(holds) {
            Ok(true) => self.inner(&choice.then, expected, None),
            Ok(false) => self.inner(&choice.otherwise, expected, None),
            Err(poison) => {
                // What either block would have assigned is not known.
                for name in assigned(&choice.then).chain(assigned(&choice.otherwise)) {
                    self.names.insert(name.to_string(), Item::Poison);
                }
                Some(Err(poison))
            }
        };
        self.depth -= 1;
        result
    }

    /// A loop, written out.
    fn for_each(&mut self, each: &For) -> Lowering<()> {
        let items = match self.items_of(&each.over) {
            Ok(items) => items,
            Err(poison) => {
                for name in assigned(&each.body) {
                    self.names.insert(name.to_string(), Item::Poison);
                }
                return Err(poison);
            }
        };
        for item in items {
            self.enter(1, each.span)?;
            let result = self.inner(&each.body, &[], each.name.as_ref().map(|name| (name, item)));
            self.depth -= 1;
            match result {
                None => {}
                Some(Err(poison)) => return Err(poison),
                Some(Ok(_)) => {
                    let text = "the value at the end of this loop is dropped: write `x = …;`";
                    return Err(self.model.report(Diagnostic::new(each.span, text)));
                }
            }
        }
        Ok(())
    }

    /// What a loop goes over: `0..3`, `(0..3).rev()`, `self.fc`, `self.fc.rev()`.
    fn items_of(&mut self, over: &Expr) -> Lowering<Box<dyn Iterator<Item = Item>>> {
        let (inner, back) = match over {
            Expr::MethodCall(call) if call.method == "rev" && call.args.is_empty() => {
                (&*call.receiver, true)
            }
            other => (other, false),
        };
        let inner = match inner {
            Expr::Paren(paren) => &*paren.expr,
            Expr::Reference(reference) => &*reference.expr,
            other => other,
        };
        let (numbers, field) = match inner {
            Expr::Range(range) => {
                let (Some(start), Some(end)) = (&range.start, &range.end) else {
                    let text = "a loop goes from a first number to a last one";
                    return Err(self
                        .model
                        .report(Diagnostic::over(range, text).help("write `0..3`")));
                };
                let (start, end) = (self.position(start)?, self.position(end)?);
                let closed = matches!(range.limits, RangeLimits::Closed(_));
                (start..end.saturating_add(usize::from(closed)), None)
            }
            other => match self.row(other) {
                Some(row) => {
                    let (field, count) = row?;
                    (0..count, Some(field))
                }
                None => {
                    let text = format!("no loop goes over `{}`", text_of(over));
                    let help = "write `for i in 0..3 { … }`, or `for fc in self.fc { … }` with \
                        `fc: [Linear(64 -> 64); 3]`";
                    return Err(self.model.report(Diagnostic::over(over, text).help(help)));
                }
            },
        };
        let item = move |at: usize| match field {
            Some(field) => Item::Layer(field, at),
            None => Item::Number(at),
        };
        Ok(match back {
            true => Box::new(numbers.rev().map(item)),
            false => Box::new(numbers.map(item)),
        })
    }

    /// A number of a range, from 0 on.
    pub fn position(&mut self, expr: &Expr) -> Lowering<usize> {
        let number = self.whole(expr);
        let number = self.ok(number)?;
        usize::try_from(number).map_err(|_| {
            let text = format!("`{}` is {number}", text_of(expr));
            self.model.report(Diagnostic::over(expr, text).help("it starts at 0"))
        })
    }

    /// What stands behind `=`.
    fn bound_value(&mut self, value: &Value, expected: &[TypeExpr]) -> Lowering<Lowered> {
        match value {
            Value::Expr(expr) => self.expr(expr, expected),
            Value::If(choice) => match self.choose(choice, expected) {
                Some(result) => result,
                None if self.failed => Err(Poison),
                None => {
                    let text = "this `if` makes no value: end its blocks without `;`";
                    Err(self.model.report(Diagnostic::new(choice.span, text)))
                }
            },
        }
    }

    fn assign(&mut self, name: &Ident, value: &Value) -> Lowering<()> {
        let bound = self.bound_value(value, &[]);
        let text = name.to_string();
        match self.names.get(&text) {
            Some(Item::Number(_) | Item::Layer(..)) => {
                let error = format!("`{name}` is what the loop goes over, and keeps its value");
                return Err(self.model.report(Diagnostic::new(name.span(), error)));
            }
            Some(_) => {}
            None => {
                let error = Diagnostic::new(name.span(), format!("no value is named `{name}`"));
                let error = match nearest(&text, self.names.keys().map(String::as_str)) {
                    Some(near) => error.did_you_mean(name, near),
                    None => error.help(format!("write `let {name} = …;`")),
                };
                self.model.report(error);
                self.names.insert(text, Item::Poison);
                return Err(Poison);
            }
        }
        let item = match bound {
            Ok(Lowered::Tuple(values)) => Ok(Item::Tuple(values)),
            Ok(one) => self.value(one, name.span()).map(Item::Value),
            Err(poison) => Err(poison),
        };
        if let Ok(Item::Value(value)) = item {
            self.mention_bound(name, value);
        }
        let made = item.as_ref().map(|_| ()).map_err(|_| Poison);
        self.names.insert(text, item.unwrap_or(Item::Poison));
        made
    }

    fn bind(&mut self, names: &[Ident], annotation: &[TypeExpr], value: &Value) -> Lowering<()> {
        if let ([values, places], Value::Expr(Expr::MethodCall(call))) = (names, value)
            && let "max" | "min" = call.method.to_string().as_str()
        {
            let (receiver, args) = (text_of(&call.receiver), text_of(&call.args));
            let text = format!("`{0}` gives no places here: `a{0}` gives the values", call.method);
            let help = format!(
                "write `let {values} = {receiver}.a{}({args});` and `let {places} = \
                 {receiver}.argmax({args});`",
                call.method
            );
            self.model.report(Diagnostic::new(call.method.span(), text).help(help));
            self.poison(names);
            return Err(Poison);
        }
        let bound = self.bound_value(value, annotation).and_then(|lowered| {
            let values = match (lowered, names.len()) {
                (Lowered::Tuple(values), 1) => {
                    self.declare(&names[0], Item::Tuple(values));
                    return Ok(Vec::new());
                }
                (lowered, _) => self.values(lowered)?,
            };
            if values.len() != names.len() {
                let shapes: Vec<_> = values.iter().map(|v| self.graph.ty(*v).to_string()).collect();
                let shapes_count = shapes.len();
                let help = match (&values[..], value) {
                    // Of a model of another `model!`.
                    ([one], Value::Expr(expr)) if self.assumed.contains_key(one) => {
                        let bound: Vec<_> = names.iter().map(ToString::to_string).collect();
                        let (bound, each) = (bound.join(", "), vec![&*shapes[0]; names.len()]);
                        let (each, call) = (each.join(", "), text_of(expr));
                        Some(format!(
                            "say what it gives, by its shapes: `let ({bound}): ({each}) = {call};`"
                        ))
                    }
                    _ => None,
                };
                let (names, values) =
                    (counted(names.len(), "name"), counted(values.len(), "value"));
                let text = format!("{names} for {values}");
                let error = match value {
                    Value::Expr(expr) => Diagnostic::over(expr, text),
                    Value::If(choice) => Diagnostic::new(choice.span, text),
                };
                let shapes = format!("shapes: ({})", shapes.join(", "));
                let error = match (help, shapes_count) {
                    (Some(help), _) => error.help(help),
                    (None, 1) => error.help("write one name: `let y = …;`").note(shapes),
                    (None, _) => error
                        .help("a tuple has a name for each value: `let (a, b) = …;`")
                        .note(shapes),
                };
                return Err(self.model.report(error));
            }
            for (written, made) in annotation.iter().zip(&values) {
                self.check_annotation(written, *made, value)?;
            }
            if !annotation.is_empty() && annotation.len() != values.len() {
                let (shapes, values) =
                    (counted(annotation.len(), "shape"), counted(values.len(), "value"));
                let error = Diagnostic::new(annotation[0].span, format!("{shapes} for {values}"));
                return Err(self.model.report(error));
            }
            Ok(values)
        });
        match bound {
            Ok(values) => {
                for (name, value) in names.iter().zip(values) {
                    self.declare(name, Item::Value(value));
                }
                Ok(())
            }
            Err(Poison) => {
                self.poison(names);
                Err(Poison)
            }
        }
    }

    fn poison(&mut self, names: &[Ident]) {
        for name in names {
            self.declare(name, Item::Poison);
        }
    }

    fn check_annotation(
        &mut self,
        written: &TypeExpr,
        value: ValueId,
        bound: &Value,
    ) -> Lowering<()> {
        let declared = self.ty(written)?;
        let found = self.graph.ty(value).clone();
        self.step("let", written.span);
        if declared.kind == found.kind && self.rule.equal_shapes(&declared.shape, &found.shape) {
            return Ok(());
        }
        let what = match bound {
            Value::Expr(expr) => text_of(expr),
            Value::If(_) => "if".into(),
        };
        let text = format!("declared as {declared}, but `{what}` is {found}");
        let error = Diagnostic::new(written.span, text);
        let help = format!("write `{found}`, or leave it out");
        let error =
            if written.classes { error } else { error.fix_at(written.span, found.to_string()) };
        let error = error.help(help).note(format!("shapes: {}", self.trail(value)));
        Err(self.model.report(error))
    }
}

/// The names that statements assign, in blocks of theirs too.
fn assigned(stmts: &[Stmt]) -> Box<dyn Iterator<Item = &Ident> + '_> {
    let stmts = stmts.iter().map(|stmt| stmt.allowed().1);
    Box::new(stmts.flat_map(|stmt| match stmt {
        Stmt::Assign { name, .. } => Box::new([name].into_iter()) as Box<dyn Iterator<Item = _>>,
        Stmt::For(each) => assigned(&each.body),
        Stmt::If(choice) => Box::new(assigned(&choice.then).chain(assigned(&choice.otherwise))),
        _ => Box::new([].into_iter()),
    }))
}
