//! `scan(self.cell, x, h)`: a model for each step of a sequence.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Expr, ExprClosure, Pat, Type};

use super::call::call_args;
use super::expr::Lowered;
use super::functions::{Build, Function};
use super::{FnCx, Lowering, Options, Poison, text_of};
use crate::diagnostics::{Diagnostic, counted};
use crate::dim::{Dim, Shape};
use crate::graph::{Asked, Callee, Kind, Reach, Ty, ValueId};
use crate::layers::Place;
use crate::ops::Mismatch;
use crate::ops::scan::{Role, Scan};
use crate::ops::shaping::Permute;
use crate::syntax::Arg;
use crate::text::mentions;
use crate::vocabulary::{Domain, Example, OptionRow};

pub(super) const SCAN: Function = Function {
    calls: &[&[("cell", ""), ("x", ""), ("h0", "")]],
    options: &[
        OptionRow::new(
            "lengths",
            Domain::Other("`Classes[batch]`: how many elements of each sequence count"),
            "LENGTHS",
        )
        .or("all"),
        OptionRow::flag("reverse", false),
        OptionRow::new(
            "out",
            Domain::Other(
                "the sizes of a step's result behind the batch, those of several as a tuple",
            ),
            "OUT",
        )
        .or("what the model declares, or that of the first state, or of `x`"),
    ],
    shapes: "`x [batch, T, ..]`, or several as a tuple, and first states `[batch, ..]`, or none → \
        results `[batch, T, ..]` and the last states",
    formula: "(yₜ, hₜ) = cell(xₜ, hₜ₋₁) from the first element to the last, or back with `reverse`; as \
        `|x, h| self.cell(x, h, m)` with what all steps see",
    source: "a loop over time, torch.ops.higher_order.scan; see the README",
    example: Example::layer(
        "Cell",
        "x: [batch, 50, 8], h: [batch, 32]) -> ([batch, 50, 32], [batch, 32]) \
         { scan(self.layer, x, h) }",
    ),
    ..Function::new("scan", Build::Free(USAGE, |cx, name, args| cx.scan(name, args)))
};

const USAGE: &str = "scan(self.cell, x, h)";
const USAGE_AROUND: &str = "scan(|x, h| self.cell(x, h, memory), x, h)";

/// The model that a scan calls, and what it is given.
struct Cell<'a> {
    place: Place,
    ty: &'a Type,
    function: Ident,
    /// What each argument is, sequences with their number; nothing where they are the sequences and
    /// behind these the states.
    given: Option<Vec<CellArg>>,
}

enum CellArg {
    /// The step of the sequence of this number.
    Step(usize),
    State(usize),
    Around(ValueId),
}

