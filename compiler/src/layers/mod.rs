//! The layers: each a file, or a part of one, with its row and the function that declares its
//! parameters and builds its ops. A layer that is there stands in [`LAYERS`].

mod activation;
mod attention;
mod batch_norm;
pub mod conv;
mod embedding;
mod group_norm;
mod layer_norm;
mod linear;
mod meant;
mod method;
mod param;
pub mod pool;
mod positional;
mod recurrent;
mod softmax;
mod transformer;
mod types;
mod usage;
mod weight;
mod written;

use proc_macro2::Span;
use syn::{Expr, Path};

pub use meant::without_flatten;
pub use param::{is_buffer, value};
pub use pool::window;
pub use types::{example, typed_types, types};
use usage::Use;
pub use weight::weight;

use crate::diagnostics::{Diagnostic, nearest};
use crate::dim::Dim;
use crate::graph::{Kind, Source, Ty, ValueId};
use crate::lower::{FnCx, Lowering, Options, Scope, Word, dim, explained, text_of};
use crate::ops::Mismatch;
use crate::syntax::{Arg, LayerDecl};
use crate::text::mentions;
use crate::vocabulary::{Domain, Input, OptionRow, Row, pytorch};

/// A kind of layer.
pub type Layer = Row<Build>;

/// What makes the results of one use of a layer, by how many there are.
#[derive(Clone, Copy, Debug)]
pub enum Build {
    One(fn(&mut Use) -> Lowering<ValueId>),
    Several(fn(&mut Use) -> Lowering<Vec<ValueId>>),
    /// A parameter or a buffer: a value that nothing is given to.
    Value(fn(&mut FnCx, usize, &LayerDecl) -> Lowering<ValueId>),
}

/// The shapes of a layer that is a function of each element.
const ANY_SHAPE: &str = "`x` of any shape → `y`, the same";

/// All layers.
pub const LAYERS: &[Layer] = &[
    linear::LINEAR,
    conv::CONV2D,
    conv::CONV_TRANSPOSE2D,
    batch_norm::BATCH_NORM1D,
    batch_norm::BATCH_NORM2D,
    group_norm::GROUP_NORM,
    layer_norm::LAYER_NORM,
    layer_norm::RMS_NORM,
    embedding::EMBEDDING,
    attention::MULTIHEAD_ATTENTION,
    recurrent::RNN,
    recurrent::LSTM,
    recurrent::GRU,
    transformer::ENCODER_LAYER,
    transformer::DECODER_LAYER,
    pool::MAX_POOL2D,
    pool::AVG_POOL2D,
    method::ADAPTIVE_AVG_POOL2D,
    method::UPSAMPLE,
    method::DROPOUT,
    positional::POSITIONAL_ENCODING,
    method::FLATTEN,
    activation::RELU,
    activation::LEAKY_RELU_LAYER,
    activation::ELU_LAYER,
    activation::GELU,
    activation::SILU,
    activation::SIGMOID,
    activation::TANH,
    activation::SOFTPLUS_LAYER,
    softmax::SOFTMAX,
    softmax::LOG_SOFTMAX,
    param::PARAM,
    param::BUFFER,
];

/// A layer of the model: its field, and which one of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub field: usize,
    pub element: Option<usize>,
}

impl Place {
    /// `weight`, `1.weight`: what the field calls a tensor of the layer.
    pub fn tensor(self, name: &str) -> String {
        match self.element {
            Some(element) => format!("{element}.{name}"),
            None => name.into(),
        }
    }
}

/// The layer that a path names.
pub fn find(path: &Path) -> Option<&'static Layer> {
    let last = path.segments.last()?.ident.to_string();
    LAYERS.iter().find(|layer| layer.name == last)
}

/// Whether `path` names a layer of this library that is called.
pub fn is_layer(path: &Path) -> bool {
    find(path).is_some_and(|layer| !matches!(layer.build, Build::Value(_)))
}

/// Whether `path` names a parameter or a buffer, which is a value and not called.
pub fn is_value(path: &Path) -> bool {
    find(path).is_some_and(|layer| matches!(layer.build, Build::Value(_)))
}

/// Whether the declaration says the sizes of the rows that the layer takes and gives.
pub fn states_rows(path: &Path) -> bool {
    find(path).is_some_and(|layer| layer.sizes.is_some() && layer.input == Input::Rows)
}

/// Whether the layer takes rows, and its first size is that of their features.
pub fn takes_rows(path: &Path) -> bool {
    find(path).is_some_and(|layer| layer.input == Input::Rows && layer.type_params.is_some())
}

/// Whether the layer gives the shape that it takes, whichever that is.
pub fn keeps_shape(path: &Path) -> bool {
    find(path).is_some_and(|layer| layer.type_params == Some("") && layer.shapes == ANY_SHAPE)
}

