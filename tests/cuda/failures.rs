//! Calls of CUDA that fail, each in its turn: what follows is an error or the right numbers, and a
//! workspace in which one failed gives errors until it is made anew.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use gradiron::device::DeviceError;
use gradiron::prelude::*;

use crate::gpu;

const LENGTH: usize = 4;

model! {
    pub struct Net {
        #[allow(bias_before_batch_norm)]
        fc1: Linear(6 -> 64),
        norm: BatchNorm1d(64),
        fc2: Linear(64 -> 3),
    }

    fn forward(&self, x: [batch, 6]) -> [batch, 3] {
        self.fc2(self.norm(self.fc1(x)).relu())
    }

    fn loss(&self, x: [batch, 6], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(x), label)
    }
}

model! {
    pub struct Writer {
        attn: MultiheadAttention(8, num_heads = 2),
        gru: GRU(8 -> 8),
    }

    #[step(LENGTH)]
    fn forward(&self, x: [batch, LENGTH, 8]) -> [batch, LENGTH, 8] {
        let (y, _h) = self.gru(self.attn(x, is_causal = true));
        x + y
    }
}

const X: [[f32; 6]; 3] = [
    [0.1, 0.2, 0.3, -0.4, 0.5, 0.6],
    [0.3, -0.1, 0.2, 0.9, 0.1, 0.0],
    [1.0, 0.5, -1.0, 0.2, 0.0, 0.3],
];
const LABEL: [u8; 3] = [1, 2, 0];

type Outcome<T> = Result<T, String>;

/// A result as bits. What is lost with a device is an error, or a panic that says so.
fn told<T, E: std::fmt::Display>(call: impl FnOnce() -> Result<T, E>) -> Outcome<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(outcome) => outcome.map_err(|error| error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            assert!(text.contains("are lost with their device: "), "{text}");
            Err(text)
        }
    }
}

fn bits(floats: &[f32]) -> Vec<u32> {
    floats.iter().map(|float| float.to_bits()).collect()
}

/// What a program gets, by name. It ends with the first error.
#[derive(Debug, Default, PartialEq)]
struct Record(BTreeMap<String, Vec<u32>>);

impl Record {
    fn add<E: std::fmt::Display>(
        &mut self,
        name: impl Into<String>,
        call: impl FnOnce() -> Result<Vec<u32>, E>,
    ) -> Outcome<()> {
        let found = told(call)?;
        assert!(self.0.insert(name.into(), found).is_none());
        Ok(())
    }

