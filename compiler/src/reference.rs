//! What can be written in a model, as text: `docs/REFERENCE.md`, and the docs that editors show.

use std::fmt::Write;

use crate::layers::LAYERS;
use crate::lower::{FUNCTIONS, elementwise_rows, methods};
use crate::ops::elementwise;
use crate::vocabulary::{Example, OptionRow, Row};

/// What the reference says of one name.
#[derive(Debug)]
pub struct Entry {
    /// The heading, `Linear` or `x.relu`.
    pub title: String,
    /// How it is written: `Linear(I -> O)`.
    pub usage: Vec<String>,
    pub row: Row<()>,
    /// The example, as it stands in `model! { … }`.
    pub example: String,
}

/// The entries of one kind.
#[derive(Debug)]
pub struct Section {
    pub title: &'static str,
    pub text: &'static str,
    /// Its module in `gradiron::language`.
    pub module: &'static str,
    pub entries: Vec<Entry>,
}

const HEAD: &str = "\
# Reference

All that can be written in `model! { … }`: layers, methods of values, functions and losses. This
page is written from the tables that the compiler reads, and a test compares the two; another test
compiles each example, which is what stands between the braces of `model!`.

Options follow as `name = value`; sizes, windows, axes and numbers may also stand without their
names, in the order in which they are listed. Options of a layer stand where it is declared, those
of a call where it is called. Shapes are those of PyTorch with the batch first; `[]` is a number.
The source is the page of PyTorch's docs that says the same, or a paper. `reveal!(x)` around any
value [says its shape](editor.md).
";

/// All entries, by their kinds.
pub fn sections() -> Vec<Section> {
    let layers = LAYERS.iter().map(|layer| {
        let name = layer.name;
        let usage = match layer.type_params {
            Some("") => vec![format!("{name}({})", layer.needed()), name.into()],
            Some(params) => {
                vec![format!("{name}({})", layer.needed()), format!("{name}<{params}>")]
            }
            None => vec![format!("{name}({})", layer.needed())],
        };
        entry(name.into(), usage, layer.described())
    });
    let methods = methods().map(|method| {
        let usage = format!("x.{}({})", method.name, method.needed());
        entry(format!("x.{}", method.name), vec![usage], method.described())
    });
    let functions = |losses: bool| {
        let rows = FUNCTIONS.iter().filter(move |row| row.build.is_loss() == losses);
        let entries = rows.map(|row| {
            let inputs: Vec<_> = row.calls[0].iter().map(|(name, _)| *name).collect();
            let usage = row
                .build
                .usage()
                .map_or_else(|| format!("{}({})", row.name, inputs.join(", ")), String::from);
            entry(row.name.into(), vec![usage], row.described())
        });
        entries.collect()
    };
    vec![
        Section {
            title: "Layers",
            module: "layers",
            text: "A layer is a field, `fc: Linear(784 -> 128)`, and is called as `self.fc(x)`; \
                `Linear(128)` takes its input size from its input. What has `<…>` below is a type \
                for `#[derive(Module)]`, too, and with types as sizes one of `gradiron::typed`.",
            entries: layers.collect(),
        },
        Section {
            title: "Methods",
            module: "operations",
            text: "Each is a function as well: `relu(x)`. Inputs of several values are broadcast as \
                in PyTorch.",
            entries: methods.chain(elementwise_rows().map(of_elements)).collect(),
        },
        Section {
            title: "Functions",
            module: "operations",
            text: "They are no methods.",
            entries: functions(false),
        },
        Section {
            title: "Losses",
            module: "losses",
            text: "The mean over all elements, or with classes over all samples.",
            entries: functions(true),
        },
    ]
}

fn entry(title: String, usage: Vec<String>, row: Row<()>) -> Entry {
    let example = row.example.text();
    Entry { title, usage, row, example }
}

/// The entry of a row of the elementwise table.
fn of_elements(row: &'static elementwise::Row) -> Entry {
    let inputs = &["a", "b", "c"][..row.grads.len()];
    let args: Vec<_> = inputs.iter().map(|input| format!("{input}: [batch, 8]")).collect();
    let example = format!("fn example({}) -> [batch, 8] {{ {} }}", args.join(", "), row.example);
    let shapes = match inputs.len() {
        1 => "`a` of any shape → `y`, the same",
        _ => "values that broadcast → `y`",
    };
    let described = Row {
        options: row.constants,
        shapes,
        formula: row.formula,
        source: row.source,
        example: Example::function(row.example),
        ..Row::new(row.name, ())
    };
    let others = inputs[1..].iter().map(|input| input.to_string());
    let others: Vec<_> = others.chain([described.needed()]).filter(|s| !s.is_empty()).collect();
    let usage = format!("a.{}({})", row.name, others.join(", "));
    Entry { title: format!("x.{}", row.name), usage: vec![usage], row: described, example }
}

/// A table of options.
fn options(title: &str, rows: &[OptionRow]) -> String {
    let mut text = String::new();
    if !rows.is_empty() {
        let _ = writeln!(text, "\n| {title} | default | takes |\n|---|---|---|");
    }
    for row in rows {
        let _ =
            writeln!(text, "| `{}` | {} | {} |", row.name, row.default_text(), row.domain_text());
    }
    text
}

/// PyTorch's page, or another source in its words.
fn source(row: &Row<()>) -> String {
    match row.source.strip_prefix("torch.") {
        Some(_) if !row.source.contains(' ') => {
            let page =
                format!("https://docs.pytorch.org/docs/stable/generated/{}.html", row.source);
            format!("[`{}`]({page})", row.source)
        }
        _ => row.source.to_string(),
    }
}

/// The anchor of a heading.
fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || "_-".contains(*c));
    kept.collect::<String>().to_lowercase()
}

impl Entry {
    /// What stands below the heading.
    pub fn text(&self) -> String {
        let row = &self.row;
        let usage: Vec<_> = self.usage.iter().map(|usage| format!("`{usage}`")).collect();
        let mut text = format!("{}\n", usage.join(", "));
        let _ = writeln!(text, "\n{}.", row.formula);
        let _ = writeln!(text, "\n- Shapes: {}", row.shapes);
        if !row.params.is_empty() {
            let _ = writeln!(text, "- Parameters: {}", row.params);
        }
        let _ = writeln!(text, "- Source: {}", source(row));
        text.push_str(&options("option", row.options));
        text.push_str(&options("option of a call", row.call_options));
        let _ = writeln!(text, "\n```text\n{}\n```", self.example);
        text
    }
}

/// `docs/REFERENCE.md`
pub fn page() -> String {
    let mut page = String::from(HEAD);
    for section in sections() {
        let links = section.entries.iter();
        let links = links.map(|entry| format!("[{}](#{})", entry.title, anchor(&entry.title)));
        let links: Vec<_> = links.collect();
        let _ = writeln!(page, "\n## {}\n\n{}\n", section.title, section.text);
        let _ = writeln!(page, "{}", links.join(" · "));
        for entry in &section.entries {
            let _ = write!(page, "\n### {}\n\n{}", entry.title, entry.text());
        }
    }
    page
}
