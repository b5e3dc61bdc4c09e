//! The lints: what compiles and is most often a mistake. `docs/LINTS.md` is written from them.

/// What is warned of, unless `#[allow(name)]` stands there.
#[derive(Clone, Copy, Debug)]
pub struct Lint {
    pub name: &'static str,
    /// What is found.
    pub what: &'static str,
    /// What is bad about it.
    pub why: &'static str,
    /// What to write instead.
    pub fix: &'static str,
    /// The content of a `model!` that has it.
    pub example: &'static str,
    /// The same as it should be.
    pub fixed: &'static str,
}

/// All lints.
pub const LINTS: &[Lint] = &[
    SOFTMAX_BEFORE_CROSS_ENTROPY,
    LOG_OF_SOFTMAX,
    SIGMOID_BEFORE_LOGITS,
    LINEAR_AFTER_LINEAR,
    BIAS_BEFORE_BATCH_NORM,
    COLUMN_AGAINST_ROW,
    SUM_OVER_BATCH,
    UNUSED_LET,
    UNUSED_LAYER,
];

pub const SOFTMAX_BEFORE_CROSS_ENTROPY: Lint = Lint {
    name: "softmax_before_cross_entropy",
    what: "the input of `cross_entropy` is a softmax, or its logarithm",
    why: "`cross_entropy` makes a softmax of its input itself. The softmax of probabilities is \
        nearly flat: gradients are small, and the loss stays far from 0. Of logarithms it is what \
        they are, and is computed twice",
    fix: "give it the logits, which stand before the softmax",
    example: "struct Net { fc: Linear(784 -> 10) }
fn loss(&self, image: [batch, 784], label: Classes[batch]) -> [] {
    cross_entropy(self.fc(image).softmax(dim = 1), label)
}",
    fixed: "struct Net { fc: Linear(784 -> 10) }
fn loss(&self, image: [batch, 784], label: Classes[batch]) -> [] {
    cross_entropy(self.fc(image), label)
}",
};

pub const LOG_OF_SOFTMAX: Lint = Lint {
    name: "log_of_softmax",
    what: "the logarithm of a softmax",
    why: "a probability that is rounded to 0 has the logarithm -inf, and gradients that are no \
        numbers",
    fix: "`log_softmax` computes both in one, and rounds nothing to 0",
    example: "struct Net { fc: Linear(784 -> 10) }
fn forward(&self, image: [batch, 784]) -> [batch, 10] {
    self.fc(image).softmax(dim = 1).log()
}",
    fixed: "struct Net { fc: Linear(784 -> 10) }
fn forward(&self, image: [batch, 784]) -> [batch, 10] {
    self.fc(image).log_softmax(dim = 1)
}",
};

pub const SIGMOID_BEFORE_LOGITS: Lint = Lint {
    name: "sigmoid_before_logits",
    what: "the input of `binary_cross_entropy_with_logits` is a sigmoid",
    why: "the loss makes a sigmoid of its input itself. That of a probability lies between 0.5 and \
        0.73, whatever the model says",
    fix: "give it the logits, which stand before the sigmoid",
    example: "struct Net { fc: Linear(784 -> 10) }
fn loss(&self, image: [batch, 784], target: [batch, 10]) -> [] {
    binary_cross_entropy_with_logits(self.fc(image).sigmoid(), target)
}",
    fixed: "struct Net { fc: Linear(784 -> 10) }
fn loss(&self, image: [batch, 784], target: [batch, 10]) -> [] {
    binary_cross_entropy_with_logits(self.fc(image), target)
}",
};

pub const LINEAR_AFTER_LINEAR: Lint = Lint {
    name: "linear_after_linear",
    what: "a `Linear` whose input is a `Linear`, with nothing between, and no fewer features \
        between than on one of their sides",
    why: "two linear maps are one: the second costs time and memory, and adds nothing that the \
        model could express. Fewer features between are a factorisation, and no mistake",
    fix: "put an activation between them, or leave one out",
    example: "struct Net { fc1: Linear(784 -> 128), fc2: Linear(128 -> 10) }
fn forward(&self, image: [batch, 784]) -> [batch, 10] {
    self.fc2(self.fc1(image))
}",
    fixed: "struct Net { fc1: Linear(784 -> 128), fc2: Linear(128 -> 10) }
fn forward(&self, image: [batch, 784]) -> [batch, 10] {
    self.fc2(self.fc1(image).relu())
}",
};

