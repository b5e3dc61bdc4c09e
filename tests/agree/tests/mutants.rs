//! Damage to a graph or a plan is seen, and the pass behind which it was done is named.

use gradiron_agree::library::Library;
use gradiron_agree::passes::check_library;
use gradiron_agree::program::Program;
use gradiron_compiler::graph::Dest;
use gradiron_compiler::passes::Form;

fn library() -> Library {
    let model = "struct M { w: Param([3, 3]), norm: BatchNorm1d(3) }
    fn forward(&self, x: [3, 3]) -> [3, 3] {
        let y = self.norm(x.matmul(self.w)).tanh();
        y.matmul(x) - y.matmul(self.w).softmax(1)
    }";
    let models = vec![model.to_string()];
    Library::new(&Program { models, ..Program::default() }).expect("the model compiles")
}

/// The forms and passes of the only function, in their order.
fn passes(library: &Library) -> Vec<(Form, &'static str)> {
    let graphs = library.units[0].functions[0].graphs.iter();
    graphs.map(|(form, pass, _)| (*form, *pass)).collect()
}

#[test]
fn operands_that_changed_places() {
    check_library(&library(), 3).expect("nothing is damaged");
    for (at, (form, pass)) in passes(&library()).into_iter().enumerate() {
        if pass == "lower" {
            continue;
        }
        let mut library = library();
        let graph = &mut library.units[0].functions[0].graphs[at].2;
        let products = graph.nodes.iter_mut().filter(|node| node.op.name().contains("matmul"));
        products.last().expect("there are products").inputs.swap(0, 1);
        let failure = check_library(&library, 3).expect_err("a product is another one");
        let form = format!("{form:?}").to_lowercase();
        assert_eq!(failure.place, format!("{form}, behind {pass}"), "{failure}");
    }
}

#[test]
fn a_gradient_that_is_left_out() {
    for (at, (form, pass)) in passes(&library()).into_iter().enumerate() {
        if form != Form::Train {
            continue;
        }
        let mut library = library();
        let graph = &mut library.units[0].functions[0].graphs[at].2;
        graph.outputs.retain(|(dest, _)| *dest != Dest::DParam(0));
        let failure = check_library(&library, 3).expect_err("a gradient is missing");
        assert!(failure.text.contains("is not computed"), "{failure}");
        assert_eq!(failure.place, format!("train, behind {pass}"));
    }
}

#[test]
fn a_buffer_that_dies_early() {
    let buffers = library().units[0].functions[0].plans[1].1.buffers.len();
    let mut seen = 0;
    for b in 0..buffers {
        let mut library = library();
        let buffer = &mut library.units[0].functions[0].plans[1].1.buffers[b];
        if buffer.last <= buffer.first + 1 {
            continue;
        }
        buffer.last = buffer.first;
        buffer.without_bf16 = (buffer.first, buffer.part);
        seen +=
            usize::from(check_library(&library, 3).is_err_and(|failure| failure.place == "plan"));
    }
    assert!(seen > 0, "no early death of {buffers} buffers was seen");
}
