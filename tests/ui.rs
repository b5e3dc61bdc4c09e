//! What users read at `cargo check` when a model has a mistake: each file of `tests/ui` is a small
//! program with one, beside it the errors that rustc prints. `TRYBUILD=overwrite` writes them anew.
//!
//! The texts of the macro itself are compared word by word in `compiler/src/tests`.

#[test]
fn mistakes() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
