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
