//! Calls of models: once, in rows, and for each step of a sequence.

use gradiron_compiler::dim::Dim;
use gradiron_compiler::graph::step::SIZES;
use gradiron_compiler::graph::{Callee, Dest, Kind};
use gradiron_compiler::ops::call::{Call, Only, Prepare};
use gradiron_compiler::ops::scan::{self, Scan};
use gradiron_compiler::passes::{Form, LOWER};

use super::{Cx, Given, Known, Mode, Reference, key, known, run, vjp};
use crate::array::Array;
use crate::library::{Function, Scope, Tensor, Unit};

pub const OPS: &[Known] =
    &[known::<Call>, known::<Prepare>, known::<Scan>, known::<scan::grad::ScanGrad>];

/// A function of another model, ready to be called.
struct Called<'l> {
    unit: &'l Unit,
    function: &'l Function,
    scope: Scope<'l>,
    is_step: bool,
}

/// What a call makes.
struct Made {
    results: Vec<Array>,
    state: Array,
    cache: Array,
}

/// The tensors of a flat slice, by their indices.
pub fn split(flat: &[f64], tensors: &[Tensor], scope: &Scope) -> Vec<Array> {
    let mut by_place: Vec<usize> = (0..tensors.len()).collect();
    by_place.sort_by_key(|index| tensors[*index].place);
    let mut arrays = vec![Array::default(); tensors.len()];
    let mut at = 0;
    for index in by_place {
        let dims = scope.sizes_of(&tensors[index].shape.0);
        let len: usize = dims.iter().product();
        arrays[index] = Array::new(dims, flat[at..][..len].to_vec());
        at += len;
    }
    assert_eq!(at, flat.len(), "a flat slice holds its tensors");
    arrays
}

/// The flat slice of tensors.
pub fn joined(arrays: &[Array], tensors: &[Tensor]) -> Vec<f64> {
    let mut by_place: Vec<usize> = (0..tensors.len()).collect();
    by_place.sort_by_key(|index| tensors[*index].place);
    by_place.into_iter().flat_map(|index| arrays[index].data.clone()).collect()
}

impl<'l> Called<'l> {
    fn new(cx: &Cx<'_, 'l>, callee: &Callee, args: &[Array]) -> Self {
        let ty = syn::parse2(callee.model.clone()).expect("a model is a type");
        let (unit, mut scope) = cx.scope.model(&ty).expect("the model is one of the program");
        let function = unit.function(&callee.function.to_string());
        for ((_, ty), arg) in function.args.iter().zip(args) {
            for (name, size) in ty.dims().iter().map(Dim::as_run).zip(&arg.dims) {
                if let Some(name) = name {
                    scope.sizes.entry(name.to_string()).or_insert(*size);
                }
            }
        }
        if callee.is_step {
            for name in SIZES {
                scope.sizes.insert(name.to_string(), cx.scope.sizes[name]);
            }
        }
        Self { unit, function, scope, is_step: callee.is_step }
    }

    fn run(
        &self,
        mode: &Mode,
        [params, state]: [&[f64]; 2],
        args: &[Array],
        cache: &Array,
    ) -> Made {
        let state = split(state, &self.unit.state, &self.scope);
        let given = Given {
            args: args.to_vec(),
            params: split(params, &self.unit.params, &self.scope),
            state: state.clone(),
            d_results: Vec::new(),
            caches: cache.kept.clone(),
        };
        let graph = match self.is_step {
            true => self.function.graph(Form::Step, "step"),
            false => self.function.graph(Form::Infer, LOWER),
        };
        let count = self.function.results.len();
        let given = match self.is_step && given.caches.is_empty() {
            true => Given { caches: vec![Array::default(); caches(graph)], ..given },
            false => given,
        };
        let ran = run(graph, &self.scope, mode, &given);
        let results = (0..count).map(|r| ran.outputs[&key(Dest::Result(r))].clone()).collect();
        let new = state
            .into_iter()
            .enumerate()
            .map(|(s, old)| ran.outputs.get(&key(Dest::NewState(s))).cloned().unwrap_or(old));
        let new: Vec<Array> = new.collect();
        let state = joined(&new, &self.unit.state);
        let cache = Array::keeping(&ran.caches);
        Made { results, state: Array::new([state.len()], state), cache }
    }
}

/// How many memories last from run to run.
pub fn caches(graph: &gradiron_compiler::graph::Graph) -> usize {
    use gradiron_compiler::graph::Source;
    graph.values.iter().filter(|value| matches!(value.source, Source::Cache(_))).count()
}

/// The `i`-th of `count` equal parts.
fn chunk(x: &[f64], i: usize, count: usize) -> &[f64] {
    let len = x.len() / count;
    &x[i * len..][..len]
}

/// Runs a row of models, of which one calls itself a row of one: results, new state and caches.
fn call(cx: &Cx, callee: &Callee, inputs: &[Array], cache: &Array) -> Made {
    let count = callee.count.as_ref().map_or(1, |count| cx.scope.size(count));
    let (params, state) = (&inputs[0].data, &inputs[1].data);
    let mut args = inputs[2..][..callee.args.len()].to_vec();
    let (mut states, mut caches, mut results) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..count {
        let called = Called::new(cx, callee, &args);
        let own = [chunk(params, i, count), chunk(state, i, count)];
        let none = Array::default();
        let made = called.run(cx.mode, own, &args, cache.kept.get(i).unwrap_or(&none));
        args[0] = made.results[0].clone();
        states.extend(made.state.data);
        caches.push(made.cache);
        results = made.results;
    }
    let state = Array::new([states.len()], states);
    Made { results, state, cache: Array::keeping(&caches) }
}

