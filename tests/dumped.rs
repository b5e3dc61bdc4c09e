//! Rust that `GRADIRON_DUMP` writes stands in the place of its macro: it compiles, and a training
//! step has the same bits.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder that is there while a test runs.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("gradiron-dumped-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for temporary files");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The library that this test is linked with, and the folder of what it depends on.
fn library() -> (PathBuf, PathBuf) {
    let this = std::env::current_exe().expect("the path of this test");
    let folder = this.parent().expect("a folder").to_owned();
    let files = std::fs::read_dir(&folder).expect("the folder of this test");
    let found = files.filter_map(|file| {
        let file = file.expect("a file of it");
        let name = file.file_name().into_string().unwrap_or_default();
        let is_it = name.starts_with("libgradiron-") && name.ends_with(".rlib");
        is_it.then(|| (file.metadata().and_then(|about| about.modified()).ok(), file.path()))
    });
    (found.max().expect("the library was built").1, folder)
}

/// Compiles a program and runs it: what it prints.
fn output(name: &str, text: &str, folder: &Path) -> String {
    let (library, dependencies) = library();
    let [source, program] =
        [format!("{name}.rs"), format!("{name}{}", std::env::consts::EXE_SUFFIX)]
            .map(|file| folder.join(file));
    std::fs::write(&source, text).expect("the folder is there");
    let compiled = Command::new(option_env!("RUSTC").unwrap_or("rustc"))
        .args(["--edition", "2024", "--extern"])
        .arg(format!("gradiron={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", dependencies.display()))
        .arg("-o")
        .args([&program, &source])
        .env("GRADIRON_DUMP", format!("{}:graph,plan,rust", folder.display()))
        .output()
        .expect("a compiler");
    let said = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{name}:\n{said}");
    let ran = Command::new(&program).env("GRADIRON_SLOW_BUILD", "1").output();
    let ran = ran.expect("the program was made");
    assert!(ran.status.success(), "{name}:\n{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("text")
}

/// The program with the Rust of each `model!` in its place, that of all models in it, and of the
/// derived model.
fn pasted(text: &str, dumped: &[&[&str]], folder: &Path) -> String {
    let mut parts = text.split("\nmodel! {\n");
    let mut made = parts.next().expect("a first part").to_owned();
    let rust = |name: &str| {
        let file = folder.join(format!("{name}.rs"));
        let rust = std::fs::read_to_string(&file);
        rust.unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    for (part, names) in parts.zip(dumped) {
        let (_, behind) = part.split_once("\n}\n").expect("the end of the macro");
        names.iter().for_each(|name| made += &rust(name));
        made += behind;
    }
    made.replace("#[derive(Module)]\n", &rust("Derived"))
}

#[test]
fn dumped_rust_stands_in_the_place_of_its_macro() {
    let folder = Folder::new();
    let text = include_str!("dumped/program.rs");
    let expected = output("macros", text, &folder.0);
    let text = pasted(text, &[&["Names"], &["Block", "Net"], &["__distance"]], &folder.0);
    assert!(!text.contains("\nmodel! {"), "{text}");
    let found = output("pasted", &text, &folder.0);
    assert!(expected.lines().count() > 20, "{expected}");
    assert_eq!(found, expected);
    // Beside the Rust there are pictures.
    for file in ["Net.forward.dot", "Net.forward.svg", "Net.forward.plan.svg"] {
        assert!(folder.0.join(file).is_file(), "{file}");
    }
}
