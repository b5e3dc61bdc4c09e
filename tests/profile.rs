//! Profiles: names, counts and costs of operations, traces, and the variable `GRADIRON_PROFILE`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use gradiron::prelude::*;
use gradiron::profile::{Phase, Row, Table};
use serde_json::Value;

const BATCH: usize = 8;

model! {
    struct Block<const D: usize> {
        up: Linear(D -> 2 * D),
        down: Linear(2 * D -> D),
    }

    fn forward(&self, x: [batch, D]) -> [batch, D] {
        x + self.down(self.up(x).tanh())
    }
}

model! {
    struct Net {
        conv1: Conv2d(2 -> 4, kernel = (3, 5), stride = 2, padding = (1, 2), bias = false),
        bn1: BatchNorm2d(4),
        fc: Linear(256 -> 32),
        inner: Block<32>,
        blocks: [Block<32>; 2],
        head: Linear(32 -> 5),
    }

    fn loss(&self, image: [batch, 2, 16, 16], label: Classes[batch]) -> [] {
        let x = self.bn1(self.conv1(image)).relu().flatten();
        let x: [batch, 32] = self.inner(self.fc(x));
        cross_entropy(self.head(self.blocks(x)), label)
    }
}

type Image = [[[f32; 16]; 16]; 2];
type Outcome = Result<(), Box<dyn std::error::Error>>;

fn images() -> (Vec<Image>, Vec<u8>) {
    let pixel = |i: usize| (i as f32 * 0.37).sin();
    let image = |i: usize| {
        [0, 1].map(|c| {
            std::array::from_fn(|h| std::array::from_fn(|w| pixel(((2 * i + c) * 16 + h) * 16 + w)))
        })
    };
    ((0..BATCH).map(image).collect(), (0..BATCH).map(|i| (i % 5) as u8).collect())
}

/// Trains a few steps; the last loss and gradients.
fn train(cpu: Cpu, steps: usize) -> Result<(f32, Vec<f32>), Box<dyn std::error::Error>> {
    let (x, label) = images();
    let mut net = Net::init(Seed(0));
    let mut ws = Net::workspace_on(cpu, BATCH)?;
    let mut sgd = Sgd::new(&net, 0.1)?.momentum(0.9)?;
    let mut loss = 0.0;
    for _ in 0..steps {
        loss = net.loss_grad(&mut ws, &x, &label)?;
        sgd.step(&mut net, ws.grads());
    }
    Ok((loss, ws.grads().as_slice().to_vec()))
}

fn row<'a>(table: &'a Table, phase: Phase, name: &str, kind: &str) -> &'a Row {
    let same = |row: &&Row| (row.phase, &row.name[..], &row.kind[..]) == (phase, name, kind);
    table.rows().iter().find(same).unwrap_or_else(|| panic!("no {name} {kind} in\n{table}"))
}

/// What a training step of `Net` consists of, in alphabetical order.
const OPERATIONS: [&str; 45] = [
    "backward blocks.0.down + tanh: matmul.nn + tanh_grad",
    "backward blocks.0.down: matmul.tn",
    "backward blocks.0.down: sum",
    "backward blocks.0.up: matmul.nn + add",
    "backward blocks.0.up: matmul.tn",
    "backward blocks.0.up: sum",
    "backward blocks.1.down + tanh: matmul.nn + tanh_grad",
    "backward blocks.1.down: matmul.tn",
    "backward blocks.1.down: sum",
    "backward blocks.1.up: matmul.nn + add",
    "backward blocks.1.up: matmul.tn",
    "backward blocks.1.up: sum",
    "backward bn1: batch_norm.sums",
    "backward bn1: mul",
    "backward bn1: mul + mul + neg + 3 more",
    "backward bn1: sub + mul_add + add + mul",
    "backward conv1: conv2d.weight_grad",
    "backward cross_entropy: cross_entropy.grad",
    "backward fc: matmul.nn",
    "backward fc: matmul.tn",
    "backward fc: sum",
    "backward head: matmul.nn",
    "backward head: matmul.tn",
    "backward head: sum",
    "backward inner.down + tanh: matmul.nn + tanh_grad",
    "backward inner.down: matmul.tn",
    "backward inner.down: sum",
    "backward inner.up: matmul.nn + add",
    "backward inner.up: matmul.tn",
    "backward inner.up: sum",
    "backward relu: relu_grad",
    "forward blocks.0.down + add: matmul.nt + add + add",
    "forward blocks.0.up + tanh: matmul.nt + add + tanh",
    "forward blocks.1.down + add: matmul.nt + add + add",
    "forward blocks.1.up + tanh: matmul.nt + add + tanh",
    "forward bn1 + relu: sub + mul_add + relu",
    "forward bn1: batch_norm.statistics",
    "forward bn1: mul + mul + sub",
    "forward conv1: conv2d",
    "forward cross_entropy: cross_entropy",
    "forward fc: matmul.nt + add",
    "forward head: matmul.nt + add",
    "forward inner.down + add: matmul.nt + add + add",
    "forward inner.up + tanh: matmul.nt + add + tanh",
    "step Sgd: optimizer",
];

