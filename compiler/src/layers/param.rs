//! `Param` and `Buffer`: tensors of the user's own.

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::{Expr, Path};

use super::{Build, Layer};
use crate::diagnostics::Diagnostic;
use crate::dim::Shape;
use crate::graph::ValueId;
use crate::lower::{
    FnCx, Lowering, Options, Param, ParamInit, Range, Scope, State, StateInit, TOO_LARGE,
    is_too_large, number, text_of,
};
use crate::ops::elementwise::Constant;
use crate::syntax::LayerDecl;
use crate::vocabulary::{Domain, Example, Input, OptionRow};

const SHAPE: OptionRow = OptionRow::new("shape", Domain::Other("a list of sizes"), "SHAPE");
const INIT: OptionRow = OptionRow::new(
    "init",
    Domain::Other("`zeros`, `ones`, `constant(x)`, `normal(mean, std)` or `uniform(low, high)`"),
    "INIT",
);

pub(super) const PARAM: Layer = Layer {
    input: Input::Nothing,
    calls: &[],
    options: &[SHAPE, INIT.or("`normal(0.0, 0.02)`")],
    params: "the parameter itself, under the name of the field",
    shapes: "→ a value of `shape`, used as `self.name`",
    formula: "a parameter of your own",
    source: "torch.nn.parameter.Parameter",
    example: Example::layer(
        "Param([64], init = ones)",
        "x: [batch, 64]) -> [batch, 64] { x * self.layer }",
    ),
    ..Layer::new("Param", Build::Value(param))
};

pub(super) const BUFFER: Layer = Layer {
    input: Input::Nothing,
    calls: &[],
    options: &[SHAPE, INIT.or("`zeros`")],
    params: "the buffer itself, a part of the state, under the name of the field",
    shapes: "→ a value of `shape`, used as `self.name`",
    formula: "numbers that the program sets and no training changes",
    source: "torch.nn.parameter.Buffer",
    example: Example::layer("Buffer([64])", "x: [batch, 64]) -> [batch, 64] { x - self.layer }"),
    ..Layer::new("Buffer", Build::Value(buffer))
};

/// Whether `path` names a buffer.
pub fn is_buffer(path: &Path) -> bool {
    super::find(path).is_some_and(|layer| layer.name == BUFFER.name)
}

/// `self.position`: the value of a field that is declared as a parameter or a buffer.
pub fn value(cx: &mut FnCx, field: usize, decl: &LayerDecl) -> Lowering<ValueId> {
    match super::find(&decl.path).map(|layer| layer.build) {
        Some(Build::Value(value)) => value(cx, field, decl),
        _ => panic!("bug: a layer is no value"),
    }
}

/// `Param([64, 128], init = normal(0.0, 0.02))`
fn param(cx: &mut FnCx, field: usize, decl: &LayerDecl) -> Lowering<ValueId> {
    let (shape, init) = shape_and_init(cx, &PARAM, decl)?;
    let (init, tied) = (ParamInit::Init(init), Vec::new());
    let param = Param { name: String::new(), shape, init, tied };
    Ok(cx.field_param(field, param))
}

/// `Buffer([24], init = ones)`
fn buffer(cx: &mut FnCx, field: usize, decl: &LayerDecl) -> Lowering<ValueId> {
    let (shape, init) = shape_and_init(cx, &BUFFER, decl)?;
    let state = State { name: String::new(), shape, init: StateInit::Buffer(init) };
    Ok(cx.field_buffer(field, state))
}

