//! First values of parameters, named and computed as in `torch.nn.init`.

use crate::rng;
pub use crate::rng::Seed;

/// How a parameter gets its first values.
///
/// `fan_in` and `fan_out` count the connections into and out of one unit: for a weight
/// `[out, in, kh, kw]` they are `in · kh · kw` and `out · kh · kw`. A fan of 0 gives zeros, as
/// there is nothing to draw. The constructors are plain data, so all of them work in `const`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)] // the fields are symbols of the formulas
pub enum Init {
    /// 0.
    Zeros,
    /// 1.
    Ones,
    /// One value everywhere.
    Constant(f32),
    /// Uniform in `[low, high)`.
    Uniform { low: f32, high: f32 },
    /// Normal with this mean and standard deviation.
    Normal { mean: f32, std: f32 },
    /// Normal with mean 0 and standard deviation 1, but zeros in the row `row` of `len` elements:
    /// PyTorch's `Embedding` with a `padding_idx`.
    PaddedNormal { row: usize, len: usize },
    /// Uniform in `[-bound, bound)`, `bound = √(6 / ((1 + a²) · fan_in))`, where `a` is the
    /// negative slope of the leaky ReLU that follows (0 for ReLU).
    ///
    /// He, Zhang, Ren and Sun, "Delving deep into rectifiers" (ICCV 2015), equations 10 and 15.
    /// PyTorch's linear and convolution layers use `a = √5`, which makes the bound
    /// `1 / √fan_in`.
    KaimingUniform { fan_in: usize, a: f32 },
    /// Normal with mean 0 and `std = √(2 / ((1 + a²) · fan_in))`; source as for
    /// [`KaimingUniform`](Init::KaimingUniform).
    KaimingNormal { fan_in: usize, a: f32 },
    /// Uniform in `[-bound, bound)`, `bound = gain · √(6 / (fan_in + fan_out))`.
    ///
    /// Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    /// networks" (AISTATS 2010), equation 16.
    XavierUniform { fan_in: usize, fan_out: usize, gain: f32 },
    /// Normal with mean 0 and `std = gain · √(2 / (fan_in + fan_out))`; source as for
    /// [`XavierUniform`](Init::XavierUniform), equation 12.
    XavierNormal { fan_in: usize, fan_out: usize, gain: f32 },
}

impl Init {
    /// Fills `out` from stream `stream` of `seed`.
    ///
    /// A uniform element `i` is made of word `i` of the stream ([`rng::in_range`]), a normal
    /// element of words `2i` and `2i + 1` ([`rng::standard_normal`]).
    pub fn fill(&self, out: &mut [f32], seed: Seed, stream: u64) {
        match self.law() {
            Law::Constant(value) => out.fill(value),
            Law::Uniform { low, high } => {
                for (index, chunk) in (0..).zip(out.chunks_mut(4)) {
                    let words = rng::block(seed, stream, index);
                    for (element, word) in chunk.iter_mut().zip(words) {
                        *element = rng::in_range(word, low, high);
                    }
                }
            }
            Law::Normal { mean, std } => {
                for (index, chunk) in (0..).zip(out.chunks_mut(2)) {
                    let [a, b, c, d] = rng::block(seed, stream, index);
                    for (element, (first, second)) in chunk.iter_mut().zip([(a, b), (c, d)]) {
                        *element = mean + std * rng::standard_normal(first, second);
                    }
                }
            }
        }
        if let Init::PaddedNormal { row, len } = *self {
            out.iter_mut().skip(row * len).take(len).for_each(|element| *element = 0.0);
        }
    }

    fn law(&self) -> Law {
        let symmetric = |bound: f64| Law::Uniform { low: -bound as f32, high: bound as f32 };
        let centred = |std: f64| Law::Normal { mean: 0.0, std: std as f32 };
        match *self {
            Init::Zeros => Law::Constant(0.0),
            Init::Ones => Law::Constant(1.0),
            Init::Constant(value) => Law::Constant(value),
            Init::Uniform { low, high } => Law::Uniform { low, high },
            Init::Normal { mean, std } => Law::Normal { mean, std },
            Init::PaddedNormal { .. } => Law::Normal { mean: 0.0, std: 1.0 },
            Init::KaimingUniform { fan_in, a } => symmetric(kaiming(6.0, fan_in, a)),
            Init::KaimingNormal { fan_in, a } => centred(kaiming(2.0, fan_in, a)),
            Init::XavierUniform { fan_in, fan_out, gain } => {
                symmetric(xavier(6.0, fan_in, fan_out, gain))
            }
            Init::XavierNormal { fan_in, fan_out, gain } => {
                centred(xavier(2.0, fan_in, fan_out, gain))
            }
        }
    }
}

/// What the formulas come down to.
enum Law {
    Constant(f32),
    Uniform { low: f32, high: f32 },
    Normal { mean: f32, std: f32 },
}

fn kaiming(numerator: f64, fan_in: usize, a: f32) -> f64 {
    let a = f64::from(a);
    root_of_ratio(numerator, (1.0 + a * a) * fan_in as f64)
}

