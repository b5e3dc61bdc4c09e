//! What inference prepares of the parameters and the state: never of old ones, and once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gradiron::device::Storage;
use gradiron::device::{Changing, CpuPreparer, Device, DeviceError, Lent, Run, RunMemory};
use gradiron::math::SimdLevel;
use gradiron::prelude::*;

type Outcome = Result<(), Box<dyn std::error::Error>>;
type Image = [[[f32; 8]; 8]; 3];

model! {
    #[allow(bias_before_batch_norm)]
    struct Wide<const D: usize> {
        fc: Linear(D -> D),
        bn: BatchNorm1d(D),
    }

    fn forward(&self, x: [batch, D]) -> [batch, D] {
        x + self.bn(self.fc(x)).tanh()
    }
}

model! {
    /// Weights in all forms, models in models, a row of them, and a weight that is a formula.
    #[allow(bias_before_batch_norm)]
    struct Net {
        few: Conv2d(3 -> 4, kernel = 3, padding = 1),
        many: Conv2d(4 -> 80, kernel = 3, stride = 2),
        bn: BatchNorm2d(80),
        first: Wide<720>,
        rows: [Wide<128>; 3],
        middle: Linear(720 -> 128),
        table: Param([128, 10]),
    }

    fn forward(&self, image: [batch, 3, 8, 8]) -> [batch, 10] {
        let x = self.bn(self.many(self.few(image))).relu().flatten();
        let x: [batch, 720] = self.first(x);
        self.rows(self.middle(x)).matmul(self.table.exp() * 0.1)
    }

    fn loss(&self, image: [batch, 3, 8, 8], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(image), label)
    }
}

fn images(count: usize) -> Vec<Image> {
    let value = |n, c, i, j| ((n * 192 + c * 64 + i * 8 + j) as f32 * 0.37).sin();
    let row = |n, c, i| std::array::from_fn(|j| value(n, c, i, j));
    let plane = |n, c| std::array::from_fn(|i| row(n, c, i));
    (0..count).map(|n| std::array::from_fn(|c| plane(n, c))).collect()
}

/// Inference in a workspace of its own, whose memory held no numbers before, of a copy of the
/// network, for which nothing is prepared.
fn afresh(net: &Net, images: &[Image]) -> Result<Vec<[f32; 10]>, Box<dyn std::error::Error>> {
    let mut ws = Net::workspace(images.len())?;
    ws.poison();
    let y = net.clone().forward(&mut ws, images)?.to_vec();
    assert!(y.iter().flatten().all(|y| y.is_finite()));
    Ok(y)
}

/// Inference, which must be that of the present parameters and state.
#[track_caller]
fn present(net: &Net, ws: &mut Workspace<Net>, images: &[Image]) -> Vec<[f32; 10]> {
    let y = net.forward(ws, images).expect("the images fit").to_vec();
    assert_eq!(y, afresh(net, images).expect("the images fit"));
    y
}

/// The same, where it differs from what it was.
#[track_caller]
fn assert_anew(net: &Net, ws: &mut Workspace<Net>, images: &[Image], old: &mut Vec<[f32; 10]>) {
    let y = present(net, ws, images);
    assert_ne!(&y, old);
    *old = y;
}

#[test]
fn inference_sees_the_present_weights() -> Outcome {
    let images = images(5);
    let (mut net, other) = (Net::init(Seed(1)), Net::init(Seed(2)));
    let mut ws = Net::workspace(5)?;
    let mut sgd = Sgd::new(&net, 0.1)?;
    let mut y = Vec::new();
    assert_anew(&net, &mut ws, &images, &mut y);
    for _ in 0..2 {
        // The step changes parameters and state.
        net.loss_grad(&mut ws, &images, &[0_u8, 1, 2, 3, 4])?;
        sgd.step(&mut net, ws.grads());
        assert_anew(&net, &mut ws, &images, &mut y);
        assert!(net.loss(&mut ws, &images, &[0_u8, 1, 2, 3, 4])?.is_finite());
    }
    for spec in Net::param_specs() {
        net.params_mut()[spec.start + spec.len() / 2] += 1.0;
        y = present(&net, &mut ws, &images);
    }
    for spec in Net::state_specs().iter().filter(|spec| spec.name.contains("running")) {
        net.state_mut()[spec.start + spec.len() / 2] += 1.0;
        y = present(&net, &mut ws, &images);
    }
    let copy = net.clone();
    net.loss_grad(&mut ws, &images, &[0_u8, 1, 2, 3, 4])?;
    net.update_state(ws.grads());
    assert_anew(&net, &mut ws, &images, &mut y);
    assert_anew(&copy, &mut ws, &images, &mut y);
    assert_anew(&other, &mut ws, &images, &mut y);
    assert_anew(&net, &mut ws, &images, &mut y);
    let mut swapped = copy.clone();
    std::mem::swap(&mut net, &mut swapped);
    assert_anew(&net, &mut ws, &images, &mut y);
    let path = std::env::temp_dir().join(format!("gradiron-{}.safetensors", std::process::id()));
    other.save(&path)?;
    let loaded = net.load(&path);
    std::fs::remove_file(&path)?;
    loaded?;
    assert_anew(&net, &mut ws, &images, &mut y);
    // Memory that is overwritten is not taken for prepared.
    ws.poison();
    assert_eq!(net.forward(&mut ws, &images)?, &y);
    Ok(())
}

