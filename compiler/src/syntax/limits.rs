//! How large a model may be, so that a text of any kind takes bounded time and stack.
//!
//! Expressions are trees that are read, written out and dropped by functions that call themselves,
//! in our code, in `syn` and in rustc, so a text is measured before anything reads it: without
//! recursion, and by more than its tree can need.

use proc_macro2::{Delimiter, Spacing, Span, TokenStream, TokenTree};

use super::{Function, ModelItem};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::names::is_keyword;

/// The stack that an expression may take, in about KiB of a build without optimisation; rustc's
/// threads have 8 MiB. It is what 60 calls in each other take, 150 operators or a chain of 250
/// methods.
pub const MOST_STACK: usize = 1024;

/// The most layers of a model.
pub const MOST_FIELDS: usize = 1000;

/// The most functions of a model.
pub const MOST_FUNCTIONS: usize = 500;

/// The most inputs of a function, and its most results.
pub const MOST_ARGS: usize = 64;

/// The most axes of a value.
pub const MOST_AXES: usize = 16;

/// The longest name.
pub const LONGEST_NAME: usize = 128;

/// What an open group, or the whole text, holds so far.
struct Level {
    rest: proc_macro2::token_stream::IntoIter,
    span: Span,
    /// What the group itself takes.
    own: usize,
    /// Of the piece between two separators: its operators, and the deepest group in it.
    piece: usize,
    deepest: usize,
    /// The most of the pieces before.
    most: usize,
    /// Whether the last token was `#`.
    is_attribute: bool,
    /// Whether it was the first half of `<<`.
    is_shift: bool,
}

impl Level {
    fn new(tokens: TokenStream, span: Span, own: usize) -> Self {
        let rest = tokens.into_iter();
        let (piece, deepest, most) = (0, 0, 0);
        Self { rest, span, own, piece, deepest, most, is_attribute: false, is_shift: false }
    }

    fn total(&self) -> usize {
        self.own + self.most.max(self.piece + self.deepest)
    }

    fn end_piece(&mut self) {
        self.most = self.most.max(self.piece + self.deepest);
        (self.piece, self.deepest) = (0, 0);
    }
}

/// What is too deep in a text, at the innermost place that is.
pub fn too_deep(tokens: TokenStream) -> Option<Diagnostic> {
    let refuse = |span| {
        let text = "this is nested too deep for the macro";
        Some(Diagnostic::new(span, text).help("name parts of it: `let y = …;`"))
    };
    let mut levels = vec![Level::new(tokens, Span::call_site(), 0)];
    while let Some(level) = levels.last_mut() {
        let Some(token) = level.rest.next() else {
            let (inner, span) = (level.total(), level.span);
            levels.pop();
            if let Some(outer) = levels.last_mut() {
                outer.deepest = outer.deepest.max(inner);
                if outer.total() > MOST_STACK {
                    return refuse(span);
                }
                let is_item = levels.len() == 1;
                let outer = levels.last_mut().expect("there is one");
                // The body of a function or a struct ends it.
                if is_item {
                    outer.end_piece();
                }
            }
            continue;
        };
        let is_attribute = std::mem::take(&mut level.is_attribute);
        let is_shift = std::mem::take(&mut level.is_shift);
        match &token {
            TokenTree::Group(group) => {
                // Documentation is long and flat.
                level.piece += usize::from(!is_attribute);
                let own = match group.delimiter() {
                    Delimiter::Brace => 26,
                    _ => 16,
                };
                let span = group.span_open();
                levels.push(Level::new(group.stream(), span, own));
            }
            TokenTree::Punct(punct) => match punct.as_char() {
                ',' | ';' => level.end_piece(),
                '#' => level.is_attribute = true,
                '<' if is_shift => level.piece += 6,
                sign => {
                    level.is_shift = sign == '<' && punct.spacing() == Spacing::Joint;
                    level.piece += match sign {
                        '.' => 3,
                        '<' => 64,
                        '|' | '=' => 9,
                        '>' | ':' | '\'' => 1,
                        _ => 6,
                    }
                }
            },
            TokenTree::Ident(word) => {
                let is_keyword = is_keyword(&word.to_string());
                level.piece += if is_keyword && word != "self" && word != "as" { 12 } else { 0 };
                level.piece += usize::from(word == "as");
            }
            TokenTree::Literal(_) => {}
        }
        if let Some(level) = levels.last()
            && level.total() > MOST_STACK
        {
            return refuse(token.span());
        }
    }
    None
}

/// Whether a model has no more layers and functions than it may.
pub fn is_within(item: &ModelItem) -> bool {
    item.fields.len() <= MOST_FIELDS && item.functions.len() <= MOST_FUNCTIONS
}

/// Reports what there is too much of.
pub fn check_counts(item: &ModelItem, diagnostics: &mut Diagnostics) {
    let mut at_most = |most: usize, found: usize, what: &str, span: Option<Span>| {
        if let Some(span) = span.filter(|_| found > most) {
            let text = format!("a model has at most {most} {what}: this is one more");
            let error = Diagnostic::new(span, text);
            diagnostics
                .push(error.help("put a part of it into a `model!` of its own; models nest"));
        }
    };
    let field = item.fields.get(MOST_FIELDS).map(|field| field.name.span());
    at_most(MOST_FIELDS, item.fields.len(), "layers", field);
    let function = item.functions.get(MOST_FUNCTIONS).map(|function| function.name.span());
    at_most(MOST_FUNCTIONS, item.functions.len(), "functions", function);
    for function in &item.functions {
        check_function(function, diagnostics);
    }
    let fields = item.fields.iter().map(|field| &field.name);
    let functions = item.functions.iter().map(|function| &function.name);
    let args = item.functions.iter().flat_map(|function| &function.args).map(|arg| &arg.name);
    for name in fields.chain(functions).chain(args) {
        if name.to_string().len() > LONGEST_NAME {
            let text = format!("a name has at most {LONGEST_NAME} letters");
            diagnostics.push(Diagnostic::new(name.span(), text));
        }
    }
}

fn check_function(function: &Function, diagnostics: &mut Diagnostics) {
    let name = &function.name;
    if let Some(arg) = function.args.get(MOST_ARGS) {
        let text = format!("`{name}` has more than {MOST_ARGS} inputs");
        diagnostics.push(Diagnostic::new(arg.name.span(), text));
    }
    if let Some(result) = function.returns.get(MOST_ARGS) {
        let text = format!("`{name}` has more than {MOST_ARGS} results");
        diagnostics.push(Diagnostic::new(result.span, text));
    }
}
