//! What is made for people to look at: tables and pictures in docs and dumps.

use super::{expand, parsed};
use crate::diagnostics::Diagnostics;
use crate::dump::Dump;
use crate::emit;
use crate::lower::Siblings;
use crate::model::analyse;

const SKIPS: &str = "
struct Net { fc: [Linear(8 -> 8); 2], norm: LayerNorm(8), head: Other<4> }
fn forward(&self, x: [batch, 8]) -> [batch, 8] {
    let y = self.fc[0](x).relu();
    let z = self.fc[1](y) + x;
    self.norm(z) * self.head(y)
}";

/// The files of a dump of a model, by name.
fn files(levels: &str, text: &str) -> Vec<(String, String)> {
    let item = parsed(text);
    let dump = Dump::parse(&format!("target/dump:{levels}")).expect("the levels exist");
    let model = analyse(&item, &Siblings::default(), &mut Diagnostics::default(), &mut |_| {});
    dump.files(&model, &emit::emit(&model))
}

fn file<'a>(files: &'a [(String, String)], name: &str) -> &'a str {
    let found = files.iter().find(|(other, _)| other == name);
    &found.unwrap_or_else(|| panic!("there is no {name}")).1
}

#[test]
fn a_level_has_its_pictures() {
    let names = |levels: &str| -> Vec<String> {
        files(levels, SKIPS).into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names("fuse"), ["Net.fuse.txt"]);
    assert_eq!(names("rust"), ["Net.rs"]);
    assert_eq!(names("plan"), ["Net.plan.txt", "Net.forward.plan.svg"]);
    assert_eq!(names("graph"), ["Net.graph.txt", "Net.forward.dot", "Net.forward.svg"]);
}

#[test]
fn a_graph_has_a_line_for_each_value() {
    let dot = files("graph", SKIPS);
    let expected = r#"digraph "forward" {
  node [shape=box];
  i0 [label="x [batch, 8]", shape=oval];
  r0 [label="fc[0] + relu\nLinear"];
  i0 -> r0 [label="[batch, 8]"];
  r1 [label="fc[1] + add\nLinear"];
  r0 -> r1 [label="[batch, 8]"];
  i0 -> r1 [label="[batch, 8]"];
  r2 [label="norm\nLayerNorm"];
  r1 -> r2 [label="[batch, 8]"];
  r3 [label="head\nOther<4>"];
  r0 -> r3 [label="[batch, 8]"];
  r4 [label="mul\n"];
  r2 -> r4 [label="[batch, 8]"];
  r3 -> r4 [label="[batch, 8]"];
  o0 [label="[batch, 8]", shape=oval];
  r4 -> o0;
}
"#;
    assert_eq!(file(&dot, "Net.forward.dot"), expected);
}

/// Elements that are opened and closed, and no line that would end them in Markdown.
fn check_picture(svg: &str) {
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
    assert!(svg.lines().all(|line| !line.trim().is_empty()), "{svg}");
    let mut open = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("a tag ends");
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).expect("a name");
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) => assert_eq!(open.pop(), Some(name), "{svg}"),
            (false, true) => {}
            (false, false) => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn pictures_are_right_svg() {
    let files = files("graph,plan", SKIPS);
    for name in ["Net.forward.svg", "Net.forward.plan.svg"] {
        check_picture(file(&files, name));
    }
    let svg = file(&files, "Net.forward.svg");
    assert!(svg.contains("Other&lt;4&gt; → [batch, 8]</text>"), "{svg}");
    // What goes round others on the right has a lane of its own as long as it is there.
    for line in ["M248 21H260V109H248", "M248 65H272V197H248", "M248 153H260V241H248"] {
        assert!(svg.contains(&format!("<path d=\"{line}\"/>")), "{line}\n{svg}");
    }
}

#[test]
fn docs_have_a_table_of_layers_and_their_picture() {
    let (diagnostics, rust) = expand(SKIPS);
    assert!(diagnostics.is_empty());
    let text = rust.to_string();
    for row in [
        "| `fc[0] + relu` | `Linear` | `[batch, 8]` | `144` | `144*batch` | `64*batch + 288` |",
        "| `fc[1] + add` | `Linear` | `[batch, 8]` | shared |",
        "| `head` | `Other<4>` | `[batch, 8]` | `Other<4>` |  |  |",
    ] {
        assert!(text.contains(row), "{row}\n{text}");
    }
    assert!(text.contains("# [cfg_attr (doc , doc = \"\\n\\n<div>\\n<svg"), "{text}");
}
