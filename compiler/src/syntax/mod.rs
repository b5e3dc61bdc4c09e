//! Text to syntax. A model is a `struct` of layers and its functions; expressions are
//! Rust's own. A part that does not parse is reported and left out; the rest goes on.

pub mod allow;
mod arrows;
mod attributes;
mod body;
mod bound;
mod budget;
mod check;
mod constants;
mod fields;
mod foreign;
mod foreign_layers;
mod generics;
mod held;
mod items;
pub mod limits;
mod recover;
pub mod reserved;
mod shapes;
mod signature;
mod typed;

pub use arrows::sides;
pub use body::is_reveal;
pub use budget::{Budget, Figure, Limit, budget};
pub use check::{MOST_SIZES, ambiguous, check_item, distinct, run_time_names, slip, uses_of};
pub use fields::{count_of, frozen, name_in_files, parse_layer_type};
pub use held::{NO_TEXT, OF_ANY, in_place_of};
pub use items::{parse_model, parse_models};
pub use typed::{PRIMITIVES, numeral, parse_layer, type_of, value};

use std::rc::Rc;

use proc_macro2::{Ident, Span, TokenStream};
use syn::{Attribute, Expr, Generics, LitStr, Path, Type, Visibility};

use crate::text::text_of;
use crate::vocabulary::lint::Lints;

/// A model: a struct and its functions, or functions alone.
#[derive(Debug, Default)]
pub struct ModelItem {
    /// Left out in a model of plain functions.
    pub header: Option<Header>,
    pub fields: Vec<Field>,
    pub functions: Vec<Function>,
    /// The constants of the same `model!`.
    pub constants: Rc<[ConstItem]>,
    /// What stands in front of the model's Rust: of the first model, these constants as they are
    /// written.
    pub items: TokenStream,
    /// Whether the user's struct is there already (`#[derive(Module)]`).
    pub derived: bool,
    /// A field or a function did not parse so far as to have a name.
    pub lost: bool,
    /// The constants of the program that are sizes of it.
    pub bound: bound::BoundSizes,
}

/// `const GRID: [[f32; 8]; 8] = …;` in a `model!`, as its functions see it.
#[derive(Debug)]
pub struct ConstItem {
    pub name: Ident,
    /// Of an array, its sizes.
    pub array: Option<TypeExpr>,
    pub value: Expr,
}

/// `/// docs  pub struct Block<const D: usize>`
#[derive(Debug)]
pub struct Header {
    /// The lints that are silent in the whole model.
    pub allow: Lints,
    pub attrs: Vec<Attribute>,
    pub vis: Visibility,
    pub name: Ident,
    pub generics: Generics,
    /// What it may take at most.
    pub budget: Option<Budget>,
}

/// `#[name = "classifier.0"] fc1: Linear(784 -> 128)`
#[derive(Debug)]
pub struct Field {
    /// What `///` says of it.
    pub docs: Vec<Attribute>,
    pub name: Ident,
    /// Its name in files, where that is another one; of a row, `layer1.1..`, with the number of its
    /// first element.
    pub in_files: Option<LitStr>,
    /// Where `#[frozen]` stands: its parameters are held fixed.
    pub frozen: Option<Span>,
    /// The lints that say nothing of it.
    pub allow: Lints,
    pub decl: FieldDecl,
}

impl Field {
    /// What files call it: PyTorch's name. A field `_0` is `0`, as the parts of a `Sequential` are
    /// called.
    pub fn name_in_files(&self) -> String {
        let name = self.name.to_string();
        match (self.written(), part_number(&name)) {
            (Some((written, _)), _) => written,
            (None, Some(number)) => number.to_string(),
            (None, None) => crate::names::plain(&name).to_string(),
        }
    }

    /// The same of one of its tensors, `weight`; of a free parameter, `""`, it is the field's own.
    pub fn tensor_in_files(&self, tensor: &str) -> String {
        let name = self.name_in_files();
        let (number, rest) = tensor.split_once('.').unwrap_or((tensor, ""));
        match (tensor, number.parse::<usize>(), rest) {
            ("", ..) => name,
            // An element of a row.
            (_, Ok(number), "") => format!("{name}.{}", self.first_in_files() + number),
            (_, Ok(number), rest) => format!("{name}.{}.{rest}", self.first_in_files() + number),
            (tensor, Err(_), _) => format!("{name}.{tensor}"),
        }
    }

    /// The number of the first element of a row.
    pub fn first_in_files(&self) -> usize {
        self.written().map_or(0, |(_, first)| first)
    }

    /// What stands in `#[name = "…"]`, and the number of the first element.
    fn written(&self) -> Option<(String, usize)> {
        let value = self.in_files.as_ref()?.value();
        let row = value.strip_suffix("..").and_then(|row| row.rsplit_once('.'));
        Some(match row.and_then(|(name, first)| Some((name, first.parse().ok()?))) {
            Some((name, first)) => (name.into(), first),
            None => (value, 0),
        })
    }
}

