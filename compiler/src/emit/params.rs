//! The struct, its parameters and views of them.

use proc_macro2::TokenStream;
use quote::format_ident;
use syn::Index;

use super::boundary::{View, array, items_at, view_of};
use super::{Model, checks, summary};
use crate::declared::{ParamInit, State, StateInit};
use crate::dim::{Dim, Shape};
use crate::hygiene::quote;
use crate::names::plain;
use crate::syntax::{Field, FieldDecl};

/// The struct that owns the parameters and behind them the state, with a table of the layers in its
/// docs.
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
    let (table, layers) = (table(model), summary::docs(model));
    quote! {
        #(#attrs)*
        #layers
        #[doc = #table]
        #[derive(Clone, Debug)]
        #vis struct #name #generics {
            params: ::gradiron::__private::Storage,
        }
    }
}

/// Markdown: the parameters and the state with their shapes.
fn table(model: &Model) -> String {
    let mut text = String::from("\n\n| parameter | shape |\n|---|---|\n");
    for (field, param) in model.params.sorted() {
        let name = full_name(model, *field, &param.name);
        let shape = match &param.init {
            ParamInit::Init(_) => param.shape.to_string(),
            ParamInit::Nested { model, count } => {
                let model = crate::text::text_of(model);
                count.as_ref().map_or(model.clone(), |count| format!("{count} × {model}"))
            }
        };
        text.push_str(&format!("| `{name}` | `{shape}` |\n"));
    }
    let own = |(_, state): &&&(usize, State)| !matches!(state.init, StateInit::Nested { .. });
    let state = model.state.sorted();
    if state.iter().any(|state| own(&state)) {
        text.push_str("\n| state | shape |\n|---|---|\n");
    }
    for (field, state) in state.iter().filter(own) {
        let name = full_name(model, *field, &state.name);
        text.push_str(&format!("| `{name}` | `{}` |\n", state.shape));
    }
    text
}

/// The name in files: PyTorch's. A field `_0` is `0`, as the parts of a `Sequential` are called.
fn full_name(model: &Model, field: usize, tensor: &str) -> String {
    model.fields[field].tensor_in_files(tensor)
}

