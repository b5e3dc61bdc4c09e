//! The layers as types, for the fields of a `#[derive(Module)]` struct. They hold nothing: the
//! struct describes a network, and `Net` owns its parameters. In `model!`, the same names are
//! written with parentheses: `Linear(784 -> 128)`.

macro_rules! layers {
    ($($(#[$doc:meta])* $name:ident $(<$($param:ident $(= $default:literal)?),*>)?;)*) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name $(<$(const $param: usize $(= $default)?),*>)?;)*
    };
}

layers! {
    /// `y = x wᵀ + b`, PyTorch's `nn.Linear(I, O)`.
    Linear<I, O>;
    /// `nn.Conv2d(I, O, kernel_size=K, stride=STRIDE, padding=PADDING)`.
    Conv2d<I, O, K, STRIDE = 1, PADDING = 0>;
    /// `nn.ConvTranspose2d(I, O, kernel_size=K, stride=STRIDE, padding=PADDING)`.
    ConvTranspose2d<I, O, K, STRIDE = 1, PADDING = 0>;
    /// Rows of a table, `nn.Embedding(V, D)`: the first field of a module of class indices.
    Embedding<V, D>;
    /// `nn.BatchNorm1d(C)`.
    BatchNorm1d<C>;
    /// `nn.BatchNorm2d(C)`.
    BatchNorm2d<C>;
    /// `nn.LayerNorm(D)`.
    LayerNorm<D>;
    /// `nn.RMSNorm(D)`.
    RMSNorm<D>;
    /// `nn.MaxPool2d(K)`, stride `K`.
    MaxPool2d<K>;
    /// `nn.AvgPool2d(K)`, stride `K`.
    AvgPool2d<K>;
    /// `O` x `O` averages of equal parts of each plane, `nn.AdaptiveAvgPool2d(O)`.
    AdaptiveAvgPool2d<O>;
    /// `SCALE` times larger planes, `nn.Upsample(scale_factor=SCALE)`.
    Upsample<SCALE>;
    /// All axes but the first as one, `nn.Flatten()`.
    Flatten;
    /// `max(x, 0)`
    Relu;
    /// `x`, or `x / 100` below 0.
    LeakyRelu;
    /// `x`, or `eˣ − 1` below 0.
    Elu;
    /// `x Φ(x)`
    Gelu;
    /// `x σ(x)`
    Silu;
    /// `1 / (1 + e⁻ˣ)`
    Sigmoid;
    /// `tanh x`
    Tanh;
    /// `log(1 + eˣ)`
    Softplus;
    /// `exp(x) / Σ exp(x)` along the last axis.
    Softmax;
    /// The logarithm of [`Softmax`].
    LogSoftmax;
}
