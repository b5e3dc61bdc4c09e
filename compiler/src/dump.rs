//! `GRADIRON_DUMP=folder`: the graphs, plans and Rust of every model, one file each.

use std::fmt::Write;
use std::path::Path;

use proc_macro2::TokenStream;

use crate::emit::Model;

/// Writes the text forms when the variable is set. A folder that cannot be written is reported on
/// standard error: it must not stop a build.
pub fn dump(model: &Model, rust: &TokenStream) {
    let Some(folder) = std::env::var_os("GRADIRON_DUMP") else { return };
    let folder = Path::new(&folder);
    let name = model.name();
    let files = [("graph.txt", text(model)), ("rs", pretty(rust))];
    let written = std::fs::create_dir_all(folder).and_then(|()| {
        files
            .iter()
            .try_for_each(|(end, text)| std::fs::write(folder.join(format!("{name}.{end}")), text))
    });
    if let Err(error) = written {
        eprintln!("GRADIRON_DUMP={}: {error}", folder.display());
    }
}

/// The text form of a model after the last phase.
pub fn text(model: &Model) -> String {
    let mut text = String::new();
    for function in model.functions.iter().flatten() {
        for (pass, (graph, plan)) in [("infer", &function.infer), ("train", &function.train)] {
            let _ =
                writeln!(text, "== {} ({pass})\n{}{}", function.name, graph.text(), plan.text());
        }
    }
    text
}

fn pretty(rust: &TokenStream) -> String {
    match syn::parse2(rust.clone()) {
        Ok(file) => prettyplease::unparse(&file),
        Err(_) => rust.to_string(),
    }
}
