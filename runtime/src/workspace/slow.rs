//! One line for builds in which this library is not optimised: a step takes a hundred times as
//! long, and what to write against it is not known to everybody.

use std::sync::Once;
use std::time::{Duration, Instant};

/// A step that takes longer is worth a line.
const SLOW: Duration = Duration::from_millis(20);

/// When a step began, where it is to be watched.
#[inline(always)]
pub(super) fn begin() -> Option<Instant> {
    cfg!(all(unoptimised, not(target_family = "wasm"))).then(Instant::now)
}

/// Says once what to write, where a step was slow.
#[inline(always)]
pub(super) fn end(began: Option<Instant>) {
    if let Some(taken) = began.map(|began| began.elapsed()).filter(|taken| *taken > SLOW) {
        say(taken);
    }
}

#[cold]
fn say(taken: Duration) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        if std::env::var_os("GRADIRON_SLOW_BUILD").is_none() {
            eprintln!(
                "gradiron: this step took {} ms, in a build that does not optimise the library. Write\n\
                 [profile.dev.package.gradiron]\n\
                 opt-level = 3\n\
                 in Cargo.toml, or build with --release; GRADIRON_SLOW_BUILD=1 silences this",
                taken.as_millis()
            );
        }
    });
}
