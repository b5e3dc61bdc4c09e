//! Random numbers from a counter: Philox4x32-10.
//!
//! Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). The
//! generator is a keyed bijection of a 128-bit counter; there is no state to carry along, so any
//! element of any stream is reached directly, on any thread and on any device, with the same
//! bits.
//!
//! Word `i` of stream `s` under seed `k` is word `i mod 4` of the block at counter
//! `[lo(i / 4), hi(i / 4), lo(s), hi(s)]` with key `[lo(k), hi(k)]`, `lo` and `hi` being the
//! halves of 64 bits.

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// The golden ratio and √3 − 1, as fractions of 2³².
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// What random numbers start from. The same seed gives the same bits on every platform, for any
/// number of threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seed(pub u64);

/// One block of Philox4x32-10: four random words for a counter and a key.
#[inline]
pub const fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [mut c0, mut c1, mut c2, mut c3] = counter;
    let [mut k0, mut k1] = key;
    let mut round = 0;
    while round < ROUNDS {
        let even = MULTIPLIERS[0] as u64 * c0 as u64;
        let odd = MULTIPLIERS[1] as u64 * c2 as u64;
        (c0, c1, c2, c3) =
            ((odd >> 32) as u32 ^ c1 ^ k0, odd as u32, (even >> 32) as u32 ^ c3 ^ k1, even as u32);
        k0 = k0.wrapping_add(WEYL[0]);
        k1 = k1.wrapping_add(WEYL[1]);
        round += 1;
    }
    [c0, c1, c2, c3]
}

/// The four words `4 * index..4 * index + 4` of a stream.
#[inline]
pub const fn block(seed: Seed, stream: u64, index: u64) -> [u32; 4] {
    philox4x32_10(
        [index as u32, (index >> 32) as u32, stream as u32, (stream >> 32) as u32],
        [seed.0 as u32, (seed.0 >> 32) as u32],
    )
}

/// A number in `[0, 1)` from one word: its upper 24 bits times 2⁻²⁴, so that every value is
/// exact.
#[inline]
pub const fn unit(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / (1 << 24) as f32)
}

/// A number in `[low, high)` from one word: `low + (high - low) * unit(word)`, kept below `high`
/// where rounding would reach it. `low` when the range is empty.
#[inline]
pub fn in_range(word: u32, low: f32, high: f32) -> f32 {
    (low + (high - low) * unit(word)).min(high.next_down()).max(low)
}

/// A number from the standard normal distribution from two words (Box and Muller, 1958):
///
/// `√(-2 ln u) · cos(2π v)`, with `u = (first + 1) / 2³²` in `(0, 1]` and `v = second / 2³²`.
///
/// It is computed in `f64` and rounded once, which hides the last bits in which the
/// mathematical libraries of platforms differ. The magnitude is at most √(64 ln 2) ≈ 6.66.
#[inline]
pub fn standard_normal(first: u32, second: u32) -> f32 {
    const STEP: f64 = 1.0 / (1u64 << 32) as f64;
    let radius = (-2.0 * ((f64::from(first) + 1.0) * STEP).ln()).sqrt();
    (radius * (std::f64::consts::TAU * (f64::from(second) * STEP)).cos()) as f32
}

/// A reader of one stream of random numbers.
///
/// All its state is the seed, the stream and a position, so a reader made anew and moved with
/// [`seek`](Rng::seek) goes on with the same bits. Streams of one seed, and seeds, are
/// independent.
///
/// ```
/// use gradiron::rng::{Rng, Seed};
///
/// let mut rng = Rng::new(Seed(7), 0);
/// let x = rng.uniform();
/// assert!((0.0..1.0).contains(&x));
/// rng.seek(0);
/// assert_eq!(rng.uniform(), x);
/// ```
#[derive(Clone, Debug)]
pub struct Rng {
    seed: Seed,
    stream: u64,
    /// The number of words taken. A stream has 2⁶⁶ words, of which 2⁶⁴ are used.
    position: u64,
    /// The block that holds the word at `position`, unless `position` is a multiple of 4.
    block: [u32; 4],
}

impl Rng {
    /// The start of stream `stream` of `seed`.
    pub const fn new(seed: Seed, stream: u64) -> Self {
        Self { seed, stream, position: 0, block: [0; 4] }
    }

    /// The number of words taken so far.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Moves to a word of the stream.
    pub const fn seek(&mut self, position: u64) {
        self.position = position;
        self.block = block(self.seed, self.stream, position / 4);
    }

    /// The next 32 random bits. Takes one word.
    #[inline]
    pub fn next_u32(&mut self) -> u32 {
        let lane = (self.position % 4) as usize;
        if lane == 0 {
            self.block = block(self.seed, self.stream, self.position / 4);
        }
        self.position = self.position.wrapping_add(1);
        self.block[lane]
    }

    /// A number in `[0, 1)`, a multiple of 2⁻²⁴. Takes one word.
    #[inline]
    pub fn uniform(&mut self) -> f32 {
        unit(self.next_u32())
    }

    /// A number in `[low, high)`, `low` when the range is empty. Takes one word.
    #[inline]
    pub fn uniform_range(&mut self, low: f32, high: f32) -> f32 {
        in_range(self.next_u32(), low, high)
    }

    /// A number from the standard normal distribution, by [`standard_normal`]. Takes two words.
    #[inline]
    pub fn normal(&mut self) -> f32 {
        let first = self.next_u32();
        standard_normal(first, self.next_u32())
    }