/// Whether the layer is called with so many inputs.
pub fn takes(path: &Path, inputs: usize) -> bool {
    find(path).is_some_and(|layer| layer.calls.iter().any(|names| names.len() == inputs))
}

/// Whether the layer has a type, as `#[derive(Module)]` reads it.
pub fn has_type(path: &Path) -> bool {
    find(path).is_some_and(|layer| layer.type_params.is_some())
}

/// The layer with a type whose name is nearest to one that is none.
pub fn nearest_type(name: &str) -> Option<&'static str> {
    let typed = LAYERS.iter().filter(|layer| layer.type_params.is_some());
    nearest(name, typed.map(|layer| layer.name))
}

/// The sizes of the layer's type, and how many of them have no default.
pub fn type_sizes(path: &Path) -> Option<(Vec<&'static str>, usize)> {
    let sizes = find(path)?.type_params?.split(", ").filter(|size| !size.is_empty());
    let sizes: Vec<_> = sizes.collect();
    let needed = sizes.iter().filter(|size| !size.contains('=')).count();
    Some((sizes, needed))
}

/// Whether the layer may have parameters or state.
pub fn has_params(path: &Path) -> bool {
    find(path).is_none_or(|layer| !layer.params.is_empty())
}

/// Whether an option of the layer is an axis.
pub fn has_axis(path: &Path) -> bool {
    let is_axis = |option: &OptionRow| option.takes == Domain::Axis;
    find(path).is_some_and(|layer| layer.options.iter().any(is_axis))
}

/// Whether a call of the layer may have options.
pub fn has_options(path: &Path) -> bool {
    find(path).is_some_and(|layer| !layer.call_options.is_empty())
}

/// `self.fc1(x)`, with the options of the call.
pub fn apply(
    cx: &mut FnCx,
    place: Place,
    decl: &LayerDecl,
    inputs: &[ValueId],
    call: Vec<Arg>,
) -> Lowering<Vec<ValueId>> {
    let Some(layer) = find(&decl.path) else {
        let written = text_of(&decl.path);
        return Err(cx.model.report(unknown(&decl.path, &written, &decl.args)));
    };
    let (name, span) = (cx.rule.subject.clone(), cx.rule.span);
    cx.model.mention_layer(decl);
    let of_call = Word { module: "layers", row: layer.name, options: layer.call_options };
    cx.model.mention_word(None, &of_call, &call);
    // A layer is declared outside of the loop in which it is called.
    let loops = cx.loop_names();
    let of_loop = decl.args.iter().flat_map(Arg::exprs).find(|arg| mentions(arg, &loops));
    if let Some(arg) = of_loop {
        let text = format!("`{}` is not a constant", text_of(arg));
        let help = "a layer's sizes are numbers, constants in upper case or const parameters";
        return Err(cx.model.report(Diagnostic::over(arg, text).help(help)));
    }
    inputs.iter().try_for_each(|x| cx.takes(layer.input, *x))?;
    cx.model.applied.insert(place.field);
    let options = Options::new(layer.name, decl.span, decl.args.clone(), layer.options);
    let call = Options::new(name, span, call, layer.call_options);
    let (x, others) = (inputs[0], inputs[1..].to_vec());
    let mut layer_use = Use { cx, place, options, call, written: decl.written, x, others };
    let results = match layer.build {
        Build::One(build) => vec![build(&mut layer_use)?],
        Build::Several(build) => build(&mut layer_use)?,
        Build::Value(_) => panic!("bug: a parameter is not called"),
    };
    let Use { options, call, .. } = layer_use;
    cx.ok(options.finish())?;
    cx.ok(call.finish())?;
    Ok(results)
}

/// What is said of a layer that is called with so many inputs, where it takes others.
pub fn wrong_count(path: &Path, name: &str, span: Span, found: usize) -> Option<Diagnostic> {
    let layer = find(path)?;
    if layer.calls.iter().any(|names| names.len() == found) {
        return None;
    }
    let counts: Vec<_> = layer.calls.iter().map(|inputs| in_words(inputs.len())).collect();
    let (plural, calls) = (if counts == ["one"] { "" } else { "s" }, layer.calls.iter());
    let calls = calls.map(|inputs| {
        let names: Vec<_> = inputs.iter().map(|(name, _)| *name).collect();
        format!("`self.{name}({})`", names.join(", "))
    });
    let calls: Vec<_> = calls.collect();
    let text =
        format!("`{name}` takes {} input{plural}, but receives {found}", counts.join(" or "));
    Some(Diagnostic::new(span, text).help(format!("write {}", calls.join(" or "))))
}

