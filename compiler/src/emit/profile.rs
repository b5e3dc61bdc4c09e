//! What a profile knows of a pass: names and costs of its operations.

use proc_macro2::{Ident, TokenStream};
use quote::format_ident;

use super::calls::PIECE;
use crate::dim::Dim;
use crate::graph::{Graph, Node, Phase};
use crate::hygiene::quote;
use crate::outline::{bytes, flops, name};
use crate::passes::plan::Plan;

/// The items `ops` and `costs` of a pass that runs `nodes`, each of a graph and its plan; `bind`
/// binds the run-time sizes.
pub fn items(
    bind: &TokenStream,
    [ops, costs]: [&Ident; 2],
    phase: &str,
    nodes: &[(&Node, &Graph, &Plan)],
) -> TokenStream {
    let phase = format_ident!("{phase}");
    let lines =
        nodes.iter().map(|(node, ..)| format!("{}\t{}\n", name(&node.label), node.op.kind()));
    let text: String = lines.collect();
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
