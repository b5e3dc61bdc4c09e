//! No text takes long, or much stack: what is too much is an error.

use std::fmt::Write;

use super::{expand, pretty, rendered};
use crate::diagnostics::Diagnostics;
use crate::lower::Siblings;
use crate::lower::work::{MOST_EXPRESSIONS, MOST_NODES};
use crate::model::analyse;
use crate::syntax::limits::{MOST_ARGS, MOST_AXES, MOST_FIELDS, MOST_FUNCTIONS};
use crate::syntax::parse_model;

/// A function of one value.
fn function(name: &str, body: &str) -> String {
    format!("fn {name}(&self, x: [batch, 4]) -> [batch, 4] {{ {body} }} ")
}

/// Refused in one message that says this.
#[track_caller]
fn refused(text: &str, message: &str) {
    let (diagnostics, rust) = expand(text);
    let found = rendered(&diagnostics);
    assert_eq!(diagnostics.sorted().len(), 1, "{}", &found[..found.len().min(2000)]);
    assert!(found.contains(message), "{found}");
    pretty(&rust);
}

#[track_caller]
fn accepted(text: &str) {
    let (diagnostics, rust) = expand(text);
    assert!(diagnostics.is_empty(), "{}", rendered(&diagnostics));
    pretty(&rust);
}

/// Expressions that are `n` deep. Those of the first number are accepted, or refused for what they
/// are; those of the second are too deep. A test has a stack of 2 MiB.
type Deep = (fn(usize) -> String, usize, usize);

const DEEP: &[Deep] = &[
    (|n| format!("{}x{}", "relu(".repeat(n), ")".repeat(n)), 50, 1_000),
    (|n| format!("{}x{}", "(".repeat(n), ")".repeat(n)), 50, 10_000),
    (|n| format!("x{}", ".relu()".repeat(n)), 240, 2_000),
    (|n| format!("x{}", " + x".repeat(n)), 150, 2_000),
    (|n| format!("{}x", "-".repeat(n)), 150, 10_000),
    (|n| format!("{}x", "&".repeat(n)), 150, 10_000),
    (|n| format!("{}x{}", "x.maximum(".repeat(n), ")".repeat(n)), 45, 500),
    (|n| format!("{}x{}", "self.g(".repeat(n), ")".repeat(n)), 45, 500),
    (|n| format!("{}x{}", "[".repeat(n), "]".repeat(n)), 50, 10_000),
    (|n| format!("{}x{}", "{".repeat(n), "}".repeat(n)), 30, 10_000),
    (|n| format!("{}x", "|| ".repeat(n)), 50, 5_000),
    (|n| format!("{}x", "return ".repeat(n)), 80, 5_000),
    (|n| format!("x as {}f32{}", "Vec<".repeat(n), ">".repeat(n)), 14, 5_000),
    (|n| format!("x as {}f32{}", "<".repeat(n), ">".repeat(n)), 14, 5_000),
    (|n| format!("x{}", "[0]".repeat(n)), 900, 5_000),
    (|n| format!("x{}", "(0)".repeat(n)), 900, 5_000),
    (|n| format!("x{}", " as f32".repeat(n)), 900, 5_000),
    (|n| format!("x.reshape([batch, {}4])", "1 * ".repeat(n)), 150, 5_000),
    (|n| format!("x.reshape([batch, {}4{}])", "(".repeat(n), ")".repeat(n)), 40, 5_000),
    (|n| format!("x * {}1.0{}", "(".repeat(n), ")".repeat(n)), 40, 5_000),
    (|n| format!("x * (batch{})", " + batch".repeat(n)), 140, 2_000),
    (|n| format!("x * (1.5{})", " + batch as f32".repeat(n)), 120, 2_000),
    (|n| format!("x * (batch as f32){}", ".sqrt()".repeat(n)), 200, 2_000),
    (|n| format!("{}x{}", "match x { _ => ".repeat(n), "}".repeat(n)), 15, 2_000),
    (|n| format!("if x {{ x }}{}", " else if x { x }".repeat(n)), 30, 2_000),
];

