//! Programs as one crate that rustc compiles and that runs them: inference, all gradients and a
//! step of an optimizer, at every level of the processor, with one thread and with several.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use gradiron_compiler::emit::boundary::{View, view_of};
use gradiron_compiler::graph::{Dest, Graph, Kind, Ty, is_loss};
use gradiron_compiler::passes::{Form, LOWER};

use crate::array::Array;
use crate::inputs::draw;
use crate::interpret::{Given, Mode, joined, key, run};
use crate::library::{Function, Library, Scope, Unit};
use crate::program::Program;

/// Outputs by their names, with the errors that they may have.
type Outputs = BTreeMap<String, (Array, f64)>;

/// The step of the optimizer.
const RATE: f32 = 0.125;

/// Runs that are wrong by roundings, to see how far these reach.
const NOISY: u64 = 4;

/// Writes a crate of programs into a folder; `root` is that of this repository.
///
/// # Errors
/// When a file cannot be written, or a program does not compile.
pub fn write(programs: &[Program], root: &Path, folder: &Path, tiny: bool) -> Result<(), String> {
    let io = |error: std::io::Error| format!("{}: {error}", folder.display());
    let source = folder.join("src");
    std::fs::create_dir_all(&source).map_err(io)?;
    let put = |name: &str, text: &[u8]| std::fs::write(folder.join(name), text).map_err(io);
    let (mut modules, mut calls) = (String::new(), String::new());
    for (at, program) in programs.iter().enumerate() {
        let (rust, floats) = module(program)?;
        let bytes: Vec<u8> = floats.iter().flat_map(|x| x.to_le_bytes()).collect();
        put(&format!("src/m{at}.rs"), rust.as_bytes())?;
        put(&format!("m{at}.f32"), &bytes)?;
        let _ = writeln!(modules, "mod m{at};");
        let file = folder.join(format!("m{at}.f32"));
        let _ = writeln!(
            calls,
            "    all &= harness::run(\"m{at} (seed {})\", {file:?}, m{at}::check);",
            program.seed
        );
    }
    let main = format!(
        "mod harness;\n{modules}\nfn main() {{\n    let mut all = true;\n{calls}    \
         std::process::exit(i32::from(!all));\n}}\n"
    );
    put("src/main.rs", main.as_bytes())?;
    put("src/harness.rs", include_bytes!("../batch/harness.rs"))?;
    // Only builds without debug assertions make one piece of a small function; the models
    // themselves are not optimised, which would take minutes.
    let (name, profile) = match tiny {
        true => ("agree-tiny", "[profile.release.package.agree-tiny]\nopt-level = 0\n"),
        false => (
            "agree-plain",
            "[profile.dev]\ndebug = \"line-tables-only\"\n\n\
             [profile.dev.package.gradiron]\nopt-level = 2\n",
        ),
    };
    let manifest = format!(
        "[package]\nname = {name:?}\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\ngradiron = {{ path = {:?} }}\nbytemuck = \"1\"\n\n{profile}",
        root.join("runtime"),
    );
    put("Cargo.toml", manifest.as_bytes())
}

/// The module of a program, and the numbers that it reads.
fn module(program: &Program) -> Result<(String, Vec<f32>), String> {
    let library = Library::new(program)?;
    let (unit, scope) = library.main();
    let mut rust = format!(
        "#![allow(unused, deprecated)]\nuse super::harness::*;\nuse gradiron::prelude::*;\n\n{program}\n\n\
         pub fn check(data: &mut Data) -> Outcome {{\n"
    );
    let mut floats = Vec::new();
    let capacities: Vec<_> =
        unit.run_time_sizes().iter().map(|name| (scope.sizes[name] + 1).to_string()).collect();
    for function in &unit.functions {
        let given = draw(unit, function, &scope, program.seed);
        let mut case = Case {
            unit,
            function,
            scope: &scope,
            given,
            capacities: capacities.join(", "),
            rust: &mut rust,
            floats: &mut floats,
        };
        case.write();
    }
    rust.push_str("    Ok(())\n}\n");
    Ok((rust, floats))
}

struct Case<'a> {
    unit: &'a Unit,
    function: &'a Function,
    scope: &'a Scope<'a>,
    given: Given,
    capacities: String,
    rust: &'a mut String,
    floats: &'a mut Vec<f32>,
}

