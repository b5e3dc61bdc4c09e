//! A function as a graph in the language of Graphviz.

use std::fmt::Write;

use super::{From, Outline};

impl Outline {
    /// `digraph "forward" { … }`
    pub fn dot(&self, function: &str) -> String {
        let name = |source: From| match source {
            From::Input(input) => format!("i{input}"),
            From::Row(row) => format!("r{row}"),
        };
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let mut text = format!("digraph \"{}\" {{\n  node [shape=box];\n", quoted(function));
        for (i, (input, ty)) in self.inputs.iter().enumerate() {
            let _ = writeln!(text, "  i{i} [label=\"{input} {ty}\", shape=oval];");
        }
        for (r, row) in self.rows.iter().enumerate() {
            let (label, kind) = (quoted(&row.name), quoted(&row.kind));
            let _ = writeln!(text, "  r{r} [label=\"{label}\\n{kind}\"];");
            for source in &row.from {
                let ty = match source {
                    From::Input(input) => &self.inputs[*input].1,
                    From::Row(row) => &self.rows[*row].output,
                };
                let _ = writeln!(text, "  {} -> r{r} [label=\"{ty}\"];", name(*source));
            }
        }
        for (o, (source, ty)) in self.results.iter().enumerate() {
            let _ = writeln!(text, "  o{o} [label=\"{ty}\", shape=oval];");
            if let Some(source) = source {
                let _ = writeln!(text, "  {} -> o{o};", name(*source));
            }
        }
        text.push_str("}\n");
        text
    }
}
