//! Damaged models: the macro panics at none, and what it makes of them is Rust.

use gradiron_agree::batch::root;
use gradiron_agree::mutants::{Outcome, expand, mutant, texts};

/// How many are taken here; `scripts/full-check.sh` takes more.
const COUNT: u64 = 400;

#[test]
fn damaged_models_are_borne() {
    let texts = texts(&root());
    assert!(texts.len() > 100, "{}", texts.len());
    let mut accepted = 0;
    for seed in 0..COUNT {
        let mutant = mutant(&texts, seed);
        match expand(mutant.tokens.clone()) {
            Ok(outcome) => accepted += usize::from(outcome == Outcome::Accepted),
            Err(error) => panic!("{} {seed}: {error}\n{}", mutant.text.file, mutant.tokens),
        }
    }
    // Some damage is none, and most is some.
    assert!((20..COUNT as usize / 2).contains(&accepted), "{accepted}");
}

#[test]
fn a_number_makes_the_same_mutant() {
    let texts = texts(&root());
    let text = |seed| mutant(&texts, seed).tokens.to_string();
    assert_eq!((0..50).map(text).collect::<Vec<_>>(), (0..50).map(text).collect::<Vec<_>>());
}
