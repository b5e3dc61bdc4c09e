//! What every pass keeps true, for all models of the snapshots.

use std::collections::HashMap;
use std::rc::Rc;

use proc_macro2::TokenStream;

use super::snapshots::MODELS;
use super::{parsed, watch};
use crate::dim::Dim;
use crate::graph::{
    Backward, Dest, Emission, Emit, Graph, Kind, Mismatch, Op, Phase, Role, Rule, Source,
    Transform, Ty, ValueId, step,
};
use crate::passes::differentiate::differentiate;
use crate::passes::plan::{Conversion, Home, Part, Plan};
use crate::passes::{Form, LOWER, PASSES};

/// A form in front of a pass and behind it.
struct Behind<'a> {
    form: Form,
    before: &'a Graph,
    graph: &'a Graph,
    plan: Option<&'a Plan>,
}

/// What each pass promises.
const INVARIANTS: &[(&str, fn(&Behind))] = &[
    ("step", the_step_has_the_same_results),
    ("differentiate", each_input_has_one_gradient_of_its_shape),
    ("expand", inference_holds_its_state),
    ("prepare", what_is_prepared_depends_on_parameters_alone),
    ("fuse", no_elementwise_node_is_left),
    ("store", what_is_stored_is_not_read_again),
    ("plan", plans_hold_what_is_read_until_it_was_read),
];

#[test]
fn every_pass_keeps_what_it_promises() {
    let named: Vec<_> = INVARIANTS.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, PASSES.iter().map(|pass| pass.name).collect::<Vec<_>>());
    let mut checked: HashMap<&str, usize> = HashMap::new();
    for (_, text) in MODELS {
        // What lowering made of each function, then what the last pass made of a form.
        let mut lowered: HashMap<String, Graph> = HashMap::new();
        let mut last: HashMap<(String, Form), Graph> = HashMap::new();
        watch(&parsed(text), &mut |seen| {
            let (function, form, graph) = (seen.function.to_string(), seen.form, seen.graph);
            if seen.pass == LOWER {
                lowered.insert(function, graph.clone());
                return;
            }
            let before = last.get(&(function.clone(), form)).unwrap_or(&lowered[&function]);
            let invariant = INVARIANTS.iter().find(|(name, _)| *name == seen.pass);
            let (name, check) = invariant.expect("compared with the table above");
            check(&Behind { form, before, graph, plan: seen.plan });
            *checked.entry(name).or_default() += 1;
            last.insert((function, form), graph.clone());
        });
    }
    for pass in PASSES {
        assert!(checked.contains_key(pass.name), "no model runs {}", pass.name);
    }
}

fn results(graph: &Graph) -> Vec<Dest> {
    let all = graph.outputs.iter().map(|(dest, _)| *dest);
    all.filter(|dest| matches!(dest, Dest::Result(_))).collect()
}

fn the_step_has_the_same_results(Behind { before, graph, .. }: &Behind) {
    assert_eq!(results(graph), results(before));
    assert_eq!(graph.args.len(), before.args.len());
    // New positions are all that it sees of the sequence.
    for arg in &graph.args {
        assert!(graph.ty(*arg).dims().contains(&step::new()), "{}", graph.text());
    }
}

fn each_input_has_one_gradient_of_its_shape(Behind { before, graph, .. }: &Behind) {
    for (v, value) in before.values.iter().enumerate() {
        let dest = match (value.source, value.ty.kind) {
            (Source::Param(p), _) => Dest::DParam(p),
            (Source::Arg(a), Kind::Float) => Dest::DArg(a),
            _ => continue,
        };
        let gradients: Vec<_> = graph.outputs.iter().filter(|(d, _)| *d == dest).collect();
        let [(_, gradient)] = gradients[..] else { panic!("{dest:?}: {gradients:?}") };
        assert_eq!(graph.ty(*gradient), before.ty(v), "{dest:?}");
    }
    // Gradients of parameters need no gradients of arguments.
    for node in graph.nodes.iter().filter(|node| node.phase == Phase::Backward) {
        for input in &node.inputs {
            if let Source::Node(n, _) = graph.values[*input].source {
                assert_ne!(graph.nodes[n].phase, Phase::BackwardInputs, "{}", graph.text());
            }
        }
    }
}

