//! The Rust that users run. Per function a forward and a backward pass, flat, one line an
//! op; around them the methods that users call.

mod absent;
mod api;
mod body;
pub mod boundary;
mod budget;
mod calls;
mod chains;
mod checks;
mod constants;
mod editor;
mod function;
mod generics;
mod lens;
mod memory;
mod needs;
mod params;
mod prepared;
mod private;
mod profile;
mod runs;
mod step_methods;
mod stepwise;
mod stub;
mod summary;
mod writer;

use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote_spanned};

use crate::declared::{Arg, Fixed, Interface, Param, State, Tensor, Trained};
use crate::dim::{Atom, Dim};
use crate::graph::step::{Held, SIZES};
use crate::graph::{Callee, Deferred, Graph, Ty};
use crate::hygiene::quote;
use crate::mentions::Mentions;
use crate::names::plain;
use crate::passes::Form;
use crate::passes::plan::Plan;
use crate::syntax::{Field, Header, MOST_SIZES};

/// A function after the last phase.
#[derive(Debug)]
pub struct Function {
    pub name: Ident,
    pub args: Vec<Arg>,
    pub results: Vec<Ty>,
    /// The calls of other models, with sizes as they are written.
    pub calls: Vec<Callee>,
    /// Where gradients of the results get to, a `Flows` of the runtime.
    pub flows: TokenStream,
    /// Whether they reach a parameter: of a loss, its own.
    pub trains: bool,
    /// The fields that they go to, where these are not all.
    pub only: Option<HashSet<usize>>,
    /// What its run-time sizes have to be.
    pub needs: Vec<Deferred>,
    /// Inference alone.
    pub infer: (Graph, Plan),
    /// Forward and backward.
    pub train: (Graph, Plan),
    /// Inference of the next positions of sequences.
    pub step: Option<StepForm>,
}

impl Function {
    /// A form of the function, where it has it.
    pub fn planned(&self, form: Form) -> Option<(&Graph, &Plan)> {
        let (graph, plan) = match form {
            Form::Infer => &self.infer,
            Form::Step => return self.step.as_ref().map(|step| (&step.graph, &step.plan)),
            Form::Train => &self.train,
        };
        Some((graph, plan))
    }
}

/// A function on the next positions of its sequences.
#[derive(Debug)]
pub struct StepForm {
    /// The longest sequences.
    pub length: Dim,
    /// What it needs of the positions before, models in it aside.
    pub held: Held,
    pub graph: Graph,
    pub plan: Plan,
}

/// The tensors of a flat slice.
#[derive(Debug)]
pub struct Table<T> {
    /// With the field each belongs to, in the order of their first uses: by index.
    pub tensors: Vec<(usize, T)>,
    /// Index → place in the flat slice, where they lie in the order of the fields.
    pub order: Vec<usize>,
    /// Where the tensor at a place starts, up to the first of which that is no number.
    starts: Vec<usize>,
}

impl<T: Tensor> Table<T> {
    pub fn new(tensors: Vec<(usize, T)>) -> Self {
        let mut sorted: Vec<usize> = (0..tensors.len()).collect();
        sorted.sort_by_key(|index| (tensors[*index].0, tensors[*index].1.element()));
        let mut order = vec![0; sorted.len()];
        sorted.iter().enumerate().for_each(|(place, index)| order[*index] = place);
        let (mut starts, mut start) = (Vec::new(), Some(0_usize));
        for index in sorted {
            let Some(here) = start else { break };
            starts.push(here);
            start = tensors[index].1.elements().as_lit().and_then(|len| here.checked_add(len));
        }
        Self { tensors, order, starts }
    }

    /// Where the tensor at a place of the flat slice starts; the place where that is no number.
    pub fn start(&self, place: usize) -> Result<TokenStream, usize> {
        self.starts.get(place).map(|start| Dim::lit(*start).tokens()).ok_or(place)
    }

    /// In the order of the flat slice.
    pub fn sorted(&self) -> Vec<&(usize, T)> {
        let mut sorted: Vec<_> = self.tensors.iter().enumerate().collect();
        sorted.sort_by_key(|(index, _)| self.order[*index]);
        sorted.into_iter().map(|(_, tensor)| tensor).collect()
    }
}

/// A model after the last phase.
#[derive(Debug)]
pub struct Model<'a> {
    pub header: Option<&'a Header>,
    /// Whether the user's struct is there already (`#[derive(Module)]`).
    pub derived: bool,
    pub fields: &'a [Field],
    pub params: Table<Param>,
    pub state: Table<State>,
    pub constants: Vec<Fixed>,
    pub interfaces: Vec<Interface>,
    /// None when there were mistakes: a stub is emitted.
    pub functions: Option<Vec<Function>>,
    /// Of a derived model with mistakes, a type that is one of them.
    pub mistake: Option<TokenStream>,
    pub deferred: Vec<Deferred>,
    pub trained: Vec<Trained>,
    /// The constants of the program that are sizes, by the model's own names for them.
    pub bound: Vec<(Ident, TokenStream)>,
    pub mentions: Mentions,
}