impl Case<'_> {
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.rust, "    {text}");
    }

    fn write(&mut self) {
        let (name, model) = (self.function.name.clone(), self.unit.name.clone());
        let [params, state] = [
            joined(&self.given.params, &self.unit.params),
            joined(&self.given.state, &self.unit.state),
        ];
        self.line("{");
        self.line(&format!("let mut net = {model}::init(Seed(0));"));
        self.line(&format!(
            "let mut ws = {model}::workspace_on(data.device(), {})?;",
            self.capacities
        ));
        self.line("ws.poison();");
        self.line(&format!("set(Model::params_mut(&mut net), &data.take({}));", params.len()));
        self.line(&format!("set(Model::state_mut(&mut net), &data.take({}));", state.len()));
        self.floats.extend(params.iter().chain(&state).map(|x| *x as f32));
        let loss = is_loss(&self.function.results);
        let mut args = Vec::new();
        for (at, (_, ty)) in self.function.args.clone().iter().enumerate() {
            let value = self.given.args[at].clone();
            args.push(self.argument(&format!("x{at}"), ty, &value));
        }
        let mut seeded = args.clone();
        if !loss {
            for (at, ty) in self.function.results.clone().iter().enumerate() {
                let value = self.given.d_results[at].clone();
                seeded.push(self.argument(&format!("d{at}"), ty, &value));
            }
        }
        let floats = self.function.args.iter().filter(|(_, ty)| ty.kind == Kind::Float).count();
        let count = self.function.results.len();
        let pattern = |name: &str, count: usize| match count {
            1 => format!("{name}0"),
            _ => format!(
                "({})",
                (0..count).map(|i| format!("{name}{i}")).collect::<Vec<_>>().join(", ")
            ),
        };
        let results = pattern("r", count);
        // The training pass first: its dropouts are those of the first step.
        let outputs = self.training(loss);
        let seeded = seeded.join(", ");
        match floats {
            0 => self.line(&format!("let {results} = net.{name}_grad(&mut ws, {seeded})?;")),
            _ => {
                let gradients = pattern("g", floats);
                let call = format!("net.{name}_grad_inputs(&mut ws, {seeded})?");
                self.line(&format!("let ({results}, {gradients}) = {call};"));
            }
        }
        for r in 0..count {
            self.expect(
                &format!("{name}_grad.{r}"),
                &format!("r{r}.values()"),
                &outputs[&key(Dest::Result(r))],
            );
        }
        let float_args: Vec<usize> = (0..self.function.args.len())
            .filter(|at| self.function.args[*at].1.kind == Kind::Float)
            .collect();
        for (g, at) in float_args.into_iter().enumerate() {
            let zeros = (Array::zeros(self.given.args[at].dims.clone()), 0.0);
            let expected = outputs.get(&key(Dest::DArg(at))).unwrap_or(&zeros).clone();
            self.expect(&format!("{name}: d_x{at}"), &format!("g{g}.values()"), &expected);
        }
        let mut gradients = self.given.params.clone();
        let mut allowed = 0.0f64;
        for (p, gradient) in gradients.iter_mut().enumerate() {
            let zeros = (Array::zeros(gradient.dims.clone()), 0.0);
            let (made, error) = outputs.get(&key(Dest::DParam(p))).unwrap_or(&zeros);
            gradient.data.clone_from(&made.data);
            allowed = allowed.max(*error);
        }
        let flat = joined(&gradients, &self.unit.params);
        let all = (Array::new([flat.len()], flat.clone()), allowed);
        self.expect(&format!("{name}: gradients"), "ws.grads().as_slice().to_vec()", &all);
        let stepped = params.iter().zip(&flat).map(|(x, d)| x - f64::from(RATE) * d).collect();
        let stepped = (Array::new([flat.len()], stepped), allowed + 1e-6);
        self.line(&format!("let mut sgd = Sgd::new(&net, {RATE:?})?;"));
        self.line("sgd.step(&mut net, ws.grads());");
        self.expect(&format!("{name}: a step"), "Model::params(&net).to_vec()", &stepped);
        let mut new = self.given.state.clone();
        let mut allowed = 0.0f64;
        for (s, state) in new.iter_mut().enumerate() {
            if let Some((made, error)) = outputs.get(&key(Dest::NewState(s))) {
                state.data.clone_from(&made.data);
                allowed = allowed.max(*error);
            }
        }
        let flat = joined(&new, &self.unit.state);
        let flat = (Array::new([flat.len()], flat), allowed);
        self.expect(&format!("{name}: state"), "Model::state(&net).to_vec()", &flat);
        // Inference with the parameters as they were.
        self.line(&format!("set(Model::params_mut(&mut net), &data.take({}));", params.len()));
        self.line(&format!("set(Model::state_mut(&mut net), &data.take({}));", state.len()));
        self.floats.extend(params.iter().chain(&state).map(|x| *x as f32));
        self.line("ws.poison();");
        let inferred = self.inference();
        self.line(&format!("let {results} = net.{name}(&mut ws, {})?;", args.join(", ")));
        for (r, expected) in inferred.iter().enumerate() {
            self.expect(&format!("{name}.{r}"), &format!("r{r}.values()"), expected);
        }
        if self.function.length.is_some() {
            // Sequences of its own, step by step and as a whole.
            self.line(&format!("let check = net.{name}_step_check(&mut ws, Seed(1))?;"));
            let none = (Array::zeros([1]), 1e-4);
            self.expect(&format!("{name}_step_check"), "vec![check.difference]", &none);
        }
        self.line("}");
    }

    /// Declares a variable for an argument; how it is handed over.
    fn argument(&mut self, name: &str, ty: &Ty, value: &Array) -> String {
        self.floats.extend(value.data.iter().map(|x| *x as f32));
        let (take, element) = match ty.kind {
            Kind::Classes => ("indices", "u32"),
            _ => ("take", "f32"),
        };
        self.line(&format!("let {name} = data.{take}({});", value.data.len()));
        let array = |dims: &[usize]| {
            dims.iter().rev().fold(element.to_string(), |inner, size| format!("[{inner}; {size}]"))
        };
        match view_of(&ty.shape, &Default::default()) {
            View::Number => format!("{name}[0]"),
            View::Flat => format!("&{name}"),
            View::Batch => {
                format!("bytemuck::cast_slice::<{element}, {}>(&{name})", array(&value.dims[1..]))
            }
            View::Array => {
                format!("&bytemuck::cast_slice::<{element}, {}>(&{name})[0]", array(&value.dims))
            }
            View::Tensor => format!("&TensorView::new(&{name}, {:?})?", value.dims),
        }
    }

    fn expect(&mut self, name: &str, found: &str, (expected, allowed): &(Array, f64)) {
        self.line(&format!("data.expect({name:?}, {found});"));
        self.floats.push(*allowed as f32);
        self.floats.extend(expected.data.iter().map(|x| *x as f32));
    }

    /// The results of inference, with the errors that they may have.
    fn inference(&self) -> Vec<(Array, f64)> {
        let graph = self.function.graph(Form::Infer, LOWER);
        let made = outputs(graph, self.scope, true, &self.given);
        (0..self.function.results.len()).map(|r| made[&key(Dest::Result(r))].clone()).collect()
    }

    /// The outputs of a training step, with the errors that they may have.
    fn training(&self, loss: bool) -> Outputs {
        let graph = self.function.graph(Form::Train, "differentiate");
        let mut given = self.given.clone();
        if loss {
            // A loss starts its gradients itself: further results have none.
            given.d_results[1..].iter_mut().for_each(|d| d.data.fill(0.0));
        }
        outputs(graph, self.scope, false, &given)
    }
}

