//! The pages of documentation whose snippets are tests: `cargo test --doc -p gradiron-tests`.
//!
//! A page with Rust of its own is named here, or `tests/repository/docs.rs` fails.

// No page shows what a lint warns of.
#![doc(test(attr(deny(deprecated))))]

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
    budgets: "../docs/budgets.md",
    debugging: "../docs/debugging.md",
    deployment: "../docs/deployment.md",
    editor: "../docs/editor.md",
    language: "../docs/language.md",
    profiling: "../docs/profiling.md",
}
