//! What `GRADIRON_DUMP` names.

use super::snapshots::{MLP, STEPS};
use super::{parsed, watch};
use crate::dump::Dump;
use crate::passes::PASSES;

fn dumped(request: &str, model: &str) -> Dump {
    let mut dump = Dump::parse(request).expect("the levels exist");
    watch(&parsed(model), &mut |seen| dump.see(seen));
    dump
}

#[test]
fn a_level_is_a_pass_by_its_name() {
    let names: Vec<_> = PASSES.iter().map(|pass| pass.name).collect();
    let dump = dumped(&format!("target/dump:graph,lower,rust,{}", names.join(",")), STEPS);
    for pass in PASSES {
        let text = dump.text(pass.name).expect("it was asked for");
        assert_eq!(text.matches("== forward (").count(), pass.forms.len(), "{}\n{text}", pass.name);
    }
    assert_eq!(dump.text("lower").expect("asked for").matches("== forward\n").count(), 1);
    assert_eq!(dump.text("graph").expect("asked for").matches("== forward (").count(), 3);
}

#[test]
fn nothing_else_is_written() {
    let dump = dumped("target/dump:fuse", MLP);
    assert!(dump.text("fuse").is_some_and(|text| text.contains("chain {")));
    assert!(["graph", "plan", "rust", "lower"].iter().all(|level| dump.text(level).is_none()));
}

#[test]
fn a_folder_alone_has_the_usual_levels() {
    for folder in ["target/dump", r"C:\dump", "C:/dump"] {
        let dump = Dump::parse(folder).expect("there are no levels to be wrong");
        assert!(
            ["graph", "plan", "rust"].iter().all(|level| dump.text(level).is_some()),
            "{folder}"
        );
        assert!(dump.text("fuse").is_none());
    }
    let dump = Dump::parse(r"C:\dump:rust").expect("a level that exists");
    assert!(dump.text("rust").is_some() && dump.text("graph").is_none());
}

#[test]
fn a_level_that_does_not_exist_is_said_with_those_that_do() {
    let error = Dump::parse("target/dump:fuse,fusion").expect_err("there is no such level");
    let levels = "graph, lower, step, differentiate, expand, prepare, fuse, store, plan, rust";
    assert_eq!(
        error,
        format!(
            "GRADIRON_DUMP=target/dump:fuse,fusion: there is no level `fusion`; \
             the levels are {levels}"
        )
    );
}
