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
            ::gradiron::FunctionPlan::new(
                [
                    Self::#floats(n, ::gradiron::Pass::Infer, target),
                    Self::#floats(n, ::gradiron::Pass::Grad, target),
                    Self::#floats(n, ::gradiron::Pass::GradInputs, target),
                    Self::#floats(n, ::gradiron::Pass::Step, target),
                ],
                ::gradiron::arena::sum(&[#(#indices),*]),
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
        impl #impl_generics ::gradiron::Program for #self_ty {
            type Owner = #owner;
            const SIZES: &'static [&'static str] = &[#(#sizes),*];
            fn plan(
                n: ::gradiron::arena::Sizes, target: ::gradiron::device::Target,
            ) -> Vec<::gradiron::FunctionPlan> {
                #bind
                vec![#(#plans),*]
            }
            const PREPARED: [usize; 2] = Self::__PREPARED;
            const PREPARE: &'static str = #prepare;
            fn prepare<Kernels__: ::gradiron::device::Kernels>(
                k: &mut Kernels__, [params, state]: [::gradiron::device::Buf; 2],
                prepared: ::gradiron::device::Buf,
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
    let (padded, sum) = (quote!(::gradiron::arena::padded), quote!(::gradiron::arena::sum));
    let step_floats = stepwise::floats(function);
    quote! {
        #[doc(hidden)]
        pub const fn #name(
            n: ::gradiron::arena::Sizes, pass: ::gradiron::Pass,
            target: ::gradiron::device::Target,
        ) -> usize {
            #bind
            let results = #sum(&[#(#padded(#results)),*]);
            let d_args = #sum(&[#(#padded(#d_args)),*]);
            match pass {
                ::gradiron::Pass::Infer => #sum(&[results, Self::#infer_layout(n, target).saved]),
                ::gradiron::Pass::Step => #step_floats,
                ::gradiron::Pass::Grad => {
                    #sum(&[results, results, Self::#layout(n, false, true, target).saved])
                }
                ::gradiron::Pass::GradInputs => {
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
        pub fn #on<Device__: ::gradiron::device::Device>(device: Device__, #(#names: usize),*)
            -> ::core::result::Result<::gradiron::Workspace<#target, Device__>, ::gradiron::WorkspaceError>
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
        pub fn #infer_on<Device__: ::gradiron::device::Device>(device: Device__, #(#names: usize),*)
            -> ::core::result::Result<::gradiron::InferWorkspace<#target, Device__>, ::gradiron::WorkspaceError>
        {
            ::gradiron::Workspace::new(device, #sizes)
        }
    }
}

/// Memory and arithmetic, known before anything runs.
pub fn costs(model: &Model) -> TokenStream {
    let (names, sizes) = size_args(model);
    let Some(functions) = &model.functions else {
        let names_in_precision = ["train_bytes_with", "train_bytes_on_gpu", "infer_bytes_on_gpu"];
        let in_precision = names_in_precision.map(|name| {
            let (name, precision) =
                (format_ident!("{name}"), quote!(::gradiron::device::Precision));
            quote!(pub const fn #name(#(#names: usize,)* precision: #precision) -> usize { 0 })
        });
        return quote! {
            pub const fn train_bytes(#(#names: usize),*) -> usize { 0 }
            pub const fn infer_bytes(#(#names: usize),*) -> usize { 0 }
            pub const fn prepared_bytes() -> usize { 0 }
            pub const fn prepared_bytes_on_gpu() -> usize { 0 }
            #(#in_precision)*
            pub const fn flops(#(#names: usize),*) -> usize { 0 }
        };
    };
    let floats: Vec<_> = functions.iter().map(|f| hidden(&f.name, "floats")).collect();
    let bind = model.bind_sizes();
    let indices = functions.iter().map(|function| {
        let lens = class_args(function).map(|arg| arg.ty.shape.len().saturating_tokens());
        quote!(::gradiron::arena::sum(&[#(#lens),*]))
    });
    let indices: Vec<_> = indices.collect();
    let flops = hidden(&functions[0].name, "flops");
    let max = quote!(::gradiron::arena::max);
    let flops_doc =
        format!("Floating-point operations of one `{}`; at most `usize::MAX`.", functions[0].name);
    quote! {
        /// The bytes of a workspace for training: activations, gradients, new state, scratch
        /// memory, and what its inference prepares (`prepared_bytes`). The parameters (`4 * PARAMS`) and the
        /// optimizer's state come on top. `usize::MAX` where no memory can hold it, so that a comparison with
        /// what there is decides; a workspace of these sizes is an error.
        pub const fn train_bytes(#(#names: usize),*) -> usize {
            Self::train_bytes_with(#(#names,)* ::gradiron::device::Precision::F32)
        }

        /// The same on a [`Cpu`](::gradiron::device::Cpu) that computes in `precision`.
        pub const fn train_bytes_with(
            #(#names: usize,)* precision: ::gradiron::device::Precision,
        ) -> usize {
            Self::__train_bytes(#(#names,)* precision.on_cpu())
        }

        /// The same on a GPU that computes in `precision`. What its kernels use on the side comes on
        /// top, and what is uploaded: inputs, and parameters and state of the optimizer once more.
        pub const fn train_bytes_on_gpu(
            #(#names: usize,)* precision: ::gradiron::device::Precision,
        ) -> usize {
            Self::__train_bytes(#(#names,)* precision.on_gpu())
        }

        #[doc(hidden)]
        #[allow(unused_variables, clippy::all)]
        pub const fn __train_bytes(
            #(#names: usize,)* target: ::gradiron::device::Target,
        ) -> usize {
            let n = #sizes;
            #bind
            let arena = #max(&[#(
                #max(&[
                    Self::#floats(n, ::gradiron::Pass::Infer, target),
                    Self::#floats(n, ::gradiron::Pass::Grad, target),
                    Self::#floats(n, ::gradiron::Pass::GradInputs, target),
                    Self::#floats(n, ::gradiron::Pass::Step, target),
                ])
            ),*]);
            let indices = #max(&[#(#indices),*]);
            ::gradiron::arena::bytes(&[
                arena, indices, <Self as ::gradiron::Module>::PARAMS,
                <Self as ::gradiron::Module>::STATE, Self::__PREPARED[target.is_gpu() as usize],
            ])
        }

        /// The bytes of a workspace for inference alone: activations, results, scratch memory, class
        /// indices, and what it prepares of the parameters, of which all workspaces of a network share one
        /// (`prepared_bytes`). The parameters (`4 * PARAMS`) come on top. `usize::MAX` where no memory can
        /// hold it.
        pub const fn infer_bytes(#(#names: usize),*) -> usize {
            Self::__infer_bytes(#(#names,)* ::gradiron::device::Target::Cpu)
        }

        /// The same on a GPU that computes in `precision`, without what its kernels use on the side
        /// and what is uploaded.
        pub const fn infer_bytes_on_gpu(
            #(#names: usize,)* precision: ::gradiron::device::Precision,
        ) -> usize {
            Self::__infer_bytes(#(#names,)* precision.on_gpu())
        }

        #[doc(hidden)]
        #[allow(unused_variables, clippy::all)]
        pub const fn __infer_bytes(
            #(#names: usize,)* target: ::gradiron::device::Target,
        ) -> usize {
            let n = #sizes;
            #bind
            let arena = #max(&[#(
                Self::#floats(n, ::gradiron::Pass::Infer, target),
                Self::#floats(n, ::gradiron::Pass::Step, target)
            ),*]);
            let indices = #max(&[#(#indices),*]);
            ::gradiron::arena::bytes(&[arena, indices, Self::__PREPARED[target.is_gpu() as usize]])
        }

        /// The bytes of what inference prepares of the parameters on a CPU. They are a part of
        /// `infer_bytes` and `train_bytes`, but there once for all workspaces of a network.
        pub const fn prepared_bytes() -> usize {
            ::gradiron::arena::bytes(&[Self::__PREPARED[0]])
        }

        /// The same on a GPU.
        pub const fn prepared_bytes_on_gpu() -> usize {
            ::gradiron::arena::bytes(&[Self::__PREPARED[1]])
        }

        #[doc = #flops_doc]
        pub const fn flops(#(#names: usize),*) -> usize {
            Self::#flops(#sizes)
        }
    }
}
