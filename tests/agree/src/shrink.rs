//! A program that fails, made smaller while it does.

mod edit;
mod expr;
mod read;

use gradiron_compiler::diagnostics::Diagnostics;
use gradiron_compiler::lower::{ModelCx, Siblings, bound};
use gradiron_compiler::syntax::parse_model;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::calls;
use crate::generate::model::{Model, words};
use crate::generate::world::tokens;
use crate::program::Program;

/// A smaller program that still fails; what the compiler refuses is no failure, unless it refuses
/// the program already.
pub fn shrink(program: &Program, fails: &dyn Fn(&Program) -> bool) -> Program {
    let models = program.models.iter().map(|text| read::model(text)).collect();
    let Some(models) = models else { return program.clone() };
    let whole = Whole { models, program: program.clone() };
    let right = is_right(program);
    let mut shrinking = Shrinking { whole, fails, right };
    // Reading and writing alone must not heal it.
    if !shrinking.is_wanted(&shrinking.whole) {
        return program.clone();
    }
    while shrinking.round() {}
    shrinking.whole.written()
}

/// A program with its models apart.
#[derive(Clone, Debug)]
struct Whole {
    models: Vec<Model>,
    /// All but the models.
    program: Program,
}

struct Shrinking<'a> {
    whole: Whole,
    fails: &'a dyn Fn(&Program) -> bool,
    /// Whether the compiler accepts what is to be made smaller.
    right: bool,
}

impl Whole {
    fn written(&self) -> Program {
        let models = self.models.iter().map(|model| model.text(true)).collect();
        Program { models, ..self.program.clone() }
    }

    /// Without what nothing uses.
    fn cleaned(mut self) -> Self {
        let last = self.models.len() - 1;
        for at in (0..=last).rev() {
            let behind: Vec<_> = self.models[at + 1..].iter().map(|m| m.text(true)).collect();
            let read: Vec<_> = behind.iter().flat_map(|text| words(text)).collect();
            if at < last && !read.contains(&self.models[at].name) {
                self.models.remove(at);
                continue;
            }
            let keep = |name: &String| at == last || name == "forward" || read.contains(name);
            self.models[at] = self.models[at].pruned(|function| keep(&function.name));
        }
        let texts: Vec<_> = self.models.iter().map(|model| model.text(true)).collect();
        let read: Vec<_> = texts.iter().flat_map(|text| words(text)).collect();
        self.program.constants.retain(|name, _| read.contains(name));
        self.program.sizes.retain(|name, _| read.contains(name));
        self
    }

    /// Less is smaller: the things that there are, then the length of the text, then its numbers.
    fn size(&self) -> (usize, usize, usize) {
        let mut things = self.program.constants.len() + 8 * self.models.len();
        let mut numbers: usize = self.program.sizes.values().sum();
        let mut length = 0;
        for model in &self.models {
            things += 2 * model.params.len() + 3 * model.fields.len();
            for function in &model.functions {
                things += 4 + 2 * function.args.len() + 4 * function.body.len();
                things += 2 * function.results.len();
            }
            let text = model.text(true);
            length += text.len();
            numbers += words(&text).iter().filter_map(|w| w.parse::<usize>().ok()).sum::<usize>();
        }
        numbers += self.program.constants.values().sum::<usize>();
        (things, length, numbers)
    }
}

/// Whether the compiler and rustc have nothing to say against a program. What the first panics at
/// may be what is looked for.
fn is_right(program: &Program) -> bool {
    catch_unwind(AssertUnwindSafe(|| calls::check(program).is_ok())).unwrap_or(true)
}

/// The types of a function's values.
fn types(model: &Model, function: &str) -> BTreeMap<String, String> {
    let find = || {
        let mut diagnostics = Diagnostics::default();
        let item = parse_model(tokens(&model.text(true)), &mut diagnostics);
        let siblings = Siblings::default();
        bound(&mut ModelCx::new(&item, &siblings, &mut diagnostics), function)
    };
    let found = catch_unwind(AssertUnwindSafe(find)).ok().flatten();
    let values = found.map(|bound| bound.values).unwrap_or_default();
    values.into_iter().map(|(name, ty)| (name, ty.to_string())).collect()
}

impl Shrinking<'_> {
    fn is_wanted(&self, whole: &Whole) -> bool {
        let program = whole.written();
        (!self.right || is_right(&program)) && (self.fails)(&program)
    }

    /// Makes a change if the program is smaller then and still fails.
    fn attempt(&mut self, change: impl FnOnce(&mut Whole) -> Option<()>) -> bool {
        let mut changed = self.whole.clone();
        if change(&mut changed).is_none() || changed.models.iter().any(|m| m.functions.is_empty()) {
            return false;
        }
        let changed = changed.cleaned();
        if changed.size() >= self.whole.size() || !self.is_wanted(&changed) {
            return false;
        }
        self.whole = changed;
        true
    }

    /// All kinds of changes once; whether there was one.
    fn round(&mut self) -> bool {
        let before = self.whole.size();
        self.functions();
        self.results();
        self.statements();
        self.expressions();
        self.fields();
        self.constants();
        self.numbers();
        self.whole.size() < before
    }
}
