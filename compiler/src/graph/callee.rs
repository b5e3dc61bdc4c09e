//! A function of another model, as nodes that call it know it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::format_ident;

use super::{Phase, Ty, step};
use crate::dim::Dim;
use crate::hygiene::{quote, variable};

/// The constant of a model that stands for one of its functions: `__forward`. What models around
/// this one ask of the function are its methods.
pub fn function_value(function: &Ident) -> Ident {
    // `call_site`: the user's token would draw the compiler's messages about generated code to it.
    format_ident!("__{}", function, span = Span::call_site())
}

/// The same for its step.
pub fn step_value(function: &Ident) -> Ident {
    format_ident!("__STEP_{}", function, span = Span::call_site())
}

/// The methods that a step has for itself.
const OF_STEPS: [&str; 9] = [
    "axes",
    "bind",
    "cache",
    "held",
    "infer",
    "infer_offsets",
    "infer_scratch",
    "infer_table",
    "length",
];

/// What a run with a backward pass takes in its two blocks.
const BLOCKS: [&str; 2] = ["saved", "scratch"];

/// What a call of any pass is given.
pub struct Given {
    pub params: TokenStream,
    pub state: TokenStream,
    pub args: Vec<TokenStream>,
    pub classes: Vec<TokenStream>,
    pub results: Vec<TokenStream>,
    pub scratch: TokenStream,
}

/// How far the gradients of a call's arguments go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Nothing,
    /// To float arguments of the function alone.
    Inputs,
    /// To parameters.
    Params,
}

/// Which gradients of a call are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Those of its parameters.
    pub trains: bool,
    /// Those of its arguments.
    pub reach: Reach,
}

impl Asked {
    /// By those of the parameters and of the arguments; nothing where no gradient comes to it.
    pub fn of(wanted: Option<(Option<Phase>, &[Option<Phase>])>) -> Self {
        let Some((params, args)) = wanted else {
            return Self { trains: false, reach: Reach::Nothing };
        };
        let reach = match args.iter().flatten().min() {
            None => Reach::Nothing,
            Some(Phase::BackwardInputs) => Reach::Inputs,
            Some(_) => Reach::Params,
        };
        Self { trains: params.is_some(), reach }
    }
}

/// What a call of a backward pass is given beside.
pub struct GivenBack {
    /// Whether gradients of the arguments are asked for.
    pub want_inputs: TokenStream,
    pub saved: TokenStream,
    pub d_results: Vec<TokenStream>,
    pub d_params: TokenStream,
    pub d_args: Vec<TokenStream>,
}

/// The function that is called.
#[derive(Clone, Debug)]
pub struct Callee {
    /// Tells the calls of one function apart.
    pub id: usize,
    /// The model's type: `Block<128>`.
    pub model: TokenStream,
    pub text: String,
    /// `forward`
    pub function: Ident,
    /// How many models in a row: the output of one is the first input of the next, and the other
    /// inputs are given to each.
    pub count: Option<Dim>,
    /// What it is given; by their sizes it knows its run-time sizes.
    pub args: Vec<Ty>,
    pub results: Vec<Ty>,
    /// Whether the macro knows its shapes, and has compared them.
    pub is_known: bool,
    /// Whether the next positions of sequences are computed.
    pub is_step: bool,
    /// Of one that is called for each position of sequences, with states that it made at the one
    /// before: how many results it has in front of these.
    pub scans: Option<usize>,
    /// Whether its parameters are held fixed, so that it runs as in inference wherever that differs.
    pub frozen: bool,
    /// Which gradients are asked for.
    pub asked: Asked,
}

