//! The changes that are tried.

use proc_macro2::{Group, Literal, TokenStream, TokenTree};

use super::expr::{arguments, smaller};
use super::{Shrinking, types};
use crate::generate::model::{Let, Model, words};
use crate::generate::world::tokens;
use gradiron_compiler::lower::text_of;

impl Shrinking<'_> {
    /// The numbers of models, and of functions of one.
    fn places(&self) -> Vec<(usize, usize)> {
        let models = self.whole.models.iter().enumerate().rev();
        models
            .flat_map(|(m, model)| (0..model.functions.len()).rev().map(move |f| (m, f)))
            .collect()
    }

    /// Leaves functions out.
    pub(super) fn functions(&mut self) {
        for (m, f) in self.places() {
            self.attempt(|whole| {
                let functions = &mut whole.models.get_mut(m)?.functions;
                (functions.len() > 1 && f < functions.len()).then(|| drop(functions.remove(f)))
            });
        }
        for (m, f) in self.places() {
            self.attempt(|whole| {
                let function = whole.models.get_mut(m)?.functions.get_mut(f)?;
                function.step.take().map(drop)
            });
        }
    }

    /// Returns less, or a value in the middle.
    pub(super) fn results(&mut self) {
        for (m, f) in self.places() {
            for r in (0..8).rev() {
                self.attempt(|whole| {
                    let results = &mut whole.models.get_mut(m)?.functions.get_mut(f)?.results;
                    (results.len() > 1 && r < results.len()).then(|| drop(results.remove(r)))
                });
            }
            let Some(model) = self.whole.models.get(m) else { continue };
            let Some(function) = model.functions.get(f) else { continue };
            let types = types(model, &function.name);
            let names: Vec<_> =
                function.body.iter().flat_map(|statement| &statement.names).cloned().collect();
            let is_float =
                |name: &String| types.get(name).filter(|ty| ty.starts_with('[')).cloned();
            for (name, ty) in names.iter().filter_map(|name| Some((name.clone(), is_float(name)?)))
            {
                // A number as it is would be a loss.
                let whole = match ty.as_str() {
                    "[]" => (format!("{name}.reshape([1])"), "[1]".to_string()),
                    _ => (name, ty),
                };
                let done = self.attempt(|program| {
                    let function = program.models.get_mut(m)?.functions.get_mut(f)?;
                    function.results = vec![whole];
                    Some(())
                });
                if done {
                    break;
                }
            }
        }
    }

    /// Leaves statements out: their values are inputs then, or other values.
    pub(super) fn statements(&mut self) {
        for (m, f) in self.places() {
            let count = |whole: &super::Whole| {
                whole.models.get(m).and_then(|m| m.functions.get(f)).map_or(0, |f| f.body.len())
            };
            for at in (0..count(&self.whole)).rev() {
                if at >= count(&self.whole) {
                    continue;
                }
                let types = types(&self.whole.models[m], &self.whole.models[m].functions[f].name);
                let as_inputs = self.attempt(|whole| {
                    let function = whole.models.get_mut(m)?.functions.get_mut(f)?;
                    let statement = function.body.remove(at);
                    for name in statement.names {
                        let ty = types.get(&name)?.clone();
                        function.args.push((name, ty));
                    }
                    Some(())
                });
                if as_inputs {
                    continue;
                }
                let statement = &self.whole.models[m].functions[f].body[at];
                let [name] = &statement.names[..] else { continue };
                let name = name.clone();
                let others = words(&statement.value).into_iter().filter(|w| types.contains_key(w));
                for other in others.collect::<Vec<_>>() {
                    let done = self.attempt(|whole| {
                        let function = whole.models.get_mut(m)?.functions.get_mut(f)?;
                        function.body.remove(at);
                        let renamed = |text: &str| renamed(text, &name, &other);
                        for Let { value, .. } in &mut function.body[at..] {
                            *value = renamed(value);
                        }
                        for (value, _) in &mut function.results {
                            *value = renamed(value);
                        }
                        Some(())
                    });
                    if done {
                        break;
                    }
                }
            }
        }
    }

    /// Makes expressions smaller.
    pub(super) fn expressions(&mut self) {
        for (m, f) in self.places() {
            for at in 0.. {
                let function = self.whole.models.get(m).and_then(|model| model.functions.get(f));
                let Some(statement) = function.and_then(|function| function.body.get(at)) else {
                    break;
                };
                for value in smaller(&statement.value) {
                    let done = self.attempt(|whole| {
                        let function = whole.models.get_mut(m)?.functions.get_mut(f)?;
                        function.body.get_mut(at)?.value = value;
                        Some(())
                    });
                    if done {
                        break;
                    }
                }
            }
        }
    }

    /// Makes declarations smaller.
    pub(super) fn fields(&mut self) {
        for m in (0..self.whole.models.len()).rev() {
            for at in 0.. {
                let Some(field) = self.whole.models.get(m).and_then(|model| model.fields.get(at))
                else {
                    break;
                };
                let mut others = Vec::new();
                if let Some((name, args)) = arguments(&field.decl) {
                    for left_out in (0..args.len()).rev() {
                        let kept = args.iter().enumerate().filter(|(at, _)| *at != left_out);
                        let kept: Vec<_> = kept.map(|(_, arg)| arg.as_str()).collect();
                        others.push(format!("{name}({})", kept.join(", ")));
                    }
                }
                if let Some(row) = field.decl.strip_prefix('[') {
                    others.extend(row.rsplit_once(';').map(|(model, _)| model.to_string()));
                }
                for decl in others {
                    self.attempt(|whole| {
                        whole.models.get_mut(m)?.fields.get_mut(at)?.decl = decl;
                        Some(())
                    });
                }
            }
        }
    }

    /// Writes numbers in the place of names.
    pub(super) fn constants(&mut self) {
        for (name, value) in self.whole.program.constants.clone() {
            self.attempt(|whole| {
                for model in &mut whole.models {
                    model.change(&|text| replaced(text, &name, &value.to_string()));
                }
                Some(())
            });
        }
        for m in 0..self.whole.models.len() {
            self.attempt(|whole| {
                let (before, behind) = whole.models.split_at_mut_checked(m + 1)?;
                let model = before.last_mut()?;
                let param = model.params.pop()?;
                // All instances must give the same.
                let is_it = |decl: &&String| words(decl).contains(&model.name);
                let decls = behind.iter().flat_map(|m| &m.fields).map(|field| &field.decl);
                let given = decls.filter(is_it).map(|decl| last_given(decl));
                let given: Option<std::collections::BTreeSet<_>> = given.collect();
                let given = given.filter(|all| all.len() == 1)?.pop_first()?;
                let text = given.trim_matches(['{', '}', ' ']).to_string();
                model.change(&|own| replaced(own, &param.name, &format!("({text})")));
                let name = model.name.clone();
                for field in behind.iter_mut().flat_map(|model| &mut model.fields) {
                    if words(&field.decl).contains(&name) {
                        field.decl = field.decl.replacen(&given, "", 1).replace("<>", "");
                        field.decl = field.decl.replace(", >", ">").replace(",>", ">");
                    }
                }
                Some(())
            });
        }
    }

    /// Makes numbers smaller, everywhere at once.
    pub(super) fn numbers(&mut self) {
        for name in self.whole.program.sizes.keys().cloned().collect::<Vec<_>>() {
            for smaller in 1..3 {
                let done = self.attempt(|whole| {
                    let size = whole.program.sizes.get_mut(&name)?;
                    (*size > smaller).then(|| *size = smaller)
                });
                if done {
                    break;
                }
            }
        }
        for number in (2..9).rev() {
            for smaller in 1..number {
                let done = self.attempt(|whole| {
                    for model in &mut whole.models {
                        model.change(&|text| {
                            replaced(text, &number.to_string(), &smaller.to_string())
                        });
                    }
                    Some(())
                });
                if done {
                    break;
                }
            }
        }
    }
}