    /// For a process that is started with it, and back.
    fn text(&self) -> String {
        let line = |(name, bits): (&String, &Vec<u32>)| {
            let bits = bits.iter().map(|bits| format!("{bits:x}")).collect::<Vec<_>>().join(" ");
            format!("{name}={bits}")
        };
        self.0.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn read(text: &str) -> Self {
        let lines = text.lines().map(|line| {
            let (name, bits) = line.split_once('=').expect("a name and numbers");
            let bits = bits.split(' ').map(|bits| u32::from_str_radix(bits, 16).expect("a number"));
            (name.to_string(), bits.collect())
        });
        Self(lines.collect())
    }
}

/// Training in one call and in two, inference, and what is read back.
fn trains(gpu: &Cuda, record: &mut Record) -> Outcome<()> {
    let mut net = Net::init(Seed(0));
    let mut adam = Adam::new(&net, 1e-2).unwrap();
    let mut ws = told(|| Net::workspace_on(gpu.clone(), 3))?;
    let outcome = trains_in(&mut ws, &mut net, &mut adam, record);
    if outcome.is_err() {
        stays_lost(&mut ws, &net);
    }
    outcome
}

fn trains_in(
    ws: &mut Workspace<Net, Cuda>,
    net: &mut Net,
    adam: &mut Adam<Net>,
    record: &mut Record,
) -> Outcome<()> {
    for step in 0..4 {
        let loss = told(|| net.loss_train(ws, adam, &X, &LABEL))?;
        record.add(format!("loss {step}"), || loss.value().map(|loss| bits(&[loss])))?;
    }
    record.add("trained", || net.fetch().map(|()| bits(net.params())))?;
    record.add("state", || net.fetch().map(|()| bits(net.state())))?;
    for step in 0..2 {
        let loss = told(|| net.loss_grad(ws, &X, &LABEL))?;
        record.add(format!("loss of two calls {step}"), || Ok::<_, DeviceError>(bits(&[loss])))?;
        record.add(format!("gradients {step}"), || {
            Ok::<_, DeviceError>(bits(ws.grads().as_slice()))
        })?;
        adam.step(net, ws.grads());
    }
    record.add("norm", || Ok::<_, DeviceError>(bits(&[ws.grads().norm()])))?;
    record.add("inference", || net.forward(ws, &X).map(|y| bits(y.as_flattened())))?;
    let path = std::env::temp_dir().join(format!("gradiron-failures-{}", std::process::id()));
    record.add("saved", || {
        net.save(&path)?;
        let mut loaded = Net::init(Seed(1));
        let outcome = loaded.load(&path);
        std::fs::remove_file(&path)?;
        outcome?;
        Ok::<_, Box<dyn std::error::Error>>(bits(loaded.params()))
    })
}

/// Training in 16 bits, whose losses are scaled, with gradients that are clipped.
fn trains_in_halves(gpu: &Cuda, record: &mut Record) -> Outcome<()> {
    let gpu = gpu.clone().with_precision(Precision::F16);
    let mut net = Net::init(Seed(0));
    let mut sgd = Sgd::new(&net, 1e-2).unwrap().momentum(0.5).unwrap().clip_norm(1.0).unwrap();
    let mut ws = told(|| Net::workspace_on(gpu.clone(), 3))?;
    let outcome = (|| {
        for step in 0..3 {
            let loss = told(|| net.loss_train(&mut ws, &mut sgd, &X, &LABEL))?;
            record.add(format!("loss {step}"), || loss.value().map(|loss| bits(&[loss])))?;
        }
        record.add("trained", || net.fetch().map(|()| bits(net.params())))?;
        let loss = told(|| net.loss_grad(&mut ws, &X, &LABEL))?;
        sgd.step(&mut net, ws.grads());
        record.add("loss of two calls", || Ok::<_, DeviceError>(bits(&[loss])))?;
        record.add("inference", || net.forward(&mut ws, &X).map(|y| bits(y.as_flattened())))
    })();
    if outcome.is_err() {
        stays_lost(&mut ws, &net);
    }
    outcome
}

/// No use of the workspace gives a number, and none of the parameters gives wrong ones.
fn stays_lost(ws: &mut Workspace<Net, Cuda>, net: &Net) {
    if told(|| net.forward(ws, &X).map(|_| ())).is_ok() {
        // The failure was of something else: a file, or parameters on their way to the host.
        return;
    }
    for _ in 0..2 {
        assert_lost(told(|| net.forward(ws, &X).map(|_| ())));
        assert_lost(told(|| net.loss(ws, &X, &LABEL).map(|_| ())));
        assert_lost(told(|| net.loss_grad(ws, &X, &LABEL).map(|_| ())));
        let mut fresh = Net::init(Seed(0));
        let mut sgd = Sgd::new(&fresh, 0.1).unwrap();
        assert_lost(told(|| fresh.loss_train(ws, &mut sgd, &X, &LABEL).map(|_| ())));
    }
}

#[track_caller]
fn assert_lost<T: Debug>(outcome: Outcome<T>) {
    let error = outcome.expect_err("what failed before gives no numbers");
    assert!(error.contains("the device failed before ("), "{error}");
}

/// Inference alone, and step by step.
fn infers(gpu: &Cuda, record: &mut Record) -> Outcome<()> {
    let net = Writer::init(Seed(3));
    let x: [[f32; 8]; LENGTH] =
        std::array::from_fn(|i| std::array::from_fn(|k| ((8 * i + k) as f32).sin()));
    let mut ws = told(|| Writer::infer_workspace_on(gpu.clone(), 1))?;
    let outcome = (|| {
        for round in 0..3 {
            record.add(format!("whole {round}"), || {
                net.forward(&mut ws, &[x]).map(|y| bits(y.as_flattened().as_flattened()))
            })?;
        }
        let mut cache = told(|| Writer::forward_cache(&ws, 1))?;
        for round in 0..2 {
            for (from, to) in [(0, 2), (2, 3), (3, 4)] {
                let outcome = record.add(format!("step {from} of {round}"), || {
                    let y = net.forward_step(&mut ws, &mut cache, &x[from..to]);
                    y.map(|y| bits(y.as_flattened()))
                });
                if outcome.is_err() {
                    assert!(told(|| net.forward_step(&mut ws, &mut cache, &x[..1])).is_err());
                    // The cache knows nothing of its positions any more, in no workspace.
                    let mut anew = told(|| Writer::infer_workspace_on(gpu.clone(), 1))?;
                    assert!(told(|| net.forward_step(&mut anew, &mut cache, &x[..1])).is_err());
                    cache.clear();
                    let again = told(|| {
                        let y = net.forward_step(&mut anew, &mut cache, &x[..2]);
                        y.map(|y| bits(y.as_flattened()))
                    })?;
                    assert!(record.0.get("step 0 of 0").is_none_or(|first| *first == again));
                }
                outcome?;
            }
            cache.clear();
        }
        Ok(())
    })();
    if outcome.is_err() && told(|| net.forward(&mut ws, &[x]).map(|_| ())).is_err() {
        assert_lost(told(|| net.forward(&mut ws, &[x]).map(|_| ())));
    }
    outcome
}

type Program = fn(&Cuda, &mut Record) -> Outcome<()>;
const PROGRAMS: [Program; 3] = [trains, trains_in_halves, infers];

const FAIL: &str = "GRADIRON_EMULATOR_FAIL";
const PROGRAM: &str = "GRADIRON_FAILURES_PROGRAM";
const EXPECTED: &str = "GRADIRON_FAILURES_EXPECTED";

/// In the emulator, which is told which call fails: this test runs itself again with each. Every
/// 97th call unless `GRADIRON_FAILURES_EVERY` says otherwise.
#[test]
fn each_call_may_fail() {
    if let Ok(number) = std::env::var(PROGRAM) {
        let program = PROGRAMS[number.parse::<usize>().expect("a number")];
        let expected = std::env::var(EXPECTED).expect("what the program gives");
        return fails_and_starts_anew(program, &Record::read(&expected));
    }
    let Some(gpu) = gpu("each_call_may_fail") else { return };
    if gpu.name().expect("it has a name") != "emulator" {
        eprintln!("left out: failures that the emulator alone can have");
        return;
    }
    if ["EMULATOR_ORDER", "EMULATOR_CXXFLAGS"].iter().any(|set| std::env::var_os(set).is_some()) {
        eprintln!(
            "left out: failures do not depend on the order of threads, nor do sanitizers see them"
        );
        return;
    }
    let every = std::env::var("GRADIRON_FAILURES_EVERY");
    let every: usize = every.map_or(97, |text| text.parse().expect("a number of calls"));
    let test = std::env::current_exe().expect("the test itself");
    for (number, program) in PROGRAMS.into_iter().enumerate() {
        // Compiles all kernels, and shows that the program is right by itself.
        let mut expected = Record::default();
        program(&gpu, &mut expected).expect("nothing fails");
        // Its output, and whether such a call was there to fail.
        let run = |fail: &str, cache: Option<&std::path::Path>| {
            let mut again = Command::new(&test);
            again.args(["failures::each_call_may_fail", "--exact", "--nocapture"]);
            again.env(FAIL, fail).env(PROGRAM, number.to_string()).env(EXPECTED, expected.text());
            again.envs(cache.map(|folder| ("XDG_CACHE_HOME", folder)));
            let output = again.output().expect("it runs");
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "program {number}, {fail}: {text}");
            text.contains("emulator: call ")
        };
        let mut calls = 0;
        for call in (1..).step_by(every) {
            if !run(&call.to_string(), None) {
                break;
            }
            calls = call;
        }
        // The compiler, which has nothing to do where code is kept.
        let folder = std::env::temp_dir().join(format!("gradiron-none-{}", std::process::id()));
        for call in 1..=5 {
            assert!(run(&format!("nvrtc:{call}"), Some(&folder)), "kernels are compiled");
            std::fs::remove_dir_all(&folder).expect("what was compiled is kept there");
        }
        println!("program {number}: calls up to {calls} failed, each of {every}");
        assert!(calls > 300, "program {number} makes {calls} calls");
    }
}

fn fails_and_starts_anew(program: Program, expected: &Record) {
    let gpu = match Cuda::new(0) {
        Ok(gpu) => gpu,
        Err(_) => Cuda::new(0).expect("it fails once"),
    };
    let mut found = Record::default();
    let outcome = program(&gpu, &mut found);
    assert!(outcome.is_err() || found.0.len() == expected.0.len());
    for (name, found) in &found.0 {
        assert_eq!(*found, expected.0[name], "{name}, before {outcome:?}");
    }
    if outcome.is_ok() {
        // The call comes later, or only gave something back.
        return;
    }
    // What is made anew is right, on the same GPU.
    let mut again = Record::default();
    let outcome = program(&gpu, &mut again);
    assert_eq!(outcome, Ok(()), "it fails once");
    assert_eq!(again, *expected);
}
