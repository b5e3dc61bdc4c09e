//! The passes of a function: one runtime call for each operation.

use proc_macro2::{Ident, TokenStream};

use super::chains::Chains;
use super::prepared::Values;
use super::writer::Writer;
use super::{Function, Model, hidden, profile};
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
            Self::INFER => "infer",
            Self::STEP => "step",
            Self::BACK => "back",
            _ => "train",
        }
    }
}

/// The generic parameters, the parameters and the arguments of a pass. Generic parameters are in
/// camel case: the user's are constants. The numbers of arguments are generic: where a caller has
/// another one in mind, the check of the call says so, not rustc's types.
fn signature(half: Half) -> [TokenStream; 3] {
    let buf = quote!(::gradiron::__rt::device::Buf);
    let common = quote! {
        args: [#buf; FLOATS__], classes: [::gradiron::__rt::device::Indices; CLASSES__],
        results: [#buf; RESULTS__]
    };
    let (want, extra) = match half {
        Half::INFER => (quote!(), quote!(prepared: #buf, scratch: #buf)),
        Half::STEP => (quote!(), quote!(cache: #buf, prepared: #buf, scratch: #buf)),
        Half::BACK => (
            quote!(want_inputs: bool,),
            quote! {
                saved: #buf, d_results: [#buf; RESULTS__], d_params: #buf,
                d_args: [#buf; FLOATS__], scratch: #buf
            },
        ),
        _ => (quote!(), quote!(saved: #buf, new_state: #buf, scratch: #buf)),
    };
    let state = if half == Half::BACK { quote!() } else { quote!(state: #buf,) };
    let generics = quote! {
        <
            Kernels__: ::gradiron::__rt::device::Kernels,
            const FLOATS__: usize,
            const CLASSES__: usize,
            const RESULTS__: usize,
        >
    };
    let parameters = quote! {
        k: &mut Kernels__, n: ::gradiron::__rt::arena::Sizes, offsets: &[usize], #want params: #buf,
        #state #common, #extra
    };
    let arguments = match half {
        Half::INFER => {
            quote!(k, n, offsets, params, state, args, classes, results, prepared, scratch)
        }
        Half::STEP => quote! {
            k, n, offsets, params, state, args, classes, results, cache, prepared, scratch
        },
        Half::BACK => quote! {
            k, n, offsets, want_inputs, params, args, classes, results, saved, d_results, d_params,
            d_args, scratch
        },
        _ => quote! {
            k, n, offsets, params, state, args, classes, results, saved, new_state, scratch
        },
    };
    [generics, parameters, arguments]
}

/// A pass of a model with mistakes.
pub fn empty_pass(function: &Ident, half: Half) -> TokenStream {
    let name = hidden(function, half.name());
    let [generics, parameters, _] = signature(half);
    quote! {
        #[doc(hidden)]
        pub fn #name #generics (#parameters) {}
    }
}

/// A pass as callers see it. It becomes part of the caller where the kernels are inlined, else it
/// is one function however often it is called.
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
    let target = writer.target();
    let pieces = writer.pieces(&nodes);
    let offsets = writer.nested_offsets();
    let unreached = writer.unreached();
    let bind = match form {
        Form::Step => {
            let (bind, at) = (model.bind_step_sizes(), hidden(&function.name, "cache_at"));
            quote!(#bind let cache_at = Self::#at(n);)
        }
        _ => model.bind_sizes(),
    };
    let name = hidden(&function.name, half.name());
    let [shared, body, ops, costs] = ["shared", "body", "ops", "costs"]
        .map(|suffix| hidden(&function.name, &format!("{}_{suffix}", half.name())));
    let phase = if is_backward { "Backward" } else { "Forward" };
    let ran = nodes.iter().map(|n| (&graph.nodes[*n], graph, plan));
    let sizes = if form == Form::Step { model.bind_step_sizes() } else { model.bind_sizes() };
    let profile = profile::items(&sizes, [&ops, &costs], phase, &ran.collect::<Vec<_>>());
    let [generics, parameters, arguments] = signature(half);
    quote! {
        #[doc(hidden)]
        #[inline(always)]
        pub fn #name #generics (#parameters) {
            if Kernels__::INLINE { Self::#body(#arguments) } else { Self::#shared(#arguments) }
        }
        #[inline(never)]
        fn #shared #generics (#parameters) {
            Self::#body(#arguments)
        }
        #[inline(always)]
        fn #body #generics (#parameters) {
            #bind
            #target
            #offsets
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
