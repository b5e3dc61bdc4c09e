//! The struct, its parameters and views of them.

use proc_macro2::TokenStream;

use super::Model;
use super::boundary::{Form, array, form};
use crate::hygiene::quote;
use crate::lower::{Param, ParamInit};

/// The struct that owns the flat slice, with a table of the layers in its docs.
pub fn definition(model: &Model) -> TokenStream {
    let name = model.name();
    let Some(header) = model.header else {
        return quote! {
            #[doc(hidden)]
            #[allow(non_camel_case_types)]
            #[derive(Clone, Copy, Debug)]
            pub struct #name;
        };
    };
    if model.derived {
        return TokenStream::new();
    }
    let (attrs, vis, generics) = (&header.attrs, &header.vis, &header.generics);
    let table = table(model);
    quote! {
        #(#attrs)*
        #[doc = #table]
        #[derive(Clone, Debug)]
        #vis struct #name #generics {
            params: ::gradiron::Storage,
        }
    }
}

/// Markdown: the parameters and their shapes.
fn table(model: &Model) -> String {
    let mut text = String::from("\n\n| parameter | shape |\n|---|---|\n");
    for (index, (field, param)) in sorted(model) {
        let _ = index;
        let name = full_name(model, *field, param);
        let shape = match &param.init {
            ParamInit::Init(_) => param.shape.to_string(),
            ParamInit::Nested { model, count } => {
                let model = crate::lower::text_of(model);
                count.as_ref().map_or(model.clone(), |count| format!("{count} × {model}"))
            }
        };
        text.push_str(&format!("| `{name}` | `{shape}` |\n"));
    }
    text
}

/// The parameters in the order of the flat slice.
fn sorted<'m>(model: &'m Model) -> Vec<(usize, &'m (usize, Param))> {
    let mut sorted: Vec<_> = model.params.iter().enumerate().collect();
    sorted.sort_by_key(|(index, _)| model.order[*index]);
    sorted
}

fn full_name(model: &Model, field: usize, param: &Param) -> String {
    let field = match member(model, &model.fields[field].name) {
        syn::Member::Named(name) => name.to_string(),
        syn::Member::Unnamed(index) => index.index.to_string(),
    };
    match param.name.as_str() {
        "" => field,
        name => format!("{field}.{name}"),
    }
}

