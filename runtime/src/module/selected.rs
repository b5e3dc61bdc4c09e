//! Parameters, gradients and other floats of a model by the names of their tensors: what
//! [`Model::select`](super::Model::select) gives.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;

use super::ParamSpec;
use super::select::SelectError;
use crate::io::near;
use crate::optim::squares;

/// Tensors that were selected of a flat slice: `F` is `&[f32]`, or `&mut [f32]` where they may
/// change. All of them have names and shapes; the floats of each are a slice.
///
/// ```
/// use gradiron::prelude::*;
///
/// model! {
///     struct Net {
///         body: Linear(8 -> 4),
///         head: Linear(4 -> 2),
///     }
///
///     fn forward(&self, x: [batch, 8]) -> [batch, 2] {
///         self.head(self.body(x).relu())
///     }
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let mut net = Net::init(Seed(0));
///     for tensor in net.select("body")?.iter() {
///         println!("{} {:?}: norm {}", tensor.name(), tensor.shape(), tensor.norm());
///     }
///     net.select_mut(Kind::Biases)?.fill(0.0);
///     assert_eq!(net.head().bias(), &[0.0; 2]);
///
///     // Gradients, of each layer by itself.
///     let mut ws = Net::workspace(1)?;
///     net.forward_grad(&mut ws, &[[1.0; 8]], &[[1.0; 2]])?;
///     ws.grads_mut().select_mut("body")?.clip_norm(0.1);
///     assert!(ws.grads().select("body")?.norm() < 0.11);
///     Ok(())
/// }
/// ```
pub struct Selected<F> {
    /// In the order of their places.
    specs: Arc<[ParamSpec]>,
    /// The flat slice that they lie in.
    floats: F,
}

impl<F: Deref<Target = [f32]>> Selected<F> {
    pub(crate) fn new(specs: Arc<[ParamSpec]>, floats: F) -> Self {
        Self { specs, floats }
    }

    /// The names, in the order of the flat slice.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.specs.iter().map(|spec| spec.name.as_str())
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.specs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.specs.is_empty()
    }

    /// The number of floats, of all tensors together.
    pub fn count(&self) -> usize {
        self.specs.iter().map(ParamSpec::len).sum()
    }

    /// The tensors, in the order of the flat slice.
    pub fn iter(&self) -> impl Iterator<Item = Tensor<'_>> {
        self.specs
            .iter()
            .map(|spec| Tensor { spec: Cow::Borrowed(spec), floats: &self.floats[range(spec)] })
    }

    /// The tensor of this name.
    ///
    /// # Errors
    /// When none of those that are selected has it.
    pub fn get(&self, name: &str) -> Result<Tensor<'_>, SelectError> {
        let found = self.iter().find(|tensor| tensor.name() == name);
        found.ok_or_else(|| self.unknown(name))
    }

    /// The norm of all of them together: the root of the sum of their squares, in `f64`s.
    pub fn norm(&self) -> f32 {
        self.iter().map(|tensor| squares(tensor.floats)).sum::<f64>().sqrt() as f32
    }

    /// The same tensors under other names: those that begin with `from` begin with `to` instead.
    /// So an encoder by itself is copied into one that is a part: `.rename("", "encoder.")`.
    ///
    /// # Errors
    /// When no name begins with `from`.
    pub fn rename(mut self, from: &str, to: &str) -> Result<Self, SelectError> {
        if !self.names().any(|name| name.starts_with(from)) {
            return Err(self.unknown(from));
        }
        let renamed = self.specs.iter().cloned().map(|mut spec| {
            if let Some(rest) = spec.name.strip_prefix(from) {
                spec.name = format!("{to}{rest}");
            }
            spec
        });
        self.specs = renamed.collect();
        Ok(self)
    }

    pub(super) fn floats(&self) -> &[f32] {
        &self.floats
    }

    fn unknown(&self, name: &str) -> SelectError {
        let what = "tensor that is selected";
        SelectError { pattern: name.to_owned(), what, near: near(name, self.names()) }
    }
}

