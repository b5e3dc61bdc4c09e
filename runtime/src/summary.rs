//! A model as a table, before anything runs: its layers with their outputs, parameters and costs,
//! and the memory that workspaces take. It is what `summary` of every model gives.
//!
//! ```
//! use gradiron::prelude::*;
//!
//! model! {
//!     struct Mlp {
//!         fc1: Linear(784 -> 128),
//!         fc2: Linear(128 -> 10),
//!     }
//!
//!     fn forward(&self, x: [batch, 784]) -> [batch, 10] {
//!         self.fc2(self.fc1(x).relu())
//!     }
//! }
//!
//! let summary = Mlp::summary(64); // as in `Mlp::workspace(64)`
//! println!("{summary}");
//! assert_eq!(summary.rows()[0].name, "fc1 + relu");
//! assert_eq!(summary.rows()[0].output, "[batch, 128]");
//! assert_eq!(summary.rows()[0].params, Some(784 * 128 + 128));
//! ```
//!
//! A row is what runs as one operation, as in [profiles](crate::profile): `fc1 + relu` is one pass
//! over memory. Floating-point operations are those of the definitions; bytes are what an operation
//! reads and writes, each value once.

use std::fmt;
use std::io::IsTerminal;

use crate::arena::{Sizes, plus, times};
use crate::device::Target;
use crate::module::ParamSpec;
use crate::program::Program;
use crate::workspace::{Footprint, Packing};

/// What a model consists of, and what it takes. Its text is a table.
///
/// It is in colour where standard output is a terminal and `NO_COLOR` is not set;
/// [`colored`](Self::colored) decides otherwise.
#[derive(Clone, Debug)]
pub struct Summary {
    title: &'static str,
    sizes: Vec<(&'static str, usize)>,
    rows: Vec<Row>,
    trained: usize,
    frozen: usize,
    state: usize,
    footprint: Footprint,
    packing: Packing,
    depth: usize,
    is_colored: bool,
}

/// A layer, an operation, or a model in a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// With what runs in the same pass over memory: `conv1 + relu`.
    pub name: String,
    /// `Conv2d`, `4 × Block<64>`; empty for an operation, which its name says.
    pub kind: String,
    /// Its shape, with the names of sizes that only a run knows: `[batch, 6, 28, 28]`.
    pub output: String,
    /// The number of its parameters; none where they were counted in a row before.
    pub params: Option<usize>,
    /// Its floating-point operations.
    pub flops: usize,
    /// The bytes that it reads and writes.
    pub bytes: usize,
    /// Of a model: the rows of one of its kind.
    pub inside: Vec<Row>,
}

impl Summary {
    /// The rows of the function, in the order in which they run; and behind them the layers that it
    /// does not use.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The number of parameters, those that are held fixed among them.
    pub fn params(&self) -> usize {
        self.trained + self.frozen
    }

    /// The floating-point operations of one run.
    pub fn flops(&self) -> usize {
        self.rows.iter().fold(0, |sum, row| plus(sum, row.flops))
    }

    /// The memory of workspaces on the CPU.
    pub fn footprint(&self) -> Footprint {
        self.footprint
    }

    /// How well the plan of training uses memory.
    pub fn packing(&self) -> Packing {
        self.packing
    }

    /// Shows models in models up to so many levels: with 1, none of what is in them.
    pub fn depth(mut self, levels: usize) -> Self {
        self.depth = levels;
        self
    }

    /// With colours for a terminal, or without.
    pub fn colored(mut self, is_colored: bool) -> Self {
        self.is_colored = is_colored;
        self
    }
}

/// The rows of functions while they are collected. Filled by what `model!` makes.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Outline {
    /// Of the present function.
    rows: Vec<Row>,
    /// Of those around it: their rows, and which of them is looked into, how often.
    around: Vec<(Vec<Row>, usize, usize)>,
}

impl Outline {
    /// The rows of a function: `text` has a line for each, `sizes` what stands in braces there,
    /// `at` where parameters start, and `costs` the costs of the operations.
    pub fn rows(
        &mut self,
        text: &str,
        sizes: &[usize],
        at: &[usize],
        costs: fn(Sizes, bool, &mut Vec<[usize; 2]>),
        n: Sizes,
    ) {
        let mut all = Vec::new();
        costs(n, false, &mut all);
        let (mut all, mut counted) = (all.into_iter(), Vec::new());
        for line in text.lines() {
            let mut parts = line.split('\t');
            let mut next = || parts.next().unwrap_or_default();
            let [count, start, end] = [(); 3].map(|()| next().parse().unwrap_or(0));
            let [name, kind, output] = [(); 3].map(|()| next().to_owned());
            let own = all.by_ref().take(count);
            let [flops, bytes] =
                own.fold([0; 2], |sum, cost| [0, 1].map(|of| plus(sum[of], cost[of])));
            let is_new = start == end || !counted.contains(&start);
            counted.push(start);
            let output = sizes.iter().enumerate().fold(output, |output, (k, size)| {
                output.replace(&format!("{{{k}}}"), &size.to_string())
            });
            let params = is_new.then(|| at[end] - at[start]);
            self.rows.push(Row { name, kind, output, params, flops, bytes, inside: Vec::new() });
        }
    }

    /// What follows is about the model that row `at` calls, `count` times.
    pub fn enter(&mut self, at: usize, count: usize) {
        self.around.push((std::mem::take(&mut self.rows), at, count));
    }

