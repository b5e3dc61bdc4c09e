//! Methods of values: `x.relu()`, `x.max_pool2d(2)`, `x.sum(dim = 1)`.

use proc_macro2::Ident;

use super::call::options;
use super::{FnCx, Lowering, Options, Poison, Range, Scope, shape, text_of};
use crate::diagnostics::{Diagnostic, nearest};
use crate::dim::{Dim, Shape, product};
use crate::graph::ValueId;
use crate::layers::window;
use crate::ops::Mismatch;
use crate::ops::argmax::Argmax;
use crate::ops::bmm::Bmm;
use crate::ops::cumsum::Cumsum;
use crate::ops::dropout::Dropout;
use crate::ops::elementwise::{self, Constant, Elementwise};
use crate::ops::gather::Gather;
use crate::ops::interpolate::{Interpolate, Mode};
use crate::ops::matmul::{Layout, Matmul};
use crate::ops::narrow::Narrow;
use crate::ops::pool2d::{Pool, Pool2d};
use crate::ops::reduce::{Kind, Reduce};
use crate::ops::rotary::Rotary;
use crate::ops::shaping::{Permute, Reshape};
use crate::ops::softmax::Softmax;
use crate::syntax::Arg;

type Method = fn(&mut FnCx, ValueId, &mut Options) -> Lowering<ValueId>;

/// The methods that are not rows of the elementwise table. In the middle, the arguments as tests draw
/// them: capitals are what they put in, and `?` is behind what may be left out.
const METHODS: &[(&str, &str, Method)] = &[
    ("max_pool2d", "kernel = K, stride = K?, padding = P?, dilation = K?", |cx, x, o| {
        pool(cx, x, o, Pool::Max)
    }),
    ("avg_pool2d", "kernel = K, stride = K?, padding = P?", |cx, x, o| pool(cx, x, o, Pool::Avg)),
    ("adaptive_avg_pool2d", "output_size = K", adaptive_avg_pool),
    (
        "interpolate",
        "scale_factor = K, mode = nearest|bilinear?, align_corners = BOOL?",
        interpolate,
    ),
    ("flatten", "start_dim = AXIS?", flatten),
    ("reshape", "shape = SHAPE", reshape),
    ("squeeze", "dim = AXIS", squeeze),
    ("unsqueeze", "dim = AXIS?", unsqueeze),
    ("transpose", "dim0 = AXIS, dim1 = AXIS", transpose),
    ("permute", "dims = ORDER", permute),
    ("narrow", "dim = AXIS, start = INDEX, length = LENGTH", narrow),
    ("matmul", "other = FACTOR", matmul),
    ("select", "dim = AXIS, index = INDEX", select),
    ("gather", "dim = AXIS, index = INDICES", gather),
    ("masked_fill", "mask = VALUE, value = NUM", masked_fill),
    ("cumsum", "dim = AXIS", |cx, x, o| {
        let axis = cx.axis_option(x, o, "dim")?;
        cx.op(Cumsum { axis, reverse: false }, &[x])
    }),
    ("argmax", "dim = AXIS", |cx, x, o| {
        let axis = cx.axis_option(x, o, "dim")?;
        cx.op(Argmax { axis }, &[x])
    }),
    ("rotary", "dim = AXIS?, base = BASE?, interleaved = BOOL?", rotary),
    ("dropout", "p = PART?", dropout),
    ("sum", "dim = AXES?, keepdim = BOOL?", |cx, x, o| reduce(cx, x, o, Kind::Sum)),
    ("mean", "dim = AXES?, keepdim = BOOL?", |cx, x, o| reduce(cx, x, o, Kind::Mean)),
    ("amax", "dim = AXES?, keepdim = BOOL?", |cx, x, o| reduce(cx, x, o, Kind::Max)),
    ("amin", "dim = AXES?, keepdim = BOOL?", |cx, x, o| reduce(cx, x, o, Kind::Min)),
    ("softmax", "dim = AXIS", |cx, x, o| softmax(cx, x, o, false)),
    ("log_softmax", "dim = AXIS", |cx, x, o| softmax(cx, x, o, true)),
];

