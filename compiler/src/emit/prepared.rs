//! What a model prepares for inference: the values of all its functions, equal ones once.

use std::collections::HashMap;

use proc_macro2::TokenStream;
use quote::format_ident;
use syn::Index;

use super::calls::{PIECE, closures, preparation};
use super::chains::Chains;
use super::{Function, Model, profile};
use crate::dim::Dim;
use crate::graph::{Graph, Node, Phase, Source, ValueId};
use crate::hygiene::quote;
use crate::passes::Form;

/// The prepared values, in the order in which they are made and lie in memory.
#[derive(Debug, Default)]
pub struct Values<'a> {
    /// The nodes that make them: a function, and the place in its graph.
    nodes: Vec<(&'a Function, Form, usize)>,
    /// Their sizes, and whether they are for processors alone.
    sizes: Vec<(Dim, bool)>,
    /// By function and value.
    places: HashMap<(String, Form, ValueId), usize>,
}

impl<'a> Values<'a> {
    pub fn new(model: &'a Model) -> Self {
        let mut values = Self::default();
        let mut known: HashMap<String, usize> = HashMap::new();
        for function in model.functions.iter().flatten() {
            for form in [Form::Infer, Form::Step] {
                let Some((graph, _)) = function.planned(form) else { continue };
                let nodes = graph.nodes.iter().enumerate();
                let prepares = |node: &Node| node.phase == Phase::Prepare && !node.op.is_view();
                for (n, node) in nodes.filter(|(_, node)| prepares(node)) {
                    let first = values.sizes.len();
                    let start = *known.entry(formula(graph, node.outputs[0])).or_insert(first);
                    if start == first {
                        values.nodes.push((function, form, n));
                        let cpu_only = node.op.serves_cpu_only();
                        let sizes = node.outputs.iter().map(|v| graph.ty(*v).shape.len());
                        values.sizes.extend(sizes.map(|size| (size, cpu_only)));
                    }
                    for (k, output) in node.outputs.iter().enumerate() {
                        let key = (function.name.to_string(), form, *output);
                        values.places.insert(key, start + k);
                    }
                }
            }
        }
        values
    }

    /// The number of a value among all.
    pub fn place(&self, function: &Function, form: Form, value: ValueId) -> usize {
        self.places[&(function.name.to_string(), form, value)]
    }
}

/// How a value follows from parameters and state: equal text, equal value.
fn formula(graph: &Graph, value: ValueId) -> String {
    let Source::Node(n, k) = graph.values[value].source else {
        return format!("{:?}", graph.values[value].source);
    };
    let node = &graph.nodes[n];
    let inputs: Vec<_> = node.inputs.iter().map(|input| formula(graph, *input)).collect();
    let outputs: Vec<_> = node.outputs.iter().map(|v| graph.ty(*v).to_string()).collect();
    format!("{}({}): {outputs:?} {k}", node.op.name(), inputs.join(", "))
}

/// The places of the values, and the pass that makes them.
pub fn items(model: &Model, values: &Values, chains: &Chains) -> TokenStream {
    let lens = values.sizes.iter().map(|(size, cpu_only)| {
        let size = size.tokens();
        if *cpu_only { quote!(if on_host { #size } else { 0 }) } else { size }
    });
    let (count, lens) = (Index::from(values.sizes.len()), lens.collect::<Vec<_>>());
    let calls = values.nodes.iter().enumerate().map(|(number, (function, form, n))| {
        preparation(model, (function, *form), chains, values, (number, *n))
    });
    let calls: Vec<TokenStream> = calls.collect();
    let pieces: Vec<_> = calls.chunks(PIECE).map(|calls| quote!(#(#calls)*)).collect();
    let pieces = closures(&pieces);
    let ran = values.nodes.iter().map(|(function, form, n)| {
        let (graph, plan) = function.planned(*form).expect("the form of one of its nodes");
        (&graph.nodes[*n], graph, plan)
    });
    let [ops, costs] = ["__PREPARE_OPS", "__prepare_costs"].map(|item| format_ident!("{item}"));
    let profile =
        profile::items((&quote!(), &[]), [&ops, &costs], "Prepare", &ran.collect::<Vec<_>>());
    let (declared, path) = (model.generic_lists().0, model.generics().1);
    let [buf, per_side] = [quote!(__private::Buf), quote!(__private::PerSide)];
    quote! {
        impl #declared #path {
            /// Where they lie, for the kernels of the host and for those of other devices.
            #[doc(hidden)]
            pub const __PREPARED: &'static #per_side<__private::PreparedAt<#count>> = &#per_side {
                host: Self::__prepared(true),
                device: Self::__prepared(false),
            };
            const fn __prepared(on_host: bool) -> __private::PreparedAt<#count> {
                __private::PreparedAt::new([#(#lens),*])
            }
            #[doc(hidden)]
            pub fn __prepare<Kernels__: __private::Kernels>(
                k: &mut Kernels__, [params, state]: [#buf; 2], prepared: #buf,
            ) {
                let on_host = Kernels__::ON_HOST;
                k.enter(Self::#ops, [1; 4]);
                #pieces
                k.leave();
            }
            #profile
        }
    }
}
