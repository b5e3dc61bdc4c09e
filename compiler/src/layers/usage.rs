//! What the layers share: their options, their parameters and the check of their input.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Expr;

use super::Place;
use crate::diagnostics::Diagnostic;
use crate::dim::{Compared, Dim, Shape};
use crate::graph::{Source, ValueId};
use crate::lower::{
    FnCx, Lowering, Options, Param, ParamInit, Scope, TOO_LARGE, dim, is_self, is_too_large,
};
use crate::ops::Mismatch;
use crate::ops::elementwise::Elementwise;
use crate::ops::matmul::{Layout, Matmul};
use crate::syntax::{Arg, Written, sides};
use crate::text::text_of;

/// A layer at one of its uses.
pub struct Use<'l, 'a, 'm> {
    pub cx: &'l mut FnCx<'a, 'm>,
    pub place: Place,
    pub options: Options,
    /// The options of the call.
    pub call: Options,
    pub written: Written,
    pub x: ValueId,
    /// The inputs behind the first.
    pub others: Vec<ValueId>,
}

impl Use<'_, '_, '_> {
    pub(super) fn dim(&mut self, expr: &Expr) -> Lowering<Dim> {
        let scope = Scope { run_time: false, ..self.cx.scope() };
        let dim = dim(expr, &scope);
        let (dim, what) = (self.cx.ok(dim)?, format!("a size of `{}`", self.cx.rule.subject));
        self.cx.at_least(dim, 1, &what, first_span(expr))
    }

    /// A parameter of the layer.
    pub fn param(&mut self, name: &str, shape: Vec<Dim>, init: TokenStream) -> ValueId {
        if is_too_large(&Shape(shape.clone())) {
            let (owner, span) = (self.cx.rule.subject.clone(), self.cx.rule.span);
            let text =
                format!("the `{name}` of `{owner}` is {}: {TOO_LARGE}", Shape(shape.clone()));
            self.cx.model.report(Diagnostic::new(span, text));
        }
        let (owner, shape) = (self.cx.rule.subject.clone(), Shape(shape));
        self.cx.rule.defer_memory(&shape, || format!("the `{name}` of `{owner}` is {shape}"));
        let param = Param {
            name: self.place.tensor(name),
            shape,
            init: ParamInit::Init(init),
            tied: Vec::new(),
        };
        self.cx.field_param(self.place.field, param)
    }

    /// The weight of another layer, `self.token`, used as this one's.
    pub(super) fn tied(&mut self, owner: &Expr, shape: &[Dim]) -> Lowering<ValueId> {
        let name = match owner {
            Expr::Path(path) => path.path.get_ident().cloned(),
            Expr::Field(field) if is_self(&field.base) => match &field.member {
                syn::Member::Named(name) => Some(name.clone()),
                syn::Member::Unnamed(_) => None,
            },
            _ => None,
        };
        let Some(name) = name else {
            let error = Diagnostic::over(owner, "`tied` names the layer whose weight is shared");
            return Err(self.cx.model.report(error.help("write `tied = self.token`")));
        };
        let Some(field) = self.cx.model.field(&name.to_string()) else {
            return Err(self.cx.unknown_member(&name));
        };
        let mut params = self.cx.model.params.iter_mut();
        let Some((_, weight)) = params.find(|(f, param)| *f == field && param.name == "weight")
        else {
            let text = format!("`{name}` has made no weight up to here");
            let help = format!("call `self.{name}` before `self.{}`", self.cx.rule.subject);
            return Err(self.cx.model.report(Diagnostic::over(owner, text).help(help)));
        };
        if !weight.tied.contains(&self.place.field) {
            weight.tied.push(self.place.field);
        }
        let (weight, needed) = (weight.clone(), Shape(shape.to_vec()));
        if !self.cx.rule.equal_shapes(&needed, &weight.shape) {
            let text = format!("needs a weight {needed}, but that of `{name}` is {}", weight.shape);
            self.cx.rule.span = first_span(owner);
            return Err(self.cx.refuse(Mismatch::new(text), Some(self.x)));
        }
        Ok(self.cx.field_param(field, weight))
    }

    pub fn op(
        &mut self,
        op: impl crate::ops::Op + 'static,
        inputs: &[ValueId],
    ) -> Lowering<ValueId> {
        self.cx.op(op, inputs)
    }

    /// `x wᵀ + b`
    pub(super) fn affine(
        &mut self,
        x: ValueId,
        weight: ValueId,
        bias: Option<ValueId>,
    ) -> Lowering<ValueId> {
        let y = self.op(Matmul(Layout::NT), &[x, weight])?;
        match bias {
            Some(bias) => self.op(Elementwise::new("add"), &[y, bias]),
            None => Ok(y),
        }
    }

    /// An option of the declaration that is `true` or `false`.
    pub(super) fn flag(&mut self, name: &'static str) -> Lowering<bool> {
        self.cx.flag_option(&mut self.options, name)
    }

    /// The written input and output sizes; the input is `found` when it is left out.
    pub(super) fn sizes(&mut self, axis: usize, what: &str) -> Lowering<(Dim, Dim)> {
        let found = self.cx.graph.ty(self.x).clone();
        self.with_arrow();
        let (from, to) = match self.options.sizes() {
            Ok(sizes) => sizes,
            Err(error) => return Err(self.cx.model.report(error)),
        };
        let output = self.dim(&to)?;
        let dims = found.dims();
        let actual = dims[axis].clone();
        let Some(from) = from else {
            if actual.is_run_time() {
                let text = format!("cannot take its input size from {found}");
                return Err(self.cx.refuse(Mismatch::new(text), Some(self.x)));
            }
            return Ok((actual, output));
        };
        let (name, rest) = (self.options.owner.clone(), self.options.args.clone());
        let written = self.written;
        let input = self.input(&from, axis, what, |actual| {
            written.layer(&name, &[actual, &output].map(|size| written.size(size)), &rest)
        })?;
        Ok((input, output))
    }

    /// Reads `784 > 128` and its like as sizes, and says how these are written.
    fn with_arrow(&mut self) {
        let args = &mut self.options.args;
        let is_alone = !matches!(args.get(1), Some(Arg::Value(_)));
        let Some(Arg::Value(first)) = args.first().filter(|_| is_alone) else { return };
        let Some((from, to)) = sides(first) else { return };
        let text = format!("the sizes of `{}` have an arrow between them", self.options.owner);
        let written = format!("{} -> {}", text_of(from), text_of(to));
        let error = Diagnostic::over(first, text).write(first, written);
        let sizes = Arg::Sizes(from.clone(), to.clone());
        args[0] = sizes;
        self.cx.model.report(error);
    }

    /// The written input size `from`, compared with that of the value; what `fixed` writes is the
    /// help where they differ.
    pub(super) fn input(
        &mut self,
        from: &Expr,
        axis: usize,
        what: &str,
        fixed: impl FnOnce(&Dim) -> String,
    ) -> Lowering<Dim> {
        let found = self.cx.graph.ty(self.x).clone();
        let (input, actual) = (self.dim(from)?, found.dims()[axis].clone());
        let mut expected = found.clone();
        expected.shape.0[axis] = input.clone();
        match input.compare(&actual) {
            Compared::Same => {}
            Compared::Unknown => {
                let name = self.cx.rule.subject.clone();
                let message = format!("`{name}` expects {expected} but receives {found}");
                self.cx.rule.span = first_span(from);
                self.cx.rule.defer(input.clone(), actual, message);
            }
            Compared::Different if self.is_meant_otherwise(&input, axis)? => {}
            Compared::Different => {
                let source = self.source(axis);
                self.cx.rule.span = first_span(from);
                let text = format!("expects {expected} but receives {found}");
                let plural = if actual.is_one() { "" } else { "s" };
                if actual.is_run_time() {
                    let help = format!(
                        "{source} {actual} {what}{plural}, which only a run knows; the sizes of a \
                         layer are constants"
                    );
                    self.cx.refuse(Mismatch::new(text).help(help), Some(self.x));
                    return Ok(input);
                }
                let fixed = fixed(&actual);
                let help = format!("{source} {actual} {what}{plural}; write `{fixed}` here");
                let error = Mismatch::new(text).help(help);
                self.cx.refuse(error, Some(self.x));
                // What follows is checked as if the help had been taken.
                return Ok(actual);
            }
        }
        Ok(input)
    }

    /// The step that made this axis what it is, behind steps that keep it: `` `fc1` makes ``.
    fn source(&self, axis: usize) -> String {
        let graph = &self.cx.graph;
        let mut value = self.x;
        while let Some(from) = graph.values[value].from {
            let (now, before) = (graph.ty(value), graph.ty(from));
            if now.shape.rank() != before.shape.rank() || now.dims()[axis] != before.dims()[axis] {
                break;
            }
            value = from;
        }
        let source = &graph.values[value];
        let verb = if matches!(source.source, Source::Arg(_)) { "has" } else { "makes" };
        format!("`{}` {verb}", source.label)
    }
}

pub(super) fn first_span(expr: &Expr) -> proc_macro2::Span {
    syn::spanned::Spanned::span(expr)
}

/// PyTorch's default for `Linear` and `Conv2d`: `U(−1/√fan_in, 1/√fan_in)`, which is Kaiming's
/// uniform distribution with `a = √5`.
pub(super) fn default_init(fan_in: &Dim) -> TokenStream {
    let fan_in = fan_in.tokens();
    quote!(__private::Init::KaimingUniform { fan_in: #fan_in, a: 2.236_068 })
}
