//! Groups of parameters: what an optimizer does otherwise for some, and which it leaves alone.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::HyperParamError;
use crate::device::{FROZEN, GROUPS};
use crate::module::{Model, Module, ParamSpec, Select, SelectError, range};

/// What is said of a group of parameters: `|g| g.learning_rate(3e-3).weight_decay(0.0)`. What is
/// not said stays as it is for the others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Group {
    pub(super) lr: Option<f32>,
    pub(super) factor: Option<f32>,
    pub(super) weight_decay: Option<f64>,
}

impl Group {
    /// The learning rate of the group beside that which the optimizer has now. Where
    /// [`set_learning_rate`](super::Optimizer::set_learning_rate) changes that, this changes by the
    /// same factor, as with PyTorch's schedulers.
    #[must_use]
    pub fn learning_rate(self, lr: f32) -> Self {
        Self { lr: Some(lr), factor: None, ..self }
    }

    /// The same as a factor of the optimizer's rate: 0.1 for a body that is trained already.
    #[must_use]
    pub fn learning_rate_factor(self, factor: f32) -> Self {
        Self { factor: Some(factor), lr: None, ..self }
    }

    /// The weight decay of the group, in the optimizer's own way.
    #[must_use]
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        Self { weight_decay: Some(weight_decay), ..self }
    }
}

/// What a step does for some parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row {
    /// The factor of the learning rate.
    rate: f64,
    /// In place of the optimizer's.
    weight_decay: Option<f64>,
    /// Steps that were made while they were frozen, or along the gradient of a loss that leaves
    /// them alone.
    missed: u64,
    /// Which losses leave them alone: a number of [`Partial`]'s lists.
    class: usize,
}

impl Row {
    const PLAIN: Self = Self { rate: 1.0, weight_decay: None, missed: 0, class: 0 };

    /// The learning rate, where the optimizer's is `lr`.
    pub fn learning_rate(&self, lr: f32) -> f32 {
        if self.rate == 1.0 { lr } else { (f64::from(lr) * self.rate) as f32 }
    }

    /// The weight decay, where the optimizer's is `weight_decay`.
    pub fn weight_decay(&self, weight_decay: f64) -> f64 {
        self.weight_decay.unwrap_or(weight_decay)
    }

    /// The steps that these parameters have made, of so many of the optimizer.
    pub fn steps(&self, all: u64) -> u64 {
        all - self.missed
    }
}

/// A parameter, with what is said of it.
#[derive(Clone, Debug)]
struct Said {
    place: Range<usize>,
    row: Row,
    /// Since which step it is frozen.
    frozen: Option<u64>,
    /// Whether the model says so: it has no gradient.
    held: bool,
}

/// A step along the gradient of a loss with `#[trains(…)]`.
#[derive(Clone, Debug)]
struct Partial {
    /// The ranges of parameters that the loss leaves alone.
    absent: &'static [[usize; 2]],
    /// Whether it leaves those of a class alone.
    classes: Vec<bool>,
    /// The runs of such a step, in which what is left alone counts as frozen.
    runs: Arc<[(usize, u8)]>,
}

/// The groups, as runs of the flat slice: one of all parameters, unless something is said.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    /// In the order of their places; nothing as long as nothing is said.
    said: Vec<Said>,
    /// The different rows, the plain one first.
    rows: Vec<Row>,
    /// The ends of runs in order, and their rows; nothing when there is one row.
    runs: Arc<[(usize, u8)]>,
    /// What stays of the state, since it belongs to what is frozen.
    still: Arc<[Range<usize>]>,
    /// The losses of the model that train some parameters alone.
    partial: Vec<Partial>,
    /// Which of them the present step is along.
    present: Option<usize>,
}

impl Default for Groups {
    fn default() -> Self {
        let (runs, still) = (Arc::default(), Arc::default());
        let (partial, present) = (Vec::new(), None);
        Self { said: Vec::new(), rows: vec![Row::PLAIN], runs, still, partial, present }
    }
}

impl Groups {
    /// What the model says: which parameters stand below `#[frozen]`, and which a loss leaves
    /// alone.
    pub fn of<M: Model>() -> Self {
        let mut groups = Self::default();
        let partial = |absent: &&'static [[usize; 2]]| Partial {
            absent,
            classes: Vec::new(),
            runs: Arc::default(),
        };
        groups.partial = M::Module::ABSENT.iter().map(partial).collect();
        let says = || M::param_specs().iter().any(|spec| spec.frozen);
        if (!groups.partial.is_empty() || says())
            && let Err(error) = groups.change::<M>(|_: &_| true, |_| {})
        {
            panic!("gradiron: {error}");
        }
        groups
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The ends of runs in order, and their rows: those of the present step.
    pub fn runs(&self) -> &Arc<[(usize, u8)]> {
        self.present.map_or(&self.runs, |at| &self.partial[at].runs)
    }

