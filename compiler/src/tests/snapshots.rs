//! What each pass makes of small models, in text.

use std::collections::HashMap;
use std::fmt::Write;

use super::{compare, expand, parsed, pretty, rendered, watch};
use crate::passes::{LOWER, PASSES};
use crate::syntax::{FieldDecl, If, ModelItem, Stmt, Value};
use crate::text::text_of;

/// In the place of a text that a pass left as it was.
const SAME: &str = "as before\n";

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

/// Statistics that become other operations, and are prepared for inference.
pub const NORM: &str = "
    struct Norm { conv: Conv2d(1 -> 2, kernel = 3), norm: BatchNorm2d(2) }
    fn forward(&self, x: [batch, 1, 8, 8]) -> [batch, 2, 6, 6] {
        self.norm(self.conv(x))
    }";

/// A function that runs step by step, too.
pub const STEPS: &str = "
    struct Reader { query: Linear(8 -> 8, bias = false), place: Param([16, 8]) }
    #[step(16)]
    fn forward(&self, x: [batch, 16, 8]) -> [batch, 16, 8] {
        let x = x + self.place;
        x + scaled_dot_product_attention(self.query(x), x, x, is_causal = true).dropout(0.1)
    }";

pub const MODELS: [(&str, &str); 8] = [
    ("mlp", MLP),
    ("residual", RESIDUAL),
    ("cnn", CNN),
    ("nested", NESTED),
    ("free", FREE),
    ("fused", FUSED),
    ("norm", NORM),
    ("steps", STEPS),
];

#[test]
fn phases() {
    for (name, text) in MODELS {
        compare(&format!("snapshots/{name}.txt"), &phases_of(text));
    }
}

#[test]
fn rust() {
    // The graphs of the others say all about them.
    for (name, text) in &MODELS[..5] {
        let (diagnostics, rust) = expand(text);
        assert_eq!(rendered(&diagnostics), "");
        compare(&format!("snapshots/{name}.rs.snap"), &pretty(&rust));
    }
}

/// What the parser read, and what each pass of each form makes of it.
fn phases_of(text: &str) -> String {
    let item = parsed(text);
    let mut out = summary(&item);
    let mut before = HashMap::new();
    watch(&item, &mut |seen| {
        let (text, title) = (seen.text(), format!("{}: {}", seen.title(), seen.pass));
        let lowered = (seen.function.to_string(), LOWER);
        let form = (seen.function.to_string(), ["infer", "train", "step"][seen.form as usize]);
        let is_same = before.get(&form).or(before.get(&lowered)) == Some(&text);
        let shown = if is_same { SAME } else { &text };
        let _ = writeln!(out, "== {title}\n{shown}");
        before.insert(if seen.pass == LOWER { lowered } else { form }, text);
    });
    out
}

/// No pass is there for nothing, and none is left out of the snapshots.
#[test]
fn every_pass_is_shown() {
    let all: String = MODELS.iter().map(|(_, text)| phases_of(text)).collect();
    for pass in PASSES {
        for form in pass.forms {
            let end = format!(" ({}): {}\n", format!("{form:?}").to_lowercase(), pass.name);
            let parts: Vec<_> = all.split(&end).skip(1).collect();
            assert!(parts.iter().any(|part| !part.starts_with(SAME)), "no model shows{end}");
        }
    }
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
            FieldDecl::Layers(layer, count) => {
                let args: Vec<_> = layer.args.iter().map(ToString::to_string).collect();
                format!("{count} layers {}({})", text_of(&layer.path), args.join(", "))
            }
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
        write_block(&mut out, &function.body, 1);
    }
    out
}

/// Statements, a line each.
fn write_block(out: &mut String, stmts: &[Stmt], depth: usize) {
    let indent = "    ".repeat(depth);
    for stmt in stmts {
        match stmt {
            Stmt::Let { names, value, .. } => {
                let names: Vec<_> = names.iter().map(ToString::to_string).collect();
                write_value(out, &format!("{indent}let {} =", names.join(", ")), value, depth);
            }
            Stmt::Assign { name, value } => {
                write_value(out, &format!("{indent}{name} ="), value, depth);
            }
            Stmt::For(each) => {
                let name = each.name.as_ref().map_or("_".into(), ToString::to_string);
                let _ = writeln!(out, "{indent}for {name} in {}", text_of(&each.over));
                write_block(out, &each.body, depth + 1);
            }
            Stmt::If(choice) => write_choice(out, &indent, choice, depth),
            Stmt::Allow(_, stmt) => write_block(out, std::slice::from_ref(stmt), depth),
            Stmt::Reveal(value) => {
                let _ = writeln!(out, "{indent}{};", text_of(value));
            }
            Stmt::Tail(value) => {
                let _ = writeln!(out, "{indent}{}", text_of(value));
            }
            Stmt::Broken { .. } => {
                let _ = writeln!(out, "{indent}broken");
            }
        }
    }
}

fn write_value(out: &mut String, start: &str, value: &Value, depth: usize) {
    match value {
        Value::Expr(value) => {
            let _ = writeln!(out, "{start} {}", text_of(value));
        }
        Value::If(choice) => write_choice(out, &format!("{start} "), choice, depth),
    }
}

fn write_choice(out: &mut String, start: &str, choice: &If, depth: usize) {
    let _ = writeln!(out, "{start}if {}", text_of(&choice.condition));
    write_block(out, &choice.then, depth + 1);
    if !choice.otherwise.is_empty() {
        let _ = writeln!(out, "{}else", "    ".repeat(depth));
        write_block(out, &choice.otherwise, depth + 1);
    }
}
