//! What only rustc can decide, as constants that fail to evaluate at the user's token.

use proc_macro2::TokenStream;
use quote::quote_spanned;

use super::{Model, hidden};
use crate::declared::Trained;
use crate::dim::Dim;
use crate::graph::Statement;
use crate::graph::{Kind, Phase, Ty};
use crate::hygiene::quote;
use crate::names::plain;
use crate::ops::variant;
use crate::text::mentions;

/// The checks of the model, and the signatures that models around it check against.
pub fn checks(model: &Model) -> TokenStream {
    let generics = model.generic_names();
    let (impl_generics, ty) = model.generics();
    let (mut inside, mut free) = (TokenStream::new(), TokenStream::new());
    let mut add = |check: TokenStream| {
        if mentions(&check, &generics) {
            inside.extend(quote!(let () = #check;));
        } else {
            free.extend(quote!(#[allow(unused_parens, clippy::all)] const _: () = #check;));
        }
    };
    for deferred in &model.deferred {
        let (message, span) = (&deferred.message, deferred.span);
        let texts = |left: &Dim, right: &Dim| (left.to_string(), right.to_string());
        add(match &deferred.what {
            Statement::Equal(left, right) => {
                let (l, r) = texts(left, right);
                let (left, right) = (left.exact(), right.exact());
                quote_spanned!(span=> ::gradiron::__rt::check::equal(#left, #right, #l, #r, #message))
            }
            Statement::AtLeast(size, least) => {
                let (s, l) = texts(size, least);
                let (size, least) = (size.exact(), least.exact());
                quote_spanned!(span=> ::gradiron::__rt::check::at_least(#size, #least, #s, #l, #message))
            }
            Statement::Fits(sizes) => {
                let sizes = sizes.iter().map(|size| {
                    let (text, size) = (size.to_string(), size.exact());
                    quote!((#size, #text))
                });
                quote_spanned!(span=> ::gradiron::__rt::check::memory(&[#(#sizes),*], #message))
            }
            Statement::Within(text, number, range) => {
                let range = variant(range);
                quote_spanned!(span=> ::gradiron::__rt::check::within(
                    #number, ::gradiron::__rt::check::Range::#range, #text, #message
                ))
            }
        });
    }
    for function in model.functions.iter().flatten() {
        for node in &function.infer.0.nodes {
            let Some(callee) = node.op.callee() else { continue };
            debug_assert_eq!(node.phase, Phase::Forward);
            let args = callee.args.iter().map(type_sig);
            let results = callee.results.iter().map(type_sig);
            let (signature, model) = (callee.item("SIGNATURE"), &callee.model);
            let (step, span) = (&node.label, callee.function.span());
            let form = match (callee.scans, callee.count.is_some()) {
                (true, _) => quote!(Scan(<#model as ::gradiron::Module>::STATE)),
                (_, true) => quote!(Row),
                _ => quote!(Once),
            };
            let form = quote!(::gradiron::__rt::check::Calls::#form);
            add(quote_spanned!(span=> {
                let () = <#model>::__CHECK;
                ::gradiron::__rt::check::call(&#signature, #step, #form, &[#(#args),*], &[#(#results),*])
            }));
        }
    }
    for function in model.functions.iter().flatten() {
        let Some(form) = &function.step else { continue };
        let length = form.length.tokens();
        for node in &form.graph.nodes {
            let Some(callee) = node.op.callee().filter(|callee| callee.is_step) else { continue };
            let (item, step, span) = (callee.item("LENGTH"), &node.label, callee.function.span());
            let called = format!("{}::{}", callee.text, callee.function);
            let (theirs, new) = (callee.item("AXES"), crate::graph::step::new());
            let ours = callee.args.iter().chain(&callee.results).map(|ty| {
                super::stepwise::axis_number(ty.dims().iter().position(|dim| *dim == new))
            });
            let axes = quote!([#theirs, &[#(#ours),*]]);
            add(quote_spanned!(span=>
                ::gradiron::__rt::check::steps(#item, #length, #axes, #step, #called)
            ));
        }
    }
    for Trained { field, is_reached, losses } in &model.trained {
        let (name, span) = (&model.fields[*field].name, model.fields[*field].name.span());
        let name = name.to_string();
        add(quote_spanned!(span=> ::gradiron::__rt::check::trained(#is_reached, #name, #losses)));
    }
    let signatures = model.interfaces.iter().enumerate().map(|(f, function)| {
        let name = hidden(&function.name, "SIGNATURE");
        let args = function.args.iter().map(|arg| {
            let (name, ty) = (arg.name.to_string(), type_sig(&arg.ty));
            let name = plain(&name);
            quote!((#name, #ty))
        });
        let results = function.results.iter().map(type_sig);
        let (flows, count) = (hidden(&function.name, "FLOWS"), function.args.len());
        // Of a function with mistakes nothing is said.
        let of = match &model.functions {
            Some(functions) => functions[f].flows.clone(),
            None => quote!(::gradiron::__rt::check::Flows { dead: ::core::option::Option::None, args: [true; #count] }),
        };
        quote! {
            #[doc(hidden)]
            pub const #flows: ::gradiron::__rt::check::Flows<#count> = #of;
            #[doc(hidden)]
            pub const #name: ::gradiron::__rt::check::Signature = ::gradiron::__rt::check::Signature {
                args: &[#(#args),*],
                results: &[#(#results),*],
            };
        }
    });
    // A generic model is checked here for its defaults, and for any other sizes where it is used.
    let name = model.name();
    let defaults = model.header.is_some_and(|header| {
        let mut params = header.generics.const_params();
        !header.generics.params.is_empty() && params.all(|param| param.default.is_some())
    });
    let instance = defaults
        .then(|| quote_spanned!(name.span()=> const _: () = { let () = <#name>::__CHECK; };));
    quote! {
        #free
        #[allow(non_upper_case_globals, clippy::all)]
        #[automatically_derived]
        impl #impl_generics #ty {
            #[doc(hidden)]
            pub const __CHECK: () = { #inside };
            #(#signatures)*
        }
        #instance
    }
}

fn type_sig(ty: &Ty) -> TokenStream {
    let classes = ty.kind == Kind::Classes;
    if ty.kind == Kind::Unknown {
        return quote!(::gradiron::__rt::check::TypeSig {
            classes: #classes, dims: &[::gradiron::__rt::check::Size::Unknown]
        });
    }
    let dims = ty.dims().iter().map(size);
    quote!(::gradiron::__rt::check::TypeSig { classes: #classes, dims: &[#(#dims),*] })
}

fn size(dim: &Dim) -> TokenStream {
    if dim.is_run_time() {
        let text = dim.to_string();
        quote!(::gradiron::__rt::check::Size::Run(#text))
    } else {
        let dim = dim.tokens();
        quote!(::gradiron::__rt::check::Size::Fixed(#dim))
    }
}
