//! Texts of models that are damaged at random: the macro takes each without a panic, gives Rust,
//! and what it accepts rustc accepts.

mod accepted;
mod edit;
mod texts;

pub use accepted::compiled;
pub use edit::damaged;
pub use texts::{Text, texts};

use proc_macro2::TokenStream;

use crate::generate::dice::Dice;

/// What the macro makes of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Accepted,
    /// With messages.
    Refused,
}

/// A damaged model among the texts of its file.
pub struct Mutant<'a> {
    pub text: &'a Text,
    /// Which of the file's models it is.
    pub at: usize,
    pub tokens: TokenStream,
}

/// The mutant of a number: the same for the same texts.
pub fn mutant(texts: &[Text], seed: u64) -> Mutant<'_> {
    let mut dice = Dice::new(seed);
    // What is right goes through more of the compiler than what is wrong from the start.
    let is_right =
        |text: &&Text| !text.file.starts_with("tests/ui") && !text.file.ends_with("messages.txt");
    let right: Vec<&Text> = texts.iter().filter(is_right).collect();
    let text = match dice.percent(75) {
        true => dice.pick(&right).copied().or(texts.first()),
        false => dice.pick(texts),
    };
    let text = text.expect("there are texts");
    let at = dice.below(text.models.len());
    let donor = dice.pick(texts).expect("there are texts");
    let donor = dice.pick(&donor.models).expect("a text has models").clone();
    let tokens = damaged(&mut dice, text.models[at].clone(), &donor);
    Mutant { text, at, tokens }
}

/// Expands a text as rustc would have it done.
///
/// # Errors
/// What is wrong with the macro: a panic that it caught, or a result that is no Rust.
pub fn expand(tokens: TokenStream) -> Result<Outcome, String> {
    let rust = gradiron_compiler::model::expand(tokens);
    let text = rust.to_string();
    if let Some(at) = text.find("a bug of gradiron") {
        return Err(text[at..].chars().take(300).collect());
    }
    syn::parse2::<syn::File>(rust).map_err(|error| format!("the result is no Rust: {error}"))?;
    Ok(match text.contains("compile_error") {
        true => Outcome::Refused,
        false => Outcome::Accepted,
    })
}
