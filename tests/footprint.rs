//! The memory of a whole process that trains: what the plan says, and little more.

use gradiron::prelude::*;

const BATCH: usize = 64;

model! {
    pub struct Mlp {
        fc1: Linear(784 -> 128),
        fc2: Linear(128 -> 10),
    }

    fn loss(&self, image: [batch, 784], label: Classes[batch]) -> [] {
        cross_entropy(self.fc2(self.fc1(image).relu()), label)
    }
}

/// The most memory that this process has had resident (`VmHWM` of proc(5)), in bytes.
fn peak_resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()? << 10)
}

#[test]
fn a_process_needs_the_planned_memory_and_at_most_8_mib() -> Result<(), Box<dyn std::error::Error>>
{
    let images: Vec<f32> = (0..BATCH * 784).map(|i| (i as f32 * 0.37).sin()).collect();
    let labels: Vec<u8> = (0..BATCH).map(|i| (i % 10) as u8).collect();
    let mut net = Mlp::init(Seed(0));
    let mut ws = Mlp::workspace(BATCH)?;
    let mut adam = Adam::new(&net, 1e-3)?;
    let images = gradiron::view::samples(&images)?;
    for _ in 0..100 {
        net.loss_grad(&mut ws, images, &labels)?;
        adam.step(&mut net, ws.grads());
    }
    let Some(peak) = peak_resident() else {
        eprintln!("NOT CHECKED: /proc/self/status has no VmHWM on this system");
        return Ok(());
    };
    // The workspace, the parameters, and Adam's two buffers of that size.
    let planned = Mlp::train_bytes(BATCH) + 3 * 4 * Mlp::PARAMS;
    let data = size_of_val(images) + size_of_val(&labels[..]);
    println!("resident at most {peak} bytes, planned {planned}, data {data}");
    assert!(peak <= planned + data + (8 << 20), "{peak} bytes; planned {planned}, data {data}");
    Ok(())
}
