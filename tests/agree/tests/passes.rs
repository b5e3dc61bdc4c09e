//! Programs behind every pass.

use gradiron_agree::generate::generate;
use gradiron_agree::known;
use gradiron_agree::passes::{check, is_fit};
use gradiron_agree::program::Program;
use gradiron_agree::shrink::shrink;

#[test]
fn known_programs() {
    for program in known::programs() {
        if let Err(failure) = check(&program) {
            panic!("{failure}\n{program}");
        }
    }
}

#[test]
fn random_programs() {
    for seed in 0..80 {
        let program = generate(seed, &is_fit);
        if let Err(failure) = check(&program) {
            let same =
                |smaller: &Program| check(smaller).is_err_and(|other| other.is_like(&failure));
            let small = shrink(&program, &same);
            panic!("{failure}\n{program}\n\n== smaller\n{small}");
        }
    }
}