#[test]
fn expressions_have_a_bounded_depth() {
    for (expression, fits, deep) in DEEP {
        let model = |n| {
            let body = function("f", &expression(n));
            format!("struct M {{}} {body} {}", function("g", "x"))
        };
        let (diagnostics, _) = expand(&model(*fits));
        let found = rendered(&diagnostics);
        assert!(!found.contains("too deep") && !found.contains("a bug"), "{}: {found}", model(3));
        let (diagnostics, _) = expand(&model(*deep));
        let found = rendered(&diagnostics);
        assert!(found.contains("this is nested too deep"), "{}", model(3));
    }
    // The same in other places, and between them.
    refused(
        &format!("struct M {{ {}Block{} }}", "a: [".repeat(500), "; 2]".repeat(500)),
        "too deep",
    );
    refused(
        &format!("fn f(x: [batch, {}4{}]) -> []", "(".repeat(999), ")".repeat(999)),
        "too deep",
    );
    refused(
        &"{".repeat(10_000).chars().chain("}".repeat(10_000).chars()).collect::<String>(),
        "too deep",
    );
}

#[test]
fn functions_in_functions_have_a_bounded_depth() {
    let chain = |count: usize| {
        let rest = (1..count).map(|i| function(&format!("f{i}"), &format!("self.f{}(x)", i - 1)));
        format!("struct M {{}} {}{}", function("f0", "x.relu()"), rest.collect::<String>())
    };
    accepted(&chain(60));
    refused(&chain(300), "calls and expressions are nested too deep here");
}

/// `count` functions that each call the one before twice.
fn doubled(count: usize, first: &str) -> String {
    let twice = |i: usize| format!("let y = self.f{}(x); self.f{}(y)", i - 1, i - 1);
    let rest = (1..=count).map(|i| function(&format!("f{i}"), &twice(i)));
    format!("struct M {{}} {}{}", function("f0", first), rest.collect::<String>())
}

#[test]
fn functions_that_call_twice_come_to_an_end() {
    accepted(&doubled(9, "x.relu()"));
    refused(&doubled(16, "x.relu()"), "more than 5000 operations");
    refused(&doubled(60, "x.relu()"), "more than 5000 operations");
    // Without any operation, too.
    refused(&doubled(20, "x"), "more than 50000 expressions");
}

/// Loops are written out, and what is written out is counted, whatever is in them.
#[test]
fn loops_come_to_an_end() {
    let over =
        |body: &str| format!("fn f(x: [batch, 4]) -> [batch, 4] {{ let mut x = x; {body} x }}");
    accepted(&over("for i in 0..100 { x = x.relu(); }"));
    refused(&over("for i in 0..10_000 { x = x.relu(); }"), "more than 5000 operations");
    refused(&over("for i in 0..1_000_000_000_000 { }"), "more than 50000 expressions");
    refused(&over("for i in (0..=18446744073709551615).rev() { }"), "more than 50000 expressions");
    refused(
        &over("for i in 0..1000 { for j in 0..1000 { if i > j { } } }"),
        "more than 50000 expressions",
    );
    let nested = format!("{} x = x.relu(); {}", "for i in 0..1 { ".repeat(15), "}".repeat(15));
    accepted(&over(&nested));
    let nested = format!("{} {}", "if true { ".repeat(3000), "}".repeat(3000));
    refused(&over(&nested), "nested too deep");
    let row = "struct M { fc: [Linear(4 -> 4); 100] } \
        fn f(&self, x: [batch, 4]) -> [batch, 4] { self.fc(x) }";
    accepted(row);
    refused(&row.replace("100", "1001"), "a literal from 1 to 1000");
}

#[test]
fn what_is_written_out_is_counted() {
    let text = doubled(60, "x.relu()");
    let mut diagnostics = Diagnostics::default();
    let item = parse_model(text.parse().expect("tokens"), &mut diagnostics);
    let mut nodes = 0;
    analyse(&item, &Siblings::default(), &mut diagnostics, &mut |seen| {
        nodes = nodes.max(seen.graph.nodes.len())
    });
    assert_eq!(nodes, 0, "nothing behind the refusal runs");
    let siblings = Siblings::default();
    let mut model = crate::lower::ModelCx::new(&item, &siblings, &mut diagnostics);
    for function in &item.functions {
        crate::lower::lower_function(&mut model, function);
    }
    assert!(model.work.nodes <= MOST_NODES + 100, "{}", model.work.nodes);
    assert!(model.work.expressions <= MOST_EXPRESSIONS, "{}", model.work.expressions);
}

