//! Constants of equal value under several names: an equality that is left to rustc holds in all
//! phases.

use super::{expand, pretty, rendered};
use crate::dim::{Atom, Dim};
use crate::facts::{Facts, Learned};

fn constant(name: &str) -> Dim {
    Dim::atom(Atom::Const(name.into(), name.parse().expect("a name")))
}

fn batch() -> Dim {
    Dim::atom(Atom::Run("batch".into()))
}

#[test]
fn equal_names_have_one_form() {
    let [a, b, c] = ["A", "B", "C"].map(constant);
    let mut facts = Facts::default();
    assert_eq!(facts.learn(&a, &b), Learned::Something);
    assert_eq!(facts.learn(&b, &a), Learned::Nothing);
    assert_eq!(facts.learn(&c.times(&b), &c.times(&c)), Learned::Something);
    assert_eq!(facts.canonical(&b.times(&batch())), facts.canonical(&a.times(&batch())));
    assert_eq!(facts.learn(&b, &Dim::lit(4)), Learned::Something);
    assert_eq!(facts.canonical(&a.times(&b).plus(&batch())), Dim::lit(16).plus(&batch()));
    assert_eq!(facts.learn(&a, &Dim::lit(5)), Learned::Contradiction);
}

#[test]
fn quotients_and_products_are_learned() {
    let [d, h] = ["D", "H"].map(constant);
    let quotient = d.floor_divided_by(&h).expect("constants");
    let mut facts = Facts::default();
    assert_eq!(facts.learn(&d, &quotient.times(&h)), Learned::Something);
    assert_eq!(facts.canonical(&quotient.times(&h).times(&batch())), d.times(&batch()));
    // What was said of a name that is settled later is said of what it stands for.
    assert_eq!(facts.learn(&d, &Dim::lit(12)), Learned::Something);
    assert_eq!(facts.canonical(&quotient.times(&h)), Dim::lit(12));
    assert_eq!(facts.learn(&h, &Dim::lit(4)), Learned::Something);
    assert_eq!(facts.canonical(&quotient), Dim::lit(3));
    assert_eq!(facts.learn(&quotient, &Dim::lit(4)), Learned::Contradiction);
}

#[test]
fn rules_end() {
    let names: Vec<_> = (0..12).map(|n| constant(&format!("N{n}"))).collect();
    let mut facts = Facts::default();
    for pair in names.windows(2) {
        facts.learn(&pair[0], &pair[1].times(&pair[1]));
        facts.learn(&pair[0].times(&pair[1]), &pair[1].plus(&Dim::lit(1)));
    }
    let all = names.iter().fold(Dim::lit(1), |product, name| product.times(name));
    let once = facts.canonical(&all);
    assert_eq!(facts.canonical(&once), once);
}

/// Bodies over `x: [batch, A, 8]`, `y: [batch, B, 8]`, `z: [batch, C, 8]`, `label: Classes[batch,
/// B]` and numbers that only constants have: `A = B = C = 4`, `D = E = 8`.
pub const BODIES: &[&str] = &[
    "x + self.fc(y)",
    "self.fc(y) + x",
    "self.fc(x + y) * z",
    "(self.fc(x) * y).relu() + self.wide(z)",
    "cat([self.fc(x), self.fc(y)], 2)",
    "cat([x, self.fc(y), z], 2).narrow(2, 4, 8)",
    "self.norm(x + self.fc(y))",
    "self.norm(self.fc(x)) - y",
    "self.attn(self.fc(x), y, y) + y",
    "self.attn(x + y, self.fc(z), z)",
    "self.attn(self.fc(x) + y) + z",
    "scaled_dot_product_attention(self.fc(x), y, z)",
    "self.fc(x).matmul(y.transpose(1, 2)).matmul(z)",
    "self.fc(x).transpose(1, 2).matmul(self.fc(y)).matmul(x.transpose(1, 2) + y.transpose(1, 2))",
    "self.fc(x).reshape([batch, B * D]).reshape([batch, C, E]) + z",
    "self.fc(x).flatten().reshape([batch, B, 8]) + y",
    "where_(x.gt(y), self.fc(y), z)",
    "self.fc(x).maximum(y) / z.exp()",
    "self.fc(x).softmax(dim = 1) * y.log_softmax(dim = 2)",
    "self.fc(x).sum(dim = 2, keepdim = true) * y + z",
    "self.fc(x).amax(dim = 1, keepdim = true) + y",
    "self.bias + self.fc(x) + y.mean(dim = 1, keepdim = true)",
    "self.token + self.fc(y) * x",
    "self.block(self.fc(x)) + y",
    "self.blocks(self.fc(x) + y) + z",
    "self.rnn(self.fc(x) + y) + z",
    "self.encoder(self.fc(x) + y) + z",
    "self.fc(x).cumsum(dim = 1) + y.rotary()",
    "self.fc(x).dropout(0.5) + y",
    "self.fc(x).masked_fill(y.gt(z), 0.0) + y",
    "self.helper(self.fc(x), y)",
];

const LOSSES: &[&str] = &[
    "mse_loss(self.fc(x), y)",
    "l1_loss(x, self.fc(y))",
    "huber_loss(self.fc(x), y) + smooth_l1_loss(z, self.fc(y))",
    "binary_cross_entropy_with_logits(self.fc(x), y)",
    "kl_div(self.fc(x), y, reduction = batchmean)",
    "cross_entropy(self.fc(x).transpose(1, 2), label)",
    "nll_loss(self.fc(x).transpose(1, 2).log_softmax(dim = 1), label)",
    "self.fc(self.embed(label) + x).mean()",
    "self.fc(x).gather(dim = 1, index = index).mean()",
];

