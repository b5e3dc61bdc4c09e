//! What goes wrong comes back as an error.

use gradiron::device::CudaError;
use gradiron::prelude::*;

use crate::gpu;

model! {
    pub struct Wide {
        fc: Linear(4096 -> 4096),
    }

    fn forward(&self, x: [batch, 4096]) -> [batch, 4096] {
        self.fc(x).relu()
    }
}

#[test]
fn without_a_driver_or_a_gpu() {
    match Cuda::new(usize::MAX) {
        Err(error @ CudaError::NoDevice { .. }) => {
            let text = error.to_string();
            assert!(
                text.starts_with("there is no GPU 18446744073709551615: the driver sees "),
                "{text}"
            );
        }
        Err(error @ (CudaError::NoDriver { .. } | CudaError::NoLibrary { .. })) => {
            let text = error.to_string();
            assert!(text.contains("was not found by the system's loader or in "), "{text}");
        }
        Err(error) => assert!(matches!(error, CudaError::OldDriver { .. }), "{error}"),
        Ok(_) => panic!("no machine has so many GPUs"),
    }
}

/// In the emulator, whose driver and memory the environment sets: this test runs itself again with
/// each setting, and with the words that it must find.
#[test]
fn what_is_wrong_is_said() {
    const WORDS: &str = "GRADIRON_EXPECTED_WORDS";
    if let Ok(words) = std::env::var(WORDS) {
        let error = run_until_it_fails().expect_err("something is wrong").to_string();
        assert!(error.contains(&words), "{error}");
        return;
    }
    let Some(gpu) = gpu("what_is_wrong_is_said") else { return };
    if gpu.name().expect("it has a name") != "emulator" {
        eprintln!(
            "left out: errors of other drivers and memories, which the emulator alone can have"
        );
        return;
    }
    let program = std::env::current_exe().expect("the test itself");
    for (variable, value, words) in [
        (
            "EMULATOR_DRIVER",
            "12040",
            "supports CUDA 12.4, but 13.0 is needed; install a newer driver",
        ),
        ("EMULATOR_DEVICES", "0", "there is no GPU 0: the driver sees 0"),
        ("EMULATOR_MEMORY", "100000000", "the GPU has no room for 67125248 bytes: "),
        // Enough for the model, and too little for the optimizer.
        ("EMULATOR_MEMORY", "200000000", "the GPU has no room for 67125248 bytes: "),
    ] {
        let mut again = std::process::Command::new(&program);
        again
            .args(["errors::what_is_wrong_is_said", "--exact"])
            .env(variable, value)
            .env(WORDS, words);
        let output = again.output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{variable}={value}: {text}");
    }
}

fn run_until_it_fails() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Cuda::new(0)?;
    let mut net = Wide::init(Seed(0));
    let mut ws = Wide::workspace_on(gpu, 1)?;
    let mut adam = Adam::new(&net, 1e-3)?;
    let (x, d_y) = ([[0.1; 4096]], [[1.0; 4096]]);
    net.forward_grad(&mut ws, &x, &d_y)?;
    // It returns nothing; the next call tells.
    adam.step(&mut net, ws.grads());
    net.forward(&mut ws, &x)?;
    Ok(())
}

#[test]
fn more_memory_than_there_is() {
    let Some(gpu) = gpu("more_memory_than_there_is") else { return };
    let error = Wide::workspace_on(gpu.clone(), 1 << 24).unwrap_err().to_string();
    assert!(error.starts_with("the GPU has no room for "), "{error}");
    assert!(error.ends_with("use a smaller batch capacity"), "{error}");
    // The device is as good as before.
    let net = Wide::init(Seed(0));
    let mut ws = Wide::workspace_on(gpu, 1).unwrap();
    assert_eq!(net.forward(&mut ws, &[[0.0; 4096]]).unwrap().len(), 1);
}

#[test]
fn inputs_are_checked_as_on_the_cpu() {
    let Some(gpu) = gpu("inputs_are_checked_as_on_the_cpu") else { return };
    let net = Wide::init(Seed(0));
    let mut ws = Wide::workspace_on(gpu, 1).unwrap();
    let error = net.forward(&mut ws, &[[0.0; 4096]; 2]).unwrap_err().to_string();
    assert!(
        error.starts_with("`x` has batch = 2, but the workspace was made for at most 1"),
        "{error}"
    );
}
