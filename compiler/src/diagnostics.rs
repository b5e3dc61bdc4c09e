//! What the user is told: one message a root cause, at the user's own token.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

/// A mistake in the user's text.
#[derive(Debug)]
pub struct Diagnostic {
    pub start: Span,
    pub end: Span,
    pub message: String,
    /// Lines below the message, `help: …` or `shapes: …`.
    pub notes: Vec<String>,
    /// A type of the user's of which rustc says what is wrong by itself, and what its parameters are
    /// where it names some: the message is for where it does not.
    pub of_type: Option<Box<[TokenStream; 2]>>,
}

impl Diagnostic {
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { start: span, end: span, message, notes: Vec::new(), of_type: None }
    }

    /// A message that underlines all of `tokens`.
    pub fn over(tokens: &impl quote::ToTokens, message: impl Into<String>) -> Self {
        let mut spans = tokens.to_token_stream().into_iter().map(|token| token.span());
        let start = spans.next().unwrap_or_else(Span::call_site);
        let end = spans.last().unwrap_or(start);
        Self { start, end, message: message.into(), notes: Vec::new(), of_type: None }
    }

    pub fn help(mut self, text: impl AsRef<str>) -> Self {
        self.notes.push(format!("help: {}", text.as_ref()));
        self
    }

    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Of a type of which rustc speaks by itself.
    pub fn unless_rustc(mut self, ty: &impl quote::ToTokens, params: TokenStream) -> Self {
        self.of_type = Some(Box::new([ty.to_token_stream(), params]));
        self
    }

    /// As Rust that does not compile: where an item may stand, and where an expression may.
    fn error(&self) -> TokenStream {
        let text = self.text();
        // rustc underlines from the first token's span to the last one's.
        let head = quote_spanned!(self.start => ::core::compile_error);
        let tail = quote_spanned!(self.end => { #text });
        quote::quote!(#head ! #tail)
    }

    /// Where it starts, as a key and to sort by.
    fn place(&self) -> (usize, usize, String) {
        let start = self.start.start();
        (start.line, start.column, format!("{:?}", self.start))
    }

    /// The whole text, a line for each note.
    pub fn text(&self) -> String {
        let mut text = self.message.clone();
        for note in &self.notes {
            text.push_str("\n  ");
            text.push_str(note);
        }
        text
    }
}

impl From<syn::Error> for Diagnostic {
    fn from(error: syn::Error) -> Self {
        Self::new(error.span(), error.to_string())
    }
}

/// The most mistakes that are told at once.
const MOST: usize = 100;

/// All mistakes found so far.
#[derive(Debug, Default)]
pub struct Diagnostics {
    found: Vec<Diagnostic>,
    /// Where they start.
    places: HashSet<(usize, usize, String)>,
    /// The phase that runs, for the message of a bug.
    pub phase: &'static str,
    /// The name of the model, for the message of a bug.
    pub subject: Option<Span>,
}

impl Diagnostics {
    /// One token is wrong once: a mistake in a function that others call is met at each call.
    pub fn push(&mut self, diagnostic: impl Into<Diagnostic>) {
        let new = diagnostic.into();
        if self.found.len() < MOST && self.places.insert(new.place()) {
            self.found.push(new);
        }
    }

    pub fn len(&self) -> usize {
        self.found.len()
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Keeps the value, or records the mistake.
    pub fn keep<T, E: Into<Diagnostic>>(&mut self, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// What was found, in the order of the user's text.
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut sorted: Vec<_> = self.found.iter().collect();
        sorted.sort_by_cached_key(|diagnostic| diagnostic.place());
        sorted
    }

    /// One `compile_error!` a message.
    pub fn emit(&self) -> TokenStream {
        let error = |diagnostic: &Diagnostic| match diagnostic.of_type.as_deref() {
            // Of a type that is wrong, rustc evaluates nothing.
            Some([ty, params]) => {
                let text = diagnostic.text();
                let panic = quote_spanned!(diagnostic.start => ::core::panic!(#text));
                quote::quote! {
                    #[allow(dead_code)]
                    const _: () = {
                        #params
                        let _ = ::core::marker::PhantomData::<#ty>;
                        #panic
                    };
                }
            }
            None => diagnostic.error(),
        };
        self.sorted().into_iter().map(error).collect()
    }

    /// A type that is one of the mistakes: rustc takes it for any other, and what depends on it stays
    /// silent. The message is told once, here and where it stands as an item.
    pub fn as_type(&self) -> Option<TokenStream> {
        let sorted = self.sorted();
        let own = sorted.iter().find(|found| found.of_type.is_none());
        let own = own.map(|own| {
            let error = own.error();
            quote::quote!([u8; #error])
        });
        own.or_else(|| sorted.first()?.of_type.as_ref().map(|of| of[0].clone()))
    }
}

/// The known name nearest to `name`, when it is near enough to be a slip.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // What is longer is no slip.
    let name = (name.len() <= 64).then(|| name.to_lowercase())?;
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name, &candidate.to_lowercase()), candidate))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// `1 input`, `2 inputs`
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// `a`, `b` and `c`.
pub fn list<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match quoted.as_slice() {
        [] => "nothing".into(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}
