//! PyTorch's words, and NumPy's, that are not ours: what each is here, or that it is missing, and
//! what to write meanwhile. It is asked before names that only look alike.

/// What a word of PyTorch is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Here {
    /// The same under another name.
    Named(&'static str),
    /// Something else, which the text says how to write.
    Written(&'static str),
    /// Not there yet; what to write meanwhile.
    Missing(&'static str),
    /// No part of a model; where it is.
    Outside(&'static str),
}

use Here::{Missing, Named, Outside, Written};

/// A word and what it is.
pub type Entry = (&'static str, Here);

fn find(table: &'static [Entry], word: &str) -> Option<Here> {
    table.iter().find(|(known, _)| *known == word).map(|(_, here)| *here)
}

/// Modules that PyTorch's users name before functions and layers.
pub const MODULES: [&str; 16] = [
    "torch",
    "nn",
    "F",
    "np",
    "numpy",
    "functional",
    "tf",
    "jnp",
    "jax",
    "math",
    "special",
    "linalg",
    "init",
    "optim",
    "tch",
    "einops",
];

/// All words, for tests.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    LAYERS.iter().chain(LOSSES).chain(FUNCTIONS).chain(METHODS)
}

/// All options, for tests.
pub fn option_entries() -> &'static [(&'static str, &'static [&'static str])] {
    OPTIONS
}

/// A layer that has another name, or none.
pub fn layer(name: &str) -> Option<Here> {
    let loss = |name: &str| LOSSES.iter().any(|(loss, _)| *loss == name);
    if loss(name) {
        return function(name);
    }
    find(LAYERS, name)
}

/// A method of values.
pub fn method(name: &str) -> Option<Here> {
    find(METHODS, name).or_else(|| find(FUNCTIONS, name))
}

/// A function of values.
pub fn function(name: &str) -> Option<Here> {
    let loss = LOSSES.iter().find(|(theirs, _)| *theirs == name).map(|(_, ours)| *ours);
    loss.or_else(|| find(FUNCTIONS, name)).or_else(|| find(METHODS, name))
}

/// What stands behind a `.` of a value without parentheses.
pub fn attribute(name: &str) -> Option<Here> {
    find(ATTRIBUTES, name)
}

/// An option of a layer, a method or a function.
pub fn option(name: &str) -> &'static [&'static str] {
    let found = OPTIONS.iter().find(|(theirs, _)| *theirs == name);
    found.map_or(&[], |(_, ours)| ours)
}

/// An option that PyTorch has, and that is not there yet.
pub fn missing_option(name: &str) -> bool {
    MISSING_OPTIONS.contains(&name)
}

const MISSING_OPTIONS: [&str; 22] = [
    "weight",
    "pos_weight",
    "ignore_index",
    "padding_idx",
    "max_norm",
    "norm_type",
    "sparse",
    "padding_mode",
    "ceil_mode",
    "count_include_pad",
    "divisor_override",
    "return_indices",
    "output_size",
    "mode",
    "align_corners",
    "proj_size",
    "add_bias_kv",
    "kdim",
    "vdim",
    "swap",
    "log_target",
    "dropout",
];

/// An option that needs nothing in its place, with the reason.
pub fn needless_option(name: &str) -> Option<&'static str> {
    NEEDLESS.iter().find(|(theirs, _)| *theirs == name).map(|(_, why)| *why)
}

