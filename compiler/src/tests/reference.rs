//! `docs/REFERENCE.md`: an entry for each row of what users can write, whose example compiles.

use std::fmt::Write;

use super::{compare, expand, rendered};
use crate::layers::{Build, LAYERS};
use crate::lower::{FUNCTIONS, elementwise_rows, methods};
use crate::ops::elementwise;
use crate::vocabulary::{Example, OptionRow, Row};

/// What the reference says of one name.
struct Entry {
    /// The heading, `Linear` or `x.relu`.
    title: String,
    /// How it is written: `Linear(I -> O)`.
    usage: Vec<String>,
    row: Row<()>,
    /// The example, as it stands in `model! { … }`.
    example: String,
}

struct Section {
    title: &'static str,
    text: &'static str,
    entries: Vec<Entry>,
}

const HEAD: &str = "\
# Reference

All that can be written in `model! { … }`: layers, methods of values, functions and losses. This
page is written from the tables that the compiler reads, and a test compares the two; another test
compiles each example, which is what stands between the braces of `model!`.

Options follow as `name = value`; sizes, windows, axes and numbers may also stand without their
names, in the order in which they are listed. Options of a layer stand where it is declared, those
of a call where it is called. Shapes are those of PyTorch with the batch first; `[]` is a number.
The source is the page of PyTorch's docs that says the same, or a paper.
";

fn sections() -> Vec<Section> {
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
            text: "A layer is a field, `fc: Linear(784 -> 128)`, and is called as `self.fc(x)`; \
                `Linear(128)` takes its input size from its input. What has `<…>` below is a type \
                for `#[derive(Module)]`, too, and with types as sizes one of `gradiron::typed`.",
            entries: layers.collect(),
        },
        Section {
            title: "Methods",
            text: "Each is a function as well: `relu(x)`. Inputs of several values are broadcast as \
                in PyTorch.",
            entries: methods.chain(elementwise_rows().map(of_elements)).collect(),
        },
        Section { title: "Functions", text: "They are no methods.", entries: functions(false) },
        Section {
            title: "Losses",
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

fn text(entry: &Entry) -> String {
    let row = &entry.row;
    let usage: Vec<_> = entry.usage.iter().map(|usage| format!("`{usage}`")).collect();
    let mut text = format!("\n### {}\n\n{}\n", entry.title, usage.join(", "));
    let _ = writeln!(text, "\n{}.", row.formula);
    let _ = writeln!(text, "\n- Shapes: {}", row.shapes);
    if !row.params.is_empty() {
        let _ = writeln!(text, "- Parameters: {}", row.params);
    }
    let _ = writeln!(text, "- Source: {}", source(row));
    text.push_str(&options("option", row.options));
    text.push_str(&options("option of a call", row.call_options));
    let _ = writeln!(text, "\n```text\n{}\n```", entry.example);
    text
}

#[test]
fn the_reference_is_that_of_the_rows() {
    let mut page = String::from(HEAD);
    for section in sections() {
        let links = section.entries.iter();
        let links = links.map(|entry| format!("[{}](#{})", entry.title, anchor(&entry.title)));
        let links: Vec<_> = links.collect();
        let _ = writeln!(page, "\n## {}\n\n{}\n", section.title, section.text);
        let _ = writeln!(page, "{}", links.join(" · "));
        section.entries.iter().for_each(|entry| page.push_str(&text(entry)));
    }
    compare("../../../docs/REFERENCE.md", &page);
}

/// Every entry says all that one has to say.
#[test]
fn every_row_says_what_it_is() {
    for entry in sections().into_iter().flat_map(|section| section.entries) {
        let row = &entry.row;
        let said = [
            ("formula", row.formula),
            ("source", row.source),
            ("example", row.example.function),
            ("shapes", row.shapes),
        ];
        for (what, text) in said {
            assert!(!text.is_empty(), "the row of `{}` has no {what}", row.name);
        }
        assert!(row.shapes.contains('→'), "the shapes of `{}` have no result", row.name);
        for option in row.options.iter().chain(row.call_options) {
            assert!(!option.drawn.is_empty(), "no test draws `{}` of `{}`", option.name, row.name);
            // A default and a domain that do not fit each other panic.
            let _ = (option.default_text(), option.domain_text());
        }
    }
}

/// Every example is right, and uses the name that it is an example of.
#[test]
fn every_example_compiles() {
    for entry in sections().into_iter().flat_map(|section| section.entries) {
        let name = entry.row.name;
        let uses = entry.example.contains(&format!("{name}(")) || name == "scan";
        assert!(uses, "the example of `{name}` is of something else:\n{}", entry.example);
        let (diagnostics, rust) = expand(&entry.example);
        assert_eq!(rendered(&diagnostics), "", "the example of `{name}`:\n{}", entry.example);
        assert!(syn::parse2::<syn::File>(rust).is_ok(), "the Rust of `{name}` does not parse");
    }
}

/// What a layer takes and what its row lists are the same: an option that there is not, the
/// compiler answers with those that there are.
#[test]
fn every_option_is_in_its_row() {
    for layer in LAYERS.iter().filter(|layer| !matches!(layer.build, Build::Value(_))) {
        let declared = layer.example.layer;
        let (front, _) = declared.rsplit_once(')').expect("a declaration has parentheses");
        let comma = if front.ends_with('(') { "" } else { ", " };
        let wrong = format!("{front}{comma}zzz = 1)");
        let text = layer.example.text().replacen(declared, &wrong, 1);
        let (diagnostics, _) = expand(&text);
        let said = rendered(&diagnostics);
        let listed = |option: &OptionRow| said.contains(&format!("`{}`", option.name));
        for option in layer.options {
            assert!(listed(option), "`{}` does not ask for `{}`:\n{said}", layer.name, option.name);
        }
        // Each is in quotes, and so are the layer, its name twice, and what is wrong.
        let quoted = said.matches('`').count() / 2;
        let names = 3 + layer.options.len();
        assert_eq!(quoted, names, "`{}` takes what its row does not list:\n{said}", layer.name);
    }
}

/// The names of parameters and state are those that a layer declares.
#[test]
fn every_parameter_is_in_its_row() {
    use crate::diagnostics::Diagnostics;
    use crate::lower::Siblings;
    use crate::model::analyse;
    use crate::syntax::parse_model;

    for layer in LAYERS.iter().filter(|layer| !matches!(layer.build, Build::Value(_))) {
        let mut diagnostics = Diagnostics::default();
        let tokens = layer.example.text().parse().expect("the example has balanced brackets");
        let item = parse_model(tokens, &mut diagnostics);
        let model = analyse(&item, &Siblings::default(), &mut diagnostics, &mut |_| {});
        let params = model.params.tensors.iter().map(|(_, param)| &param.name);
        let state = model.state.tensors.iter().map(|(_, state)| &state.name);
        let names: Vec<_> = params.chain(state).collect();
        assert_eq!(names.is_empty(), layer.params.is_empty(), "`{}` has {names:?}", layer.name);
        for name in names {
            let attention = name.split_once("attn.").map(|(front, _)| format!("`{front}attn.…`"));
            let is_there = layer.params.contains(&format!("`{name} ["))
                || attention.is_some_and(|attention| layer.params.contains(&attention));
            assert!(is_there, "the row of `{}` does not list `{name}`", layer.name);
        }
    }
}