#[test]
fn operations_have_names_and_exact_costs() -> Outcome {
    const STEPS: usize = 3;
    let profile = Profile::new();
    train(Cpu::with_threads(2).with_profile(&profile), STEPS)?;
    let table = profile.table();

    let mut found: Vec<_> = table
        .rows()
        .iter()
        .map(|row| format!("{} {}: {}", row.phase.name(), row.name, row.kind))
        .collect();
    found.sort();
    assert_eq!(found, OPERATIONS);
    assert!(table.rows().iter().all(|row| row.calls == STEPS as u64), "{table}");
    let inside: Duration = table.rows().iter().map(|row| row.time).sum();
    assert_eq!(inside + table.outside(), table.total());

    let costs = |phase, name, kind| {
        let row = row(&table, phase, name, kind);
        [row.flops, row.bytes].map(|sum| sum as usize / STEPS)
    };
    // y [8·4, 8, 8] of 2·3·5 products each.
    let (x, y, w) = (BATCH * 2 * 16 * 16, BATCH * 4 * 8 * 8, 4 * 2 * 3 * 5);
    let products = 2 * y * 2 * 3 * 5;
    assert_eq!(costs(Phase::Forward, "conv1", "conv2d"), [products, 4 * (x + y + w)]);
    let weight_grad = costs(Phase::Backward, "conv1", "conv2d.weight_grad");
    assert_eq!(weight_grad, [products, 4 * (x + y + w)]);
    // A product [8, 256] · [256, 32], and its bias.
    let (rows, inner, columns) = (BATCH, 256, 32);
    let operands = rows * inner + inner * columns + rows * columns;
    assert_eq!(
        costs(Phase::Forward, "fc", "matmul.nt + add"),
        [2 * rows * inner * columns + rows * columns, 4 * (operands + columns)]
    );
    assert_eq!(
        costs(Phase::Backward, "fc", "matmul.tn"),
        [2 * rows * inner * columns, 4 * operands]
    );
    // Parameters, gradients and velocities; parameters and velocities again.
    assert_eq!(costs(Phase::Step, "Sgd", "optimizer"), [5 * Net::PARAMS, 20 * Net::PARAMS]);
    Ok(())
}

#[test]
fn results_have_the_same_bits() -> Outcome {
    let profile = Profile::new();
    let recorded = train(Cpu::with_threads(2).with_profile(&profile), 3)?;
    assert_eq!(recorded, train(Cpu::with_threads(2), 3)?);
    assert_eq!(profile.table().rows().len(), OPERATIONS.len());
    profile.clear();
    assert_eq!(profile.table().rows().len(), 0);
    Ok(())
}

#[test]
fn several_models_and_threads_share_a_profile() -> Outcome {
    let profile = Profile::new();
    train(Cpu::with_threads(1).with_profile(&profile), 1)?;
    std::thread::scope(|scope| {
        let runs = [0, 1].map(|_| {
            scope.spawn(|| {
                let block = Block::<256>::init(Seed(1));
                let cpu = Cpu::with_threads(1).with_profile(&profile);
                let mut ws = Block::<256>::workspace_on(cpu, 32).expect("it fits");
                block.forward(&mut ws, &[[0.5; 256]; 32]).expect("it fits").len()
            })
        });
        for run in runs {
            assert_eq!(run.join().expect("no panic"), 32);
        }
    });
    let table = profile.table();
    let shared = row(&table, Phase::Forward, "Block.up + tanh", "matmul.packed + add + tanh");
    assert_eq!(shared.calls, 2);
    // Each workspace prepares once.
    assert_eq!(row(&table, Phase::Prepare, "Block.up", "matmul.pack").calls, 2);
    assert_eq!(row(&table, Phase::Forward, "Net.conv1", "conv2d").calls, 1);
    Ok(())
}

/// Name, category, start and end in nanoseconds.
type Slice = (String, String, u64, u64);

/// A path of its own for one test; the file is removed at the end.
struct Trace(PathBuf);

