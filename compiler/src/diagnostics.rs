//! What the user is told: one message a root cause, at the user's own token.

use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;

/// A mistake in the user's text.
#[derive(Debug)]
pub struct Diagnostic {
    pub start: Span,
    pub end: Span,
    pub message: String,
    /// Lines below the message, `help: …` or `shapes: …`.
    pub notes: Vec<String>,
}

impl Diagnostic {
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Self { start: span, end: span, message: message.into(), notes: Vec::new() }
    }

    /// A message that underlines all of `tokens`.
    pub fn over(tokens: &impl quote::ToTokens, message: impl Into<String>) -> Self {
        let mut spans = tokens.to_token_stream().into_iter().map(|token| token.span());
        let start = spans.next().unwrap_or_else(Span::call_site);
        let end = spans.last().unwrap_or(start);
        Self { start, end, message: message.into(), notes: Vec::new() }
    }

    pub fn help(mut self, text: impl AsRef<str>) -> Self {
        self.notes.push(format!("help: {}", text.as_ref()));
        self
    }

    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
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

/// What is warned of.
#[derive(Debug)]
pub struct Warning {
    /// What rustc calls it: the name of a lint, or `reveal`.
    pub name: &'static str,
    pub diagnostic: Diagnostic,
    /// Whether it is told beside errors, too.
    pub always: bool,
}

impl Warning {
    /// Rust at which rustc warns. Macros have no warnings of their own in stable Rust: what is
    /// marked as deprecated and used at the user's text is one, which says the note.
    fn tokens(&self) -> TokenStream {
        let (text, name) = (self.diagnostic.text(), self.name);
        let declared = Ident::new(name, Span::call_site());
        let used = Ident::new(name, self.diagnostic.start);
        quote::quote! {
            const _: () = {
                #[deprecated(note = #text)]
                #[allow(non_upper_case_globals)]
                const #declared: () = ();
                #used
            };
        }
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
    warnings: Vec<Warning>,
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

    /// Warns of one thing once at a place. What is revealed may be another thing in each turn of a
    /// loop.
    pub fn warn(&mut self, warning: Warning) {
        let place = warning.diagnostic.place();
        let is_known =
            |known: &Warning| known.name == warning.name && known.diagnostic.place() == place;
        let Some(at) = self.warnings.iter().position(is_known) else {
            if self.warnings.len() < MOST {
                self.warnings.push(warning);
            }
            return;
        };
        let known = &mut self.warnings[at].diagnostic;
        let also = format!("also: {}", warning.diagnostic.message);
        let is_new = known.message != warning.diagnostic.message && !known.notes.contains(&also);
        if warning.always && is_new {
            known.notes.push(also);
        }
    }

    /// What is warned of, in the order of the user's text. Beside errors lints are silent: what
    /// they see may follow from these.
    pub fn warnings(&self) -> Vec<&Warning> {
        let told = |warning: &&Warning| warning.always || self.found.is_empty();
        let mut sorted: Vec<_> = self.warnings.iter().filter(told).collect();
        sorted.sort_by_cached_key(|warning| warning.diagnostic.place());
        sorted
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

    /// One `compile_error!` a message, and the warnings.
    pub fn emit(&self) -> TokenStream {
        let error = |diagnostic: &Diagnostic| {
            let text = diagnostic.text();
            // rustc underlines from the first token's span to the last one's.
            let head = quote_spanned!(diagnostic.start => ::core::compile_error);
            let tail = quote_spanned!(diagnostic.end => { #text });
            quote::quote!(#head ! #tail)
        };
        let errors = self.sorted().into_iter().map(error);
        errors.chain(self.warnings().into_iter().map(Warning::tokens)).collect()
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
