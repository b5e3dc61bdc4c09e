//! Random choices.

use crate::random::Random;

#[derive(Clone, Debug)]
pub struct Dice(Random);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Random::new(seed))
    }

    pub fn any(&mut self) -> u64 {
        self.0.any()
    }

    /// From 0 on, below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.below(end)
    }

    /// From `first` to `last`, both included.
    pub fn from(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last + 1 - first)
    }

    /// Whether something happens that does so in `percent` of all cases.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of several, none of none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        (!from.is_empty()).then(|| &from[self.below(from.len())])
    }

    /// One of several texts.
    pub fn word(&mut self, from: &[&str]) -> String {
        self.pick(from).map(|word| (*word).to_string()).unwrap_or_default()
    }

    /// One of several, the last ones more often.
    pub fn late<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let at = self.below(from.len()).max(self.below(from.len()));
        from.get(at)
    }

    pub fn shuffle<T>(&mut self, of: &mut [T]) {
        for end in (1..of.len()).rev() {
            of.swap(end, self.below(end + 1));
        }
    }
}
