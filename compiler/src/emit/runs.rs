//! The functions of a model as workspaces run them: generic over the kernels, so that a small one
//! is compiled as one piece.

use proc_macro2::TokenStream;
use syn::Index;

use super::{Function, Model, function_type};
use crate::graph::{Kind, is_loss};
use crate::hygiene::quote;

/// The function as a `Function` of the runtime.
pub fn implementation(model: &Model, at: usize, function: &Function) -> TokenStream {
    let (declared, given) = model.generic_lists();
    let (owner, ty) = (model.generics().1, function_type(&function.name));
    let called = model.called(&function.name);
    let called_grad = format!("{called}_grad");
    let called_training = format!("{called} (training)");
    let count = |kind: Kind| function.args.iter().filter(|arg| arg.ty.kind == kind).count();
    let counts = [count(Kind::Float), count(Kind::Classes), function.results.len()];
    let counts = counts.map(Index::from);
    let counts = quote!(#(#counts),*);
    let function_at = at;
    let (at, is_loss) = (Index::from(at), is_loss(&function.results));
    let absent = function.only.as_ref().map(|_| {
        let number = model.partial().iter().position(|partial| *partial == function_at);
        let number = Index::from(number.expect("it is one of them"));
        quote! {
            const ABSENT: &'static [[usize; 2]] = <#owner as __private::Module>::ABSENT[#number];
        }
    });
    let sample = model.sample();
    let step_offsets = function.step.as_ref().map(|_| {
        let step = crate::graph::callee::step_value(&function.name);
        let path = model.path();
        quote!(#path::#step.infer_offsets(#path::#step.largest(n), target, out))
    });
    let step_offsets = step_offsets.unwrap_or_else(|| quote!({}));
    quote! {
        impl #declared __private::Function<#counts> for #ty #given {
            type Model = #owner;
            const AT: usize = #at;
            const IS_LOSS: bool = #is_loss;
            #absent
            const CODE_SIZE: [usize; 2] = Self.code_size();
            const NAMES: [&'static str; 3] = [#called, #called_grad, #called_training];
            const OPS: [&'static __private::PassOps; 3] =
                [Self::INFER_OPS, Self::TRAIN_OPS, Self::BACK_OPS];
            const FLOPS: usize = Self.flops(#sample);
            #[inline(always)]
            fn flops(n: __private::Sizes) -> usize {
                Self.flops(n)
            }
            #[inline(always)]
            fn lens(n: __private::Sizes) -> __private::Lens<#counts> {
                Self.lens(n)
            }
            fn floats(n: __private::Sizes, pass: __private::Pass, target: __private::Target) -> usize {
                Self.floats(n, pass, target)
            }
            fn offsets(
                n: __private::Sizes, pass: __private::Pass, target: __private::Target,
                out: &mut __private::Vec<usize>,
            ) {
                match pass {
                    __private::Pass::Infer => Self.infer_offsets(n, target, out),
                    __private::Pass::Grad => {
                        Self.offsets(n, __private::Want::PARAMS, true, target, out)
                    }
                    __private::Pass::GradInputs => {
                        Self.offsets(n, __private::Want::ALL, true, target, out)
                    }
                    __private::Pass::Step => #step_offsets,
                    __private::Pass::Training => {
                        Self.offsets(n, __private::Want::NOTHING, true, target, out)
                    }
                }
            }
            #[inline(always)]
            fn infer<Kernels__: __private::Kernels>(
                k: &mut Kernels__, given: __private::Infer<#counts>,
            ) {
                Self.infer(k, given);
            }
            #[inline(always)]
            fn forward<Kernels__: __private::Kernels>(
                k: &mut Kernels__, given: __private::Forward<#counts>,
            ) {
                Self.train(k, given);
            }
            #[inline(always)]
            fn backward<Kernels__: __private::Kernels>(
                k: &mut Kernels__, given: __private::Backward<#counts>,
            ) {
                Self.back(k, given);
            }
        }
    }
}
