//! The ends of functions: their results, and losses.

use gradiron_compiler::diagnostics::Diagnostics;
use gradiron_compiler::lower::Siblings;
use gradiron_compiler::model::analyse;
use gradiron_compiler::syntax::parse_model;

use super::grow::Growing;
use super::model::{Is, Let, Model};
use super::world::{Known, Signature, Size, World, guarded, tokens};
use crate::program::Program;

/// How a function ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ends {
    /// With some results, at most so many.
    Results(usize),
    /// With a result like its first argument.
    Like,
    /// With a step's result, and states like the arguments behind the first.
    Cell,
    /// With a number to minimise.
    Loss,
}

impl Growing<'_> {
    /// Ends the function that grows.
    pub fn finish(&mut self, ends: &Ends) -> bool {
        let results = match ends {
            Ends::Results(most) => self.results(*most),
            Ends::Like => self.like(0, None).map(|value| vec![value]),
            Ends::Cell => self.cell(),
            Ends::Loss => self.losses(),
        };
        let Some(results) = results.filter(|results| !results.is_empty()) else { return false };
        let name = self.model.last().name.clone();
        self.model.last().results =
            results.iter().map(|value| (value.name.clone(), value.ty())).collect();
        self.model = self.model.pruned(|_| true);
        let own = self.model.pruned(|function| function.name == name);
        if !compiles(self.world, &own) {
            return false;
        }
        let args = self.model.last().args.clone();
        let known = |name: &String| self.known.iter().find(|known| known.name == *name).cloned();
        let args: Option<Vec<_>> = args.iter().map(|(name, _)| known(name)).collect();
        let (Some(args), steps) = (args, self.steps()) else { return false };
        if args.is_empty() || *ends == Ends::Cell && args.len() != results.len() {
            return false;
        }
        self.done.push(Signature { name, args, results, steps });
        true
    }

    fn known(&self, name: &str) -> Option<Known> {
        self.known.iter().find(|known| known.name == name).cloned()
    }

    /// The floats that nothing reads.
    fn ends(&mut self) -> Vec<Known> {
        let loose = self.model.last().loose();
        let known = loose.iter().filter_map(|name| self.known(name));
        known.filter(|known| !known.classes).collect()
    }

    fn results(&mut self, most: usize) -> Option<Vec<Known>> {
        let length = self.model.last().step.clone();
        let has_rows = |known: &Known| {
            let place =
                known.dims.iter().take(2).position(|size| Some(&size.text) == length.as_ref());
            length.is_none() || place.is_some()
        };
        let args: Vec<_> = self.model.last().args.iter().map(|(name, _)| name.clone()).collect();
        let made = |known: &&Known| !args.contains(&known.name) && has_rows(known);
        let mut ends: Vec<_> = self.ends().iter().filter(made).cloned().collect();
        if ends.is_empty() {
            ends = self.known.iter().filter(|known| !known.classes).filter(made).cloned().collect();
        }
        ends.reverse();
        ends.truncate(self.dice.from(1, most));
        // A call whose results are read in part reads its inputs in part.
        let name = self.model.last().name.clone();
        loop {
            let results = ends.iter().map(|known| (known.name.clone(), known.ty())).collect();
            self.model.last().results = results;
            let kept = self.model.pruned(|function| function.name == name);
            self.model.last().results.clear();
            let words = kept.functions.last()?.words();
            let body = &kept.functions.last()?.body;
            let unread = body.iter().flat_map(|statement| &statement.names);
            let mut unread = unread.filter(|name| !words.contains(*name));
            let unread = unread.find_map(|name| self.known(name));
            let Some(unread) = unread.filter(|_| ends.len() < 5) else { break };
            ends.push(unread);
        }
        self.dice.shuffle(&mut ends);
        // A number first, and no other number, is a loss.
        let is_number = |known: &Known| known.dims.is_empty();
        if ends.first().is_some_and(is_number) && !ends[1..].iter().any(is_number) {
            match ends.iter().position(|known| !is_number(known)) {
                Some(other) => ends.swap(0, other),
                None => ends.push(ends[0].clone()),
            }
        }
        Some(ends)
    }

    /// A value like an argument.
    fn like(&mut self, arg: usize, from: Option<Known>) -> Option<Known> {
        let name = self.model.last().args.get(arg)?.0.clone();
        let like = self.known(&name)?;
        let args: Vec<_> = self.model.last().args.iter().map(|(name, _)| name.clone()).collect();
        let ends = self.ends();
        let same = |known: &&Known| known.dims == like.dims && !args.contains(&known.name);
        if let Some(found) = ends.iter().rev().find(same)
            && from.is_none()
            && self.dice.percent(50)
        {
            return Some(found.clone());
        }
        let others = from.iter().chain(ends.iter().filter(|_| from.is_none()));
        let others: Vec<_> = others.filter(|known| known.name != name).cloned().collect();
        for _ in 0..4 {
            let other = match self.dice.late(&others) {
                Some(other) => other.clone(),
                None => self.float()?,
            };
            let term = match self.dice.below(3) {
                0 => other.name,
                1 => format!("{}.mean()", other.name),
                _ => format!("{}.amax(-1, keepdim = true)", other.name),
            };
            let factor = self.dice.word(&["", " * 0.5"]);
            let value = match self.dice.below(3) {
                0 => format!("{name}{factor} + {term}"),
                1 => format!("({name} + {term}).tanh()"),
                _ => format!("{name} * {term}.sigmoid()"),
            };
            if let Some(made) = self.made(value)
                && made.dims == like.dims
            {
                return Some(made);
            }
        }
        None
    }

    /// The value of a statement that everyone accepts.
    fn made(&mut self, value: String) -> Option<Known> {
        let added = self.attempt(|g| Some(g.value(value)));
        added.then(|| self.known.last().cloned()).flatten()
    }

    /// What a step drives its first state with.
    fn driven(&mut self) -> Option<Known> {
        let [x, state, ..] = &self.known[..] else { return None };
        let (x, state) = (x.clone(), state.clone());
        if x.dims.len() == state.dims.len() && x.dims.len() > 1 {
            let last = x.dims.len() - 1;
            if x.dims[..last] == state.dims[..last] {
                let decl = format!("Linear({} -> {})", x.dims[last].text, state.dims[last].text);
                let linear = self.attempt(|g| {
                    let field = g.field("f", decl, Is::Layer("Linear"));
                    Some(g.value(format!("self.{field}({})", x.name)))
                });
                if linear {
                    return self.known.last().cloned();
                }
            }
        }
        Some(x)
    }

    fn cell(&mut self) -> Option<Vec<Known>> {
        let first = self.known.first()?.dims.first()?.clone();
        let states = self.model.last().args.len() - 1;
        let mut results: Vec<Known> = Vec::new();
        for state in 0..states {
            // The first state depends on the step, each other one on the one before.
            let from = match results.last() {
                Some(last) => last.clone(),
                None => self.driven()?,
            };
            results.push(self.like(state + 1, Some(from))?);
        }
        let leads = |known: &Known| known.dims.first() == Some(&first);
        let result = match self.dice.percent(40) {
            true => self.receiver(|known| !known.classes && leads(known)),
            false => None,
        };
        let result = result.unwrap_or_else(|| results[0].clone());
        results.insert(0, result);
        Some(results)
    }

    /// The sum of what is made of everything that nothing reads.
    fn losses(&mut self) -> Option<Vec<Known>> {
        for function in self.done.clone() {
            let calls = format!("self.{}(", function.name);
            let called = |statement: &Let| statement.value.contains(&calls);
            let is_called = self.model.last().body.iter().any(called);
            if !is_called && !(0..4).any(|_| self.attempt(|g| g.own(Some(&function)))) {
                return None;
            }
        }
        let mut terms = Vec::new();
        for end in self.ends() {
            if end.dims.is_empty() {
                terms.push(end.name);
                continue;
            }
            // What was made as a target meanwhile is read.
            if !self.model.last().loose().contains(&end.name) {
                continue;
            }
            let found = (0..4).any(|_| {
                let at = self.dice.any() as usize;
                let added = self.attempt(|g| g.loss(Some(&end), at));
                if added && !self.known.last().is_some_and(|known| known.dims.is_empty()) {
                    let last = self.known.last().map(|known| known.name.clone());
                    let reduce = self.dice.word(&["sum", "mean"]);
                    return self.made(format!("{}.{reduce}()", last.unwrap_or_default())).is_some();
                }
                added
            });
            if !found {
                let reduce = self.dice.word(&["mean()", "square().mean()", "sum()"]);
                self.made(format!("{}.{reduce}", end.name))?;
            }
            terms.push(self.known.last()?.name.clone());
        }
        let factors = ["", "", " * 0.5", " * 0.1"];
        let sum: Vec<_> =
            terms.iter().map(|term| format!("{term}{}", self.dice.word(&factors))).collect();
        let mut total = match sum.is_empty() {
            true => return None,
            false => self.made(sum.join(" + "))?,
        };
        // A loss that trains nothing is refused.
        let name = self.model.last().name.clone();
        self.model.last().results = vec![(total.name.clone(), total.ty())];
        let needed = self.model.pruned(|function| function.name == name);
        self.model.last().results.clear();
        if self.world.ask(&needed, &name)?.floats[0] == 0 {
            let scale = self.param(&[Size::one()]);
            total = self.made(format!("({} * {scale}).sum()", total.name))?;
        }
        let mut results = vec![total];
        // Other results come along.
        let others = self.known.iter().filter(|known| !known.classes && !known.dims.is_empty());
        let args: Vec<_> = self.model.last().args.iter().map(|(name, _)| name.clone()).collect();
        let others = others.filter(|known| !args.contains(&known.name));
        let others: Vec<_> = others.cloned().collect();
        if self.dice.percent(15)
            && let Some(other) = self.dice.pick(&others)
        {
            results.push(other.clone());
        }
        Some(results)
    }
}

