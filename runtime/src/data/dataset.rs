//! Samples in memory: inputs and targets side by side.

use std::fmt;
use std::iter::FusedIterator;

use super::DataError;
use crate::rng::Seed;
use crate::rng::{Rng, swap};

/// The stream that orders are drawn from, far from those of parameters.
const SHUFFLE: u64 = u64::MAX;

/// Inputs and their targets, paired by position.
///
/// `X` is one input without a batch dimension, usually a plain nested array such as
/// `[[[f32; 28]; 28]; 1]`; `Y` is one target, such as a class number `u8` or an array. Both
/// lie in one block of memory each, so a batch is a pair of slices and costs no copy.
///
/// ```
/// use gradiron::data::Dataset;
///
/// let inputs = vec![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]];
/// let mut data = Dataset::new(inputs, vec![0u8, 1, 1])?;
/// data.shuffle(7);
/// for (inputs, targets) in data.batches(2) {
///     assert_eq!(inputs.len(), targets.len());
/// }
/// # Ok::<(), gradiron::data::DataError>(())
/// ```
#[derive(Clone, Default)]
pub struct Dataset<X, Y> {
    /// The inputs.
    pub inputs: Vec<X>,
    /// The target of each input.
    pub targets: Vec<Y>,
    /// Which pair of the set as it was given stands at each position; shorter where pairs are as
    /// they were given from there on.
    order: Vec<usize>,
}

impl<X, Y> Dataset<X, Y> {
    /// Pairs each input with the target at the same position.
    ///
    /// # Errors
    ///
    /// [`DataError::Lengths`] when there are not equally many of both.
    pub fn new(inputs: Vec<X>, targets: Vec<Y>) -> Result<Self, DataError> {
        if inputs.len() != targets.len() {
            return Err(DataError::Lengths { inputs: inputs.len(), targets: targets.len() });
        }
        Ok(Self { inputs, targets, order: Vec::new() })
    }

    /// The number of pairs. What was pushed to only one of the fields has no pair and counts
    /// in no method.
    pub fn len(&self) -> usize {
        self.inputs.len().min(self.targets.len())
    }

    /// Whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts the pairs in a random order that depends only on `seed` and the length: not on the
    /// order in which an earlier call left them.
    ///
    /// Use another seed for each epoch, such as its number. What stands in the fields when it is
    /// first called, and what is pushed to them later, is the order that all calls start from.
    pub fn shuffle(&mut self, seed: u64) {
        let len = self.len();
        if self.order.len() > len {
            // Somebody took pairs out of the fields: those that are left are a set of their own.
            self.order.clear();
        }
        self.order.extend(self.order.len()..len);
        // Fisher and Yates, on numbers: samples may be large.
        let mut wanted: Vec<usize> = (0..len).collect();
        let mut rng = Rng::new(Seed(seed), SHUFFLE);
        for last in (1..len).rev() {
            wanted.swap(last, rng.below(last + 1));
        }
        let mut place = vec![0; len];
        for (position, &pair) in self.order.iter().enumerate() {
            place[pair] = position;
        }
        for (position, pair) in wanted.into_iter().enumerate() {
            let (from, here) = (place[pair], self.order[position]);
            swap(&mut self.inputs, position, from);
            swap(&mut self.targets, position, from);
            self.order.swap(position, from);
            place[here] = from;
        }
    }

    /// The pairs in order, `n` at a time, without copying. The last batch is smaller when `n`
    /// does not divide the length; an `n` of 0 counts as 1.
    pub fn batches(
        &self,
        n: usize,
    ) -> impl ExactSizeIterator<Item = (&[X], &[Y])> + DoubleEndedIterator + FusedIterator + Clone
    {
        let (n, len) = (n.max(1), self.len());
        self.inputs[..len].chunks(n).zip(self.targets[..len].chunks(n))
    }

    /// The first `at` pairs, and the rest. The rest is empty when there are no more than `at`.
    pub fn split(mut self, at: usize) -> (Self, Self) {
        let at = at.min(self.len());
        let (inputs, targets) = (self.inputs.split_off(at), self.targets.split_off(at));
        self.order.clear();
        (self, Self { inputs, targets, order: Vec::new() })
    }

    /// The first `n` pairs, or all when there are fewer.
    pub fn take(mut self, n: usize) -> Self {
        let n = n.min(self.len());
        self.inputs.truncate(n);
        self.targets.truncate(n);
        self.order.clear();
        self
    }
}

/// Equal pairs in the same order.
impl<X: PartialEq, Y: PartialEq> PartialEq for Dataset<X, Y> {
    fn eq(&self, other: &Self) -> bool {
        self.inputs == other.inputs && self.targets == other.targets
    }
}

