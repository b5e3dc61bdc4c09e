//! The layers: each one function that declares its parameters and builds its ops.

mod attention;
mod batch_norm;
mod conv;
mod embedding;
mod layer_norm;
mod linear;
mod param;
mod pool;
mod positional;
mod recurrent;
mod softmax;
mod transformer;
mod usage;

use syn::Path;

use attention::multihead_attention;
use batch_norm::batch_norm;
use conv::{conv_transpose2d, conv2d};
use embedding::embedding;
use layer_norm::layer_norm;
use linear::linear;
pub use param::param;
use pool::pool;
pub use pool::window;
use positional::positional_encoding;
use recurrent::{recurrent, rnn};
use softmax::softmax;
use transformer::{decoder_layer, encoder_layer};
use usage::Use;

use crate::diagnostics::{Diagnostic, nearest};
use crate::dim::Dim;
use crate::graph::{Kind, Source, Ty, ValueId};
use crate::lower::{
    FnCx, Lowering, Options, Scope, adaptive_avg_pool, dim, dropout, interpolate, methods_flatten,
    text_of,
};
use crate::ops::Mismatch;
use crate::ops::pool2d::Pool;
use crate::ops::recurrent::Cell;
use crate::syntax::{Arg, LayerDecl, parse_layer_type};

