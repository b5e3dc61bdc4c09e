//! What the user is told: one message a root cause, at the user's own token.

use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};

/// A mistake in the user's text.
#[derive(Debug)]
pub struct Diagnostic {
    pub start: Span,
    pub end: Span,
    pub message: String,
    /// Lines below the message, `help: …` or `shapes: …`.
    pub notes: Vec<String>,
    pub told: Box<Told>,
    /// A type of the user's of which rustc says what is wrong by itself, and what its parameters are
    /// where it names some: the message is for where it does not.
    pub of_type: Option<Box<[TokenStream; 2]>>,
}

/// How a mistake is told, beside its text.
#[derive(Debug, Default)]
pub struct Told {
    /// What the help says to write, where it says that to the letter.
    pub fix: Option<Fix>,
    /// Whether the same mistake is told once for all its places, and the other places.
    pub is_of_all: bool,
    pub others: Vec<Option<Fix>>,
    /// The function whose mistakes it follows from: without any, it is one of its own.
    pub follows: Option<String>,
}

/// A piece of the user's text, and what to write in its place.
#[derive(Debug)]
pub struct Fix {
    pub start: Span,
    pub end: Span,
    pub text: String,
}

impl Fix {
    pub fn at(span: Span, text: String) -> Self {
        Self { start: span, end: span, text }
    }
}

impl Diagnostic {
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            start: span,
            end: span,
            message: message.into(),
            notes: Vec::new(),
            told: Box::default(),
            of_type: None,
        }
    }

    /// A message that underlines all of `tokens`.
    pub fn over(tokens: &impl ToTokens, message: impl Into<String>) -> Self {
        let (start, end) = ends(tokens);
        Self { end, ..Self::new(start, message) }
    }

    pub fn help(mut self, text: impl AsRef<str>) -> Self {
        self.notes.push(format!("help: {}", text.as_ref()));
        self
    }

    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// The help says to write `text` in place of `tokens`.
    pub fn fix(mut self, tokens: &impl ToTokens, text: impl Into<String>) -> Self {
        let (start, end) = ends(tokens);
        self.told.fix = Some(Fix { start, end, text: text.into() });
        self
    }

    /// Told where nothing else is wrong with a function.
    pub fn follows(mut self, function: &str) -> Self {
        self.told.follows = Some(function.into());
        self
    }

    /// Told once for all places where it is made.
    pub fn of_all(mut self) -> Self {
        self.told.is_of_all = true;
        self
    }

    /// The same where one span is what stands there.
    pub fn fix_at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.told.fix = Some(Fix { start: span, end: span, text: text.into() });
        self
    }

    /// The same with what is wrong from `tokens` on: what stands there goes as well.
    pub fn starting_at(mut self, tokens: &impl ToTokens) -> Self {
        (self.start, _) = ends(tokens);
        if let Some(fix) = &mut self.told.fix {
            fix.start = self.start;
        }
        self
    }

    /// Says to write `text` in place of `tokens`.
    pub fn write(self, tokens: &impl ToTokens, text: impl Into<String>) -> Self {
        let text = text.into();
        self.help(format!("write `{text}`")).fix(tokens, text)
    }

    /// Asks whether `text` was meant where `tokens` stand.
    pub fn did_you_mean(self, tokens: &impl ToTokens, text: impl Into<String>) -> Self {
        let text = text.into();
        self.help(format!("did you mean `{text}`?")).fix(tokens, text)
    }

    /// Of a type of which rustc speaks by itself.
    pub fn unless_rustc(mut self, ty: &impl ToTokens, params: TokenStream) -> Self {
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
        match self.told.others.len() {
            _ if !self.told.is_of_all => {}
            0 => {}
            1 => text.push_str("\n  and once more below"),
            count => text.push_str(&format!("\n  and in {count} more places below")),
        }
        text
    }
}

/// Where tokens start and end.
fn ends(tokens: &impl ToTokens) -> (Span, Span) {
    let mut spans = tokens.to_token_stream().into_iter().map(|token| token.span());
    let start = spans.next().unwrap_or_else(Span::call_site);
    (start, spans.last().unwrap_or(start))
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
        let same = |known: &&mut Diagnostic| known.told.is_of_all && known.message == new.message;
        if let Some(known) = self.found.iter_mut().find(same).filter(|_| new.told.is_of_all) {
            if self.places.insert(new.place()) {
                // The first place in the text is the one that is told.
                let mut new = new;
                if new.place() < known.place() {
                    std::mem::swap(&mut known.start, &mut new.start);
                    std::mem::swap(&mut known.end, &mut new.end);
                    std::mem::swap(&mut known.told.fix, &mut new.told.fix);
                }
                known.told.others.push(new.told.fix);
                known.told.others.extend(new.told.others);
            }
            return;
        }
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

    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Forgets what follows from mistakes of these functions.
    pub fn without_what_follows(&mut self, have_mistakes: impl Fn(&str) -> bool) {
        self.found.retain(|one| !one.told.follows.as_deref().is_some_and(&have_mistakes));
    }

    /// Forgets all but the first ones.
    pub fn truncate(&mut self, len: usize) {
        self.found.truncate(len);
        self.places = self.found.iter().map(Diagnostic::place).collect();
    }

    /// Keeps the value, or records the mistake.
    pub fn keep<T, E: Into<Diagnostic>>(&mut self, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub fn into_found(self) -> Vec<Diagnostic> {
        self.found
    }

    /// What was found, in the order of the user's text.
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut sorted: Vec<_> = self.found.iter().collect();
        sorted.sort_by_cached_key(|diagnostic| diagnostic.place());
        sorted
    }

    /// One `compile_error!` a message, and the warnings.
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
        let errors = self.sorted().into_iter().map(error);
        errors.chain(self.warnings().into_iter().map(Warning::tokens)).collect()
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

/// The known name nearest to `name`, when it is near enough to be a slip: one letter in three is another,
/// missing, too many or in the place of the next. Names that differ in their numbers alone are no slips.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // What is longer is no slip.
    let name = (name.len() <= 64).then(|| name.to_lowercase())?;
    let most = (name.chars().count() / 3).clamp(1, 4);
    let stem = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit()).to_string();
    let slips = known.into_iter().filter_map(|candidate| {
        let other = candidate.to_lowercase();
        let numbers = name != other && stem(&name) == stem(&other) && stem(&name) != name;
        let distance = strsim::osa_distance(&name, &other);
        let is_slip = !numbers && distance <= most && distance < other.chars().count();
        is_slip.then_some((distance, candidate))
    });
    slips.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
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
