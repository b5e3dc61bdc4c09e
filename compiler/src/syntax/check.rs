//! Mistakes that need no shapes: names used twice, functions without `&self`, nothing to compute.

use std::collections::HashSet;

use proc_macro2::Ident;
use syn::{Expr, LitStr};

use super::budget::check_budget;
use super::limits::check_counts;
use super::{Field, FieldDecl, Function, Header, ModelItem, reserved};
use crate::diagnostics::{Diagnostic, Diagnostics, list, nearest};
use crate::names::is_run_time_name;
use crate::text::text_of;

/// Reports the mistakes of the model as a whole.
pub fn check_item(item: &ModelItem, diagnostics: &mut Diagnostics) {
    check_counts(item, diagnostics);
    check_names(item, diagnostics);
    if let Some(header) = &item.header {
        check_header(header, item, diagnostics);
        check_budget(header, item, diagnostics);
    }
    check_sizes(item, diagnostics);
    for function in &item.functions {
        check_function(function, item.header.is_some(), diagnostics);
        check_trains(function, item, diagnostics);
    }
}

/// The first function of each name that is no name of generated code.
pub fn distinct(item: &ModelItem) -> Vec<&Function> {
    let mut seen = HashSet::new();
    let functions = item.functions.iter().filter(|f| !reserved::is_taken(item, &f.name));
    functions.filter(|function| seen.insert(&function.name)).collect()
}

/// The names that are declared more than once: what they mean is not known.
pub fn ambiguous(item: &ModelItem) -> HashSet<String> {
    let mut seen = HashSet::new();
    let twice = names(item).filter(|name| !seen.insert(name.to_string()));
    twice.map(ToString::to_string).collect()
}

fn names(item: &ModelItem) -> impl Iterator<Item = &Ident> {
    let fields = item.fields.iter().map(|field| &field.name);
    fields.chain(item.functions.iter().map(|function| &function.name))
}

fn check_names(item: &ModelItem, diagnostics: &mut Diagnostics) {
    let mut seen = HashSet::new();
    for name in names(item) {
        if !seen.insert(name) {
            let free = free_name(&name.to_string(), |free| names(item).all(|other| other != free));
            let text = format!("`{name}` is declared twice");
            let help = format!("give it another name, such as `{free}`");
            diagnostics.push(Diagnostic::new(name.span(), text).help(help));
        }
    }
    check_names_in_files(item, diagnostics);
    for function in &item.functions {
        let mut seen = HashSet::new();
        for arg in &function.args {
            if !seen.insert(&arg.name) {
                let text = format!("`{}` has two inputs named `{}`", function.name, arg.name);
                diagnostics.push(Diagnostic::new(arg.name.span(), text));
            }
        }
    }
}

/// The most run-time sizes of a model, which its functions share.
pub const MOST_SIZES: usize = 4;

/// The names of the run-time sizes of a model, each where it stands first.
pub fn run_time_names(item: &ModelItem) -> Vec<(String, &Expr)> {
    let args = item.functions.iter().flat_map(|function| &function.args);
    let mut known: Vec<(String, &Expr)> = Vec::new();
    for size in args.flat_map(|arg| &arg.ty.dims) {
        let name = text_of(size);
        let is_name = syn::parse_str::<Ident>(&name).is_ok() && is_run_time_name(&name);
        if is_name && !known.iter().any(|(other, _)| *other == name) {
            known.push((name, size));
        }
    }
    known
}

/// A run-time size that is another one with a slip, as `bathc` is `batch`: the rarer one, and the
/// other. Both may be meant, so that it is a mistake only where something else is wrong.
pub fn slip(item: &ModelItem) -> Option<(String, String)> {
    let names: Vec<String> = run_time_names(item).into_iter().map(|(name, _)| name).collect();
    let uses = |name: &str| uses_of(item, name).count();
    let is_long = |name: &&String| name.len() > 3;
    names.iter().filter(is_long).find_map(|name| {
        let others = names.iter().filter(|other| *other != name).map(String::as_str);
        let near = nearest(name, others)?;
        (uses(name) < uses(near)).then(|| (name.clone(), near.to_string()))
    })
}

/// Where a run-time size is named in signatures.
pub fn uses_of<'a>(item: &'a ModelItem, name: &'a str) -> impl Iterator<Item = &'a Expr> {
    let types = item
        .functions
        .iter()
        .flat_map(|function| function.args.iter().map(|arg| &arg.ty).chain(&function.returns));
    types.flat_map(|ty| &ty.dims).filter(move |size| text_of(size) == name)
}

fn check_sizes(item: &ModelItem, diagnostics: &mut Diagnostics) {
    let names = run_time_names(item);
    let Some((name, size)) = names.get(MOST_SIZES) else { return };
    let known: Vec<_> = names[..MOST_SIZES].iter().map(|(name, _)| format!("`{name}`")).collect();
    let known = known.join(", ");
    let text = format!("`{name}` is one run-time size too many: there are {known} already");
    let help = "a model has at most four; a size that does not change is a constant";
    diagnostics.push(Diagnostic::over(size, text).help(help));
}

