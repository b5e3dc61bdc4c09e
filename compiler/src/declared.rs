//! What a model declares: its parameters, its state and the interfaces of its functions, as
//! lowering finds them and the emitted Rust says them.

use proc_macro2::{Ident, TokenStream};

use crate::dim::{Atom, Dim, Shape};
use crate::graph::{Kind, Ty};

/// A parameter of the model, in the order of the flat slice.
#[derive(Debug, Clone)]
pub struct Param {
    /// Behind the field's name: `weight`; empty for a free `Param` and for a nested model.
    pub name: String,
    pub shape: Shape,
    pub init: ParamInit,
    /// The fields whose weight it is as well.
    pub tied: Vec<usize>,
}

#[derive(Debug, Clone)]
pub enum ParamInit {
    /// An `Init` expression of the runtime.
    Init(TokenStream),
    /// The parameters of a model, or of a row of them.
    Nested { model: TokenStream, count: Option<Dim> },
}

/// A tensor of the model's state.
#[derive(Debug, Clone)]
pub struct State {
    /// Behind the field's name: `running_mean`; empty for a nested model.
    pub name: String,
    pub shape: Shape,
    pub init: StateInit,
}

#[derive(Debug, Clone)]
pub enum StateInit {
    /// The first value of each element.
    Value(f32),
    /// A count, from 0 on.
    Count,
    /// What the program sets: an `Init` expression of the runtime.
    Buffer(TokenStream),
    /// The state of a model, or of a row of them.
    Nested { model: TokenStream, count: Option<Dim> },
}

/// A tensor of a field.
pub trait Tensor {
    /// Behind the field's name.
    fn name(&self) -> &str;

    /// The number of its elements.
    fn elements(&self) -> Dim;

    /// The place of its layer in a row: `1` of `1.weight`.
    fn element(&self) -> usize {
        let first = self.name().split('.').next();
        first.and_then(|number| number.parse().ok()).unwrap_or(0)
    }
}

impl Tensor for Param {
    fn name(&self) -> &str {
        &self.name
    }

    fn elements(&self) -> Dim {
        self.shape.len()
    }
}

impl Tensor for State {
    fn name(&self) -> &str {
        &self.name
    }

    fn elements(&self) -> Dim {
        self.shape.len()
    }
}

/// An array that is a constant of the program's, as a value.
#[derive(Debug, Clone)]
pub struct Fixed {
    /// As it is written: `GRID`, `consts::MEL`.
    pub text: String,
    /// Its path, at the place of its first use.
    pub path: TokenStream,
    pub ty: Ty,
    /// Whether its sizes are stated in a body, and not known from its declaration.
    pub is_stated: bool,
}

/// An argument of a function.
#[derive(Debug, Clone)]
pub struct Arg {
    pub name: Ident,
    pub ty: Ty,
}

/// The interface of a function, which stays even when its body is wrong.
#[derive(Debug)]
pub struct Interface {
    pub name: Ident,
    pub vis: TokenStream,
    pub docs: TokenStream,
    pub args: Vec<Arg>,
    pub results: Vec<Ty>,
    /// The longest sequences, where it also runs step by step.
    pub step: Option<Dim>,
    /// Whether it has mistakes.
    pub is_wrong: bool,
}

impl Interface {
    /// Of a function with mistakes: whatever it is called with is no mistake of its own.
    pub fn takes_anything(&mut self) {
        self.args.iter_mut().for_each(|arg| arg.ty.kind = Kind::Unknown);
        self.is_wrong = true;
    }

    /// Of a size with a slip in its name: it is the one that was meant.
    pub fn rename_size(&mut self, name: &str, meant: &str) {
        let dims = self.args.iter_mut().flat_map(|arg| &mut arg.ty.shape.0);
        dims.filter(|dim| dim.as_run() == Some(name)).for_each(|dim| {
            *dim = Dim::atom(Atom::Run(meant.into()));
        });
    }
}

/// What only rustc can say of a field: whether a gradient gets to it through the models on the way.
#[derive(Debug)]
pub struct Trained {
    pub field: usize,
    /// A constant of type `bool`.
    pub is_reached: TokenStream,
    /// The losses that read it, as messages name them.
    pub losses: String,
}
