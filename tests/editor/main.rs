//! What an editor shows in the text of a model, asked of rust-analyzer by its protocol: in a crate
//! of three of the examples, at named places. `scripts/full-check.sh` runs it, where there is one.

mod client;

use std::path::{Path, PathBuf};

use client::Client;

/// The examples, and what they are called in the crate.
const FILES: &[(&str, &str)] =
    &[("spirals", "02_spirals.rs"), ("words", "05_words.rs"), ("unet", "04_unet/model.rs")];

/// A place of a file, which is the first character behind `before`, and what is shown there.
struct Shown {
    file: &'static str,
    before: &'static str,
    /// In what hovering over it shows.
    hover: &'static [&'static str],
    /// The file that holds its definition, and the line of it.
    defined: (&'static str, &'static str),
}

const LANGUAGE: (&str, &str) = ("language.rs", "gradiron_macros::language!();");

const PLACES: &[Shown] = &[
    Shown {
        file: "spirals",
        before: "fc1: ",
        hover: &["pub mod Linear", "y = x weightᵀ + bias", "`x [.., I]` → `y [.., O]`"],
        defined: LANGUAGE,
    },
    Shown {
        file: "spirals",
        before: "let x = self.",
        hover: &["fc1: &str = \"Linear(2 -> 64)\""],
        defined: ("spirals.rs", "fc1: Linear(2 -> 64),"),
    },
    Shown {
        file: "spirals",
        before: "let ",
        hover: &["x: &str = \"[batch, 64]\""],
        defined: ("spirals.rs", "let x = self.fc1(point).relu();"),
    },
    Shown {
        file: "spirals",
        before: "self.fc3(",
        hover: &["x: &str = \"[batch, 64]\""],
        defined: ("spirals.rs", "let x = self.fc2(x).relu();"),
    },
    Shown {
        file: "spirals",
        before: "self.fc1(point).",
        hover: &["pub mod relu", "y = max(a, 0)"],
        defined: LANGUAGE,
    },
    Shown {
        file: "spirals",
        before: "-> [] {\n        ",
        hover: &["pub mod cross_entropy", "label_smoothing"],
        defined: LANGUAGE,
    },
    Shown {
        file: "spirals",
        before: "cross_entropy(self.",
        hover: &["forward: &str = \"fn(&self, point: [batch, 2]) -> [batch, ARMS]\""],
        defined: ("spirals.rs", "fn forward(&self, point: [batch, 2]) -> [batch, ARMS] {"),
    },
    Shown {
        file: "spirals",
        before: "sum += net.",
        hover: &["fn loss_grad", "point `[batch, 2]`, arm `Classes[batch]` → `[]`"],
        defined: ("spirals.rs", "fn loss(&self, point: [batch, 2], arm: Classes[batch]) -> [] {"),
    },
    Shown {
        file: "words",
        before: "LSTM(32 -> 128, ",
        hover: &["bidirectional: &str = \"false\"", "`true` or `false`"],
        defined: LANGUAGE,
    },
    Shown {
        file: "words",
        before: "self.lstm(self.letter(word), ",
        hover: &["lengths: &str = \"all\"", "how many elements of each sequence count"],
        defined: LANGUAGE,
    },
    Shown {
        file: "words",
        before: "let (",
        hover: &["y: &str = \"[batch, STEPS, 256]\""],
        defined: ("words.rs", "let (y, _h, _c) = self.lstm(self.letter(word), lengths = len);"),
    },
    Shown {
        file: "unet",
        before: "up3: ConvTranspose2d(128 -> 64, ",
        hover: &["kernel: &str = \"has to be written\"", "a size from 1 on"],
        defined: LANGUAGE,
    },
    Shown {
        file: "unet",
        before: "let fine = self.",
        hover: &["down1: &str = \"Block<3, 16>\""],
        defined: ("unet.rs", "down1: Block<3, 16>,"),
    },
    Shown {
        file: "unet",
        before: "let quarter = self.down3(half.",
        hover: &["pub mod max_pool2d"],
        defined: LANGUAGE,
    },
    Shown {
        file: "unet",
        before: "self.merge3(",
        hover: &["pub mod cat", "the values one behind the other"],
        defined: LANGUAGE,
    },
    Shown {
        file: "unet",
        before: "self.merge1(cat([",
        hover: &["fine: &str = \"[batch, 16, h, w]\""],
        defined: ("unet.rs", "let fine = self.down1(image);"),
    },
];

/// A crate of the examples, in the folder that tests have for their files.
fn crate_of_examples() -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("editor");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let repository = repository.canonicalize().expect("the root of the repository");
    let source = root.join("src");
    std::fs::create_dir_all(&source).expect("a folder for a crate");
    let manifest = format!(
        "[package]\nname = \"edited\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\ngradiron = {{ path = {:?} }}\n",
        repository.join("runtime")
    );
    let modules = FILES.iter().map(|(name, _)| format!("pub mod {name};\n"));
    std::fs::write(root.join("Cargo.toml"), manifest).expect("a manifest");
    std::fs::write(source.join("lib.rs"), modules.collect::<String>()).expect("a library");
    // The versions that are built already.
    std::fs::copy(repository.join("Cargo.lock"), root.join("Cargo.lock")).expect("the lock");
    for (name, example) in FILES {
        let from = repository.join("examples").join(example);
        std::fs::copy(&from, source.join(format!("{name}.rs"))).expect("an example");
    }
    root
}

#[test]
#[ignore = "starts rust-analyzer, for a minute: scripts/full-check.sh"]
fn words_of_models_are_shown_and_found() {
    let root = crate_of_examples();
    let Some(mut client) = Client::start(&root) else {
        eprintln!("NOT CHECKED: there is no rust-analyzer: rustup component add rust-analyzer");
        return;
    };
    let mut wrong = Vec::new();
    for Shown { file, before, hover, defined: (holder, line) } in PLACES {
        let file = root.join("src").join(format!("{file}.rs"));
        let text = std::fs::read_to_string(&file).expect("it was written");
        let Some(at) = text.find(before).map(|at| at + before.len()) else {
            panic!("{} has no `{before}`", file.display());
        };
        let shown = client.hover(&file, &text, at);
        for part in hover.iter().filter(|part| !shown.contains(**part)) {
            wrong.push(format!("behind `{before}`: no `{part}` in\n{shown}"));
        }
        let found = client.definitions(&file, &text, at);
        let is_it = |(path, number): &(String, usize)| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            path.ends_with(holder) && text.lines().nth(*number).map(str::trim) == Some(line)
        };
        if !found.iter().any(is_it) {
            wrong.push(format!("behind `{before}`: no `{line}` among {found:?}"));
        }
    }
    let hints = client.hints(&root.join("src/spirals.rs"));
    for hint in [": Spirals", ": Workspace<Spirals>", "batch_size:"] {
        if !hints.iter().any(|shown| shown == hint) {
            wrong.push(format!("no hint `{hint}` among {hints:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
