//! What each phase makes of small models, in text.

use std::fmt::Write;

use super::{compare, expand, pretty, rendered};
use crate::diagnostics::Diagnostics;
use crate::differentiate::differentiate;
use crate::fuse::fuse;
use crate::graph::Graph;
use crate::lower::{ModelCx, lower_function, text_of};
use crate::plan::plan;
use crate::prepare::prepare;
use crate::store::store;
use crate::syntax::{FieldDecl, ModelItem, Stmt, parse_model};

pub const MLP: &str = "
    pub struct Mlp { fc1: Linear(784 -> 128), fc2: Linear(10) }
    fn forward(&self, image: [batch, 784]) -> [batch, 10] {
        let x = self.fc1(image).relu();
        self.fc2(x)
    }
    fn loss(&self, image: [batch, 784], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(image), label)
    }";

pub const RESIDUAL: &str = "
    pub struct Residual<const D: usize = 8> {
        up: Linear(D -> 4 * D), down: Linear(4 * D -> D), scale: Param([D], init = ones),
    }
    fn forward(&self, x: [batch, D]) -> [batch, D] {
        let h = self.down(self.up(x).gelu());
        (x + h) * self.scale + x.sigmoid()
    }";

pub const CNN: &str = "
    pub struct Cnn { conv: Conv2d(1 -> 6, kernel = 5, padding = 2), fc: Linear(1176 -> 10) }
    fn forward(&self, image: [batch, 1, 28, 28]) -> [batch, 10] {
        let x = self.conv(image).relu().max_pool2d(2);
        self.fc(x.flatten())
    }
    fn loss(&self, image: [batch, 1, 28, 28], target: [batch, 10]) -> [] {
        mse_loss(self.forward(image).softmax(dim = 1), target)
    }";

pub const NESTED: &str = "
    struct Net { first: Linear(16 -> 64), blocks: [Block<64>; 4], head: Head }
    fn forward(&self, x: [batch, 16]) -> [batch, 2] {
        let x = self.blocks(self.first(x));
        let y: [batch, 2] = self.head(x);
        y
    }";

pub const FREE: &str = "
    pub fn energy(x: [n, 3], y: [n, 3]) -> [] {
        let d = x - y;
        0.5 * (d * d).sum(dim = 1).sqrt().mean()
    }";

/// Products and what follows them: an operand that ends there, two products in one chain, a product
/// that is read twice, and a parameter with two uses.
pub const FUSED: &str = "
    struct Fused {
        a: Linear(4 -> 4), b: Linear(4 -> 4, bias = false), c: Conv2d(2 -> 2, kernel = 3, padding = 1),
    }
    fn forward(&self, x: [batch, 4], image: [batch, 2, 4, 4]) -> ([batch, 4], [batch, 2, 4, 4]) {
        let h = x.exp();
        let y = h + self.b(h);
        let z = (self.a(y) * self.b(x)).tanh();
        let w = self.a(z);
        (w.gelu() + w.sum(dim = 1, keepdim = true), image + self.c(self.c(image).relu()))
    }";

pub const MODELS: [(&str, &str); 6] = [
    ("mlp", MLP),
    ("residual", RESIDUAL),
    ("cnn", CNN),
    ("nested", NESTED),
    ("free", FREE),
    ("fused", FUSED),
];

#[test]
fn phases() {
    for (name, text) in MODELS {
        compare(&format!("snapshots/{name}.txt"), &phases_of(text));
    }
}

#[test]
fn rust() {
    // The graphs of the last say all about it.
    for (name, text) in &MODELS[..5] {
        let (diagnostics, rust) = expand(text);
        assert_eq!(rendered(&diagnostics), "");
        compare(&format!("snapshots/{name}.rs.snap"), &pretty(&rust));
    }
}

fn phases_of(text: &str) -> String {
    let mut diagnostics = Diagnostics::default();
    let tokens = text.parse().expect("the text has balanced brackets");
    let item = parse_model(tokens, &mut diagnostics);
    let mut out = summary(&item);
    let mut cx = ModelCx::new(&item, &mut diagnostics);
    for function in &item.functions {
        let lowered = lower_function(&mut cx, function).expect("the model is right");
        let forward = lowered.graph;
        let backward = differentiate(&forward).expect("everything has a derivative");
        let _ = writeln!(out, "\n== {}: lower\n{}", function.name, forward.text());
        let _ = writeln!(out, "== {}: differentiate\n{}", function.name, backward.text());
        for (pass, mut graph) in [("inference", forward), ("training", backward)] {
            let inference = pass == "inference";
            if inference {
                prepare(&mut graph);
                let _ = writeln!(out, "== {}: prepare\n{}", function.name, graph.text());
            }
            fuse(&mut graph);
            let _ = writeln!(out, "== {}: fuse, {pass}\n{}", function.name, graph.text());
            if !inference {
                store(&mut graph);
                let _ = writeln!(out, "== {}: store\n{}", function.name, graph.text());
            }
            out.push_str(&planned(&function.name.to_string(), pass, &graph, inference));
        }
    }
    assert_eq!(rendered(&diagnostics), "");
    out
}

fn planned(name: &str, pass: &str, graph: &Graph, inference: bool) -> String {
    format!("== {name}: plan, {pass}\n{}\n", plan(graph, inference).text())
}

/// What the parser read.
fn summary(item: &ModelItem) -> String {
    let mut out = String::from("== syntax\n");
    for field in &item.fields {
        let decl = match &field.decl {
            FieldDecl::Layer(layer) => {
                let args: Vec<_> = layer.args.iter().map(ToString::to_string).collect();
                format!("layer {}({})", text_of(&layer.path), args.join(", "))
            }
            FieldDecl::Model(ty) => format!("model {}", text_of(ty)),
            FieldDecl::Array(ty, count) => format!("{} models {}", text_of(count), text_of(ty)),
            FieldDecl::Broken => "broken".into(),
        };
        let _ = writeln!(out, "{}: {decl}", field.name);
    }
    for function in &item.functions {
        let args: Vec<_> = function.args.iter().map(ToString::to_string).collect();
        let results: Vec<_> = function.returns.iter().map(ToString::to_string).collect();
        let _ =
            writeln!(out, "fn {}({}) -> {}", function.name, args.join(", "), results.join(", "));
        for stmt in &function.body {
            let _ = match stmt {
                Stmt::Let { names, value, .. } => {
                    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
                    writeln!(out, "    let {} = {}", names.join(", "), text_of(value))
                }
                Stmt::Tail(value) => writeln!(out, "    {}", text_of(value)),
                Stmt::Broken { .. } => writeln!(out, "    broken"),
            };
        }
    }
    out
}
