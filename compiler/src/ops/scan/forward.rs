//! The loop of a scan, in inference and in the forward pass of training.

use proc_macro2::TokenStream;

use super::{Role, Scan, Scratch, numbered};
use crate::dim::Dim;
use crate::graph::callee::Given;
use crate::graph::step;
use crate::hygiene::quote;
use crate::ops::Emit;

impl Scan {
    /// What of its sequences the step `step` has: `let in_0 = x.part(step * 32, 32);`, results too.
    pub(super) fn parts(&self, kind: &str, all: &[TokenStream], lens: &[Dim]) -> TokenStream {
        let names = numbered(kind, all.len());
        let lens: Vec<_> = lens.iter().map(Dim::tokens).collect();
        quote!(#(let #names = #all.part(step * #lens, #lens);)*)
    }

    /// The floats and the class indices that the model is given: those of `floats` by the number of
    /// the argument, what is around as it is.
    pub(super) fn given(
        &self,
        around: &dyn Fn(usize) -> TokenStream,
        mut float: impl FnMut(usize, Role) -> TokenStream,
    ) -> [Vec<TokenStream>; 2] {
        let (mut floats, mut classes) = (Vec::new(), Vec::new());
        for (arg, role) in self.roles.iter().enumerate() {
            match (role, self.is_float(arg)) {
                (Role::Around, true) => floats.push(around(arg)),
                (_, false) => classes.push(around(arg)),
                _ => floats.push(float(arg, *role)),
            }
        }
        [floats, classes]
    }

    /// The arguments that are sequences, by their numbers.
    pub(super) fn sequences(&self) -> Vec<usize> {
        (0..self.roles.len()).filter(|arg| self.roles[*arg] == Role::Step).collect()
    }

    /// The number of an argument among the sequences.
    pub(super) fn sequence_at(&self, arg: usize) -> usize {
        self.roles[..arg].iter().filter(|role| **role == Role::Step).count()
    }

    /// One call of the forward pass: into `to` by way of `scratch` where sequences end earlier.
    fn held(
        &self,
        scratch: &mut Scratch,
        e: &Emit,
        [made, from, to]: [&[TokenStream]; 3],
        call: impl FnOnce(Vec<TokenStream>) -> TokenStream,
    ) -> TokenStream {
        if !self.lengths {
            return call([made, to].concat());
        }
        let new_made: Vec<_> = self.made_lens().iter().map(|len| scratch.take(len)).collect();
        let new: Vec<_> = self.state_lens().iter().map(|len| scratch.take(len)).collect();
        let lengths = e.x(self.lengths_at());
        let run = call([new_made.clone(), new.clone()].concat());
        quote! {
            #run
            #(k.advance(#made, #new_made, #made.part(0, 0), #lengths, step);)*
            #(k.advance(#to, #new, #from, #lengths, step);)*
        }
    }

    pub(super) fn emit_infer(&self, e: &Emit) -> TokenStream {
        let (params, state) = (e.x(0), e.x(1));
        let (steps, step) = (self.seq_len.tokens(), self.turned(&quote!(i)));
        let mut scratch = Scratch::new(e.scratch());
        let own = scratch.take(&self.own_scratch(true));
        let between: Vec<_> = self.state_lens().iter().map(|len| scratch.take(len)).collect();
        let prepared = &e.input_vars[e.input_vars.len() - 1];
        let states = self.states();
        let firsts: Vec<_> = (0..states).map(|k| e.x(2 + self.place(k)).clone()).collect();
        let caches = &e.input_vars[self.lengths_at() + usize::from(self.lengths)..];
        // Two values of a state are enough: the last one and one between, taken in turns.
        let last = &e.output_vars[self.made()..][..states];
        let at = |k: usize, i: TokenStream| {
            let begin = if self.next { &caches[k] } else { &firsts[k] };
            let (last, between) = (&last[k], &between[k]);
            quote! {
                if #i == 0 { #begin } else if (steps - #i) % 2 == 0 { #last } else { #between }
            }
        };
        let from: Vec<_> = (0..states).map(|k| at(k, quote!(i))).collect();
        let to: Vec<_> = (0..states).map(|k| at(k, quote!((i + 1)))).collect();
        let [froms, tos] = ["from", "to"].map(|kind| numbered(kind, states));
        let (xs, ys) =
            (self.xs(e), self.parts("out", &e.output_vars[..self.made()], &self.made_lens()));
        let [args, classes] = self.args(e, |k| froms[k].clone());
        let made = numbered("out", self.made());
        let run = self.held(&mut scratch, e, [&made, &froms, &tos], |results| {
            let (params, state) = (params.clone(), state.clone());
            let given = Given { params, state, args, classes, results, scratch: own };
            self.callee.infer(&given, [&quote!(m.nothing()), prepared])
        });
        let (before, after) = match self.next && states > 0 {
            true => {
                let past = step::past().tokens();
                let caches = &caches[..states];
                let first = quote!(if #past == 0 { #(k.copy(#caches, #firsts);)* });
                (first, quote!(#(k.copy(#caches, #last);)*))
            }
            false => (quote!(), quote!()),
        };
        quote! {{
            let steps = #steps;
            #before
            for i in 0..steps {
                let step = #step;
                #xs
                #ys
                #(let #froms = #from;)*
                #(let #tos = #to;)*
                k.item(step);
                #run
            }
            #after
        }}
    }

    /// `let in_0 = x.part(step * 32, 32);`
    fn xs(&self, e: &Emit) -> TokenStream {
        let sequences = self.sequences();
        let all: Vec<_> = sequences.iter().map(|arg| e.x(2 + arg).clone()).collect();
        let lens: Vec<_> = sequences.iter().map(|arg| self.arg_len(*arg)).collect();
        self.parts("in", &all, &lens)
    }

    /// The floats and the class indices of a step, with the states `from`.
    fn args(&self, e: &Emit, from: impl Fn(usize) -> TokenStream) -> [Vec<TokenStream>; 2] {
        let around = |arg: usize| e.x(2 + arg).clone();
        let x = numbered("in", self.sequences().len());
        self.given(&around, |arg, role| match role {
            Role::State(k) => from(k),
            _ => x[self.sequence_at(arg)].clone(),
        })
    }

    pub(super) fn emit_train(&self, e: &Emit) -> TokenStream {
        let (params, state) = (e.x(0), e.x(1));
        let (steps, step) = (self.seq_len.tokens(), self.turned(&quote!(i)));
        let mut scratch = Scratch::new(e.scratch());
        let own = scratch.take(&self.own_scratch(false));
        let (states, results) = (self.states(), self.callee.results.len());
        let firsts: Vec<_> = (0..states).map(|k| e.x(2 + self.place(k)).clone()).collect();
        let last = &e.output_vars[self.made()..results];
        let histories = &e.output_vars[results..][..states];
        let at = results + states;
        let saved = if e.used[at] { e.y(at).clone() } else { quote!(m.nothing()) };
        let memory = self.callee.size_of("saved").tokens();
        let sizes = self.state_lens();
        let lens: Vec<_> = sizes.iter().map(Dim::tokens).collect();
        let at = |i: TokenStream| -> Vec<TokenStream> {
            let parts = histories.iter().zip(&lens);
            parts.map(|(history, len)| quote!(#history.part((#i) * #len, #len))).collect()
        };
        let (from, to) = (at(quote!(i)), at(quote!(i + 1)));
        let x = numbered("in", self.sequences().len());
        let around = |arg: usize| e.x(2 + arg).clone();
        let [given, classes] = self.given(&around, |arg, role| {
            let now = match role {
                Role::State(k) => &from[k],
                _ => &x[self.sequence_at(arg)],
            };
            if !self.lengths {
                return now.clone();
            }
            let (lengths, all) = (e.x(self.lengths_at()), e.x(2 + arg));
            let first = match role {
                Role::State(_) => quote!(At(0)),
                _ => self.first_step(),
            };
            self.replay(&mut scratch, lengths, &self.arg_len(arg), [now, all], &first)
        });
        let (xs, ys) =
            (self.xs(e), self.parts("out", &e.output_vars[..self.made()], &self.made_lens()));
        let made = numbered("out", self.made());
        let run = self.held(&mut scratch, e, [&made, &from, &to], |results| {
            let args = (0..given.len()).map(|i| quote!(given[#i])).collect();
            let (params, state) = (params.clone(), state.clone());
            let run = Given { params, state, args, classes, results, scratch: own };
            let saved = quote!(#saved.part(i * #memory, #memory));
            let run = self.callee.forward(&run, [&saved, &quote!(m.nothing())]);
            quote!(let given = [#(#given),*]; #run)
        });
        let ends = at(quote!(steps));
        let starts = at(quote!(0));
        quote! {{
            let steps = #steps;
            #(k.copy(#starts, #firsts);)*
            for i in 0..steps {
                let step = #step;
                #xs
                #ys
                k.item(step);
                #run
            }
            #(k.copy(#last, #ends);)*
        }}
    }
}