fn inference_holds_its_state(Behind { form, before, graph, .. }: &Behind) {
    let changes = |graph: &Graph| {
        graph.outputs.iter().filter(|(dest, _)| matches!(dest, Dest::NewState(_))).count()
    };
    let expected = if form.is_inference() { 0 } else { changes(before) };
    assert_eq!(changes(graph), expected, "{}", graph.text());
    assert_eq!(results(graph), results(before));
}

fn what_is_prepared_depends_on_parameters_alone(Behind { before, graph, .. }: &Behind) {
    let mut lasting: Vec<bool> = graph
        .values
        .iter()
        .map(|value| matches!(value.source, Source::Param(_) | Source::State(_)))
        .collect();
    for node in graph.nodes.iter().filter(|node| node.phase == Phase::Prepare) {
        assert!(node.inputs.iter().all(|input| lasting[*input]), "{}", graph.text());
        node.outputs.iter().for_each(|output| lasting[*output] = true);
    }
    assert_eq!(results(graph), results(before));
}

fn no_elementwise_node_is_left(Behind { before, graph, .. }: &Behind) {
    assert!(graph.nodes.iter().all(|node| node.op.role() != Role::Elementwise));
    let outputs = |graph: &Graph| -> Vec<_> {
        graph.outputs.iter().map(|(d, v)| (*d, graph.ty(*v).clone())).collect()
    };
    assert_eq!(outputs(graph), outputs(before));
    assert!(graph.nodes.len() <= before.nodes.len() + before.outputs.len());
    // Outputs have memory of their own.
    let mut roots: Vec<_> = graph.outputs.iter().map(|(_, v)| graph.view_root(*v)).collect();
    roots.sort_unstable();
    roots.dedup();
    assert_eq!(roots.len(), graph.outputs.len(), "{}", graph.text());
}

/// What is stored in bf16 is the value that the backward pass reads in its place, and nothing of
/// the backward pass reads the value itself.
fn what_is_stored_is_not_read_again(Behind { graph, .. }: &Behind) {
    let root = |v: &ValueId| graph.view_root(*v);
    let backward = || graph.nodes.iter().filter(|node| node.phase > Phase::Forward);
    for (value, half) in stored(graph) {
        assert!(backward().all(|n| !n.inputs.iter().any(|v| root(v) == value)));
        let readers: Vec<_> = backward().filter(|n| n.inputs.contains(&half)).collect();
        let [widen] = readers[..] else { panic!("{readers:?}") };
        assert_eq!(graph.ty(widen.outputs[0]), graph.ty(value));
        assert!(backward().any(|n| n.inputs.iter().any(|v| root(v) == widen.outputs[0])));
    }
}

/// The values that are stored in bf16, with their rounded forms.
fn stored(graph: &Graph) -> Vec<(ValueId, ValueId)> {
    let conversions = graph.nodes.iter().filter(|node| node.op.is_conversion());
    let halves = conversions.filter(|node| node.phase == Phase::Forward);
    halves.map(|node| (node.inputs[0], node.outputs[0])).collect()
}

#[test]
fn values_are_stored() {
    let mut count = 0;
    for (_, text) in MODELS {
        watch(&parsed(text), &mut |seen| {
            count += if seen.pass == "store" { stored(seen.graph).len() } else { 0 };
        });
    }
    assert!(count > 5, "{count}");
}

fn plans_hold_what_is_read_until_it_was_read(Behind { before, graph, plan, .. }: &Behind) {
    assert_eq!(graph.text(), before.text());
    check_plan(graph, plan.expect("this pass plans"));
}