/// What is said of a layer of no name of ours.
fn unknown(path: &Path, written: &str, args: &[Arg]) -> Diagnostic {
    let error = Diagnostic::over(path, format!("no layer is named `{written}`"));
    let word = path.segments.last().map(|last| last.ident.clone()).expect("a path has segments");
    if let Some(here) = pytorch::layer(written) {
        return explained(&word, here);
    }
    match nearest(written, LAYERS.iter().map(|layer| layer.name)) {
        Some(near) => error.did_you_mean(path, near),
        // A model of the user's.
        None if args.is_empty() => error
            .help(format!("a model of your own is written without parentheses: `{written}`"))
            .note("all layers are in docs/REFERENCE.md"),
        None => {
            let args: Vec<_> = args.iter().map(ToString::to_string).collect();
            let help = format!(
                "a model of your own has its sizes in angles: `{written}<{}>`",
                args.join(", ")
            );
            error.help(help).note("all layers are in docs/REFERENCE.md")
        }
    }
}

fn in_words(count: usize) -> &'static str {
    ["no", "one", "two", "three"][count]
}

impl FnCx<'_, '_> {
    /// Checks the kind of what a layer or a function is called with.
    pub fn takes(&mut self, input: Input, x: ValueId) -> Lowering<()> {
        let found = self.graph.ty(x).clone();
        if input != Input::Classes {
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

/// Applies a layer to an input that fits its declaration, for its parameters. Nothing where the
/// declaration does not say the size of the input.
///
/// An input of any size, where that is not written, is of `any` size.
pub fn declare(
    cx: &mut FnCx,
    place: Place,
    decl: &LayerDecl,
    any: Option<usize>,
) -> Option<Lowering<()>> {
    if is_value(&decl.path) {
        return Some(value(cx, place.field, decl).map(drop));
    }
    let layer = find(&decl.path);
    let options = layer.map_or(&[][..], |layer| layer.options);
    let is_size = |option: &OptionRow| option.takes == Domain::InputSize;
    let at = options.iter().position(is_size).unwrap_or(0);
    let named = decl.args.iter().find_map(|arg| match arg {
        Arg::Named(name, size) if options.iter().any(|o| is_size(o) && name == o.name) => {
            Some(size)
        }
        _ => None,
    });
    let takes_sizes = layer.is_some_and(|layer| layer.sizes.is_some());
    // `LayerNorm([28, 28])`, whose shape is an option.
    let is_shape = |option: &OptionRow| matches!(option.takes, Domain::Other(_) | Domain::Size(_));
    let has_size =
        takes_sizes || options.iter().any(is_size) || options.first().is_some_and(is_shape);
    let placed = match (decl.args.get(at), decl.args.get(at + 1)) {
        (Some(Arg::Sizes(size, _)), _) => Some(size),
        // `Linear(128)` is the size of the output alone.
        (Some(Arg::Value(_)), next) if takes_sizes && !matches!(next, Some(Arg::Value(_))) => None,
        (Some(Arg::Value(size)), _) if has_size => Some(size),
        _ => None,
    };
    let needs_none = !has_size || takes_sizes && !matches!(decl.args.first(), Some(Arg::Sizes(..)));
    let any = any.filter(|_| needs_none).map(proc_macro2::Literal::usize_unsuffixed);
    let any: Option<Expr> = any.map(|any| syn::parse_quote!(#any));
    let sizes = match named.or(placed).or(any.as_ref())? {
        // `LayerNorm([28, 28])`
        Expr::Array(list) => list.elems.iter().cloned().collect(),
        size => vec![size.clone()],
    };
    let scope = Scope { run_time: false, ..cx.scope() };
    let sizes: Result<Vec<_>, _> = sizes.iter().map(|size| dim(size, &scope)).collect();
    let sizes = match cx.ok(sizes) {
        Ok(sizes) => sizes,
        Err(poison) => return Some(Err(poison)),
    };
    let (input, one) = (layer.map_or(Input::Rows, |layer| layer.input), Dim::lit(1));
    // A side that windows fit in.
    let side = Dim::lit(1 << 10);
    let shape = match input {
        Input::Images => [vec![one], sizes, vec![side.clone(), side]].concat(),
        Input::Sequence => [vec![one.clone(), one], sizes].concat(),
        _ => [vec![one], sizes].concat(),
    };
    let kind = if input == Input::Classes { Kind::Classes } else { Kind::Float };
    let x = cx.graph.add_value(Ty { kind, ..Ty::float(shape) }, Source::Arg(0), "x");
    let inputs = layer.map_or(1, |layer| layer.calls[0].len());
    Some(apply(cx, place, decl, &vec![x; inputs], Vec::new()).map(drop))
}
