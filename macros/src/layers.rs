//! The layers: each one function that declares its parameters and builds its ops.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Expr, Path};

use crate::diagnostics::{Diagnostic, nearest};
use crate::dim::{Compared, Dim, Shape};
use crate::graph::{Source, Ty, ValueId};
use crate::lower::{
    FnCx, Lowering, Options, Param, ParamInit, Scope, State, StateInit, adaptive_avg_pool, dim,
    interpolate, methods_flatten, text_of,
};
use crate::ops::Mismatch;
use crate::ops::batch_norm::{self, BatchNorm};
use crate::ops::conv2d::{Conv2d, Pass, Window};
use crate::ops::elementwise::Elementwise;
use crate::ops::matmul::{Layout, Matmul};
use crate::ops::pool2d::{Pool, Pool2d};
use crate::ops::shaping::Reshape;
use crate::ops::softmax::Softmax;
use crate::syntax::{Arg, LayerDecl, parse_layer_type};

/// A layer at one of its uses.
pub struct Use<'l, 'a, 'm> {
    pub cx: &'l mut FnCx<'a, 'm>,
    field: usize,
    pub options: Options,
    /// Whether the layer is written as a type, `Linear<784, 128>`.
    is_type: bool,
    pub x: ValueId,
}

type Layer = fn(&mut Use) -> Lowering<ValueId>;

/// Name, whether it has parameters, and what it does.
const LAYERS: &[(&str, bool, Layer)] = &[
    ("Linear", true, linear),
    ("Conv2d", true, conv2d),
    ("ConvTranspose2d", true, conv_transpose2d),
    ("BatchNorm1d", true, |l| batch_norm(l, 1)),
    ("BatchNorm2d", true, |l| batch_norm(l, 2)),
    ("MaxPool2d", false, |l| pool(l, Pool::Max)),
    ("AvgPool2d", false, |l| pool(l, Pool::Avg)),
    ("AdaptiveAvgPool2d", false, |l| adaptive_avg_pool(l.cx, l.x, &mut l.options)),
    ("Upsample", false, |l| interpolate(l.cx, l.x, &mut l.options)),
    ("Flatten", false, |l| methods_flatten(l.cx, l.x, &mut l.options)),
    ("Relu", false, |l| l.activation("relu")),
    ("LeakyRelu", false, |l| l.activation("leaky_relu")),
    ("Elu", false, |l| l.activation("elu")),
    ("Gelu", false, |l| l.activation("gelu")),
    ("Silu", false, |l| l.activation("silu")),
    ("Sigmoid", false, |l| l.activation("sigmoid")),
    ("Tanh", false, |l| l.activation("tanh")),
    ("Softplus", false, |l| l.activation("softplus")),
    ("Softmax", false, |l| softmax(l, false)),
    ("LogSoftmax", false, |l| softmax(l, true)),
];

fn find(path: &Path) -> Option<&'static (&'static str, bool, Layer)> {
    let last = path.segments.last()?.ident.to_string();
    LAYERS.iter().find(|(name, ..)| *name == last)
}

/// Whether `path` names a layer of this library.
pub fn is_layer(path: &Path) -> bool {
    find(path).is_some()
}

pub fn has_params(path: &Path) -> bool {
    find(path).is_none_or(|(_, has_params, _)| *has_params)
}

/// `self.fc1(x)`
pub fn apply(cx: &mut FnCx, field: usize, decl: &LayerDecl, x: ValueId) -> Lowering<ValueId> {
    let Some((name, _, layer)) = find(&decl.path) else {
        let written = text_of(&decl.path);
        let error = Diagnostic::over(&decl.path, format!("no layer is named `{written}`"));
        let names = LAYERS.iter().map(|(name, ..)| *name).chain(["Param"]);
        let error = match nearest(&written, names) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => {
                let names: Vec<_> = LAYERS.iter().map(|(name, ..)| *name).collect();
                error
                    .help(format!(
                        "a model of your own is written without parentheses: `{written}`"
                    ))
                    .note(format!("layers: {} and Param", names.join(", ")))
            }
        };
        return Err(cx.model.report(error));
    };
    let options = Options::new(*name, decl.span, decl.args.clone());
    let mut layer_use = Use { cx, field, options, is_type: decl.is_type, x };
    let y = layer(&mut layer_use)?;
    let finished = layer_use.options.finish();
    cx.ok(finished)?;
    Ok(y)
}