impl Model<'_> {
    pub fn name(&self) -> Ident {
        match self.header {
            Some(header) => header.name.clone(),
            None => {
                let first = self.interfaces.first().map(|f| f.name.to_string());
                format_ident!("__{}", first.as_deref().map_or("functions", plain))
            }
        }
    }

    /// Who sees the model: of what stands for its functions, the same.
    pub fn vis(&self) -> TokenStream {
        let vis = self.header.map(|header| &header.vis);
        vis.map_or(quote!(pub), |vis| quote!(#vis))
    }

    /// The model's type where an item of it is named: `LeNet`, `<Block<D>>`.
    pub fn path(&self) -> TokenStream {
        let (_, given) = self.generic_lists();
        let name = self.name();
        if given.is_empty() { quote!(#name) } else { quote!(<#name #given>) }
    }

    /// What profiles call a function: `Mlp::loss`.
    pub fn called(&self, function: &impl std::fmt::Display) -> String {
        match self.header {
            Some(header) => {
                let (name, function) = (header.name.to_string(), function.to_string());
                format!("{}::{}", plain(&name), plain(&function))
            }
            None => plain(&function.to_string()).to_string(),
        }
    }

    /// The run-time sizes of all functions, by first appearance; of too many, the first.
    pub fn sizes(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let types = self.interfaces.iter().flat_map(|f| &f.args).map(|arg| &arg.ty);
        for atom in types.flat_map(|ty| ty.shape.0.iter().flat_map(Dim::atoms)) {
            if let Atom::Run(name) = atom
                && !names.contains(name)
            {
                names.push(name.clone());
            }
        }
        names.truncate(MOST_SIZES);
        names
    }

    /// The functions that train some of the fields alone, by their numbers.
    pub fn partial(&self) -> Vec<usize> {
        let functions = self.functions.iter().flatten().enumerate();
        functions.filter(|(_, function)| function.only.is_some()).map(|(at, _)| at).collect()
    }

    /// Run-time sizes by which a function is small or not: one sample, and of what varies within a
    /// sample, as much as small ones have.
    pub fn sample(&self) -> TokenStream {
        const WITHIN: usize = 32;
        let args = || self.interfaces.iter().flat_map(|f| &f.args);
        let varies = |name: &String| {
            let mut behind = args().flat_map(|arg| arg.ty.dims().iter().skip(1));
            behind.any(|dim| dim.as_run() == Some(name))
        };
        let sizes = self.sizes();
        if !sizes.iter().any(varies) {
            return quote!([1; 4]);
        }
        let known = sizes.iter().map(|name| if varies(name) { WITHIN } else { 1 });
        let known = known.chain(std::iter::repeat(1)).take(4).map(syn::Index::from);
        quote!([#(#known),*])
    }

    /// `let batch = n[0];`
    pub fn bind_sizes(&self) -> TokenStream {
        let lets = self.sizes().into_iter().enumerate().map(|(i, name)| {
            let name = crate::dim::run_ident(&name);
            let i = syn::Index::from(i);
            quote!(let #name = n[#i];)
        });
        quote!(#(#lets)*)
    }

    /// The same in a step, with the positions before and the new ones behind them.
    pub fn bind_step_sizes(&self) -> TokenStream {
        let (bind, count) = (self.bind_sizes(), self.sizes().len());
        let lets = SIZES.iter().enumerate().map(|(i, name)| {
            let (name, i) = (crate::dim::run_ident(name), syn::Index::from(count + i));
            quote!(let #name = n[#i];)
        });
        quote!(#bind #(#lets)*)
    }
}

/// The type of a function, of which the constant of the model (`function_value`) is the value: it
/// has no others, and methods for what models around this one ask.
pub fn function_type(function: &Ident) -> Ident {
    format_ident!("__fn_{}", function, span = Span::call_site())
}

/// The same for its step.
pub fn step_type(function: &Ident) -> Ident {
    format_ident!("__fn_STEP_{}", function, span = Span::call_site())
}

/// The constants of the program that are sizes, each once.
fn bound_sizes(model: &Model) -> TokenStream {
    let each = model.bound.iter().map(|(name, size)| {
        let span = syn::spanned::Spanned::span(size);
        let number = quote_spanned!(span=> (#size) as usize);
        let check = quote_spanned!(span=> __private::check::size_of_program(&(#size)));
        quote! {
            #[doc(hidden)]
            #[allow(
                dead_code, non_upper_case_globals, unused_parens, trivial_numeric_casts, clippy::all
            )]
            const #name: usize = {
                #check;
                #number
            };
        }
    });
    each.collect()
}

/// The whole expansion: what users and rustc's messages see, and behind it a scope of its own in
/// which `__private` is a name.
pub fn emit(model: &Model) -> TokenStream {
    let definition = params::definition(model);
    let (bound, checks) = (bound_sizes(model), checks::checks(model));
    let budget = budget::check(model);
    let (module, views) = params::module(model);
    let methods = api::methods(model);
    let chains = chains::Chains::new(model);
    let prepared = prepared::Values::new(model);
    let prepare = prepared::items(model, &prepared, &chains);
    let functions: Vec<_> = match &model.functions {
        Some(functions) => functions
            .iter()
            .enumerate()
            .map(|(at, f)| function::items(model, at, f, &chains, &prepared))
            .collect(),
        None => model.interfaces.iter().map(|f| stub::items(model, f)).collect(),
    };
    let constants = constants::items(model);
    let program = memory::program(model);
    let steps = stepwise::items(model, &chains, &prepared);
    let chains = chains.definitions();
    let absent = absent::functions(model);
    let seen = private::absolute(quote!(#bound #checks #budget #views #methods));
    let editor = editor::items(model);
    let functions = generics::with_values(model, quote!(#(#functions)*));
    quote! {
        #definition
        #seen
        #[doc(hidden)]
        #[allow(
            unused, non_snake_case, non_camel_case_types, non_upper_case_globals,
            missing_debug_implementations, clippy::all
        )]
        const _: () = {
            use ::gradiron::__private;
            #absent
            #chains
            #module
            #program
            #constants
            #prepare
            #functions
            #steps
        };
        #editor
    }
}