/// The methods that class indices have, too.
const SHAPING: &[&str] = &["flatten", "reshape", "squeeze", "unsqueeze"];

/// The names that both methods and functions answer to.
pub fn names() -> impl Iterator<Item = &'static str> {
    let rows = elementwise::ROWS.iter().map(|row| row.name);
    let rows = rows.filter(|name| !elementwise::INTERNAL.contains(name));
    rows.chain(METHODS.iter().map(|(name, ..)| *name))
}

/// The methods that are no rows of the elementwise table, with samples of their arguments.
pub fn samples() -> impl Iterator<Item = (&'static str, &'static str)> {
    METHODS.iter().map(|(name, sample, _)| (*name, *sample))
}

/// What PyTorch calls otherwise.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("view", "reshape"),
    ("pow", "powf"),
    ("max", "amax"),
    ("min", "amin"),
    ("mm", "matmul"),
    ("bmm", "matmul"),
    ("t", "transpose"),
    ("swish", "silu"),
    ("upsample", "interpolate"),
    ("concat", "cat"),
    ("concatenate", "cat"),
];

/// The operation that `name` is likely to stand for.
pub fn likely(name: &str) -> Option<&'static str> {
    let other = OTHER_NAMES.iter().find(|(other, _)| *other == name);
    other.map(|(_, ours)| *ours).or_else(|| nearest(name, names().chain(["cat"])))
}

impl FnCx<'_, '_> {
    pub fn method(&mut self, x: ValueId, name: &Ident, args: Vec<Arg>) -> Lowering<ValueId> {
        let text = name.to_string();
        self.step(&text, name.span());
        // Class indices have no arithmetic, but a shape.
        if !SHAPING.contains(&text.as_str()) {
            self.floats(&[x])?;
        }
        let mut options = options(name, args);
        let y = if let Some((.., method)) = METHODS.iter().find(|(known, ..)| *known == text) {
            method(self, x, &mut options)?
        } else if names().any(|known| known == text) {
            self.elementwise(x, &text, &mut options)?
        } else {
            return Err(self.unknown_method(name));
        };
        let finished = options.finish();
        self.ok(finished)?;
        self.made(y, &text, Some(x));
        Ok(y)
    }

    fn unknown_method(&mut self, name: &Ident) -> Poison {
        let error = Diagnostic::new(name.span(), format!("no operation is named `{name}`"));
        let error = match (self.model.field(&name.to_string()), likely(&name.to_string())) {
            (Some(_), _) => error.help(format!("the layer is called as `self.{name}(x)`")),
            (_, Some("cat")) => error.help("write `cat([a, b], 1)`"),
            (_, Some(near)) => error.help(format!("did you mean `{near}`?")),
            _ => {
                let names: Vec<_> = names().collect();
                error.note(format!("operations: {}", names.join(", ")))
            }
        };
        self.model.report(error)
    }

    /// `x.relu()`, `x.clamp(0.0, 6.0)`, `x.maximum(y)`
    pub fn elementwise(&mut self, x: ValueId, name: &str, o: &mut Options) -> Lowering<ValueId> {
        let row = elementwise::find(name).expect("the name is a row's");
        let mut inputs = vec![x];
        for _ in 1..row.grads.len() {
            let Some(expr) = o.take("other") else {
                let text = format!("`{name}` combines two values, but receives one");
                return Err(self.model.report(Diagnostic::new(o.span, text)));
            };
            inputs.push(self.one(&expr)?);
        }
        let mut constants = Vec::new();
        for (option, default, range) in row.constants {
            constants.push(self.number_option(o, option, *default, *range)?);
        }
        if let ("clamp", [Constant::Literal(low), Constant::Literal(high)]) = (name, &constants[..])
            && low > high
        {
            let text = format!("`clamp` has a `min` of {low} above its `max` of {high}");
            return Err(self.model.report(Diagnostic::new(o.span, text)));
        }
        self.step(name, o.span);
        self.floats(&inputs)?;
        self.op(Elementwise::with(row.name, constants), &inputs)
    }

