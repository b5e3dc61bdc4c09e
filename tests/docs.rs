//! The pages of documentation whose snippets are tests: `cargo test --doc -p gradiron-tests`.
//!
//! A page with Rust of its own is named here, or `tests/repository/docs.rs` fails.

/// One module for each page, whose name a failing snippet has.
#[cfg(doctest)]
macro_rules! pages {
    ($($name:ident: $path:literal,)*) => {$(
        #[doc = include_str!($path)]
        pub mod $name {}
    )*};
}

#[cfg(doctest)]
pages! {
    debugging: "../docs/debugging.md",
    deployment: "../docs/deployment.md",
    language: "../docs/language.md",
    profiling: "../docs/profiling.md",
}