    /// The end of it.
    pub fn leave(&mut self) {
        let (rows, at, count) = self.around.pop().expect("it was entered");
        let inside = std::mem::replace(&mut self.rows, rows);
        let row = &mut self.rows[at];
        let bytes = inside.iter().fold(0, |sum, row| plus(sum, row.bytes));
        row.bytes = plus(row.bytes, times(bytes, count));
        row.inside = inside;
    }

    /// All of it.
    pub fn summary<M: Program>(
        self,
        title: &'static str,
        n: Sizes,
        footprint: Footprint,
    ) -> Summary {
        let mut specs = Vec::new();
        M::describe("", 0, &mut specs);
        let params = |frozen: bool| {
            let those = specs.iter().filter(|spec| spec.frozen == frozen);
            those.map(ParamSpec::len).sum()
        };
        Summary {
            title,
            sizes: M::SIZES.iter().copied().zip(n).collect(),
            rows: self.rows,
            trained: params(false),
            frozen: params(true),
            state: M::STATE,
            footprint,
            packing: Packing::of(&M::plan(n, Target::Host)),
            depth: usize::MAX,
            is_colored: std::env::var_os("NO_COLOR").is_none() && std::io::stdout().is_terminal(),
        }
    }
}

/// A line of the table.
struct Line<'a> {
    depth: usize,
    row: &'a Row,
}

impl Line<'_> {
    /// `conv1 + relu`, indented; and behind it `Conv2d`.
    fn layer(&self) -> (String, String) {
        let Row { name, kind, .. } = self.row;
        let gap = if kind.is_empty() { "" } else { "  " };
        (format!("{:1$}{name}", "", 2 * self.depth), format!("{gap}{kind}"))
    }

    fn params(&self) -> String {
        match self.row.params {
            None => "shared".into(),
            Some(params) => nonzero(params),
        }
    }
}

fn lines<'a>(rows: &'a [Row], depth: usize, most: usize, lines: &mut Vec<Line<'a>>) {
    for row in rows.iter().filter(|_| depth < most) {
        lines.push(Line { depth, row });
        self::lines(&row.inside, depth + 1, most, lines);
    }
}

/// `61,706`
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The same, nothing of 0.
fn nonzero(number: usize) -> String {
    if number > 0 { grouped(number) } else { String::new() }
}

/// `3.98 MB`
fn memory(bytes: usize) -> String {
    match bytes {
        usize::MAX => "more than any machine has".into(),
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const CYAN: &str = "\x1b[36m";

impl Summary {
    /// Text in a colour, where there are colours.
    fn paint(&self, color: &str, text: &str) -> String {
        match self.is_colored && !text.is_empty() {
            true => format!("{color}{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = Vec::new();
        lines(&self.rows, 0, self.depth, &mut all);
        let chars = |text: &str| text.chars().count();
        let widest = |of: &dyn Fn(&Line) -> usize, head: &str| {
            all.iter().map(of).fold(chars(head), usize::max)
        };
        let whole = |line: &Line| {
            let (name, kind) = line.layer();
            chars(&name) + chars(&kind)
        };
        let layer = widest(&whole, "layer");
        let output = widest(&|line| chars(&line.row.output), "output");
        let params = widest(&|line| chars(&line.params()), &grouped(self.params()));
        let params = params.max(chars("parameters"));
        let (total, moved) = (self.flops(), self.rows.iter().fold(0, |sum, r| plus(sum, r.bytes)));
        let [flops, bytes] = [(total, "FLOPs"), (moved, "bytes")]
            .map(|(sum, head)| chars(&grouped(sum)).max(chars(head)));
        let sizes: Vec<_> = self.sizes.iter().map(|(name, n)| format!("{name} = {n}")).collect();
        let with = if sizes.is_empty() { "" } else { " with " };
        writeln!(f, "{}{with}{}", self.paint(BOLD, self.title), sizes.join(", "))?;
        let head = format!(
            "{:layer$}  {:output$}  {:>params$}  {:>flops$}  {:>bytes$}",
            "layer", "output", "parameters", "FLOPs", "bytes"
        );
        writeln!(f, "{}", self.paint(BOLD, &head))?;
        for line in &all {
            let ((name, kind), row) = (line.layer(), line.row);
            let gap = layer - chars(&name) - chars(&kind);
            let name = self.paint(CYAN, &name);
            let kind = self.paint(DIM, &kind);
            writeln!(
                f,
                "{name}{kind}{:gap$}  {:output$}  {:>params$}  {:>flops$}  {:>bytes$}",
                "",
                row.output,
                line.params(),
                nonzero(row.flops),
                nonzero(row.bytes),
            )?;
        }
        let sum = format!(
            "{:layer$}  {:output$}  {:>params$}  {:>flops$}  {:>bytes$}",
            "total",
            "",
            grouped(self.params()),
            grouped(total),
            grouped(moved),
        );
        writeln!(f, "{}", self.paint(BOLD, &sum))?;
        write!(f, "parameters: {}", memory(times(self.params(), size_of::<f32>())))?;
        if self.frozen > 0 {
            write!(f, "; {} are held fixed", grouped(self.frozen))?;
        }
        if self.state > 0 {
            write!(f, "; state: {}", memory(times(self.state, size_of::<f32>())))?;
        }
        let Footprint { train, infer, prepared } = self.footprint;
        let [train, infer] = [train, infer].map(memory);
        write!(f, "\nworkspace: {train} for training; {infer} for inference")?;
        if prepared > 0 {
            write!(f, ", of it {} prepared weights", memory(prepared))?;
        }
        let ratio = self.packing.ratio();
        writeln!(f, "\nplan: {ratio:.2} times what is alive at once at the fullest moment")
    }
}
