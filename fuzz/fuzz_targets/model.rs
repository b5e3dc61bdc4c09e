//! The macro on any text: no panic, no hang, no end of the stack.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use proc_macro2::TokenStream;

fuzz_target!(|text: &str| -> Corpus {
    // What is no text of tokens never gets to a macro.
    let Ok(tokens) = text.parse::<TokenStream>() else { return Corpus::Reject };
    let rust = gradiron_compiler::model::expand(tokens).to_string();
    assert!(!rust.contains("a bug of gradiron"), "{rust}");
    Corpus::Keep
});