pub const BIAS_BEFORE_BATCH_NORM: Lint = Lint {
    name: "bias_before_batch_norm",
    what: "a `Linear`, `Conv2d` or `ConvTranspose2d` with a bias, directly before a batch \
        normalisation",
    why: "the normalisation takes the mean away, and the bias with it: its gradient is 0, and it \
        costs memory and time",
    fix: "`bias = false`; the normalisation has a bias of its own",
    example: "struct Net { conv: Conv2d(3 -> 8, kernel = 3), norm: BatchNorm2d(8) }
fn forward(&self, image: [batch, 3, 28, 28]) -> [batch, 8, 26, 26] {
    self.norm(self.conv(image)).relu()
}",
    fixed: "struct Net { conv: Conv2d(3 -> 8, kernel = 3, bias = false), norm: BatchNorm2d(8) }
fn forward(&self, image: [batch, 3, 28, 28]) -> [batch, 8, 26, 26] {
    self.norm(self.conv(image)).relu()
}",
};

pub const COLUMN_AGAINST_ROW: Lint = Lint {
    name: "column_against_row",
    what: "`[n, 1]` and `[n]` meet in one operation and make `[n, n]`",
    why: "a prediction `[batch, 1]` less a target `[batch]` is each prediction less each target. \
        The loss is a number, falls, and is wrong",
    fix: "give both one shape; where every pair is meant, write `unsqueeze` at the operation",
    example: "struct Net { fc: Linear(13 -> 1) }
fn loss(&self, x: [batch, 13], target: [batch]) -> [] {
    (self.fc(x) - target).square().mean()
}",
    fixed: "struct Net { fc: Linear(13 -> 1) }
fn loss(&self, x: [batch, 13], target: [batch]) -> [] {
    (self.fc(x).squeeze(1) - target).square().mean()
}",
};

pub const SUM_OVER_BATCH: Lint = Lint {
    name: "sum_over_batch",
    what: "a loss that trains is a sum over a run-time size, which nothing divides",
    why: "gradients grow with the batch, so that a learning rate fits one batch size alone; the \
        last, smaller batch of an epoch counts less",
    fix: "take the mean, or divide by the size: `/ batch`",
    example: "struct Net { fc: Linear(13 -> 3) }
fn loss(&self, x: [batch, 13], target: [batch, 3]) -> [] {
    mse_loss(self.fc(x), target, reduction = sum)
}",
    fixed: "struct Net { fc: Linear(13 -> 3) }
fn loss(&self, x: [batch, 13], target: [batch, 3]) -> [] {
    mse_loss(self.fc(x), target, reduction = sum) / batch
}",
};

pub const UNUSED_LET: Lint = Lint {
    name: "unused_let",
    what: "a name that a `let` binds and nothing reads",
    why: "nothing is computed for it: what it stands for was forgotten, or another name was meant",
    fix: "use it, take it out, or call it `_name`",
    example: "struct Net { fc1: Linear(784 -> 10), fc2: Linear(10 -> 10) }
fn forward(&self, image: [batch, 784]) -> [batch, 10] {
    let x = self.fc1(image);
    let y = x.relu();
    self.fc2(x.tanh())
}",
    fixed: "struct Net { fc1: Linear(784 -> 10), fc2: Linear(10 -> 10) }
fn forward(&self, image: [batch, 784]) -> [batch, 10] {
    let x = self.fc1(image);
    let y = x.relu();
    self.fc2(y)
}",
};

pub const UNUSED_LAYER: Lint = Lint {
    name: "unused_layer",
    what: "a layer without parameters that no function calls",
    why: "what it should do is not done: a forgotten `Dropout` is a model without one. A layer \
        with parameters that is not called is an error",
    fix: "call it, or take it out",
    example: "struct Net { fc: Linear(784 -> 10), dropout: Dropout(0.5) }
fn forward(&self, image: [batch, 784]) -> [batch, 10] {
    self.fc(image)
}",
    fixed: "struct Net { fc: Linear(784 -> 10), dropout: Dropout(0.5) }
fn forward(&self, image: [batch, 784]) -> [batch, 10] {
    self.fc(self.dropout(image))
}",
};

/// A set of lints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lints(u32);

impl Lints {
    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        let at = LINTS.iter().position(|lint| lint.name == name)?;
        Some(Self(1 << at))
    }

    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn has(self, lint: &Lint) -> bool {
        Self::named(lint.name).is_some_and(|one| self.and(one) == self)
    }
}