#[test]
fn sums_are_not_multiplied_out_without_end() {
    let sizes = |count: usize| -> String {
        let sizes = (0..count).map(|i| format!("A{i} + B{i}"));
        sizes.collect::<Vec<_>>().join(", ")
    };
    for count in [2, 10, MOST_AXES - 1] {
        let sizes = sizes(count);
        let text = format!("fn f(x: [batch, {sizes}]) -> [] {{ x.flatten().mean() }}");
        let (diagnostics, rust) = expand(&text);
        assert!(diagnostics.is_empty(), "{}", rendered(&diagnostics));
        let length = rust.to_string().len();
        assert!(length < 300_000, "{count}: {length}");
    }
    // Back to what it was: the two forms are one for rustc.
    let ten = sizes(10);
    accepted(&format!(
        "fn f(x: [batch, {ten}]) -> [] {{ x.flatten().exp().reshape([batch, {ten}]).mean() }}"
    ));
    let squares = "let x = x.unsqueeze(2).matmul(x.unsqueeze(1)).flatten(); ".repeat(40);
    refused(&format!("fn f(x: [batch, A]) -> [] {{ {squares} x.mean() }}"), "more than 500 names");
    let halves = "let x = x.max_pool2d(2, padding = 1); ".repeat(400);
    refused(
        &format!("fn f(x: [batch, 1, A, B]) -> [] {{ {halves} x.mean() }}"),
        "more than 500 names",
    );
}

#[test]
fn there_are_bounds_for_what_is_counted() {
    let many =
        |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<String>();
    let layers = many(MOST_FIELDS + 1, &|i| format!("a{i}: Linear(4 -> 4), "));
    let (diagnostics, _) = expand(&format!("struct M {{ {layers} }} {}", function("f", "x")));
    assert!(rendered(&diagnostics).contains("at most 1000 layers"));
    let functions = many(MOST_FUNCTIONS + 1, &|i| function(&format!("f{i}"), "x.relu()"));
    refused(&format!("struct M {{}} {functions}"), "at most 500 functions");
    let inputs = many(MOST_ARGS + 1, &|i| format!("x{i}: [batch, 4], "));
    let sum = many(MOST_ARGS + 1, &|i| format!("let y = y + x{i}; "));
    refused(
        &format!("fn f({inputs}) -> [batch, 4] {{ let y = x0; {sum} y }}"),
        "more than 64 inputs",
    );
    let axes = "2, ".repeat(MOST_AXES);
    refused(&format!("fn f(x: [batch, {axes}]) -> [] {{ x.mean() }}"), "at most 16 axes");
    let more = ".unsqueeze(1)".repeat(20);
    refused(&format!("fn f(x: [batch, 2]) -> [] {{ x{more}.mean() }}"), "at most 16 axes");
    let name = "x".repeat(10_000);
    refused(&format!("fn f({name}: [batch, 2]) -> [] {{ {name}.mean() }}"), "at most 128 letters");
    let mut errors = String::new();
    (0..5_000).for_each(|i| write!(errors, "let y{i} = x.foo(); ").expect("a text grows"));
    let (diagnostics, _) = expand(&format!("fn f(x: [batch, 2]) -> [] {{ {errors} x.mean() }}"));
    assert_eq!(diagnostics.sorted().len(), 100);
}

#[test]
fn a_derived_model_has_as_many_layers() {
    let layers: String = (0..400).map(|i| format!("a{i}: Linear<4, 4>, ")).collect();
    let text = format!(
        "#[derive(Module)] #[module(input = [batch, 4], output = [batch, 4])] struct M {{ {layers} }}"
    );
    accepted(&text);
}