fn xavier(numerator: f64, fan_in: usize, fan_out: usize, gain: f32) -> f64 {
    f64::from(gain) * root_of_ratio(numerator, fan_in as f64 + fan_out as f64)
}

fn root_of_ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator == 0.0 { 0.0 } else { (numerator / denominator).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINEAR: Init = Init::KaimingUniform { fan_in: 64, a: 2.236_068 };

    fn draw(init: Init, len: usize, stream: u64) -> Vec<f32> {
        let mut out = vec![f32::NAN; len];
        init.fill(&mut out, Seed(42), stream);
        out
    }

    /// Mean, standard deviation and largest magnitude.
    fn moments(values: &[f32]) -> (f64, f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let variance = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
        let largest = values.iter().fold(0.0, |max: f64, &x| max.max(f64::from(x).abs()));
        (mean, variance.sqrt(), largest)
    }

    #[test]
    fn constants() {
        assert_eq!(draw(Init::Zeros, 3, 0), [0.0; 3]);
        assert_eq!(draw(Init::Ones, 3, 0), [1.0; 3]);
        assert_eq!(draw(Init::Constant(-2.5), 3, 0), [-2.5; 3]);
        assert_eq!(draw(Init::KaimingUniform { fan_in: 0, a: 0.0 }, 3, 0), [0.0; 3]);
        assert_eq!(draw(Init::XavierNormal { fan_in: 0, fan_out: 0, gain: 1.0 }, 2, 0), [0.0; 2]);
    }

    #[test]
    fn padding_is_zero_and_the_rest_as_without() {
        let (padded, plain) =
            (Init::PaddedNormal { row: 1, len: 3 }, Init::Normal { mean: 0.0, std: 1.0 });
        let (padded, mut plain) = (draw(padded, 9, 4), draw(plain, 9, 4));
        plain[3..6].fill(0.0);
        assert_eq!(padded, plain);
    }

    #[test]
    fn uniform_laws_have_their_bounds_and_moments() {
        let n = 100_000;
        for (init, bound) in [
            (Init::Uniform { low: -0.5, high: 0.5 }, 0.5),
            (LINEAR, 1.0 / 8.0),
            (Init::KaimingUniform { fan_in: 54, a: 0.0 }, 1.0 / 3.0),
            (Init::XavierUniform { fan_in: 100, fan_out: 50, gain: 2.0 }, 0.4),
        ] {
            let (mean, std, largest) = moments(&draw(init, n, 1));
            // Standard errors: bound / √(3n) = 0.0018 bound for the mean; for the standard
            // deviation std · √(0.8 / 4n) = 0.0014 std.
            assert!(mean.abs() < 0.008 * bound, "{init:?}: mean {mean}");
            let expected = bound / 3f64.sqrt();
            assert!((std / expected - 1.0).abs() < 0.006, "{init:?}: std {std}");
            assert!(largest <= bound && largest > 0.999 * bound, "{init:?}: {largest}");
        }
    }

    #[test]
    fn normal_laws_have_their_moments() {
        let n = 100_000;
        for (init, mean, std) in [
            (Init::Normal { mean: 3.0, std: 0.5 }, 3.0, 0.5),
            (Init::KaimingNormal { fan_in: 50, a: 0.0 }, 0.0, 0.2),
            (Init::KaimingNormal { fan_in: 25, a: 1.0 }, 0.0, 0.2),
            (Init::XavierNormal { fan_in: 100, fan_out: 100, gain: 0.5 }, 0.0, 0.05),
        ] {
            let (found_mean, found_std, _) = moments(&draw(init, n, 2));
            // Standard errors: std / √n = 0.0032 std and std / √(2n) = 0.0022 std.
            assert!((found_mean - mean).abs() < 0.013 * std, "{init:?}: mean {found_mean}");
            assert!((found_std / std - 1.0).abs() < 0.009, "{init:?}: std {found_std}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_bits_for_any_length() {
        let normal = Init::Normal { mean: 0.0, std: 1.0 };
        for init in [LINEAR, normal] {
            let long = draw(init, 103, 5);
            for len in 0..103 {
                assert_eq!(draw(init, len, 5), long[..len]);
            }
        }
        // From a second implementation of the documented formulas, in Python.
        let unit = Init::Uniform { low: 0.0, high: 1.0 };
        assert_eq!(draw(unit, 3, 0), [0.612_959_86, 0.468_586_5, 0.073_231_7]);
        assert_eq!(draw(normal, 2, 0), [-0.970_189_8, -1.235_620_7]);
    }

    #[test]
    fn streams_are_uncorrelated() {
        let n = 100_000;
        let init = Init::Normal { mean: 0.0, std: 1.0 };
        let (a, b) = (draw(init, n, 0), draw(init, n, 1));
        let product: f64 = a.iter().zip(&b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
        // Standard error of the correlation: 1 / √n = 0.0032.
        assert!((product / n as f64).abs() < 0.013);
    }
}
