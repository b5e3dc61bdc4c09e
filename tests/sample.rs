//! Tokens drawn from logits.

use gradiron::Seed;
use gradiron::sample::{SampleError, Sampler};

const LOGITS: [f32; 5] = [0.5, 2.0, -1.0, 1.0, f32::NEG_INFINITY];

/// How often each token is drawn.
fn counts(mut sampler: Sampler, draws: usize) -> Result<[f64; 5], SampleError> {
    let mut counts = [0.0; 5];
    for _ in 0..draws {
        counts[sampler.next(&LOGITS)?] += 1.0;
    }
    Ok(counts)
}

/// Counts against probabilities: within five standard deviations of the binomial distribution.
fn assert_likely(counts: [f64; 5], weights: [f64; 5]) {
    let (draws, total): (f64, f64) = (counts.iter().sum(), weights.iter().sum());
    for (i, (count, weight)) in counts.into_iter().zip(weights).enumerate() {
        let p = weight / total;
        let bound = 5.0 * (draws * p * (1.0 - p)).sqrt();
        assert!((count - draws * p).abs() <= bound, "{i}: {count} of {draws}, p = {p}");
    }
}

#[test]
fn frequencies_are_probabilities() -> Result<(), SampleError> {
    let of = |temperature: f64| LOGITS.map(|x| (f64::from(x) / temperature).exp());
    assert_likely(counts(Sampler::new(Seed(1)), 20_000)?, of(1.0));
    assert_likely(counts(Sampler::new(Seed(2)).temperature(0.5)?, 20_000)?, of(0.5));
    let mut two = of(1.0);
    (two[0], two[2]) = (0.0, 0.0);
    assert_likely(counts(Sampler::new(Seed(3)).top_k(2)?, 20_000)?, two);
    // The first token has 0.59 of the whole, the first two 0.81.
    assert_likely(counts(Sampler::new(Seed(4)).top_p(0.7)?, 20_000)?, two);
    let one = [0.0, 1.0, 0.0, 0.0, 0.0];
    assert_likely(counts(Sampler::new(Seed(5)).top_p(0.5)?, 100)?, one);
    assert_likely(counts(Sampler::new(Seed(6)).temperature(0.0)?, 100)?, one);
    Ok(())
}

#[test]
fn one_seed_draws_the_same() -> Result<(), SampleError> {
    let draw = |seed| -> Result<Vec<usize>, SampleError> {
        let mut sampler = Sampler::new(Seed(seed));
        (0..50).map(|_| sampler.next(&LOGITS)).collect()
    };
    assert_eq!(draw(7)?, draw(7)?);
    assert_ne!(draw(7)?, draw(8)?);
    Ok(())
}

#[test]
fn bad_settings_and_logits_are_errors() {
    let sampler = || Sampler::new(Seed(0));
    for t in [-1.0, f32::NAN, f32::INFINITY] {
        assert!(matches!(sampler().temperature(t), Err(SampleError::Temperature(_))));
    }
    assert!(matches!(sampler().top_k(0), Err(SampleError::TopK)));
    for p in [0.0, 1.1, f32::NAN] {
        assert!(matches!(sampler().top_p(p), Err(SampleError::TopP(_))));
    }
    assert_eq!(sampler().next(&[]), Err(SampleError::Empty));
    let nan = sampler().next(&[0.0, f32::NAN]);
    assert!(matches!(nan, Err(SampleError::Logit { index: 1, .. })));
    assert_eq!(sampler().next(&[f32::NEG_INFINITY; 3]), Ok(0));
}