/// A workspace for many samples gives the bits of one for few.
#[test]
fn capacity_does_not_change_results() -> Outcome {
    let net = Net::init(Seed(3));
    let mut ws = Net::workspace(70)?;
    for count in [1, 2, 3, 9, 17, 70, 1] {
        let images = images(count);
        assert_eq!(net.forward(&mut ws, &images)?, afresh(&net, &images)?);
    }
    Ok(())
}

/// The CPU, and how many runs it was given.
struct Counted(Cpu, Arc<AtomicUsize>);

impl Counted {
    fn new(runs: &Arc<AtomicUsize>) -> Self {
        Self(Cpu::with_threads(1), Arc::clone(runs))
    }
}

impl Device for Counted {
    type Memory = Storage;
    type Pending = f32;
    type Preparer = CpuPreparer;
    const ON_HOST: bool = true;

    fn allocate(&self, floats: usize) -> Result<Storage, DeviceError> {
        self.0.allocate(floats)
    }

    fn read<'a>(
        &'a self,
        memory: &'a Storage,
        start: usize,
        len: usize,
    ) -> Result<&'a [f32], DeviceError> {
        self.0.read(memory, start, len)
    }

    fn lend<'a>(&'a self, memory: &'a Storage) -> Lent<'a> {
        self.0.lend(memory)
    }

    fn change<'a>(
        &'a self,
        memory: &'a mut Storage,
        start: usize,
        len: usize,
    ) -> Result<Changing<'a>, DeviceError> {
        self.0.change(memory, start, len)
    }

    fn read_later(&self, memory: &Storage, at: usize) -> Result<f32, DeviceError> {
        self.0.read_later(memory, at)
    }

    fn target(&self) -> Target {
        self.0.target()
    }

    fn preparer(&self) -> Option<CpuPreparer> {
        self.0.preparer()
    }

    fn run<R: Run>(&self, memory: RunMemory<'_, Self>, run: R) -> Result<(), DeviceError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        let RunMemory { params, grads, arena, cache, prepared, random, inputs, indices } = memory;
        let memory = RunMemory { params, grads, arena, cache, prepared, random, inputs, indices };
        self.0.run(memory, run)
    }
}

#[test]
fn nothing_is_prepared_twice() -> Outcome {
    let (images, label) = (images(2), [1_u8, 2]);
    let mut net = Net::init(Seed(4));
    let runs = Arc::new(AtomicUsize::new(0));
    let mut ws = Net::workspace_on(Counted::new(&runs), 2)?;
    net.forward(&mut ws, &images)?;
    assert_eq!(runs.swap(0, Ordering::Relaxed), 2, "one to prepare, one to infer");
    net.forward(&mut ws, &images)?;
    assert_eq!(runs.swap(0, Ordering::Relaxed), 1);
    net.loss(&mut ws, &images, &label)?;
    assert_eq!(runs.swap(0, Ordering::Relaxed), 1, "functions share what is prepared");
    net.loss_grad(&mut ws, &images, &label)?;
    assert_eq!(runs.swap(0, Ordering::Relaxed), 1, "training prepares nothing");
    net.forward(&mut ws, &images)?;
    assert_eq!(runs.swap(0, Ordering::Relaxed), 1, "and leaves what is prepared alone");
    net.params_mut();
    net.loss(&mut ws, &images, &label)?;
    assert_eq!(runs.swap(0, Ordering::Relaxed), 2);
    Ok(())
}

