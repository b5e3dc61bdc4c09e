//! What the words of a model's text stand for. A macro's text has no meaning to an editor but by
//! what its expansion does with the same words, so each is named there once more.

use std::collections::{HashMap, HashSet};

use proc_macro2::{Ident, Span, TokenStream};

use crate::names::is_keyword;

/// The words of a model.
#[derive(Debug, Default)]
pub struct Mentions {
    /// Where they stand: a body that is written out several times has each word once.
    places: HashSet<String>,
    /// Words of the language, as paths within `gradiron::language`.
    pub language: Vec<TokenStream>,
    /// Names of the user's, where they are declared.
    pub names: Vec<Name>,
    /// The same where they are used, by their numbers.
    pub uses: Vec<(usize, Ident)>,
    /// The fields and functions of the model among the names.
    members: HashMap<String, usize>,
}

/// A name of the user's.
#[derive(Debug)]
pub struct Name {
    pub ident: Ident,
    /// What it is: a shape, or the declaration of a layer.
    pub is: String,
    /// The docs of a field.
    pub docs: TokenStream,
}

impl Mentions {
    /// A word of the language: an option stands in the path behind its owner.
    pub fn word(&mut self, module: &str, row: &str, word: &Ident, option: bool) {
        if self.is_new(word.span()) {
            let [module, row] = [module, row].map(|name| Ident::new(name, Span::call_site()));
            self.language.push(match option {
                true => quote::quote!(#module::#row::#word),
                false => quote::quote!(#module::#word),
            });
        }
    }

    /// A name that is declared here, and its number; nothing where it is known, or no name to Rust.
    pub fn name(&mut self, ident: &Ident, is: impl FnOnce() -> String) -> Option<usize> {
        (!is_keyword(&ident.to_string()) && self.is_new(ident.span())).then(|| {
            let docs = TokenStream::new();
            self.names.push(Name { ident: ident.clone(), is: is(), docs });
            self.names.len() - 1
        })
    }

    /// A name that is used here.
    pub fn used(&mut self, name: usize, ident: &Ident) {
        if self.is_new(ident.span()) {
            self.uses.push((name, ident.clone()));
        }
    }

    /// A field or a function that is used here, and what it is where it is declared.
    pub fn member(
        &mut self,
        ident: &Ident,
        declared: &Ident,
        is: impl FnOnce() -> (String, TokenStream),
    ) {
        let known = self.members.get(&declared.to_string()).copied();
        let at = known.unwrap_or_else(|| {
            let (is, docs) = is();
            self.names.push(Name { ident: declared.clone(), is, docs });
            self.members.insert(declared.to_string(), self.names.len() - 1);
            self.names.len() - 1
        });
        self.used(at, ident);
    }

    fn is_new(&mut self, span: Span) -> bool {
        // Editors give no lines and columns to macros.
        self.places.insert(format!("{span:?}"))
    }
}
