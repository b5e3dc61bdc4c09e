//! Runs that failed a check, in a file, and run again.

use std::path::PathBuf;
use std::process::Command;

use gradiron::debug::{StepTrace, StepTraceError};
use gradiron::prelude::*;

use crate::Outcome;

model! {
    struct Net {
        #[allow(bias_before_batch_norm)]
        fc: Linear(3 -> 8),
        bn: BatchNorm1d(8),
        head: Linear(8 -> 2),
    }

    fn loss(&self, x: [batch, 3], weight: [], label: Classes[batch]) -> [] {
        cross_entropy(self.head(self.bn(self.fc(x)).relu().dropout(0.5)), label) / weight
    }
}

model! {
    struct Other {
        fc: Linear(3 -> 9),
    }

    fn forward(&self, x: [batch, 3]) -> [batch, 9] {
        self.fc(x)
    }
}

struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let name = format!("gradiron-trace-{name}-{}.safetensors", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

const X: [[f32; 3]; 2] = [[0.5, -1.0, 2.0], [1.0, 0.25, -0.5]];
const LABELS: [u8; 2] = [1, 0];

/// Trains until a weight of zero makes the third loss infinite; the message.
fn train(cpu: Cpu) -> Result<String, Box<dyn std::error::Error>> {
    let mut net = Net::init(Seed(4));
    let mut ws = Net::workspace_on(cpu, 5)?;
    ws.manual_seed(Seed(7));
    let mut sgd = Sgd::new(&net, 0.1)?;
    for weight in [1.0, 0.5, 0.0] {
        match net.loss_grad(&mut ws, &X, weight, &LABELS) {
            Ok(_) => sgd.step(&mut net, ws.grads()),
            Err(error) => return Ok(error.to_string()),
        }
    }
    Err("nothing failed".into())
}

fn replay(trace: &StepTrace) -> Result<String, Box<dyn std::error::Error>> {
    let mut net = Net::init(Seed(0));
    let mut ws = Net::workspace_on(Cpu::with_threads(1).with_checks(), 2)?;
    trace.restore(&mut net, &mut ws)?;
    let (x, weight) = (trace.argument::<[f32; 3]>(1)?, trace.argument::<f32>(2)?[0]);
    Ok(net.loss_grad(&mut ws, x, weight, &trace.classes()[..2]).unwrap_err().to_string())
}

#[test]
fn a_failed_run_fails_again_in_the_same_way() -> Outcome {
    let file = File::new("again");
    let failed = train(Cpu::with_threads(1).with_trace(&file.0))?;
    let trace = StepTrace::load(&file.0)?;
    assert_eq!(trace.function(), "Net::loss_grad");
    assert_eq!(trace.argument::<[f32; 3]>(1)?, X);
    // Its message has the range of what dropout left.
    assert_eq!(replay(&trace)?, failed);
    Ok(())
}

#[test]
fn a_trace_of_another_model_is_an_error() -> Outcome {
    let file = File::new("other");
    train(Cpu::with_threads(1).with_trace(&file.0))?;
    let trace = StepTrace::load(&file.0)?;
    let error = trace.restore(&mut Other::init(Seed(0)), &mut Other::workspace(1)?).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`fc.weight` has 24 floats in the trace, and the model expects 27"
    );
    let error = trace.argument::<f32>(3).unwrap_err().to_string();
    assert_eq!(error, "the trace of `Net::loss_grad` has no `argument 3`");
    assert!(matches!(trace.argument::<[f32; 4]>(1), Err(StepTraceError::Length { .. })));
    std::fs::write(&file.0, b"no tensors")?;
    let error = StepTrace::load(&file.0).unwrap_err().to_string();
    assert!(error.contains("is no trace of a run"), "{error}");
    Ok(())
}

/// What the test of the variable runs as a process of its own.
#[test]
fn child() -> Outcome {
    if std::env::var_os("GRADIRON_TRACE").is_some() {
        train(Cpu::with_threads(1))?;
    }
    Ok(())
}

#[test]
fn the_variable_asks_for_a_trace() -> Outcome {
    let file = File::new("variable");
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--exact", "trace::child", "--nocapture"]).env("GRADIRON_TRACE", &file.0);
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let expected =
        format!("GRADIRON_TRACE: `Net::loss_grad` failed, and is in {}", file.0.display());
    assert!(text.contains(&expected), "{text}");
    assert!(replay(&StepTrace::load(&file.0)?)?.contains("is inf at [] of"));
    Ok(())
}