impl<F: DerefMut<Target = [f32]>> Selected<F> {
    /// The tensors, to change.
    ///
    /// # Panics
    /// When the model describes parameters that overlap.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = Tensor<'_, &mut [f32]>> {
        let (mut rest, mut at) = (&mut self.floats[..], 0);
        self.specs.iter().map(move |spec| {
            let Range { start, end } = range(spec);
            assert!(at <= start, "`{}` overlaps the parameter before it", spec.name);
            let (floats, behind) =
                std::mem::take(&mut rest)[start - at..].split_at_mut(end - start);
            (rest, at) = (behind, end);
            Tensor { spec: Cow::Borrowed(spec), floats }
        })
    }

    /// The tensor of this name, to change.
    ///
    /// # Errors
    /// When none of those that are selected has it.
    pub fn get_mut(&mut self, name: &str) -> Result<Tensor<'_, &mut [f32]>, SelectError> {
        match self.specs.iter().find(|spec| spec.name == name) {
            Some(spec) => {
                let floats = &mut self.floats[range(spec)];
                Ok(Tensor { spec: Cow::Borrowed(spec), floats })
            }
            None => Err(self.unknown(name)),
        }
    }

    /// Makes all floats `value`.
    pub fn fill(&mut self, value: f32) {
        self.iter_mut().for_each(|tensor| tensor.floats.fill(value));
    }

    /// Multiplies all floats by `factor`.
    pub fn scale(&mut self, factor: f32) {
        let scale = |tensor: Tensor<'_, &mut [f32]>| {
            tensor.floats.iter_mut().for_each(|float| *float *= factor);
        };
        self.iter_mut().for_each(scale);
    }

    /// Makes them as short as `max_norm` where their norm together is larger: gradients of a layer,
    /// each layer by itself. What it multiplies by is that of PyTorch's `clip_grad_norm_`, and it
    /// gives the norm from before.
    #[doc(alias = "clip_grad_norm_")]
    pub fn clip_norm(&mut self, max_norm: f32) -> f32 {
        let norm = self.norm();
        let factor = (f64::from(max_norm) / (f64::from(norm) + 1e-6)) as f32;
        if !matches!(factor.partial_cmp(&1.0), Some(std::cmp::Ordering::Greater)) {
            self.scale(factor);
        }
        norm
    }

    /// Copies from tensors of the same names and shapes, of this model or of any other.
    ///
    /// # Errors
    /// When one of the names is missing on either side, or shapes differ: nothing is copied then.
    pub fn copy_from<G: Deref<Target = [f32]>>(
        &mut self,
        from: &Selected<G>,
    ) -> Result<(), CopyError> {
        self.zip(from, |to, from| to.copy_from_slice(from))
    }

    /// Moves towards tensors of the same names and shapes by the share `weight` of the difference,
    /// as PyTorch's `lerp_`: a running mean of networks.
    ///
    /// # Errors
    /// As [`copy_from`](Self::copy_from).
    pub fn lerp<G: Deref<Target = [f32]>>(
        &mut self,
        to: &Selected<G>,
        weight: f32,
    ) -> Result<(), CopyError> {
        self.zip(to, |from, to| super::lerp(from, to, weight))
    }

    fn zip<G: Deref<Target = [f32]>>(
        &mut self,
        other: &Selected<G>,
        mut f: impl FnMut(&mut [f32], &[f32]),
    ) -> Result<(), CopyError> {
        // Mostly the same tensors in the same order, which takes no search.
        let place = |k: usize, name: &str| match other.specs.get(k) {
            Some(spec) if spec.name == name => Some(spec),
            _ => other.specs.iter().find(|spec| spec.name == name),
        };
        for (k, spec) in self.specs.iter().enumerate() {
            let name = || spec.name.clone();
            let Some(from) = place(k, &spec.name) else {
                let near = near(&spec.name, other.names());
                return Err(CopyError::Missing { tensor: name(), near });
            };
            if from.shape != spec.shape {
                let (expected, found) = (spec.shape.clone(), from.shape.clone());
                return Err(CopyError::Shape { tensor: name(), expected, found });
            }
        }
        if other.len() > self.len() {
            let known = |name: &str| self.specs.iter().any(|spec| spec.name == name);
            if let Some(tensor) = other.names().find(|name| !known(name)) {
                return Err(CopyError::Unexpected { tensor: tensor.to_owned() });
            }
        }
        for (k, to) in self.iter_mut().enumerate() {
            if let Some(from) = place(k, &to.spec.name) {
                f(to.floats, &other.floats[range(from)]);
            }
        }
        Ok(())
    }
}

impl<F> fmt::Debug for Selected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.specs.iter().map(|spec| &spec.name)).finish()
    }
}

/// The place of a tensor in its flat slice.
pub(crate) fn range(spec: &ParamSpec) -> Range<usize> {
    spec.start..spec.start + spec.len()
}

/// One tensor, with its name and its shape.
pub struct Tensor<'a, F = &'a [f32]> {
    pub(super) spec: Cow<'a, ParamSpec>,
    pub(super) floats: F,
}

impl<F: Deref<Target = [f32]>> Tensor<'_, F> {
    /// PyTorch's name, `conv1.weight`.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// PyTorch's layout, `[out, in, kh, kw]`.
    pub fn shape(&self) -> &[usize] {
        &self.spec.shape
    }

    /// Its floats, the last axis densely.
    pub fn floats(&self) -> &[f32] {
        &self.floats
    }

    /// The root of the sum of squares.
    pub fn norm(&self) -> f32 {
        squares(&self.floats).sqrt() as f32
    }
}

impl<F: DerefMut<Target = [f32]>> Tensor<'_, F> {
    /// Its floats, to change.
    pub fn floats_mut(&mut self) -> &mut [f32] {
        &mut self.floats
    }
}

impl<F> fmt::Debug for Tensor<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({} {:?})", self.spec.name, self.spec.shape)
    }
}

/// Why nothing was copied between tensors of two selections.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CopyError {
    /// A tensor is not among those to copy from.
    #[error(
        "`{tensor}` is to be copied, and is not among the tensors to copy from, of which the nearest are \
         {near:?}; select what both have, or `rename` one side"
    )]
    Missing {
        /// The tensor.
        tensor: String,
        /// Names that might be meant.
        near: Vec<String>,
    },
    /// A tensor has no place.
    #[error(
        "`{tensor}` is among the tensors to copy from, and not among those to copy to; select what both have, or \
         `rename` one side"
    )]
    Unexpected {
        /// The tensor.
        tensor: String,
    },
    /// A tensor has another shape.
    #[error(
        "`{tensor}`: expected shape {expected:?}, found {found:?}; copy a part of it (`part_mut`)"
    )]
    Shape {
        /// The tensor.
        tensor: String,
        /// The shape of the tensor to copy to.
        expected: Vec<usize>,
        /// That of the tensor to copy from.
        found: Vec<usize>,
    },
    /// A name matches nothing.
    #[error(transparent)]
    Select(#[from] SelectError),
}
