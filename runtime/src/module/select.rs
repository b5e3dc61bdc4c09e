//! Choosing parameters: by name, by what stands before a dot in one, by kind, or by a condition.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{Model, ParamSpec, StateSpec};
use crate::init::Init;
use crate::io::near;

/// What chooses parameters of an `M`: all that takes parameters by name takes any of these.
///
/// | | chooses |
/// |---|---|
/// | `"fc1.weight"` | the parameter of this name |
/// | `"encoder"`, `"encoder."` | all parameters below |
/// | `"blocks.*.norm1"` | `*` stands for any one part of a name, so `"*"` for all parameters |
/// | [`Kind::NormsAndBiases`] | those of a kind |
/// | `except("head")` | all but what is chosen ([`except`]) |
/// | `["stem", "head"]` | what any of these chooses |
/// | `\|p: &ParamSpec\| p.shape.len() >= 2` | those that fulfil a condition |
/// | a [`Selection`] | what was chosen before, without a search |
///
/// A name must match a parameter, or the choice is a [`SelectError`]. A kind and a condition may
/// match nothing, so that code for any model can name them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` chooses no parameters",
    label = "expected what chooses parameters",
    note = "a name `\"fc1.weight\"`, what stands before a dot in some `\"encoder\"`, a `Kind`, a condition \
            `|p: &ParamSpec| …`, `except(…)`, a `Selection`, or an array of these"
)]
pub trait Select<M: Model> {
    /// Marks in `chosen` which of `all` parameters of the model are meant.
    ///
    /// # Errors
    /// When a name matches none.
    fn choose(&self, all: &[ParamSpec], chosen: &mut [bool]) -> Result<(), SelectError>;

    /// The parameters that are meant.
    ///
    /// # Errors
    /// When a name matches none.
    fn selection(&self) -> Result<Selection<M>, SelectError> {
        let all = M::param_specs();
        let mut chosen = vec![false; all.len()];
        self.choose(&all, &mut chosen)?;
        let specs = all.into_iter().zip(chosen).filter_map(|(spec, yes)| yes.then_some(spec));
        Ok(Selection::of(specs))
    }
}

/// Parameters of an `M` that were chosen: their names, shapes and places. Cheap to copy; what is
/// done with them in each step of a training allocates nothing.
pub struct Selection<M> {
    /// In the order of their places.
    specs: Arc<[ParamSpec]>,
    model: PhantomData<fn() -> M>,
}

impl<M> Selection<M> {
    fn of(specs: impl Iterator<Item = ParamSpec>) -> Self {
        Self { specs: all(specs.collect()), model: PhantomData }
    }

    /// The parameters, in the order of the flat slice.
    pub fn specs(&self) -> &[ParamSpec] {
        &self.specs
    }

    /// The number of floats.
    pub fn count(&self) -> usize {
        self.specs.iter().map(ParamSpec::len).sum()
    }

    pub(crate) fn shared(self) -> Arc<[ParamSpec]> {
        self.specs
    }
}

impl<M> Clone for Selection<M> {
    fn clone(&self) -> Self {
        Self { specs: Arc::clone(&self.specs), model: PhantomData }
    }
}

impl<M> fmt::Debug for Selection<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.specs.iter().map(|spec| &spec.name)).finish()
    }
}

/// Tensors of the state of an `M` by name, as parameters are chosen by one.
pub(super) fn state_of<M: Model>(pattern: &str) -> Result<Arc<[ParamSpec]>, SelectError> {
    let all: Vec<_> = M::state_specs().into_iter().map(as_param).collect();
    let mut chosen = vec![false; all.len()];
    choose_by_name(pattern, "tensor of the state", &all, &mut chosen)?;
    let specs = all.into_iter().zip(chosen).filter_map(|(spec, yes)| yes.then_some(spec));
    Ok(Selection::<M>::of(specs).shared())
}

/// All tensors of a description, in the order of their places.
pub(super) fn all(mut specs: Vec<ParamSpec>) -> Arc<[ParamSpec]> {
    specs.sort_by_key(|spec| spec.start);
    specs.into()
}

/// A tensor of the state, described as a parameter is.
pub(super) fn as_param(spec: StateSpec) -> ParamSpec {
    let StateSpec { name, shape, start, init, .. } = spec;
    ParamSpec { name, shape, start, init, tied: Vec::new(), frozen: false }
}

impl<M: Model> Select<M> for Selection<M> {
    fn choose(&self, all: &[ParamSpec], chosen: &mut [bool]) -> Result<(), SelectError> {
        for (spec, chosen) in all.iter().zip(chosen) {
            let at = self.specs.binary_search_by_key(&spec.start, |own| own.start);
            *chosen |= at.is_ok_and(|at| self.specs[at].name == spec.name);
        }
        Ok(())
    }

    fn selection(&self) -> Result<Selection<M>, SelectError> {
        Ok(self.clone())
    }
}

impl<M: Model> Select<M> for &Selection<M> {
    fn choose(&self, all: &[ParamSpec], chosen: &mut [bool]) -> Result<(), SelectError> {
        (**self).choose(all, chosen)
    }

    fn selection(&self) -> Result<Selection<M>, SelectError> {
        Ok((*self).clone())
    }
}

impl<M: Model> Select<M> for &str {
    fn choose(&self, all: &[ParamSpec], chosen: &mut [bool]) -> Result<(), SelectError> {
        choose_by_name(self, "parameter", all, chosen)
    }
}

impl<M: Model> Select<M> for String {
    fn choose(&self, all: &[ParamSpec], chosen: &mut [bool]) -> Result<(), SelectError> {
        choose_by_name(self, "parameter", all, chosen)
    }
}