/// A kind of layer.
struct Layer {
    name: &'static str,
    has_params: bool,
    takes: Takes,
    /// The inputs that it may be called with.
    calls: &'static [&'static [&'static str]],
    /// Whether a call may have options.
    has_options: bool,
    /// The arguments of the declaration, the inputs behind the first, and the options of a call, as
    /// tests draw them: capitals are what they put in, and `?` is behind what may be left out.
    sample: [&'static str; 3],
    /// Declares the parameters and builds the ops: the results of one use.
    build: Build,
}

/// What a layer is called with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Floats,
    /// `Classes[batch, ..]`
    Indices,
}

/// A layer's function, by how many results it has.
#[derive(Clone, Copy)]
enum Build {
    One(fn(&mut Use) -> Lowering<ValueId>),
    Several(fn(&mut Use) -> Lowering<Vec<ValueId>>),
}

/// A layer with parameters.
const fn with_params(
    name: &'static str,
    sample: &'static str,
    build: fn(&mut Use) -> Lowering<ValueId>,
) -> Layer {
    Layer {
        name,
        has_params: true,
        takes: Takes::Floats,
        calls: &[&["x"]],
        has_options: false,
        sample: [sample, "", ""],
        build: Build::One(build),
    }
}

/// A layer without parameters.
const fn plain(
    name: &'static str,
    sample: &'static str,
    build: fn(&mut Use) -> Lowering<ValueId>,
) -> Layer {
    Layer { has_params: false, ..with_params(name, sample, build) }
}

/// A recurrent layer, with its results at all steps and its last states.
const fn with_states(
    name: &'static str,
    sample: &'static str,
    calls: &'static [&'static [&'static str]],
    build: fn(&mut Use) -> Lowering<Vec<ValueId>>,
) -> Layer {
    Layer {
        name,
        has_params: true,
        takes: Takes::Floats,
        calls,
        has_options: true,
        sample: [sample, "STATE", "lengths = LENGTHS?"],
        build: Build::Several(build),
    }
}

const CONV: &str = "CHANNELS -> SIZE, kernel = K, stride = K?, padding = P?, dilation = K?, \
    groups = GROUPS?, bias = BOOL?";
const BATCH_NORM: &str =
    "CHANNELS?, eps = SMALL?, momentum = PART|none?, affine = BOOL?, track_running_stats = BOOL?";
const RECURRENT: &str = "LAST -> SIZE, num_layers = COUNT?, bidirectional = BOOL?, bias = BOOL?";
const TRANSFORMER: &str = "LAST, nhead = DIVISOR, dim_feedforward = SIZE, dropout = PART?, \
    activation = relu|gelu?, norm_first = BOOL?, layer_norm_eps = SMALL?, bias = BOOL?";
const POOL: &str = "kernel = K, stride = K?, padding = P?, dilation = K?";

const LAYERS: &[Layer] = &[
    with_params("Linear", "LAST -> SIZE, tied = LAYER?, bias = BOOL?", linear),
    with_params("Conv2d", CONV, conv2d),
    with_params(
        "ConvTranspose2d",
        "CHANNELS -> SIZE, kernel = K, stride = K?, padding = P?, dilation = K?, output_padding = P?, groups = GROUPS?, bias = BOOL?",
        conv_transpose2d,
    ),
    with_params("BatchNorm1d", BATCH_NORM, |l| batch_norm(l, 1)),
    with_params("BatchNorm2d", BATCH_NORM, |l| batch_norm(l, 2)),
    with_params(
        "LayerNorm",
        "LASTS?, eps = SMALL?, elementwise_affine = BOOL?, bias = BOOL?",
        |l| layer_norm(l, true),
    ),
    with_params("RMSNorm", "LASTS?, eps = SMALL?, elementwise_affine = BOOL?", |l| {
        layer_norm(l, false)
    }),
    Layer {
        takes: Takes::Indices,
        ..with_params("Embedding", "SIZE -> SIZE, padding_idx = P?, init = INIT?", embedding)
    },
    Layer {
        calls: &[&["x"], &["query", "key", "value"]],
        has_options: true,
        sample: [
            "LAST, heads = DIVISOR, bias = BOOL?",
            "SEQUENCE",
            "is_causal = BOOL?, attn_mask = MEMORY_MASK?, key_padding_mask = MEMORY_PADDING?",
        ],
        ..with_params("MultiheadAttention", "", multihead_attention)
    },
    with_states(
        "RNN",
        "LAST -> SIZE, num_layers = COUNT?, bidirectional = BOOL?, bias = BOOL?, nonlinearity = tanh|relu?",
        &[&["x"], &["x", "h0"]],
        rnn,
    ),
    with_states("LSTM", RECURRENT, &[&["x"], &["x", "h0", "c0"]], |l| recurrent(l, Cell::Lstm)),
    with_states("GRU", RECURRENT, &[&["x"], &["x", "h0"]], |l| recurrent(l, Cell::Gru)),
    Layer {
        has_options: true,
        sample: [
            TRANSFORMER,
            "",
            "is_causal = BOOL?, src_mask = MASK?, src_key_padding_mask = PADDING?",
        ],
        ..with_params("TransformerEncoderLayer", "", encoder_layer)
    },
    Layer {
        calls: &[&["tgt", "memory"]],
        has_options: true,
        sample: [
            TRANSFORMER,
            "SEQUENCE",
            "tgt_is_causal = BOOL?, tgt_mask = MASK?, tgt_key_padding_mask = PADDING?, \
             memory_mask = MEMORY_MASK?, memory_key_padding_mask = MEMORY_PADDING?",
        ],
        ..with_params("TransformerDecoderLayer", "", decoder_layer)
    },
    plain("MaxPool2d", POOL, |l| pool(l, Pool::Max)),
    plain("AvgPool2d", "kernel = K, stride = K?, padding = P?", |l| pool(l, Pool::Avg)),
    plain("AdaptiveAvgPool2d", "output_size = K", |l| adaptive_avg_pool(l.cx, l.x, &mut l.options)),
    plain("Upsample", "scale_factor = K, mode = nearest|bilinear?, align_corners = BOOL?", |l| {
        interpolate(l.cx, l.x, &mut l.options)
    }),
    plain("Dropout", "p = PART?", |l| dropout(l.cx, l.x, &mut l.options)),
    plain("PositionalEncoding", "LAST?, base = BASE?", positional_encoding),
    plain("Flatten", "start_dim = AXIS?", |l| methods_flatten(l.cx, l.x, &mut l.options)),
    plain("Relu", "", |l| l.activation("relu")),
    plain("LeakyRelu", "negative_slope = POSITIVE?", |l| l.activation("leaky_relu")),
    plain("Elu", "alpha = POSITIVE?", |l| l.activation("elu")),
    plain("Gelu", "", |l| l.activation("gelu")),
    plain("Silu", "", |l| l.activation("silu")),
    plain("Sigmoid", "", |l| l.activation("sigmoid")),
    plain("Tanh", "", |l| l.activation("tanh")),
    plain("Softplus", "beta = POSITIVE?, threshold = POSITIVE?", |l| l.activation("softplus")),
    plain("Softmax", "dim = AXIS?", |l| softmax(l, false)),
    plain("LogSoftmax", "dim = AXIS?", |l| softmax(l, true)),
];

/// A layer's name, whether it takes class indices, the numbers of inputs that it takes, and its samples.
pub type Sample = (&'static str, bool, Vec<usize>, [&'static str; 3]);

/// The layers, with samples of what is written.
pub fn samples() -> impl Iterator<Item = Sample> {
    LAYERS.iter().map(|layer| {
        let counts = layer.calls.iter().map(|names| names.len()).collect();
        (layer.name, layer.takes == Takes::Indices, counts, layer.sample)
    })
}

fn find(path: &Path) -> Option<&'static Layer> {
    let last = path.segments.last()?.ident.to_string();
    LAYERS.iter().find(|layer| layer.name == last)
}

/// Whether `path` names a layer of this library.
pub fn is_layer(path: &Path) -> bool {
    find(path).is_some()
}

pub fn has_params(path: &Path) -> bool {
    find(path).is_none_or(|layer| layer.has_params)
}

/// Whether a call of the layer may have options.
pub fn has_options(path: &Path) -> bool {
    find(path).is_some_and(|layer| layer.has_options)
}

