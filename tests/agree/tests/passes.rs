//! Programs behind every pass.

use gradiron_agree::known;
use gradiron_agree::passes::check;

#[test]
fn known_programs() {
    for program in known::programs() {
        if let Err(failure) = check(&program) {
            panic!("{failure}\n{program}");
        }
    }
}
