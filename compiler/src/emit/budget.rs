//! `#[budget(…)]` as constants that fail at the user's number. Nothing is made for models without.

use std::collections::BTreeSet;

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::{Index, LitStr};

use super::function::{Rows, callees, run};
use super::{Function, Model};
use crate::graph::callee::function_value;
use crate::graph::{Graph, Node};
use crate::hygiene::quote;
use crate::names::plain;
use crate::ops::variant;
use crate::outline;
use crate::passes::Form;
use crate::passes::plan::Plan;
use crate::syntax::{Budget, Figure, Limit};
use crate::text::text_of;

/// What is no layer's.
const RESULTS: &str = "results";
const PREPARED: &str = "prepared weights";
const INDICES: &str = "class indices";
const STEP: &str = "a step";

fn of<'a>(model: &Model<'a>) -> Option<&'a Budget> {
    model.header?.budget.as_ref()
}

/// The layer of a node: of fused ones, that of the first.
fn layer(node: &Node) -> String {
    let first = node.label.split(" → ").next().unwrap_or_default();
    // The layers of a row are one.
    let field = first.split('[').next().unwrap_or_default();
    format!("`{}`", outline::name(field))
}

/// How many layers there may be.
fn count(model: &Model) -> Index {
    let graphs = model.functions.iter().flatten().flat_map(|f| [&f.infer.0, &f.train.0]);
    let nodes = graphs.flat_map(|graph| &graph.nodes).map(layer);
    let fields = model.fields.iter().map(|field| field_name(&field.name));
    let others = [RESULTS, PREPARED, INDICES, STEP].map(String::from);
    Index::from(nodes.chain(fields).chain(others).collect::<BTreeSet<_>>().len())
}

fn field_name(field: &Ident) -> String {
    format!("`{}`", plain(&field.to_string()))
}

