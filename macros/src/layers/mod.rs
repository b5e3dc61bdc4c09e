//! The layers: each one function that declares its parameters and builds its ops.

mod batch_norm;
mod conv;
mod linear;
mod param;
mod pool;
mod softmax;
mod usage;

use syn::Path;

use batch_norm::batch_norm;
use conv::{conv_transpose2d, conv2d};
use linear::linear;
pub use param::param;
use pool::pool;
pub use pool::window;
use softmax::softmax;
use usage::Use;

use crate::diagnostics::{Diagnostic, nearest};
use crate::dim::Dim;
use crate::graph::{Source, Ty, ValueId};
use crate::lower::{
    FnCx, Lowering, Options, Scope, adaptive_avg_pool, dim, interpolate, methods_flatten, text_of,
};
use crate::ops::pool2d::Pool;
use crate::syntax::{Arg, LayerDecl, parse_layer_type};

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
