//! What a program holds besides the model that grows, and what the compiler says of this one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use gradiron_compiler::diagnostics::Diagnostics;
use gradiron_compiler::dim::{Atom, Dim};
use gradiron_compiler::graph::{Kind, Ty};
use gradiron_compiler::lower::{Bound, ModelCx, Param, Scope, Siblings, bound, dim};
use gradiron_compiler::syntax::{ModelItem, parse_model};
use proc_macro2::{Group, Literal, TokenStream, TokenTree};

use super::model::Model;

/// Constants, sizes, and the models that are finished.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub constants: BTreeMap<String, usize>,
    pub sizes: BTreeMap<String, usize>,
    pub made: Vec<Made>,
    /// The size of all sequences, in a program of models that run step by step.
    pub length: Option<String>,
}

/// A finished model, as others use it.
#[derive(Clone, Debug)]
pub struct Made {
    pub model: Model,
    pub functions: Vec<Signature>,
    /// The numbers of parameters and of floats of state.
    pub floats: [usize; 2],
}

#[derive(Clone, Debug)]
pub struct Signature {
    pub name: String,
    pub args: Vec<Known>,
    pub results: Vec<Known>,
    pub steps: bool,
}

/// A value of a body.
#[derive(Clone, Debug)]
pub struct Known {
    pub name: String,
    pub classes: bool,
    pub dims: Vec<Size>,
}

/// A size: as text, as a number, and whether only a run knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    pub text: String,
    pub number: usize,
    pub runs: bool,
}

impl Size {
    pub fn one() -> Self {
        Self { text: "1".into(), number: 1, runs: false }
    }
}

impl Known {
    pub fn elements(&self) -> usize {
        self.dims.iter().map(|size| size.number).product()
    }

    pub fn numbers(&self) -> Vec<usize> {
        self.dims.iter().map(|size| size.number).collect()
    }

    /// `[batch, 3]`
    pub fn ty(&self) -> String {
        let classes = if self.classes { "Classes" } else { "" };
        format!("{classes}{}", shape(&self.dims))
    }
}

/// `[batch, 3]`
pub fn shape(dims: &[Size]) -> String {
    let dims: Vec<_> = dims.iter().map(|size| size.text.as_str()).collect();
    format!("[{}]", dims.join(", "))
}

/// The shapes of weights, by the fields that own them.
type Weights = BTreeMap<String, Vec<Size>>;

/// What the compiler says of a body.
#[derive(Debug)]
pub struct Said {
    pub values: BTreeMap<String, Known>,
    /// The shapes of the fields' weights.
    pub weights: Weights,
    /// The numbers of parameters and of floats of state.
    pub floats: [usize; 2],
}

impl World {
    /// What the function's statements name, where the compiler accepts them, and rustc will.
    pub fn ask(&self, model: &Model, function: &str) -> Option<Said> {
        let text = model.text(true);
        // Where all numbers are known, all rules are decided at once.
        let named = tokens(&text);
        let numbers = match model.params.is_empty() {
            true => self.with_numbers(model, named.clone()),
            false => self.with_numbers(model, tokens(&model.text(false))),
        };
        let (plain, floats, mut weights) = guarded(&text, || self.bound(model, numbers, function))?;
        let read = super::model::words(&text);
        let has_names = !model.params.is_empty() || self.constants.keys().any(|n| read.contains(n));
        let named = match has_names {
            true => {
                let (named, _, of_names) = guarded(&text, || self.bound(model, named, function))?;
                weights = of_names;
                named
            }
            false => plain.clone(),
        };
        let number = |dim: &Dim| dim.evaluate(&|atom| self.atom(model, atom));
        if !named.deferred.iter().all(|deferred| deferred.holds(&number)) {
            return None;
        }
        let mut values = BTreeMap::new();
        for (name, ty) in named.values {
            let known = self.known(model, &name, &ty)?;
            let other = self.known(model, &name, plain.values.get(&name)?)?;
            if known.numbers() != other.numbers() || known.numbers().contains(&0) {
                return None;
            }
            values.insert(name, known);
        }
        Some(Said { values, weights, floats })
    }

    fn known(&self, model: &Model, name: &str, ty: &Ty) -> Option<Known> {
        let size = |dim: &Dim| {
            let number = dim.evaluate(&|atom| self.atom(model, atom))?;
            Some(Size { text: dim.to_string(), number, runs: dim.is_run_time() })
        };
        let dims = ty.dims().iter().map(size).collect::<Option<Vec<_>>>()?;
        Some(Known { name: name.into(), classes: ty.kind == Kind::Classes, dims })
    }