/// What each layer has of the memory and of the operations of a function.
pub fn shares(model: &Model, function: &Function) -> Option<TokenStream> {
    of(model)?;
    let [infer, train] = [(Form::Infer, &function.infer), (Form::Train, &function.train)]
        .map(|(form, (graph, plan))| share(model, form, (graph, plan)));
    let graph = &function.infer.0;
    let flops = run(graph).map(|node| {
        let (layer, flops) = (layer(node), outline::flops(graph, node).saturating_tokens());
        quote!(shares.add(#layer, #flops);)
    });
    let (bind, nested) = (model.bind_sizes(), callees(graph).into_iter());
    let nested = nested.map(|callee| callee.stated(&["flops"]));
    Some(quote! {
        const fn share_floats<const LAYERS__: usize>(
            self, n: __private::Sizes, pass: __private::Pass, target: __private::Target,
            shares: &mut __private::check::Shares<LAYERS__>,
        ) {
            let want = match pass {
                __private::Pass::Step => {
                    return shares.add_floats(#STEP, Self.floats(n, pass, target));
                }
                __private::Pass::Infer | __private::Pass::Grad => __private::Want::PARAMS,
                __private::Pass::GradInputs => __private::Want::ALL,
                __private::Pass::Training => __private::Want::NOTHING,
            };
            shares.add_floats(#RESULTS, Self.lens(n).floats(pass, 0));
            match pass {
                __private::Pass::Infer => { #infer }
                _ => { #train }
            }
        }
        const fn share_flops<const LAYERS__: usize>(
            self, n: __private::Sizes, shares: &mut __private::check::Shares<LAYERS__>,
        ) {
            #bind
            #(#nested)*
            #(#flops)*
        }
    })
}

/// What each layer has of the planned memory at its fullest moment.
fn share(model: &Model, form: Form, (graph, plan): (&Graph, &Plan)) -> TokenStream {
    let Rows { bind, rows, lens, nested } = Rows::new(model, form, (graph, plan));
    let layers = plan.buffers.iter().map(|buffer| layer(&graph.nodes[buffer.first]));
    quote! {
        #bind
        if __private::are_too_large(#lens) {
            return;
        }
        #nested
        __private::share(&[#(#rows),*], &[#(#layers),*], target, want, shares);
    }
}

/// A constant for each limit, around them one for the memory that several of them look at.
pub fn check(model: &Model) -> Option<TokenStream> {
    let (budget, functions) = (of(model)?, model.functions.as_ref()?);
    let names = model.sizes();
    let stated: Vec<_> = names.iter().filter_map(|name| budget.size(name)).collect();
    let sizes = Sizes {
        name: names.first().map(|name| plain(name)),
        text: names
            .iter()
            .zip(&stated)
            .map(|(name, size)| format!("{} = {}", plain(name), text_of(size)))
            .collect::<Vec<_>>()
            .join(", "),
        given: stated.iter().map(|size| quote!(#size)).collect(),
    };
    let is_of_memory = |limit: &Limit| matches!(limit.figure, Figure::Train | Figure::Infer);
    let footprint = budget.limits.iter().any(is_of_memory).then(|| {
        let footprint = footprint(model, &sizes.given);
        quote!(const FOOTPRINT__: __private::Footprint = #footprint;)
    });
    let limits = budget.limits.iter().map(|limit| check_limit(model, functions, &sizes, limit));
    let limits: Vec<_> = limits.collect();
    Some(quote! {
        // Plans of large models take rustc some time.
        #[allow(long_running_const_eval)]
        const _: () = {
            #footprint
            #(#limits)*
        };
    })
}

/// The run-time sizes of a budget.
struct Sizes<'a> {
    /// The first, which a smaller one is looked for.
    name: Option<&'a str>,
    /// `batch = 32, t = 16`
    text: String,
    given: Vec<TokenStream>,
}

fn footprint(model: &Model, sizes: &[TokenStream]) -> TokenStream {
    let path = model.path();
    quote!(#path::footprint(#(#sizes,)* __private::Target::Host))
}

fn check_limit(model: &Model, functions: &[Function], sizes: &Sizes, limit: &Limit) -> TokenStream {
    let (path, count) = (model.path(), count(model));
    let Sizes { name, text, given } = sizes;
    let takes = |footprint: TokenStream, sizes: &[TokenStream]| match limit.figure {
        Figure::Train => quote!(#footprint.train),
        Figure::Infer => quote!(#footprint.infer),
        Figure::Flops => quote!(#path::flops(#(#sizes),*)),
        Figure::Params => quote!(<#path as __private::Module>::PARAMS),
    };
    let found = takes(quote!(FOOTPRINT__), given);
    let memory = Memory::of(model, functions, limit.figure);
    let shares = shares_of(model, functions, (limit.figure, memory.as_ref()));
    let (most, shown) = (Index::from(limit.most), LitStr::new(&limit.text, limit.span));
    let is_of_run = limit.figure.is_of_run();
    let smaller = match name.zip(given.first()).filter(|_| is_of_run) {
        None => quote!(None),
        Some((name, size)) => {
            let rest = given[1..].iter().cloned();
            let smaller: Vec<_> = [quote!(size)].into_iter().chain(rest).collect();
            let whole = takes(footprint(model, &smaller), &smaller);
            // Of memory, the search looks at one pass alone: plans take time.
            let (start, look) = match &memory {
                None => (quote!(new(#size, found, #most)), whole.clone()),
                Some(memory) => {
                    let (n, floats) =
                        (sizes_of(&smaller), memory.of_largest(&quote!(floats), &quote!()));
                    let bytes = quote!(__private::times(#floats, 4));
                    (quote!(of_pass(#size, found, #most, largest.bytes)), quote!({ #n #bytes }))
                }
            };
            quote! {{
                let mut fits = __private::check::Fits::#start;
                while let Some(size) = fits.next() {
                    fits.see(#look);
                }
                let size = fits.best();
                __private::Some(__private::check::Smaller { name: #name, size, found: #whole })
            }}
        }
    };
    let who = match limit.figure {
        Figure::Flops => model.called(&functions[0].name),
        _ => plain(&model.name().to_string()).to_string(),
    };
    let figure = variant(&limit.figure);
    let text = if is_of_run { text.as_str() } else { "" };
    let over = quote! {
        __private::check::Over {
            who: #who, figure: __private::check::Figure::#figure, found, most: #most,
            budget: #shown, sizes: #text,
        }
    };
    let all = quote!(over, &shares, smaller);
    let fail = quote_spanned!(limit.span=> __private::check::Over::fail(#all));
    let n = is_of_run.then(|| sizes_of(given));
    quote! {
        const _: () = {
            #n
            let found = #found;
            if found > #most {
                let mut shares = __private::check::Shares::<#count>::new();
                #shares
                let smaller = #smaller;
                let over = #over;
                #fail
            }
        };
    }
}

/// `let n = [32, 1, 1, 1];`
fn sizes_of(given: &[TokenStream]) -> TokenStream {
    let ones = (given.len()..4).map(|_| quote!(1));
    quote!(let n: __private::Sizes = [#(#given,)* #(#ones),*];)
}

/// The passes that a figure of memory is about.
struct Memory {
    /// The functions: `LeNet::__forward`.
    functions: Vec<TokenStream>,
    passes: Vec<TokenStream>,
}

impl Memory {
    fn of(model: &Model, functions: &[Function], figure: Figure) -> Option<Self> {
        let passes: &[&str] = match figure {
            Figure::Train => &["Infer", "Step", "Grad", "GradInputs", "Training"],
            Figure::Infer => &["Infer", "Step"],
            Figure::Flops | Figure::Params => return None,
        };
        let passes = passes.iter().map(|pass| {
            let pass = format_ident!("{pass}");
            quote!(__private::Pass::#pass)
        });
        let path = model.path();
        let functions = functions.iter().map(|function| {
            let value = function_value(&function.name);
            quote!(#path::#value)
        });
        Some(Self { functions: functions.collect(), passes: passes.collect() })
    }

    /// Binds `target` and `largest`.
    fn bind(&self) -> TokenStream {
        let Self { functions, passes } = self;
        let floats =
            functions.iter().map(|function| quote!([#(#function.floats(n, #passes, target)),*]));
        quote! {
            let target = __private::Target::Host;
            let largest = __private::check::Largest::of(&[#(#floats),*], [#(#passes),*]);
        }
    }

    /// A call of a method of the largest function, for its largest pass, with `more` behind that.
    fn of_largest(&self, method: &TokenStream, more: &TokenStream) -> TokenStream {
        let (last, others) = self.functions.split_last().expect("a model has a function");
        let numbers = (0..others.len()).map(Index::from);
        let given = quote!(n, largest.pass, target, #more);
        quote! {
            match largest.function {
                #(#numbers => #others.#method(#given),)*
                _ => #last.#method(#given),
            }
        }
    }
}

/// Fills in what is each layer's.
fn shares_of(
    model: &Model,
    functions: &[Function],
    (figure, memory): (Figure, Option<&Memory>),
) -> TokenStream {
    let path = model.path();
    let fields = model.params.sorted().into_iter().enumerate().map(|(place, (field, _))| {
        let [place, next] = [place, place + 1].map(Index::from);
        (field_name(&model.fields[*field].name), quote!(#path::__AT[#next] - #path::__AT[#place]))
    });
    let values = functions.iter().map(|function| function_value(&function.name));
    let Some(memory) = memory else {
        let adds = fields.map(|(name, len)| quote!(shares.add(#name, #len);));
        let (first, adds) = (function_value(&functions[0].name), adds.collect::<TokenStream>());
        return match figure {
            Figure::Flops => quote!(#path::#first.share_flops(n, &mut shares);),
            _ => adds,
        };
    };
    let gradients = fields.map(|(name, len)| quote!(shares.add_floats(#name, #len);));
    let gradients = (figure == Figure::Train).then(|| gradients.collect::<TokenStream>());
    let (bind, planned) =
        (memory.bind(), memory.of_largest(&quote!(share_floats), &quote!(&mut shares)));
    quote! {
        #bind
        #planned;
        #gradients
        shares.add_floats(#INDICES, __private::max(&[
            #(__private::sum(&#path::#values.lens(n).classes)),*
        ]));
        shares.add_floats(#PREPARED, #path::__PREPARED.host.floats);
    }
}