/// `self.fc1(x)`, with the options of the call.
pub fn apply(
    cx: &mut FnCx,
    field: usize,
    decl: &LayerDecl,
    inputs: &[ValueId],
    call: Vec<Arg>,
) -> Lowering<Vec<ValueId>> {
    let Some(layer) = find(&decl.path) else {
        let written = text_of(&decl.path);
        let error = Diagnostic::over(&decl.path, format!("no layer is named `{written}`"));
        let names = LAYERS.iter().map(|layer| layer.name).chain(["Param"]);
        let error = match nearest(&written, names) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => {
                let names: Vec<_> = LAYERS.iter().map(|layer| layer.name).collect();
                error
                    .help(format!(
                        "a model of your own is written without parentheses: `{written}`"
                    ))
                    .note(format!("layers: {} and Param", names.join(", ")))
            }
        };
        return Err(cx.model.report(error));
    };
    let (name, span) = (cx.rule.subject.clone(), cx.rule.span);
    if !layer.calls.iter().any(|names| names.len() == inputs.len()) {
        let counts: Vec<_> = layer.calls.iter().map(|names| in_words(names.len())).collect();
        let (plural, calls) = (if counts == ["one"] { "" } else { "s" }, layer.calls.iter());
        let calls: Vec<_> =
            calls.map(|names| format!("`self.{name}({})`", names.join(", "))).collect();
        let (counts, found) = (counts.join(" or "), inputs.len());
        let text = format!("`{name}` takes {counts} input{plural}, but receives {found}");
        let help = format!("write {}", calls.join(" or "));
        return Err(cx.model.report(Diagnostic::new(span, text).help(help)));
    }
    inputs.iter().try_for_each(|x| cx.takes(layer.takes, *x))?;
    cx.model.applied.insert(field);
    let options = Options::new(layer.name, decl.span, decl.args.clone());
    let call = Options::new(name, span, call);
    let (x, others) = (inputs[0], inputs[1..].to_vec());
    let mut layer_use = Use { cx, field, options, call, is_type: decl.is_type, x, others };
    let results = match layer.build {
        Build::One(build) => vec![build(&mut layer_use)?],
        Build::Several(build) => build(&mut layer_use)?,
    };
    let Use { options, call, .. } = layer_use;
    cx.ok(options.finish())?;
    cx.ok(call.finish())?;
    Ok(results)
}

fn in_words(count: usize) -> &'static str {
    ["no", "one", "two", "three"][count]
}

impl FnCx<'_, '_> {
    /// Checks the kind of what a layer is called with.
    fn takes(&mut self, takes: Takes, x: ValueId) -> Lowering<()> {
        let found = self.graph.ty(x).clone();
        if takes == Takes::Floats {
            return self.floats(&[x]);
        }
        if found.kind == Kind::Classes {
            return Ok(());
        }
        let mut expected = found.clone();
        expected.kind = Kind::Classes;
        let text = format!("looks up indices, but receives {found}");
        let help = format!("declare the input as `{expected}`: whole numbers below the first size");
        Err(self.refuse(Mismatch::new(text).help(help), Some(x)))
    }
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
    let layer = find(&decl.path);
    let shape = match layer.map(|layer| layer.name) {
        Some("Conv2d" | "ConvTranspose2d" | "BatchNorm2d") => {
            vec![Dim::lit(1), channels, side.clone(), side]
        }
        Some(
            "MultiheadAttention"
            | "TransformerEncoderLayer"
            | "TransformerDecoderLayer"
            | "RNN"
            | "LSTM"
            | "GRU",
        ) => {
            vec![Dim::lit(1), Dim::lit(1), channels]
        }
        _ => vec![Dim::lit(1), channels],
    };
    let kind = match layer.map(|layer| layer.takes) {
        Some(Takes::Indices) => Kind::Classes,
        _ => Kind::Float,
    };
    let x = cx.graph.add_value(Ty { kind, ..Ty::float(shape) }, Source::Arg(0), "x");
    let inputs = layer.map_or(1, |layer| layer.calls[0].len());
    let _ = apply(cx, field, decl, &vec![x; inputs], Vec::new());
}

/// How a layer is written.
pub fn example(path: &Path) -> String {
    let name = text_of(&path.segments.last().map(|last| &last.ident));
    let written = parse_layer_type(path).map(|layer| layer.args).unwrap_or_default();
    let written: Vec<_> = written.iter().map(ToString::to_string).collect();
    match (name.as_str(), written.as_slice()) {
        (
            "Linear" | "Conv2d" | "ConvTranspose2d" | "Embedding" | "RNN" | "LSTM" | "GRU",
            [from, to, rest @ ..],
        ) => {
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
        "Embedding" => "Embedding(1000 -> 64)".into(),
        "RNN" | "LSTM" | "GRU" => format!("{name}(64 -> 128)"),
        "BatchNorm1d" | "BatchNorm2d" | "LayerNorm" | "RMSNorm" => format!("{name}(64)"),
        "MultiheadAttention" => format!("{name}(128, heads = 4)"),
        "TransformerEncoderLayer" | "TransformerDecoderLayer" => format!("{name}(128, nhead = 4)"),
        "AdaptiveAvgPool2d" => format!("{name}(1)"),
        "MaxPool2d" | "AvgPool2d" | "Upsample" => format!("{name}(2)"),
        _ => format!("{name}()"),
    }
}