impl<M: Model, S: Select<M>> Select<M> for &[S] {
    fn choose(&self, all: &[ParamSpec], chosen: &mut [bool]) -> Result<(), SelectError> {
        self.iter().try_for_each(|each| each.choose(all, chosen))
    }
}

impl<M: Model, S: Select<M>, const N: usize> Select<M> for [S; N] {
    fn choose(&self, all: &[ParamSpec], chosen: &mut [bool]) -> Result<(), SelectError> {
        self.as_slice().choose(all, chosen)
    }
}

impl<M: Model, S: Select<M>> Select<M> for Vec<S> {
    fn choose(&self, all: &[ParamSpec], chosen: &mut [bool]) -> Result<(), SelectError> {
        self.as_slice().choose(all, chosen)
    }
}

impl<M: Model, F: Fn(&ParamSpec) -> bool> Select<M> for F {
    fn choose(&self, all: &[ParamSpec], chosen: &mut [bool]) -> Result<(), SelectError> {
        all.iter().zip(chosen).for_each(|(spec, chosen)| *chosen |= self(spec));
        Ok(())
    }
}

/// All parameters but those that `what` chooses: `except("head")`.
///
/// ```
/// use gradiron::prelude::*;
///
/// model! {
///     struct Net {
///         body: Linear(8 -> 4),
///         head: Linear(4 -> 2),
///     }
///
///     fn forward(&self, x: [batch, 8]) -> [batch, 2] {
///         self.head(self.body(x).relu())
///     }
/// }
///
/// let net = Net::init(Seed(0));
/// let body: Vec<_> = net.select(except("head")).unwrap().names().map(str::to_owned).collect();
/// assert_eq!(body, ["body.weight", "body.bias"]);
/// ```
pub fn except<S>(what: S) -> Except<S> {
    Except(what)
}

/// What [`except`] gives.
#[derive(Clone, Copy, Debug)]
pub struct Except<S>(S);

impl<M: Model, S: Select<M>> Select<M> for Except<S> {
    fn choose(&self, all: &[ParamSpec], chosen: &mut [bool]) -> Result<(), SelectError> {
        let mut left_out = vec![false; all.len()];
        self.0.choose(all, &mut left_out)?;
        chosen.iter_mut().zip(left_out).for_each(|(chosen, left_out)| *chosen |= !left_out);
        Ok(())
    }
}

/// Kinds of parameters, which PyTorch's names tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What is neither of a norm nor a bias: what weight decay is for.
    Weights,
    /// What is called `bias`, by itself or between underscores: `fc1.bias`, `attn.in_proj_bias`,
    /// `lstm.bias_ih_l0`.
    Biases,
    /// The factors of norms, and other factors of channels: what is called `weight` and starts as
    /// ones, or has fewer than two sizes.
    Norms,
    /// The last two.
    NormsAndBiases,
}

impl Kind {
    /// Whether a parameter is of this kind.
    pub fn holds(self, param: &ParamSpec) -> bool {
        let name = param.name.rsplit('.').next().unwrap_or("");
        let bias = name.split('_').any(|word| word == "bias");
        let factors = param.shape.len() < 2 || param.init == Init::Ones;
        let norm = name == "weight" && factors;
        match self {
            Kind::Weights => !bias && !norm,
            Kind::Biases => bias,
            Kind::Norms => norm,
            Kind::NormsAndBiases => bias || norm,
        }
    }
}

impl<M: Model> Select<M> for Kind {
    fn choose(&self, all: &[ParamSpec], chosen: &mut [bool]) -> Result<(), SelectError> {
        all.iter().zip(chosen).for_each(|(spec, chosen)| *chosen |= self.holds(spec));
        Ok(())
    }
}

/// Whether `pattern` is the name, or what stands before one of its dots; `*` is any one part.
pub(super) fn matches(name: &str, pattern: &str) -> bool {
    let mut parts = name.split('.');
    let pattern = pattern.strip_suffix('.').unwrap_or(pattern);
    pattern.split('.').all(|want| parts.next().is_some_and(|part| want == "*" || want == part))
}

/// Marks the tensors that a name means, their own or one of a weight that is tied to them.
fn choose_by_name(
    pattern: &str,
    what: &'static str,
    all: &[ParamSpec],
    chosen: &mut [bool],
) -> Result<(), SelectError> {
    let names = |spec: &'_ ParamSpec| -> bool {
        matches(&spec.name, pattern) || spec.tied.iter().any(|name| matches(name, pattern))
    };
    let mut found = false;
    for (spec, chosen) in all.iter().zip(chosen) {
        let yes = names(spec);
        (found, *chosen) = (found | yes, *chosen | yes);
    }
    if found {
        return Ok(());
    }
    let near = near(pattern, all.iter().map(|spec| spec.name.as_str()));
    Err(SelectError { pattern: pattern.to_owned(), what, near })
}

/// A name that matches nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectError {
    /// What was given.
    pub pattern: String,
    /// What it was looked for among.
    pub what: &'static str,
    /// Names that might be meant, the nearest first.
    pub near: Vec<String>,
}

impl fmt::Display for SelectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pattern, what, near } = self;
        write!(
            f,
            "`{pattern}` names no {what}, nor what stands before a dot in the name of one; "
        )?;
        match near.as_slice() {
            [] => write!(f, "there is none"),
            near => {
                let names: Vec<_> = near.iter().map(|name| format!("`{name}`")).collect();
                write!(f, "the nearest names are {}", names.join(", "))
            }
        }
    }
}

impl std::error::Error for SelectError {}