    fn bound(
        &self,
        model: &Model,
        text: TokenStream,
        function: &str,
    ) -> Option<(Bound, [usize; 2], Weights)> {
        let mut diagnostics = Diagnostics::default();
        let item = parse_model(text, &mut diagnostics);
        if !diagnostics.is_empty() {
            return None;
        }
        let siblings = Siblings::default();
        let mut cx = ModelCx::new(&item, &siblings, &mut diagnostics);
        let bound = bound(&mut cx, function)?;
        let number = |dims: &[Dim]| -> Option<usize> {
            let sizes = dims.iter().map(|dim| dim.evaluate(&|atom| self.atom(model, atom)));
            sizes.product()
        };
        let params: Option<usize> = cx.params.iter().map(|(_, p)| number(&p.shape.0)).sum();
        let state: Option<usize> = cx.state.iter().map(|(_, s)| number(&s.shape.0)).sum();
        let weights = cx.params.iter().filter(|(_, param)| param.name == "weight");
        let weight = |(field, param): &(usize, Param)| {
            let ty = Ty::float(param.shape.0.clone());
            Some((item.fields[*field].name.to_string(), self.known(model, "", &ty)?.dims))
        };
        let weights = weights.map(weight).collect::<Option<_>>()?;
        Some((bound, [params?, state?], weights))
    }

    /// The number behind a name.
    pub fn atom(&self, model: &Model, atom: &Atom) -> Option<usize> {
        let text = match atom {
            Atom::Run(name) => return self.sizes.get(name).copied(),
            Atom::Quotient(..) | Atom::Sum(_) => return None,
            Atom::Const(text, _) => text,
        };
        if let Some(param) = model.params.iter().find(|param| param.name == *text) {
            return Some(param.value);
        }
        if let Some(value) = self.constants.get(text) {
            return Some(*value);
        }
        // `Block<3>::PARAMS`
        let name = text.split(['<', ':']).next()?.trim();
        let made = self.made.iter().find(|made| made.model.name == name)?;
        match text.rsplit("::").next()? {
            "PARAMS" => Some(made.floats[0]),
            "STATE" => Some(made.floats[1]),
            _ => None,
        }
    }

    /// The number that a size is, without run-time names.
    pub fn number(&self, model: &Model, text: &str) -> Option<usize> {
        let (sizes, consts) = (HashMap::new(), HashSet::new());
        let facts = gradiron_compiler::facts::Facts::default();
        let item = ModelItem::default();
        let (sizes, consts, facts) = (&sizes, &consts, &facts);
        let scope = Scope { sizes, consts, facts, item: &item, run_time: false };
        let expr = syn::parse_str(text).ok()?;
        dim(&expr, &scope).ok()?.evaluate(&|atom| self.atom(model, atom))
    }

    /// The text with numbers in the place of constants.
    pub fn with_numbers(&self, model: &Model, text: TokenStream) -> TokenStream {
        let number = |name: &str| {
            let param = model.params.iter().find(|param| param.name == name);
            param.map(|param| param.value).or_else(|| self.constants.get(name).copied())
        };
        replaced(text, &number)
    }

    /// The same for the const parameters alone: how a model stands alone.
    pub fn without_params(&self, model: &Model) -> String {
        if model.params.is_empty() {
            return model.text(true);
        }
        let of = |name: &str| model.params.iter().find(|p| p.name == name).map(|p| p.value);
        let mut text = String::new();
        for piece in model.text(false).split_inclusive(|c: char| !is_word(c)) {
            let word = piece.trim_end_matches(|c: char| !is_word(c));
            match of(word) {
                Some(value) => {
                    text.push_str(&value.to_string());
                    text.push_str(&piece[word.len()..]);
                }
                None => text.push_str(piece),
            }
        }
        text
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn replaced(text: TokenStream, number: &dyn Fn(&str) -> Option<usize>) -> TokenStream {
    let token = |token: TokenTree| match &token {
        TokenTree::Group(group) => {
            Group::new(group.delimiter(), replaced(group.stream(), number)).into()
        }
        TokenTree::Ident(name) => match number(&name.to_string()) {
            Some(value) => Literal::usize_unsuffixed(value).into(),
            None => token,
        },
        _ => token,
    };
    text.into_iter().map(token).collect()
}

pub fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap_or_else(|error| panic!("{error} in\n{text}"))
}

/// A panic of the compiler says of which text it is.
pub fn guarded<T>(text: &str, work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        eprintln!("the compiler panics at\n{text}");
        resume_unwind(panic)
    })
}
