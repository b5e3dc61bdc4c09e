//! The methods that users call.

use proc_macro2::{Ident, TokenStream};
use quote::format_ident;

use super::body::body;
use super::boundary::{arg_ty, at, indices, items_at, trait_ty, ty, view_of};
use super::{Model, memory, step_methods, stub};
use crate::declared::Interface;
use crate::graph::{Kind, Ty, are_losses, is_loss};
use crate::hygiene::{quote, variable};

/// The methods of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    Infer,
    Grad,
    GradInputs,
    /// `Grad`, and the step of an optimizer.
    Train,
}

const METHODS: [Method; 4] = [Method::Infer, Method::Grad, Method::GradInputs, Method::Train];

/// Constructors, costs and the calls of each function.
pub fn methods(model: &Model) -> TokenStream {
    let (impl_generics, self_ty) = model.generics();
    let calls = |receiver: Receiver| {
        let methods = model.interfaces.iter().enumerate().flat_map(|(f, interface)| {
            METHODS.map(|which| method(model, f, interface, which, receiver))
        });
        methods.collect::<TokenStream>()
    };
    let span = model.name().span();
    let workspace = items_at(memory::workspace(model), span);
    if model.header.is_none() {
        let calls = calls(Receiver::Free);
        return quote!(#workspace #calls);
    }
    let costs = items_at(memory::costs(model), span);
    if model.derived && model.functions.is_none() {
        let sequential = stub::sequential(model);
        return quote! {
            #[automatically_derived]
            impl #impl_generics #self_ty { #workspace #costs }
            #sequential
        };
    }
    if model.derived {
        let function = model.interfaces.first();
        let sequential = function.map(|function| {
            let calls = calls(Receiver::Params);
            let generics = model.generic_names();
            let of = |x: &Ty, life: TokenStream| trait_ty(x, &generics, &life);
            let args = function.args.iter().map(|arg| &arg.ty);
            let floats = args.clone().filter(|ty| ty.kind != Kind::Classes);
            let inputs: Vec<_> = args.map(|x| of(x, quote!('i))).collect();
            let gradients: Vec<_> = floats.map(|x| of(x, quote!('w))).collect();
            let y = of(&function.results[0], quote!('w));
            let (x, d_x) = (tuple(&inputs), tuple(&gradients));
            quote! {
                #[allow(unused_variables, unused_parens, clippy::all)]
                #[automatically_derived]
                impl #impl_generics __private::Sequential for #self_ty {
                    type Input<'i> = #x;
                    type Output<'w> = #y where Self: 'w;
                    type InputGrad<'w> = #d_x where Self: 'w;
                    #calls
                }
            }
        });
        return quote! {
            #[allow(clippy::all)]
            #[automatically_derived]
            impl #impl_generics #self_ty { #workspace #costs }
            #sequential
        };
    }
    let calls = calls(Receiver::SelfRef);
    let steps = step_methods::methods(model);
    quote! {
        #[allow(unused_variables, unused_parens, clippy::all)]
        #[automatically_derived]
        impl #impl_generics #self_ty { #workspace #costs #calls #steps }
    }
}

/// Several types as one.
fn tuple(types: &[TokenStream]) -> TokenStream {
    match types {
        [one] => one.clone(),
        _ => quote!((#(#types),*)),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// `&self` owns the parameters.
    SelfRef,
    /// The parameters are an argument: the trait of a derived module.
    Params,
    /// There are none.
    Free,
}

fn method(
    model: &Model,
    f: usize,
    interface: &Interface,
    method: Method,
    receiver: Receiver,
) -> TokenStream {
    let generics = model.generic_names();
    let life = quote!('w);
    let type_of = |t: &Ty| match t.kind {
        Kind::Unknown if receiver != Receiver::Params => quote!(__private::Unknown),
        _ => ty(&t.shape, &view_of(&t.shape, &generics), &life),
    };
    let results: Vec<_> = interface.results.iter().map(type_of).collect();
    // What nobody knows may be a loss.
    let is_unknown = interface.results.iter().any(|ty| ty.kind == Kind::Unknown);
    let is_loss = is_loss(&interface.results) || is_unknown && receiver != Receiver::Params;
    let weighed = are_losses(&interface.results);
    let floats: Vec<_> = interface.args.iter().filter(|a| a.ty.kind != Kind::Classes).collect();
    let trains = method == Method::Train;
    // A step needs a loss, and parameters that it may change.
    if trains && !((is_loss || weighed) && receiver == Receiver::SelfRef) {
        return TokenStream::new();
    }
    // Without parameters, gradients are those of the arguments.
    let method = match (method, receiver) {
        (Method::GradInputs, Receiver::Free) => return TokenStream::new(),
        (Method::Grad, Receiver::Free) => Method::GradInputs,
        (method, _) => method,
    };
    let name = match (method, receiver) {
        (Method::Infer, _) => interface.name.clone(),
        (Method::GradInputs, Receiver::SelfRef | Receiver::Params) => {
            format_ident!("{}_grad_inputs", interface.name)
        }
        (Method::Train, _) => format_ident!("{}_train", interface.name),
        _ => format_ident!("{}_grad", interface.name),
    };
    let args = interface.args.iter().map(|arg| {
        let name = &arg.name;
        match arg.ty.kind {
            _ if receiver == Receiver::Params => trait_ty(&arg.ty, &generics, &quote!('_)),
            Kind::Classes => {
                let index = quote!(impl __private::ClassIndex);
                indices(&arg.ty.shape, &view_of(&arg.ty.shape, &generics), &index)
            }
            Kind::Unknown => quote!(impl ::core::marker::Sized),
            _ => {
                let ty = arg_ty(&arg.ty.shape, &view_of(&arg.ty.shape, &generics), &quote!());
                at(ty, name.span())
            }
        }
    });
    let (types, names) = (args.collect::<Vec<_>>(), interface.args.iter().map(|arg| &arg.name));
    let args = match (receiver, types.len()) {
        // The trait has one input.
        (Receiver::Params, 2..) => quote!((#(#names),*): (#(#types),*),),
        _ => quote!(#(#names: #types,)*),
    };
    let with_seeds = method != Method::Infer && !is_loss;
    let seeds: Vec<Ident> = (0..interface.results.len())
        .map(|r| match interface.results.len() {
            1 => variable!("d_result"),
            _ if weighed => variable!("weight_{r}"),
            _ => variable!("d_result_{r}"),
        })
        .collect();
    let seed_args = seeds.iter().zip(&interface.results).filter(|_| with_seeds).map(|(name, t)| {
        let ty = match receiver {
            Receiver::Params => trait_ty(t, &generics, &quote!('_)),
            _ => arg_ty(&t.shape, &view_of(&t.shape, &generics), &quote!()),
        };
        quote!(#name: #ty)
    });
    let value = tuple(&results);
    let device = model.device();
    let returns = match method {
        Method::GradInputs => {
            let d_args: Vec<_> = floats.iter().map(|arg| type_of(&arg.ty)).collect();
            let d_args = tuple(&d_args);
            quote!((#value, #d_args))
        }
        Method::Train => {
            let loss = quote!(__private::Loss<#device>);
            let all = [loss].into_iter().chain(results.iter().skip(1).cloned());
            tuple(&all.collect::<Vec<_>>())
        }
        _ => value,
    };
    let vis = match (receiver, &interface.vis) {
        (Receiver::Params, _) => quote!(),
        (_, vis) => vis.clone(),
    };
    let (self_arg, ws_model) = match receiver {
        Receiver::SelfRef if trains => (quote!(&mut self,), quote!(Self)),
        Receiver::SelfRef => (quote!(&self,), quote!(Self)),
        Receiver::Params => (quote!(params: &__private::Storage,), quote!(Self)),
        Receiver::Free => {
            let (_, ty) = model.generics();
            (quote!(), ty)
        }
    };
    let optimizer = trains.then(|| quote!(optimizer: &mut impl __private::Optimizer<Self>,));
    let docs = docs(interface, method, receiver, weighed);
    // A loss whose gradient reaches no parameter has none to give.
    let is_flat = model.functions.as_ref().is_some_and(|functions| !functions[f].trains);
    let has_params = !model.params.tensors.is_empty() && receiver == Receiver::SelfRef;
    let bound = (matches!(method, Method::Grad | Method::Train)
        && (is_loss || trains)
        && has_params
        && is_flat)
        .then(|| quote!(where #device: __private::check::ReachesParameters));
    // Types have names where a trait, a bound or the result speaks of them.
    let has_names = receiver == Receiver::Params || trains || bound.is_some();
    let (device_trait, purpose_trait) = (quote!(__private::Device), quote!(__private::Purpose));
    let purpose = model.purpose();
    let (types, of_types) = match (method, has_names) {
        (Method::Infer, true) => {
            (quote!(, #device: #device_trait, #purpose: #purpose_trait), quote!(#device, #purpose))
        }
        (Method::Infer, false) => (quote!(), quote!(impl #device_trait, impl #purpose_trait)),
        (_, true) => (quote!(, #device: #device_trait), quote!(#device)),
        (_, false) => (quote!(), quote!(impl #device_trait)),
    };
    let body = match &model.functions {
        Some(functions) => {
            body(model, &functions[f], method, receiver, with_seeds.then_some(&seeds[..]))
        }
        None => quote!(::core::unreachable!("this program does not compile")),
    };
    // Methods have it of all of them.
    let allow = (receiver == Receiver::Free)
        .then(|| quote!(#[allow(unused_variables, unused_parens, clippy::all)]));
    let method = quote! {
        #docs
        #allow
        #vis fn #name<'w #types>(
            #self_arg ws: &'w mut __private::Workspace<#ws_model, #of_types>, #optimizer
            #args #(#seed_args,)*
        ) -> __private::Result<#returns, __private::InputError> #bound {
            #body
        }
    };
    items_at(method, interface.name.span())
}

fn docs(interface: &Interface, method: Method, receiver: Receiver, weighed: bool) -> TokenStream {
    let user = &interface.docs;
    let name = &interface.name;
    let types: Vec<String> =
        interface.args.iter().map(|arg| format!("{} `{}`", arg.name, arg.ty)).collect();
    let results: Vec<String> = interface.results.iter().map(|ty| format!("`{ty}`")).collect();
    let shapes = format!("{} → {}", types.join(", "), results.join(", "));
    let shapes = shapes.trim_start();
    let line = match (method, receiver) {
        (Method::Infer, _) => format!("Inference: {shapes}."),
        (Method::Grad, _) => {
            format!("`{name}` and the gradients of the parameters, in `ws.grads()`.")
        }
        (Method::Train, _) => {
            format!(
                "`{name}`, the gradients of the parameters, and the step of an optimizer along them."
            )
        }
        (_, Receiver::Free) => format!("`{name}` and the gradients of its float arguments."),
        _ => {
            format!("`{name}`, the gradients of the parameters, and those of its float arguments.")
        }
    };
    let line = match method {
        Method::Infer => line,
        _ => format!("{}: {shapes}.", line.trim_end_matches('.')),
    };
    let weights = (weighed && method != Method::Infer).then(|| {
        quote! {
            ///
            /// The gradient is that of the sum of its results, each times the weight that is given.
        }
    });
    quote! {
        #user
        #[doc = ""]
        #[doc = #line]
        #weights
        ///
        /// # Errors
        /// When an input does not fit the workspace or another input, or the sizes of a run are not as the
        /// function needs them.
    }
}
