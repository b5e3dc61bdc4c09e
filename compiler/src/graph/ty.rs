//! The type of a value: its shape and what it holds.

use crate::dim::{Dim, Shape};

/// What a value holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Float,
    /// Class indices, `Classes[batch]`.
    Classes,
    /// Something an op keeps for its backward: positions of maxima, a nested model's memory.
    Saved,
    /// A tensor of the model's state. An op's k-th one among the outputs is the new value of its
    /// k-th one among the inputs.
    State,
    /// What is declared wrongly: in the signatures of stubs only.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ty {
    pub shape: Shape,
    pub kind: Kind,
}

impl Ty {
    pub fn float(dims: impl Into<Vec<Dim>>) -> Self {
        Self { shape: Shape(dims.into()), kind: Kind::Float }
    }

    pub fn dims(&self) -> &[Dim] {
        &self.shape.0
    }
}

impl std::fmt::Display for Ty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            Kind::Float => write!(f, "{}", self.shape),
            Kind::Classes => write!(f, "Classes{}", self.shape),
            Kind::Saved => write!(f, "saved{}", self.shape),
            Kind::State => write!(f, "state{}", self.shape),
            Kind::Unknown => f.write_str("?"),
        }
    }
}

/// Whether the first result, and no other, is a number: gradients are of it, and further results
/// come along.
pub fn is_loss(results: &[Ty]) -> bool {
    let mut numbers = results.iter().map(|ty| ty.shape.rank() == 0);
    numbers.next() == Some(true) && !numbers.any(|is_number| is_number)
}

/// Whether there are several results and all are numbers: losses, whose sum the caller weighs.
pub fn are_losses(results: &[Ty]) -> bool {
    results.len() > 1 && results.iter().all(|ty| ty.shape.rank() == 0)
}

/// Fewer floats a sample are not worth two calls.
const LEAST: usize = 64;

/// Whether a value grows with a run-time size, and has not only a few floats for each sample.
pub fn is_long(ty: &Ty) -> bool {
    let dims = ty.dims();
    let sample = dims.iter().filter(|dim| !dim.is_run_time()).map(Dim::as_lit);
    let few = |floats: Vec<usize>| floats.iter().product::<usize>() < LEAST;
    dims.iter().any(Dim::is_run_time) && !sample.collect::<Option<Vec<_>>>().is_some_and(few)
}
