//! What a model says of itself: the table in its docs, and what `summary` reads when it runs.

use std::fmt::Write;

use proc_macro2::TokenStream;

use super::function::callees;
use super::{Function, Model};
use crate::declared::ParamInit;
use crate::dim::{Dim, Shape};
use crate::graph::callee::function_value;
use crate::graph::{Kind, Ty};
use crate::hygiene::quote;
use crate::names::plain;
use crate::outline::{Outline, Row};
use crate::text::text_of;

impl Function {
    /// Its inference, as users read it.
    pub fn outline(&self, model: &Model) -> Outline {
        let (graph, plan) = &self.infer;
        Outline::new(model.fields, graph, plan)
    }
}

/// The rows of a function, for summaries of its model and of those around it. A line each: the
/// operations that it has, the places of its parameters, its name, its kind, its output. A size that
/// only rustc knows is a number in braces there, and in `sizes`.
pub fn rows(model: &Model, function: &Function) -> Option<TokenStream> {
    model.header?;
    let outline = function.outline(model);
    let (mut text, mut sizes) = (String::new(), Vec::new());
    let mut used = vec![false; model.fields.len()];
    for Row { name, field, kind, nodes, output, .. } in &outline.rows {
        let [start, end] = field.map_or([0; 2], |field| {
            used[field] = true;
            places(model, field)
        });
        let (count, output) = (nodes.len(), shown(output, &mut sizes));
        let _ = writeln!(text, "{count}\t{start}\t{end}\t{name}\t{kind}\t{output}");
    }
    for (field, _) in used.iter().enumerate().filter(|(_, used)| !**used) {
        let ([start, end], name) = (places(model, field), &model.fields[field].name);
        if start < end {
            let name = plain(&name.to_string()).to_string();
            let _ = writeln!(text, "0\t{start}\t{end}\t{name}\tnot in `{}`\t", function.name);
        }
    }
    let sizes = sizes.iter().map(Dim::tokens);
    let graph = &function.infer.0;
    let nested = outline.rows.iter().enumerate().flat_map(|(at, row)| {
        let called = row.nodes.iter().filter_map(|n| graph.nodes[*n].op.callee());
        called.map(move |callee| {
            let (rows, sizes, count) = (callee.item("outline"), callee.sizes(), callee.len());
            let (at, count) = (syn::Index::from(at), count.tokens());
            quote!(out.enter(#at, #count); #rows(#sizes, out); out.leave();)
        })
    });
    let bind = (!callees(graph).is_empty()).then(|| model.bind_sizes());
    let (path, costs) = (model.generics().1, quote!(Self::infer_costs));
    Some(quote! {
        pub fn outline(self, n: __private::Sizes, out: &mut __private::Outline) {
            #bind
            out.rows(#text, &[#(#sizes),*], <#path>::__AT, #costs, n);
            #(#nested)*
        }
    })
}

/// From where to where the parameters of a field lie in the table of them.
fn places(model: &Model, field: usize) -> [usize; 2] {
    let sorted = model.params.sorted();
    let start = sorted.iter().take_while(|(owner, _)| *owner < field).count();
    let len = sorted.iter().filter(|(owner, _)| *owner == field).count();
    [start, start + len]
}

/// A type, where what rustc knows is a number of `sizes`.
fn shown(ty: &Ty, sizes: &mut Vec<Dim>) -> String {
    let dims = ty.dims().iter().map(|dim| {
        if dim.as_lit().is_some() || dim.is_run_time() {
            return dim.to_string();
        }
        let known = sizes.iter().position(|size| size == dim).unwrap_or_else(|| {
            sizes.push(dim.clone());
            sizes.len() - 1
        });
        format!("{{{known}}}")
    });
    let classes = if ty.kind == Kind::Classes { "Classes" } else { "" };
    format!("{classes}[{}]", dims.collect::<Vec<_>>().join(", "))
}

/// The method that users call, unless they have one of that name.
pub fn method(model: &Model) -> Option<TokenStream> {
    let mut names = model.interfaces.iter().map(|function| &function.name);
    if names.any(|name| name == "summary") || model.fields.iter().any(|f| f.name == "summary") {
        return None;
    }
    let (names, sizes) = super::memory::size_args(model);
    let first = &model.interfaces.first()?.name;
    let (title, value) = (model.called(first), function_value(first));
    let doc = format!(
        "The layers of `{first}` with their outputs, parameters and costs, to be printed; and the memory \
         that workspaces of these sizes take."
    );
    let body = match model.functions {
        Some(_) => quote! {
            let mut out = __private::Outline::default();
            Self::#value.outline(#sizes, &mut out);
            out.summary::<Self>(#title, #sizes, Self::footprint(#(#names,)* __private::Target::Host))
        },
        None => quote!(::core::unreachable!("this program does not compile")),
    };
    Some(quote! {
        #[doc = #doc]
        pub fn summary(#(#names: usize),*) -> __private::Summary {
            #body
        }
    })
}

/// Markdown: the layers of the first function and a picture of them.
pub fn docs(model: &Model) -> TokenStream {
    let Some(function) = model.functions.as_ref().and_then(|functions| functions.first()) else {
        return TokenStream::new();
    };
    let outline = function.outline(model);
    let mut text = format!(
        "\n\n`{}`, layer by layer:\n\n| layer | | output | parameters | FLOPs | bytes |\n\
         |---|---|---|--:|--:|--:|\n",
        function.name
    );
    let mut seen = vec![false; model.fields.len()];
    for row in &outline.rows {
        let is_first = row.field.is_none_or(|field| !std::mem::replace(&mut seen[field], true));
        let params = match row.field {
            Some(field) if is_first => parameters(model, field),
            Some(_) => "shared".into(),
            None => String::new(),
        };
        let costs = match row.is_call {
            true => [String::new(), String::new()],
            false => [row.flops.to_string(), row.bytes.to_string()],
        };
        let [flops, bytes] = costs.map(|cost| quoted(&cost));
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {params} | {flops} | {bytes} |",
            row.name,
            quoted(&row.kind),
            quoted(&row.output.to_string()),
        );
    }
    let picture = outline.svg().map(|picture| {
        let text = format!("\n\n<div>\n{picture}</div>\n\n");
        // Nobody else looks at it.
        quote!(#[cfg_attr(doc, doc = #text)])
    });
    quote!(#[doc = #text] #picture)
}

/// Text between backticks; nothing of nothing.
fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

/// The number of parameters of a field; of a model, its name.
fn parameters(model: &Model, field: usize) -> String {
    let own = model.params.tensors.iter().filter(|(owner, _)| *owner == field);
    let (mut sum, mut models) = (Dim::lit(0), Vec::new());
    for (_, param) in own {
        match &param.init {
            ParamInit::Init(_) => sum = sum.plus(&Shape::len(&param.shape)),
            ParamInit::Nested { model, count } => {
                let (model, count) = (text_of(model), count.as_ref());
                models.push(count.map_or(model.clone(), |count| format!("{count} × {model}")));
            }
        }
    }
    match models.first() {
        Some(model) => format!("`{model}`"),
        None if sum == Dim::lit(0) => String::new(),
        None => format!("`{sum}`"),
    }
}
