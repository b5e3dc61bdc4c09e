//! What helps say to write, written.

use gradiron_compiler::diagnostics::{Diagnostic, Fix};
use proc_macro2::LineColumn;
use syn::visit::{self, Visit};

use crate::rustc::Found;

/// The program with all its helps applied; nothing where an error has none to apply. A help that
/// does not say what is to be written is an error.
pub fn applied(program: &str, found: &[Found]) -> Result<Option<String>, String> {
    let mistakes = mistakes(program);
    let mut edits = Vec::new();
    for error in found {
        let Some(place) = error.place else { return Ok(None) };
        let is_it = |mistake: &&Diagnostic| {
            let start = mistake.start.start();
            (start.line, start.column + 1) == (place.line, place.start)
        };
        let edit = match mistakes.iter().find(is_it) {
            Some(mistake) => {
                let text = mistake.text();
                // The other places follow from the first.
                for fix in mistake.told.others.iter().flatten() {
                    edits.push(edit(program, fix, &fix.text)?);
                }
                let Some(fix) = &mistake.told.fix else { return Ok(None) };
                edit(program, fix, &text)?
            }
            // A check of rustc's, whose text says what to write where it underlines.
            None => {
                // Where that is all of the help.
                let written = error.text.rsplit_once("help: write `").map(|(_, rest)| rest);
                let written = written.and_then(|rest| rest.split('`').next());
                let Some(written) = written.filter(|text| !text.contains('…')) else {
                    return Ok(None);
                };
                let offset = |column| at(program, LineColumn { line: place.line, column });
                (offset(place.start - 1), offset(place.end - 1), written.to_string())
            }
        };
        edits.push(edit);
    }
    edits.sort_by_key(|(start, ..)| std::cmp::Reverse(*start));
    let mut text = program.to_string();
    for (start, end, new) in edits {
        text.replace_range(start..end, &new);
    }
    Ok((text != program).then_some(text))
}

/// Where a fix starts and ends, and what stands there then, which the message must have.
fn edit(program: &str, fix: &Fix, message: &str) -> Result<(usize, usize, String), String> {
    let words = |text: &str| text.split_whitespace().collect::<String>();
    match words(message).contains(&words(&fix.text)) {
        true => Ok((at(program, fix.start.start()), at(program, fix.end.end()), fix.text.clone())),
        false => Err(format!("a help does not say to write `{}`: {message}", fix.text)),
    }
}

/// A place as a number of bytes.
fn at(text: &str, place: LineColumn) -> usize {
    let line: usize = text.split_inclusive('\n').take(place.line - 1).map(str::len).sum();
    let rest = &text[line..];
    line + rest.char_indices().nth(place.column).map_or(rest.len(), |(offset, _)| offset)
}

/// What our macros find in a program; nothing where it is no Rust.
fn mistakes(program: &str) -> Vec<Diagnostic> {
    let mut models = Models(Vec::new());
    if let Ok(file) = syn::parse_file(program) {
        models.visit_file(&file);
    }
    models.0
}

struct Models(Vec<Diagnostic>);

impl<'ast> Visit<'ast> for Models {
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if call.path.segments.last().is_some_and(|last| last.ident == "model") {
            self.0.extend(gradiron_compiler::model::mistakes(call.tokens.clone()));
        }
        visit::visit_macro(self, call);
    }

    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attrs = match item {
            syn::Item::Struct(item) => &item.attrs[..],
            syn::Item::Enum(item) => &item.attrs[..],
            _ => &[],
        };
        let derives = |attr: &syn::Attribute| {
            attr.path().is_ident("derive")
                && quote::ToTokens::to_token_stream(attr).to_string().contains("Module")
        };
        if attrs.iter().any(derives) {
            let mut item = item.clone();
            if let syn::Item::Struct(item) = &mut item {
                item.attrs.retain(|attr| !attr.path().is_ident("derive"));
            }
            let tokens = quote::ToTokens::to_token_stream(&item);
            self.0.extend(gradiron_compiler::derive::mistakes(tokens));
        }
        visit::visit_item(self, item);
    }
}
