//! The passes of a function: one runtime call for each operation.

use proc_macro2::TokenStream;
use quote::format_ident;

use super::chains::Chains;
use super::prepared::Values;
use super::writer::Writer;
use super::{Function, Model, profile};
use crate::graph::Phase;
use crate::hygiene::quote;
use crate::passes::Form;

/// What an emitted function runs: a form, and of training its forward or its backward phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Half(pub Form, pub Phase);

impl Half {
    pub const INFER: Self = Self(Form::Infer, Phase::Forward);
    pub const STEP: Self = Self(Form::Step, Phase::Forward);
    pub const TRAIN: Self = Self(Form::Train, Phase::Forward);
    pub const BACK: Self = Self(Form::Train, Phase::Backward);

    fn name(self) -> &'static str {
        match self {
            Self::INFER | Self::STEP => "infer",
            Self::BACK => "back",
            _ => "train",
        }
    }

    /// What it is given, a type of the runtime, and the names of that.
    fn given(self) -> (TokenStream, TokenStream) {
        match self {
            Self::INFER | Self::STEP => (
                quote!(Infer),
                quote! {
                    n, offsets, params, state, args, classes, results, cache, prepared, scratch
                },
            ),
            Self::BACK => (
                quote!(Backward),
                quote! {
                    n, offsets, want, params, state, args, classes, results, saved, d_results,
                    d_params, d_args, scratch
                },
            ),
            _ => (
                quote!(Forward),
                quote! {
                    n, offsets, want, params, state, args, classes, results, saved, new_state,
                    scratch
                },
            ),
        }
    }
}

/// A pass as callers see it, and its body: one call of the runtime for each operation. Generic
/// parameters are in camel case: the user's are constants.
pub fn pass(
    model: &Model,
    function: &Function,
    chains: &Chains,
    prepared: &Values,
    half: Half,
) -> TokenStream {
    let Half(form, phase) = half;
    let Some((graph, plan)) = function.planned(form) else { return TokenStream::new() };
    let writer = Writer { model, function, chains, prepared, graph, plan, form, phase };
    let is_backward = phase == Phase::Backward;
    let nodes: Vec<usize> = (0..graph.nodes.len())
        .filter(|n| match graph.nodes[*n].phase {
            Phase::Prepare => false,
            Phase::Forward => !is_backward,
            Phase::Backward | Phase::BackwardInputs => is_backward,
        })
        .filter(|n| !graph.nodes[*n].op.is_view())
        .collect();
    let pieces = writer.pieces(&nodes);
    let (nested, unreached) = (writer.nested_offsets(), writer.unreached());
    let bind = match form {
        Form::Step => {
            let bind = model.bind_step_sizes();
            quote!(#bind let cache_at = Self.cache_at(n);)
        }
        _ => model.bind_sizes(),
    };
    let name = format_ident!("{}", half.name());
    let [body, costs] = ["body", "costs"].map(|suffix| format_ident!("{name}_{suffix}"));
    let ops = format_ident!("{}_OPS", half.name().to_uppercase());
    let phase = if is_backward { "Backward" } else { "Forward" };
    let ran = nodes.iter().map(|n| (&graph.nodes[*n], graph, plan));
    let sizes = if form == Form::Step { model.bind_step_sizes() } else { model.bind_sizes() };
    let names = model.sizes();
    let profile = profile::items((&sizes, &names), [&ops, &costs], phase, &ran.collect::<Vec<_>>());
    let (given, names) = half.given();
    let (want, saved) = match form {
        Form::Train => (quote!(want), quote!(saved)),
        _ => (quote!(__private::Want::PARAMS), quote!(scratch)),
    };
    let generics = quote! {
        <Kernels__: __private::Kernels, const FLOATS__: usize, const CLASSES__: usize,
            const RESULTS__: usize>
    };
    let given = quote!(__private::#given);
    quote! {
        #[inline(always)]
        pub fn #name #generics(
            self, k: &mut Kernels__, given: #given<FLOATS__, CLASSES__, RESULTS__>,
        ) {
            // Called by its name: behind a function's trait nothing is inlined that needs the
            // instructions of its caller.
            if Kernels__::INLINE {
                Self::#body(k, given)
            } else {
                __private::apart(k, given, Self::#body)
            }
        }
        #[inline(always)]
        fn #body #generics(k: &mut Kernels__, given: #given<FLOATS__, CLASSES__, RESULTS__>) {
            let #given { #names } = given;
            #bind
            let m = __private::Memory::new::<Kernels__>(offsets, #want, #saved, scratch);
            let (target, on_host) = (m.target, Kernels__::ON_HOST);
            #nested
            k.enter(Self::#ops, n);
            #unreached
            #pieces
            k.leave();
        }
        #profile
    }
}

/// The operations of a piece of a pass.
pub const PIECE: usize = 40;

/// Code that is one function, or a function for each piece where there are several: what is not
/// optimised keeps each range and each argument on the stack until a function ends.
pub fn closures(pieces: &[TokenStream]) -> TokenStream {
    match pieces {
        [one] => one.clone(),
        _ => quote!(#((|k: &mut Kernels__| { #pieces })(k);)*),
    }
}

/// The call that prepares the outputs of node `n` of a function, the operation `number` of the
/// preparation.
pub fn preparation(
    model: &Model,
    (function, form): (&Function, Form),
    chains: &Chains,
    prepared: &Values,
    (number, n): (usize, usize),
) -> TokenStream {
    let (graph, plan) = function.planned(form).expect("the form of one of its nodes");
    let phase = Phase::Prepare;
    let writer = Writer { model, function, chains, prepared, graph, plan, form, phase };
    let (bindings, line) = (writer.bindings(&[n]), writer.line(number, n));
    quote!({ #bindings #line })
}
