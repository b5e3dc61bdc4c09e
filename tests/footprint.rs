//! The memory of a whole process that trains, and of one that infers: what the plan says, and
//! little more.

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
    let planned = Mlp::footprint(BATCH, Target::Host).train + 3 * 4 * Mlp::PARAMS;
    let data = size_of_val(images) + size_of_val(&labels[..]);
    println!("resident at most {peak} bytes, planned {planned}, data {data}");
    assert!(peak <= planned + data + (8 << 20), "{peak} bytes; planned {planned}, data {data}");
    Ok(())
}

model! {
    pub struct Wide {
        fc1: Linear(1536 -> 1536),
        fc2: Linear(1536 -> 1536),
        fc3: Linear(1536 -> 8),
    }

    fn forward(&self, x: [batch, 1536]) -> [batch, 8] {
        self.fc3(self.fc2(self.fc1(x).relu()).relu())
    }

    fn loss(&self, x: [batch, 1536], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(x), label)
    }
}

/// Eight threads that serve one network. What is prepared of 18 MiB of weights is there once, and
/// nothing of what training needs. The test runs itself again, in a process that has done nothing
/// else.
#[test]
fn threads_that_serve_hold_one_copy() -> Result<(), Box<dyn std::error::Error>> {
    const THREADS: usize = 8;
    const SERVES: &str = "GRADIRON_SERVES";
    if std::env::var_os(SERVES).is_none() {
        let mut again = std::process::Command::new(std::env::current_exe()?);
        again.args(["threads_that_serve_hold_one_copy", "--exact", "--nocapture"]);
        let output = again.env(SERVES, "1").output()?;
        let text =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        println!("{text}");
        assert!(output.status.success(), "{text}");
        return Ok(());
    }
    let net = Wide::init(Seed(0));
    let workspaces: Result<Vec<_>, _> =
        (0..THREADS).map(|_| Wide::infer_workspace_on(Cpu::with_threads(1), BATCH)).collect();
    let mut workspaces = workspaces?;
    assert!(workspaces.iter().all(|ws| ws.bytes() == Wide::footprint(BATCH, Target::Host).infer));
    let x = vec![[0.25; 1536]; BATCH];
    let y: Vec<_> = std::thread::scope(|scope| {
        let serve = |ws| scope.spawn(|| net.forward(ws, &x).map(|y| y.to_vec()));
        let threads: Vec<_> = workspaces.iter_mut().map(serve).collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    });
    let y = y.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert!(y.iter().all(|of_thread| *of_thread == y[0]));
    let Some(peak) = peak_resident() else {
        eprintln!("NOT CHECKED: /proc/self/status has no VmHWM on this system");
        return Ok(());
    };
    let (shared, of_each) = (
        Wide::footprint(1, Target::Host).prepared,
        Wide::footprint(BATCH, Target::Host).infer - Wide::footprint(1, Target::Host).prepared,
    );
    assert!(shared >= 18 << 20);
    let planned = 4 * Wide::PARAMS + shared + THREADS * of_each + size_of_val(&x[..]);
    // Each thread keeps packed parts of matrices as well, within the first 8 MiB.
    println!("resident at most {peak} bytes, planned {planned}, shared {shared}, each {of_each}");
    assert!(peak <= planned + (8 << 20), "{peak} bytes; planned {planned}");
    Ok(())
}