const LAYERS: &[Entry] = &[
    ("ReLU", Named("Relu")),
    ("LeakyReLU", Named("LeakyRelu")),
    ("ELU", Named("Elu")),
    ("GELU", Named("Gelu")),
    ("SiLU", Named("Silu")),
    ("Swish", Named("Silu")),
    ("Dense", Named("Linear")),
    ("FC", Named("Linear")),
    ("FullyConnected", Named("Linear")),
    ("Conv2D", Named("Conv2d")),
    ("Conv", Named("Conv2d")),
    ("ConvTranspose2D", Named("ConvTranspose2d")),
    ("Deconv2d", Named("ConvTranspose2d")),
    ("BatchNorm", Named("BatchNorm2d")),
    ("MaxPool2D", Named("MaxPool2d")),
    ("AvgPool2D", Named("AvgPool2d")),
    ("Embed", Named("Embedding")),
    ("Lstm", Named("LSTM")),
    ("Gru", Named("GRU")),
    ("Rnn", Named("RNN")),
    ("RmsNorm", Named("RMSNorm")),
    ("MultiHeadAttention", Named("MultiheadAttention")),
    ("Parameter", Named("Param")),
    ("UpsamplingNearest2d", Named("Upsample")),
    ("LazyLinear", Named("Linear")),
    ("LazyConv2d", Written("an input size that is left out is inferred: `Conv2d(16, kernel = 3)`")),
    ("Dropout1d", Missing("`Dropout(p = 0.5)` drops single values")),
    ("Dropout2d", Missing("`Dropout(p = 0.5)` drops single values")),
    ("Dropout3d", Missing("`Dropout(p = 0.5)` drops single values")),
    ("AlphaDropout", Missing("`Dropout(p = 0.5)` is there")),
    (
        "Conv1d",
        Missing("a `Conv2d(8 -> 16, kernel = (1, 3))` of `[batch, 8, 1, length]` is the same"),
    ),
    ("Conv3d", Missing("`Conv2d` is there")),
    ("ConvTranspose1d", Missing("`ConvTranspose2d` of a height of 1 is the same")),
    ("ConvTranspose3d", Missing("`ConvTranspose2d` is there")),
    ("MaxPool1d", Missing("`MaxPool2d((1, 2))` of a height of 1 is the same")),
    ("AvgPool1d", Missing("`AvgPool2d((1, 2))` of a height of 1 is the same")),
    ("MaxPool3d", Missing("`MaxPool2d` is there")),
    ("AvgPool3d", Missing("`AvgPool2d` is there")),
    ("AdaptiveMaxPool2d", Missing("`x.amax(dim = [2, 3])` is that of one place")),
    ("AdaptiveAvgPool1d", Missing("`x.mean(dim = 2)` is that of one place")),
    ("BatchNorm3d", Missing("`BatchNorm1d` and `BatchNorm2d` are there")),
    ("InstanceNorm1d", Missing("`GroupNorm(8, 8)` with as many groups as channels is the same")),
    ("InstanceNorm2d", Missing("`GroupNorm(8, 8)` with as many groups as channels is the same")),
    ("LocalResponseNorm", Missing("`GroupNorm` and `LayerNorm` are there")),
    ("PReLU", Missing("`LeakyRelu(0.01)` has a slope that is not trained")),
    ("RReLU", Missing("`LeakyRelu(0.01)` is there")),
    ("ReLU6", Missing("write `x.clamp(0.0, 6.0)` in the body")),
    ("SELU", Missing("`Elu(1.0)` is there")),
    ("CELU", Missing("`Elu(1.0)` is there")),
    ("Mish", Missing("write `x.mish()` in the body")),
    ("Hardswish", Missing("`Silu()` is the smooth one")),
    ("Hardsigmoid", Missing("write `(x / 6.0 + 0.5).clamp(0.0, 1.0)` in the body")),
    ("Hardtanh", Missing("write `x.clamp(-1.0, 1.0)` in the body")),
    ("Softsign", Missing("write `x / (1.0 + x.abs())` in the body")),
    ("LogSigmoid", Missing("write `-softplus(-x)` in the body")),
    ("GLU", Missing("write `a * b.sigmoid()` of two halves in the body")),
    ("Softmax2d", Missing("write `x.softmax(dim = 1)` in the body")),
    ("PixelShuffle", Missing("`Upsample(scale_factor = 2)` and a `Conv2d` are there")),
    ("ZeroPad2d", Missing("convolutions have `padding = 1`")),
    ("ReflectionPad2d", Missing("convolutions have `padding = 1`, of zeros")),
    ("EmbeddingBag", Missing("write `self.table(x).mean(dim = 1)` with an `Embedding`")),
    ("Bilinear", Missing("write a `Param` and `matmul` in the body")),
    ("LSTMCell", Missing("`scan` runs a model of your own over a sequence, and `LSTM` is there")),
    ("GRUCell", Missing("`scan` runs a model of your own over a sequence, and `GRU` is there")),
    ("RNNCell", Missing("`scan` runs a model of your own over a sequence, and `RNN` is there")),
    ("Transformer", Missing("`TransformerEncoderLayer` and `TransformerDecoderLayer` are there")),
    (
        "TransformerEncoder",
        Written("a row of layers is one: `[TransformerEncoderLayer(64, nhead = 4); 6]`"),
    ),
    (
        "TransformerDecoder",
        Written("a row of layers is one: `[TransformerDecoderLayer(64, nhead = 4); 6]`"),
    ),
    ("Sequential", Written("each layer is a field, and the body calls them in their order")),
    ("ModuleList", Written("a row of equal layers is `[Linear(64 -> 64); 3]`, others are fields")),
    ("ModuleDict", Written("each layer is a field with a name")),
    ("ParameterList", Written("each `Param` is a field with a name")),
    ("Identity", Written("leave the field out, and its call: `x` is the value")),
    ("Lambda", Written("write it in the body: `x * 2.0`")),
    ("Unflatten", Written("write `x.reshape([batch, 4, 16])` in the body")),
    ("Concat", Written("write `cat([a, b], dim = 1)` in the body")),
    ("Add", Written("write `a + b` in the body")),
    ("Residual", Written("write `x + self.block(x)` in the body")),
    (
        "Tensor",
        Written("`Param([3, 4])` is a tensor that is trained, `Buffer([3, 4])` one that is not"),
    ),
];

