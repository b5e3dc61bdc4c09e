//! The passes between lowering and the emission of Rust, in one table: who runs, shows, dumps or
//! checks passes reads it.

pub mod differentiate;
pub mod expand;
pub mod fuse;
pub mod plan;
pub mod prepare;
pub mod step;
pub mod store;

use proc_macro2::{Ident, Span};

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::dim::Dim;
use crate::facts::Facts;
use crate::graph::Graph;
use crate::graph::step::Held;
use plan::Plan;

/// Which run of a function a graph is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    Infer,
    /// Forward and backward.
    Train,
    /// Inference of the next positions of sequences.
    Step,
}

impl Form {
    /// Whether there is no backward pass.
    pub fn is_inference(self) -> bool {
        self != Self::Train
    }
}

/// What stands before the passes: the graph as lowering makes it, the same for all forms.
pub const LOWER: &str = "lower";

/// A pass over one form of a function.
#[derive(Debug)]
pub struct Pass {
    /// As it is called in dumps, in snapshots and where it fails.
    pub name: &'static str,
    /// The forms that it changes.
    pub forms: &'static [Form],
    run: fn(&mut Work, &About) -> Result<(), Diagnostic>,
}

const ALL: &[Form] = &[Form::Infer, Form::Train, Form::Step];

/// Every pass, in the order in which they run.
pub const PASSES: &[Pass] = &[
    Pass { name: "step", forms: &[Form::Step], run: step::run },
    Pass { name: "differentiate", forms: &[Form::Train], run: differentiate::run },
    Pass { name: "expand", forms: ALL, run: expand::run },
    Pass { name: "prepare", forms: &[Form::Infer, Form::Step], run: prepare::run },
    Pass { name: "fuse", forms: ALL, run: fuse::run },
    Pass { name: "store", forms: &[Form::Train], run: store::run },
    Pass { name: "plan", forms: ALL, run: plan::run },
];

/// What a pass knows of the function beside its graph.
pub struct About<'a> {
    pub function: &'a Ident,
    /// The positions of its sequences, where it runs on the next ones too, and where that is
    /// written.
    pub length: Option<(Dim, Span)>,
    pub facts: &'a Facts,
}

/// One form of a function on its way through the passes.
#[derive(Debug)]
pub struct Work {
    pub form: Form,
    pub graph: Graph,
    /// What the form for the next positions needs of those before.
    pub held: Held,
    /// Made by the last pass.
    pub plan: Option<Plan>,
}

/// A form behind a pass: what dumps and tests look at.
#[derive(Debug)]
pub struct Seen<'a> {
    pub function: &'a Ident,
    pub form: Form,
    pub pass: &'static str,
    pub graph: &'a Graph,
    pub plan: Option<&'a Plan>,
}

/// Is shown every form behind every pass.
pub type Watch<'a> = &'a mut dyn FnMut(&Seen);

impl Seen<'_> {
    /// What the pass made, in text.
    pub fn text(&self) -> String {
        match self.plan {
            Some(plan) => plan.text(),
            None => self.graph.text(),
        }
    }

    /// `forward (train)`; the graph behind lowering is that of all forms.
    pub fn title(&self) -> String {
        match (self.pass, self.form) {
            (LOWER, _) => self.function.to_string(),
            (_, form) => format!("{} ({})", self.function, format!("{form:?}").to_lowercase()),
        }
    }
}

/// Shows the graph behind lowering.
pub fn show_lowered(graph: &Graph, about: &About, watch: Watch) {
    verify(graph);
    let (function, form) = (about.function, Form::Infer);
    watch(&Seen { function, form, pass: LOWER, graph, plan: None });
}

/// Runs the passes of a form over the graph that lowering made. What is wrong is reported.
pub fn run(
    form: Form,
    lowered: Graph,
    about: &About,
    diagnostics: &mut Diagnostics,
    watch: Watch,
) -> Option<(Graph, Plan, Held)> {
    let mut work = Work { form, graph: lowered, held: Held::default(), plan: None };
    for pass in PASSES.iter().filter(|pass| pass.forms.contains(&form)) {
        diagnostics.phase = pass.name;
        if let Err(error) = (pass.run)(&mut work, about) {
            diagnostics.push(error);
            return None;
        }
        verify(&work.graph);
        let (function, graph, plan) = (about.function, &work.graph, work.plan.as_ref());
        watch(&Seen { function, form, pass: pass.name, graph, plan });
    }
    Some((work.graph, work.plan.expect("the last pass plans"), work.held))
}

/// A broken graph is a bug of the macro, and says so.
fn verify(graph: &Graph) {
    if let Err(broken) = graph.verify() {
        panic!("{broken}\n{}", graph.text());
    }
}