#[test]
fn workspaces_share_what_is_prepared() -> Outcome {
    let (images, runs) = (images(2), Arc::new(AtomicUsize::new(0)));
    let mut net = Net::init(Seed(6));
    let ran = || runs.swap(0, Ordering::Relaxed);
    let mut first = Net::infer_workspace_on(Counted::new(&runs), 2)?;
    let mut second = Net::workspace_on(Counted::new(&runs), 7)?;
    let y = net.forward(&mut first, &images)?.to_vec();
    assert_eq!(ran(), 2, "one to prepare, one to infer");
    assert_eq!(net.forward(&mut second, &images)?, y);
    assert_eq!(ran(), 1, "it is prepared");
    net.params_mut()[0] += 1.0;
    let expected = afresh(&net, &images)?;
    assert_eq!((net.forward(&mut second, &images)?, ran()), (&expected[..], 2));
    // What the first workspace still has is of old parameters.
    assert_eq!((net.forward(&mut first, &images)?, ran()), (&expected[..], 1));
    // A copy is another network.
    let copy = net.clone();
    assert_eq!((copy.forward(&mut first, &images)?, ran()), (&expected[..], 2));
    assert_eq!((net.forward(&mut first, &images)?, ran()), (&expected[..], 1));

    // Eight threads, and whoever comes first prepares.
    let net = Net::init(Seed(7));
    let expected = afresh(&net, &images)?;
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let device = Counted::new(&runs);
                let mut ws = Net::infer_workspace_on(device, 2).expect("there is memory");
                for _ in 0..3 {
                    assert_eq!(net.forward(&mut ws, &images).expect("it fits"), expected);
                }
            });
        }
    });
    assert_eq!(ran(), 8 * 3 + 1);
    Ok(())
}

/// Kernels that want other forms of the weights do not meet in one.
#[test]
fn devices_that_differ_do_not_share() -> Outcome {
    let images = images(3);
    let net = Net::init(Seed(8));
    let cpu = || Cpu::with_threads(1);
    let devices = [
        cpu(),
        cpu().with_simd(SimdLevel::PORTABLE),
        cpu().with_precision(Precision::Bf16),
        cpu().with_winograd(false),
    ];
    for device in devices.iter().chain(&devices) {
        let mut ws = Net::infer_workspace_on(device.clone(), 3)?;
        let mut alone = Net::infer_workspace_on(device.clone(), 3)?;
        let expected = net.clone().forward(&mut alone, &images)?.to_vec();
        assert_eq!(net.forward(&mut ws, &images)?, expected);
    }
    Ok(())
}

/// The bytes are those of the plan.
#[test]
fn inference_alone_takes_its_own_memory() -> Outcome {
    let images = images(9);
    let net = Net::init(Seed(9));
    let mut ws = Net::infer_workspace(9)?;
    assert_eq!(ws.bytes(), Net::footprint(9, Target::Host).infer);
    assert_eq!(Net::workspace(9)?.bytes(), Net::footprint(9, Target::Host).train);
    assert!(
        Net::footprint(9, Target::Host).infer + 4 * Net::PARAMS
            < Net::footprint(9, Target::Host).train
    );
    assert!(
        Net::footprint(1, Target::Host).prepared > 4 * 720 * 720
            && Net::footprint(1, Target::Host).prepared < Net::footprint(1, Target::Host).infer
    );
    ws.poison();
    let expected = afresh(&net, &images)?;
    assert_eq!(net.forward(&mut ws, &images)?, expected);
    let loss = net.loss(&mut ws, &images, &[3_u8; 9])?;
    assert_eq!(loss, net.loss(&mut Net::workspace(9)?, &images, &[3_u8; 9])?);
    Ok(())
}

model! {
    struct Small {
        fc1: Linear(4 -> 32),
        fc2: Linear(32 -> 2),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 2] {
        self.fc2(self.fc1(x).tanh())
    }
}

#[test]
fn small_weights_are_not_prepared() -> Outcome {
    let net = Small::init(Seed(5));
    let runs = Arc::new(AtomicUsize::new(0));
    let mut ws = Small::workspace_on(Counted::new(&runs), 1)?;
    net.forward(&mut ws, &[[1.0, 2.0, 3.0, 4.0]])?;
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    // Two layers of activations and the result, in whole lines.
    assert_eq!(Small::footprint(1, Target::Host).infer, 4 * (16 + 32));
    Ok(())
}
