//! Programs behind every pass.

use gradiron_agree::generate::generate;
use gradiron_agree::known;
use gradiron_agree::passes::{check, is_fit};
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
        if check(&program).is_err() {
            let small = shrink(&program, &|smaller| check(smaller).is_err());
            let failure = check(&small).expect_err("what is smaller fails as well");
            panic!("{failure}\n{small}");
        }
    }
}