/// `Module`, and `Model` for a struct that owns its parameters.
pub fn module(model: &Model) -> TokenStream {
    let (impl_generics, ty) = model.generics();
    let count = model.params.len();
    let ends = sorted(model).into_iter().enumerate().map(|(k, (_, (_, param)))| {
        let (next, len) = (k + 1, param.shape.len().tokens());
        quote!(at[#next] = at[#k] + #len;)
    });
    let describes = sorted(model).into_iter().enumerate().map(|(k, (_, (field, param)))| {
        let name = full_name(model, *field, param);
        match &param.init {
            ParamInit::Init(init) => {
                let shape = param.shape.0.iter().map(crate::dim::Dim::tokens);
                quote! {
                    specs.push(::gradiron::ParamSpec {
                        name: format!("{prefix}{}", #name),
                        shape: vec![#(#shape),*],
                        start: start + Self::__AT[#k],
                        init: #init,
                    });
                }
            }
            ParamInit::Nested { model, count: None } => quote! {
                <#model as ::gradiron::Module>::describe(
                    &format!("{prefix}{}.", #name), start + Self::__AT[#k], specs);
            },
            ParamInit::Nested { model, count: Some(count) } => {
                let count = count.tokens();
                quote! {
                    for i in 0..#count {
                        let at = Self::__AT[#k] + i * <#model as ::gradiron::Module>::PARAMS;
                        <#model as ::gradiron::Module>::describe(
                            &format!("{prefix}{}.{i}.", #name), start + at, specs);
                    }
                }
            }
        }
    });
    let checked = model.functions.is_some().then(|| quote!(let () = Self::__CHECK;));
    let owner = owner(model, &checked);
    quote! {
        #[allow(clippy::all, non_upper_case_globals)]
        #[automatically_derived]
        impl #impl_generics #ty {
            const __AT: [usize; #count + 1] = {
                let mut at = [0; #count + 1];
                #(#ends)*
                at
            };
        }
        #[allow(clippy::all)]
        #[automatically_derived]
        impl #impl_generics ::gradiron::Module for #ty {
            const PARAMS: usize = Self::__AT[#count];
            fn describe(prefix: &str, start: usize, specs: &mut Vec<::gradiron::ParamSpec>) {
                #checked
                #(#describes)*
            }
        }
        #owner
    }
}

fn owner(model: &Model, checked: &Option<TokenStream>) -> TokenStream {
    let (impl_generics, ty) = model.generics();
    if model.header.is_none() {
        return TokenStream::new();
    }
    if model.derived {
        // The struct only describes: without this, rustc would call its fields unused.
        let fields = model.fields.iter().map(|field| member(model, &field.name));
        return quote! {
            #[allow(clippy::all)]
            #[automatically_derived]
            impl #impl_generics #ty {
                #[allow(dead_code)]
                fn __fields(&self) {
                    let _ = (#(&self.#fields,)*);
                }

                /// New parameters, drawn from `seed` by PyTorch's default initialisers.
                pub fn init(seed: ::gradiron::Seed) -> ::gradiron::Net<Self> {
                    #checked
                    ::gradiron::Net::init(seed)
                }
            }
        };
    }
    let views = views(model);
    quote! {
        #[automatically_derived]
        impl #impl_generics ::gradiron::Model for #ty {
            type Module = Self;
            fn params(&self) -> &[f32] {
                self.params.as_slice()
            }
            fn params_mut(&mut self) -> &mut [f32] {
                self.params.as_mut_slice()
            }
        }
        #[allow(clippy::all)]
        #[automatically_derived]
        impl #impl_generics #ty {
            /// The number of parameters.
            pub const PARAMS: usize = <Self as ::gradiron::Module>::PARAMS;

            /// New parameters, drawn from `seed` by PyTorch's default initialisers.
            pub fn init(seed: ::gradiron::Seed) -> Self {
                #checked
                Self { params: ::gradiron::init_params::<Self>(seed) }
            }
            #(#views)*
        }
    }
}

/// A field as the user's struct has it: a tuple struct's are named `_0`, `_1`, … in the model.
fn member(model: &Model, name: &proc_macro2::Ident) -> syn::Member {
    let number = name.to_string().strip_prefix('_').and_then(|number| number.parse::<usize>().ok());
    match number.filter(|_| model.derived) {
        Some(index) => syn::Member::Unnamed(index.into()),
        None => syn::Member::Named(name.clone()),
    }
}

/// `net.fc1().weight()`, `net.position()`.
fn views(model: &Model) -> Vec<TokenStream> {
    let generics = model.generic_names();
    let typed = |k: usize, param: &Param| {
        let (dims, start) = (&param.shape.0, quote!(Self::__AT[#k]));
        let len = param.shape.len().tokens();
        match form(&param.shape, &generics) {
            Form::Array => {
                let ty = array(dims);
                let view =
                    quote!(::gradiron::view::array(&self.params.as_slice()[#start..][..#len]));
                (ty, view)
            }
            Form::Number => (quote!(f32), quote!(&self.params.as_slice()[#start])),
            _ => (quote!([f32]), quote!(&self.params.as_slice()[#start..][..#len])),
        }
    };
    let params = sorted(model);
    let fields = model.fields.iter().enumerate().filter_map(|(f, field)| {
        let own: Vec<_> =
            params.iter().enumerate().filter(|(_, (_, (owner, _)))| *owner == f).collect();
        let name = &field.name;
        let (k, (_, (_, first))) = own.first()?;
        // One of several with this name: a mistake that is reported.
        let before = model.fields[..f].iter().map(|other| &other.name);
        if before.chain(model.interfaces.iter().map(|f| &f.name)).any(|other| other == name) {
            return None;
        }
        if matches!(first.init, ParamInit::Nested { .. }) {
            return None;
        }
        let (ty, view) = typed(*k, first);
        if first.name.is_empty() {
            let doc = format!("The parameter `{name}`, `{}`.", first.shape);
            return Some(quote! {
                #[doc = #doc]
                pub fn #name(&self) -> &#ty {
                    #view
                }
            });
        }
        let doc = format!("The parameters of the layer `{name}`.");
        let (bias_ty, bias) = match own.get(1) {
            Some((k, (_, (_, bias)))) => typed(*k, bias),
            None => (quote!(()), quote!(&())),
        };
        Some(quote! {
            #[doc = #doc]
            pub fn #name(&self) -> ::gradiron::view::Layer<'_, #ty, #bias_ty> {
                ::gradiron::view::Layer::new(#view, #bias)
            }
        })
    });
    fields.collect()
}