impl World {
    /// A program whose last model this is.
    pub fn program(&self, model: &Model, seed: u64) -> Program {
        let last = self.without_params(model);
        let mut models = vec![last];
        for made in self.made.iter().rev() {
            let name = &made.model.name;
            if models.iter().any(|text| super::model::words(text).contains(name)) {
                models.push(made.model.text(true));
            }
        }
        models.reverse();
        let words: Vec<_> = models.iter().flat_map(|text| super::model::words(text)).collect();
        let used = |name: &String| words.contains(name);
        let constants = self.constants.iter().filter(|(name, _)| used(name));
        let sizes = self.sizes.iter().filter(|(name, _)| used(name));
        Program {
            constants: constants.map(|(name, value)| (name.clone(), *value)).collect(),
            sizes: sizes.map(|(name, value)| (name.clone(), *value)).collect(),
            models,
            seed,
        }
    }
}

/// Whether the compiler accepts the whole model, and rustc will.
pub fn compiles(world: &World, model: &Model) -> bool {
    complaint(world, model).is_none()
}

/// The same while a function that runs step by step grows: a value in the middle may have no row
/// for each position, or its rows elsewhere.
pub fn steps(world: &World, model: &Model) -> bool {
    complaint(world, model).is_none_or(|text| text.contains("has no row for each position"))
}

/// What is wrong with a model.
pub fn complaint(world: &World, model: &Model) -> Option<String> {
    let text = model.text(true);
    let numbers = world.with_numbers(model, tokens(&model.text(false)));
    for tokens in [numbers, tokens(&text)] {
        let complaint = guarded(&text, || {
            let mut diagnostics = Diagnostics::default();
            let item = parse_model(tokens, &mut diagnostics);
            let analysed = analyse(&item, &Siblings::default(), &mut diagnostics, &mut |_| {});
            if let Some(first) = diagnostics.sorted().first() {
                return Some(first.text());
            }
            let number =
                |dim: &gradiron_compiler::dim::Dim| dim.evaluate(&|a| world.atom(model, a));
            let broken = analysed.deferred.iter().find(|deferred| !deferred.holds(&number));
            broken.map(|deferred| deferred.message.clone())
        });
        if complaint.is_some() {
            return complaint;
        }
    }
    None
}

/// `batch`, as an argument's first size.
pub fn lead(text: &str, number: usize) -> Size {
    Size { text: text.into(), number, runs: true }
}
