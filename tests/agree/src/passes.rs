//! Every pass of the compiler: the graph behind it is interpreted and gives the numbers of the
//! graph that was lowered, and the gradients are those of difference quotients.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use gradiron_compiler::graph::step::SIZES;
use gradiron_compiler::graph::{Dest, Graph, Kind};
use gradiron_compiler::passes::{Form, LOWER};

use crate::array::Array;
use crate::inputs::draw;
use crate::interpret::{Given, Mode, caches, had_kink, key, run, vjp};
use crate::library::{Function, Library, Scope};
use crate::program::Program;

/// What does not agree.
#[derive(Clone, Debug)]
pub struct Failure {
    /// `forward`
    pub function: String,
    /// `train, behind fuse`
    pub place: String,
    pub text: String,
}

impl Failure {
    /// Whether another failure may have the same cause: it is at the same place and says the same
    /// but for numbers.
    pub fn is_like(&self, other: &Self) -> bool {
        let words = |text: &str| -> String {
            text.chars().filter(|c| c.is_alphabetic() || *c == ' ').collect()
        };
        self.place == other.place && words(&self.text) == words(&other.text)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` ({}): {}", self.function, self.place, self.text)
    }
}

/// Outputs by their names.
type Outputs = BTreeMap<String, Array>;

/// Difference quotients are off by about `1e-10`, and kinks that they step over by more.
const TOLERANCE: f64 = 1e-6;

/// Compiles a program in process and compares what it computes behind each pass.
///
/// # Errors
/// The first thing that does not agree, or that panics.
pub fn check(program: &Program) -> Result<(), Failure> {
    let of_all = |text: String| Failure { function: String::new(), place: "compile".into(), text };
    let library = caught(|| Library::new(program)).map_err(&of_all)?.map_err(&of_all)?;
    crate::calls::check(program).map_err(&of_all)?;
    had_kink();
    let checked = check_library(&library, program.seed);
    // Numbers that mean nothing are no disagreement; a gradient that is not computed is, and so is
    // a panic.
    let of_numbers = |failure: &Failure| {
        failure.place.starts_with("train") && failure.text.contains(": element ")
    };
    match checked {
        Err(failure) if had_kink() && of_numbers(&failure) => Ok(()),
        checked => checked,
    }
}

/// The same for what was compiled before.
///
/// # Errors
/// The first thing that does not agree, or that panics.
pub fn check_library(library: &Library, seed: u64) -> Result<(), Failure> {
    let (unit, scope) = library.main();
    for function in &unit.functions {
        let given = draw(unit, function, &scope, seed);
        let check = Check { function, scope: &scope, given };
        check.inference()?;
        check.training()?;
        check.steps()?;
        caught(|| crate::plans::check(function, &scope))
            .and_then(|planned| planned)
            .map_err(|text| check.failure("plan", text))?;
    }
    Ok(())
}

/// Whether the numbers of a program stay where comparisons mean something: finite and of modest
/// size.
pub fn is_fit(program: &Program) -> bool {
    let fit = || {
        let Ok(library) = Library::new(program) else { return false };
        let (unit, scope) = library.main();
        unit.functions.iter().all(|function| {
            let given = draw(unit, function, &scope, program.seed);
            [true, false].into_iter().all(|inference| {
                let graph = function.graph(Form::Infer, LOWER);
                let ran = run(graph, &scope, &Mode::new(inference), &given);
                let values = ran.values.iter().flatten().flat_map(|value| &value.data);
                values.into_iter().all(|x| x.is_finite() && x.abs() < 1e3)
            })
        })
    };
    catch_unwind(AssertUnwindSafe(fit)).unwrap_or(false)
}

fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        text.or(panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".into())
    })
}

struct Check<'a> {
    function: &'a Function,
    scope: &'a Scope<'a>,
    given: Given,
}

impl Check<'_> {
    fn failure(&self, place: &str, text: String) -> Failure {
        Failure { function: self.function.name.clone(), place: place.to_string(), text }
    }

    fn outputs(&self, graph: &Graph, inference: bool, given: &Given) -> Outputs {
        run(graph, self.scope, &Mode::new(inference), given).outputs
    }

    /// The graphs of a form behind each of its own passes.
    fn behind(&self, form: Form) -> impl Iterator<Item = (&'static str, &Graph)> {
        let graphs =
            self.function.graphs.iter().filter(move |(f, pass, _)| *f == form && *pass != LOWER);
        graphs.map(|(_, pass, graph)| (*pass, graph))
    }

    /// The outputs that are expected against those of a graph.
    fn compare(&self, place: &str, expected: &Outputs, found: &Outputs) -> Result<(), Failure> {
        for (name, expected) in expected {
            let Some(found) = found.get(name) else {
                // What is not computed counts as zero, and must be.
                let largest = expected.data.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
                if largest > 10.0 * TOLERANCE {
                    let text = format!("{name} is not computed, but is as large as {largest}");
                    return Err(self.failure(place, text));
                }
                continue;
            };
            if let Some(text) = difference(expected, found) {
                return Err(self.failure(place, format!("{name}: {text}")));
            }
        }
        Ok(())
    }

    fn inference(&self) -> Result<(), Failure> {
        let lowered = self.function.graph(Form::Infer, LOWER);
        let mut expected = caught(|| self.outputs(lowered, true, &self.given))
            .map_err(|text| self.failure("infer, behind lower", text))?;
        expected.retain(|name, _| name.starts_with("Result"));
        for (pass, graph) in self.behind(Form::Infer) {
            let place = format!("infer, behind {pass}");
            let found = caught(|| self.outputs(graph, true, &self.given))
                .map_err(|text| self.failure(&place, text))?;
            self.compare(&place, &expected, &found)?;
        }
        Ok(())
    }

    fn training(&self) -> Result<(), Failure> {
        let lowered = self.function.graph(Form::Infer, LOWER);
        let mut expected = self.outputs(lowered, false, &self.given);
        let mut gradients = None;
        for (pass, graph) in self.behind(Form::Train) {
            let place = format!("train, behind {pass}");
            let found = caught(|| self.outputs(graph, false, &self.given))
                .map_err(|text| self.failure(&place, text))?;
            if gradients.is_none() {
                expected.extend(self.gradients(lowered));
                gradients = Some(());
            }
            self.compare(&place, &expected, &found)?;
        }
        Ok(())
    }

    /// The gradients of parameters and float arguments, from difference quotients.
    fn gradients(&self, lowered: &Graph) -> Outputs {
        let params = self.given.params.len();
        let inputs = [&self.given.params[..], &self.given.args].concat();
        let is_float = |at: &usize| self.function.args[*at].1.kind == Kind::Float;
        let args = (0..self.given.args.len()).filter(is_float);
        let wanted: Vec<usize> = (0..params).chain(args.map(|at| params + at)).collect();
        let results = self.function.results.len();
        let function = |inputs: &[Array]| {
            let (params, args) = inputs.split_at(params);
            let (params, args) = (params.to_vec(), args.to_vec());
            let given = Given { params, args, ..self.given.clone() };
            let outputs = self.outputs(lowered, false, &given);
            (0..results).map(|r| outputs[&key(Dest::Result(r))].clone()).collect()
        };
        let d_results: Vec<_> = self.given.d_results.iter().map(Some).collect();
        let gradients = vjp(&function, &inputs, &d_results, &wanted);
        let name = |at: usize| match at.checked_sub(params) {
            None => key(Dest::DParam(at)),
            Some(arg) => key(Dest::DArg(arg)),
        };
        wanted.into_iter().map(name).zip(gradients).collect()
    }

    /// The steps of a sequence, in runs of several positions and of one, against the whole.
    fn steps(&self) -> Result<(), Failure> {
        let Some(length) = &self.function.length else { return Ok(()) };
        let length = self.scope.size(length);
        let whole = self.outputs(self.function.graph(Form::Infer, LOWER), true, &self.given);
        for (pass, graph) in self.behind(Form::Step) {
            let place = format!("step, behind {pass}");
            let ran = caught(|| self.stepwise(graph, length));
            let made = ran.map_err(|text| self.failure(&place, text))?;
            for (r, parts) in made.iter().enumerate() {
                let name = key(Dest::Result(r));
                for (axis, past, part) in parts {
                    let expected = match axis {
                        Some(axis) => along(&whole[&name], *axis, *past, part.dims[*axis]),
                        None if past + 1 == length => whole[&name].clone(),
                        None => continue,
                    };
                    if let Some(text) = difference(&expected, part) {
                        let text = format!("{name} from position {past} on: {text}");
                        return Err(self.failure(&place, text));
                    }
                }
            }
        }
        Ok(())
    }

    /// For each result the parts that runs make, with the axis of the positions and where they
    /// start.
    fn stepwise(&self, graph: &Graph, length: usize) -> Vec<Vec<(Option<usize>, usize, Array)>> {
        let new = gradiron_compiler::graph::step::new();
        let axis_of = |v: usize| graph.ty(v).dims().iter().position(|dim| *dim == new);
        let first = (length / 2).max(1);
        let runs = [(0, first)].into_iter().chain((first..length).map(|past| (past, 1)));
        let mut kept = vec![Array::default(); caches(graph)];
        let mut made = vec![Vec::new(); self.function.results.len()];
        for (past, count) in runs {
            let mut scope = self.scope.clone();
            scope.sizes.insert(SIZES[0].into(), past);
            scope.sizes.insert(SIZES[1].into(), count);
            let args = graph.args.iter().zip(&self.given.args).map(|(v, arg)| match axis_of(*v) {
                Some(axis) => along(arg, axis, past, count),
                None => arg.clone(),
            });
            let given = Given { args: args.collect(), caches: kept, ..self.given.clone() };
            let ran = run(graph, &scope, &Mode::new(true), &given);
            kept = ran.caches;
            for (dest, v) in &graph.outputs {
                if let Dest::Result(r) = dest {
                    made[*r].push((axis_of(*v), past, ran.outputs[&key(*dest)].clone()));
                }
            }
        }
        made
    }
}

/// The elements `start..start + len` of an axis.
fn along(x: &Array, axis: usize, start: usize, len: usize) -> Array {
    let (outer, size, inner) = x.around(axis);
    let mut dims = x.dims.clone();
    dims[axis] = len;
    let rows = (0..outer).flat_map(|o| &x.data[(o * size + start) * inner..][..len * inner]);
    Array::new(dims, rows.copied().collect())
}

/// The largest difference of two arrays in words, where it is more than the tolerance.
pub fn difference(expected: &Array, found: &Array) -> Option<String> {
    if expected.data.len() != found.data.len() {
        return Some(format!("has {} elements, not {}", found.data.len(), expected.data.len()));
    }
    let largest = expected.data.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
    let pairs = expected.data.iter().zip(&found.data).enumerate();
    let off = pairs.map(|(at, (a, b))| (at, if a == b { 0.0 } else { (a - b).abs() }));
    let worst = off.max_by(|a, b| a.1.total_cmp(&b.1))?;
    let is_off = worst.1.is_nan() || worst.1 > TOLERANCE * largest;
    is_off.then(|| {
        let (at, all) = (worst.0, &expected.data);
        format!("element {at} of {:?} is {}, not {}", expected.dims, found.data[at], all[at])
    })
}
