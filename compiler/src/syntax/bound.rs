//! The constants of the program that are sizes of a model. Each has one constant of the model's
//! own, so that what is wrong with it is said once, where it stands first.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident};

use super::ModelItem;
use crate::names::plain;

/// The constants by their names, with what they are.
#[derive(Debug, Default)]
pub struct BoundSizes(RefCell<BTreeMap<String, TokenStream>>);

impl ModelItem {
    /// The model's own name for a size of the program's that is written as `text`.
    pub fn bind_size(&self, text: &str, size: &impl ToTokens) -> Ident {
        let model = self.header.as_ref().map(|header| &header.name);
        let model = model.or(self.functions.first().map(|function| &function.name));
        let model = model.map(ToString::to_string).unwrap_or_default();
        let model = plain(&model).to_string();
        let words = text.replace("::", "__");
        let name = match words.chars().all(|c| c.is_alphanumeric() || c == '_') {
            true => format_ident!("__{model}_{words}", span = Span::call_site()),
            false => format_ident!("__{model}_size_{:x}", hash(text), span = Span::call_site()),
        };
        let mut known = self.bound.0.borrow_mut();
        known.entry(name.to_string()).or_insert_with(|| size.to_token_stream());
        name
    }

    /// All that were bound.
    pub fn bound_sizes(&self) -> Vec<(Ident, TokenStream)> {
        let known = self.bound.0.borrow();
        let each = known.iter().map(|(name, size)| (format_ident!("{name}"), size.clone()));
        each.collect()
    }
}

/// FNV-1a: the same name for the same text in every build.
fn hash(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}
