//! The words of `model! { … }`, each a module whose docs are its entry of the reference and whose
//! constants are its options. Nothing is to be done with them: models name them where their texts
//! do, so that an editor shows them at `Conv2d`, `kernel` and `relu`, and goes to them.
#![allow(non_snake_case, non_upper_case_globals)]

gradiron_macros::language!();
