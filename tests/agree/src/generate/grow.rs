//! A function's body, statement by statement: what the compiler refuses is not written.

use super::dice::Dice;
use super::model::{Field, Function, Is, Let, Model, words};
use super::world::{Known, Signature, Size, World, shape};
use crate::program::Program;

/// The most elements of a value, and floats of a model.
const ELEMENTS: usize = 160;
pub const FLOATS: usize = 320;

/// The most inputs of a function.
const ARGS: usize = 6;

pub struct Growing<'a> {
    pub dice: &'a mut Dice,
    pub world: &'a World,
    pub model: Model,
    /// The values of the function that grows, in their order.
    pub known: Vec<Known>,
    /// At most so many parameters.
    pub floats: usize,
    /// What is not asked for: a target that is its own prediction.
    pub avoid: Option<String>,
    /// The functions of the model that are finished.
    pub done: Vec<Signature>,
    pub accept: &'a dyn Fn(&Program) -> bool,
    /// What fails says so by nothing.
    pub seed: u64,
}

impl Growing<'_> {
    /// Starts a function.
    pub fn begin(&mut self, name: &str, step: Option<String>, args: Vec<String>) -> bool {
        let args = args.into_iter().map(|ty| (self.model.fresh("x"), ty)).collect();
        let name = name.to_string();
        let body = Vec::new();
        self.model.functions.push(Function { name, step, args, body, results: Vec::new() });
        self.known.clear();
        let begun = self.check();
        if !begun {
            self.model.functions.pop();
        }
        begun
    }

    /// Adds a statement if everyone accepts it.
    pub fn attempt(&mut self, propose: impl FnOnce(&mut Self) -> Option<Let>) -> bool {
        let saved = self.model.clone();
        let proposed = propose(self);
        let floats = self.floats;
        let kept = proposed.is_some_and(|statement| {
            self.model.last().body.push(statement);
            self.check() && self.accepted()
        });
        if !kept {
            self.model = saved;
            self.floats = floats;
            let names = self.model.last().names();
            self.known.retain(|known| names.contains(&known.name));
        }
        kept
    }

    /// Whether the compiler takes the model as it is; then its values are known.
    fn check(&mut self) -> bool {
        let (model, whole) = match self.excerpt() {
            Some(excerpt) => (excerpt, false),
            None => (self.model.clone(), true),
        };
        let function = self.model.last();
        let (name, names) = (function.name.clone(), function.names());
        let Some(said) = self.world.ask(&model, &name) else { return false };
        let known = |name: &String| {
            let known = self.known.iter().find(|known| known.name == *name);
            said.values.get(name).or(known).cloned()
        };
        let Some(values) = names.iter().map(known).collect::<Option<Vec<_>>>() else {
            return false;
        };
        let small = |known: &Known| known.elements() <= ELEMENTS && known.dims.len() <= 5;
        let floats = if whole { said.floats[0] } else { self.floats + said.floats[0] };
        if floats > FLOATS || !values.iter().all(small) {
            return false;
        }
        self.known = values;
        for field in &mut self.model.fields {
            if let Some(weight) = said.weights.get(&field.name) {
                field.weight = Some(weight.clone());
            }
        }
        if self.steps() {
            let shown = self.shown();
            if !shown.functions.is_empty() && !super::finish::steps(self.world, &shown) {
                return false;
            }
        }
        self.floats = floats;
        true
    }

    /// The last statement alone, with what it reads as inputs: the compiler is asked quickly.
    fn excerpt(&self) -> Option<Model> {
        let function = self.model.functions.last()?;
        let statement = function.body.last()?;
        let read = words(&statement.value);
        let fields = self.model.fields.iter().filter(|field| read.contains(&field.name));
        let fields: Vec<_> = fields.cloned().collect();
        let calls = self.done.iter().any(|function| read.contains(&function.name));
        // A layer that was used before has sizes already.
        let before = &function.body[..function.body.len() - 1];
        let used = |name: &String| before.iter().any(|one| words(&one.value).contains(name));
        let again = fields.iter().any(|field| used(&field.name) || field.decl.contains("tied"));
        if calls || again {
            return None;
        }
        let mut args: Vec<_> =
            function.args.iter().filter(|a| read.contains(&a.0)).cloned().collect();
        for known in self.known.iter().filter(|known| read.contains(&known.name)) {
            if args.iter().all(|(name, _)| *name != known.name) {
                args.push((known.name.clone(), known.ty()).clone());
            }
        }
        for size in self.world.sizes.keys() {
            args.push((format!("of_{size}"), format!("[{size}]")));
        }
        let results = vec![(statement.names[0].clone(), "[]".into())];
        let body = vec![statement.clone()];
        let function = Function { name: function.name.clone(), args, body, step: None, results };
        let (name, params) = (self.model.name.clone(), self.model.params.clone());
        Some(Model { name, params, fields, functions: vec![function], count: 0 })
    }

    /// Whether the function also runs step by step.
    pub fn steps(&mut self) -> bool {
        self.model.last().step.is_some()
    }

    /// Whether the values that the last statement makes are fit.
    fn accepted(&mut self) -> bool {
        let shown = self.shown();
        if shown.functions.is_empty() || self.steps() {
            return true;
        }
        (self.accept)(&self.world.program(&shown, self.seed))
    }

    /// The model with the function that grows as its only one, which returns its last values.
    fn shown(&mut self) -> Model {
        let function = self.model.last();
        let name = function.name.clone();
        let Some(statement) = function.body.last() else { return Model::default() };
        let mut results = Vec::new();
        for value in statement.names.clone() {
            let Some(known) = self.known.iter().find(|known| known.name == value) else { continue };
            match (known.classes, !known.dims.is_empty()) {
                (true, _) => {}
                (false, true) => results.push((value, known.ty())),
                (false, false) => {
                    results.push((format!("{value}.sum().reshape([1])"), "[1]".into()));
                }
            }
        }
        if results.is_empty() {
            return Model::default();
        }
        let mut model = self.model.clone();
        model.last().results = results;
        let mut kept = model.pruned(|function| function.name == name);
        // A call whose results are read in part reads its inputs in part.
        let words = kept.last().words();
        let made = kept.last().body.iter().flat_map(|statement| statement.names.clone());
        let unread = made.filter(|name| !words.contains(name));
        let unread = unread.filter_map(|name| self.known.iter().find(|known| known.name == name));
        let unread: Vec<_> = unread.filter(|known| !known.classes).cloned().collect();
        for known in unread {
            let value = (format!("{}.sum().reshape([1])", known.name), "[1]".into());
            kept.last().results.push(value);
        }
        let model = kept;
        let says = model.functions.iter().all(|function| function.says(self.world.sizes.keys()));
        let takes = model.functions.iter().all(|function| !function.args.is_empty());
        if says && takes { model } else { Model::default() }
    }

    pub fn value(&mut self, value: String) -> Let {
        Let { names: vec![self.model.fresh("v")], ty: None, value }
    }

    /// A value to go on with: the last ones and those that nothing reads more often.
    pub fn receiver(&mut self, fits: impl Fn(&Known) -> bool) -> Option<Known> {
        let loose = self.model.last().loose();
        let known = self.known.iter().filter(|known| self.avoid.as_ref() != Some(&known.name));
        let known: Vec<_> = known.filter(|known| fits(known)).collect();
        let unread: Vec<_> =
            known.iter().filter(|known| loose.contains(&known.name)).copied().collect();
        let from = if !unread.is_empty() && self.dice.percent(60) { &unread } else { &known };
        self.dice.late(from).map(|known| (*known).clone())
    }

    pub fn float(&mut self) -> Option<Known> {
        self.receiver(|known| !known.classes)
    }

    pub fn field(&mut self, stem: &str, decl: String, is: Is) -> String {
        let name = self.model.fresh(stem);
        self.model.fields.push(Field { name: name.clone(), decl, is, weight: None });
        name
    }

    /// A new input of the function.
    pub fn arg(&mut self, ty: String) -> Option<String> {
        let name = self.model.fresh("x");
        let args = &mut self.model.last().args;
        if args.len() >= ARGS {
            return None;
        }
        args.push((name.clone(), ty));
        Some(name)
    }

    /// The weight of a layer that is there, and its shape.
    pub fn weight(&mut self, fits: impl Fn(&[Size]) -> bool) -> Option<(String, Vec<Size>)> {
        let fields = self.model.fields.iter().filter_map(|field| {
            let weight = field.weight.clone().filter(|weight| fits(weight))?;
            Some((format!("self.{}.weight", field.name), weight))
        });
        let fields: Vec<_> = fields.collect();
        self.dice.pick(&fields).cloned()
    }

    /// A value of a shape: one that is there, a new input, a parameter, or one made of another.
    pub fn need(&mut self, dims: &[Size]) -> Option<String> {
        let numbers: Vec<_> = dims.iter().map(|size| size.number).collect();
        let same = |known: &Known| {
            !known.classes && known.numbers() == numbers && runs(&known.dims) == runs(dims)
        };
        if self.dice.percent(60)
            && let Some(known) = self.receiver(same)
        {
            return Some(known.name);
        }
        let fixed = dims.iter().all(|size| !size.runs);
        let is_it = |weight: &[Size]| weight.iter().map(|size| size.number).eq(numbers.clone());
        if fixed
            && self.dice.percent(30)
            && let Some((weight, _)) = self.weight(is_it)
        {
            return Some(weight);
        }
        for _ in 0..3 {
            match self.dice.below(6) {
                0 if fixed && !dims.is_empty() => return Some(self.owned(dims)),
                1 | 2 if dims.len() <= 4 => {
                    if let Some(name) = self.arg(shape(dims)) {
                        return Some(name);
                    }
                }
                3 if !dims.is_empty() => {
                    let ends = |known: &Known| {
                        !known.classes
                            && known.dims.len() == dims.len()
                            && known.dims[..dims.len() - 1] == dims[..dims.len() - 1]
                            && !known.dims[dims.len() - 1].runs
                    };
                    if let Some(known) = self.receiver(ends) {
                        let (from, to) = (&known.dims[dims.len() - 1], &dims[dims.len() - 1]);
                        let decl = format!("Linear({} -> {})", from.text, to.text);
                        let field = self.field("f", decl, Is::Layer("Linear"));
                        return Some(format!("self.{field}({})", known.name));
                    }
                }
                4 => {
                    let len: usize = numbers.iter().product();
                    let equal = |known: &Known| {
                        !known.classes && known.elements() == len && has_run(known) != fixed
                    };
                    if let Some(known) = self.receiver(equal) {
                        return Some(format!("{}.reshape({})", known.name, shape(dims)));
                    }
                }
                _ => {}
            }
        }
        self.receiver(same).map(|known| known.name)
    }

    /// A value of a shape, mostly an input: a mask.
    pub fn given(&mut self, dims: &[Size]) -> Option<String> {
        if self.dice.percent(35) {
            return self.need(dims);
        }
        let args: Vec<_> = self.model.last().args.iter().map(|(name, _)| name.clone()).collect();
        let same =
            |known: &&Known| !known.classes && known.dims == dims && args.contains(&known.name);
        let found: Vec<_> = self.known.iter().filter(same).cloned().collect();
        if self.dice.percent(50)
            && let Some(known) = self.dice.pick(&found)
        {
            return Some(known.name.clone());
        }
        self.arg(shape(dims))
    }

    /// Class indices of a shape.
    pub fn classes(&mut self, dims: &[Size]) -> Option<String> {
        let same = |known: &&Known| known.classes && known.dims == dims;
        let found: Vec<_> = self.known.iter().filter(same).cloned().collect();
        if self.dice.percent(60)
            && let Some(known) = self.dice.pick(&found)
        {
            return Some(known.name.clone());
        }
        self.arg(format!("Classes{}", shape(dims)))
    }

    /// A parameter of its own.
    pub fn param(&mut self, dims: &[Size]) -> String {
        let init = self.init();
        self.declared("Param", dims, &init)
    }

    /// A value of its own: mostly a parameter, else a buffer.
    pub fn owned(&mut self, dims: &[Size]) -> String {
        let kind = if self.dice.percent(25) { "Buffer" } else { "Param" };
        let init = self.init();
        self.declared(kind, dims, &init)
    }

    fn declared(&mut self, kind: &str, dims: &[Size], init: &str) -> String {
        let decl = match self.dice.percent(30) {
            true => format!("{kind}({})", shape(dims)),
            false => format!("{kind}({}, init = {init})", shape(dims)),
        };
        format!("self.{}", self.field("p", decl, Is::Param))
    }

    pub fn init(&mut self) -> String {
        let inits = ["zeros", "ones", "constant(0.5)", "normal(0.0, 0.5)", "uniform(-0.5, 1.0)"];
        self.dice.word(&inits)
    }
}

/// Which sizes only a run knows, by their texts.
pub fn runs(dims: &[Size]) -> Vec<Option<&str>> {
    dims.iter().map(|size| size.runs.then_some(size.text.as_str())).collect()
}

fn has_run(known: &Known) -> bool {
    known.dims.iter().any(|size| size.runs)
}