    /// Begins a step along gradients that leave out these ranges of parameters: they miss it.
    pub fn step(&mut self, absent: &'static [[usize; 2]]) {
        let is_it = |partial: &Partial| partial.absent == absent;
        self.present = self.partial.iter().position(is_it).filter(|_| !absent.is_empty());
        let Some(at) = self.present else { return };
        let classes = &self.partial[at].classes;
        let trained = self.said.iter_mut().filter(|said| said.frozen.is_none());
        for row in trained.map(|said| &mut said.row).chain(&mut self.rows) {
            row.missed += u64::from(classes[row.class]);
        }
    }

    /// Parts of the state that stay as they are.
    pub fn still(&self) -> &Arc<[Range<usize>]> {
        &self.still
    }

    /// Calls `f` for each part of a range that is treated alike, with its row, and leaves out what
    /// is frozen.
    #[inline]
    pub fn parts(&self, range: Range<usize>, f: impl FnMut(Range<usize>, usize)) {
        parts(self.runs(), range, f);
    }

    /// Whether a parameter changes, by its place.
    pub fn trains(&self, place: usize) -> bool {
        let run = self.runs.partition_point(|(end, _)| *end <= place);
        self.runs.get(run).is_none_or(|(_, row)| *row != FROZEN)
    }

    /// Says something of the parameters that are chosen.
    pub fn say<M: Model>(
        &mut self,
        what: impl Select<M>,
        weight_decay: Option<Option<f64>>,
        rate: Option<f64>,
    ) -> Result<(), GroupError> {
        self.change(what, |said| {
            let row = &mut said.row;
            row.weight_decay = weight_decay.unwrap_or(row.weight_decay);
            row.rate = rate.unwrap_or(row.rate);
        })
    }

    /// Freezes what is chosen, or lets it train again, at a step.
    pub fn set_frozen<M: Model>(
        &mut self,
        what: impl Select<M>,
        frozen: bool,
        step: u64,
    ) -> Result<(), GroupError> {
        self.change(what, |said| match (frozen, said.frozen) {
            (true, None) => said.frozen = Some(step),
            (false, Some(since)) if !said.held => {
                (said.frozen, said.row.missed) = (None, said.row.missed + (step - since));
            }
            _ => {}
        })
    }

    /// Lets all steps begin anew, with none missed.
    pub fn restart(&mut self) {
        for said in &mut self.said {
            (said.row.missed, said.frozen) = (0, said.frozen.map(|_| 0));
        }
        // As many rows as before, or fewer.
        if let Ok(rows) = rows_of(&self.said) {
            self.lay_out(rows);
        }
    }

    /// What is frozen is so since this step.
    pub fn freeze_at(&mut self, step: u64) {
        self.said.iter_mut().for_each(|said| said.frozen = said.frozen.map(|_| step));
    }

    /// The steps that a parameter has made, by its place, of so many of the optimizer.
    pub fn steps_of(&self, place: usize, all: u64) -> u64 {
        match self.said.binary_search_by_key(&place, |said| said.place.start) {
            Ok(at) => self.said[at].row.steps(self.said[at].frozen.unwrap_or(all)),
            Err(_) => all,
        }
    }

    /// Says how many steps each parameter has made, where the optimizer has made `all`.
    pub fn load_steps<M: Model>(&mut self, steps: &[u64], all: u64) -> Result<(), GroupError> {
        if self.said.is_empty() && steps.iter().all(|own| *own == all) {
            return Ok(());
        }
        let specs = M::param_specs();
        let own = |place: usize| {
            let found = specs.iter().zip(steps).find(|(spec, _)| spec.start == place);
            found.map_or(all, |(_, own)| *own)
        };
        self.change::<M>(
            |_: &_| true,
            |said| {
                said.row.missed = all - own(said.place.start);
                said.frozen = said.frozen.map(|_| all);
            },
        )
    }

    /// Nothing is changed where there is an error.
    fn change<M: Model>(
        &mut self,
        what: impl Select<M>,
        change: impl Fn(&mut Said),
    ) -> Result<(), GroupError> {
        let mut said = self.said.clone();
        if said.is_empty() {
            let specs = M::selection(|_: &_| true)?;
            let mut classes = vec![vec![false; self.partial.len()]];
            let mut class_of = |place: usize| {
                let is_in = |range: &[usize; 2]| (range[0]..range[1]).contains(&place);
                let own = self.partial.iter().map(|partial| partial.absent.iter().any(is_in));
                let own: Vec<bool> = own.collect();
                classes.iter().position(|known| *known == own).unwrap_or_else(|| {
                    classes.push(own);
                    classes.len() - 1
                })
            };
            let said_by_model = |spec: &ParamSpec| Said {
                place: range(spec),
                row: Row { class: class_of(spec.start), ..Row::PLAIN },
                frozen: spec.frozen.then_some(0),
                held: spec.frozen,
            };
            said = specs.specs().iter().map(said_by_model).collect();
            for (at, partial) in self.partial.iter_mut().enumerate() {
                partial.classes = classes.iter().map(|left_alone_by| left_alone_by[at]).collect();
            }
        }
        let chosen = what.selection()?;
        for spec in chosen.specs() {
            let found = said.binary_search_by_key(&spec.start, |said| said.place.start);
            if let Ok(at) = found {
                change(&mut said[at]);
            }
        }
        let rows = rows_of(&said)?;
        (self.still, self.said) = (still_state::<M>(&said).into(), said);
        self.lay_out(rows);
        Ok(())
    }

