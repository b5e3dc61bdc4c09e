//! Layers whose sizes are types, and arithmetic with such sizes, for modules whose fields compute
//! with the parameters of their struct: `const D: usize` cannot be multiplied in the type of a
//! field, `D: Size` can.
//!
//! Sizes are the unsigned numbers of [`typenum`], and what [`Times`], [`Plus`], [`Minus`] and
//! [`Quotient`] make of them. No bound is needed for the arithmetic.
//!
//! ```
//! use gradiron::prelude::*;
//! use gradiron::typenum::{U4, U64};
//!
//! #[derive(Module)]
//! struct Mlp<D: Size> {
//!     up: typed::Linear<D, Times<U4, D>>,
//!     act: Gelu,
//!     down: typed::Linear<Times<U4, D>, D>,
//! }
//!
//! model! {
//!     struct Regression {
//!         mlp: Mlp<U64>,
//!         head: Linear(64 -> 1),
//!     }
//!
//!     fn loss(&self, x: [batch, 64], y: [batch, 1]) -> [] {
//!         mse_loss(self.head(self.mlp(x)), y)
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let net = Regression::init(Seed(0));
//!     let loss = net.loss_grad(&mut Regression::workspace(2)?, &[[0.5; 64]; 2], &[[1.0]; 2])?;
//!     assert!(loss.is_finite());
//!     assert_eq!(Regression::param_specs()[0].shape, [256, 64]);
//!     Ok(())
//! }
//! ```

use std::marker::PhantomData;

// From the rows of the compiler, as the layers with numbers.
gradiron_macros::typed_layer_types!();

/// A size as a type: the unsigned numbers of [`typenum`], and what is computed of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a size",
    label = "not a size",
    note = "sizes are `U64` and others of `gradiron::typenum`, and `Times`, `Plus`, `Minus` and `Quotient` of sizes"
)]
pub trait Size: 'static {
    /// The number.
    const VALUE: usize;
}

impl<N: typenum::Unsigned> Size for N {
    const VALUE: usize = N::USIZE;
}

/// The product of two sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times<A, B>(PhantomData<fn() -> (A, B)>);

/// The sum of two sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plus<A, B>(PhantomData<fn() -> (A, B)>);

/// The first size less the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Minus<A, B>(PhantomData<fn() -> (A, B)>);

/// The first size divided by the second, rounded down as whole numbers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotient<A, B>(PhantomData<fn() -> (A, B)>);

impl<A: Size, B: Size> Size for Times<A, B> {
    const VALUE: usize = A::VALUE * B::VALUE;
}

impl<A: Size, B: Size> Size for Plus<A, B> {
    const VALUE: usize = A::VALUE + B::VALUE;
}

impl<A: Size, B: Size> Size for Minus<A, B> {
    const VALUE: usize = A::VALUE - B::VALUE;
}

impl<A: Size, B: Size> Size for Quotient<A, B> {
    const VALUE: usize = A::VALUE / B::VALUE;
}

#[cfg(test)]
mod tests {
    use typenum::{U2, U3, U7, U64, U1000};

    use super::*;

    #[test]
    fn arithmetic_of_sizes() {
        fn four_times<D: Size>() -> usize {
            Times::<typenum::U4, D>::VALUE
        }
        assert_eq!([U64::VALUE, U1000::VALUE, four_times::<U64>()], [64, 1000, 256]);
        assert_eq!(Plus::<Times<U2, U3>, U7>::VALUE, 13);
        assert_eq!(Minus::<U7, U3>::VALUE, 4);
        assert_eq!(Quotient::<U7, U2>::VALUE, 3);
        assert_eq!(four_times::<Minus<U7, U3>>(), 16);
    }
}