const LOSSES: &[Entry] = &[
    (
        "CrossEntropyLoss",
        Written("a loss is a function of the body: `cross_entropy(logits, label)`"),
    ),
    ("CrossEntropy", Written("a loss is a function of the body: `cross_entropy(logits, label)`")),
    ("NLLLoss", Written("a loss is a function of the body: `nll_loss(log_probabilities, label)`")),
    ("MSELoss", Written("a loss is a function of the body: `mse_loss(prediction, target)`")),
    ("L1Loss", Written("a loss is a function of the body: `l1_loss(prediction, target)`")),
    (
        "SmoothL1Loss",
        Written("a loss is a function of the body: `smooth_l1_loss(prediction, target)`"),
    ),
    ("HuberLoss", Written("a loss is a function of the body: `huber_loss(prediction, target)`")),
    (
        "BCELoss",
        Written("a loss is a function of the body: `binary_cross_entropy(probability, target)`"),
    ),
    (
        "BCEWithLogitsLoss",
        Written("a loss is a function of the body: `binary_cross_entropy_with_logits(x, target)`"),
    ),
    ("KLDivLoss", Written("a loss is a function of the body: `kl_div(log_probabilities, target)`")),
    (
        "TripletMarginLoss",
        Written(
            "a loss is a function of the body: `triplet_margin_loss(anchor, positive, negative)`",
        ),
    ),
    ("CTCLoss", Missing("`cross_entropy` with a label for each step is there")),
    ("CosineEmbeddingLoss", Missing("`triplet_margin_loss` is there")),
    ("MarginRankingLoss", Missing("write `(1.0 - (a - b)).relu().mean()`")),
    ("HingeEmbeddingLoss", Missing("write `(1.0 - x).relu().mean()`")),
    ("PoissonNLLLoss", Missing("write `(x.exp() - target * x).mean()`")),
    ("GaussianNLLLoss", Missing("write it of `log` and `square` in the body")),
];