/// Applies a layer to an input that fits its declaration, for its parameters.
pub fn declare(cx: &mut FnCx, field: usize, decl: &LayerDecl) {
    if decl.path.is_ident("Param") {
        let _ = param(cx, field, decl);
        return;
    }
    let input = match decl.args.first() {
        Some(Arg::Sizes(from, _) | Arg::Value(from)) => from,
        _ => return,
    };
    let Ok(channels) = dim(input, &Scope { run_time: false, ..cx.scope() }) else { return };
    let side = Dim::lit(1 << 12);
    let shape = match find(&decl.path) {
        Some(("Conv2d" | "ConvTranspose2d" | "BatchNorm2d", ..)) => {
            vec![Dim::lit(1), channels, side.clone(), side]
        }
        _ => vec![Dim::lit(1), channels],
    };
    let x = cx.graph.add_value(Ty::float(shape), Source::Arg(0), "x");
    let _ = apply(cx, field, decl, x);
}

/// How a layer is written.
pub fn example(path: &Path) -> String {
    let name = text_of(&path.segments.last().map(|last| &last.ident));
    let written = parse_layer_type(path).map(|layer| layer.args).unwrap_or_default();
    let written: Vec<_> = written.iter().map(ToString::to_string).collect();
    match (name.as_str(), written.as_slice()) {
        ("Linear" | "Conv2d" | "ConvTranspose2d", [from, to, rest @ ..]) => {
            let sizes = [format!("{from} -> {to}")].into_iter().chain(rest.iter().cloned());
            return format!("{name}({})", sizes.collect::<Vec<_>>().join(", "));
        }
        (_, [_, ..]) => return format!("{name}({})", written.join(", ")),
        (_, []) => {}
    }
    match name.as_str() {
        "Linear" => "Linear(784 -> 128)".into(),
        "Conv2d" => "Conv2d(1 -> 6, kernel = 5)".into(),
        "ConvTranspose2d" => "ConvTranspose2d(32 -> 16, kernel = 2, stride = 2)".into(),
        "BatchNorm1d" | "BatchNorm2d" => format!("{name}(64)"),
        "AdaptiveAvgPool2d" => format!("{name}(1)"),
        "MaxPool2d" | "AvgPool2d" | "Upsample" => format!("{name}(2)"),
        _ => format!("{name}()"),
    }
}