impl<X, Y> fmt::Debug for Dataset<X, Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dataset({} pairs)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(n: usize) -> Dataset<usize, usize> {
        Dataset::new((0..n).collect(), (0..n).map(|i| 10 * i).collect()).unwrap()
    }

    #[test]
    fn lengths_must_agree() {
        let error = Dataset::new(vec![1, 2, 3], vec![1]).unwrap_err();
        assert!(error.to_string().contains("3 inputs and 1 targets"), "{error}");
    }

    #[test]
    fn batches_cover_everything_in_order() {
        let data = counting(10);
        for n in [0, 1, 3, 5, 10, 11, usize::MAX] {
            let batches = data.batches(n);
            assert_eq!(batches.len(), 10_usize.div_ceil(n.max(1)));
            let (mut inputs, mut targets) = (Vec::new(), Vec::new());
            for (x, y) in batches {
                assert!(x.len() <= n.max(1));
                inputs.extend_from_slice(x);
                targets.extend_from_slice(y);
            }
            assert_eq!((&inputs, &targets), (&data.inputs, &data.targets));
        }
        assert_eq!(counting(0).batches(4).count(), 0);
    }

    #[test]
    fn batches_are_slices_of_the_set() {
        let data = counting(4);
        let (inputs, targets) = data.batches(2).nth(1).unwrap();
        assert!(std::ptr::eq(inputs, &data.inputs[2..]));
        assert!(std::ptr::eq(targets, &data.targets[2..]));
    }

    #[test]
    fn shuffling_keeps_pairs_and_repeats_with_its_seed() {
        let (mut a, mut b, mut c) = (counting(1000), counting(1000), counting(1000));
        a.shuffle(1);
        b.shuffle(1);
        c.shuffle(2);
        assert!(a == b && a != c && a != counting(1000));
        assert!(a.inputs.iter().zip(&a.targets).all(|(x, y)| 10 * x == *y));
        let mut sorted = a.inputs.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, counting(1000).inputs);
        counting(0).shuffle(3);
        counting(1).shuffle(3);
    }

    #[test]
    fn an_order_depends_on_the_seed_and_the_length_alone() {
        let shuffled = |n, seeds: &[u64]| {
            let mut data = counting(n);
            seeds.iter().for_each(|seed| data.shuffle(*seed));
            data
        };
        for n in [0, 1, 2, 7, 100] {
            assert_eq!(shuffled(n, &[1, 2, 3]), shuffled(n, &[3]), "{n} pairs");
            assert_eq!(shuffled(n, &[3, 3]), shuffled(n, &[3]), "{n} pairs");
        }
        // What is pushed later stands behind the others.
        let mut data = shuffled(5, &[1]);
        data.inputs.extend([5, 6]);
        data.targets.extend([50, 60]);
        data.shuffle(2);
        assert_eq!(data, shuffled(7, &[2]));
        // A part of a set is a set of its own.
        let (mut head, tail) = shuffled(10, &[4]).split(6);
        let first = head.clone();
        head.shuffle(1);
        head.shuffle(2);
        let mut again = Dataset::new(first.inputs, first.targets).unwrap();
        again.shuffle(2);
        assert!(head == again && tail == shuffled(10, &[4]).split(6).1);
        // So are pairs that are left after others were taken out of the fields.
        data.inputs.truncate(3);
        data.targets.truncate(3);
        let mut left = Dataset::new(data.inputs.clone(), data.targets.clone()).unwrap();
        data.shuffle(5);
        left.shuffle(5);
        assert_eq!(data, left);
    }

    #[test]
    fn shuffles_are_uniform() {
        // 24 orders of 4 pairs, 24,000 seeds: each order 1,000 times, give or take 5 sigma.
        let mut counts = std::collections::HashMap::new();
        for seed in 0..24_000 {
            let mut data = counting(4);
            data.shuffle(seed);
            *counts.entry(data.inputs).or_insert(0_i32) += 1;
        }
        assert_eq!(counts.len(), 24);
        assert!(counts.values().all(|n| (n - 1000).abs() < 160), "{counts:?}");
    }

    #[test]
    fn split_and_take_clamp() {
        let (head, tail) = counting(5).split(2);
        assert_eq!((head.inputs, tail.inputs), (vec![0, 1], vec![2, 3, 4]));
        let (head, tail) = counting(5).split(9);
        assert_eq!((head.len(), tail.len()), (5, 0));
        assert_eq!(counting(5).take(2), counting(2));
        assert_eq!(counting(5).take(9), counting(5));
        assert_eq!(format!("{:?}", counting(5)), "Dataset(5 pairs)");
    }

    #[test]
    fn fields_of_different_lengths_do_no_harm() {
        let mut data = counting(5);
        data.inputs.extend([5, 6]);
        data.shuffle(1);
        assert_eq!(data.len(), 5);
        assert!(data.batches(4).all(|(x, y)| x.len() == y.len()));
        assert_eq!(data.clone().take(9).inputs.len(), 5);
        assert_eq!(data.split(7).0.len(), 5);
    }
}