const FUNCTIONS: &[Entry] = &[
    ("bce_loss", Named("binary_cross_entropy")),
    ("bce", Named("binary_cross_entropy")),
    ("bce_with_logits", Named("binary_cross_entropy_with_logits")),
    ("bce_with_logits_loss", Named("binary_cross_entropy_with_logits")),
    ("cross_entropy_loss", Named("cross_entropy")),
    ("crossentropy", Named("cross_entropy")),
    ("softmax_cross_entropy", Named("cross_entropy")),
    ("nll", Named("nll_loss")),
    ("mse", Named("mse_loss")),
    ("mae", Named("l1_loss")),
    ("mae_loss", Named("l1_loss")),
    ("l1", Named("l1_loss")),
    ("l2_loss", Named("mse_loss")),
    ("huber", Named("huber_loss")),
    ("kl_div_loss", Named("kl_div")),
    ("triplet_loss", Named("triplet_margin_loss")),
    ("sdpa", Named("scaled_dot_product_attention")),
    ("attention", Named("scaled_dot_product_attention")),
    ("concat", Named("cat")),
    ("concatenate", Named("cat")),
    ("hstack", Written("write `cat([a, b], dim = 1)`")),
    ("vstack", Written("write `cat([a, b], dim = 0)`")),
    ("stack", Missing("write `cat([a.unsqueeze(1), b.unsqueeze(1)], dim = 1)`")),
    ("where", Named("where_")),
    ("einsum", Missing("`matmul`, `transpose` and `sum` say the same")),
    ("tensordot", Missing("`matmul` and `reshape` say the same")),
    ("outer", Missing("write `a.unsqueeze(1) * b.unsqueeze(0)`")),
    ("baddbmm", Missing("write `a.matmul(b) + c`")),
    ("addmm", Missing("write `a.matmul(b) + c`")),
    ("cdist", Missing("write it of `square`, `sum` and `sqrt`")),
    (
        "zeros",
        Missing("`x * 0.0` has the shape of `x`; a number alone, such as `0.0`, fits any shape"),
    ),
    (
        "ones",
        Missing(
            "`x * 0.0 + 1.0` has the shape of `x`; a number alone, such as `1.0`, fits any shape",
        ),
    ),
    ("full", Missing("a number alone, such as `0.5`, fits any shape")),
    ("zeros_like", Missing("write `x * 0.0`")),
    ("ones_like", Missing("write `x * 0.0 + 1.0`")),
    ("full_like", Missing("write `x * 0.0 + 0.5`")),
    ("eye", Missing("a constant array of the program is a value: `const EYE: [[f32; 8]; 8] = …;`")),
    (
        "arange",
        Missing("a constant array of the program is a value: `const PLACES: [f32; 8] = …;`"),
    ),
    (
        "linspace",
        Missing("a constant array of the program is a value: `const PLACES: [f32; 8] = …;`"),
    ),
    ("tensor", Written("a constant array of the program is a value: `const GRID: [f32; 8] = …;`")),
    (
        "as_tensor",
        Written("a constant array of the program is a value: `const GRID: [f32; 8] = …;`"),
    ),
    ("from_numpy", Outside("what a function receives are its inputs: `x: [batch, 784]`")),
    ("rand", Missing("random numbers are an input: `noise: [batch, 64]`")),
    ("randn", Missing("random numbers are an input: `noise: [batch, 64]`")),
    ("randint", Missing("random numbers are an input: `noise: [batch, 64]`")),
    ("rand_like", Missing("random numbers are an input: `noise: [batch, 64]`")),
    ("randn_like", Missing("random numbers are an input: `noise: [batch, 64]`")),
    ("normal", Missing("random numbers are an input: `noise: [batch, 64]`")),
    ("bernoulli", Missing("`x.dropout(0.5)` is there")),
    ("multinomial", Outside("draw outside of the model, of what it returns")),
    (
        "one_hot",
        Missing("class indices go into an `Embedding`, or are the target of `cross_entropy`"),
    ),
    ("tril", Missing("`scaled_dot_product_attention` has `is_causal = true`")),
    ("triu", Missing("`scaled_dot_product_attention` has `is_causal = true`")),
    (
        "meshgrid",
        Missing("a constant array of the program is a value: `const GRID: [[f32; 8]; 8] = …;`"),
    ),
    ("conv1d", Missing("`conv2d` of a height of 1 is the same")),
    ("pad", Missing("convolutions and pools have `padding = 1`; others: `cat` with a constant")),
    ("normalize", Missing("write `x / (x.square().sum(dim = 1, keepdim = true) + 1e-12).sqrt()`")),
    ("grid_sample", Missing("`interpolate` is there")),
    ("unfold", Missing("`Conv2d` is there")),
    ("no_grad", Outside("the plain call, `net.forward(…)`, computes no gradient")),
    ("inference_mode", Outside("the plain call, `net.forward(…)`, computes no gradient")),
    ("manual_seed", Outside("`Mlp::init(Seed(0))` has the seed")),
    ("print", Outside("return a value to look at it in the program")),
    ("len", Written("a size is its name, or a number: `batch`")),
    ("range", Written("a loop goes over `0..3`")),
    ("int", Written("sizes are whole numbers already")),
    ("float", Written("values are `f32` already")),
    ("super", Outside("a model has nothing to call first: take the line out")),
];