    fn rank(&self, x: ValueId) -> usize {
        self.graph.ty(x).shape.rank()
    }

    /// `name`, an axis of `x`.
    fn axis_option(&mut self, x: ValueId, o: &mut Options, name: &'static str) -> Lowering<usize> {
        let (owner, rank) = (o.owner.clone(), self.rank(x));
        match o.take(name) {
            Some(expr) => self.ok(Options::axis(&expr, rank)),
            None => {
                let error = Diagnostic::new(o.span, format!("`{owner}` needs an axis"));
                Err(self.model.report(error.help(format!("write `{owner}({name} = 1)`"))))
            }
        }
    }
}

fn pool(cx: &mut FnCx, x: ValueId, o: &mut Options, pool: Pool) -> Lowering<ValueId> {
    let dims = image(cx, x)?;
    let kernel = cx.pair_option(o, "kernel", None, 1)?;
    let window = window(cx, o, kernel.clone(), kernel, pool == Pool::Max)?;
    cx.op(Pool2d { pool, window, x: dims }, &[x])
}

/// To `output_size` averages: windows that divide the image.
pub fn adaptive_avg_pool(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let dims = image(cx, x)?;
    let output = cx.pair_option(o, "output_size", None, 1)?;
    if output.iter().all(Dim::is_one) {
        let y = cx.op(Reduce { kind: Kind::Mean, axes: vec![2, 3] }, &[x])?;
        let [n, c, h, w] = [dims[0].clone(), dims[1].clone(), Dim::lit(1), Dim::lit(1)];
        return cx.op(Reshape(Shape(vec![n, c, h, w])), &[y]);
    }
    let mut kernel = Vec::new();
    for (size, output) in dims[2..].iter().zip(&output) {
        let Some(side) = size.divided_by(output) else {
            let text = format!("cannot cut {size} into {output} equal parts");
            let help = "the output size has to divide the height and the width";
            return Err(cx.refuse(Mismatch::new(text).help(help), Some(x)));
        };
        kernel.push(side);
    }
    let kernel = [kernel[0].clone(), kernel[1].clone()];
    let window = window(cx, o, kernel.clone(), kernel, false)?;
    cx.op(Pool2d { pool: Pool::Avg, window, x: dims }, &[x])
}

/// `scale_factor` times larger; `mode` is `nearest` or `bilinear`.
pub fn interpolate(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let dims = image(cx, x)?;
    let scale = cx.pair_option(o, "scale_factor", None, 1)?;
    let mode = o.take_named("mode");
    let corners = o.take_named("align_corners");
    let mode = match mode.as_ref().map(text_of).as_deref() {
        None | Some("nearest") => Mode::Nearest,
        Some("bilinear") => Mode::Bilinear,
        Some(other) => {
            let error = Diagnostic::over(&mode, format!("no mode `{other}`"));
            return Err(cx.model.report(error.help("there are `nearest` and `bilinear`")));
        }
    };
    let mode = match (mode, corners) {
        (mode, None) => mode,
        (Mode::Nearest, Some(expr)) => {
            let error = Diagnostic::over(&expr, "`align_corners` belongs to `mode = bilinear`");
            return Err(cx.model.report(error));
        }
        (mode, Some(expr)) => match cx.ok(Options::bool(&expr))? {
            true => Mode::BilinearCorners,
            false => mode,
        },
    };
    cx.op(Interpolate { mode, grad: false, scale, x: dims }, &[x])
}

/// The four sizes of a batch of images.
pub fn image(cx: &mut FnCx, x: ValueId) -> Lowering<Vec<Dim>> {
    let ty = cx.graph.ty(x).clone();
    if ty.shape.rank() == 4 {
        return Ok(ty.shape.0);
    }
    let text = format!("expects images [batch, channels, height, width] but receives {ty}");
    Err(cx.refuse(Mismatch::new(text), Some(x)))
}

