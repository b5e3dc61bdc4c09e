//! Which parameters and arguments a gradient reaches. Operations with steps, such as `argmax` and
//! `gt`, let none through; what a model that is called lets through, rustc knows.

use proc_macro2::{Ident, TokenStream};

use crate::graph::{Dest, Graph, Kind, Source, ValueId};
use crate::hygiene::{quote, variable};

/// Whether a gradient gets to a value.
#[derive(Clone, Debug)]
pub enum Flow {
    No,
    Yes,
    /// Where this variable is true.
    If(Ident),
}

/// What gets where from some results of a function.
#[derive(Clone, Debug)]
pub struct Flows {
    /// For each value.
    pub of: Vec<Flow>,
    /// Whether the results depend on a value at all.
    pub reads: Vec<bool>,
    /// The labels of nodes that let nothing through to one of their inputs.
    pub flat: Vec<String>,
    /// Whether something on the way is detached.
    pub detached: bool,
    /// Binds the variables, in the order of the walk.
    lets: Vec<TokenStream>,
}

impl Flows {
    /// From the results of these numbers.
    pub fn new(graph: &Graph, from: impl Fn(usize) -> bool) -> Self {
        let count = graph.values.len();
        let (of, reads) = (vec![Flow::No; count], vec![false; count]);
        let mut flows = Self { of, reads, flat: Vec::new(), detached: false, lets: Vec::new() };
        for (dest, value) in &graph.outputs {
            if let Dest::Result(r) = dest
                && from(*r)
            {
                flows.reads[*value] = true;
                flows.of[*value] = Flow::Yes;
            }
        }
        for node in graph.nodes.iter().rev() {
            if !node.outputs.iter().any(|output| flows.reads[*output]) {
                continue;
            }
            let all = node.outputs.iter().map(|output| flows.of[*output].clone());
            let all = all.collect::<Vec<_>>();
            let out = all.into_iter().fold(Flow::No, |sum, flow| flows.either(sum, flow));
            for (at, input) in node.inputs.iter().enumerate() {
                flows.reads[*input] = true;
                if graph.ty(*input).kind != Kind::Float {
                    continue;
                }
                if node.op.is_flat(at) {
                    match node.op.is_detached() {
                        true => flows.detached = true,
                        false => flows.flat.push(node.label.clone()),
                    }
                    continue;
                }
                let part = match node.op.callee().and_then(|callee| callee.flow(at)) {
                    Some(through) => flows.through(&out, &through),
                    None => out.clone(),
                };
                let known = flows.of[*input].clone();
                flows.of[*input] = flows.either(known, part);
            }
        }
        flows.flat.reverse();
        flows.flat.dedup();
        flows
    }

    fn bind(&mut self, value: &TokenStream) -> Flow {
        let name = variable!("flow_{}", self.lets.len());
        self.lets.push(quote!(let #name = #value;));
        Flow::If(name)
    }

    fn either(&mut self, a: Flow, b: Flow) -> Flow {
        match (a, b) {
            (Flow::Yes, _) | (_, Flow::Yes) => Flow::Yes,
            (Flow::No, other) | (other, Flow::No) => other,
            (Flow::If(a), Flow::If(b)) => self.bind(&quote!(#a | #b)),
        }
    }

    fn through(&mut self, out: &Flow, callee: &TokenStream) -> Flow {
        match out {
            Flow::No => Flow::No,
            Flow::Yes => self.bind(callee),
            Flow::If(out) => self.bind(&quote!(#out & #callee)),
        }
    }

    /// The value of a constant that depends on variables.
    pub fn bound(&self, value: &TokenStream) -> TokenStream {
        let lets = &self.lets;
        quote!({ #(#lets)* #value })
    }

    /// The parameters that the results depend on, by their index, but for those that are held fixed.
    pub fn params<'a>(&'a self, graph: &'a Graph) -> impl Iterator<Item = (usize, &'a Flow)> {
        let read = graph.values.iter().enumerate().filter(|(v, _)| self.reads[*v]);
        read.filter_map(|(v, value)| match value.source {
            Source::Param(p) if !graph.frozen.contains(&p) => Some((p, &self.of[v])),
            _ => None,
        })
    }

    /// What models around this one ask, a `Flows` of the runtime; `field` names the field of a
    /// parameter.
    pub fn item(&self, graph: &Graph, field: impl Fn(usize) -> String) -> TokenStream {
        let dead = self.params(graph).filter_map(|(p, flow)| {
            let name = field(p);
            match flow {
                Flow::Yes => None,
                Flow::No => Some(quote!(if true { ::core::option::Option::Some(#name) } else)),
                Flow::If(flow) => {
                    Some(quote!(if !#flow { ::core::option::Option::Some(#name) } else))
                }
            }
        });
        let args = graph.args.iter().map(|arg: &ValueId| self.of[*arg].tokens());
        self.bound(&quote! {
            __private::check::Flows {
                dead: #(#dead)* { ::core::option::Option::None },
                args: [#(#args),*],
            }
        })
    }
}

impl Flow {
    pub fn tokens(&self) -> TokenStream {
        match self {
            Self::No => quote!(false),
            Self::Yes => quote!(true),
            Self::If(flow) => quote!(#flow),
        }
    }
}