/// Names in files that files cannot hold, or that are those of two fields.
fn check_names_in_files(item: &ModelItem, diagnostics: &mut Diagnostics) {
    let mut seen: Vec<(String, &Field)> = Vec::new();
    for field in &item.fields {
        let is_row = matches!(field.decl, FieldDecl::Array(..) | FieldDecl::Layers(..));
        if let Some(text) = &field.in_files
            && text.value().ends_with("..")
            && !is_row
            && !matches!(field.decl, FieldDecl::Broken)
        {
            let error = format!("`{}` is no row, and has no numbers in files", field.name);
            let help = "write its name alone, or declare a row: `[Block<64>; 3]`";
            diagnostics.push(Diagnostic::new(text.span(), error).help(help));
        }
        let name = field.name_in_files();
        let span = |field: &Field| field.in_files.as_ref().map_or(field.name.span(), LitStr::span);
        if name == "__metadata__" {
            let text = "files keep what describes them under the name `__metadata__`";
            let help = format!("write `#[name = \"…\"]` with another one before `{}`", field.name);
            diagnostics.push(Diagnostic::new(span(field), text).help(help));
        }
        let known = seen.iter().find(|(known, other)| *known == name && other.name != field.name);
        if let Some((_, other)) = known {
            // The one that is written is the one to change.
            let at = if field.in_files.is_some() { field } else { other };
            let text = format!("two fields have the name `{name}` in files");
            let help = format!("they are `{}` and `{}`", other.name, field.name);
            diagnostics.push(Diagnostic::new(span(at), text).help(help));
        }
        seen.push((name, field));
    }
}

/// `fc3` when `fc1` and `fc2` are there.
fn free_name(name: &str, is_free: impl Fn(&str) -> bool) -> String {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let numbered = (2..).map(|number| format!("{stem}{number}"));
    numbered.into_iter().find(|free| is_free(free)).expect("there is always another number")
}

fn check_header(header: &Header, item: &ModelItem, diagnostics: &mut Diagnostics) {
    let is_size = |param: &syn::GenericParam| match param {
        syn::GenericParam::Const(_) => true,
        syn::GenericParam::Type(_) | syn::GenericParam::Lifetime(_) => item.derived,
    };
    for other in header.generics.params.iter().filter(|param| !is_size(param)) {
        let text = "a model's parameters are constants: `const D: usize`";
        diagnostics.push(Diagnostic::over(other, text));
    }
    if item.functions.is_empty() && diagnostics.is_empty() {
        let text = format!("`{}` has no function", header.name);
        let help = "write `fn forward(&self, x: [batch, 784]) -> [batch, 10] { … }`";
        diagnostics.push(Diagnostic::new(header.name.span(), text).help(help));
    }
}

/// The fields of `#[trains(…)]`: each is there, once, and not held fixed.
fn check_trains(function: &Function, item: &ModelItem, diagnostics: &mut Diagnostics) {
    let mut seen = HashSet::new();
    for name in function.trains.iter().flatten() {
        let field = item.fields.iter().find(|field| field.name == *name);
        let error = |text: String| Diagnostic::new(name.span(), text);
        diagnostics.push(match field {
            _ if item.header.is_none() => {
                error("`trains` belongs above a function of a struct".into())
            }
            None => {
                let known: Vec<_> = item.fields.iter().map(|f| f.name.to_string()).collect();
                let error = error(format!("no field is named `{name}`"));
                match nearest(&name.to_string(), known.iter().map(String::as_str)) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error.help(format!("there are {}", list(&known))),
                }
            }
            Some(_) if !seen.insert(name) => {
                error(format!("`{name}` is named twice")).help("once is enough")
            }
            Some(field) if field.frozen.is_some() => {
                let text =
                    format!("`{name}` is to be trained here, and `#[frozen]` stands above it");
                let help = "take one of them out: `#[trains(…)]` leaves the other fields alone \
                    by itself";
                error(text).help(help)
            }
            Some(_) => continue,
        });
    }
}

fn check_function(function: &Function, has_struct: bool, diagnostics: &mut Diagnostics) {
    let name = &function.name;
    let args: Vec<_> = function.args.iter().map(ToString::to_string).collect();
    let args = args.join(", ");
    if has_struct && !function.has_self {
        let help = format!("write `fn {name}(&self, {args})`");
        let text = format!("`{name}` has no `&self`");
        diagnostics.push(Diagnostic::new(name.span(), text).help(help));
    }
    if !has_struct && function.has_self {
        let text = format!("`{name}` has a `&self`, but there is no `struct`");
        let help = format!("write `fn {name}({args})`, or declare the layers in a `struct`");
        diagnostics.push(Diagnostic::new(name.span(), text).help(help));
    }
    if function.args.is_empty() && !has_struct {
        let help = format!("write `fn {name}(x: [batch, 784])`");
        let text = format!("`{name}` has no input");
        diagnostics.push(Diagnostic::new(name.span(), text).help(help));
    }
}