/// The shape of a parameter or a buffer, and an `Init` of the runtime.
fn shape_and_init(cx: &mut FnCx, row: &Layer, decl: &LayerDecl) -> Lowering<(Shape, TokenStream)> {
    let mut options = Options::new(row.name, decl.span, decl.args.clone(), row.options);
    let Some(Expr::Array(array)) = options.take("shape") else {
        let error = Diagnostic::new(decl.span, format!("`{}` needs a shape", row.name));
        return Err(cx.model.report(error.help(format!("write `{}([64, 128])`", row.name))));
    };
    let dims: Vec<_> = array.elems.iter().cloned().collect();
    let scope = Scope { run_time: false, ..cx.scope() };
    let shape = crate::lower::shape(&dims, &scope);
    let shape = cx.ok(shape)?;
    for (size, written) in shape.0.iter().zip(&dims) {
        cx.at_least(size.clone(), 1, "a size", syn::spanned::Spanned::span(written))?;
    }
    cx.few_axes(&shape, decl.span)?;
    if is_too_large(&shape) {
        return Err(cx.model.report(Diagnostic::over(&array, TOO_LARGE)));
    }
    cx.rule.span = syn::spanned::Spanned::span(&array);
    let is_param = row.name == PARAM.name;
    let what = if is_param { "parameter" } else { "buffer" };
    cx.rule.defer_memory(&shape, || format!("a {what} of shape {shape}"));
    let init = match options.take("init") {
        None if !is_param => quote!(__private::Init::Zeros),
        init => param_init(cx, init.as_ref())?,
    };
    let finished = options.finish();
    cx.ok(finished)?;
    Ok((shape, init))
}

/// `zeros`, `ones`, `constant(0.5)`, `normal(0.0, 0.02)`, `uniform(-0.1, 0.1)`
pub(super) fn param_init(cx: &mut FnCx, init: Option<&Expr>) -> Lowering<TokenStream> {
    let room = quote!(__private::Init);
    let Some(init) = init else {
        return Ok(quote!(#room::Normal { mean: 0.0, std: 0.02 }));
    };
    let (name, args) = match init {
        Expr::Call(call) => (text_of(&call.func), call.args.iter().collect()),
        other => (text_of(other), Vec::new()),
    };
    let initialiser = name.clone();
    let mut given = |arg: &Expr, name: &str, range| in_range(cx, arg, (name, &initialiser), range);
    match (name.as_str(), args.as_slice()) {
        ("zeros", []) => Ok(quote!(#room::Zeros)),
        ("ones", []) => Ok(quote!(#room::Ones)),
        ("constant", [value]) => {
            let value = given(value, "value", Range::Any)?;
            Ok(quote!(#room::Constant(#value)))
        }
        ("normal", [mean, std]) => {
            let mean = given(mean, "mean", Range::Any)?;
            let std = given(std, "std", Range::NotNegative)?;
            Ok(quote!(#room::Normal { mean: #mean, std: #std }))
        }
        ("uniform", [from, to]) => {
            let low = given(from, "low", Range::Any)?;
            let high = given(to, "high", Range::Any)?;
            if let (Some(Constant::Literal(low)), Some(Constant::Literal(high))) =
                (number(from), number(to))
                && low > high
            {
                let text = format!("`uniform` draws from {low} to {high}, which is below");
                return Err(cx.model.report(Diagnostic::over(init, text)));
            }
            Ok(quote!(#room::Uniform { low: #low, high: #high }))
        }
        _ => {
            let text = format!("no initialiser `{}`", text_of(init));
            let error = Diagnostic::over(init, text);
            let help = "there are `zeros`, `ones`, `constant(x)`, `normal(mean, std)` and \
                `uniform(low, high)`";
            Err(cx.model.report(error.help(help)))
        }
    }
}

/// An argument as an `f32`; what is no number of ours is an expression for rustc.
fn in_range(cx: &mut FnCx, arg: &Expr, name: (&str, &str), range: Range) -> Lowering<TokenStream> {
    match number(arg) {
        Some(constant) => match cx.in_range(constant, arg, Some(name), range)? {
            Constant::Literal(value) => {
                let value = Literal::f32_suffixed(value as f32);
                Ok(quote!(#value))
            }
            _ => Ok(quote!(#arg)),
        },
        None => Ok(quote!(#arg)),
    }
}
