//! Equal models in a row: a loop over their parameters.

use proc_macro2::TokenStream;

use super::Call;
use crate::dim::Dim;
use crate::graph::callee::{Given, GivenBack};
use crate::graph::{Kind, is_long};
use crate::hygiene::quote;
use crate::ops::{Emit, room};

impl Call {
    /// Floats for the gradients of the inputs that all models of a row share: those of each model
    /// where they are asked for, else those of one.
    pub(super) fn row_gradients(&self, count: &Dim) -> Dim {
        let shared = self.callee.args.iter().zip(&self.wanted).skip(1);
        shared.filter(|(ty, _)| ty.kind == Kind::Float).fold(Dim::lit(0), |sum, (ty, wanted)| {
            let len = ty.shape.len();
            sum.plus(&if wanted.is_some() { count.times(&len) } else { len })
        })
    }

    /// Whether a run keeps the values between the models in 16 bits.
    fn values_as_halves(&self) -> TokenStream {
        match is_long(&self.callee.results[0]) {
            true => quote!(target.are_halves()),
            false => quote!(false),
        }
    }

    pub(super) fn emit_row(&self, e: &Emit, count: &Dim) -> TokenStream {
        let [params, state, x] = [0, 1, 2].map(|i| e.x(i));
        let (floats, classes) = self.split(&e.input_vars[2..][..self.callee.args.len()]);
        let shared = &floats[1..];
        let (y, scratch) = (e.y(0), e.scratch());
        let count = count.tokens();
        let (size, state_size) = (self.callee.params().tokens(), self.callee.state().tokens());
        let value = self.callee.results[0].shape.len().tokens();
        let as_halves = self.values_as_halves();
        let given = |first: TokenStream, result: TokenStream, scratch: TokenStream| Given {
            params: quote!(#params.part(i * #size, #size)),
            state: quote!(#state.part(i * #state_size, #state_size)),
            args: [first].into_iter().chain(shared.iter().map(|v| (*v).clone())).collect(),
            classes: classes.iter().map(|v| (*v).clone()).collect(),
            results: vec![result],
            scratch,
        };
        if e.inference {
            // Two values are enough: the result and one between, taken in turns.
            let own = self.own_scratch(true).tokens();
            let len = self.callee.prepared().tokens();
            let cache_len = self.callee.size_of("cache").tokens();
            let (cache, prepared) = self.kept(e);
            let cache = match self.callee.is_step {
                true => quote!(#cache.part(i * #cache_len, #cache_len)),
                false => cache,
            };
            let given = given(quote!(from), quote!(at(i + 1)), quote!(#scratch.part(0, #own)));
            let prepared = quote!(#prepared.part(i * #len, #len));
            let run = self.callee.infer(&given, [&cache, &prepared]);
            return quote! {{
                let count = #count;
                let between = #scratch.values(#own, #value, #as_halves);
                for i in 0..count {
                    let at = |i: usize| if (count - i) % 2 == 0 { #y } else { between };
                    let from = if i == 0 { #x } else { at(i) };
                    k.item(i);
                    #run
                }
            }};
        }
        let (between, saved, new_state) = (e.y(1), self.saved(e), e.y(3));
        let memory = self.callee.size_of("saved").tokens();
        let run = self.callee.forward(
            &given(quote!(at(i)), quote!(at(i + 1)), scratch.clone()),
            [
                &quote!(#saved.part(i * #memory, #memory)),
                &quote!(#new_state.part(i * #state_size, #state_size)),
            ],
        );
        quote! {{
            let count = #count;
            for i in 0..count {
                let at = |i: usize| {
                    if i == 0 { #x } else if i == count { #y }
                    else { #between.part((i - 1) * #value, #value) }
                };
                k.item(i);
                #run
            }
        }}
    }

    pub(super) fn emit_row_grad(&self, e: &Emit, count: &Dim) -> TokenStream {
        let args = self.callee.args.len();
        let (params, x) = (e.x(0), e.x(1));
        let [y, between, saved, d_y] = [0, 1, 2, 3].map(|i| e.x(1 + args + i));
        let (floats, classes) = self.split(&e.input_vars[1..=args]);
        let shared = &floats[1..];
        let scratch = e.scratch();
        let (size, value) = (self.callee.params().tokens(), self.callee.results[0].shape.len());
        let memory = self.callee.size_of("saved").tokens();
        let own = self.own_scratch(false);
        let want = self.want();
        let (d_params, mut gradients) = self.gradients(e);
        let mut at = own.plus(&value.times(&Dim::lit(2)));
        let (own, value) = (own.tokens(), value.tokens());
        let as_halves = self.values_as_halves();
        // When the gradient of the first input is not asked for, that of another one may be.
        let d_x = match self.wanted[0].and_then(|_| gradients.next()) {
            Some(d_x) => d_x.clone(),
            None => quote!(#scratch.values(#own, #value, #as_halves)),
        };
        let (mut d_shared, mut sums) = (Vec::new(), Vec::new());
        let floats = self.callee.args.iter().zip(&self.wanted).skip(1);
        for (ty, wanted) in floats.filter(|(ty, _)| ty.kind == Kind::Float) {
            let each = ty.shape.len();
            let (start, len, all) = (at.tokens(), each.tokens(), count.times(&each));
            let Some(d_arg) = wanted.and_then(|_| gradients.next()) else {
                d_shared.push(quote!(#scratch.part(#start, #len)));
                at = at.plus(&each);
                continue;
            };
            d_shared.push(quote!(#scratch.part(#start + i * #len, #len)));
            let (reduce, rows, floats) = (room("reduce"), count.tokens(), all.tokens());
            sums.push(quote! {
                k.reduce(
                    #d_arg, #scratch.part(#start, #floats),
                    #reduce::sum([#rows, #len], [false, true]),
                );
            });
            at = at.plus(&all);
        }
        let sums = (!sums.is_empty()).then(|| quote!(if #want { #(#sums)* }));
        let count = count.tokens();
        let (state, state_size) = (self.state_of_grad(e), self.callee.state().tokens());
        let given = Given {
            params: quote!(#params.part(i * #size, #size)),
            state: quote!(#state.part(i * #state_size, #state_size)),
            args: [quote!(at(i))].into_iter().chain(shared.iter().map(|v| (*v).clone())).collect(),
            classes: classes.into_iter().cloned().collect(),
            results: vec![quote!(at(i + 1))],
            scratch: quote!(#scratch.part(0, #own)),
        };
        let back = GivenBack {
            want_inputs: quote!(i > 0 || #want),
            saved: quote!(#saved.part(i * #memory, #memory)),
            d_results: vec![quote!(d_at(i + 1))],
            d_params: part_of(self, &d_params, &size),
            d_args: [quote!(d_at(i))].into_iter().chain(d_shared).collect(),
        };
        let run = self.callee.backward(&given, &back);
        quote! {{
            let count = #count;
            for i in (0..count).rev() {
                let at = |i: usize| {
                    if i == 0 { #x } else if i == count { #y }
                    else { #between.part((i - 1) * #value, #value) }
                };
                let d_at = |i: usize| {
                    if i == 0 { #d_x } else if i == count { #d_y }
                    else { #scratch.values(#own + i % 2 * #value, #value, #as_halves) }
                };
                k.item(i);
                #run
            }
            #sums
        }}
    }
}

/// The gradients of the parameters of model `i`; nothing where nobody asks for them.
fn part_of(call: &Call, d_params: &TokenStream, size: &TokenStream) -> TokenStream {
    match call.callee.asked.trains {
        true => quote!(if want.params { #d_params.part(i * #size, #size) } else { m.nothing() }),
        false => d_params.clone(),
    }
}