/// The number of a part of a tuple struct, `_0`.
pub fn part_number(name: &str) -> Option<usize> {
    name.strip_prefix('_')?.parse().ok()
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // there are few of them
pub enum FieldDecl {
    /// `Linear(784 -> 128, bias = false)`
    Layer(LayerDecl),
    /// A model: `Block<128>`.
    Model(Type),
    /// A number of equal models in a row: `[Block<128>; 4]`.
    Array(Type, Expr),
    /// A number of layers that are declared alike: `[Linear(64 -> 64); 3]`.
    Layers(LayerDecl, usize),
    /// Did not parse.
    Broken,
}

#[derive(Debug)]
pub struct LayerDecl {
    pub path: Path,
    pub args: Vec<Arg>,
    pub written: Written,
    /// The parentheses.
    pub span: Span,
}

/// How a layer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// `Linear(784 -> 128)`
    Call,
    /// `Linear<784, 128>`
    Consts,
    /// `typed::Linear<U784, U128>`
    Types,
}

/// An argument of a layer or of a call.
#[derive(Debug, Clone)]
pub enum Arg {
    /// `784`
    Value(Expr),
    /// `784 -> 128`
    Sizes(Expr, Expr),
    /// `padding = 2`
    Named(Ident, Expr),
}

impl Arg {
    /// Its text.
    pub fn tokens(&self) -> TokenStream {
        use quote::quote;
        match self {
            Self::Value(value) => quote!(#value),
            Self::Sizes(from, to) => quote!(#from -> #to),
            Self::Named(name, value) => quote!(#name = #value),
        }
    }

    /// Its expressions.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        let (first, second) = match self {
            Self::Value(value) | Self::Named(_, value) => (value, None),
            Self::Sizes(from, to) => (from, Some(to)),
        };
        [first].into_iter().chain(second)
    }
}

/// `fn forward(&self, x: [batch, 784]) -> [batch, 10] { … }`
#[derive(Debug)]
pub struct Function {
    pub attrs: Vec<Attribute>,
    /// `#[step(CONTEXT)]`: the size of the sequences of which the next positions run by themselves.
    pub step: Option<Expr>,
    /// `#[trains(critic, head)]`: the fields that the gradient of this loss goes to.
    pub trains: Option<Vec<Ident>>,
    /// The lints that are silent in it.
    pub allow: Lints,
    pub vis: Option<Visibility>,
    pub name: Ident,
    /// Whether there is a `&self`.
    pub has_self: bool,
    pub args: Vec<FnArg>,
    pub returns: Vec<TypeExpr>,
    /// Where `-> …` is missing.
    pub arrow_missing: Option<Span>,
    /// Whether they are what the body makes, and `returns` a guess for what has mistakes.
    pub returns_guess: bool,
    /// Whether the results are written as a tuple.
    pub returns_tuple: bool,
    pub body: Vec<Stmt>,
    pub body_span: Span,
}

#[derive(Debug)]
pub struct FnArg {
    pub name: Ident,
    pub ty: TypeExpr,
}

impl std::fmt::Display for Arg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value(value) => f.write_str(&text_of(value)),
            Self::Sizes(from, to) => write!(f, "{} -> {}", text_of(from), text_of(to)),
            Self::Named(name, value) => write!(f, "{name} = {}", text_of(value)),
        }
    }
}

/// `[batch, 784]` or `Classes[batch]`
#[derive(Debug, Clone)]
pub struct TypeExpr {
    pub classes: bool,
    pub dims: Vec<Expr>,
    pub span: Span,
    /// Did not parse.
    pub broken: bool,
}

impl std::fmt::Display for TypeExpr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dims: Vec<_> = self.dims.iter().map(text_of).collect();
        let classes = if self.classes { "Classes" } else { "" };
        write!(f, "{classes}[{}]", dims.join(", "))
    }
}

impl std::fmt::Display for FnArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.ty)
    }
}

/// What a name is bound to.
#[derive(Debug)]
pub enum Value {
    Expr(Expr),
    /// `if i > 0 { a } else { b }`
    If(If),
}

/// A loop that is written out.
#[derive(Debug)]
pub struct For {
    /// Nothing for `_`.
    pub name: Option<Ident>,
    /// `0..3`, `self.fc`
    pub over: Expr,
    pub body: Vec<Stmt>,
    pub span: Span,
}

/// One of two blocks.
#[derive(Debug)]
pub struct If {
    pub condition: Expr,
    pub then: Vec<Stmt>,
    /// Nothing where there is no `else`.
    pub otherwise: Vec<Stmt>,
    pub span: Span,
}

#[derive(Debug)]
pub enum Stmt {
    /// `let x = …;`, `let (a, b) = …;`, `let x: [batch, 32] = …;`,
    /// `let (a, b): ([batch, 32], [batch, 8]) = …;`
    Let { names: Vec<Ident>, annotation: Vec<TypeExpr>, value: Value },
    /// `x = …;`, of a name that is bound before.
    Assign { name: Ident, value: Value },
    /// `for fc in self.fc { … }`
    For(For),
    /// `if i > 0 { … }`
    If(If),
    /// `reveal!(x);`
    Reveal(Expr),
    /// The value of the function, or of a block.
    Tail(Expr),
    /// `#[allow(sum_over_batch)] let loss = …;`
    Allow(Lints, Box<Stmt>),
    /// Did not parse; it would have bound these names.
    Broken { names: Vec<Ident> },
}

impl Stmt {
    /// The statement behind its `#[allow(…)]`, and the lints that are silent in it.
    pub fn allowed(&self) -> (Lints, &Self) {
        match self {
            Self::Allow(lints, stmt) => {
                let (more, stmt) = stmt.allowed();
                (lints.and(more), stmt)
            }
            other => (Lints::default(), other),
        }
    }
}
