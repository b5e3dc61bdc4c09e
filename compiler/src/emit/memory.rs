//! How large workspaces are, what makes them, and what runs cost.

use proc_macro2::{Ident, TokenStream};
use quote::format_ident;

use super::{Model, checks, summary};
use crate::graph::callee::function_value;
use crate::hygiene::quote;
use crate::names::plain;

/// The model as workspaces see it.
pub fn program(model: &Model) -> TokenStream {
    let (impl_generics, self_ty) = model.generics();
    let sizes = model.sizes();
    let functions = model.functions.iter().flatten();
    let plans = functions.map(|function| {
        let value = function_value(&function.name);
        quote!(__private::FunctionPlan::of(Self::#value, n, target))
    });
    let sizes = sizes.iter().map(|size| plain(size));
    let owner = if model.derived { quote!(__private::Net<Self>) } else { quote!(Self) };
    let prepare = model.called(&"prepare");
    quote! {
        impl #impl_generics __private::Program for #self_ty {
            type Owner = #owner;
            const SIZES: &'static [&'static str] = &[#(#sizes),*];
            fn plan(n: __private::Sizes, target: __private::Target) -> __private::Vec<__private::FunctionPlan> {
                __private::Vec::from([#(#plans),*])
            }
            const PREPARED: __private::PerSide<usize> = __private::PerSide {
                host: Self::__PREPARED.host.floats,
                device: Self::__PREPARED.device.floats,
            };
            const PREPARE: &'static str = #prepare;
            fn prepare<Kernels__: __private::Kernels>(
                k: &mut Kernels__, owned: [__private::Buf; 2], prepared: __private::Buf,
            ) {
                Self::__prepare(k, owned, prepared);
            }
        }
    }
}

pub fn size_args(model: &Model) -> (Vec<Ident>, TokenStream) {
    let names: Vec<Ident> =
        model.sizes().iter().map(|n| format_ident!("{}_size", plain(n))).collect();
    let ones = (names.len()..4).map(|_| quote!(1));
    let array = quote!([#(#names,)* #(#ones),*]);
    (names, array)
}

pub fn workspace(model: &Model) -> TokenStream {
    let (_, self_ty) = model.generics();
    let (names, sizes) = size_args(model);
    let (before, target) = match (model.header, model.interfaces.first()) {
        (None, Some(first)) => (format!("{}_", plain(&first.name.to_string())), quote!(#self_ty)),
        _ => (String::new(), quote!(Self)),
    };
    let [method, on, infer, infer_on] =
        ["workspace", "workspace_on", "infer_workspace", "infer_workspace_on"]
            .map(|name| format_ident!("{before}{name}"));
    let device = model.device();
    quote! {
        /// The memory of training and inference on the CPU, for at most these sizes; allocated here
        /// and never again.
        ///
        /// # Errors
        /// When a size is 0 or memory does not suffice.
        pub fn #method(#(#names: usize),*) -> __private::Result<__private::Workspace<#target>, __private::WorkspaceError> {
            __private::Workspace::new(__private::Cpu::new(), #sizes)
        }

        /// The same on another device.
        ///
        /// # Errors
        /// When a size is 0 or the device's memory does not suffice.
        pub fn #on<#device: __private::Device>(device: #device, #(#names: usize),*)
            -> __private::Result<__private::Workspace<#target, #device>, __private::WorkspaceError>
        {
            __private::Workspace::new(device, #sizes)
        }

        /// The memory of inference alone on the CPU, for at most these sizes. What inference prepares of
        /// the parameters is there once for all workspaces of a network.
        ///
        /// # Errors
        /// When a size is 0 or memory does not suffice.
        pub fn #infer(#(#names: usize),*) -> __private::Result<__private::InferWorkspace<#target>, __private::WorkspaceError> {
            __private::Workspace::new(__private::Cpu::new(), #sizes)
        }

        /// The same on another device.
        ///
        /// # Errors
        /// When a size is 0 or the device's memory does not suffice.
        pub fn #infer_on<#device: __private::Device>(device: #device, #(#names: usize),*)
            -> __private::Result<__private::InferWorkspace<#target, #device>, __private::WorkspaceError>
        {
            __private::Workspace::new(device, #sizes)
        }
    }
}

/// Memory and arithmetic, known before anything runs.
pub fn costs(model: &Model) -> TokenStream {
    let (names, sizes) = size_args(model);
    let (footprint, target) = (quote!(__private::Footprint), quote!(__private::Target));
    let summary = summary::method(model);
    let Some(functions) = &model.functions else {
        return quote! {
            pub const fn footprint(#(#names: usize,)* target: #target) -> #footprint {
                #footprint { train: 0, infer: 0, prepared: 0 }
            }
            pub const fn flops(#(#names: usize),*) -> usize { 0 }
            #summary
        };
    };
    let values: Vec<_> = functions.iter().map(|f| function_value(&f.name)).collect();
    let checked = checks::asked(model);
    let first = &values[0];
    let [bytes, max, pass] =
        [quote!(bytes), quote!(max), quote!(Pass)].map(|item| quote!(__private::#item));
    let flops_doc =
        format!("Floating-point operations of one `{}`; at most `usize::MAX`.", functions[0].name);
    quote! {
        /// The bytes of workspaces of at most these sizes, on a device whose memory is planned for `target`
        /// (`Target::Host` for a `Cpu`, [`Device::target`](::gradiron::device::Device::target) of any device).
        /// The parameters (`4 * PARAMS`) and the optimizer's state come on top, and on a GPU what is uploaded
        /// and what its kernels use on the side.
        pub const fn footprint(#(#names: usize,)* target: #target) -> #footprint {
            #checked
            let n = #sizes;
            let infer = #max(&[#(
                Self::#values.floats(n, #pass::Infer, target),
                Self::#values.floats(n, #pass::Step, target)
            ),*]);
            let train = #max(&[infer, #(
                Self::#values.floats(n, #pass::Grad, target),
                Self::#values.floats(n, #pass::GradInputs, target),
                Self::#values.floats(n, #pass::Training, target)
            ),*]);
            let indices = #max(&[#(__private::sum(&Self::#values.lens(n).classes)),*]);
            let prepared = Self::__PREPARED.of(target.on_host()).floats;
            #footprint {
                train: #bytes(&[
                    train, indices, <Self as __private::Module>::PARAMS,
                    <Self as __private::Module>::STATE, prepared,
                ]),
                infer: #bytes(&[infer, indices, prepared]),
                prepared: #bytes(&[prepared]),
            }
        }

        #[doc = #flops_doc]
        pub const fn flops(#(#names: usize),*) -> usize {
            #checked
            Self::#first.flops(#sizes)
        }

        #summary
    }
}