fn check_plan(graph: &Graph, plan: &Plan) {
    assert_eq!((plan.homes.len(), plan.scratch.len()), (graph.values.len(), graph.nodes.len()));
    let boundary = graph.nodes.iter().position(|node| node.phase > Phase::Forward);
    let boundary = boundary.unwrap_or(graph.nodes.len());
    for (n, node) in graph.nodes.iter().enumerate() {
        for value in node.inputs.iter().chain(&node.outputs) {
            let text = || format!("%{value} at node {n} of\n{}{}", graph.text(), plan.text());
            match plan.homes[*value] {
                Home::Buffer(b) => {
                    let buffer = &plan.buffers[b];
                    assert!(buffer.first <= n && n <= buffer.last, "{}", text());
                    assert_eq!(buffer.size, graph.ty(*value).shape.len(), "{}", text());
                }
                Home::Nowhere => assert!(!node.inputs.contains(value), "{}", text()),
                _ => {}
            }
        }
    }
    for buffer in &plan.buffers {
        let part = match (buffer.first < boundary, buffer.last < boundary) {
            (true, true) => Part::Forward,
            (true, false) => Part::Saved,
            (false, _) => Part::Backward,
        };
        assert_eq!(buffer.part, part);
        // Without bf16, a value lasts until what would be its widened value was read.
        if let Some(Conversion::Widened(of)) = buffer.conversion {
            let kept = &plan.buffers[of];
            assert_eq!((kept.conversion, kept.without_bf16.1), (None, Part::Saved));
            assert!(
                kept.last < buffer.first && kept.without_bf16.0 == buffer.last,
                "{}",
                plan.text()
            );
            assert_eq!(kept.size, buffer.size);
        }
    }
    // No two values that are needed at once share a buffer.
    for (n, node) in graph.nodes.iter().enumerate() {
        let mut taken: Vec<_> = node.outputs.iter().map(|o| plan.homes[*o]).collect();
        taken.retain(|home| *home != Home::Nowhere);
        let count = taken.len();
        taken.dedup();
        assert_eq!(taken.len(), count, "node {n} writes two outputs to one place");
    }
    // An output overwrites an input only where the op allows it.
    for (n, node) in graph.nodes.iter().enumerate().filter(|(_, node)| !node.op.is_view()) {
        for (k, output) in node.outputs.iter().enumerate() {
            for (i, input) in node.inputs.iter().enumerate() {
                let apart = plan.homes[*output] != plan.homes[*input];
                let nowhere = plan.homes[*output] == Home::Nowhere;
                assert!(apart || nowhere || node.op.in_place(k, i), "node {n}: %{output} %{input}");
            }
        }
    }
}

/// A loop over time is as long for any number of steps.
#[test]
fn loops_do_not_grow_with_their_steps() {
    let len = |steps: &str| {
        let text = "struct Net { cell: Cell, fc: Linear(4 -> 2) }
            fn forward(&self, x: [batch, STEPS, 3], h: [batch, 4]) -> [batch, STEPS, 2] {
                let (y, _last) = scan(self.cell, x, h);
                self.fc(y)
            }";
        let (diagnostics, rust) = super::expand(&text.replace("STEPS", steps));
        assert!(diagnostics.is_empty());
        rust.to_string().split_whitespace().count()
    };
    // Both are long enough to be stored in bf16.
    assert_eq!(len("500"), len("5000"));
}

/// Has a float input of which it says nothing.
#[derive(Debug)]
struct Silent {
    fails: bool,
}

impl Op for Silent {
    fn name(&self) -> String {
        "silent".into()
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        Ok(vec![inputs[0].clone()])
    }
}

impl Transform for Silent {
    fn backward(&self, b: &mut Backward) {
        if self.fails {
            b.none();
        }
    }
}

impl Emission for Silent {
    fn emit(&self, _: &Emit) -> TokenStream {
        TokenStream::new()
    }
}

/// A gradient that is not computed never looks like zero, be it of a parameter or of an argument.
#[test]
fn an_op_says_what_all_its_gradients_are() {
    for source in [Source::Param(0), Source::Arg(0)] {
        let graph = |op: Silent| {
            let mut graph = Graph::default();
            let x = graph.add_value(Ty::float([Dim::lit(2)]), source, "x");
            let made = graph.apply(&mut Rule::default(), Rc::new(op), &[x], Phase::Forward);
            graph.outputs.push((Dest::Result(0), made.expect("it takes anything")[0]));
            graph
        };
        assert_eq!(differentiate(&graph(Silent { fails: true })).unwrap_err(), "silent");
        let graph = graph(Silent { fails: false });
        let catch = |work: &dyn Fn() -> Result<(), String>| {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        };
        let panic = catch(&|| differentiate(&graph).map(drop)).unwrap_err();
        let text = panic.downcast_ref::<String>().expect("it has a text");
        assert!(text.contains("does not say what the gradient of its input 0 is"), "{text}");
    }
}
