//! The loop of a scan in reverse.

use proc_macro2::TokenStream;

use super::{Scan, Scratch};
use crate::dim::Dim;
use crate::graph::Ty;
use crate::graph::callee::{Given, GivenBack};
use crate::hygiene::quote;
use crate::ops::call::Only;
use crate::ops::{Callee, Emission, Emit, Mismatch, Op, Rule, Transform};

/// `d_params, d_x, d_states`, but `d_params` where they are held fixed, from `params, x, lengths, y, histories, saved, d_y, d_states`.
#[derive(Clone, Debug)]
pub struct ScanGrad {
    pub scan: Scan,
    /// For `x` and the first states.
    pub wanted: Vec<Option<Only>>,
}

impl Op for ScanGrad {
    fn name(&self) -> String {
        format!("{}.grad", self.scan.name())
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let x = self.scan.sequence(&self.scan.callee.args[0]);
        let all = [x].into_iter().chain(self.scan.callee.args[1..].iter().cloned());
        let asked = all.zip(&self.wanted).filter(|(_, wanted)| wanted.is_some());
        let d_params = self.scan.callee.asked.trains.then(|| inputs[0].clone());
        Ok(d_params.into_iter().chain(asked.map(|(ty, _)| ty)).collect())
    }

    fn callee(&self) -> Option<&Callee> {
        Some(&self.scan.callee)
    }
}

impl Transform for ScanGrad {}

impl Emission for ScanGrad {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (scan, states) = (&self.scan, self.scan.states());
        let (params, x) = (e.x(0), e.x(1));
        let trains = scan.callee.asked.trains;
        let behind = 2 + usize::from(scan.lengths);
        let (y, histories) = (e.x(behind), &e.input_vars[behind + 1..][..states]);
        let saved = e.x(behind + 1 + states);
        let (d_y, d_last) =
            (e.x(behind + 2 + states), &e.input_vars[behind + 3 + states..][..states]);
        let (x_size, y_size, sizes_of) = scan.lens();
        let [x_len, y_len] = [&x_size, &y_size].map(Dim::tokens);
        let lens: Vec<_> = sizes_of.iter().map(Dim::tokens).collect();
        let (steps, step) = (scan.seq_len.tokens(), scan.turned(&quote!(i)));

