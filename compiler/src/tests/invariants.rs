//! What every phase keeps true, for all models of the snapshots.

use std::rc::Rc;

use proc_macro2::TokenStream;

use super::snapshots::MODELS;
use crate::diagnostics::Diagnostics;
use crate::differentiate::differentiate;
use crate::dim::Dim;
use crate::fuse::{fuse, view_root};
use crate::graph::{Dest, Graph, Kind, Phase, Source, Ty, ValueId};
use crate::lower::{ModelCx, lower_function};
use crate::ops::{Backward, Emit, Mismatch, Op, Rule};
use crate::plan::{Home, Part, Plan, Stored, plan};
use crate::store::store;
use crate::syntax::parse_model;

/// Each function's graph after `lower`.
fn graphs() -> Vec<Graph> {
    let mut graphs = Vec::new();
    for (_, text) in MODELS {
        let mut diagnostics = Diagnostics::default();
        let item = parse_model(text.parse().expect("balanced brackets"), &mut diagnostics);
        let mut cx = ModelCx::new(&item, &mut diagnostics);
        let lowered = item.functions.iter().map(|f| lower_function(&mut cx, f).expect("right"));
        graphs.extend(lowered.map(|lowered| lowered.graph));
    }
    graphs
}

#[test]
fn differentiate_gives_each_parameter_one_gradient_of_its_shape() {
    for forward in graphs() {
        forward.verify().expect("lower");
        let graph = differentiate(&forward).expect("all have derivatives");
        graph.verify().expect("differentiate");
        for (v, value) in forward.values.iter().enumerate() {
            let dest = match (value.source, value.ty.kind) {
                (Source::Param(p), _) => Dest::DParam(p),
                (Source::Arg(a), Kind::Float) => Dest::DArg(a),
                _ => continue,
            };
            let gradients: Vec<_> = graph.outputs.iter().filter(|(d, _)| *d == dest).collect();
            let [(_, gradient)] = gradients[..] else { panic!("{dest:?}: {gradients:?}") };
            assert_eq!(graph.ty(*gradient), forward.ty(v), "{dest:?}");
        }
    }
}

#[test]
fn gradients_of_parameters_need_no_gradients_of_arguments() {
    for forward in graphs() {
        let graph = differentiate(&forward).expect("all have derivatives");
        for node in graph.nodes.iter().filter(|node| node.phase == Phase::Backward) {
            for input in &node.inputs {
                if let Source::Node(n, _) = graph.values[*input].source {
                    assert_ne!(graph.nodes[n].phase, Phase::BackwardInputs, "{}", graph.text());
                }
            }
        }
    }
}

#[test]
fn fuse_leaves_no_elementwise_node_and_the_same_outputs() {
    for forward in graphs() {
        for graph in [forward.clone(), differentiate(&forward).expect("all have derivatives")] {
            let mut fused = graph.clone();
            fuse(&mut fused);
            fused.verify().expect("fuse");
            assert!(fused.nodes.iter().all(|node| node.op.elementwise().is_none()));
            let outputs = |graph: &Graph| -> Vec<_> {
                graph.outputs.iter().map(|(d, v)| (*d, graph.ty(*v).clone())).collect()
            };
            assert_eq!(outputs(&fused), outputs(&graph));
            assert!(fused.nodes.len() <= graph.nodes.len() + graph.outputs.len());
        }
    }
}

#[test]
fn outputs_have_memory_of_their_own() {
    for forward in graphs() {
        let mut graph = differentiate(&forward).expect("all have derivatives");
        fuse(&mut graph);
        let mut roots: Vec<_> = graph.outputs.iter().map(|(_, v)| view_root(&graph, *v)).collect();
        let count = roots.len();
        roots.sort_unstable();
        roots.dedup();
        assert_eq!(roots.len(), count, "{}", graph.text());
    }
}

#[test]
fn plans_hold_what_is_read_until_it_was_read() {
    for forward in graphs() {
        for (inference, mut graph) in
            [(true, forward.clone()), (false, differentiate(&forward).expect("all"))]
        {
            fuse(&mut graph);
            if !inference {
                store(&mut graph);
                graph.verify().expect("store");
            }
            check_plan(&graph, &plan(&graph, inference));
        }
    }
}

/// What is stored in bf16 is the value that the backward pass reads in its place, and nothing of the
/// backward pass reads the value itself.
#[test]
fn what_is_stored_is_not_read_again() {
    let mut stored = 0;
    for forward in graphs() {
        let mut graph = differentiate(&forward).expect("all have derivatives");
        fuse(&mut graph);
        store(&mut graph);
        let halves = graph.nodes.iter().filter(|node| node.op.name() == "narrow");
        for (value, half) in halves.map(|node| (node.inputs[0], node.outputs[0])) {
            stored += 1;
            let root = |v: &ValueId| view_root(&graph, *v);
            let backward = || graph.nodes.iter().filter(|node| node.phase > Phase::Forward);
            assert!(backward().all(|n| !n.inputs.iter().any(|v| root(v) == value)));
            let readers: Vec<_> = backward().filter(|n| n.inputs.contains(&half)).collect();
            let [widen] = readers[..] else { panic!("{readers:?}") };
            assert_eq!(graph.ty(widen.outputs[0]), graph.ty(value));
            assert!(backward().any(|n| n.inputs.iter().any(|v| root(v) == widen.outputs[0])));
        }
    }
    assert!(stored > 5, "{stored}");
}

fn check_plan(graph: &Graph, plan: &Plan) {
    assert_eq!((plan.homes.len(), plan.scratch.len()), (graph.values.len(), graph.nodes.len()));
    let boundary = graph.nodes.iter().position(|node| node.phase != Phase::Forward);
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
        if let Some(Stored::Again(of)) = buffer.stored {
            let kept = &plan.buffers[of];
            assert_eq!((kept.stored, kept.unstored.1), (None, Part::Saved));
            assert!(kept.last < buffer.first && kept.unstored.0 == buffer.last, "{}", plan.text());
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

    fn backward(&self, b: &mut Backward) {
        if self.fails {
            b.none("silent");
        }
    }

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
