//! The record of runs as Chrome's trace events: "Trace Event Format", Google, with complete events
//! (`"ph": "X"`), whose times are in microseconds.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::path::Path;

use super::Track;
use super::track::Event;
use crate::files::{SaveError, replace};

/// Text is handed to the file in pieces of this size.
const PIECE: usize = 1 << 16;

pub(super) fn write(tracks: &[Track], path: &Path) -> Result<(), SaveError> {
    replace(path, |file| {
        let mut text = String::from("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
        let mut separator = "";
        for track in tracks {
            if !track.name.is_empty() {
                text.push_str(separator);
                thread(&mut text, track);
                separator = ",\n";
            }
            for event in track.events.iter().flatten() {
                text.push_str(separator);
                slice(&mut text, track, event);
                separator = ",\n";
                if text.len() > PIECE {
                    file.write_all(text.as_bytes())?;
                    text.clear();
                }
            }
        }
        text.push_str("]}\n");
        file.write_all(text.as_bytes())
    })
}

/// The name of the thread.
fn thread(text: &mut String, track: &Track) {
    add(text, format_args!("{{\"ph\":\"M\",\"pid\":0,\"tid\":{}", track.number));
    text.push_str(",\"name\":\"thread_name\",\"args\":{\"name\":");
    string(text, &track.name);
    text.push_str("}}");
}

fn slice(text: &mut String, track: &Track, event: &Event) {
    let site = &track.sites[event.site];
    let phase = site.phase.name();
    add(text, format_args!("{{\"ph\":\"X\",\"pid\":0,\"tid\":{},\"name\":", track.number));
    // A pass is called as its phase.
    string(text, if site.name.is_empty() { phase } else { &site.name });
    add(text, format_args!(",\"cat\":\"{phase}\",\"ts\":"));
    micros(text, event.start);
    text.push_str(",\"dur\":");
    micros(text, event.time);
    if !site.kind.is_empty() {
        text.push_str(",\"args\":{\"kind\":");
        string(text, &site.kind);
        let Event { flops, bytes, .. } = event;
        add(text, format_args!(",\"flops\":{flops},\"bytes\":{bytes}}}"));
    }
    text.push('}');
}

fn add(text: &mut String, more: fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = text.write_fmt(more);
}

/// Nanoseconds as microseconds, without rounding.
fn micros(text: &mut String, nanos: u64) {
    add(text, format_args!("{}.{:03}", nanos / 1000, nanos % 1000));
}

/// A string of JSON (RFC 8259, section 7).
fn string(text: &mut String, content: &str) {
    text.push('"');
    for c in content.chars() {
        match c {
            '"' | '\\' => {
                text.push('\\');
                text.push(c);
            }
            c if c < ' ' => add(text, format_args!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped() {
        let content = "a \"b\" \\ \n\t\u{1} ü → 🦀";
        let mut text = String::new();
        string(&mut text, content);
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), content);
    }

    #[test]
    fn microseconds_keep_all_nanoseconds() {
        for (nanos, expected) in [(1_234_005, "1234.005"), (7, "0.007")] {
            let mut text = String::new();
            micros(&mut text, nanos);
            assert_eq!(text, expected);
        }
    }
}
