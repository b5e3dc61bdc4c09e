//! `GRADIRON_DUMP=folder:levels`: what passes make of every model, one file for each model and
//! level; and with graphs and plans a picture of each function.

mod memory;
mod rust;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Once;

use proc_macro2::TokenStream;

use crate::emit::Model;
use crate::names::plain;
use crate::passes::{LOWER, PASSES, Seen};

/// The graphs behind the last pass that changes them.
const GRAPH: &str = "graph";
const PLAN: &str = "plan";
const RUST: &str = "rust";

/// The levels where none are named.
const USUAL: [&str; 3] = [GRAPH, PLAN, RUST];

/// What a dump may have: the last graphs, what each pass makes, by its name, and the Rust.
fn levels() -> impl Iterator<Item = &'static str> {
    [GRAPH, LOWER].into_iter().chain(PASSES.iter().map(|pass| pass.name)).chain([RUST])
}

/// The texts of a model that were asked for.
#[derive(Debug, Default)]
pub struct Dump {
    /// None where there is no dump.
    folder: Option<PathBuf>,
    /// By level.
    texts: BTreeMap<&'static str, String>,
}

impl Dump {
    /// What the variable asks for. A level that does not exist is reported on standard error, once
    /// in a process: it must not stop a build.
    pub fn requested() -> Self {
        static REPORTED: Once = Once::new();
        let Some(text) = std::env::var_os("GRADIRON_DUMP") else { return Self::default() };
        // A path that is no Unicode names no levels.
        let dump = match text.to_str() {
            Some(text) => Self::parse(text),
            None => Ok(Self::new(text.into(), &USUAL)),
        };
        dump.unwrap_or_else(|error| {
            REPORTED.call_once(|| eprintln!("{error}"));
            Self::default()
        })
    }

    /// Whether there is one.
    pub fn is_requested(&self) -> bool {
        self.folder.is_some()
    }

    fn new(folder: PathBuf, levels: &[&'static str]) -> Self {
        let texts = levels.iter().map(|level| (*level, String::new())).collect();
        Self { folder: Some(folder), texts }
    }

    /// `folder`, or `folder:level,level`. A colon in front of a separator belongs to the folder:
    /// `C:\dump`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let named = text.rsplit_once(':').filter(|(_, levels)| !levels.contains(['/', '\\']));
        let Some((folder, named)) = named else { return Ok(Self::new(text.into(), &USUAL)) };
        let known = |name: &str| {
            levels().find(|level| *level == name).ok_or_else(|| {
                let levels: Vec<_> = levels().collect();
                format!(
                    "GRADIRON_DUMP={text}: there is no level `{name}`; the levels are {}",
                    levels.join(", ")
                )
            })
        };
        let levels =
            named.split(',').map(|name| known(name.trim())).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::new(folder.into(), &levels))
    }

    /// Keeps what was asked for of a form behind a pass.
    pub fn see(&mut self, seen: &Seen) {
        if let Some(kept) = self.texts.get_mut(seen.pass) {
            let _ = writeln!(kept, "== {}\n{}", seen.title(), seen.text());
        }
        if let Some(kept) = self.texts.get_mut(GRAPH).filter(|_| seen.plan.is_some()) {
            let _ = writeln!(kept, "== {}\n{}", seen.title(), seen.graph.text());
        }
    }

    /// Writes the files. A folder that cannot be written is reported on standard error.
    pub fn write(self, model: &Model, rust: &TokenStream) {
        let Some(folder) = &self.folder else { return };
        let written = std::fs::create_dir_all(folder).and_then(|()| {
            self.files(model, rust)
                .into_iter()
                .try_for_each(|(name, text)| std::fs::write(folder.join(name), text))
        });
        if let Err(error) = written {
            eprintln!("GRADIRON_DUMP={}: {error}", folder.display());
        }
    }

    /// Their names and what is in them.
    pub fn files(&self, model: &Model, rust: &TokenStream) -> Vec<(String, String)> {
        let name = model.name().to_string();
        let name = plain(&name);
        let mut files = Vec::new();
        for (level, text) in &self.texts {
            files.push(match *level {
                RUST => (format!("{name}.rs"), rust::text(rust, &args(model))),
                level => (format!("{name}.{level}.txt"), text.clone()),
            });
        }
        if self.texts.contains_key(GRAPH) {
            for function in model.functions.iter().flatten() {
                let (outline, function) = (function.outline(model), function.name.to_string());
                let function = plain(&function);
                files.push((format!("{name}.{function}.dot"), outline.dot(function)));
                let picture = outline.svg();
                files.extend(picture.map(|svg| (format!("{name}.{function}.svg"), svg)));
            }
        }
        if self.texts.contains_key(PLAN) {
            for function in model.functions.iter().flatten() {
                let (graph, plan) = &function.train;
                let function = function.name.to_string();
                let picture = memory::picture(graph, plan);
                files.push((format!("{name}.{}.plan.svg", plain(&function)), picture));
            }
        }
        files
    }

    /// The text of a level.
    #[cfg(test)]
    pub fn text(&self, level: &str) -> Option<&str> {
        self.texts.get(level).map(String::as_str)
    }
}

/// What the user calls arguments.
fn args(model: &Model) -> BTreeSet<String> {
    let args = model.interfaces.iter().flat_map(|function| &function.args);
    args.map(|arg| arg.name.to_string()).collect()
}
