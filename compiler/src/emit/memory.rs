//! How large workspaces are, what makes them, and what runs cost.

use proc_macro2::{Ident, TokenStream};
use quote::format_ident;

use super::{Function, Model, hidden, stepwise};
use crate::graph::{Kind, Ty};
use crate::hygiene::quote;
use crate::names::plain;

/// How large workspaces are and where the buffers in them lie.
pub fn program(model: &Model) -> TokenStream {
    let (impl_generics, self_ty) = model.generics();
    let sizes = model.sizes();
    let empty = Vec::new();
    let functions = model.functions.as_ref().unwrap_or(&empty);
    let plans = functions.iter().map(|function| {
        let [offsets, infer_offsets, floats] =
            ["offsets", "infer_offsets", "floats"].map(|s| hidden(&function.name, s));
        let indices = class_args(function).map(|arg| arg.ty.shape.len().saturating_tokens());
        let step_offsets = stepwise::offsets(function);
        quote! {
            ::gradiron::__rt::FunctionPlan::new(
                [
                    Self::#floats(n, ::gradiron::__rt::Pass::Infer, target),
                    Self::#floats(n, ::gradiron::__rt::Pass::Grad, target),
                    Self::#floats(n, ::gradiron::__rt::Pass::GradInputs, target),
                    Self::#floats(n, ::gradiron::__rt::Pass::Step, target),
                ],
                ::gradiron::__rt::arena::sum(&[#(#indices),*]),
                |out| Self::#infer_offsets(n, target, out),
                #step_offsets,
                |out| Self::#offsets(n, false, true, target, out),
                |out| Self::#offsets(n, true, true, target, out),
            )
        }
    });
    let sizes = sizes.iter().map(|size| plain(size));
    let bind = model.bind_sizes();
    let floats = functions.iter().map(|function| floats(model, function));
    let owner = if model.derived { quote!(::gradiron::Net<Self>) } else { quote!(Self) };
    let prepare = model.called(&"prepare");
    quote! {
        #[allow(unused_variables, clippy::all)]
        #[automatically_derived]
        impl #impl_generics ::gradiron::__rt::Program for #self_ty {
            type Owner = #owner;
            const SIZES: &'static [&'static str] = &[#(#sizes),*];
            fn plan(
                n: ::gradiron::__rt::arena::Sizes, target: ::gradiron::__rt::device::Target,
            ) -> Vec<::gradiron::__rt::FunctionPlan> {
                #bind
                vec![#(#plans),*]
            }
            const PREPARED: ::gradiron::__rt::device::PerSide<usize> = Self::__PREPARED;
            const PREPARE: &'static str = #prepare;
            fn prepare<Kernels__: ::gradiron::__rt::device::Kernels>(
                k: &mut Kernels__, [params, state]: [::gradiron::__rt::device::Buf; 2],
                prepared: ::gradiron::__rt::device::Buf,
            ) {
                Self::__prepare(k, params, state, prepared);
            }
        }
        #[allow(unused_variables, non_snake_case, clippy::all)]
        #[automatically_derived]
        impl #impl_generics #self_ty {
            #(#floats)*
        }
    }
}

fn class_args(function: &Function) -> impl Iterator<Item = &crate::declared::Arg> {
    function.args.iter().filter(|arg| arg.ty.kind == Kind::Classes)
}

/// The arena that each pass of a function takes.
fn floats(model: &Model, function: &Function) -> TokenStream {
    let [name, layout, infer_layout] =
        ["floats", "layout", "infer_layout"].map(|s| hidden(&function.name, s));
    let lens = |types: &[Ty]| -> Vec<TokenStream> {
        types.iter().map(|ty| ty.shape.len().saturating_tokens()).collect()
    };
    let results = lens(&function.results);
    let args: Vec<Ty> = function.args.iter().map(|arg| arg.ty.clone()).collect();
    let floats: Vec<Ty> = args.into_iter().filter(|ty| ty.kind == Kind::Float).collect();
    let d_args = lens(&floats);
    let bind = model.bind_sizes();
    let (padded, sum) =
        (quote!(::gradiron::__rt::arena::padded), quote!(::gradiron::__rt::arena::sum));
    let step_floats = stepwise::floats(function);
    quote! {
        #[doc(hidden)]
        pub const fn #name(
            n: ::gradiron::__rt::arena::Sizes, pass: ::gradiron::__rt::Pass,
            target: ::gradiron::__rt::device::Target,
        ) -> usize {
            #bind
            let results = #sum(&[#(#padded(#results)),*]);
            let d_args = #sum(&[#(#padded(#d_args)),*]);
            match pass {
                ::gradiron::__rt::Pass::Infer => #sum(&[results, Self::#infer_layout(n, target).saved]),
                ::gradiron::__rt::Pass::Step => #step_floats,
                ::gradiron::__rt::Pass::Grad => {
                    #sum(&[results, results, Self::#layout(n, false, true, target).saved])
                }
                ::gradiron::__rt::Pass::GradInputs => {
                    #sum(&[results, results, d_args, Self::#layout(n, true, true, target).saved])
                }
            }
        }
    }
}

