//! Flat slices as nested arrays and back: the shapes of users' data are Rust's own types.

use bytemuck::Pod;

use crate::ops::batch_norm::count_of;
use crate::storage::Storage;

/// The floats of a batch of samples.
#[inline]
pub fn flat<T: Pod>(samples: &[T]) -> &[f32] {
    bytemuck::cast_slice(samples)
}

/// Floats as samples of type `T`, `[[f32; 28]; 28]` for instance.
///
/// # Panics
/// When `floats` is not a whole number of samples; generated code asks for whole ones.
#[inline]
pub fn batch<T: Pod>(floats: &[f32]) -> &[T] {
    bytemuck::cast_slice(floats)
}

/// Floats as one array.
///
/// # Panics
/// When their number is not the array's; generated code asks for the right one.
#[inline]
pub fn array<T: Pod>(floats: &[f32]) -> &T {
    bytemuck::from_bytes(bytemuck::cast_slice(floats))
}

/// Flat data as samples: `samples::<[[f32; 28]; 28]>(&floats)`.
///
/// # Errors
/// When the floats are not a whole number of samples.
pub fn samples<T: Pod>(floats: &[f32]) -> Result<&[T], NotWhole> {
    bytemuck::try_cast_slice(floats)
        .map_err(|_| NotWhole { found: floats.len(), sample: size_of::<T>() / size_of::<f32>() })
}

/// Flat data that ends in the middle of a sample.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{found} floats are not a whole number of samples of {sample} floats each")]
pub struct NotWhole {
    /// The floats that were given.
    pub found: usize,
    /// The floats of one sample.
    pub sample: usize,
}

/// The parameters of one layer.
#[derive(Debug)]
pub struct Layer<'a, W: ?Sized, B: ?Sized> {
    weight: &'a W,
    bias: &'a B,
}

impl<'a, W: ?Sized, B: ?Sized> Layer<'a, W, B> {
    #[doc(hidden)]
    pub fn new(weight: &'a W, bias: &'a B) -> Self {
        Self { weight, bias }
    }

    /// The weight, in PyTorch's layout: `[out, in]`, `[out, in / groups, kh, kw]`.
    pub fn weight(&self) -> &'a W {
        self.weight
    }

    /// The bias, `[out]`; `()` for a layer without one.
    pub fn bias(&self) -> &'a B {
        self.bias
    }
}

/// The parameters of one layer, to change: `net.fc1_mut().weight_mut()[0][3] = 0.5`.
#[derive(Debug)]
pub struct LayerMut<'a, W: ?Sized, B: ?Sized> {
    weight: &'a mut W,
    bias: &'a mut B,
}

impl<'a, W: FromFloats + ?Sized, B: FromFloats + ?Sized> LayerMut<'a, W, B> {
    /// From where in the parameters the weight and behind it the bias lie, the same place twice for
    /// what is not there.
    #[doc(hidden)]
    pub fn new(params: &'a mut Storage, weight: [usize; 2], bias: [usize; 2]) -> Self {
        let (start, end) = (weight[0], weight[1]);
        let (front, behind) = params.as_mut_slice().split_at_mut(end);
        let bias = if bias[0] == bias[1] {
            &mut [][..]
        } else {
            &mut behind[bias[0] - end..bias[1] - end]
        };
        Self { weight: W::of_mut(&mut front[start..]), bias: B::of_mut(bias) }
    }

    /// The weight, in PyTorch's layout: `[out, in]`, `[out, in / groups, kh, kw]`.
    pub fn weight_mut(self) -> &'a mut W {
        self.weight
    }

    /// The bias, `[out]`; `()` for a layer without one.
    pub fn bias_mut(self) -> &'a mut B {
        self.bias
    }

    /// The weight and the bias.
    pub fn both(self) -> (&'a mut W, &'a mut B) {
        (self.weight, self.bias)
    }
}

/// What floats of a tensor are seen as: arrays of arrays, one number, or a slice.
pub trait FromFloats {
    #[doc(hidden)]
    fn of_mut(floats: &mut [f32]) -> &mut Self;
}

impl<T: Pod> FromFloats for T {
    #[inline]
    fn of_mut(floats: &mut [f32]) -> &mut Self {
        bytemuck::from_bytes_mut(bytemuck::cast_slice_mut(floats))
    }
}

impl FromFloats for [f32] {
    #[inline]
    fn of_mut(floats: &mut [f32]) -> &mut Self {
        floats
    }
}

/// A parameter by itself, to change, from where to where it lies.
#[doc(hidden)]
pub fn param_mut<T: FromFloats + ?Sized>(params: &mut Storage, [start, end]: [usize; 2]) -> &mut T {
    T::of_mut(&mut params.as_mut_slice()[start..end])
}

/// The parameters and the running statistics of a batch normalisation.
#[derive(Debug)]
pub struct BatchNorm<'a, W: ?Sized, B: ?Sized, S: ?Sized> {
    layer: Layer<'a, W, B>,
    running_mean: &'a S,
    running_var: &'a S,
    num_batches_tracked: &'a f32,
}

impl<'a, W: ?Sized, B: ?Sized, S: ?Sized> BatchNorm<'a, W, B, S> {
    #[doc(hidden)]
    pub fn new(
        weight: &'a W,
        bias: &'a B,
        running_mean: &'a S,
        running_var: &'a S,
        num_batches_tracked: &'a f32,
    ) -> Self {
        let layer = Layer::new(weight, bias);
        Self { layer, running_mean, running_var, num_batches_tracked }
    }

    /// The factors, `[channels]`; `()` without `affine`.
    pub fn weight(&self) -> &'a W {
        self.layer.weight
    }

    /// What is added, `[channels]`; `()` without `affine`.
    pub fn bias(&self) -> &'a B {
        self.layer.bias
    }

    /// The running mean of each channel.
    pub fn running_mean(&self) -> &'a S {
        self.running_mean
    }

    /// The running variance of each channel.
    pub fn running_var(&self) -> &'a S {
        self.running_var
    }

    /// How many batches are in the running statistics: exact up to some 889 million. The `f32` of
    /// the state itself is this number up to 2²⁴ and counts in its bits from there on.
    pub fn num_batches_tracked(&self) -> f64 {
        count_of(*self.num_batches_tracked) as f64
    }
}