/// From `start_dim` (1, PyTorch's `nn.Flatten`) on, one axis.
pub fn flatten(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let dims = cx.graph.ty(x).shape.0.clone();
    let start = match o.take("start_dim") {
        Some(expr) => cx.ok(Options::axis(&expr, dims.len()))?,
        None => 1,
    };
    if start >= dims.len() {
        return Ok(x);
    }
    let flat = [&dims[..start], &[product(&dims[start..])]].concat();
    cx.op(Reshape(Shape(flat)), &[x])
}

fn reshape(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let Some(expr) = o.take("shape") else {
        let error = Diagnostic::new(o.span, "`reshape` needs a shape");
        return Err(cx.model.report(error.help("write `reshape([batch, 4, 16])`")));
    };
    let syn::Expr::Array(array) = &expr else {
        let error = Diagnostic::over(&expr, "expected a shape such as `[batch, 4, 16]`");
        return Err(cx.model.report(error));
    };
    let dims: Vec<_> = array.elems.iter().cloned().collect();
    let shape = shape(&dims, &cx.scope());
    let shape = cx.ok(shape)?;
    cx.op(Reshape(shape), &[x])
}

fn squeeze(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let axis = cx.axis_option(x, o, "dim")?;
    let mut dims = cx.graph.ty(x).shape.0.clone();
    if !dims.remove(axis).is_one() {
        let text =
            format!("removes an axis of size 1, but axis {axis} of {} is not", cx.graph.ty(x));
        return Err(cx.refuse(Mismatch::new(text), Some(x)));
    }
    cx.op(Reshape(Shape(dims)), &[x])
}

fn unsqueeze(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let mut dims = cx.graph.ty(x).shape.0.clone();
    let axis = match o.take("dim") {
        Some(expr) => cx.ok(Options::axis(&expr, dims.len() + 1))?,
        None => 0,
    };
    dims.insert(axis, Dim::lit(1));
    cx.op(Reshape(Shape(dims)), &[x])
}

fn transpose(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let a = cx.axis_option(x, o, "dim0")?;
    let b = cx.axis_option(x, o, "dim1")?;
    let mut axes: Vec<_> = (0..cx.rank(x)).collect();
    axes.swap(a, b);
    cx.op(Permute(axes), &[x])
}

fn permute(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let rank = cx.rank(x);
    let Some(syn::Expr::Array(array)) = o.take("dims") else {
        let error = Diagnostic::new(o.span, "`permute` needs the order of the axes");
        return Err(cx.model.report(error.help("write `permute([0, 2, 1])`")));
    };
    let axes: Result<Vec<_>, _> = array.elems.iter().map(|e| Options::axis(e, rank)).collect();
    let axes = cx.ok(axes)?;
    cx.op(Permute(axes), &[x])
}

/// `length` elements along `dim` from `start` on, PyTorch's `narrow`.
fn narrow(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let axis = cx.axis_option(x, o, "dim")?;
    let size = cx.graph.ty(x).dims()[axis].clone();
    let (Some(start), Some(len)) = (o.take("start"), o.take("length")) else {
        let error = Diagnostic::new(o.span, "`narrow` needs a start and a length");
        return Err(cx.model.report(error.help("write `narrow(dim = 1, start = 0, length = 4)`")));
    };
    let start = cx.index(&start, &size)?;
    let len = crate::lower::dim(&len, &Scope { run_time: false, ..cx.scope() });
    let len = cx.ok(len)?;
    let len = cx.at_least(len, 1, "the `length` of `narrow`", o.span)?;
    cx.op(Narrow { axis, start, len }, &[x])
}

fn matmul(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let Some(expr) = o.take("other") else {
        let error = Diagnostic::new(o.span, "`matmul` needs a second matrix");
        return Err(cx.model.report(error.help("write `a.matmul(b)`")));
    };
    let b = cx.one(&expr)?;
    cx.step("matmul", o.span);
    cx.floats(&[b])?;
    match cx.rank(b) {
        0..=2 => cx.op(Matmul(Layout::NN), &[x, b]),
        _ => cx.op(Bmm(Layout::NN), &[x, b]),
    }
}

