//! Rows of different lengths as one tensor.

use super::{AsTensor, Element, TensorView};

/// Rows of different lengths, such as texts, as a tensor `[rows, longest]`: what is behind the end
/// of a row is 0. The lengths say which is which.
///
/// ```
/// use gradiron::prelude::*;
///
/// model! {
///     /// The mean of the words of a text.
///     struct Words { word: Embedding(100 -> 8), head: Linear(8 -> 2) }
///     fn forward(&self, word: Classes[batch, t]) -> [batch, 2] {
///         self.head(self.word(word).mean(dim = 1))
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let net = Words::init(Seed(0));
/// let mut ws = Words::workspace(4, 64)?;
/// let texts: Vec<Vec<u16>> = vec![vec![5, 17, 3], vec![8]];
/// let texts = Padded::new(&texts);
/// assert_eq!((texts.sizes(), texts.lengths()), ([2, 3], &[3, 1][..]));
/// let y = net.forward(&mut ws, &texts)?; // three words cost three words
/// assert_eq!(y.len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Padded<T = f32> {
    elements: Vec<T>,
    lengths: Vec<usize>,
    longest: usize,
}

impl<T: Element> Padded<T> {
    /// These rows, with zeros behind them up to the longest.
    #[doc(alias = "pad_sequence")]
    pub fn new<R: AsRef<[T]>>(rows: &[R]) -> Self {
        let longest = rows.iter().map(|row| row.as_ref().len()).max().unwrap_or(0);
        let mut elements = Vec::with_capacity(longest * rows.len());
        for row in rows {
            elements.extend_from_slice(row.as_ref());
            elements.resize(elements.len() + longest - row.as_ref().len(), T::zeroed());
        }
        let lengths = rows.iter().map(|row| row.as_ref().len()).collect();
        Self { elements, lengths, longest }
    }

    /// How many rows there are, and how long the longest is.
    pub fn sizes(&self) -> [usize; 2] {
        [self.lengths.len(), self.longest]
    }

    /// How long each row is, as `lengths = …` of a model takes it.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }
}

impl<T> AsTensor<2> for Padded<T> {
    type Element = T;

    fn as_tensor(&self) -> TensorView<'_, 2, T> {
        TensorView { elements: &self.elements, sizes: [self.lengths.len(), self.longest] }
    }
}
