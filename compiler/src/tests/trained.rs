//! What has no gradient costs none: no nodes of the backward pass, and no memory that lasts.

use super::{expand, parsed, rendered, watch};
use crate::graph::Phase;
use crate::passes::Form;
use crate::passes::plan::{Part, Plan};

/// Of the function `loss` in training: the nodes of the backward pass, and the buffers that last
/// into it.
fn cost(fields: &str, body: &str) -> (Vec<String>, Vec<String>) {
    let text =
        format!("struct Net {{ {fields} }} fn loss(&self, x: [batch, 8]) -> [] {{ {body} }}");
    let mut found = None;
    watch(&parsed(&text), &mut |seen| {
        if let (Form::Train, Some(plan)) = (seen.form, seen.plan) {
            let back = seen.graph.nodes.iter().filter(|node| node.phase > Phase::Forward);
            let names = back.map(|node| format!("{} {}", node.op.name(), node.label)).collect();
            found = Some((names, saved(plan)));
        }
    });
    found.expect("it is planned")
}

fn saved(plan: &Plan) -> Vec<String> {
    let lasts = plan.buffers.iter().filter(|buffer| buffer.without_bf16.1 == Part::Saved);
    lasts.map(|buffer| buffer.label.clone()).collect()
}

#[test]
fn what_is_before_a_detach_is_not_differentiated() {
    let fields = "fc1: Linear(8 -> 16), fc2: Linear(16 -> 16), head: Linear(16 -> 2)";
    let whole = "self.head(self.fc2(self.fc1(x).tanh()).tanh()).square().mean()";
    let (nodes, lasting) = cost(fields, whole);
    let detached = "(self.head(self.fc2(self.fc1(x).tanh()).tanh().detach()) + \
        self.fc1(x).mean() + self.fc2(self.fc1(x)).mean()).square().mean()";
    // Not so as to be an error: both are trained by another way.
    let (own_nodes, _) = cost(fields, detached);
    assert!(own_nodes.iter().all(|node| !node.contains("tanh")), "{own_nodes:?}");
    let of = |body: &str| {
        let fields = fields.replace("fc1:", "#[frozen] fc1:").replace("fc2:", "#[frozen] fc2:");
        cost(&fields, body)
    };
    let (own_nodes, own_lasting) =
        of("self.head(self.fc2(self.fc1(x).tanh()).tanh().detach()).square().mean()");
    assert!(own_nodes.len() < nodes.len() / 2, "{own_nodes:?}");
    assert!(own_lasting.len() < lasting.len(), "{own_lasting:?} {lasting:?}");
    assert!(own_nodes.iter().all(|node| !node.contains("fc")), "{own_nodes:?}");
}

#[test]
fn what_is_frozen_has_no_gradient_but_lets_it_through() {
    let body = "self.head(self.fc2(self.fc1(x)).square()).square().mean()";
    let fields = "fc1: Linear(8 -> 16), #[frozen] fc2: Linear(16 -> 16), head: Linear(16 -> 2)";
    let (nodes, lasting) = cost(fields, body);
    // That of its input, and none of its weight and its bias.
    assert_eq!(nodes.iter().filter(|node| node.ends_with(" fc2")).count(), 1, "{nodes:?}");
    assert!(!lasting.iter().any(|label| label == "fc1"), "{lasting:?}");
    // Nothing before it trains: what is left is for `loss_grad_inputs`.
    let fields = "#[frozen] fc1: Linear(8 -> 16), #[frozen] fc2: Linear(16 -> 16), \
        head: Linear(16 -> 2)";
    let mut always = Vec::new();
    let text =
        format!("struct Net {{ {fields} }} fn loss(&self, x: [batch, 8]) -> [] {{ {body} }}");
    watch(&parsed(&text), &mut |seen| {
        if seen.form == Form::Train {
            let back = seen.graph.nodes.iter().filter(|node| node.phase == Phase::Backward);
            always = back.map(|node| node.label.clone()).collect();
        }
    });
    assert!(!always.iter().any(|label| label.contains("fc")), "{always:?}");
}

#[test]
fn frozen_norms_are_not_those_of_the_batch() {
    let text = "struct Net { fc: Linear(8 -> 8), #[frozen] norm: BatchNorm1d(8) }
        fn loss(&self, x: [batch, 8]) -> [] { self.norm(self.fc(x)).square().mean() }";
    watch(&parsed(text), &mut |seen| {
        let names = seen.graph.nodes.iter().map(|node| node.op.name());
        assert!(!names.into_iter().any(|name| name.contains("batch_norm")));
    });
}

#[test]
fn what_reaches_nothing_is_told() {
    let losses = |fields: &str, body: &str| {
        let text =
            format!("struct Net {{ {fields} }} fn loss(&self, x: [batch, 8]) -> [] {{ {body} }}");
        rendered(&expand(&text).0)
    };
    let body = "self.head(self.fc(x).detach()).square().mean()";
    assert_eq!(
        losses("fc: Linear(8 -> 8), head: Linear(8 -> 2)", body),
        "<fc> no gradient gets from `loss` to the parameters of `fc`\n  help: `detach` lets none \
            through; write `#[frozen]` above a field that is not to be trained\n"
    );
    assert_eq!(losses("#[frozen] fc: Linear(8 -> 8), head: Linear(8 -> 2)", body), "");
    assert_eq!(
        losses("fc: Linear(8 -> 2), #[frozen] drop: Dropout(0.5)", "self.drop(self.fc(x)).mean()"),
        "<frozen> `drop` has no parameters that could be held fixed\n  help: take `#[frozen]` out\n"
    );
    assert_eq!(
        losses("#[frozen(true)] fc: Linear(8 -> 2)", "self.fc(x).mean()"),
        "<#[frozen(true)]> `frozen` takes nothing\n  help: write `#[frozen]` above a field that is \
            not to be trained\n"
    );
}

#[test]
fn what_a_loss_does_not_train_has_no_gradient() {
    let cost = |attr: &str| {
        let text = format!(
            "struct Gan {{ maker: Linear(8 -> 16), hidden: Linear(16 -> 16), critic: Linear(16 -> 2) }}
            {attr} fn loss(&self, x: [batch, 8]) -> [] {{
                self.critic(self.hidden(self.maker(x).tanh()).square()).square().mean()
            }}"
        );
        let mut found = None;
        watch(&parsed(&text), &mut |seen| {
            if let (Form::Train, Some(plan)) = (seen.form, seen.plan) {
                let back = seen.graph.nodes.iter().filter(|node| node.phase == Phase::Backward);
                let labels = back.map(|node| node.label.clone()).collect::<Vec<_>>();
                found = Some((labels, saved(plan)));
            }
        });
        found.expect("it is planned")
    };
    let count = |labels: &[String], of: &str| labels.iter().filter(|label| *label == of).count();
    let (all, lasting) = cost("");
    // The gradients of weights and biases; those of inputs are part of what lies before.
    assert_eq!(["maker", "hidden", "critic"].map(|of| count(&all, of)), [2, 2, 2]);
    assert!(lasting.iter().any(|label| label.contains("square")), "{lasting:?}");
    let (maker, lasting) = cost("#[trains(maker)]");
    assert_eq!(["maker", "hidden", "critic"].map(|of| count(&maker, of)), [2, 0, 0]);
    // What the weight of the critic would be multiplied by is not kept.
    assert!(!lasting.iter().any(|label| label.contains("square")), "{lasting:?}");
    let (critic, _) = cost("#[trains(critic)]");
    assert_eq!(["maker", "hidden", "critic"].map(|of| count(&critic, of)), [0, 0, 2]);
}