/// `Module`, and `Model` for a struct that owns its parameters; and behind them the methods that
/// users see.
pub fn module(model: &Model) -> (TokenStream, TokenStream) {
    let (impl_generics, ty) = model.generics();
    let params = model.params.sorted();
    let first = |field: usize| model.fields[field].first_in_files();
    let params_at = starts("__AT", params.iter().map(|(_, param)| param.shape.len().tokens()));
    let rows = params.iter().map(|(field, param)| {
        let name = full_name(model, *field, &param.name);
        let row = match &param.init {
            ParamInit::Init(init) => {
                let tied = param.tied.iter().map(|field| full_name(model, *field, &param.name));
                tensor_row(&name, &param.shape, &quote!((#init, &[#(#tied),*])))
            }
            ParamInit::Nested { model, count } => {
                let row = (count.as_ref(), first(*field));
                module_row(&name, model, row, &quote!(describe), &quote!(PARAMS))
            }
        };
        match model.fields[*field].frozen {
            Some(_) => quote!(__private::table::Row::Frozen(&#row)),
            None => row,
        }
    });
    let state = model.state.sorted();
    let state_at = starts("__STATE_AT", state.iter().map(|(_, state)| state.shape.len().tokens()));
    let state_rows = state.iter().map(|(field, state)| {
        let name = full_name(model, *field, &state.name);
        let init = quote!(__private::Init);
        let (init, kind) = match &state.init {
            StateInit::Value(1.0) => (quote!(#init::Ones), quote!(Float)),
            StateInit::Value(0.0) => (quote!(#init::Zeros), quote!(Float)),
            StateInit::Value(value) => (quote!(#init::Constant(#value)), quote!(Float)),
            StateInit::Count => (quote!(#init::Zeros), quote!(Count)),
            StateInit::Buffer(init) => (init.clone(), quote!(Buffer)),
            StateInit::Nested { model, count } => {
                let describe = quote!(describe_state);
                let row = (count.as_ref(), first(*field));
                return module_row(&name, model, row, &describe, &quote!(STATE));
            }
        };
        tensor_row(&name, &state.shape, &quote!((#init, __private::StateKind::#kind)))
    });
    let table = quote!(__private::table);
    let describe_state = (!state.is_empty()).then(|| {
        quote! {
            fn describe_state(
                prefix: &str, start: usize, specs: &mut __private::Vec<__private::StateSpec>
            ) {
                #table::describe_state(Self::__STATE_TABLE, prefix, start, specs);
            }
        }
    });
    let state_table = (!state.is_empty())
        .then(|| quote!(const __STATE_TABLE: &'static [#table::StateRow] = &[#(#state_rows),*];));
    let absent = absent(model);
    let functions = functions(model);
    let (count, state_count) = (Index::from(params.len()), Index::from(state.len()));
    let checked = model.functions.is_some().then(|| checks::asked(model));
    let (owner, methods) = owner(model, &checked);
    let module = quote! {
        impl #impl_generics #ty {
            #params_at
            #state_at
            const __TABLE: &'static [#table::ParamRow] = &[#(#rows),*];
            #state_table
        }
        #[diagnostic::do_not_recommend]
        impl #impl_generics __private::Module for #ty {
            const PARAMS: usize = Self::__AT[#count];
            const STATE: usize = Self::__STATE_AT[#state_count];
            #absent
            #functions
            fn describe(prefix: &str, start: usize, specs: &mut __private::Vec<__private::ParamSpec>) {
                #checked
                #table::describe(Self::__TABLE, prefix, start, specs);
            }
            #describe_state
        }
        #owner
    };
    (module, methods)
}

/// The names of the functions, which models around it may call; of a model with mistakes they are
/// not known.
fn functions(model: &Model) -> Option<TokenStream> {
    let functions = model.functions.as_ref()?.iter().map(|function| function.name.to_string());
    let names = functions.map(|name| plain(&name).to_string());
    Some(quote! {
        const FUNCTIONS: __private::Option<&'static [&'static str]> = __private::Some(&[#(#names),*]);
    })
}

/// The places of the parameters that functions leave alone which train some of the fields.
fn absent(model: &Model) -> Option<TokenStream> {
    let functions = model.functions.iter().flatten().filter_map(|function| function.only.as_ref());
    let places = functions.map(|only| {
        let mut ranges: Vec<[usize; 2]> = Vec::new();
        for (place, (field, _)) in model.params.sorted().iter().enumerate() {
            match ranges.last_mut() {
                _ if only.contains(field) => {}
                Some(last) if last[1] == place => last[1] = place + 1,
                _ => ranges.push([place, place + 1]),
            }
        }
        let ranges = ranges.into_iter().map(|range| {
            let [start, end] = range.map(Index::from);
            quote!([Self::__AT[#start], Self::__AT[#end]])
        });
        quote!(&[#(#ranges),*])
    });
    let places: Vec<_> = places.collect();
    (!places.is_empty())
        .then(|| quote!(const ABSENT: &'static [&'static [[usize; 2]]] = &[#(#places),*];))
}

/// The places of tensors in their flat slice, and its length behind them. Behind a reference, since
/// code that is not optimised copies a constant array to the stack for each of its uses.
pub fn starts(name: &str, lens: impl ExactSizeIterator<Item = TokenStream>) -> TokenStream {
    let (name, count) = (format_ident!("{name}"), Index::from(lens.len()));
    let ends = lens.enumerate().map(|(k, len)| {
        let (k, next) = (Index::from(k), Index::from(k + 1));
        quote!(at[#next] = at[#k] + #len;)
    });
    let ends: Vec<_> = ends.collect();
    let mutable = (count.index > 0).then(|| quote!(mut));
    quote! {
        const #name: &'static [usize; #count + 1] = &{
            let #mutable at = [0; #count + 1];
            #(#ends)*
            at
        };
    }
}

/// A tensor in the tables of the runtime.
fn tensor_row(name: &str, shape: &Shape, kind: &TokenStream) -> TokenStream {
    let shape = shape.0.iter().map(Dim::tokens);
    quote! {
        __private::table::Row::Tensor { name: #name, shape: &[#(#shape),*], kind: #kind }
    }
}

/// A nested model, or a row of them with the number of the first.
fn module_row(
    name: &str,
    model: &TokenStream,
    (count, first): (Option<&Dim>, usize),
    describe: &TokenStream,
    size: &TokenStream,
) -> TokenStream {
    let module = quote!(<#model as __private::Module>);
    let count = match count.map(Dim::tokens) {
        None => quote!(None),
        Some(count) => {
            let first = Index::from(first);
            quote!(Some((#first, #count)))
        }
    };
    quote! {
        __private::table::Row::Module {
            name: #name, describe: #module::#describe, floats: #module::#size, count: #count,
        }
    }
}

fn owner(model: &Model, checked: &Option<TokenStream>) -> (TokenStream, TokenStream) {
    let (impl_generics, ty) = model.generics();
    if model.header.is_none() {
        return (TokenStream::new(), TokenStream::new());
    }
    if model.derived {
        let methods = quote! {
            #[allow(clippy::all)]
            #[automatically_derived]
            impl #impl_generics #ty {
                /// New parameters, drawn from `seed` by PyTorch's default initialisers.
                pub fn init(seed: __private::Seed) -> __private::Net<Self> {
                    #checked
                    __private::Net::init(seed)
                }
            }
        };
        return (TokenStream::new(), methods);
    }
    let views = views(model);
    let inner = quote! {
        impl #impl_generics __private::Model for #ty {
            type Module = Self;
            fn params(&self) -> &[f32] {
                &self.params.as_slice()[..<Self as __private::Module>::PARAMS]
            }
            fn params_mut(&mut self) -> &mut [f32] {
                &mut self.params.as_mut_slice()[..<Self as __private::Module>::PARAMS]
            }
            fn state(&self) -> &[f32] {
                &self.params.as_slice()[<Self as __private::Module>::PARAMS..]
            }
            fn state_mut(&mut self) -> &mut [f32] {
                &mut self.params.as_mut_slice()[<Self as __private::Module>::PARAMS..]
            }
            fn storage(&mut self) -> __private::Option<&mut __private::Storage> {
                Some(&mut self.params)
            }
            fn stored(&self) -> __private::Option<&__private::Storage> {
                Some(&self.params)
            }
            fn fetch(&self) -> __private::Result<(), __private::DeviceError> {
                self.params.fetch().map(|_| ())
            }
        }
    };
    let items = quote! {
        /// The number of parameters.
        pub const PARAMS: usize = { #checked <Self as __private::Module>::PARAMS };

        /// New parameters, drawn from `seed` by PyTorch's default initialisers.
        pub fn init(seed: __private::Seed) -> Self {
            #checked
            Self { params: __private::init_params::<Self>(seed) }
        }
    };
    let items = items_at(items, model.name().span());
    let methods = quote! {
        #[allow(clippy::all)]
        #[automatically_derived]
        impl #impl_generics #ty {
            #items
            #(#views)*
        }
    };
    (inner, methods)
}

/// What the user says of a field comes first, as a paragraph of its own.
fn docs(field: &Field) -> Option<TokenStream> {
    let docs = &field.docs;
    (!docs.is_empty()).then(|| quote!(#(#docs)* #[doc = ""]))
}

/// `net.position()` and `net.position_mut()`: a field that is a tensor itself, and from where to
/// where it lies.
fn tensor(
    model: &Model,
    field: &Field,
    (what, shape): (&str, &Shape),
    [start, end]: [TokenStream; 2],
) -> TokenStream {
    let (name, docs) = (&field.name, docs(field));
    let (ty, view) = view(model, shape, &start);
    let doc = format!("The {what} `{name}`, `{shape}`.");
    let change = method_mut(model, name, |name_mut| {
        quote! {
            pub fn #name_mut(&mut self) -> &mut #ty {
                __private::view::param_mut(&mut self.params, [#start, #end])
            }
        }
    });
    quote! {
        #change
        #docs
        #[doc = #doc]
        pub fn #name(&self) -> &#ty {
            #view
        }
    }
}

/// `net.fc1().weight()`, `net.bn1().running_mean()`, `net.position()`.
fn views(model: &Model) -> Vec<TokenStream> {
    let (params, state) = (model.params.sorted(), model.state.sorted());
    let fields = model.fields.iter().enumerate().filter_map(|(f, field)| {
        let name = &field.name;
        // One of several with this name: a mistake that is reported.
        let before = model.fields[..f].iter().map(|other| &other.name);
        if before.chain(model.interfaces.iter().map(|f| &f.name)).any(|other| other == name) {
            return None;
        }
        let docs = docs(field);
        // A row of layers has no view: their parameters go by their names.
        if matches!(field.decl, FieldDecl::Layers(..)) {
            return None;
        }
        let own: Vec<_> = params.iter().enumerate().filter(|(_, (owner, _))| *owner == f).collect();
        if own.iter().any(|(_, (_, param))| matches!(param.init, ParamInit::Nested { .. })) {
            return None;
        }
        if let [(k, (_, param))] = own[..]
            && param.name.is_empty()
        {
            let at = |k: usize| {
                let k = Index::from(k);
                quote!(Self::__AT[#k])
            };
            let tensor = tensor(model, field, ("parameter", &param.shape), [at(k), at(k + 1)]);
            return Some(items_at(tensor, name.span()));
        }
        let is_buffer = |(_, (owner, state)): &(usize, &&(usize, State))| {
            *owner == f && matches!(state.init, StateInit::Buffer(_))
        };
        if let Some((k, (_, buffer))) = state.iter().enumerate().find(is_buffer) {
            let at = |k: usize| {
                let k = Index::from(k);
                quote!(<Self as __private::Module>::PARAMS + Self::__STATE_AT[#k])
            };
            return Some(tensor(model, field, ("buffer", &buffer.shape), [at(k), at(k + 1)]));
        }
        let param = |name: &str| {
            let found = own.iter().find(|(_, (_, param))| param.name == name);
            found.map_or((quote!(()), quote!(&())), |(k, (_, param))| {
                view(model, &param.shape, &quote!(Self::__AT[#k]))
            })
        };
        let (weight_ty, weight) = param("weight");
        let (bias_ty, bias) = param("bias");
        let [weight_at, bias_at] = ["weight", "bias"]
            .map(|name| own.iter().find(|(_, (_, param))| param.name == name).map(|(k, _)| *k));
        let change = (weight_at.or(bias_at).is_some()).then(|| {
            let (weight_at, bias_at) = (place(weight_at), place(bias_at));
            method_mut(model, name, |name_mut| quote! {
                pub fn #name_mut(&mut self) -> __private::view::LayerMut<'_, #weight_ty, #bias_ty> {
                    __private::view::LayerMut::new(&mut self.params, #weight_at, #bias_at)
                }
            })
        });
        let statistics = ["running_mean", "running_var", "num_batches_tracked"].map(|name| {
            let own =
                |(_, (owner, state)): &(usize, &&(usize, State))| *owner == f && state.name == name;
            let (k, (_, state)) = state.iter().enumerate().find(own)?;
            let start = quote!(<Self as __private::Module>::PARAMS + Self::__STATE_AT[#k]);
            Some(view(model, &state.shape, &start))
        });
        let (ty, new) = match statistics {
            [Some((ty, mean)), Some((_, var)), Some((_, count))] => (
                quote!(__private::BatchNorm<'_, #weight_ty, #bias_ty, #ty>),
                quote!(__private::BatchNorm::new(#weight, #bias, #mean, #var, #count)),
            ),
            _ if own.is_empty() => return None,
            _ => (
                quote!(__private::Layer<'_, #weight_ty, #bias_ty>),
                quote!(__private::Layer::new(#weight, #bias)),
            ),
        };
        let doc = format!("The parameters of the layer `{name}`.");
        let view = quote! {
            #change
            #docs
            #[doc = #doc]
            pub fn #name(&self) -> #ty {
                #new
            }
        };
        Some(items_at(view, name.span()))
    });
    fields.collect()
}

/// From where to where a parameter lies; nowhere, where there is none.
fn place(param: Option<usize>) -> TokenStream {
    match param {
        Some(k) => {
            let (k, next) = (Index::from(k), Index::from(k + 1));
            quote!([Self::__AT[#k], Self::__AT[#next]])
        }
        None => quote!([0, 0]),
    }
}

/// `net.fc1_mut()`, beside `net.fc1()`, unless the name is one of the user's.
fn method_mut(
    model: &Model,
    field: &proc_macro2::Ident,
    method: impl FnOnce(proc_macro2::Ident) -> TokenStream,
) -> Option<TokenStream> {
    let name = format_ident!("{field}_mut");
    let taken = model.fields.iter().map(|field| &field.name);
    let taken = taken.chain(model.interfaces.iter().map(|f| &f.name)).any(|other| *other == name);
    let doc = format!("As `{field}`, to change.");
    (!taken).then(|| {
        let method = method(name);
        quote!(#[doc = #doc] #method)
    })
}

/// The type of a tensor and the reference to it, from its first float on.
fn view(model: &Model, shape: &Shape, start: &TokenStream) -> (TokenStream, TokenStream) {
    let len = shape.len().tokens();
    match view_of(shape, &model.generic_names()) {
        View::Array => {
            let view = quote!(__private::array(&self.params.as_slice()[#start..][..#len]));
            (array(&shape.0), view)
        }
        View::Number => (quote!(f32), quote!(&self.params.as_slice()[#start])),
        _ => (quote!([f32]), quote!(&self.params.as_slice()[#start..][..#len])),
    }
}
