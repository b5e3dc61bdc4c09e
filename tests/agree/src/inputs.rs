//! What functions are called with: random parameters, state and arguments.

use gradiron_compiler::graph::{Kind, Source, Ty};
use gradiron_compiler::passes::{Form, LOWER};
use quote::quote;

use crate::array::Array;
use crate::interpret::Given;
use crate::library::{Function, Scope, Tensor, Unit};
use crate::random::Random;

/// Numbers for a function that it can be called with; where there are gradients of results, they
/// are 1 for a loss.
pub fn draw(unit: &Unit, function: &Function, scope: &Scope, seed: u64) -> Given {
    let mut random = Random::new(seed);
    let params = tensors(&unit.params, scope, &mut random);
    let state = tensors(&unit.state, scope, &mut random);
    let args = function.args.iter().enumerate().map(|(at, (_, ty))| match ty.kind {
        Kind::Classes => {
            let bound = bound(function, scope, at).unwrap_or(1);
            let dims = scope.sizes_of(ty.dims());
            let len = dims.iter().product();
            Array::new(dims, (0..len).map(|_| random.below(bound) as f64).collect())
        }
        _ => floats(ty, scope, &mut random),
    });
    let args = args.collect();
    let is_number = |ty: &Ty| ty.shape.rank() == 0;
    let d_results = function.results.iter().map(|ty| match is_number(ty) {
        true => Array::new([], vec![1.0]),
        false => floats(ty, scope, &mut random),
    });
    Given { args, params, state, d_results: d_results.collect(), caches: Vec::new() }
}

fn floats(ty: &Ty, scope: &Scope, random: &mut Random) -> Array {
    let dims = scope.sizes_of(ty.dims());
    let len = dims.iter().product();
    Array::new(dims, (0..len).map(|_| random.signed()).collect())
}

/// Tensors by their indices; those of models that are called are as these draw them.
fn tensors(tensors: &[Tensor], scope: &Scope, random: &mut Random) -> Vec<Array> {
    let draw = |tensor: &Tensor| {
        let dims = scope.sizes_of(&tensor.shape.0);
        let len: usize = dims.iter().product();
        let nested = tensor.nested.as_ref().and_then(|model| {
            let ty = syn::parse2(model.clone()).expect("a model is a type");
            scope.model(&ty)
        });
        let data = match nested {
            Some((unit, scope)) => {
                let of = if tensor.is_state { &unit.state } else { &unit.params };
                let mut all = Vec::new();
                while all.len() < len {
                    let arrays = self::tensors(of, &scope, random);
                    all.extend(crate::interpret::joined(&arrays, of));
                }
                all
            }
            None => (0..len).map(|_| number(&tensor.name, random)).collect(),
        };
        Array::new(dims, data)
    };
    tensors.iter().map(draw).collect()
}

/// A number that a tensor of this name may hold: variances are positive, counts are whole.
fn number(name: &str, random: &mut Random) -> f64 {
    match name.rsplit('.').next() {
        Some("running_var") => f64::from((1.0 + 0.5 * random.signed()) as f32),
        Some("num_batches_tracked") => random.below(5) as f64,
        _ => random.signed(),
    }
}

/// What the class indices of an argument stay below: the least that a reader asks for.
fn bound(function: &Function, scope: &Scope, arg: usize) -> Option<usize> {
    let graph = function.graph(Form::Infer, LOWER);
    let mut least: Option<usize> = None;
    for node in &graph.nodes {
        let types: Vec<Ty> = node.inputs.iter().map(|v| graph.ty(*v).clone()).collect();
        for (at, input) in node.inputs.iter().enumerate() {
            let root = graph.view_root(*input);
            if graph.values[root].source != Source::Arg(arg) || graph.ty(root).kind != Kind::Classes
            {
                continue;
            }
            let own = match node.op.callee() {
                Some(callee) if !callee.scans => {
                    let ty = syn::parse2(callee.model.clone()).expect("a model is a type");
                    let (unit, inner) = scope.model(&ty).expect("the model is one of the program");
                    let function = unit.function(&callee.function.to_string());
                    let mut sizes = std::collections::BTreeMap::new();
                    for ((_, declared), found) in function.args.iter().zip(&callee.args) {
                        for (name, size) in declared.dims().iter().zip(found.dims()) {
                            if let Some(name) = name.as_run() {
                                sizes.entry(name.into()).or_insert_with(|| scope.size(size));
                            }
                        }
                    }
                    bound(function, &Scope { sizes, ..inner }, at.checked_sub(2)?)
                }
                _ => node.op.classes(&types, at).and_then(|tokens| {
                    scope.number(&syn::parse2(quote!((#tokens))).expect("a bound is an expression"))
                }),
            };
            least = match (least, own) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
    }
    least
}
