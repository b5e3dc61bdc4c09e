//! Every unsafe block says why it is sound; that it says anything at all is a lint's to see.

use crate::{each_file, root};

/// A reason that stands elsewhere is soon that of something else.
#[test]
fn every_unsafe_block_has_its_own_reason() {
    // In two parts, since this file is one of those.
    let elsewhere = [
        concat!("as ", "above"),
        concat!("see ", "above"),
        concat!("here and ", "below"),
        concat!("as there", "."),
        concat!("the caller's ", "promise."),
    ];
    let root = root();
    let (mut reasons, mut bad) = (0, Vec::new());
    for folder in ["runtime", "compiler", "macros", "tests", "benches", "examples", "emulator"] {
        each_file(&root.join(folder), &[".rs"], &mut |path, text| {
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            for (at, line) in lines.iter().enumerate() {
                let Some(reason) = line.strip_prefix("// SAFETY:") else { continue };
                reasons += 1;
                let more = lines[at + 1..].iter().map_while(|line| line.strip_prefix("//"));
                let reason = [reason].into_iter().chain(more).collect::<String>();
                if elsewhere.iter().any(|other| reason.contains(other)) || reason.len() < 16 {
                    bad.push(format!("{}:{}: {reason}", path.display(), at + 1));
                }
            }
        });
    }
    assert!(bad.is_empty(), "reasons that are none of their own:\n{}", bad.join("\n"));
    assert!(reasons > 300, "only {reasons} reasons were found");
}