/// One element of an axis, which disappears.
fn select(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let axis = cx.axis_option(x, o, "dim")?;
    let mut dims = cx.graph.ty(x).shape.0.clone();
    let Some(index) = o.take("index") else {
        let error = Diagnostic::new(o.span, "`select` needs an index");
        return Err(cx.model.report(error.help("write `select(dim = 1, index = 0)`")));
    };
    let start = cx.index(&index, &dims[axis])?;
    let y = cx.op(Narrow { axis, start, len: Dim::lit(1) }, &[x])?;
    dims.remove(axis);
    cx.op(Reshape(Shape(dims)), &[y])
}

fn gather(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let axis = cx.axis_option(x, o, "dim")?;
    let Some(index) = o.take("index") else {
        let error = Diagnostic::new(o.span, "`gather` needs an index");
        return Err(cx.model.report(error.help("write `gather(dim = 1, index = i)`")));
    };
    let index = cx.one(&index)?;
    cx.step("gather", o.span);
    cx.op(Gather { axis }, &[x, index])
}

/// `value` where the mask is not 0.
fn masked_fill(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let Some(mask) = o.take("mask") else {
        let error = Diagnostic::new(o.span, "`masked_fill` needs a mask and a value");
        return Err(cx.model.report(error.help("write `masked_fill(mask, 0.0)`")));
    };
    let mask = cx.one(&mask)?;
    let value = cx.number_option(o, "value", None, Range::Any)?;
    cx.step("masked_fill", o.span);
    cx.floats(&[mask])?;
    let value = cx.op(Elementwise::constant(value), &[])?;
    cx.op(Elementwise::new("where_"), &[mask, value, x])
}

fn reduce(cx: &mut FnCx, x: ValueId, o: &mut Options, kind: Kind) -> Lowering<ValueId> {
    let dims = cx.graph.ty(x).shape.0.clone();
    let axes = match o.take("dim") {
        Some(expr) => cx.ok(Options::axes(&expr, dims.len()))?,
        None => (0..dims.len()).collect(),
    };
    let keep = match o.take("keepdim") {
        Some(expr) => cx.ok(Options::bool(&expr))?,
        None => false,
    };
    let y = cx.op(Reduce { kind, axes: axes.clone() }, &[x])?;
    if !keep {
        return Ok(y);
    }
    let ones = dims.into_iter().enumerate();
    let ones = ones.map(|(i, dim)| if axes.contains(&i) { Dim::lit(1) } else { dim });
    cx.op(Reshape(Shape(ones.collect())), &[y])
}

/// `x.dropout(0.1)`: nothing in inference.
pub fn dropout(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let p = cx.literal_option(o, "p", 0.5, Range::Unit)?;
    if p == 0.0 { Ok(x) } else { cx.op(Dropout { p }, &[x]) }
}

/// `x.rotary()`: rows turned by their position, which is on the axis before theirs.
fn rotary(cx: &mut FnCx, x: ValueId, o: &mut Options) -> Lowering<ValueId> {
    let rank = cx.graph.ty(x).shape.rank();
    let axis = match o.take("dim") {
        Some(expr) => cx.ok(Options::axis(&expr, rank))?,
        None => rank.saturating_sub(2),
    };
    let base = cx.literal_option(o, "base", 10_000.0, Range::Positive)?;
    let interleaved = match o.take_named("interleaved") {
        Some(expr) => cx.ok(Options::bool(&expr))?,
        None => false,
    };
    cx.op(Rotary::new(axis, base, interleaved), &[x])
}

fn softmax(cx: &mut FnCx, x: ValueId, o: &mut Options, log: bool) -> Lowering<ValueId> {
    let axis = cx.axis_option(x, o, "dim")?;
    cx.op(Softmax { log, grad: false, axis }, &[x])
}
