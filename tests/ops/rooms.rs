//! Every room has what a room needs, by its name: `ops::ROOMS` is the list.

use std::path::{Path, PathBuf};

use gradiron::ops::ROOMS;

/// Rooms whose results move in steps, or whose kernels move numbers as they are: nothing to
/// differentiate.
const WITHOUT_DERIVATIVE: &[&str] = &["argmax", "convert", "fill"];

/// Rooms whose kernels users name otherwise, with an entry of the reference for each.
const NAMED_OTHERWISE: &[(&str, &str)] =
    &[("elementwise", "x.relu"), ("recurrent", "LSTM"), ("reduce", "x.sum")];

/// Rooms that serve others: nobody names them.
const UNNAMED: &[&str] = &["convert", "fill", "padding"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The rooms for which `is_there` is false.
fn missing(is_there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    assert!(ROOMS.len() > 20 && ROOMS.is_sorted());
    ROOMS.iter().copied().filter(|room| !is_there(room)).collect()
}

/// The tests of a room: `attention.rs`, and with a name that goes on `attention_masks.rs`.
fn tests_of(room: &str) -> String {
    let folder = root().join("tests/ops");
    let entries = std::fs::read_dir(&folder).expect("the folder of these tests");
    let paths = entries.map(|entry| entry.expect("a file of tests").path());
    let is_of_room = |path: &PathBuf| {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        name == room || name.strip_prefix(room).is_some_and(|rest| rest.starts_with('_'))
    };
    paths.filter(is_of_room).map(|path| text(&path)).collect()
}

#[test]
fn every_folder_is_a_room() {
    let folder = std::fs::read_dir(root().join("runtime/src/ops")).expect("the rooms");
    let paths = folder.map(|entry| entry.expect("a room").path()).filter(|path| path.is_dir());
    let name = |path: PathBuf| path.file_name().and_then(|name| name.to_str()).map(str::to_string);
    let mut folders: Vec<_> = paths.filter_map(name).collect();
    folders.sort();
    assert_eq!(folders, ROOMS, "`rooms!` in runtime/src/ops/mod.rs names other rooms");
}

#[test]
fn every_room_has_a_reference_and_kernels_for_each_device() {
    let has = |file: &str| {
        let file = file.to_string();
        move |room: &str| root().join("runtime/src/ops").join(room).join(&file).is_file()
    };
    assert_eq!(missing(has("cpu.rs")), [""; 0]);
    assert_eq!(missing(has("cuda.rs")), [""; 0]);
    // These two move floats: what they make is what they are given.
    assert_eq!(missing(has("reference.rs")), ["convert", "fill"]);
}

#[test]
fn every_room_has_tests_of_its_name() {
    let main = text(&root().join("tests/ops/main.rs"));
    assert_eq!(missing(|room| main.contains(&format!("\nmod {room};\n"))), [""; 0]);
    assert_eq!(missing(|room| tests_of(room).contains("#[test]")), [""; 0]);
}

#[test]
fn every_room_has_a_test_of_its_derivative() {
    let is_tested = |room: &str| {
        let tests = tests_of(room);
        ["assert_gradient(", "check_derivative("].iter().any(|check| tests.contains(check))
    };
    assert_eq!(missing(is_tested), WITHOUT_DERIVATIVE);
}

#[test]
fn every_room_has_an_entry_in_the_reference() {
    let reference = text(&root().join("docs/REFERENCE.md"));
    let entries: Vec<_> = reference.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    // `batch_norm` is `BatchNorm1d`, `attention` is `MultiheadAttention`.
    let plain = |name: &str| name.to_lowercase().replace('_', "");
    let has_entry = |room: &str| match NAMED_OTHERWISE.iter().find(|(name, _)| *name == room) {
        Some((_, entry)) => entries.contains(entry),
        None => entries.iter().any(|entry| {
            let (entry, room) = (plain(entry.trim_start_matches("x.")), plain(room));
            !UNNAMED.contains(&room.as_str())
                && (entry.starts_with(&room) || entry.ends_with(&room))
        }),
    };
    assert_eq!(missing(has_entry), UNNAMED);
}
