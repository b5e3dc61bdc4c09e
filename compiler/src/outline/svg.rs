//! A function as a picture: its rows below each other, and a line for each value. Lines that pass
//! rows go round them on the right.

use std::fmt::Write;

use super::{From, Outline};

/// The height of a row, the gap below it, and the sides of the picture, in pixels.
const HEIGHT: usize = 26;
const GAP: usize = 18;
const MARGIN: usize = 8;
/// The width of a letter, and how far lines on the right are from each other.
const LETTER: usize = 7;
const LANE: usize = 12;
/// More rows than this are no picture that anybody reads.
const MOST: usize = 150;

impl Outline {
    /// `<svg …>…</svg>`, without an empty line, as Markdown has it; nothing for a function that is
    /// too long. It takes the colour of the text around it.
    pub fn svg(&self) -> Option<String> {
        let inputs = self.inputs.len();
        if self.rows.len() > MOST {
            return None;
        }
        let texts = self.texts();
        let letters = texts.iter().map(|(text, _)| text.chars().count()).max().unwrap_or(1);
        let width = letters * LETTER + 2 * MARGIN;
        let top = |slot: usize| MARGIN + slot * (HEIGHT + GAP);
        let mut lines = String::new();
        // Up to which slot each lane is taken.
        let mut lanes: Vec<usize> = Vec::new();
        for (from, to) in self.lines(inputs) {
            let (start, end) = (top(from) + HEIGHT, top(to));
            let middle = MARGIN + width / 2;
            if to == from + 1 {
                let _ = writeln!(lines, "<path d=\"M{middle} {start}V{end}\"/>");
                continue;
            }
            let free = lanes.iter().position(|taken| *taken < from);
            let lane = free.unwrap_or(lanes.len());
            lanes.resize(lanes.len().max(lane + 1), 0);
            lanes[lane] = to;
            let (right, x) = (MARGIN + width, MARGIN + width + (lane + 1) * LANE);
            let (start, end) = (top(from) + HEIGHT / 2, top(to) + HEIGHT / 2);
            let _ = writeln!(lines, "<path d=\"M{right} {start}H{x}V{end}H{right}\"/>");
        }
        let (wide, high) = (2 * MARGIN + width + (lanes.len() + 1) * LANE, top(texts.len()));
        let mut picture = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide}\" height=\"{high}\" \
             viewBox=\"0 0 {wide} {high}\" font-family=\"monospace\" font-size=\"11\" \
             fill=\"none\" stroke=\"currentColor\">\n<defs><marker id=\"arrow\" markerWidth=\"7\" \
             markerHeight=\"7\" refX=\"6\" refY=\"3\" orient=\"auto\"><path d=\"M0 0L6 3L0 6\"/>\
             </marker></defs>\n<g marker-end=\"url(#arrow)\">\n{lines}</g>\n"
        );
        for (slot, (text, is_value)) in texts.iter().enumerate() {
            let (y, round) = (top(slot), if *is_value { HEIGHT / 2 } else { 3 });
            let (x, base) = (MARGIN + width / 2, y + HEIGHT / 2 + 4);
            let _ = writeln!(
                picture,
                "<rect x=\"{MARGIN}\" y=\"{y}\" width=\"{width}\" height=\"{HEIGHT}\" \
                 rx=\"{round}\"/><text x=\"{x}\" y=\"{base}\" text-anchor=\"middle\" \
                 stroke=\"none\" fill=\"currentColor\">{}</text>",
                escaped(text)
            );
        }
        picture.push_str("</svg>\n");
        Some(picture)
    }

    /// What stands in each slot: inputs, rows, results; and whether it is a value.
    fn texts(&self) -> Vec<(String, bool)> {
        let inputs = self.inputs.iter().map(|(name, ty)| (format!("{name} {ty}"), true));
        let rows = self.rows.iter().map(|row| {
            let kind = if row.kind.is_empty() { String::new() } else { format!(" {}", row.kind) };
            (format!("{}{kind} → {}", row.name, row.output), false)
        });
        let results = self.results.iter().map(|(_, ty)| (ty.to_string(), true));
        inputs.chain(rows).chain(results).collect()
    }

    /// Lines from slot to slot, in the order of their ends.
    fn lines(&self, inputs: usize) -> Vec<(usize, usize)> {
        let slot = |source: &From| match source {
            From::Input(input) => *input,
            From::Row(row) => inputs + row,
        };
        let rows = self
            .rows
            .iter()
            .enumerate()
            .flat_map(|(r, row)| row.from.iter().map(move |source| (slot(source), inputs + r)));
        let first = inputs + self.rows.len();
        let results = self.results.iter().enumerate();
        let results = results
            .filter_map(|(o, (source, _))| source.as_ref().map(|source| (slot(source), first + o)));
        rows.chain(results).collect()
    }
}

/// Text as XML has it.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
