//! The next token from logits.

use crate::rng::Rng;
use crate::rng::Seed;

/// Draws indices from logits, the same ones for the same seed.
///
/// ```
/// use gradiron::Seed;
/// use gradiron::sample::Sampler;
///
/// # fn main() -> Result<(), gradiron::sample::SampleError> {
/// let mut sampler = Sampler::new(Seed(0)).temperature(0.8)?.top_k(2)?;
/// let token = sampler.next(&[1.0, 3.0, -2.0])?;
/// assert!(token < 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Sampler {
    rng: Rng,
    temperature: f32,
    top_k: usize,
    top_p: f32,
    /// Logits, then weights, with their indices; kept so that drawing allocates once.
    candidates: Vec<(f32, usize)>,
}

/// What a [`Sampler`] cannot do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// A temperature below 0, infinite or NaN.
    #[error("the temperature is {0}, but is a number from 0 on; 0 takes the likeliest token")]
    Temperature(f32),
    /// No candidates.
    #[error("`top_k` is 0, but at least one token has to be left")]
    TopK,
    /// Not a probability.
    #[error("`top_p` is {0}, but is above 0 and at most 1")]
    TopP(f32),
    /// Nothing to choose from.
    #[error("there are no logits")]
    Empty,
    /// A model that has diverged.
    #[error("logit {index} is {value}: the model that made it has diverged, or its input is wrong")]
    Logit {
        /// Its place.
        index: usize,
        /// NaN or `+∞`.
        value: f32,
    },
}

impl Sampler {
    /// Temperature 1, all tokens.
    pub fn new(seed: Seed) -> Self {
        let rng = Rng::new(seed, 0);
        Self { rng, temperature: 1.0, top_k: usize::MAX, top_p: 1.0, candidates: Vec::new() }
    }

    /// Divides the logits: below 1 prefers likely tokens, 0 takes the likeliest.
    ///
    /// # Errors
    /// When it is negative, infinite or NaN.
    pub fn temperature(self, temperature: f32) -> Result<Self, SampleError> {
        match temperature.is_finite() && temperature >= 0.0 {
            true => Ok(Self { temperature, ..self }),
            false => Err(SampleError::Temperature(temperature)),
        }
    }

    /// Draws from the `k` likeliest tokens.
    ///
    /// # Errors
    /// When it is 0.
    pub fn top_k(self, k: usize) -> Result<Self, SampleError> {
        if k == 0 { Err(SampleError::TopK) } else { Ok(Self { top_k: k, ..self }) }
    }

    /// Draws from the likeliest tokens that have the probability `p` together (A. Holtzman et al.,
    /// "The Curious Case of Neural Text Degeneration", 2020).
    ///
    /// # Errors
    /// When it is not above 0 and at most 1.
    pub fn top_p(self, p: f32) -> Result<Self, SampleError> {
        if p > 0.0 && p <= 1.0 { Ok(Self { top_p: p, ..self }) } else { Err(SampleError::TopP(p)) }
    }

    /// The index of the next token: logits over the temperature, then `top_k`, then `top_p`.
    ///
    /// # Errors
    /// When there are no logits, or one is NaN or `+∞`.
    pub fn next(&mut self, logits: &[f32]) -> Result<usize, SampleError> {
        let bad = |x: &f32| x.is_nan() || *x == f32::INFINITY;
        if let Some(index) = logits.iter().position(bad) {
            return Err(SampleError::Logit { index, value: logits[index] });
        }
        let best = logits.iter().enumerate().reduce(|a, b| if b.1 > a.1 { b } else { a });
        let (best, &max) = best.ok_or(SampleError::Empty)?;
        if self.temperature == 0.0 || max == f32::NEG_INFINITY {
            return Ok(best);
        }
        let all = &mut self.candidates;
        all.clear();
        all.extend(logits.iter().enumerate().map(|(i, x)| (*x, i)));
        if self.top_k < all.len() || self.top_p < 1.0 {
            all.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            all.truncate(self.top_k);
        }
        all.iter_mut().for_each(|(x, _)| *x = ((*x - max) / self.temperature).exp());
        let mut total: f32 = all.iter().map(|(weight, _)| weight).sum();
        if self.top_p < 1.0 {
            let enough = self.top_p * total;
            let mut sum = 0.0;
            let last = all.iter().position(|(weight, _)| {
                sum += weight;
                sum >= enough
            });
            all.truncate(last.map_or(all.len(), |last| last + 1));
            total = sum;
        }
        let mut left = self.rng.uniform() * total;
        let chosen = all.iter().find(|(weight, _)| {
            left -= weight;
            left < 0.0
        });
        // Roundings may leave the last one unreached.
        let likely = || all.iter().rev().find(|(weight, _)| *weight > 0.0);
        Ok(chosen.or_else(likely).map_or(best, |(_, index)| *index))
    }
}
