//! Mutants that the macro accepts, through rustc: one module each of one crate.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use super::{Mutant, Outcome, Text, expand, mutant};
use crate::batch::root;

/// What rustc says of a mutant that the macro accepts.
#[derive(Debug)]
pub struct Said {
    pub seed: u64,
    pub file: String,
    /// `E0308: mismatched types`
    pub errors: Vec<String>,
    pub model: String,
}

/// Compiles the mutants of some numbers that the macro accepts. Gives how many there were, and
/// those that rustc refuses for something that the macro should have seen.
///
/// # Errors
/// When the crate cannot be written, or does not compile for other reasons.
pub fn compiled(from: u64, count: u64) -> Result<(usize, Vec<Said>), String> {
    let all = super::texts(&root());
    let sound = sound(&all)?;
    let mut modules = BTreeMap::new();
    for seed in from..from + count {
        let mutant = mutant(&sound, seed);
        if expand(mutant.tokens.clone()) == Ok(Outcome::Accepted) {
            modules.insert(seed, source(&mutant));
        }
    }
    let accepted = modules.len();
    let errors = refused(&modules)?;
    let said = errors.into_iter().filter_map(|(seed, errors)| {
        let errors: Vec<_> = errors.into_iter().filter(|error| !is_rustcs(error)).collect();
        let Mutant { text, tokens, .. } = mutant(&sound, seed);
        let (file, model) = (text.file.clone(), tokens.to_string());
        (!errors.is_empty()).then_some(Said { seed, file, errors, model })
    });
    Ok((accepted, said.collect()))
}

/// Whether an error is about what the macro cannot know: values of constants, and names around it.
fn is_rustcs(error: &str) -> bool {
    let by_check = error.contains("evaluation panicked:");
    let names = ["E0425", "E0433", "E0432", "E0412", "E0405", "E0423", "E0573", "E0603"];
    by_check || names.iter().any(|code| error.starts_with(code))
}

/// Files of more models than this take rustc long.
const MOST_MODELS: usize = 6;

/// The texts that compile as they are, by themselves.
fn sound(texts: &[Text]) -> Result<Vec<Text>, String> {
    let mut modules = BTreeMap::new();
    for (at, text) in texts.iter().enumerate() {
        // A module of its own takes rustc some time, whatever is in it.
        let few = (1..=MOST_MODELS).contains(&text.models.len());
        let fine =
            few && text.models.iter().all(|model| expand(model.clone()) == Ok(Outcome::Accepted));
        if fine {
            let models: String =
                text.models.iter().map(|m| format!("model! {{ {m} }}\n")).collect();
            let constants = &text.constants;
            let rust =
                format!("#![allow(warnings)]\nuse gradiron::prelude::*;\n{constants}\n{models}");
            modules.insert(at as u64, rust);
        }
    }
    let errors = refused(&modules)?;
    let fine = |at: &u64| !errors.contains_key(at);
    let sound = modules.keys().filter(|at| fine(at)).filter_map(|at| usize::try_from(*at).ok());
    Ok(sound.map(|at| texts[at].clone()).collect())
}

/// The module of a mutant: with the models that it names, and those that these name.
fn source(mutant: &Mutant) -> String {
    let constants = &mutant.text.constants;
    let mut rust = format!("#![allow(warnings)]\nuse gradiron::prelude::*;\n{constants}\n");
    let texts: Vec<String> = mutant.text.models.iter().map(ToString::to_string).collect();
    let mutated = mutant.tokens.to_string();
    let mut taken = vec![false; texts.len()];
    let mut all = mutated.clone();
    while let Some(next) = (0..texts.len()).find(|at| {
        let name = struct_name(&texts[*at]);
        !taken[*at] && *at != mutant.at && name.is_some_and(|name| has_word(&all, name))
    }) {
        taken[next] = true;
        all.push_str(&texts[next]);
    }
    for (at, text) in texts.iter().enumerate() {
        if at == mutant.at {
            let _ = writeln!(rust, "model! {{ {mutated} }}");
        } else if taken[at] {
            let _ = writeln!(rust, "model! {{ {text} }}");
        }
    }
    rust
}

fn struct_name(text: &str) -> Option<&str> {
    let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.find(|word| *word == "struct")?;
    words.find(|word| !word.is_empty())
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|other| other == word)
}

/// The errors of each module. Those with errors are left out and the rest is compiled again, since
/// rustc ends at the phase that finds some.
fn refused(modules: &BTreeMap<u64, String>) -> Result<BTreeMap<u64, Vec<String>>, String> {
    let folder = root().join("target/agree/mutants");
    let mut left = modules.clone();
    let mut errors: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    loop {
        let found = checked(&left, &folder)?;
        if found.is_empty() {
            return Ok(errors);
        }
        for (seed, error) in found {
            left.remove(&seed);
            errors.entry(seed).or_default().push(error);
        }
    }
}

/// `cargo check` of modules as one crate: the errors, by the numbers of the modules.
fn checked(modules: &BTreeMap<u64, String>, folder: &Path) -> Result<Vec<(u64, String)>, String> {
    let io = |error: std::io::Error| format!("{}: {error}", folder.display());
    // Modules of another call are none of this one.
    let _ = std::fs::remove_dir_all(folder.join("src"));
    std::fs::create_dir_all(folder.join("src")).map_err(io)?;
    let mut list = String::from("#![allow(warnings)]\n");
    for (seed, source) in modules {
        let _ = writeln!(list, "mod m{seed};");
        std::fs::write(folder.join(format!("src/m{seed}.rs")), source).map_err(io)?;
    }
    std::fs::write(folder.join("src/lib.rs"), list).map_err(io)?;
    let manifest = format!(
        "[package]\nname = \"agree-mutants\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\ngradiron = {{ path = {:?} }}\n",
        root().join("runtime"),
    );
    std::fs::write(folder.join("Cargo.toml"), manifest).map_err(io)?;
    std::fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).map_err(io)?;
    let ran = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["check", "--quiet", "--message-format=short", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", root().join("target"))
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    let said = String::from_utf8_lossy(&ran.stderr);
    let found: Vec<_> = said.lines().filter_map(error).collect();
    match ran.status.success() || !found.is_empty() {
        true => Ok(found),
        false => Err(format!("the mutants did not compile:\n{said}")),
    }
}

/// `src/m12.rs:3:7: error[E0308]: mismatched types`
fn error(line: &str) -> Option<(u64, String)> {
    let (place, text) = line.split_once(": error")?;
    let name = place.rsplit('/').next()?.split('.').next()?;
    let seed = name.strip_prefix('m')?.parse().ok()?;
    let text = text.trim_start_matches('[').replacen(']', "", 1);
    Some((seed, text.trim_start_matches(": ").to_string()))
}