impl Callee {
    /// What the callee says of itself, a method of its function: `<Block<128>>::__forward.saved`. A
    /// step has its own form of what inference has.
    pub fn item(&self, item: &str) -> TokenStream {
        let (model, method) = (&self.model, format_ident!("{item}"));
        let function = match self.is_step && OF_STEPS.contains(&item) {
            true => step_value(&self.function),
            false => function_value(&self.function),
        };
        quote!(<#model>::#function.#method)
    }

    /// A call of its pass of inference.
    pub fn infer(&self, given: &Given, [cache, prepared]: [&TokenStream; 2]) -> TokenStream {
        let (pass, shared) = (self.item("infer"), self.given(given));
        let scratch = &given.scratch;
        quote! {
            #pass(k, __private::Infer {
                #shared, cache: #cache, prepared: #prepared, scratch: #scratch,
            });
        }
    }

    /// A call of its forward pass of training.
    pub fn forward(&self, given: &Given, [saved, new_state]: [&TokenStream; 2]) -> TokenStream {
        let (pass, shared) = (self.item("train"), self.given(given));
        let (scratch, want) = (&given.scratch, self.want());
        quote! {
            #pass(k, __private::Forward {
                want: #want, #shared, saved: #saved, new_state: #new_state, scratch: #scratch,
            });
        }
    }

    /// A call of its backward pass.
    pub fn backward(&self, given: &Given, back: &GivenBack) -> TokenStream {
        let (pass, n, offsets) = (self.item("back"), self.sizes(), self.offsets());
        let Given { params, state, args, classes, results, scratch } = given;
        let GivenBack { want_inputs, saved, d_results, d_params, d_args } = back;
        let (trains, frozen) = (self.asked.trains, self.frozen);
        quote! {
            #pass(k, __private::Backward {
                n: #n, offsets: #offsets, want: want.of_back(#trains, #want_inputs, #frozen),
                params: #params, state: #state,
                args: [#(#args),*], classes: [#(#classes),*], results: [#(#results),*],
                saved: #saved, d_results: [#(#d_results),*], d_params: #d_params,
                d_args: [#(#d_args),*], scratch: #scratch,
            });
        }
    }

    fn given(&self, given: &Given) -> TokenStream {
        let (n, offsets) = (self.sizes(), self.offsets());
        let Given { params, state, args, classes, results, .. } = given;
        quote! {
            n: #n, offsets: #offsets, params: #params, state: #state, args: [#(#args),*],
            classes: [#(#classes),*], results: [#(#results),*]
        }
    }

    /// What it is asked for, in a function that is asked for `want`.
    pub fn want(&self) -> TokenStream {
        let Asked { trains, reach } = self.asked;
        let (frozen, reach) = (self.frozen, format_ident!("{reach:?}"));
        quote!(want.of_call(#trains, __private::Reach::#reach, #frozen))
    }

    /// The callee's run-time sizes.
    pub fn sizes(&self) -> TokenStream {
        self.sizes_by(Dim::tokens)
    }

    fn sizes_by(&self, tokens: impl Fn(&Dim) -> TokenStream) -> TokenStream {
        let args = self.args.iter().map(|ty| {
            let sizes = ty.dims().iter().map(&tokens);
            quote!(&[#(#sizes),*])
        });
        let bind = self.item("bind");
        if self.is_step {
            let (past, new) = (step::past().tokens(), step::new().tokens());
            return quote!(#bind(&[#(#args),*], #past, #new));
        }
        quote!(#bind(&[#(#args),*]))
    }

    /// What its sizes do not meet, of which `of` knows those that are known.
    pub fn unmet(&self, of: impl Fn(&Dim) -> TokenStream) -> TokenStream {
        // A step is asked for the sizes of the whole.
        debug_assert!(!self.is_step);
        let (unmet, sizes) = (self.item("unmet"), self.sizes_by(of));
        quote!(#unmet(#sizes))
    }

    /// A size that the callee states: a variable, see [`Callee::stated`] and [`Callee::planned`].
    pub fn size_of(&self, item: &str) -> Dim {
        let variable = self.size_variable(item);
        let text = format!("{}::{}.{item}#{}", self.text, self.function, self.id);
        Dim::expr(text, quote!(#variable))
    }

    fn size_variable(&self, item: &str) -> Ident {
        variable!("{item}_{}", self.id)
    }

    /// Binds sizes of the callee as it states them for its present run-time sizes.
    pub fn stated(&self, items: &[&str]) -> TokenStream {
        let lets = items.iter().map(|item| {
            let (variable, call) = (self.size_variable(item), self.item(item));
            let sizes = self.sizes_by(Dim::saturating_tokens);
            match *item {
                // Both follow from one plan.
                "blocks" => {
                    let [saved, scratch] = BLOCKS.map(|block| self.size_variable(block));
                    let want = self.want();
                    quote!(let [#saved, #scratch] = #call(#sizes, #want, target);)
                }
                "infer_scratch" => quote!(let #variable = #call(#sizes, target);),
                _ => quote!(let #variable = #call(#sizes);),
            }
        });
        quote!(#(#lets)*)
    }

    /// Binds the callee's memory as it was planned, at the workspace's capacity: its offsets lie
    /// in this much, however small the present run-time sizes are.
    pub fn planned(&self, inference: bool) -> TokenStream {
        let offsets = self.offsets();
        let items: &[&str] = if inference { &["infer_scratch"] } else { &BLOCKS };
        let lets = items.iter().enumerate().map(|(at, item)| {
            let variable = self.size_variable(item);
            quote!(let #variable = #offsets[#at];)
        });
        let cache = if self.is_step { self.stated(&["cache"]) } else { quote!() };
        quote!(#(#lets)* #cache)
    }

    /// The variable that holds the callee's part of the offsets.
    pub fn offsets(&self) -> Ident {
        variable!("offsets_{}", self.id)
    }

    /// What the callee says of the gradient of input `at` of a call: of its parameters, or of an
    /// argument.
    pub fn flow(&self, at: usize) -> Option<TokenStream> {
        let flows = self.item("flows");
        match (at, &self.count) {
            (0, None) => Some(quote!(#flows().dead.is_none())),
            // Through the models behind it to those in front.
            (0, Some(count)) => {
                let count = count.tokens();
                Some(quote!((#flows().dead.is_none() & (#count == 1 || #flows().arg(0)))))
            }
            _ => at.checked_sub(2).map(|arg| quote!(#flows().arg(#arg))),
        }
    }

    /// The number of parameters of one model.
    pub fn params(&self) -> Dim {
        let model = &self.model;
        Dim::expr(format!("{}::PARAMS", self.text), quote!(<#model as __private::Module>::PARAMS))
    }

    /// The floats of the state of one model.
    pub fn state(&self) -> Dim {
        let model = &self.model;
        Dim::expr(format!("{}::STATE", self.text), quote!(<#model as __private::Module>::STATE))
    }

    /// The floats that one model prepares.
    pub fn prepared(&self) -> Dim {
        let model = &self.model;
        Dim::expr(
            format!("{}::PREPARED", self.text),
            quote!(<#model>::__PREPARED.of(on_host).floats),
        )
    }

    /// How many models are called in a row, at least 1.
    pub fn len(&self) -> Dim {
        self.count.clone().unwrap_or(Dim::lit(1))
    }
}