/// The outputs of a graph, and how far a run in `f32` may be from them: a hundred times what
/// roundings of every value were seen to do, and the rounding of the output itself.
fn outputs(graph: &Graph, scope: &Scope, inference: bool, given: &Given) -> Outputs {
    let exact = run(graph, scope, &Mode::new(inference), given).outputs;
    let noisy: Vec<_> = (0..NOISY)
        .map(|seed| run(graph, scope, &Mode::new(inference).with_noise(seed), given).outputs)
        .collect();
    let exact = exact.into_iter().map(|(name, array)| {
        let off = |other: &Array| {
            let pairs = array.data.iter().zip(&other.data);
            pairs.fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()))
        };
        let spread = noisy.iter().map(|noisy| off(&noisy[&name])).fold(0.0, f64::max);
        let largest = array.data.iter().fold(0.1, |most: f64, x| most.max(x.abs()));
        (name, (array, 100.0 * spread + 2e-6 * largest))
    });
    exact.collect()
}

impl Unit {
    /// The run-time sizes of all functions, by first appearance.
    pub fn run_time_sizes(&self) -> Vec<String> {
        use gradiron_compiler::dim::Atom;
        let mut names: Vec<String> = Vec::new();
        let types = self.functions.iter().flat_map(|f| &f.args).map(|(_, ty)| ty);
        for atom in types.flat_map(|ty| ty.dims().iter().flat_map(|dim| dim.atoms())) {
            if let Atom::Run(name) = atom
                && !names.contains(name)
            {
                names.push(name.clone());
            }
        }
        names
    }
}
