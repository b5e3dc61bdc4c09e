//! What stays when a part of a model is wrong: editors and other models need the rest.

use syn::{ImplItem, Item};

use super::{expand, rendered};

/// The names of the functions that users can call.
fn methods(text: &str) -> Vec<String> {
    let (diagnostics, rust) = expand(text);
    assert_ne!(rendered(&diagnostics), "", "the text has a mistake");
    let file: syn::File = syn::parse2(rust).expect("the expansion is Rust");
    let impls = file.items.iter().filter_map(|item| match item {
        Item::Impl(item) if item.trait_.is_none() => Some(&item.items),
        _ => None,
    });
    let names = impls.flatten().filter_map(|item| match item {
        ImplItem::Fn(function) => Some(function.sig.ident.to_string()),
        _ => None,
    });
    names.filter(|name| !name.starts_with("__")).collect()
}

const REST: [&str; 14] = [
    "init",
    "fc1",
    "fc2",
    "workspace",
    "workspace_on",
    "footprint",
    "flops",
    "forward",
    "forward_grad",
    "forward_grad_inputs",
    "loss",
    "loss_grad",
    "loss_grad_inputs",
    "predict",
];

fn mlp(layers: &str, forward: &str, loss: &str) -> String {
    format!(
        "pub struct Mlp {{ {layers} }}
        {forward}
        {loss}
        fn predict(&self, image: [batch, 784]) -> [batch, 10] {{
            self.forward(image).softmax(dim = 1)
        }}"
    )
}

const LAYERS: &str = "fc1: Linear(784 -> 128), fc2: Linear(128 -> 10)";
const FORWARD: &str = "fn forward(&self, image: [batch, 784]) -> [batch, 10] {
    self.fc2(self.fc1(image).relu())
}";
const LOSS: &str = "fn loss(&self, image: [batch, 784], label: Classes[batch]) -> [] {
    cross_entropy(self.forward(image), label)
}";

#[test]
fn every_function_and_layer_stays() {
    let body = |body: &str| FORWARD.replace("self.fc2(self.fc1(image).relu())", body);
    let wrong = [
        mlp("fc1: Linear(784 -> 128), fc2: Linear(100 -> 10)", FORWARD, LOSS),
        mlp(LAYERS, &body("let x = self.fc1(image).; self.fc2(x)"), LOSS),
        mlp(LAYERS, &body("let x = "), LOSS),
        mlp(LAYERS, &body("@ # $"), LOSS),
        mlp(LAYERS, &body("nothing"), LOSS),
        mlp(LAYERS, &FORWARD.replace("-> [batch, 10]", ""), LOSS),
        mlp(LAYERS, &FORWARD.replace("[batch, 784]", "&[f32]"), LOSS),
        mlp(LAYERS, &FORWARD.replace("[batch, 784]", "[batch 784]"), LOSS),
        mlp(LAYERS, &FORWARD.replace("[batch, 10]", "[bach, 10]"), LOSS),
        mlp(LAYERS, &format!("let x = 1; {FORWARD}"), LOSS),
        mlp(LAYERS, FORWARD, &LOSS.replace("label)\n", "lable)\n")),
        mlp(LAYERS, FORWARD, &LOSS.replace("&self, ", "")),
    ];
    for text in wrong {
        let methods = methods(&text);
        let missing: Vec<_> =
            REST.iter().filter(|name| !methods.iter().any(|method| method == **name)).collect();
        assert!(missing.is_empty(), "{missing:?} missing of\n{text}");
    }
}

#[test]
fn a_lost_function_leaves_the_others() {
    let text = mlp(LAYERS, "fn forward", LOSS);
    let methods = methods(&text);
    assert!(methods.contains(&"loss_grad".into()) && methods.contains(&"predict".into()));
}

#[test]
fn what_the_parser_meets_ends() {
    let junk =
        ["pub", "pub pub", "#", "#[a]", "fn", "struct", "struct A", "struct A {", ", ;", "{}"];
    for text in junk {
        let text = text.replace('{', "{}");
        if let Ok(tokens) = text.parse() {
            let mut diagnostics = crate::diagnostics::Diagnostics::default();
            crate::syntax::parse_model(tokens, &mut diagnostics);
        }
    }
}

#[test]
fn a_panic_is_an_error_that_says_so() {
    let rust = crate::model::guarded(|diagnostics| {
        diagnostics.phase = "fuse";
        panic!("node 3 reads %7 too early")
    });
    let text = rust.to_string();
    assert!(text.contains("compile_error"), "{text}");
    assert!(text.contains("a bug of gradiron, in `fuse`: node 3 reads %7 too early"), "{text}");
}