impl<'a> FnCx<'a, '_> {
    /// Results `[batch, T, ..]` and the last states, from sequences and the first states. The
    /// results of a step have the shapes `out`, or else those that the model declares, or is taken
    /// to.
    pub fn scan(&mut self, name: &Ident, mut args: Vec<Arg>) -> Lowering<Vec<ValueId>> {
        let usage = format!("write `{USAGE}`");
        let count = args.iter().take_while(|arg| matches!(arg, Arg::Value(_))).count();
        let rest = args.split_off(count);
        let mut values = args.into_iter().filter_map(|arg| match arg {
            Arg::Value(expr) => Some(expr),
            _ => None,
        });
        let (first, sequences) = (values.next(), values.next());
        let states: Vec<Expr> = values.collect();
        let cell = match &first {
            Some(Expr::Closure(closure)) => {
                Some(self.closure(closure, sequences.as_ref(), states.len()))
            }
            Some(other) => self.cell(other),
            None => None,
        };
        let Some(cell) = cell else {
            let error = Diagnostic::new(name.span(), "`scan` needs a model that is a field");
            return Err(self.model.report(error.help(&usage)));
        };
        let cell = cell?;
        let called = self.called(cell.place);
        let Some(sequences) = sequences else {
            let error = Diagnostic::new(name.span(), "`scan` needs a sequence");
            return Err(self.model.report(error.help(&usage)));
        };
        let lowered = self.expr(&sequences, &[])?;
        let sequences = match lowered {
            Lowered::Tuple(values) => values,
            one => vec![self.value(one, sequences.span())?],
        };
        let states = states.iter().map(|expr| self.one(expr)).collect::<Lowering<Vec<_>>>()?;
        let mut options = Options::new(SCAN.name, name.span(), rest, SCAN.options);
        let lengths = options.take_named("lengths").map(|expr| self.one(&expr)).transpose()?;
        self.step(&called, name.span());
        self.floats(&sequences)?;
        self.floats(&states)?;
        let (batch, steps) = self.steps_of(&sequences)?;
        if let Some(lengths) = lengths {
            self.check_lengths(lengths, &batch, &steps)?;
        }
        let reverse = self.flag_option(&mut options, "reverse")?;

        let given = cell.given.unwrap_or_else(|| {
            let steps = (0..sequences.len()).map(CellArg::Step);
            steps.chain((0..states.len()).map(CellArg::State)).collect()
        });
        let of_step = |x: ValueId, graph: &crate::graph::Graph| {
            let found = graph.ty(x);
            Ty::float([&found.dims()[..1], &found.dims()[2..]].concat())
        };
        let types: Vec<Ty> = given
            .iter()
            .map(|arg| match arg {
                CellArg::Step(at) => of_step(sequences[*at], &self.graph),
                CellArg::State(k) => self.graph.ty(states[*k]).clone(),
                CellArg::Around(value) => self.graph.ty(*value).clone(),
            })
            .collect();
        let inputs: Vec<ValueId> = given
            .iter()
            .map(|arg| match arg {
                CellArg::Step(at) => sequences[*at],
                CellArg::State(k) => states[*k],
                CellArg::Around(value) => *value,
            })
            .collect();
        let state_types: Vec<Ty> = states.iter().map(|v| self.graph.ty(*v).clone()).collect();
        let known = self.sibling_results(&called, cell.ty, &cell.function, &types, &inputs)?;
        let made = match options.take_named("out") {
            Some(out) => self.out(&out, &batch)?,
            None => match known {
                Some(known) if known.len() < states.len() || known.is_empty() => {
                    let (results, needed) =
                        (counted(known.len(), "result"), counted(states.len(), "state"));
                    let text = format!("`{called}` gives {results}, but a scan has {needed} of it");
                    let error = Diagnostic::new(name.span(), text);
                    let help =
                        "a cell gives the results of a step, and behind these the new states";
                    return Err(self.model.report(error.help(help)));
                }
                Some(mut known) => {
                    known.truncate(known.len() - states.len());
                    known
                }
                None => vec![match state_types.first() {
                    Some(state) => state.clone(),
                    None => of_step(sequences[0], &self.graph),
                }],
            },
        };
        let finished = options.finish();
        self.ok(finished)?;
        if made.is_empty() && states.is_empty() {
            let text = "`scan` makes nothing: it has no states, and no results of a step";
            return Err(self.model.report(Diagnostic::new(name.span(), text)));
        }
        let count = made.len();
        let callee = Callee {
            id: self.calls,
            text: text_of(cell.ty),
            model: cell.ty.to_token_stream(),
            function: cell.function,
            count: None,
            args: types,
            results: made.into_iter().chain(state_types).collect(),
            is_known: false,
            is_step: false,
            scans: Some(count),
            frozen: self.is_frozen(cell.place.field),
            asked: Asked { trains: true, reach: Reach::Params },
        };
        self.calls += 1;
        let (params, _, state) = self.callee_tensors(cell.place, &callee);
        let results = callee.results.len();
        let mut all = vec![params, state];
        let mut roles = Vec::new();
        for (arg, input) in given.iter().zip(&inputs) {
            let rank = self.graph.ty(*input).shape.rank();
            let (role, input) = match arg {
                CellArg::Step(_) => (Role::Step, self.op(Permute(turned(rank)), &[*input])?),
                CellArg::State(k) => (Role::State(*k), *input),
                CellArg::Around(_) => (Role::Around, *input),
            };
            roles.push(role);
            all.push(input);
        }
        all.extend(lengths);
        let lengthy = lengths.is_some();
        let scan = Scan { callee, roles, seq_len: steps, lengths: lengthy, reverse, next: false };
        let mut made = self.ops(scan, &all)?;
        made.truncate(results);
        for made in &mut made[..count] {
            let rank = self.graph.ty(*made).shape.rank();
            *made = self.op(Permute(turned(rank)), &[*made])?;
        }
        self.made(made[0], "scan", Some(sequences[0]));
        Ok(made)
    }

    /// The batch and the number of steps, which all sequences have.
    fn steps_of(&mut self, sequences: &[ValueId]) -> Lowering<(Dim, Dim)> {
        let mut known: Option<(Dim, Dim)> = None;
        for x in sequences {
            let found = self.graph.ty(*x).clone();
            let [batch, steps, ..] = found.dims() else {
                let text = format!("expects [batch, steps, ..] but receives {found}");
                return Err(self.refuse(Mismatch::new(text), Some(*x)));
            };
            if let Some((first, count)) = &known
                && !(self.rule.equal(first, batch) && self.rule.equal(count, steps))
            {
                let text = format!("has sequences [{first}, {count}, ..], but receives {found}");
                return Err(self.refuse(Mismatch::new(text), Some(*x)));
            }
            known.get_or_insert_with(|| (batch.clone(), steps.clone()));
        }
        known.ok_or(Poison)
    }

    /// `[4]`, or `([4], [2, 3])`: the sizes of what a step makes, behind the batch.
    fn out(&mut self, written: &Expr, batch: &Dim) -> Lowering<Vec<Ty>> {
        match written {
            Expr::Array(list) => {
                let mut dims = vec![batch.clone()];
                for size in &list.elems {
                    let scope = super::Scope { run_time: false, ..self.scope() };
                    let dim = super::dim(size, &scope);
                    let (dim, span) = (self.ok(dim)?, size.span());
                    dims.push(self.at_least(dim, 1, "a size of `out`", span)?);
                }
                Ok(vec![Ty::float(dims)])
            }
            Expr::Tuple(tuple) if tuple.elems.iter().all(|of| matches!(of, Expr::Array(_))) => {
                let each = tuple.elems.iter().map(|of| self.out(of, batch));
                Ok(each.collect::<Lowering<Vec<_>>>()?.concat())
            }
            other => {
                let text = "`out` lists the sizes of a step's result behind the batch";
                let error = Diagnostic::over(other, text);
                Err(self.model.report(error.help("write `out = [4]`, or `out = ([4], [2])`")))
            }
        }
    }

    /// `|x, h| self.cell(x, h, memory)`: what is not the element of a sequence or a state is a
    /// value around the loop.
    fn closure(
        &mut self,
        closure: &ExprClosure,
        sequences: Option<&Expr>,
        states: usize,
    ) -> Lowering<Cell<'a>> {
        let usage = format!("write `{USAGE_AROUND}`");
        let refuse = |cx: &mut Self, at: &dyn ToTokens, text: String| {
            cx.model.report(Diagnostic::over(&at.to_token_stream(), text).help(&usage))
        };
        let mut names: Vec<Ident> = Vec::new();
        let is_tuple = match closure.inputs.first() {
            Some(Pat::Tuple(tuple)) => Some(tuple.elems.len()),
            _ => None,
        };
        let first = closure.inputs.iter().take(1).flat_map(|pat| match pat {
            Pat::Tuple(tuple) => tuple.elems.iter().collect(),
            other => vec![other],
        });
        for pat in first.chain(closure.inputs.iter().skip(1)) {
            let Pat::Ident(name) = pat else {
                let text = "a step has names for its elements and states alone";
                return Err(refuse(self, &pat, text.into()));
            };
            names.push(name.ident.clone());
        }
        let count = match sequences {
            Some(Expr::Tuple(tuple)) => tuple.elems.len(),
            _ => 1,
        };
        let found = (is_tuple.unwrap_or(1), closure.inputs.len().saturating_sub(1));
        if closure.inputs.is_empty() || found != (count, states) {
            let text = format!(
                "the scan goes over {} with {}, but a step names {} and {}",
                counted(count, "sequence"),
                counted(states, "state"),
                found.0,
                found.1,
            );
            return Err(refuse(self, &closure, text));
        }
        let body = match &*closure.body {
            Expr::Block(block) => match &block.block.stmts[..] {
                [syn::Stmt::Expr(body, None)] => body,
                _ => &closure.body,
            },
            body => body,
        };
        let called = match body {
            Expr::MethodCall(call) if super::is_self(&call.receiver) => {
                let (member, receiver) = (&call.method, &call.receiver);
                let field: Expr = syn::parse_quote!(#receiver.#member);
                self.cell(&field).map(|cell| (cell, &call.args))
            }
            Expr::MethodCall(call) => {
                let model = self.whole_cell(&call.receiver);
                let function = call.method.clone();
                model.map(|found| {
                    let cell = found.map(|(place, ty)| Cell { place, ty, function, given: None });
                    (cell, &call.args)
                })
            }
            Expr::Call(call) => self.cell(&call.func).map(|cell| (cell, &call.args)),
            _ => None,
        };
        let Some((cell, args)) = called else {
            let text = "a step of a scan is the call of a model that is a field";
            return Err(refuse(self, &body, text.into()));
        };
        let mut cell = cell?;
        let mut given = Vec::new();
        let mut used = vec![false; names.len()];
        let known = names.iter().map(ToString::to_string).collect();
        for arg in call_args(args) {
            let Arg::Value(arg) = arg else {
                let text = "a call of a model has no options";
                return Err(refuse(self, &args, text.into()));
            };
            let name = match &arg {
                Expr::Path(path) => path.path.get_ident(),
                _ => None,
            };
            let at = name.and_then(|name| names.iter().position(|known| known == name));
            given.push(match at {
                Some(at) if std::mem::replace(&mut used[at], true) => {
                    let text = format!("`{}` is given twice", names[at]);
                    return Err(refuse(self, &arg, text));
                }
                Some(at) if at < count => CellArg::Step(at),
                Some(at) => CellArg::State(at - count),
                None if mentions(&arg.to_token_stream(), &known) => {
                    let text = format!(
                        "what is computed of a step stands in the model: `{}` is given as it is",
                        text_of(&arg)
                    );
                    return Err(refuse(self, &arg, text));
                }
                None => CellArg::Around(self.one(&arg)?),
            });
        }
        if let Some(at) = used.iter().position(|used| !used) {
            let text = format!("a step makes no use of `{}`", names[at]);
            return Err(refuse(self, &names[at], text));
        }
        cell.given = Some(given);
        Ok(cell)
    }

    /// `self.cell`, `self.cells[0]`, `self.cell.step`: the model and the function.
    fn cell(&mut self, expr: &Expr) -> Option<Lowering<Cell<'a>>> {
        let found = self.whole_cell(expr);
        let (found, function) = match (found, expr) {
            (Some(found), _) => (found, Ident::new("forward", expr.span())),
            (None, Expr::Field(field)) => {
                let syn::Member::Named(function) = &field.member else { return None };
                (self.whole_cell(&field.base)?, function.clone())
            }
            _ => return None,
        };
        Some(found.map(|(place, ty)| Cell { place, ty, function, given: None }))
    }

    fn whole_cell(&mut self, expr: &Expr) -> Option<Lowering<(Place, &'a Type)>> {
        match self.nested_model(expr) {
            Some((field, ty)) => Some(Ok((Place { field, element: None }, ty))),
            None => self.model_element(expr),
        }
    }

    /// The lengths of the samples' sequences.
    pub fn check_lengths(&mut self, lengths: ValueId, batch: &Dim, steps: &Dim) -> Lowering<()> {
        let found = self.graph.ty(lengths).clone();
        let expected = Ty { shape: Shape(vec![batch.clone()]), kind: Kind::Classes };
        if found.kind == Kind::Classes && self.rule.equal_shapes(&found.shape, &expected.shape) {
            return Ok(());
        }
        let text = format!("expects `lengths` {expected} but receives {found}");
        let help = format!("whole numbers from 0 to {steps}, one for each sample");
        Err(self.refuse(Mismatch::new(text).help(help), Some(lengths)))
    }
}

/// The first two axes the other way round.
fn turned(rank: usize) -> Vec<usize> {
    [1, 0].into_iter().chain(2..rank).collect()
}