impl Model {
    /// Changes all texts but names.
    fn change(&mut self, change: &dyn Fn(&str) -> String) {
        for field in &mut self.fields {
            field.decl = change(&field.decl);
        }
        for function in &mut self.functions {
            function.step = function.step.as_deref().map(change);
            function.args.iter_mut().for_each(|(_, ty)| *ty = change(ty));
            for Let { ty, value, .. } in &mut function.body {
                *ty = ty.as_deref().map(change);
                *value = change(value);
            }
            for (value, ty) in &mut function.results {
                (*value, *ty) = (change(value), change(ty));
            }
        }
    }
}

/// The last const parameter that an instance gives: `B` of `Block<{ A + 1 }, B>`.
fn last_given(decl: &str) -> Option<String> {
    let inside = decl.split_once('<')?.1.rsplit_once('>')?.0;
    Some(inside.rsplit(',').next()?.trim().to_string())
}

/// The text with other words in the place of a word.
fn renamed(text: &str, from: &str, to: &str) -> String {
    replaced(text, from, to)
}

/// The text with another text in the place of a name or a whole number.
fn replaced(text: &str, from: &str, to: &str) -> String {
    if !words(text).iter().any(|word| word == from) {
        return text.into();
    }
    text_of(&exchanged(tokens(text), from, to))
}

fn exchanged(text: TokenStream, from: &str, to: &str) -> TokenStream {
    let token = |token: TokenTree| -> TokenStream {
        match &token {
            TokenTree::Group(group) => {
                let inside = exchanged(group.stream(), from, to);
                TokenTree::from(Group::new(group.delimiter(), inside)).into()
            }
            TokenTree::Ident(name) if name == from => tokens(to),
            TokenTree::Literal(number) if number.to_string() == from => match to.parse() {
                Ok(number) => TokenTree::from(Literal::usize_unsuffixed(number)).into(),
                Err(_) => token.into(),
            },
            _ => token.into(),
        }
    };
    text.into_iter().flat_map(token).collect()
}
