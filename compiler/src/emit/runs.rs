//! The functions of a model as workspaces run them: generic over the kernels, so that a small one
//! is compiled as one piece.

use proc_macro2::TokenStream;

use super::{Function, Model, hidden, stepwise};
use crate::graph::{Kind, is_loss};
use crate::hygiene::quote;

pub fn functions(model: &Model) -> TokenStream {
    let functions = model.functions.iter().flatten().enumerate();
    let runs = functions.map(|(at, function)| {
        let (run, step) =
            (implementation(model, at, function), stepwise::implementation(model, at, function));
        quote!(#run #step)
    });
    runs.collect()
}

fn implementation(model: &Model, at: usize, function: &Function) -> TokenStream {
    let (impl_generics, self_ty) = model.generics();
    let [infer, train, back, flops, code_size] = ["infer", "train", "back", "flops", "code_size"]
        .map(|suffix| hidden(&function.name, suffix));
    let ops = ["infer_ops", "train_ops", "back_ops"].map(|suffix| hidden(&function.name, suffix));
    let called = model.called(&function.name);
    let called_grad = format!("{called}_grad");
    let count = |kind: Kind| function.args.iter().filter(|arg| arg.ty.kind == kind).count();
    let (floats, classes) = (count(Kind::Float), count(Kind::Classes));
    let results = function.results.len();
    let buf = quote!(::gradiron::__rt::device::Buf);
    let call = quote!(::gradiron::__rt::function::Call<#floats, #classes, #results>);
    let passed = quote!(call.n, offsets, params, state, call.args, call.classes, call.results);
    // The gradient of a loss by itself.
    let further = 1..results;
    let seed = is_loss(&function.results).then(|| {
        quote! {
            k.seed(gradients.d_results[0]);
            #(k.fill(gradients.d_results[#further], 0.0);)*
        }
    });
    quote! {
        #[allow(clippy::all)]
        #[automatically_derived]
        impl #impl_generics ::gradiron::__rt::function::Function<#at, #floats, #classes, #results>
            for #self_ty
        {
            const FLOPS: usize = Self::#flops([1; 4]);
            const CODE_SIZE: [usize; 2] = Self::#code_size;
            const NAMES: [&'static str; 2] = [#called, #called_grad];
            const OPS: [&'static ::gradiron::__rt::profile::PassOps; 3] = [#(Self::#ops),*];
            #[inline(always)]
            fn flops(n: ::gradiron::__rt::arena::Sizes) -> usize {
                Self::#flops(n)
            }
            #[inline(always)]
            fn infer<Kernels__: ::gradiron::__rt::device::Kernels>(
                k: &mut Kernels__, offsets: &[usize], [params, state]: [#buf; 2], prepared: #buf,
                call: #call,
            ) {
                Self::#infer(k, #passed, prepared, call.block);
            }
            #[inline(always)]
            fn grad<Kernels__: ::gradiron::__rt::device::Kernels>(
                k: &mut Kernels__, offsets: &[usize], [params, state]: [#buf; 2], call: #call,
                [d_params, new_state]: [#buf; 2],
                gradients: ::gradiron::__rt::function::Gradients<#floats, #results>,
            ) {
                Self::#train(k, #passed, call.block, new_state, call.block);
                #seed
                Self::#back(
                    k, call.n, offsets, gradients.want_inputs, params, call.args, call.classes,
                    call.results, call.block, gradients.d_results, d_params, gradients.d_args,
                    call.block,
                );
            }
        }
    }
}