    /// A whole number in `0..n`, every one equally likely; 0 when `n` is 0. Takes two words, and
    /// with a chance below `n / 2⁶⁴` two more.
    ///
    /// Lemire, "Fast random integer generation in an interval" (ACM TOMACS 29, 2019): the upper
    /// half of a 64 × 64-bit product, with the few values rejected that would favour some
    /// numbers.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        if n == 0 {
            return 0;
        }
        let mut product = self.wide_product(n);
        if (product as u64) < n {
            let favoured = n.wrapping_neg() % n;
            while (product as u64) < favoured {
                product = self.wide_product(n);
            }
        }
        (product >> 64) as usize
    }

    fn wide_product(&mut self, n: u64) -> u128 {
        let low = u64::from(self.next_u32());
        let word = u64::from(self.next_u32()) << 32 | low;
        u128::from(word) * u128::from(n)
    }

    /// Puts `items` in random order, every order equally likely (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            swap(items, last, self.below(last + 1));
        }
    }
}

/// Swaps two elements in small parts. An element may be a sample that is larger than the stack,
/// over which `slice::swap` takes it, and `mem::swap` where the user's crate is not optimised.
pub(crate) fn swap<T>(items: &mut [T], a: usize, b: usize) {
    let (a, b) = (a.min(b), a.max(b));
    if a != b {
        let (front, back) = items.split_at_mut(b);
        front[a..=a].swap_with_slice(&mut back[..1]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers published with Random123 (`kat_vectors`).
    #[test]
    fn philox_gives_the_known_answers() {
        assert_eq!(philox4x32_10([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
        assert_eq!(
            philox4x32_10([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]
        );
        // The digits of pi.
        assert_eq!(
            philox4x32_10(
                [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
                [0xa4093822, 0x299f31d0]
            ),
            [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]
        );
    }

    #[test]
    fn every_position_is_reached_directly() {
        let mut rng = Rng::new(Seed(0x1234_5678_9abc_def0), 3);
        let words: Vec<u32> = (0..23).map(|_| rng.next_u32()).collect();
        for (position, &word) in words.iter().enumerate() {
            let mut other = Rng::new(Seed(0x1234_5678_9abc_def0), 3);
            other.seek(position as u64);
            assert_eq!(other.next_u32(), word, "at {position}");
            assert_eq!(other.position(), position as u64 + 1);
        }
        rng.seek(u64::MAX);
        rng.next_u32();
        assert_eq!(rng.next_u32(), words[0]);
    }

    #[test]
    fn streams_and_seeds_differ() {
        let first = |seed, stream| Rng::new(Seed(seed), stream).next_u32();
        let all = [first(0, 0), first(0, 1), first(1, 0), first(1 << 32, 0), first(0, 1 << 32)];
        for (i, a) in all.iter().enumerate() {
            assert!(!all[..i].contains(a));
        }
    }

    #[test]
    fn uniform_stays_in_its_range() {
        assert_eq!(unit(0), 0.0);
        assert_eq!(unit(u32::MAX), 1.0 - f32::EPSILON / 2.0);
        assert_eq!(in_range(u32::MAX, 1.0, 1.0 + f32::EPSILON), 1.0);
        assert_eq!(in_range(u32::MAX, 2.0, 2.0), 2.0);
        let mut rng = Rng::new(Seed(1), 0);
        let n = 100_000;
        let mean = (0..n).map(|_| f64::from(rng.uniform_range(-3.0, 1.0))).sum::<f64>() / n as f64;
        // Standard error of the mean: 4 / √12 / √n = 0.0037.
        assert!((mean + 1.0).abs() < 0.015, "{mean}");
    }

    #[test]
    fn normal_has_its_moments_and_tails() {
        let mut rng = Rng::new(Seed(2), 0);
        let n = 200_000;
        let draws: Vec<f64> = (0..n).map(|_| f64::from(rng.normal())).collect();
        let moment = |k: i32| draws.iter().map(|x| x.powi(k)).sum::<f64>() / n as f64;
        // Standard errors: √(1/n) = 0.0022, √(2/n) = 0.0032, √(15/n) = 0.0087, √(96/n) = 0.022.
        assert!(moment(1).abs() < 0.009, "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.013, "{}", moment(2));
        assert!(moment(3).abs() < 0.035, "{}", moment(3));
        assert!((moment(4) - 3.0).abs() < 0.09, "{}", moment(4));
        assert!(standard_normal(0, 0) > 6.6 && standard_normal(0, 0) < 6.7);
        assert_eq!(standard_normal(u32::MAX, 0), 0.0);
    }

    #[test]
    fn below_is_uniform() {
        let mut rng = Rng::new(Seed(3), 0);
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
        let mut counts = [0i64; 7];
        for _ in 0..70_000 {
            counts[rng.below(7)] += 1;
        }
        // Standard deviation of a count: √(10000 · 6/7) = 93.
        assert!(counts.iter().all(|&count| (count - 10_000).abs() < 400), "{counts:?}");
        // Two thirds of the words' range: without rejection the lower half would be favoured.
        let n = usize::MAX / 3 * 2;
        let low = (0..3_000).filter(|_| rng.below(n) < n / 2).count();
        assert!((1_390..1_610).contains(&low), "{low}");
    }

    #[test]
    fn shuffle_gives_every_order_equally_often() {
        let mut rng = Rng::new(Seed(4), 0);
        let mut counts = std::collections::HashMap::new();
        for _ in 0..24_000 {
            let mut items = [0, 1, 2, 3];
            rng.shuffle(&mut items);
            *counts.entry(items).or_insert(0i64) += 1;
        }
        assert_eq!(counts.len(), 24);
        assert!(counts.values().all(|&count| (count - 1_000).abs() < 160), "{counts:?}");
        rng.shuffle(&mut [0u8; 0]);
    }
}