const METHODS: &[Entry] = &[
    ("view", Named("reshape")),
    ("pow", Named("powf")),
    ("max", Named("amax")),
    ("min", Named("amin")),
    ("mm", Named("matmul")),
    ("bmm", Named("matmul")),
    ("mv", Missing("write `a.matmul(b.unsqueeze(1)).squeeze(1)`")),
    ("dot", Written("write `(a * b).sum()`")),
    ("swish", Named("silu")),
    ("swapaxes", Named("transpose")),
    ("swapdims", Named("transpose")),
    ("movedim", Written("write `x.permute([0, 2, 1])`")),
    ("upsample", Named("interpolate")),
    ("expand_as", Named("expand")),
    ("broadcast_to", Named("expand")),
    ("clip", Named("clamp")),
    ("clamp_min", Written("write `x.maximum(0.0)`, or `x.clamp(0.0, 1.0)`")),
    ("clamp_max", Written("write `x.minimum(1.0)`, or `x.clamp(0.0, 1.0)`")),
    ("negative", Named("neg")),
    ("multiply", Named("mul")),
    ("divide", Named("div")),
    ("subtract", Named("sub")),
    ("not_equal", Named("ne")),
    ("greater", Named("gt")),
    ("greater_equal", Named("ge")),
    ("less", Named("lt")),
    ("less_equal", Named("le")),
    ("view_as", Written("write `x.reshape([batch, 4, 16])`")),
    ("reshape_as", Written("write `x.reshape([batch, 4, 16])`")),
    ("ravel", Written("write `x.flatten()`, which keeps the batch")),
    ("index_select", Written("write `x.gather(1, index)`, or `x.select(1, 0)` for one place")),
    ("take", Written("write `x.gather(1, index)`")),
    ("take_along_dim", Named("gather")),
    ("chunk", Missing("write `x.slice(1, 0..4)` for each part")),
    ("split", Missing("write `x.slice(1, 0..4)` for each part")),
    ("unbind", Missing("write `x.select(1, 0)` for each part")),
    ("tensor_split", Missing("write `x.slice(1, 0..4)` for each part")),
    ("norm", Missing("write `x.square().sum(dim = 1).sqrt()`")),
    ("var", Missing("write `(x - x.mean(dim = 1, keepdim = true)).square().mean(dim = 1)`")),
    ("std", Missing("write `(x - x.mean(dim = 1, keepdim = true)).square().mean(dim = 1).sqrt()`")),
    ("prod", Missing("write `x.log().sum(dim = 1).exp()` of positive numbers")),
    ("logsumexp", Missing("write `x.exp().sum(dim = 1).log()` of numbers that are not large")),
    ("median", Missing("`mean`, `amax` and `amin` are there")),
    ("quantile", Missing("`mean`, `amax` and `amin` are there")),
    ("mode", Missing("`argmax` is there")),
    ("sort", Missing("`amax` and `argmax` are there")),
    ("argsort", Missing("`argmax` is there")),
    ("topk", Missing("`argmax` is there")),
    ("argmin", Missing("write `(-x).argmax(1)`")),
    ("cumprod", Missing("write `x.log().cumsum(1).exp()` of positive numbers")),
    ("flip", Missing("`slice` takes parts in their order")),
    ("roll", Missing("write `cat([x.slice(1, 1..), x.slice(1, 0..1)], dim = 1)`")),
    ("repeat", Missing("write `x.unsqueeze(1).expand([batch, 3, 64])`")),
    ("tile", Missing("write `x.unsqueeze(1).expand([batch, 3, 64])`")),
    ("repeat_interleave", Missing("write `x.unsqueeze(2).expand([batch, 8, 3])` and `reshape`")),
    ("scatter", Missing("`gather` is there")),
    ("scatter_add", Missing("`gather` is there")),
    ("index_add", Missing("`gather` is there")),
    ("masked_select", Missing("its size would be that of a run; write `x.masked_fill(mask, 0.0)`")),
    ("nonzero", Missing("its size would be that of a run")),
    ("unique", Missing("its size would be that of a run")),
    ("diag", Missing("write `(x * EYE).sum(dim = 1)` with a constant array")),
    ("diagonal", Missing("write `(x * EYE).sum(dim = 1)` with a constant array")),
    ("trace", Missing("write `(x * EYE).sum()` with a constant array")),
    ("any", Missing("write `x.amax(dim = 1)` of zeros and ones")),
    ("all", Missing("write `x.amin(dim = 1)` of zeros and ones")),
    ("isnan", Missing("`x.ne(x)` is 1 where `x` is not a number")),
    ("nan_to_num", Missing("write `where_(x.eq(x), x, x * 0.0)`")),
    ("logical_and", Written("masks are 0 and 1: write `a * b`")),
    ("logical_or", Written("masks are 0 and 1: write `a.maximum(b)`")),
    ("logical_not", Written("masks are 0 and 1: write `1.0 - a`")),
    ("rsqrt", Missing("write `1.0 / x.sqrt()`")),
    ("reciprocal", Missing("write `1.0 / x`")),
    ("log1p", Missing("write `(1.0 + x).log()`")),
    ("expm1", Missing("write `x.exp() - 1.0`")),
    ("exp2", Missing("write `(x * 0.6931472).exp()`")),
    ("log2", Missing("write `x.log() / 0.6931472`")),
    ("log10", Missing("write `x.log() / 2.3025851`")),
    ("erf", Missing("`gelu` and `tanh` are there")),
    ("tan", Missing("write `x.sin() / x.cos()`")),
    ("sinh", Missing("write `(x.exp() - (-x).exp()) / 2.0`")),
    ("cosh", Missing("write `(x.exp() + (-x).exp()) / 2.0`")),
    ("asin", Missing("`sin`, `cos` and `tanh` are there")),
    ("acos", Missing("`sin`, `cos` and `tanh` are there")),
    ("atan", Missing("`sin`, `cos` and `tanh` are there")),
    ("atan2", Missing("`sin`, `cos` and `tanh` are there")),
    ("sign", Missing("write `x.gt(0.0) - x.lt(0.0)`")),
    ("floor", Missing("the numbers of a body are not rounded")),
    ("ceil", Missing("the numbers of a body are not rounded")),
    ("round", Missing("the numbers of a body are not rounded")),
    ("trunc", Missing("the numbers of a body are not rounded")),
    ("remainder", Missing("the numbers of a body are not rounded")),
    ("fmod", Missing("the numbers of a body are not rounded")),
    ("lerp", Missing("write `a + (b - a) * t`")),
    ("addcmul", Missing("write `a + b * c`")),
    ("relu6", Missing("write `x.clamp(0.0, 6.0)`")),
    ("hardtanh", Missing("write `x.clamp(-1.0, 1.0)`")),
    ("hardswish", Missing("`silu` is the smooth one")),
    ("hardsigmoid", Missing("write `(x / 6.0 + 0.5).clamp(0.0, 1.0)`")),
    ("selu", Missing("`elu` is there")),
    ("prelu", Missing("write `x.relu() - self.slope * (-x).relu()` with a `Param`")),
    ("logsigmoid", Missing("write `-softplus(-x)`")),
    ("softsign", Missing("write `x / (1.0 + x.abs())`")),
    ("softmin", Missing("write `(-x).softmax(1)`")),
    ("glu", Missing("write `a * b.sigmoid()` of two halves")),
    ("max_pool1d", Missing("`max_pool2d((1, 2))` of a height of 1 is the same")),
    ("avg_pool1d", Missing("`avg_pool2d((1, 2))` of a height of 1 is the same")),
    ("adaptive_max_pool2d", Missing("`x.amax(dim = [2, 3])` is that of one place")),
    ("batch_norm", Missing("`BatchNorm2d(8)` is a layer, which keeps the statistics")),
    ("group_norm", Missing("`GroupNorm(4, 8)` is a layer")),
    ("instance_norm", Missing("`GroupNorm(8, 8)` with as many groups as channels is the same")),
    ("fft", Missing("a `matmul` with a constant array is the same of short rows")),
    ("inverse", Missing("`matmul` is there")),
    ("cholesky", Missing("`matmul` is there")),
    ("svd", Missing("`matmul` is there")),
    ("det", Missing("`matmul` is there")),
    ("size", Written("a size is its name, or a number: `batch`, `784`")),
    ("dim", Written("how many axes a value has is known where the model is written")),
    ("ndim", Written("how many axes a value has is known where the model is written")),
    ("numel", Written("write the sizes: `784`, `H * W`")),
    ("contiguous", Written("values lie one behind the other already: leave it out")),
    ("clone", Written("a value does not change: leave it out")),
    ("copy", Written("a value does not change: leave it out")),
    ("to_owned", Written("a value does not change: leave it out")),
    ("float", Written("values are `f32` already: leave it out")),
    ("double", Written("values are `f32`: leave it out")),
    ("half", Outside("a workspace has the precision, see docs/bf16.md")),
    ("bfloat16", Outside("a workspace has the precision, see docs/bf16.md")),
    ("long", Written("class indices are `Classes[batch]`: leave it out")),
    ("int", Written("class indices are `Classes[batch]`: leave it out")),
    ("bool", Written("masks are 0 and 1: leave it out")),
    ("type", Written("values are `f32`: leave it out")),
    (
        "requires_grad_",
        Written("every parameter is trained: `#[frozen]` above a field holds it fixed"),
    ),
    ("retain_grad", Outside("`forward_grad_inputs` returns the gradients of inputs")),
    ("to", Outside("a workspace has the device: `Mlp::workspace_on(device, 64)`")),
    ("cuda", Outside("a workspace has the device: `Mlp::workspace_on(device, 64)`")),
    ("cpu", Outside("a workspace has the device: `Mlp::workspace_on(device, 64)`")),
    ("numpy", Outside("what a call returns are slices and arrays already")),
    ("item", Outside("a call returns the number of a `[]` already")),
    ("tolist", Outside("what a call returns are slices and arrays already")),
    ("backward", Outside("`net.loss_grad(…)` computes the gradients of a function `loss`")),
    ("step", Outside("`adam.step(&mut net, ws.grads())` stands in the program")),
    ("zero_grad", Outside("gradients are fresh in each call: leave it out")),
    ("train", Outside("`net.loss_grad(…)` is a training step, `net.forward(…)` is inference")),
    ("eval", Outside("`net.loss_grad(…)` is a training step, `net.forward(…)` is inference")),
    ("parameters", Outside("an optimizer takes the model: `Adam::new(&net, 1e-3)`")),
    ("unwrap", Written("a value is there: leave it out")),
    ("expect", Written("a value is there: leave it out")),
    ("iter", Written("operations are on whole values: `x.sum(dim = 1)`")),
    ("map", Written("operations are on whole values: `x.exp()`")),
    ("apply", Written("operations are on whole values: `x.exp()`")),
    ("as_slice", Written("operations are on whole values")),
    ("rearrange", Missing("write `reshape` and `permute`")),
];

