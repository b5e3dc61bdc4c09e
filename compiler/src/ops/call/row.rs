//! Equal models in a row: a loop over their parameters.

use proc_macro2::TokenStream;

use super::Call;
use crate::dim::Dim;
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
        let (sizes, offsets, count) = (self.callee.sizes(), self.callee.offsets(), count.tokens());
        let (size, state_size) = (self.callee.params().tokens(), self.callee.state().tokens());
        let value = self.callee.results[0].shape.len().tokens();
        let as_halves = self.values_as_halves();
        if e.inference {
            // Two values are enough: the result and one between, taken in turns.
            let (infer, own) = (self.callee.item("infer"), self.own_scratch(true).tokens());
            let len = self.callee.prepared().tokens();
            let cache_len = self.callee.size_of("cache").tokens();
            let behind = 2 + self.callee.args.len();
            let (cache, prepared) = match self.callee.is_step {
                true => {
                    let cache = e.x(behind);
                    (quote!(#cache.part(i * #cache_len, #cache_len),), e.x(behind + 1))
                }
                false => (quote!(), e.x(behind)),
            };
            return quote! {{
                let count = #count;
                let between = #scratch.values(#own, #value, #as_halves);
                for i in 0..count {
                    let at = |i: usize| if (count - i) % 2 == 0 { #y } else { between };
                    let from = if i == 0 { #x } else { at(i) };
                    k.item(i);
                    #infer(k, #sizes, #offsets, #params.part(i * #size, #size),
                        #state.part(i * #state_size, #state_size), [from, #(#shared),*],
                        [#(#classes),*], [at(i + 1)],
                        #cache #prepared.part(i * #len, #len), #scratch.part(0, #own));
                }
            }};
        }
        let train = self.callee.item("train");
        let [between, saved, new_state] = [1, 2, 3].map(|i| e.y(i));
        let memory = self.callee.size_of("saved").tokens();
        quote! {{
            let count = #count;
            for i in 0..count {
                let at = |i: usize| {
                    if i == 0 { #x } else if i == count { #y }
                    else { #between.part((i - 1) * #value, #value) }
                };
                k.item(i);
                #train(k, #sizes, #offsets, #params.part(i * #size, #size),
                    #state.part(i * #state_size, #state_size), [at(i), #(#shared),*],
                    [#(#classes),*], [at(i + 1)],
                    #saved.part(i * #memory, #memory),
                    #new_state.part(i * #state_size, #state_size), #scratch);
            }
        }}
    }

    pub(super) fn emit_row_grad(&self, e: &Emit, count: &Dim) -> TokenStream {
        let args = self.callee.args.len();
        let (params, x) = (e.x(0), e.x(1));
        let [y, between, saved, d_y] = [0, 1, 2, 3].map(|i| e.x(1 + args + i));
        let (floats, classes) = self.split(&e.input_vars[1..=args]);
        let shared = &floats[1..];
        let (d_params, scratch) = (e.y(0), e.scratch());
        let (sizes, offsets) = (self.callee.sizes(), self.callee.offsets());
        let (size, value) = (self.callee.params().tokens(), self.callee.results[0].shape.len());
        let memory = self.callee.size_of("saved").tokens();
        let (back, own) = (self.callee.item("back"), self.own_scratch(false));
        let want = self.want();
        let mut gradients = e.output_vars[1..].iter();
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
                k.reduce(#d_arg, #scratch.part(#start, #floats), #reduce::ReduceSpec {
                    dims: [#rows, #len],
                    kept: [false, true],
                    kind: #reduce::ReduceKind::Sum,
                    scale: 1.0,
                });
            });
            at = at.plus(&all);
        }
        let sums = (!sums.is_empty()).then(|| quote!(if #want { #(#sums)* }));
        let count = count.tokens();
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
                #back(k, #sizes, #offsets, i > 0 || #want, #params.part(i * #size, #size),
                    [at(i), #(#shared),*], [#(#classes),*],
                    [at(i + 1)], #saved.part(i * #memory, #memory), [d_at(i + 1)],
                    #d_params.part(i * #size, #size), [d_at(i), #(#d_shared),*],
                    #scratch.part(0, #own));
            }
            #sums
        }}
    }
}
