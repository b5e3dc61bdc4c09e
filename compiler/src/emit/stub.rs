//! The functions of a model with mistakes: models that use it compile, and its own mistakes are
//! all that is reported.

use proc_macro2::TokenStream;

use super::{Model, checks};
use crate::declared::Interface;
use crate::graph::callee::{function_value, step_value};
use crate::hygiene::quote;

/// A derived module whose input and output are the mistake itself, so that calls of it say nothing.
pub fn sequential(model: &Model) -> TokenStream {
    let (declared, path) = model.generics();
    let mistake = &model.mistake;
    let result = quote!(__private::Result<Self::Output<'w>, __private::InputError>);
    let never = quote!(::core::unreachable!("this program does not compile"));
    quote! {
        #[allow(unused_variables)]
        #[automatically_derived]
        impl #declared __private::Sequential for #path {
            type Input<'i> = #mistake;
            type InputGrad<'w> = Self::Input<'w> where Self: 'w;
            type Output<'w> = Self::Input<'w> where Self: 'w;
            fn forward<'w, Device__: __private::Device, Purpose__: __private::Purpose>(
                params: &__private::Storage,
                ws: &'w mut __private::Workspace<Self, Device__, Purpose__>,
                x: Self::Input<'_>,
            ) -> #result { #never }
            fn forward_grad<'w, Device__: __private::Device>(
                params: &__private::Storage, ws: &'w mut __private::Workspace<Self, Device__>,
                x: Self::Input<'_>, d_result: Self::Output<'_>,
            ) -> #result { #never }
            fn forward_grad_inputs<'w, Device__: __private::Device>(
                params: &__private::Storage, ws: &'w mut __private::Workspace<Self, Device__>,
                x: Self::Input<'_>, d_result: Self::Output<'_>,
            ) -> __private::Result<
                (Self::Output<'w>, Self::InputGrad<'w>), __private::InputError
            > { #never }
        }
    }
}

pub fn items(model: &Model, function: &Interface) -> TokenStream {
    let (value, step) = (function_value(&function.name), step_value(&function.name));
    let (declared, _) = model.generic_lists();
    let (path, signature) = (model.generics().1, checks::signature(function));
    let vis = model.vis();
    let count = syn::Index::from(function.args.len());
    quote! {
        impl #declared #path {
            #[doc(hidden)]
            #vis const #value: __private::Broken<#count> = __private::Broken(#signature);
            #[doc(hidden)]
            #vis const #step: __private::NoStep = __private::NoStep;
        }
    }
}
