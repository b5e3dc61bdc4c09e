//! What profiles and observers know of a pass: names, places, costs and shapes of its operations.

use proc_macro2::{Ident, Span, TokenStream};
use quote::format_ident;

use super::calls::PIECE;
use crate::dim::Dim;
use crate::graph::{Graph, Kind, Node, Phase, ValueId};
use crate::hygiene::quote;
use crate::outline::{bytes, flops, name};
use crate::passes::plan::Plan;

/// The items `ops` and `costs` of a pass that runs `nodes`, each of a graph and its plan; `bind`
/// binds the run-time sizes, which have the names `sizes`.
pub fn items(
    (bind, sizes): (&TokenStream, &[String]),
    [ops, costs]: [&Ident; 2],
    phase: &str,
    nodes: &[(&Node, &Graph, &Plan)],
) -> TokenStream {
    let phase = format_ident!("{phase}");
    let text: String = nodes.iter().map(|(node, graph, _)| line(node, graph, sizes)).collect();
    let rows = nodes.iter().map(|(node, graph, plan)| {
        let [flops, bytes] = [flops(graph, node), bytes(graph, plan, node)];
        let (flops, bytes) = (flops.short_saturating_tokens(), bytes.short_saturating_tokens());
        match node.phase {
            Phase::BackwardInputs => quote!(if want_inputs { [#flops, #bytes] } else { [0, 0] }),
            _ => quote!([#flops, #bytes]),
        }
    });
    let rows: Vec<TokenStream> = rows.collect();
    let piece = |rows: &[TokenStream]| quote!(out.extend_from_slice(&[#(#rows),*]););
    let pieces = match rows.len() {
        0..=PIECE => piece(&rows),
        _ => {
            let pieces = rows.chunks(PIECE).map(piece);
            quote!(#((|out: &mut __private::Vec<[usize; 2]>| { #pieces })(out);)*)
        }
    };
    let nested = nodes.iter().filter_map(|(node, ..)| node.op.callee());
    let nested = nested.map(|callee| callee.stated(&["flops"]));
    let short = Dim::bind_saturating();
    quote! {
        const #ops: &'static __private::PassOps = &__private::PassOps {
            phase: __private::Phase::#phase,
            text: #text,
            file: ::core::file!(),
            costs: Self::#costs,
        };
        fn #costs(n: __private::Sizes, want_inputs: bool, out: &mut __private::Vec<[usize; 2]>) {
            #bind
            #(#nested)*
            // What processors prepare.
            let on_host = true;
            #short
            #pieces
        }
    }
}

/// What an operation is called, its kind, where its steps stand, and the shapes of what it makes:
/// `fc1 + relu`, `matmul.nt + add + relu`, `12:17 12:25` and `$0 128`, tabs between them. A size
/// is a number, that of the run-time size `$0`, or `?` for others; several shapes have a `;`
/// between them, and `-` stands for none.
fn line(node: &Node, graph: &Graph, sizes: &[String]) -> String {
    let places: Vec<String> = node.places.iter().map(|span| place(*span)).collect();
    let size = |dim: &Dim| match (dim.as_lit(), dim.as_run()) {
        (Some(number), _) => number.to_string(),
        (_, Some(run)) => match sizes.iter().position(|name| name == run) {
            Some(at) => format!("${at}"),
            None => "?".to_owned(),
        },
        _ => "?".to_owned(),
    };
    let shape = |value: &ValueId| -> String {
        graph.ty(*value).dims().iter().map(size).collect::<Vec<_>>().join(" ")
    };
    // What is no number, and another form of a value that is there already, is nothing to look at.
    let is_seen =
        |value: &&ValueId| graph.ty(**value).kind != Kind::Saved && !node.op.is_conversion();
    let shapes: Vec<String> = match node.outputs.iter().filter(is_seen).map(shape).collect() {
        none if Vec::is_empty(&none) => vec!["-".to_owned()],
        shapes => shapes,
    };
    let (name, kind) = (name(&node.label), node.op.kind());
    format!("{name}\t{kind}\t{}\t{}\n", places.join(" "), shapes.join(";"))
}

/// The line and the column, both counted from 1, as rustc prints them.
fn place(span: Span) -> String {
    let start = span.start();
    format!("{}:{}", start.line, start.column + 1)
}