    /// Lays out the runs for these rows, each parameter having one of them.
    fn lay_out(&mut self, rows: Vec<Row>) {
        self.runs = runs_of(&self.said, &rows, |_| false).into();
        for partial in &mut self.partial {
            let leaves_alone = |row: &Row| partial.classes[row.class];
            partial.runs = runs_of(&self.said, &rows, leaves_alone).into();
        }
        self.rows = rows;
    }
}

/// Calls `f` for each part of a range with its row, but for what is frozen.
#[inline]
pub(super) fn parts(
    runs: &[(usize, u8)],
    range: Range<usize>,
    mut f: impl FnMut(Range<usize>, usize),
) {
    let mut start = range.start;
    let mut run = runs.partition_point(|(end, _)| *end <= start);
    while start < range.end {
        let (end, row) = runs.get(run).copied().unwrap_or((range.end, 0));
        let end = end.min(range.end);
        if row != FROZEN {
            f(start..end, usize::from(row));
        }
        (start, run) = (end, run + 1);
    }
}

/// The different rows, the plain one first.
fn rows_of(said: &[Said]) -> Result<Vec<Row>, GroupError> {
    let mut rows = vec![Row::PLAIN];
    for Said { row, .. } in said.iter().filter(|said| said.frozen.is_none()) {
        if rows.contains(row) {
            continue;
        }
        if rows.len() == GROUPS {
            return Err(GroupError::TooMany);
        }
        rows.push(*row);
    }
    Ok(rows)
}

/// The ends of runs with their rows; nothing where all have the plain one. What a step
/// `leaves_alone` counts as frozen.
fn runs_of(said: &[Said], rows: &[Row], leaves_alone: impl Fn(&Row) -> bool) -> Vec<(usize, u8)> {
    let mut runs: Vec<(usize, u8)> = Vec::new();
    for Said { place, row, frozen, .. } in said {
        let known = rows.iter().position(|known| known == row);
        let number = match known {
            Some(known) if frozen.is_none() && !leaves_alone(row) => known as u8,
            _ => FROZEN,
        };
        // What no parameter describes is plain.
        let before = runs.last().map_or(0, |(end, _)| *end);
        let plain = (before < place.start).then_some((place.start, 0));
        for (end, number) in plain.into_iter().chain([(place.end, number)]) {
            match runs.last_mut() {
                Some(last) if last.1 == number => last.0 = end,
                _ => runs.push((end, number)),
            }
        }
    }
    if runs.iter().all(|(_, number)| *number == 0) {
        runs.clear();
    }
    runs
}

/// The state of layers whose parameters are all frozen. Of a layer without parameters, the module
/// around it counts.
fn still_state<M: Model>(said: &[Said]) -> Vec<Range<usize>> {
    if said.iter().all(|said| said.frozen.is_none()) {
        return Vec::new();
    }
    let specs = M::param_specs();
    let frozen = |start: usize| {
        let found = said.binary_search_by_key(&start, |said| said.place.start);
        found.is_ok_and(|at| said[at].frozen.is_some())
    };
    let stays = |name: &str| {
        let mut around = name;
        while let Some((module, _)) = around.rsplit_once('.') {
            let inside =
                |name: &str| name.strip_prefix(module).is_some_and(|rest| rest.starts_with('.'));
            let mut own = specs.iter().filter(|spec| inside(&spec.name)).peekable();
            if own.peek().is_some() {
                return own.all(|spec| frozen(spec.start));
            }
            around = module;
        }
        specs.iter().all(|spec| frozen(spec.start))
    };
    let mut still: Vec<Range<usize>> = Vec::new();
    for spec in M::state_specs().iter().filter(|spec| stays(&spec.name)) {
        let end = spec.start + spec.len();
        match still.last_mut() {
            Some(last) if last.end == spec.start => last.end = end,
            _ => still.push(spec.start..end),
        }
    }
    still
}

/// Why nothing was said of a group of parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupError {
    /// A name matches nothing.
    Select(SelectError),
    /// A setting is out of its range.
    HyperParam(HyperParamError),
    /// There would be too many groups with different settings.
    TooMany,
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupError::Select(error) => error.fmt(f),
            GroupError::HyperParam(error) => error.fmt(f),
            GroupError::TooMany => write!(
                f,
                "expected at most {GROUPS} groups of parameters with different settings, found more; give \
                 some the same"
            ),
        }
    }
}

impl std::error::Error for GroupError {}

impl From<SelectError> for GroupError {
    fn from(error: SelectError) -> Self {
        GroupError::Select(error)
    }
}

impl From<HyperParamError> for GroupError {
    fn from(error: HyperParamError) -> Self {
        GroupError::HyperParam(error)
    }
}