impl Trace {
    fn new(name: &str) -> Self {
        let name = format!("gradiron-profile-{name}-{}.json", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn slices(&self) -> Result<Vec<Slice>, Box<dyn std::error::Error>> {
        let trace: Value = serde_json::from_str(&std::fs::read_to_string(&self.0)?)?;
        let events = trace["traceEvents"].as_array().ok_or("no events")?;
        let slices = events.iter().filter(|event| event["ph"] == "X").map(|event| {
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_string();
            let nanos = |key: &str| (event[key].as_f64().unwrap_or(f64::NAN) * 1e3).round() as u64;
            (text("name"), text("cat"), nanos("ts"), nanos("ts") + nanos("dur"))
        });
        Ok(slices.collect())
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn traces_are_nested() -> Outcome {
    let (profile, trace) = (Profile::new(), Trace::new("nested"));
    train(Cpu::with_threads(1).with_profile(&profile), 2)?;
    profile.write_trace(&trace.0)?;
    let slices = trace.slices()?;
    // Two slices are apart, or one is in the other.
    for (i, (a, _, start, end)) in slices.iter().enumerate() {
        for (b, _, other_start, other_end) in &slices[..i] {
            let apart = end <= other_start || other_end <= start;
            let inside = start <= other_start && other_end <= end;
            let around = other_start <= start && end <= other_end;
            assert!(apart || inside || around, "{a} and {b} cross");
        }
    }
    let around = |name: &str, category: &str| -> Vec<&str> {
        let of = |(n, c, ..): &&Slice| n == name && c == category;
        let (_, _, start, end) = slices.iter().find(of).expect("a slice of this name");
        let mut around: Vec<_> =
            slices.iter().filter(|(_, _, s, e)| s <= start && end <= e).collect();
        around.sort_by_key(|(_, _, s, e)| s.wrapping_sub(*e));
        around.iter().map(|(name, ..)| &name[..]).collect()
    };
    let expected = ["Net::loss_grad", "forward", "blocks", "blocks.1", "blocks.1.up + tanh"];
    assert_eq!(around("blocks.1.up + tanh", "forward"), expected);
    let expected = ["Net::loss_grad", "backward", "inner", "inner.up"];
    assert_eq!(around("inner.up", "backward"), expected);
    Ok(())
}

#[test]
fn a_trace_that_cannot_be_written_is_an_error() {
    let error = Profile::new().write_trace("/no-such-folder/trace.json").unwrap_err();
    assert!(error.to_string().starts_with("cannot save to `/no-such-folder/trace.json`"));
}

/// What the tests of the variable run as a process of its own.
#[test]
fn child() -> Outcome {
    train(Cpu::with_threads(1), 1)?;
    train(Cpu::with_threads(1), 1).map(drop)
}

/// What `child` writes to standard error.
fn stderr(value: &str) -> String {
    let mut command = Command::new(std::env::current_exe().expect("the path of this test"));
    command.args(["--exact", "child"]).env("GRADIRON_PROFILE", value);
    let output = command.output().expect("this test runs");
    assert!(output.status.success(), "{value}: {output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_variable_asks_for_a_table() {
    let text = stderr("1");
    assert_eq!(text.matches("GFLOP/s").count(), 2, "one for each workspace:\n{text}");
    assert!(text.contains("total of 1 runs and 1 optimizer steps"), "{text}");
    assert!(text.contains("total of 2 runs and 2 optimizer steps"), "{text}");
    assert!(text.contains("forward   blocks.1.up + tanh    matmul.nt + add + tanh"), "{text}");
    assert_eq!(stderr("0"), "");
}

#[test]
fn the_variable_asks_for_a_trace() -> Outcome {
    let trace = Trace::new("variable");
    let text = stderr(&trace.0.display().to_string());
    assert!(text.starts_with("GRADIRON_PROFILE: the trace is in "), "{text}");
    let runs = trace.slices()?.into_iter().filter(|(name, ..)| name == "Net::loss_grad").count();
    assert_eq!(runs, 2, "the trace is of the whole process");
    Ok(())
}

#[test]
fn wrong_values_of_the_variable_are_one_line() {
    let folder = std::env::temp_dir();
    let folder = folder.display().to_string();
    for (value, expected) in [
        ("", "expected 1 for a table"),
        ("yes", "expected 1 for a table"),
        (&folder[..], "expected 1 for a table"),
        ("/no-such-folder/trace.json", "no file can be made in the folder `/no-such-folder`"),
    ] {
        let text = stderr(value);
        assert!(text.starts_with(&format!("GRADIRON_PROFILE={value}: ")), "{text}");
        assert!(text.contains(expected), "{text}");
        assert!(text.ends_with("; nothing is recorded\n"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