/// What the gradient of a call needs: its inputs, and the number of its first dropout.
fn saved(cx: &Cx, inputs: &[Array]) -> Array {
    Array { data: vec![f64::from(cx.mode.calls.get())], ..Array::keeping(inputs) }
}

/// The mode of a run that repeats what `saved` was kept of.
fn again(saved: &Array) -> Mode {
    let mode = Mode::new(false);
    mode.calls.set(saved.data[0] as u32);
    mode
}

/// The parameters, where they train, and the float arguments among the inputs `first..` whose
/// gradients are asked for.
fn wanted(callee: &Callee, asked: &[Option<Only>], first: usize) -> Vec<usize> {
    let args = &callee.args;
    let asked = args.iter().zip(asked).enumerate();
    let asked = asked.filter(|(_, (ty, asked))| ty.kind == Kind::Float && asked.is_some());
    let params = callee.asked.trains.then_some(0);
    params.into_iter().chain(asked.map(|(i, _)| first + i)).collect()
}

impl Reference for Call {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let (args, results) = (self.callee.args.len(), self.callee.results.len());
        if self.grad {
            let saved = &inputs[1 + args + results + 1];
            let d_results = &inputs[1 + args + results + 2..];
            let mode = again(saved);
            let forward = |inputs: &[Array]| {
                mode.calls.set(saved.data[0] as u32);
                call(&Cx { scope: cx.scope, mode: &mode }, &self.callee, inputs, &Array::default())
                    .results
            };
            let d_results: Vec<_> = d_results.iter().map(Some).collect();
            let wanted = wanted(&self.callee, &self.wanted, 2);
            return vjp(&forward, &saved.kept, &d_results, &wanted);
        }
        let saved = saved(cx, inputs);
        let empty = Array::default();
        let cache = if self.callee.is_step { &inputs[2 + args] } else { &empty };
        let made = call(cx, &self.callee, inputs, cache);
        let mut outputs = made.results;
        outputs.extend([Array::default(), saved, made.state]);
        outputs.extend(self.callee.is_step.then_some(made.cache));
        outputs
    }
}

impl Reference for Prepare {
    fn run(&self, _: &Cx, inputs: &[Array]) -> Vec<Array> {
        vec![Array::keeping(inputs)]
    }
}

/// `y` and the last states of a scan.
fn steps(cx: &Cx, of: &Scan, inputs: &[Array], first: &[Array]) -> Vec<Array> {
    let count = cx.scope.size(&of.seq_len);
    let states = of.callee.args.len() - 1;
    let (x, lengths) = (&inputs[2], of.lengths.then(|| inputs[3 + states].indices()));
    let mut held = first.to_vec();
    let mut y: Vec<Option<Array>> = vec![None; count];
    for turn in 0..count {
        let t = if of.reverse { count - 1 - turn } else { turn };
        let part = Array::new(&x.dims[1..], chunk(&x.data, t, count).to_vec());
        let args: Vec<Array> = [part].into_iter().chain(held.iter().cloned()).collect();
        let called = Called::new(cx, &of.callee, &args);
        let own = [&inputs[0].data[..], &inputs[1].data];
        let made = called.run(cx.mode, own, &args, &Array::default()).results;
        let runs = |row: usize| lengths.as_ref().is_none_or(|lengths| t < lengths[row] as usize);
        let choose = |new: &Array, old: Option<&Array>| {
            let mut chosen = new.clone();
            let rows = new.dims[0];
            let len = new.data.len() / rows;
            for row in (0..rows).filter(|row| !runs(*row)) {
                let to = &mut chosen.data[row * len..][..len];
                match old {
                    Some(old) => to.copy_from_slice(&old.data[row * len..][..len]),
                    None => to.fill(0.0),
                }
            }
            chosen
        };
        y[t] = Some(choose(&made[0], None));
        held = held.iter().zip(&made[1..]).map(|(old, new)| choose(new, Some(old))).collect();
    }
    let y: Vec<Array> = y.into_iter().flatten().collect();
    let dims = [&[count][..], &y[0].dims].concat();
    let y = Array::new(dims, y.into_iter().flat_map(|step| step.data).collect());
    [vec![y], held].concat()
}

impl Reference for Scan {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let states = self.callee.args.len() - 1;
        let caches = &inputs[3 + states + usize::from(self.lengths)..];
        let is_later = self.next && cx.scope.sizes[SIZES[0]] > 0;
        let first = if is_later { &caches[..states] } else { &inputs[3..][..states] };
        let saved = saved(cx, inputs);
        let mut made = steps(cx, self, inputs, first);
        let last = made[1..].to_vec();
        made.extend(vec![Array::default(); states]);
        made.push(saved);
        made.extend(if self.next { last } else { Vec::new() });
        made
    }
}

impl Reference for scan::grad::ScanGrad {
    fn run(&self, cx: &Cx, inputs: &[Array]) -> Vec<Array> {
        let of = &self.scan;
        let states = of.callee.args.len() - 1;
        let saved = &inputs[2 + usize::from(of.lengths) + 1 + states];
        let d_results = &inputs[inputs.len() - 1 - states..];
        let mode = again(saved);
        let forward = |inputs: &[Array]| {
            mode.calls.set(saved.data[0] as u32);
            steps(&Cx { scope: cx.scope, mode: &mode }, of, inputs, &inputs[3..][..states])
        };
        let d_results: Vec<_> = d_results.iter().map(Some).collect();
        let asked = wanted(&of.callee, &self.wanted, 2);
        vjp(&forward, &saved.kept, &d_results, &asked)
    }
}
