//! The models of this repository's tests, examples and benchmarks.

use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};

/// The models of a file, with what they refer to.
#[derive(Clone, Debug)]
pub struct Text {
    pub file: String,
    /// `const D: usize = 4;` and the like.
    pub constants: String,
    pub models: Vec<TokenStream>,
}

/// What is read, below the root.
const FOLDERS: [&str; 4] = ["tests", "examples", "benches/common", "compiler/src/tests"];

/// The texts of all files below the root of the repository, in the order of their names.
pub fn texts(root: &Path) -> Vec<Text> {
    let mut files = Vec::new();
    FOLDERS.iter().for_each(|folder| collect(&root.join(folder), &mut files));
    files.sort();
    let mut texts = Vec::new();
    for file in files {
        let Ok(source) = std::fs::read_to_string(&file) else { continue };
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        if name.ends_with("messages.txt") {
            // Models with mistakes: what is made of them may be right.
            for case in source.split("\n== ") {
                let model = case.split_once('\n').map(|(_, rest)| rest);
                let model = model.and_then(|rest| rest.split("\n---\n").next());
                let Some(Ok(model)) = model.map(str::parse::<TokenStream>) else { continue };
                texts.push(Text {
                    file: name.clone(),
                    constants: String::new(),
                    models: vec![model],
                });
            }
            continue;
        }
        let Ok(tokens) = source.parse::<TokenStream>() else { continue };
        let mut text = Text { file: name, constants: String::new(), models: Vec::new() };
        read(tokens, &mut text);
        if !text.models.is_empty() {
            texts.push(text);
        }
    }
    texts
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_string();
        if path.is_dir() && name != "target" {
            collect(&path, files);
        } else if name.ends_with(".rs") || name == "messages.txt" {
            files.push(path);
        }
    }
}

/// Models at any depth, constants at the outermost.
fn read(tokens: TokenStream, text: &mut Text) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let is =
        |tree: Option<&TokenTree>, word: &str| tree.is_some_and(|tree| tree.to_string() == word);
    for (at, tree) in trees.iter().enumerate() {
        if is(Some(tree), "const") && is(trees.get(at + 2), ":") {
            let end = trees[at..].iter().position(|tree| tree.to_string() == ";");
            let all: TokenStream = trees[at..].iter().take(end.unwrap_or(0) + 1).cloned().collect();
            let all = all.to_string();
            if ["usize", "f32"].iter().any(|ty| all.contains(ty)) && !all.contains("::") {
                text.constants.push_str(&all);
                text.constants.push('\n');
            }
        }
        let TokenTree::Group(group) = tree else { continue };
        match at >= 2 && is(trees.get(at - 1), "!") && is(trees.get(at - 2), "model") {
            // Not the pattern of a macro.
            true if !group.stream().to_string().contains('$') => text.models.push(group.stream()),
            _ => models_in(group.stream(), text),
        }
    }
}

/// The models in a module or a function.
fn models_in(tokens: TokenStream, text: &mut Text) {
    let mut inner = Text { constants: String::new(), models: Vec::new(), file: String::new() };
    read(tokens, &mut inner);
    text.models.append(&mut inner.models);
}
