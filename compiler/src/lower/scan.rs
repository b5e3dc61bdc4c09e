//! `scan(self.cell, x, h)`: a model for each step of a sequence.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::{Expr, Type};

use super::functions::{Build, Function};
use super::{FnCx, Lowering, Options, text_of};
use crate::diagnostics::Diagnostic;
use crate::dim::{Dim, Shape};
use crate::graph::{Asked, Callee, Kind, Reach, Ty, ValueId};
use crate::layers::Place;
use crate::ops::Mismatch;
use crate::ops::scan::Scan;
use crate::ops::shaping::Permute;
use crate::syntax::Arg;
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
            Domain::Other("the sizes of a step's result behind the batch"),
            "OUT",
        )
        .or("those of the first state"),
    ],
    shapes: "`x [batch, T, ..]` and first states `[batch, ..]` → `y [batch, T, ..]` and the last \
        states",
    formula: "(yₜ, hₜ) = cell(xₜ, hₜ₋₁) from the first element to the last, or back with `reverse`",
    source: "a loop over time, torch.ops.higher_order.scan; see the README",
    example: Example::layer(
        "Cell",
        "x: [batch, 50, 8], h: [batch, 32]) -> ([batch, 50, 32], [batch, 32]) \
         { scan(self.layer, x, h) }",
    ),
    ..Function::new("scan", Build::Free(USAGE, |cx, name, args| cx.scan(name, args)))
};

const USAGE: &str = "scan(self.cell, x, h)";

impl<'a> FnCx<'a, '_> {
    /// `y [batch, T, ..]` and the last states, from `x [batch, T, ..]` and the first states. The
    /// result of a step has the shape `out`, or that of the first state.
    pub fn scan(&mut self, name: &Ident, mut args: Vec<Arg>) -> Lowering<Vec<ValueId>> {
        let usage = format!("write `{USAGE}`");
        let cell = match args.first() {
            Some(Arg::Value(cell)) => self.cell(cell),
            _ => None,
        };
        let Some(cell) = cell else {
            let error = Diagnostic::new(name.span(), "`scan` needs a model that is a field");
            return Err(self.model.report(error.help(&usage)));
        };
        let (place, ty, function) = cell?;
        let cell = self.called(place);
        args.remove(0);
        let count = args.iter().take_while(|arg| matches!(arg, Arg::Value(_))).count();
        let values = self.arg_values(&args[..count])?;
        let rest = args[count..].to_vec();
        let mut options = Options::new(SCAN.name, name.span(), rest, SCAN.options);
        let lengths = options.take_named("lengths").map(|expr| self.one(&expr)).transpose()?;
        self.step(&cell, name.span());
        self.floats(&values)?;
        let [x, firsts @ ..] = &values[..] else {
            let error = Diagnostic::new(name.span(), "`scan` needs a sequence");
            return Err(self.model.report(error.help(&usage)));
        };
        if firsts.is_empty() {
            let text = "`scan` carries no state from step to step";
            let error = Diagnostic::new(name.span(), text);
            return Err(self.model.report(error.help(&usage)));
        }
        let found = self.graph.ty(*x).clone();
        let [batch, steps, rest @ ..] = found.dims() else {
            let text = format!("expects [batch, steps, ..] but receives {found}");
            return Err(self.refuse(Mismatch::new(text), Some(*x)));
        };
        if steps.is_run_time() {
            let text = format!("needs a fixed number of steps, but receives {found}");
            return Err(self.refuse(Mismatch::new(text), Some(*x)));
        }
        if let Some(lengths) = lengths {
            self.check_lengths(lengths, batch, steps)?;
        }
        let reverse = self.flag_option(&mut options, "reverse")?;
        let of_x = Ty::float([batch].into_iter().chain(rest).cloned().collect::<Vec<_>>());
        let states: Vec<Ty> = firsts.iter().map(|v| self.graph.ty(*v).clone()).collect();
        let given: Vec<Ty> = [of_x.clone()].iter().chain(&states).cloned().collect();
        let known = self.sibling_results(&cell, ty, &function, &given, &values)?;
        let known = known.and_then(|results| results.into_iter().next());
        let of_y = match options.take_named("out") {
            Some(Expr::Array(list)) => {
                let sizes: Vec<_> = list.elems.iter().collect();
                let mut dims = vec![batch.clone()];
                for size in sizes {
                    let scope = super::Scope { run_time: false, ..self.scope() };
                    let dim = super::dim(size, &scope);
                    let (dim, span) = (self.ok(dim)?, syn::spanned::Spanned::span(size));
                    dims.push(self.at_least(dim, 1, "a size of `out`", span)?);
                }
                Ty::float(dims)
            }
            Some(other) => {
                let text = "`out` lists the sizes of a step's result behind the batch";
                let error = Diagnostic::over(&other, text);
                return Err(self.model.report(error.help("write `out = [4]`")));
            }
            None => known.unwrap_or_else(|| states[0].clone()),
        };
        let finished = options.finish();
        self.ok(finished)?;
        let callee = Callee {
            id: self.calls,
            text: text_of(ty),
            model: ty.to_token_stream(),
            function,
            count: None,
            args: given,
            results: [of_y].iter().chain(&states).cloned().collect(),
            is_step: false,
            scans: true,
            frozen: self.is_frozen(place.field),
            asked: Asked { trains: true, reach: Reach::Params },
        };
        self.calls += 1;
        let (params, _, state) = self.callee_tensors(place, &callee);
        let (steps, lengthy) = (steps.clone(), lengths.is_some());
        let by_step = self.op(Permute(turned(found.shape.rank())), &[*x])?;
        let inputs: Vec<_> =
            [params, state, by_step].iter().chain(firsts).copied().chain(lengths).collect();
        let scan = Scan { callee, seq_len: steps, lengths: lengthy, reverse, next: false };
        let mut made = self.ops(scan, &inputs)?;
        made.truncate(1 + firsts.len());
        let rank = self.graph.ty(made[0]).shape.rank();
        made[0] = self.op(Permute(turned(rank)), &[made[0]])?;
        self.made(made[0], "scan", Some(*x));
        Ok(made)
    }

    /// `self.cell`, `self.cells[0]`, `self.cell.step`: the model and the function.
    fn cell(&mut self, expr: &Expr) -> Option<Lowering<(Place, &'a Type, Ident)>> {
        if let Some(found) = self.whole_cell(expr) {
            let function = Ident::new("forward", syn::spanned::Spanned::span(expr));
            return Some(found.map(|(place, ty)| (place, ty, function)));
        }
        let Expr::Field(field) = expr else { return None };
        let syn::Member::Named(function) = &field.member else { return None };
        let found = self.whole_cell(&field.base)?;
        Some(found.map(|(place, ty)| (place, ty, function.clone())))
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