const FIELDS: &[(&str, &str)] = &[
    ("fc", "Linear(D -> E)"),
    ("wide", "Linear(E -> 8)"),
    ("norm", "LayerNorm(D)"),
    ("attn", "MultiheadAttention(E, num_heads = H)"),
    ("bias", "Param([B, 8])"),
    ("token", "Param([C, D])"),
    ("block", "Block"),
    ("blocks", "[Block; H]"),
    ("rnn", "GRU(E -> D)"),
    ("encoder", "TransformerEncoderLayer(D, nhead = H, dim_feedforward = B)"),
    ("embed", "Embedding(10 -> E)"),
];

fn model(args: &str, result: &str, body: &str) -> String {
    let used = |name: &str| {
        body.contains(&format!("self.{name}(")) || body.contains(&format!("self.{name} "))
    };
    let fields = FIELDS.iter().filter(|(name, _)| used(name));
    let fields: String = fields.map(|(name, layer)| format!("{name}: {layer}, ")).collect();
    let body = if body.contains("self.rnn") {
        body.replace("self.rnn(self.fc(x) + y)", "r")
    } else {
        body.to_string()
    };
    let rnn = if used("rnn") { "let (r, _) = self.rnn(self.fc(x) + y); " } else { "" };
    let helper = match used("helper") {
        true => "fn helper(&self, p: [batch, C, D], q: [batch, A, E]) -> [batch, B, 8] { p * q }",
        false => "",
    };
    let args: Vec<_> = args
        .split("; ")
        .filter(|arg| {
            let name = arg.split(':').next().expect("a name");
            let words = body.split(|c: char| !c.is_alphanumeric() && c != '_');
            words.chain(rnn.split(['(', ' ', ')'])).any(|word| word == name)
        })
        .collect();
    format!(
        "struct M {{ {fields} }} fn f(&self, {}) -> {result} {{ {rnn}{body} }} {helper}",
        args.join(", ")
    )
}

const ARGS: &str = "x: [batch, A, 8]; y: [batch, B, 8]; z: [batch, C, 8]; label: Classes[batch, B]; \
    index: Classes[batch, 3, E]";

#[test]
fn all_phases_know_what_is_equal() {
    for (bodies, is_loss) in [(BODIES, false), (LOSSES, true)] {
        for body in bodies {
            let body = if is_loss { body.to_string() } else { format!("mse_loss({body}, y)") };
            let body = match (body.contains("cat([self"), body.contains("narrow")) {
                (true, false) => body.replace(", y)", ", cat([z, z], 2))"),
                _ => body,
            };
            let text = model(ARGS, "[]", &body);
            let (diagnostics, rust) = expand(&text);
            assert!(diagnostics.is_empty(), "{text}\n{}", rendered(&diagnostics));
            pretty(&rust);
        }
    }
}

#[test]
fn images_too() {
    let bodies = [
        "mse_loss(self.conv(x) + y, self.conv(y))",
        "mse_loss(self.conv(x).max_pool2d(K), y.avg_pool2d(L))",
        "mse_loss(x.max_pool2d(K, padding = P, dilation = Q, stride = 1), y)",
        "x.avg_pool2d(K, padding = P).mean() + y.max_pool2d(L, padding = P).mean()",
        "mse_loss(self.norm(self.conv(x) + y), x)",
        "mse_loss(self.conv(x.interpolate(K)), y.interpolate(L))",
        "mse_loss(self.up(x).max_pool2d(2), y)",
    ];
    for body in bodies {
        let text = format!(
            "struct M {{ {}{}{} }} fn f(&self, x: [batch, C, A, 8], y: [batch, D, B, W]) -> [] {{ {body} }}",
            if body.contains("conv") {
                "conv: Conv2d(C -> D, kernel = 3, padding = 1),"
            } else {
                ""
            },
            if body.contains("norm") { "norm: BatchNorm2d(D)," } else { "" },
            if body.contains("up") {
                "up: ConvTranspose2d(C -> D, kernel = 2, stride = 2),"
            } else {
                ""
            },
        );
        let (diagnostics, rust) = expand(&text);
        assert!(diagnostics.is_empty(), "{text}\n{}", rendered(&diagnostics));
        pretty(&rust);
    }
}

#[test]
fn a_step_knows_its_length_by_another_name() {
    let text = "struct M { attn: MultiheadAttention(D, num_heads = 2), place: Param([T, 8]) }
        #[step(CONTEXT)]
        fn f(&self, x: [batch, T, 8], y: [batch, CONTEXT, D]) -> [batch, L, 8] {
            self.attn(x + y, is_causal = true) + self.place
        }";
    let (diagnostics, rust) = expand(text);
    assert!(diagnostics.is_empty(), "{}", rendered(&diagnostics));
    let rust = pretty(&rust);
    assert!(rust.contains("&[1usize, 1usize, 1usize]"), "{rust}");
}

#[test]
fn what_cannot_be_is_said_once() {
    let text = "struct M { a: Linear(N -> 4), b: Linear(4 -> 4) }
        fn f(&self, x: [batch, 16], y: [batch, 20]) -> [] { self.b(self.a(x)).mean() + self.a(y).mean() }";
    let (diagnostics, _) = expand(text);
    let found = rendered(&diagnostics);
    assert_eq!(diagnostics.sorted().len(), 1, "{found}");
    assert!(found.contains("both cannot be"), "{found}");
}