fn size_args(model: &Model) -> (Vec<Ident>, TokenStream) {
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
        pub fn #method(#(#names: usize),*) -> ::core::result::Result<::gradiron::Workspace<#target>, ::gradiron::WorkspaceError> {
            ::gradiron::Workspace::new(::gradiron::device::Cpu::new(), #sizes)
        }

        /// The same on another device.
        ///
        /// # Errors
        /// When a size is 0 or the device's memory does not suffice.
        pub fn #on<#device: ::gradiron::device::Device>(device: #device, #(#names: usize),*)
            -> ::core::result::Result<::gradiron::Workspace<#target, #device>, ::gradiron::WorkspaceError>
        {
            ::gradiron::Workspace::new(device, #sizes)
        }

        /// The memory of inference alone on the CPU, for at most these sizes. What inference prepares of
        /// the parameters is there once for all workspaces of a network.
        ///
        /// # Errors
        /// When a size is 0 or memory does not suffice.
        pub fn #infer(#(#names: usize),*) -> ::core::result::Result<::gradiron::InferWorkspace<#target>, ::gradiron::WorkspaceError> {
            ::gradiron::Workspace::new(::gradiron::device::Cpu::new(), #sizes)
        }

        /// The same on another device.
        ///
        /// # Errors
        /// When a size is 0 or the device's memory does not suffice.
        pub fn #infer_on<#device: ::gradiron::device::Device>(device: #device, #(#names: usize),*)
            -> ::core::result::Result<::gradiron::InferWorkspace<#target, #device>, ::gradiron::WorkspaceError>
        {
            ::gradiron::Workspace::new(device, #sizes)
        }
    }
}

/// Memory and arithmetic, known before anything runs.
pub fn costs(model: &Model) -> TokenStream {
    let (names, sizes) = size_args(model);
    let (footprint, target) =
        (quote!(::gradiron::workspace::Footprint), quote!(::gradiron::device::Target));
    let Some(functions) = &model.functions else {
        return quote! {
            pub const fn footprint(#(#names: usize,)* target: #target) -> #footprint {
                #footprint { train: 0, infer: 0, prepared: 0 }
            }
            pub const fn flops(#(#names: usize),*) -> usize { 0 }
        };
    };
    let floats: Vec<_> = functions.iter().map(|f| hidden(&f.name, "floats")).collect();
    let bind = model.bind_sizes();
    let indices = functions.iter().map(|function| {
        let lens = class_args(function).map(|arg| arg.ty.shape.len().saturating_tokens());
        quote!(::gradiron::__rt::arena::sum(&[#(#lens),*]))
    });
    let indices: Vec<_> = indices.collect();
    let flops = hidden(&functions[0].name, "flops");
    let [bytes, max, pass] = [quote!(arena::bytes), quote!(arena::max), quote!(Pass)]
        .map(|item| quote!(::gradiron::__rt::#item));
    let flops_doc =
        format!("Floating-point operations of one `{}`; at most `usize::MAX`.", functions[0].name);
    quote! {
        /// The bytes of workspaces of at most these sizes, on a device whose memory is planned for `target`
        /// (`Target::Host` for a `Cpu`, [`Device::target`](::gradiron::device::Device::target) of any device).
        /// The parameters (`4 * PARAMS`) and the optimizer's state come on top, and on a GPU what is uploaded
        /// and what its kernels use on the side.
        #[allow(unused_variables, clippy::all)]
        pub const fn footprint(#(#names: usize,)* target: #target) -> #footprint {
            let n = #sizes;
            #bind
            let infer = #max(&[#(
                Self::#floats(n, #pass::Infer, target), Self::#floats(n, #pass::Step, target)
            ),*]);
            let train = #max(&[infer, #(
                Self::#floats(n, #pass::Grad, target), Self::#floats(n, #pass::GradInputs, target)
            ),*]);
            let indices = #max(&[#(#indices),*]);
            let prepared = *Self::__PREPARED.of(target.on_host());
            #footprint {
                train: #bytes(&[
                    train, indices, <Self as ::gradiron::Module>::PARAMS,
                    <Self as ::gradiron::Module>::STATE, prepared,
                ]),
                infer: #bytes(&[infer, indices, prepared]),
                prepared: #bytes(&[prepared]),
            }
        }

        #[doc = #flops_doc]
        pub const fn flops(#(#names: usize),*) -> usize {
            Self::#flops(#sizes)
        }
    }
}
