//! Tensors whose sizes are known when a program runs, where nested arrays cannot say them.

mod class_index;
mod padded;

pub use class_index::ClassIndex;
pub use padded::Padded;

use bytemuck::Pod;

/// A tensor in memory that is somebody else's: its elements, row by row, and its sizes.
///
/// What has several sizes that only a run knows is given to a model as one, and comes back as one.
/// Nested arrays, a `Vec` of them and [`Padded`] rows are such tensors by themselves.
///
/// ```
/// use gradiron::prelude::*;
///
/// model! {
///     struct Blur { conv: Conv2d(1 -> 1, kernel = 3, padding = 1) }
///     fn forward(&self, image: [batch, 1, h, w]) -> [batch, 1, h, w] { self.conv(image) }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let net = Blur::init(Seed(0));
/// let mut ws = Blur::workspace(1, 32, 32)?;
/// let floats = vec![0.5; 20 * 30];
/// let y = net.forward(&mut ws, &TensorView::new(&floats, [1, 1, 20, 30])?)?;
/// assert_eq!(y.sizes(), [1, 1, 20, 30]);
/// let y = net.forward(&mut ws, &[[[[0.5; 8]; 8]]])?;
/// assert!(y[[0, 0, 7, 7]].is_finite());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TensorView<'a, const RANK: usize, T = f32> {
    elements: &'a [T],
    sizes: [usize; RANK],
}

/// Elements that are not as many as the sizes say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found} elements are no tensor of the sizes {sizes:?}, which has {}", product(sizes))]
pub struct SizesError {
    /// The elements that were given.
    pub found: usize,
    /// The sizes.
    pub sizes: Vec<usize>,
}

fn product(sizes: &[usize]) -> usize {
    sizes.iter().fold(1, |product, size| product.saturating_mul(*size))
}

impl<'a, const RANK: usize, T> TensorView<'a, RANK, T> {
    /// A tensor of these elements, of which the last axis lies side by side.
    ///
    /// # Errors
    /// When there are more or fewer elements than the sizes say.
    pub fn new(elements: &'a [T], sizes: [usize; RANK]) -> Result<Self, SizesError> {
        match product(&sizes) == elements.len() {
            true => Ok(Self { elements, sizes }),
            false => Err(SizesError { found: elements.len(), sizes: sizes.to_vec() }),
        }
    }

    /// The size of each axis.
    #[doc(alias = "shape")]
    pub fn sizes(&self) -> [usize; RANK] {
        self.sizes
    }

    /// All elements, row by row.
    pub fn as_slice(&self) -> &'a [T] {
        self.elements
    }

    /// The rows: what lies along the last axis, one behind another. An axis of size 0 has none.
    pub fn rows(&self) -> std::slice::ChunksExact<'a, T> {
        self.elements.chunks_exact(self.sizes.last().copied().unwrap_or(1).max(1))
    }

    /// The element at these places; nothing where there is none.
    pub fn get(&self, at: [usize; RANK]) -> Option<&'a T> {
        let mut place = 0;
        for (at, size) in at.iter().zip(self.sizes) {
            if *at >= size {
                return None;
            }
            place = place * size + at;
        }
        self.elements.get(place)
    }
}

/// # Panics
/// When there is no element at these places, as for any slice; [`get`](TensorView::get) says so.
impl<const RANK: usize, T> std::ops::Index<[usize; RANK]> for TensorView<'_, RANK, T> {
    type Output = T;

    #[track_caller]
    fn index(&self, at: [usize; RANK]) -> &T {
        let element = self.get(at);
        let Some(element) = element else {
            panic!("no element {at:?} in a tensor of the sizes {:?}", self.sizes)
        };
        element
    }
}

/// What is a tensor of `RANK` axes as it lies in memory: nested arrays, a slice or a `Vec` of them,
/// a [`TensorView`], [`Padded`] rows.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no tensor of {RANK} axes as it lies in memory",
    label = "a tensor of {RANK} axes is expected",
    note = "nested arrays are one, such as `[[f32; 8]; 3]` with two axes, and a `Vec` or a slice of arrays",
    note = "of a flat slice make one with `TensorView::new(&floats, [..])`, of a `Vec` of `Vec`s with `Padded::new(&rows)`"
)]
pub trait AsTensor<const RANK: usize> {
    /// `f32`, or the type of class indices.
    type Element;

    /// The elements and the sizes.
    fn as_tensor(&self) -> TensorView<'_, RANK, Self::Element>;
}

impl<const RANK: usize, T> AsTensor<RANK> for TensorView<'_, RANK, T> {
    type Element = T;

    fn as_tensor(&self) -> TensorView<'_, RANK, T> {
        TensorView { elements: self.elements, sizes: self.sizes }
    }
}

impl<const RANK: usize, A: AsTensor<RANK> + ?Sized> AsTensor<RANK> for &A {
    type Element = A::Element;

    fn as_tensor(&self) -> TensorView<'_, RANK, A::Element> {
        (**self).as_tensor()
    }
}

/// What tensors hold: floats, and integers that are class indices.
pub trait Element: Pod + sealed::Sealed {}

mod sealed {
    pub trait Sealed {}
}

macro_rules! elements {
    ($($element:ty),*) => {
        $(
            impl sealed::Sealed for $element {}
            impl Element for $element {}
        )*
    };
}

elements!(f32, u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

/// Nested arrays of `rank` axes, of which the first may be that of a slice.
macro_rules! nested {
    ($rank:literal, $sample:ty, [$($size:ident),*]) => {
        impl<T: Element $(, const $size: usize)*> AsTensor<$rank> for [$sample] {
            type Element = T;

            fn as_tensor(&self) -> TensorView<'_, $rank, T> {
                let elements = bytemuck::cast_slice(self);
                TensorView { elements, sizes: [self.len() $(, $size)*] }
            }
        }

        impl<T: Element $(, const $size: usize)*> AsTensor<$rank> for Vec<$sample> {
            type Element = T;

            fn as_tensor(&self) -> TensorView<'_, $rank, T> {
                self.as_slice().as_tensor()
            }
        }

        impl<T: Element, const LEAD: usize $(, const $size: usize)*> AsTensor<$rank>
            for [$sample; LEAD]
        {
            type Element = T;

            fn as_tensor(&self) -> TensorView<'_, $rank, T> {
                self.as_slice().as_tensor()
            }
        }
    };
}

nested!(1, T, []);
nested!(2, [T; A], [A]);
nested!(3, [[T; B]; A], [A, B]);
nested!(4, [[[T; C]; B]; A], [A, B, C]);
nested!(5, [[[[T; D]; C]; B]; A], [A, B, C, D]);
nested!(6, [[[[[T; E]; D]; C]; B]; A], [A, B, C, D, E]);
