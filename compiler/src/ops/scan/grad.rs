//! The loop of a scan in reverse.

use proc_macro2::TokenStream;

use super::{Role, Scan, Scratch, numbered};
use crate::dim::Dim;
use crate::graph::callee::{Given, GivenBack};
use crate::graph::{Kind, Ty};
use crate::hygiene::quote;
use crate::ops::call::Only;
use crate::ops::{Callee, Emission, Emit, Mismatch, Op, Rule, Transform};

/// `d_params` and the gradients of the model's arguments, whole sequences, first states and what is
/// around; no `d_params` where they are held fixed. From `params`, the arguments that are no states,
/// `lengths, results, histories, saved, d_results, d_states`.
#[derive(Clone, Debug)]
pub struct ScanGrad {
    pub scan: Scan,
    /// For each argument of the model.
    pub wanted: Vec<Option<Only>>,
}

/// Where the gradient of an argument goes.
struct Place {
    /// Whether it is asked for, of type `bool`.
    there: TokenStream,
    /// The whole of it.
    all: TokenStream,
    /// Memory for that of a step.
    spare: TokenStream,
}

impl Op for ScanGrad {
    fn name(&self) -> String {
        format!("{}.grad", self.scan.name())
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let types =
            self.scan.callee.args.iter().zip(&self.scan.roles).map(|(ty, role)| match role {
                Role::Step => self.scan.sequence(ty),
                _ => ty.clone(),
            });
        let asked = types.zip(&self.wanted).filter(|(_, wanted)| wanted.is_some());
        let d_params = self.scan.callee.asked.trains.then(|| inputs[0].clone());
        Ok(d_params.into_iter().chain(asked.map(|(ty, _)| ty)).collect())
    }

    fn callee(&self) -> Option<&Callee> {
        Some(&self.scan.callee)
    }
}

impl Transform for ScanGrad {}

impl ScanGrad {
    /// The number of the input that an argument of the model is.
    fn input(&self, arg: usize) -> usize {
        let before = self.scan.roles[..arg].iter();
        1 + before.filter(|role| !matches!(role, Role::State(_))).count()
    }

    /// Gradients that are not asked for are computed with the others.
    fn places(&self, e: &Emit, scratch: &mut Scratch) -> Vec<Option<Place>> {
        let trains = usize::from(self.scan.callee.asked.trains);
        let mut outputs = e.output_vars[trains..].iter();
        let places = self.wanted.iter().enumerate().map(|(arg, wanted)| {
            let all = wanted.map(|_| outputs.next().expect("one for each wanted").clone());
            let spare = self.scan.is_float(arg).then(|| scratch.take(&self.scan.arg_len(arg)))?;
            let there = match wanted {
                None => quote!(false),
                Some(Only(false)) => quote!(true),
                Some(Only(true)) => quote!(want.inputs),
            };
            Some(Place { there, all: all.unwrap_or_else(|| spare.clone()), spare })
        });
        places.collect()
    }

    /// Whether the model computes the gradients of its arguments: states hand them on.
    fn want_inputs(&self) -> TokenStream {
        let mut asked = self.wanted.iter().flatten();
        match (self.scan.states(), asked.clone().any(|only| !only.0), asked.next()) {
            (0, false, Some(_)) => quote!(want.inputs),
            (0, false, None) => quote!(false),
            _ => quote!(true),
        }
    }
}

impl Emission for ScanGrad {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (scan, states, made) = (&self.scan, self.scan.states(), self.scan.made());
        let params = e.x(0);
        let trains = scan.callee.asked.trains;
        let lengths_at = self.input(scan.roles.len());
        let mut rest = &e.input_vars[lengths_at + usize::from(scan.lengths)..];
        let mut next = |count: usize| {
            let (here, behind) = rest.split_at(count);
            rest = behind;
            here
        };
        let (results, histories, saved) = (next(made), next(states), next(1));
        let (d_results, d_last, saved) = (next(made), next(states), &saved[0]);
        let (sizes_of, made_sizes) = (scan.state_lens(), scan.made_lens());
        let lens: Vec<_> = sizes_of.iter().map(Dim::tokens).collect();
        let (steps, step) = (scan.seq_len.tokens(), scan.turned(&quote!(i)));