impl Use<'_, '_, '_> {
    fn dim(&mut self, expr: &Expr) -> Lowering<Dim> {
        let scope = Scope { run_time: false, ..self.cx.scope() };
        let dim = dim(expr, &scope);
        self.cx.ok(dim)
    }

    /// A parameter of the layer.
    pub fn param(&mut self, name: &str, shape: Vec<Dim>, init: TokenStream) -> ValueId {
        let param = Param { name: name.into(), shape: Shape(shape), init: ParamInit::Init(init) };
        self.cx.field_param(self.field, param)
    }

    pub fn op(
        &mut self,
        op: impl crate::ops::Op + 'static,
        inputs: &[ValueId],
    ) -> Lowering<ValueId> {
        self.cx.op(op, inputs)
    }

    fn flag(&mut self, name: &'static str, default: bool) -> Lowering<bool> {
        match self.options.take_named(name) {
            Some(expr) => self.cx.ok(Options::bool(&expr)),
            None => Ok(default),
        }
    }

    /// `momentum = 0.1`; `momentum = none` where all batches weigh the same.
    fn momentum(&mut self) -> Lowering<Option<f64>> {
        let is_none = |arg: &Arg| matches!(arg, Arg::Named(name, value) if name == "momentum" && text_of(value) == "none");
        let Some(at) = self.options.args.iter().position(is_none) else {
            return self.cx.literal_option(&mut self.options, "momentum", 0.1).map(Some);
        };
        self.options.args.remove(at);
        Ok(None)
    }

    fn activation(&mut self, func: &'static str) -> Lowering<ValueId> {
        self.cx.elementwise(self.x, func, &mut self.options)
    }

    /// The written input and output sizes; the input is `found` when it is left out.
    fn sizes(&mut self, axis: usize, what: &str) -> Lowering<(Dim, Dim)> {
        let found = self.cx.graph.ty(self.x).clone();
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
        let rest: String = self.options.args.iter().map(|arg| format!(", {arg}")).collect();
        let (name, is_type) = (self.options.owner.clone(), self.is_type);
        let input = self.input(&from, axis, what, |actual| match is_type {
            true => format!("{name}<{actual}, {output}{rest}>"),
            false => format!("{name}({actual} -> {output}{rest})"),
        })?;
        Ok((input, output))
    }

    /// The written input size `from`, compared with that of the value; what `fixed` writes is the
    /// help where they differ.
    fn input(
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
                let name = self.cx.rule.step.clone();
                let message = format!("`{name}` expects {expected} but receives {found}");
                self.cx.rule.span = first_span(from);
                self.cx.rule.defer(input.clone(), actual, message);
            }
            Compared::Different => {
                let source = self.source(axis);
                self.cx.rule.span = first_span(from);
                let text = format!("expects {expected} but receives {found}");
                let plural = if actual.is_one() { "" } else { "s" };
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

fn first_span(expr: &Expr) -> proc_macro2::Span {
    syn::spanned::Spanned::span(expr)
}

/// PyTorch's default for `Linear` and `Conv2d`: `U(−1/√fan_in, 1/√fan_in)`, which is Kaiming's
/// uniform distribution with `a = √5`.
fn default_init(fan_in: &Dim) -> TokenStream {
    let fan_in = fan_in.tokens();
    quote!(::gradiron::init::Init::KaimingUniform { fan_in: #fan_in, a: 2.236_068 })
}

/// `y = x wᵀ + b`: `x [.., I]  w [O, I]  b [O]  →  y [.., O]`
fn linear(l: &mut Use) -> Lowering<ValueId> {
    let rank = l.cx.graph.ty(l.x).shape.rank();
    if rank == 0 {
        let text = "expects [.., features] but receives []";
        let error = Mismatch::new(text).help("make an axis first: `x.reshape([1])`");
        return Err(l.cx.refuse(error, Some(l.x)));
    }
    let (input, output) = l.sizes(rank - 1, "feature")?;
    let w = l.param("weight", vec![output.clone(), input.clone()], default_init(&input));
    let y = l.op(Matmul(Layout::NT), &[l.x, w])?;
    if !l.flag("bias", true)? {
        return Ok(y);
    }
    let b = l.param("bias", vec![output], default_init(&input));
    l.op(Elementwise::new("add"), &[y, b])
}

/// `x [N, C, H, W]  w [O, C/groups, kh, kw]  b [O]  →  y [N, O, H', W']`
fn conv2d(l: &mut Use) -> Lowering<ValueId> {
    crate::lower::image(l.cx, l.x)?;
    let (input, output) = l.sizes(1, "channel")?;
    let mut x = l.cx.graph.ty(l.x).shape.0.clone();
    x[1] = input.clone();
    let kernel = l.cx.pair_option(&mut l.options, "kernel", None)?;
    let one = [Dim::lit(1), Dim::lit(1)];
    let window = window(l.cx, &mut l.options, kernel, one, true)?;
    let (groups, [per_group, _]) = groups(l, &input, &output)?;
    let [kh, kw] = window.kernel.clone();
    let shape = vec![output.clone(), per_group, kh, kw];
    let fan_in = crate::dim::product(&shape[1..]);
    let w = l.param("weight", shape.clone(), default_init(&fan_in));
    let op = Conv2d { pass: Pass::Forward, window, groups, x, w: shape };
    let y = l.op(op, &[l.x, w])?;
    plane_bias(l, y, output, &fan_in)
}

/// `x [N, C, H, W]  w [C, O/groups, kh, kw]  b [O]  →  y [N, O, H', W']`: the transposed map of
/// the convolution from `y` to `x`.
fn conv_transpose2d(l: &mut Use) -> Lowering<ValueId> {
    let x = crate::lower::image(l.cx, l.x)?;
    let (input, output) = l.sizes(1, "channel")?;
    let kernel = l.cx.pair_option(&mut l.options, "kernel", None)?;
    let one = [Dim::lit(1), Dim::lit(1)];
    let window = window(l.cx, &mut l.options, kernel, one, true)?;
    let zero = [Dim::lit(0), Dim::lit(0)];
    let padding = l.cx.pair_option(&mut l.options, "output_padding", Some(zero))?;
    let (groups, [_, per_group]) = groups(l, &input, &output)?;
    let mut y = vec![x[0].clone(), output.clone()];
    for (axis, padding) in padding.iter().enumerate() {
        y.push(transposed_size(l, &window, axis, &x[2 + axis], padding)?);
    }
    let [kh, kw] = window.kernel.clone();
    let shape = vec![input, per_group, kh, kw];
    let fan_in = crate::dim::product(&shape[1..]);
    let w = l.param("weight", shape.clone(), default_init(&fan_in));
    let op = Conv2d { pass: Pass::InputGrad, window, groups, x: y, w: shape };
    let y = l.op(op, &[l.x, w])?;
    plane_bias(l, y, output, &fan_in)
}

/// `(size − 1)·stride − 2·padding + dilation·(kernel − 1) + output_padding + 1` (PyTorch's
/// `ConvTranspose2d`).
fn transposed_size(
    l: &mut Use,
    window: &Window,
    axis: usize,
    size: &Dim,
    output_padding: &Dim,
) -> Lowering<Dim> {
    let one = Dim::lit(1);
    let (stride, padding) = (&window.stride[axis], &window.padding[axis]);
    let reach = window.dilation[axis].times(&window.kernel[axis].minus(&one));
    let spread = size.minus(&one).times(stride).plus(&reach).plus(output_padding).plus(&one);
    let made = spread.minus(&padding.times(&Dim::lit(2)));
    let mismatch = match (stride.as_lit(), output_padding.as_lit()) {
        (Some(0), _) => Mismatch::new("has stride 0").help("strides start at 1"),
        (Some(stride), Some(extra)) if extra >= stride => {
            let text =
                format!("has output padding {extra}, which is not below its stride {stride}");
            Mismatch::new(text).help(format!("write `output_padding = {}` or less", stride - 1))
        }
        _ if made.atoms().next().is_none() && made.as_lit().is_none_or(|made| made == 0) => {
            Mismatch::new(format!("cuts a padding of {padding} off {spread} on both sides"))
                .help("use less padding or a larger kernel")
        }
        _ => {
            // The convolution from the output has to come back to the input.
            let back = window.output(axis, &made);
            let back = back.map_err(|mismatch| l.cx.refuse(mismatch, Some(l.x)))?;
            if l.cx.rule.equal(&back, size) {
                return Ok(made);
            }
            Mismatch::new("needs an output padding below its stride")
        }
    };
    Err(l.cx.refuse(mismatch, Some(l.x)))
}

/// The option `groups`, and the input and output channels of one group.
fn groups(l: &mut Use, input: &Dim, output: &Dim) -> Lowering<(Dim, [Dim; 2])> {
    let groups = match l.options.take_named("groups") {
        Some(expr) => {
            l.cx.rule.span = first_span(&expr);
            l.dim(&expr)?
        }
        None => Dim::lit(1),
    };
    let mut split = |what: &str, channels: &Dim| match (channels.as_lit(), groups.as_lit()) {
        (Some(n), Some(g)) if n % g != 0 => {
            let text = format!("cannot split {n} {what} channels into {g} groups");
            Err(l.cx.refuse(Mismatch::new(text), Some(l.x)))
        }
        _ => channels.floor_divided_by(&groups).ok_or_else(|| {
            let text = format!("cannot split {channels} {what} channels into {groups} groups");
            l.cx.refuse(Mismatch::new(text), Some(l.x))
        }),
    };
    let each = [split("input", input)?, split("output", output)?];
    Ok((groups, each))
}

/// Adds the option `bias`, one number for each plane.
fn plane_bias(l: &mut Use, y: ValueId, channels: Dim, fan_in: &Dim) -> Lowering<ValueId> {
    if !l.flag("bias", true)? {
        return Ok(y);
    }
    let b = l.param("bias", vec![channels.clone()], default_init(fan_in));
    let planes = Shape(vec![channels, Dim::lit(1), Dim::lit(1)]);
    let b = l.op(Reshape(planes), &[b])?;
    l.op(Elementwise::new("add"), &[y, b])
}

/// `x [N, C]` or `[N, C, L]` in one dimension, `[N, C, H, W]` in two; `w [C]  b [C]`, and the running
/// statistics.
fn batch_norm(l: &mut Use, dimensions: usize) -> Lowering<ValueId> {
    let found = l.cx.graph.ty(l.x).clone();
    match (dimensions, found.shape.rank()) {
        (1, 2 | 3) => {}
        (1, _) => {
            let text = format!("expects [batch, channels] but receives {found}");
            let help = if found.shape.rank() == 4 { "images go through `BatchNorm2d`" } else { "" };
            let error = Mismatch { message: text, help: (!help.is_empty()).then(|| help.into()) };
            return Err(l.cx.refuse(error, Some(l.x)));
        }
        _ => drop(crate::lower::image(l.cx, l.x)?),
    }
    let channels = match l.options.take("channels") {
        Some(from) => {
            let rest: String = l.options.args.iter().map(|arg| format!(", {arg}")).collect();
            let (name, is_type) = (l.options.owner.clone(), l.is_type);
            l.input(&from, 1, "channel", |actual| match is_type {
                true => format!("{name}<{actual}{rest}>"),
                false => format!("{name}({actual}{rest})"),
            })?
        }
        None => found.dims()[1].clone(),
    };
    let eps = l.cx.literal_option(&mut l.options, "eps", 1e-5)?;
    let momentum = l.momentum()?;
    let (affine, track) = (l.flag("affine", true)?, l.flag("track_running_stats", true)?);
    let mut inputs = vec![l.x];
    if affine {
        let init = quote!(::gradiron::init::Init);
        inputs.push(l.param("weight", vec![channels.clone()], quote!(#init::Ones)));
        inputs.push(l.param("bias", vec![channels.clone()], quote!(#init::Zeros)));
    }
    let mut state = Vec::new();
    if track {
        for (name, shape, init) in [
            ("running_mean", vec![channels.clone()], StateInit::Value(0.0)),
            ("running_var", vec![channels.clone()], StateInit::Value(1.0)),
            ("num_batches_tracked", Vec::new(), StateInit::Count),
        ] {
            let tensor = State { name: name.into(), shape: Shape(shape), init };
            let (index, value) = l.cx.field_state(l.field, tensor);
            state.push(index);
            inputs.push(value);
        }
    }
    let op = BatchNorm(batch_norm::Options { eps, momentum, affine, track });
    let outputs = l.cx.ops(op, &inputs)?;
    let new_state = &outputs[outputs.len() - state.len()..];
    l.cx.state.extend(state.into_iter().zip(new_state.iter().copied()));
    Ok(outputs[0])
}

fn pool(l: &mut Use, pool: Pool) -> Lowering<ValueId> {
    let x = crate::lower::image(l.cx, l.x)?;
    let kernel = l.cx.pair_option(&mut l.options, "kernel", None)?;
    let window = window(l.cx, &mut l.options, kernel.clone(), kernel, pool == Pool::Max)?;
    l.op(Pool2d { pool, window, x }, &[l.x])
}

fn softmax(l: &mut Use, log: bool) -> Lowering<ValueId> {
    let rank = l.cx.graph.ty(l.x).shape.rank();
    let axis = match l.options.take("dim") {
        Some(expr) => l.cx.ok(Options::axis(&expr, rank))?,
        None if rank > 0 => rank - 1,
        None => {
            let text = "needs an axis, but receives []";
            return Err(l.cx.refuse(Mismatch::new(text), Some(l.x)));
        }
    };
    l.op(Softmax { log, grad: false, axis }, &[l.x])
}

/// The steps of a window, in PyTorch's order: stride, padding, dilation.
pub fn window(
    cx: &mut FnCx,
    options: &mut Options,
    kernel: [Dim; 2],
    stride: [Dim; 2],
    dilates: bool,
) -> Lowering<Window> {
    let stride = cx.pair_option(options, "stride", Some(stride))?;
    let padding = cx.pair_option(options, "padding", Some([Dim::lit(0), Dim::lit(0)]))?;
    let one = [Dim::lit(1), Dim::lit(1)];
    let dilation = if dilates { cx.pair_option(options, "dilation", Some(one))? } else { one };
    Ok(Window { kernel, stride, padding, dilation })
}

/// `self.position`: the value of `Param([64, 128], init = normal(0.0, 0.02))`.
pub fn param(cx: &mut FnCx, field: usize, decl: &LayerDecl) -> Lowering<ValueId> {
    let mut options = Options::new("Param", decl.span, decl.args.clone());
    let Some(Expr::Array(array)) = options.take("shape") else {
        let error = Diagnostic::new(decl.span, "`Param` needs a shape");
        return Err(cx.model.report(error.help("write `Param([64, 128])`")));
    };
    let dims: Vec<_> = array.elems.iter().cloned().collect();
    let scope = Scope { run_time: false, ..cx.scope() };
    let shape = crate::lower::shape(&dims, &scope);
    let shape = cx.ok(shape)?;
    let init = options.take("init");
    let init = param_init(init.as_ref());
    let init = cx.ok(init)?;
    let finished = options.finish();
    cx.ok(finished)?;
    let param = Param { name: String::new(), shape, init: ParamInit::Init(init) };
    Ok(cx.field_param(field, param))
}

/// `zeros`, `ones`, `constant(0.5)`, `normal(0.0, 0.02)`, `uniform(-0.1, 0.1)`
fn param_init(init: Option<&Expr>) -> Result<TokenStream, Diagnostic> {
    let room = quote!(::gradiron::init::Init);
    let Some(init) = init else {
        return Ok(quote!(#room::Normal { mean: 0.0, std: 0.02 }));
    };
    let (name, args) = match init {
        Expr::Call(call) => (text_of(&call.func), call.args.iter().collect()),
        other => (text_of(other), Vec::new()),
    };
    match (name.as_str(), args.as_slice()) {
        ("zeros", []) => Ok(quote!(#room::Zeros)),
        ("ones", []) => Ok(quote!(#room::Ones)),
        ("constant", [value]) => Ok(quote!(#room::Constant(#value))),
        ("normal", [mean, std]) => Ok(quote!(#room::Normal { mean: #mean, std: #std })),
        ("uniform", [low, high]) => Ok(quote!(#room::Uniform { low: #low, high: #high })),
        _ => Err(Diagnostic::over(init, format!("no initialiser `{}`", text_of(init))).help(
            "there are `zeros`, `ones`, `constant(x)`, `normal(mean, std)` and `uniform(low, high)`",
        )),
    }
}
