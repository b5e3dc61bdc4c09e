//! What only rustc can decide, as constants that fail to evaluate at the user's token.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::{GenericParam, Index};

use super::{Function, Model};
use crate::declared::{Interface, Trained};
use crate::dim::{Atom, Dim};
use crate::graph::Statement;
use crate::graph::callee::function_value;
use crate::graph::{Kind, Phase, Source, Ty};
use crate::hygiene::quote;
use crate::names::plain;
use crate::ops::variant;
use crate::text::mentions;

/// The checks of the model, of which `__CHECK` is asked for by models around it.
pub fn checks(model: &Model) -> TokenStream {
    let generics = model.generic_names();
    let own = HashSet::from(["Self".to_string()]);
    let (impl_generics, ty) = model.generics();
    let (mut inside, mut free) = (TokenStream::new(), TokenStream::new());
    let mut named = TokenStream::new();
    let absent = super::absent::functions(model);
    let mut add = |check: TokenStream| {
        if mentions(&check, &generics) || mentions(&check, &own) {
            inside.extend(quote!(let () = #check;));
        } else {
            free.extend(
                quote!(#[allow(unused, non_upper_case_globals, clippy::all)] const _: () = #check;),
            );
        }
    };
    for deferred in &model.deferred {
        let (message, span) = (&deferred.message, deferred.span);
        let texts = |left: &Dim, right: &Dim| (left.to_string(), right.to_string());
        add(match &deferred.what {
            Statement::Equal(left, right) => {
                let (l, r) = texts(left, right);
                let (left, right) = (left.exact(), right.exact());
                quote_spanned!(span=> __private::check::equal(#left, #right, #l, #r, #message))
            }
            Statement::AtLeast(size, least) => {
                let (s, l) = texts(size, least);
                let (size, least) = (size.exact(), least.exact());
                quote_spanned!(span=> __private::check::at_least(#size, #least, #s, #l, #message))
            }
            Statement::Fits(sizes) => {
                let sizes = sizes.iter().map(|size| {
                    let (text, size) = (size.to_string(), size.exact());
                    quote!((#size, #text))
                });
                quote_spanned!(span=> __private::check::memory(&[#(#sizes),*], #message))
            }
            Statement::Number(path) => {
                quote_spanned!(span=> __private::check::number(&#path))
            }
            Statement::Within(text, number, range) => {
                let range = variant(range);
                quote_spanned!(span=> __private::check::within(
                    #number, __private::check::Range::#range, #text, #message
                ))
            }
        });
    }
    let model_of_field = model.derived;
    for fixed in model.constants.iter().filter(|fixed| fixed.is_stated) {
        let (path, text, sizes) =
            (&fixed.path, &fixed.text, fixed.ty.dims().iter().map(Dim::tokens));
        add(quote_spanned!(span_of(path)=> __private::check::constant(
            &__private::constant::Axes::of(&#path), &[#(#sizes),*], #text
        )));
    }
    for function in model.functions.iter().flatten() {
        for check in class_checks(model, function) {
            add(check);
        }
    }
    for function in model.functions.iter().flatten() {
        for node in &function.infer.0.nodes {
            let Some(callee) = node.op.callee() else { continue };
            debug_assert_eq!(node.phase, Phase::Forward);
            // What a run decides of models that are known, the macro has compared.
            let type_sig = |ty: &Ty| type_sig_of(ty, callee.is_known);
            let args = callee.args.iter().map(type_sig);
            // Sizes in one form fit where equal ones meet; those that are written, to what comes
            // back.
            let written = function.calls.iter().find(|call| call.id == callee.id);
            let written = written.unwrap_or(callee);
            let results = written.results.iter().map(type_sig);
            let as_written = (written.args != callee.args).then(|| {
                let args = written.args.iter().map(type_sig);
                quote!(.given(&[#(#args),*]))
            });
            let (step, span, of) = (&node.label, callee.function.span(), &callee.model);
            let mut value = function_value(&callee.function);
            value.set_span(span);
            // What a model of another `model!` has, only rustc knows.
            let has = (!callee.is_known).then(|| {
                let (text, function) = (&callee.text, callee.function.to_string());
                let function = plain(&function);
                let step = if model.derived { "" } else { step.as_str() };
                quote_spanned!(span=> __private::check::has(
                    <#of as __private::Module>::FUNCTIONS, [#text, #function, #step]
                );)
            });
            // Which functions there are is the same for all sizes.
            if mentions(&has, &generics) && !model.has_types() {
                let names = model.header.into_iter().flat_map(|h| h.generics.const_params());
                let names = names.map(|param| &param.ident);
                named.extend(quote! {
                #[allow(dead_code)] const _: () = { #(const #names: usize = 1;)* #has };});
            }
            let form = match (callee.scans, callee.count.is_some()) {
                (Some(made), _) => {
                    let made = Index::from(made);
                    quote!(Scan { state: <#of as __private::Module>::STATE, made: #made })
                }
                (_, true) => quote!(Row),
                _ if model_of_field => quote!(Field),
                _ => quote!(Once),
            };
            let form = quote!(__private::check::Calls::#form);
            // What only a run knows is 0, and looked at before it.
            let unmet = callee.unmet(|dim| match dim.is_run_time() {
                true => quote!(0),
                false => dim.tokens(),
            });
            add(quote_spanned!(span=> {
                #absent
                #has
                let signature = <#of>::#value.signature();
                __private::check::Call::new(#step, &[#(#args),*]) #as_written
                    .fits(&signature, #form, &[#(#results),*]);
                __private::check::met(#unmet, #step)
            }));
        }
    }
    for function in model.functions.iter().flatten() {
        let Some(form) = &function.step else { continue };
        let length = form.length.tokens();
        for node in &form.graph.nodes {
            let Some(callee) = node.op.callee().filter(|callee| callee.is_step) else { continue };
            let (item, step, span) = (callee.item("length"), &node.label, callee.function.span());
            let called = format!("{}::{}", callee.text, callee.function);
            let (theirs, new) = (callee.item("axes"), crate::graph::step::new());
            let ours = callee.args.iter().chain(&callee.results).map(|ty| {
                super::stepwise::axis_number(ty.dims().iter().position(|dim| *dim == new))
            });
            let axes = quote!([#theirs(), &[#(#ours),*]]);
            add(quote_spanned!(span=> {
                #absent
                __private::check::steps(#item(), #length, #axes, #step, #called)
            }));
        }
    }
    for Trained { field, is_reached, losses } in &model.trained {
        let (name, span) = (&model.fields[*field].name, model.fields[*field].name.span());
        let name = name.to_string();
        add(quote_spanned!(span=> {
#absent
__private::check::trained(#is_reached, #name, #losses) }));
    }
    // A generic model is checked here for its defaults, and for any other sizes where it is used.
    let name = model.name();
    let defaults = model.header.is_some_and(|header| {
        let mut params = header.generics.params.iter();
        let has_default = |param: &GenericParam| match param {
            GenericParam::Const(param) => param.default.is_some(),
            GenericParam::Type(param) => param.default.is_some(),
            GenericParam::Lifetime(_) => false,
        };
        !header.generics.params.is_empty() && params.all(has_default)
    });
    let instance = defaults
        .then(|| quote_spanned!(name.span()=> const _: () = { let () = <#name>::__CHECK; };));
    // What rustc says of a constant has its type, and of a size that is a type all binary digits: a
    // model around this one has the check as its own.
    let of_types = model.has_types();
    let body = if of_types { inside.clone() } else { quote!(Self::__CHECK) };
    let called = quote! {
        #[doc(hidden)]
        #[track_caller]
        pub const fn __check() { #body }
    };
    free.extend(named);
    quote! {
        #free
        #[allow(unused, non_upper_case_globals, clippy::all)]
        impl #impl_generics #ty {
            #[doc(hidden)]
            pub const __CHECK: () = { #inside };
            #called
        }
        #instance
    }
}

/// Asks for the check of a model, at its name.
pub fn asked(model: &Model) -> TokenStream {
    quote_spanned!(model.name().span()=> let () = Self::__CHECK;)
}

/// That the class indices of constants are below what each operation allows.
fn class_checks(model: &Model, function: &Function) -> Vec<TokenStream> {
    let graph = &function.infer.0;
    let sizes: HashSet<String> =
        model.sizes().iter().map(|name| crate::dim::run_ident(name).to_string()).collect();
    let mut checks = Vec::new();
    for node in &graph.nodes {
        let types: Vec<Ty> = node.inputs.iter().map(|v| graph.ty(*v).clone()).collect();
        for (at, v) in node.inputs.iter().enumerate() {
            let Source::Constant(c) = graph.values[graph.view_root(*v)].source else { continue };
            if graph.ty(*v).kind != Kind::Classes {
                continue;
            }
            let Some(below) = node.op.classes(&types, at) else { continue };
            let (fixed, item, path) =
                (&model.constants[c], super::constants::item(c), model.path());
            // Of a size that only a run knows, the least.
            let bind = mentions(&below, &sizes).then(|| {
                let bind = model.bind_sizes();
                quote!(let n: __private::Sizes = [1; 4]; #bind)
            });
            let text = &fixed.text;
            checks.push(quote_spanned!(span_of(&fixed.path)=> {
                #bind
                __private::check::constant_classes(#path::#item, #below, #text)
            }));
        }
    }
    checks
}

/// Where the first token stands.
fn span_of(tokens: &TokenStream) -> Span {
    syn::spanned::Spanned::span(tokens)
}

/// What models around a function check their calls against.
pub fn interface(model: &Model, at: usize) -> TokenStream {
    let (function, count) = (&model.interfaces[at], Index::from(model.interfaces[at].args.len()));
    let signature = signature(function);
    let functions = model.functions.as_ref().expect("a function without mistakes");
    let flows = &functions[at].flows;
    // Its gradient is not one of a function that calls it.
    let refuses = functions[at].only.as_ref().map(|_| {
        let name = model.called(&function.name);
        quote!(__private::check::trains_alone(#name);)
    });
    let owner = model.generics().1;
    quote! {
        const SIGNATURE: __private::check::Signature = #signature;
        #[track_caller]
        pub const fn signature(self) -> __private::check::Signature {
            <#owner>::__check();
            #refuses
            Self::SIGNATURE
        }
        pub const fn flows(self) -> __private::check::Flows<#count> {
            #flows
        }
    }
}

/// The shapes of a function.
pub fn signature(function: &Interface) -> TokenStream {
    let args = function.args.iter().map(|arg| {
        let (name, ty) = (arg.name.to_string(), type_sig(&arg.ty));
        let name = plain(&name);
        quote!((#name, #ty))
    });
    let results = function.results.iter().map(|ty| match function.is_wrong {
        true => type_sig(&Ty { kind: Kind::Unknown, ..ty.clone() }),
        false => type_sig(ty),
    });
    quote! {
        __private::check::Signature { args: &[#(#args),*], results: &[#(#results),*] }
    }
}

fn type_sig(ty: &Ty) -> TokenStream {
    type_sig_of(ty, false)
}

/// The same, where `is_known` without what a run decides.
fn type_sig_of(ty: &Ty, is_known: bool) -> TokenStream {
    let of = if ty.kind == Kind::Classes { quote!(classes) } else { quote!(floats) };
    if ty.kind == Kind::Unknown {
        return quote!(__private::check::#of(&[__private::check::Size::Unknown]));
    }
    let dims = ty.dims().iter().map(|dim| match is_known && dim.is_run_time() {
        true => quote!(__private::check::Size::Unknown),
        false => size(dim),
    });
    quote!(__private::check::#of(&[#(#dims),*]))
}

fn size(dim: &Dim) -> TokenStream {
    if let Some(name) = dim.as_run() {
        return quote!(__private::check::Size::Run(#name));
    }
    if dim.is_run_time() {
        let (text, terms) = (dim.to_string(), terms(dim));
        return quote!(__private::check::Size::Made(#terms, #text));
    }
    let dim = dim.tokens();
    quote!(__private::check::Size::Fixed(#dim))
}

/// A size as the terms that it is made of.
fn terms(dim: &Dim) -> TokenStream {
    let terms = dim.terms().map(|(atoms, factor)| {
        let factor = proc_macro2::Literal::i128_suffixed(factor);
        let parts = atoms.iter().map(|atom| match atom {
            Atom::Run(name) => quote!(__private::check::Part::Run(#name)),
            Atom::Const(_, tokens) => quote!(__private::check::Part::Fixed(#tokens)),
            Atom::Quotient(a, b) => {
                let (a, b) = (self::terms(a), self::terms(b));
                quote!(__private::check::Part::Quotient(#a, #b))
            }
            Atom::Sum(a) => {
                let a = self::terms(a);
                quote!(__private::check::Part::Sum(#a))
            }
        });
        quote!((#factor, &[#(#parts),*]))
    });
    quote!(&[#(#terms),*])
}