const ATTRIBUTES: &[Entry] = &[
    ("T", Written("write `transpose(0, 1)`, with the axes to exchange")),
    ("mT", Written("write `transpose(-2, -1)`")),
    ("H", Written("write `transpose(0, 1)`")),
    ("shape", Written("a size is its name, or a number: `batch`, `784`")),
    ("ndim", Written("how many axes a value has is known where the model is written")),
    ("dtype", Written("values are `f32`")),
    ("device", Outside("a workspace has the device")),
    ("data", Written("write `detach()` for the value without its gradient")),
    ("grad", Outside("`ws.grads()` has the gradients behind `net.loss_grad(…)`")),
    ("values", Written("`amax` gives the values alone")),
    ("indices", Written("`argmax` gives the places")),
    ("real", Written("values are real numbers")),
    ("training", Written("`dropout` and batch normalisation know it by themselves")),
];

/// Options under other names; the first that a row has is meant.
const OPTIONS: &[(&str, &[&str])] = &[
    ("kernel_size", &["kernel"]),
    ("kernels", &["kernel"]),
    ("k", &["kernel"]),
    ("strides", &["stride"]),
    ("pad", &["padding"]),
    ("axis", &["dim", "start_dim"]),
    ("axes", &["dim", "dims"]),
    ("dims", &["dim"]),
    ("dim", &["dims"]),
    ("keepdims", &["keepdim"]),
    ("keep_dim", &["keepdim"]),
    ("keep_dims", &["keepdim"]),
    ("use_bias", &["bias"]),
    ("epsilon", &["eps"]),
    ("rate", &["p"]),
    ("dropout", &["p"]),
    ("prob", &["p"]),
    ("nhead", &["num_heads"]),
    ("heads", &["num_heads", "nhead"]),
    ("n_heads", &["num_heads", "nhead"]),
    ("num_heads", &["nhead"]),
    ("layers", &["num_layers"]),
    ("n_layers", &["num_layers"]),
    ("bidir", &["bidirectional"]),
    ("causal", &["is_causal"]),
    ("mask", &["attn_mask"]),
    ("slope", &["negative_slope"]),
    ("size_average", &["reduction"]),
    ("reduce", &["reduction"]),
    ("smoothing", &["label_smoothing"]),
    ("scale", &["scale_factor"]),
    ("groups", &["num_groups"]),
    ("min_val", &["min"]),
    ("max_val", &["max"]),
];

/// Options that nothing stands for, and why.
const NEEDLESS: &[(&str, &str)] = &[
    ("batch_first", "sequences are `[batch, time, features]` always"),
    ("inplace", "memory is planned: nothing is kept that is not needed"),
    ("device", "a workspace has the device"),
    ("dtype", "values are `f32`"),
    ("requires_grad", "every parameter is trained: `#[frozen]` above the field holds it fixed"),
    ("memory_format", "channels stand before the sides"),
    ("out", "a function returns its value"),
    ("name", "the field is the name"),
    ("track_running_stats", "running statistics are kept always"),
    ("input_shape", "the shapes are those of the function"),
    ("training", "a call with `_grad` or `_train` trains, every other one is inference"),
    ("need_weights", "the weights are not returned"),
    ("activation", "write it in the body: `self.fc1(x).relu()`"),
];