        let mut scratch = Scratch::new(e.scratch());
        let own = scratch.take(&scan.own_scratch(false));
        let of_step = scratch.take(&scan.callee.params());
        let places = self.places(e, &mut scratch);
        let place = |arg: usize| places[arg].as_ref().expect("a float has a gradient");
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
                let (Place { there, all, spare }, [even, odd]) = (place(scan.place(k)), &turns[k]);
                quote! {
                    if i == 0 { if #there { #all } else { #spare } }
                    else if i % 2 == 0 { #even } else { #odd }
                }
            })
            .collect();
        let [nexts, froms] = ["d_next", "d_from"].map(|kind| numbered(kind, states));
        let at = |i: TokenStream| -> Vec<TokenStream> {
            let parts = histories.iter().zip(&lens);
            parts.map(|(history, len)| quote!(#history.part((#i) * #len, #len))).collect()
        };
        let (from, to) = (at(quote!(i)), at(quote!(i + 1)));
        let memory = scan.callee.size_of("saved").tokens();

        // The gradients of a step of each argument, and what becomes of those that all steps have.
        let (mut d_lets, mut d_args, mut sums) =
            (TokenStream::new(), Vec::new(), TokenStream::new());
        for (arg, role) in scan.roles.iter().enumerate().filter(|(arg, _)| scan.is_float(*arg)) {
            if let Role::State(k) = role {
                d_args.push(froms[*k].clone());
                continue;
            }
            let (name, Place { there, all, spare }) =
                (quote::format_ident!("d_arg_{arg}"), place(arg));
            let len = scan.arg_len(arg).tokens();
            let here = match role {
                Role::Step => quote!(if #there { #all.part(step * #len, #len) } else { #spare }),
                _ => quote!(if #there && i + 1 == steps { #all } else { #spare }),
            };
            d_lets.extend(quote!(let #name = #here;));
            if *role == Role::Around && self.wanted[arg].is_some() {
                sums.extend(quote!(if #there && i + 1 < steps { k.accumulate(#all, #name); }));
            }
            d_args.push(quote!(#name));
        }

        // What the forward pass gave, and what it made of that.
        let sequences = scan.sequences();
        let all_x: Vec<_> = sequences.iter().map(|arg| e.x(self.input(*arg)).clone()).collect();
        let x_lens: Vec<_> = sequences.iter().map(|arg| scan.arg_len(*arg)).collect();
        let x = numbered("in", sequences.len());
        let y = numbered("out", made);
        let lengths = scan.lengths.then(|| e.x(lengths_at));
        let around = |arg: usize| e.x(self.input(arg)).clone();
        let [given, classes] = scan.given(&around, |arg, role| {
            let (now, all, first) = match role {
                Role::State(k) => (&from[k], &histories[k], quote!(At(0))),
                _ => {
                    let at = scan.sequence_at(arg);
                    (&x[at], &all_x[at], scan.first_step())
                }
            };
            match lengths {
                None => now.clone(),
                Some(lengths) => {
                    scan.replay(&mut scratch, lengths, &scan.arg_len(arg), [now, all], &first)
                }
            }
        });
        let after = match scan.reverse {
            true => quote!(Before(steps + 1)),
            false => quote!(At(1)),
        };
        let results_of = made_sizes.iter().enumerate().map(|(r, len)| match lengths {
            None => y[r].clone(),
            Some(lengths) => {
                let all = [&y[r], &results[r]];
                scan.replay(&mut scratch, lengths, len, all, &scan.first_step())
            }
        });
        let results_of: Vec<_> = results_of.collect();
        let states_of = sizes_of.iter().enumerate().map(|(k, len)| match lengths {
            None => to[k].clone(),
            Some(lengths) => {
                scan.replay(&mut scratch, lengths, len, [&to[k], &histories[k]], &after)
            }
        });
        let made_of: Vec<_> = results_of.into_iter().chain(states_of).collect();

        let d_params = quote!(d_params);
        let call = |d_results: Vec<TokenStream>, d_args: Vec<TokenStream>| {
            let indexed = |name: TokenStream, count: usize| -> Vec<TokenStream> {
                (0..count).map(|i| quote!(#name[#i])).collect()
            };
            let run = Given {
                params: params.clone(),
                // A cell has none.
                state: quote!(m.nothing()),
                args: indexed(quote!(given), given.len()),
                classes: classes.clone(),
                results: indexed(quote!(made), made_of.len()),
                scratch: own.clone(),
            };
            let back = GivenBack {
                want_inputs: self.want_inputs(),
                saved: quote!(#saved.part(i * #memory, #memory)),
                d_results,
                d_params: d_params.clone(),
                d_args,
            };
            let run = scan.callee.backward(&run, &back);
            quote! {
                let (given, made) = ([#(#given),*], [#(#made_of),*]);
                #run
            }
        };
        let d_y = numbered("d_out", made);
        let run = match lengths {
            None => call([&d_y[..], &nexts].concat(), d_args),
            Some(lengths) => {
                let mut take = |lens: &[Dim]| -> Vec<TokenStream> {
                    lens.iter().map(|len| scratch.take(len)).collect()
                };
                let own_d_y = take(&made_sizes);
                let (own_next, own_from) = (take(&sizes_of), take(&sizes_of));
                let states = scan.roles.iter().enumerate().filter(|(arg, _)| scan.is_float(*arg));
                let d_args = states.zip(d_args).map(|((_, role), d_arg)| match role {
                    Role::State(k) => own_from[*k].clone(),
                    _ => d_arg,
                });
                let run = call([&own_d_y[..], &own_next].concat(), d_args.collect());
                quote! {
                    #(k.advance(#own_d_y, #d_y, #d_y.part(0, 0), #lengths, step);)*
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
        let (xs, ys) = (scan.parts("in", &all_x, &x_lens), scan.parts("out", results, &made_sizes));
        let d_ys = scan.parts("d_out", d_results, &made_sizes);
        quote! {{
            let steps = #steps;
            for i in (0..steps).rev() {
                let step = #step;
                #xs
                #ys
                #d_ys
                #d_lets
                #(let #nexts = #d_next;)*
                #(let #froms = #d_from;)*
                #d_params
                k.item(step);
                #run
                #sum
                #sums
            }
        }}
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        self.scan.seq_len.times(&self.scan.callee.size_of("flops")).times(&Dim::lit(2))
    }

    fn scratch(&self, _: bool) -> Option<Dim> {
        let scan = &self.scan;
        let (made, states) = (Scan::sum(&scan.made_lens()), Scan::sum(&scan.state_lens()));
        let steps = Scan::sum(&scan.lens_of(Role::Step));
        // A place for the gradient of each argument, and two more for those of the states.
        let places = steps.plus(&Scan::sum(&scan.lens_of(Role::Around)));
        let places = places.plus(&states.times(&Dim::lit(3)));
        let held = match scan.lengths {
            true => steps.plus(&made.times(&Dim::lit(2))).plus(&states.times(&Dim::lit(4))),
            false => Dim::lit(0),
        };
        let own = scan.own_scratch(false).plus(&scan.callee.params());
        Some(own.plus(&places).plus(&held))
    }

    /// The gradients of what all steps see are sums, of floats.
    fn activation(&self, output: &Ty, k: usize) -> Option<Ty> {
        let trains = usize::from(self.scan.callee.asked.trains);
        let asked = self.scan.roles.iter().zip(&self.wanted).filter(|(_, wanted)| wanted.is_some());
        let role = k.checked_sub(trains).and_then(|k| asked.map(|(role, _)| *role).nth(k));
        let is_sum = role == Some(Role::Around);
        (output.kind == Kind::Float && !is_sum).then(|| output.clone())
    }
}
