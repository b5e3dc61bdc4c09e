//! What a profile knows of a pass: names and costs of its operations.

use proc_macro2::{Ident, TokenStream};
use quote::format_ident;

use super::calls::PIECE;
use crate::dim::Dim;
use crate::graph::{Graph, Node, Phase, Ty, ValueId};
use crate::hygiene::quote;
use crate::names::plain;
use crate::passes::plan::{Home, Plan};

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
            quote!(#((|out: &mut Vec<[usize; 2]>| { #pieces })(out);)*)
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
        fn #costs(n: __private::Sizes, want_inputs: bool, out: &mut Vec<[usize; 2]>) {
            #bind
            #(#nested)*
            // What processors prepare.
            let on_host = true;
            #short
            #pieces
        }
    }
}

/// `fc1 + add + relu` for the steps `fc1 → + → relu`.
pub fn name(label: &str) -> String {
    let steps = label.split(" → ").map(|step| match step {
        "+" => "add",
        "-" => "sub",
        "*" => "mul",
        "/" => "div",
        name => plain(name),
    });
    steps.collect::<Vec<_>>().join(" + ")
}

/// The floating-point operations of a node.
pub fn flops(graph: &Graph, node: &Node) -> Dim {
    let types = |values: &[ValueId]| -> Vec<Ty> {
        values.iter().map(|value| graph.ty(*value).clone()).collect()
    };
    node.op.flops(&types(&node.inputs), &types(&node.outputs))
}

/// What a node reads and writes, everything once; nothing for a call, whose operations count.
fn bytes(graph: &Graph, plan: &Plan, node: &Node) -> Dim {
    if node.op.callee().is_some() || !node.op.moves() {
        return Dim::lit(0);
    }
    let mut seen = Vec::new();
    let mut floats = Dim::lit(0);
    for value in node.inputs.iter().chain(&node.outputs) {
        if plan.homes[*value] != Home::Nowhere && !seen.contains(value) {
            seen.push(*value);
            floats = floats.plus(&graph.ty(*value).shape.len());
        }
    }
    floats.times(&Dim::lit(4))
}