        let mut scratch = Scratch::new(e.scratch());
        let own = scratch.take(&scan.own_scratch(false));
        let of_step = scratch.take(&scan.callee.params());
        // Gradients that are not asked for are computed with the others.
        let mut outputs = e.output_vars[usize::from(trains)..].iter();
        let mut places = Vec::new();
        for (wanted, len) in self.wanted.iter().zip([&x_size].into_iter().chain(&sizes_of)) {
            let place = wanted.map(|only| (only, outputs.next().expect("one for each wanted")));
            let spare = scratch.take(len);
            places.push(match place {
                None => (quote!(false), spare.clone(), spare),
                Some((Only(false), out)) => (quote!(true), out.clone(), spare),
                Some((Only(true), out)) => (quote!(want.inputs), out.clone(), spare),
            });
        }
        let (x_there, d_x, x_spare) = &places[0];
        let d_x = quote!(if #x_there { #d_x.part(step * #x_len, #x_len) } else { #x_spare });
        let turns: Vec<_> = sizes_of.iter().map(|len| [0, 1].map(|_| scratch.take(len))).collect();
        let d_next: Vec<_> = (0..states)
            .map(|k| {
                let (last, [even, odd]) = (&d_last[k], &turns[k]);
                quote! {
                    if i + 1 == steps { #last } else if i % 2 == 0 { #odd } else { #even }
                }
            })
            .collect();
        let d_from: Vec<_> = (0..states)
            .map(|k| {
                let ((there, first, spare), [even, odd]) = (&places[1 + k], &turns[k]);
                quote! {
                    if i == 0 { if #there { #first } else { #spare } }
                    else if i % 2 == 0 { #even } else { #odd }
                }
            })
            .collect();
        let names = |kind: &str| -> Vec<_> {
            (0..states).map(|k| quote::format_ident!("{kind}_{k}")).collect()
        };
        let (nexts, froms) = (names("d_next"), names("d_from"));
        let at = |i: TokenStream| -> Vec<TokenStream> {
            let parts = histories.iter().zip(&lens);
            parts.map(|(history, len)| quote!(#history.part((#i) * #len, #len))).collect()
        };
        let (from, to) = (at(quote!(i)), at(quote!(i + 1)));
        let memory = scan.callee.size_of("saved").tokens();
        // What the forward pass gave, and what it made of that.
        let given = [quote!(x)].into_iter().chain(from.clone()).collect::<Vec<_>>();
        let made = [quote!(y)].into_iter().chain(to.clone()).collect::<Vec<_>>();
        let (given, made) = match scan.lengths {
            false => (given, made),
            true => {
                let lengths = e.x(2);
                let mut replay = |len: &Dim, now: &TokenStream, all: &TokenStream, first| {
                    scan.replay(&mut scratch, lengths, len, [now, all], &first)
                };
                let after = match scan.reverse {
                    true => quote!(Before(steps + 1)),
                    false => quote!(At(1)),
                };
                let mut again = (
                    vec![replay(&x_size, &given[0], x, scan.first_step())],
                    vec![replay(&y_size, &made[0], y, scan.first_step())],
                );
                for k in 0..states {
                    let (len, history) = (&sizes_of[k], &histories[k]);
                    again.0.push(replay(len, &given[1 + k], history, quote!(At(0))));
                    again.1.push(replay(len, &made[1 + k], history, after.clone()));
                }
                again
            }
        };
        let call = |d_y: TokenStream, d_to: &[TokenStream], d_from: &[TokenStream]| {
            let numbered = |name: TokenStream, count: usize| -> Vec<TokenStream> {
                (0..count).map(|i| quote!(#name[#i])).collect()
            };
            let run = Given {
                params: params.clone(),
                // A cell has none.
                state: quote!(m.nothing()),
                args: numbered(quote!(given), given.len()),
                classes: Vec::new(),
                results: numbered(quote!(made), made.len()),
                scratch: own.clone(),
            };
            let back = GivenBack {
                want_inputs: quote!(true),
                saved: quote!(#saved.part(i * #memory, #memory)),
                d_results: [d_y].into_iter().chain(d_to.to_vec()).collect(),
                d_params: quote!(d_params),
                d_args: [quote!(d_x)].into_iter().chain(d_from.to_vec()).collect(),
            };
            let run = scan.callee.backward(&run, &back);
            quote! {
                let (given, made) = ([#(#given),*], [#(#made),*]);
                #run
            }
        };
        let [next_vars, from_vars] = [&nexts, &froms]
            .map(|names| -> Vec<TokenStream> { names.iter().map(|name| quote!(#name)).collect() });
        let run = match scan.lengths {
            false => call(quote!(d_y), &next_vars, &from_vars),
            true => {
                let lengths = e.x(2);
                let own_d_y = scratch.take(&y_size);
                let own_next: Vec<_> = sizes_of.iter().map(|len| scratch.take(len)).collect();
                let own_from: Vec<_> = sizes_of.iter().map(|len| scratch.take(len)).collect();
                let run = call(own_d_y.clone(), &own_next, &own_from);
                quote! {
                    k.advance(#own_d_y, d_y, d_y.part(0, 0), #lengths, step);
                    #(k.advance(#own_next, #nexts, #nexts.part(0, 0), #lengths, step);)*
                    #run
                    #(k.advance(#froms, #own_from, #nexts, #lengths, step);)*
                }
            }
        };
        // The gradients of the parameters, which are the sum of those of all steps.
        let (d_params, sum) = match trains {
            true => {
                let all = e.y(0);
                let place = quote!(if i + 1 == steps { #all } else { #of_step });
                (
                    quote!(let d_params = if want.params { #place } else { m.nothing() };),
                    quote!(if want.params && i + 1 < steps { k.accumulate(#all, d_params); }),
                )
            }
            false => (quote!(let d_params = m.nothing();), quote!()),
        };
        quote! {{
            let steps = #steps;
            for i in (0..steps).rev() {
                let step = #step;
                let (x, y) = (#x.part(step * #x_len, #x_len), #y.part(step * #y_len, #y_len));
                let (d_x, d_y) = (#d_x, #d_y.part(step * #y_len, #y_len));
                #(let #nexts = #d_next;)*
                #(let #froms = #d_from;)*
                #d_params
                k.item(step);
                #run
                #sum
            }
        }}
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        self.scan.seq_len.times(&self.scan.callee.size_of("flops")).times(&Dim::lit(2))
    }

    fn scratch(&self, _: bool) -> Option<Dim> {
        let (x, y, lens) = self.scan.lens();
        let states = Scan::sum(&lens);
        // A place for `d_x`, and three for the gradients of each state.
        let places = x.plus(&states.times(&Dim::lit(3)));
        let held = match self.scan.lengths {
            true => x.plus(&y.times(&Dim::lit(2))).plus(&states.times(&Dim::lit(4))),
            false => Dim::lit(0),
        };
        let own = self.scan.own_scratch(false).plus(&self.scan.callee.params());
        Some(own.plus(&places).plus(&held))
    }
}
