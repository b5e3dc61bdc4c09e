//! The plan of a function as a picture: time goes to the right, and each buffer is as high as it is
//! large, from the operation that makes it to the last that needs it.

use std::fmt::Write;

use crate::dim::{Atom, Dim};
use crate::graph::{Graph, Phase};
use crate::outline::escaped;
use crate::passes::plan::{Buffer, Part, Plan};

/// What each run-time size is taken for.
const SIZE: usize = 16;
/// The width of an operation, the height of all memory, and the sides, in pixels.
const STEP: usize = 10;
const HEIGHT: usize = 480;
const MARGIN: usize = 24;

/// A buffer in the picture, in floats: where it lies, and how large it is.
struct Placed<'a> {
    buffer: &'a Buffer,
    at: usize,
    len: usize,
}

impl Placed<'_> {
    fn meets(&self, other: &Buffer) -> bool {
        self.buffer.first <= other.last && other.first <= self.buffer.last
    }
}

/// `<svg …>…</svg>` of runs that store nothing in bf16. The macro knows no constants: where a size
/// has one in it, or is a kernel's or another model's, the buffer is a thin line with dashes.
pub fn picture(graph: &Graph, plan: &Plan) -> String {
    let known = |size: &Dim| {
        size.evaluate(&|atom| match atom {
            Atom::Run(_) => Some(SIZE),
            _ => None,
        })
    };
    let buffers = plan.buffers.iter().filter(|buffer| buffer.conversion.is_none());
    let most = buffers.clone().filter_map(|buffer| known(&buffer.size)).max().unwrap_or(1);
    let mut placed: Vec<Placed> = Vec::new();
    for buffer in buffers {
        let len = known(&buffer.size).unwrap_or(most / 40).max(1);
        let mut beside: Vec<_> = placed.iter().filter(|other| other.meets(buffer)).collect();
        beside.sort_by_key(|other| other.at);
        let mut at = 0;
        for other in beside {
            if at + len <= other.at {
                break;
            }
            at = at.max(other.at + other.len);
        }
        placed.push(Placed { buffer, at, len });
    }
    let whole = placed.iter().map(|one| one.at + one.len).max().unwrap_or(1);
    let pixels = |floats: usize| floats * HEIGHT / whole;
    let (wide, high) = (graph.nodes.len() * STEP + 2 * MARGIN, HEIGHT + 3 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide}\" height=\"{high}\" \
         font-family=\"monospace\" font-size=\"10\">\n<text x=\"{MARGIN}\" y=\"{}\">operations →, memory \
         ↑; with {SIZE} for each run-time size</text>\n",
        high - MARGIN / 2
    );
    for Placed { buffer, at, len } in &placed {
        let Buffer { first, last, part, label, size, .. } = buffer;
        let color = match part {
            Part::Saved => "steelblue",
            Part::Forward => "seagreen",
            Part::Backward => "darkorange",
        };
        let dashes = if known(size).is_some() { "" } else { " stroke-dasharray=\"3\"" };
        let (x, width) = (MARGIN + first * STEP, (last - first + 1) * STEP);
        let (height, bottom) = (pixels(*len).max(1), MARGIN + HEIGHT - pixels(*at));
        let (label, size) = (escaped(label), escaped(&size.to_string()));
        let _ = writeln!(
            svg,
            "<g><rect x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"{height}\" fill=\"{color}\" \
             fill-opacity=\"0.5\" stroke=\"{color}\"{dashes}/><title>{label}: {size} floats, \
             operations {first} to {last}</title></g>",
            bottom - height.min(bottom),
        );
    }
    if let Some(backward) = graph.nodes.iter().position(|node| node.phase > Phase::Forward) {
        let x = MARGIN + backward * STEP;
        let end = MARGIN + HEIGHT;
        let _ = writeln!(svg, "<path d=\"M{x} {MARGIN}V{end}\" stroke=\"black\"/>");
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{}\">backward</text>", MARGIN / 2 + 4);
    }
    svg.push_str("</svg>\n");
    svg
}
