//! What users can write, as rows of one kind of table: layers, methods, functions and losses. A row
//! says all that others have to know of its name, so that nothing else asks for names. Programs are
//! drawn by it (`tests/agree`), and `docs/REFERENCE.md` is written from it.

pub mod lint;
mod option;
pub mod pytorch;

pub use crate::range::Range;
pub use option::{Domain, OptionRow, Preset};

/// A name that users can write, and what `build` makes of it.
#[derive(Clone, Copy, Debug)]
pub struct Row<B: 'static> {
    pub name: &'static str,
    /// What the first input has to be.
    pub input: Input,
    /// The inputs that it may be called with.
    pub calls: &'static [&'static [Operand]],
    /// The two sizes that the declaration of a layer starts with.
    pub sizes: Option<Sizes>,
    /// The options: of a layer those of its declaration, in the order in which they may stand
    /// without their names.
    pub options: &'static [OptionRow],
    /// The options of a layer's call.
    pub call_options: &'static [OptionRow],
    /// The const parameters of the type that stands for the layer under `#[derive(Module)]`, as
    /// Rust has them, where there is such a type.
    pub type_params: Option<&'static str>,
    /// The parameters and the state of a layer with their shapes; empty where it has none.
    pub params: &'static str,
    /// The shapes of the inputs and of the results.
    pub shapes: &'static str,
    /// What the results are.
    pub formula: &'static str,
    /// The page of PyTorch's docs that says the same, `torch.nn.Linear`; another source in words.
    pub source: &'static str,
    pub example: Example,
    pub build: B,
}

/// What the first input of a row has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Anything that has a shape; class indices, too.
    Any,
    /// Numbers.
    Floats,
    /// Numbers with features on their last axis, `[.., features]`.
    Rows,
    /// `[batch, time, features]`
    Sequence,
    /// `[batch, channels, height, width]`
    Images,
    /// `Classes[batch, ..]`
    Classes,
    /// Nothing: a name for a value.
    Nothing,
}

impl Input {
    /// How many axes it has, where only one number of them is right.
    pub fn rank(self) -> Option<usize> {
        match self {
            Self::Images => Some(4),
            Self::Sequence => Some(3),
            Self::Any | Self::Floats | Self::Rows | Self::Classes | Self::Nothing => None,
        }
    }
}

/// The name of an input, and what tests write in its place: a word of capitals (`tests/agree`).
pub type Operand = (&'static str, &'static str);

/// `I -> O`: the sizes as readers see them, and as tests draw them.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub written: &'static str,
    pub sample: &'static str,
}

/// A use that compiles.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// The declaration of a layer: `Linear(784 -> 128)`.
    pub layer: &'static str,
    /// What stands behind `fn example`, or, of a layer, which is the field `layer`, behind
    /// `fn forward(&self, `.
    pub function: &'static str,
}

impl Example {
    /// A use of a layer that is declared as `layer`.
    pub const fn layer(layer: &'static str, function: &'static str) -> Self {
        Self { layer, function }
    }

    /// A use of a method or a function.
    pub const fn function(function: &'static str) -> Self {
        Self { layer: "", function }
    }

    /// What stands in `model! { … }`.
    pub fn text(&self) -> String {
        let (layer, function) = (self.layer, self.function);
        match layer {
            "" => format!("fn example({function}"),
            _ => format!("struct Example {{ layer: {layer} }}\nfn forward(&self, {function}"),
        }
    }
}

impl<B: Copy> Row<B> {
    /// A row of numbers to numbers, of which nothing else is said yet.
    pub const fn new(name: &'static str, build: B) -> Self {
        Self {
            name,
            input: Input::Floats,
            calls: &[&[("x", "")]],
            sizes: None,
            options: &[],
            call_options: &[],
            type_params: None,
            params: "",
            shapes: "",
            formula: "",
            source: "",
            example: Example::function(""),
            build,
        }
    }
}

impl<B> Row<B> {
    /// The same without what it makes.
    pub fn described(&self) -> Row<()> {
        self.with(())
    }

    /// The same with something else that it makes.
    pub fn with<C>(&self, build: C) -> Row<C> {
        Row {
            name: self.name,
            input: self.input,
            calls: self.calls,
            sizes: self.sizes,
            options: self.options,
            call_options: self.call_options,
            type_params: self.type_params,
            params: self.params,
            shapes: self.shapes,
            formula: self.formula,
            source: self.source,
            example: self.example,
            build,
        }
    }

    /// What tests write in the parentheses: the sizes, then the options.
    pub fn sample(&self) -> String {
        let sizes = self.sizes.map(|sizes| sizes.sample.to_string());
        let options = self.options.iter().map(OptionRow::sample);
        sizes.into_iter().chain(options).collect::<Vec<_>>().join(", ")
    }

    /// What tests write behind the inputs of a call.
    pub fn call_sample(&self) -> String {
        let options = self.call_options.iter().map(OptionRow::sample);
        options.collect::<Vec<_>>().join(", ")
    }

    /// What has to stand in the parentheses, as readers see it: `I -> O, kernel`.
    pub fn needed(&self) -> String {
        let sizes = self.sizes.map(|sizes| sizes.written);
        let needed = self.options.iter().filter(|option| option.default == Preset::Needed);
        let all: Vec<_> = sizes.into_iter().chain(needed.map(|option| option.name)).collect();
        all.join(", ")
    }
}
