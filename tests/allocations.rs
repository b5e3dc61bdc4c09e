//! After the first step, training and inference allocate nothing, on any thread.

mod nets;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use gradiron::data::{Dataset, mnist::Image};
use gradiron::prelude::*;
use nets::{BATCH, DIGITS, LeNet, Mlp};

/// Counts the allocations of all threads.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the caller gives a layout that is not empty.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the caller gives a layout that is not empty.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the caller gives memory of this allocator, which is the system's, with its
        // layout.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller gives memory of this allocator, which is the system's, with its
        // layout.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

model! {
    struct Block<const WIDTH: usize> {
        up: Linear(WIDTH -> 4 * WIDTH),
        down: Linear(4 * WIDTH -> WIDTH),
    }

    fn forward(&self, x: [batch, WIDTH]) -> [batch, WIDTH] {
        x + self.down(self.up(x).gelu())
    }
}

model! {
    struct Nested {
        conv: Conv2d(1 -> 8, kernel = 5, padding = 2),
        fc1: Linear(64),
        blocks: [Block<64>; 3],
        fc2: Linear(10),
    }

    fn forward(&self, x: [batch, 1, 28, 28]) -> [batch, 10] {
        let x = self.conv(x).relu().max_pool2d(2).flatten();
        self.fc2(self.blocks(self.fc1(x)))
    }

    fn loss(&self, x: [batch, 1, 28, 28], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(x), label)
    }
}

model! {
    /// Two losses that train a part each, with a buffer and statistics, and parts of batches.
    #[allow(bias_before_batch_norm)]
    struct ByTurns {
        mean: Buffer([1, 28, 28]),
        fc1: Linear(784 -> 64),
        norm: BatchNorm1d(64),
        fc2: Linear(64 -> 10),
    }

    fn forward(&self, x: [batch, 1, 28, 28]) -> [batch, 10] {
        self.fc2(self.norm(self.fc1((x - self.mean).flatten())).relu())
    }

    #[trains(fc1, norm)]
    fn body(&self, x: [batch, 1, 28, 28], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(x), label)
    }

    #[trains(fc2)]
    fn head(&self, x: [batch, 1, 28, 28], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(x), label)
    }
}

/// The allocations of steps along both losses, each of two parts.
fn by_turns(data: &Dataset<Image, u8>, threads: usize) -> usize {
    let mut net = ByTurns::init(Seed(0));
    let mut ws = ByTurns::workspace_on(Cpu::with_threads(threads), BATCH).unwrap();
    let mut adam = AdamW::new(&net, 1e-3).unwrap().clip_norm(1.0).unwrap();
    let mut train = |count| {
        for (at, (image, label)) in steps(data, count).enumerate() {
            for _ in 0..2 {
                match at % 2 {
                    0 => net.body_grad(&mut ws, image, label).unwrap(),
                    _ => net.head_grad(&mut ws, image, label).unwrap(),
                };
                ws.accumulate(&mut net, &adam, image.len()).unwrap();
            }
            net.mean_mut()[0][0][0] += 0.1;
            adam.step(&mut net, ws.grads());
        }
    };
    train(2);
    allocations(|| train(STEPS))
}

model! {
    /// For images of several sizes.
    struct Sized {
        conv: Conv2d(1 -> 16, kernel = 3, padding = 1),
        wide: Conv2d(16 -> 16, kernel = 3, padding = 1),
        fc: Linear(16 -> 10),
    }

    fn forward(&self, x: [batch, 1, h, w]) -> [batch, 16, h / 2, w / 2] {
        self.wide(self.conv(x).relu().max_pool2d(2))
    }

    fn loss(&self, x: [batch, 1, h, w], label: Classes[batch]) -> [] {
        cross_entropy(self.fc(self.forward(x).mean(dim = [2, 3])), label)
    }
}

/// Some thousand runs of the threads.
const STEPS: usize = 60;

/// The allocations of `run`.
fn allocations(run: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.load(Ordering::SeqCst);
    run();
    ALLOCATIONS.load(Ordering::SeqCst) - before
}

/// The batches of `data` over and over, the smaller last one included.
fn steps(data: &Dataset<Image, u8>, count: usize) -> impl Iterator<Item = (&[Image], &[u8])> {
    data.batches(BATCH).cycle().take(count)
}

macro_rules! allocates_nothing {
    ($model:ident, $optimizer:expr, $data:expr, $threads:expr) => {{
        let mut net = $model::init(Seed(0));
        let mut ws = $model::workspace_on(Cpu::with_threads($threads), BATCH).unwrap();
        let optimizer = $optimizer(&net).unwrap().clip_norm(1.0).unwrap();
        let mut optimizer = optimizer.group("fc2", |g| g.learning_rate(2e-3)).unwrap();
        optimizer.set_frozen("fc1.bias", true).unwrap();
        let first = $model::selection("fc1").unwrap();
        let mut mean = net.clone();
        let mut train = |count| {
            for (image, label) in steps($data, count) {
                let loss = net.loss_grad(&mut ws, image, label).unwrap();
                ws.grads_mut().select_mut(&first).unwrap().clip_norm(0.5);
                mean.lerp(&net, 0.01);
                optimizer.step(&mut net, ws.grads());
                assert!(loss.is_finite());
            }
        };
        train(1);
        let training = allocations(|| train(STEPS));
        let mut infer = |count| {
            for (image, label) in steps($data, count) {
                assert_eq!(net.forward(&mut ws, image).unwrap().len(), image.len());
                assert!(net.loss(&mut ws, image, label).unwrap().is_finite());
            }
        };
        infer(1);
        let inference = allocations(|| infer(STEPS));
        // Two workspaces that read one network, and what is prepared of it.
        let serving = || $model::infer_workspace_on(Cpu::with_threads($threads), BATCH).unwrap();
        let mut serving = [serving(), serving()];
        let mut serve = |count| {
            for (image, _) in steps($data, count) {
                for ws in &mut serving {
                    assert_eq!(net.forward(ws, image).unwrap().len(), image.len());
                }
            }
        };
        serve(1);
        let served = allocations(|| serve(STEPS / 4));
        let all = (training, inference, served);
        assert_eq!(all, (0, 0, 0), "{}, threads: {}", stringify!($model), $threads);
    }};
}

/// Images of another size at each step.
fn sizes_allocate_nothing(threads: usize) {
    let mut net = Sized::init(Seed(0));
    let mut ws = Sized::workspace_on(Cpu::with_threads(threads), BATCH, 28, 28).unwrap();
    let mut adam = Adam::new(&net, 1e-3).unwrap();
    let floats = vec![0.5; BATCH * 28 * 28];
    let label = [3_u8; BATCH];
    let mut run = |count: usize| {
        for i in 0..count {
            let (batch, h, w) = (1 + i % BATCH, 2 + i % 27, 2 + i * 7 % 27);
            let x = TensorView::new(&floats[..batch * h * w], [batch, 1, h, w]).unwrap();
            assert!(net.loss_grad(&mut ws, &x, &label[..batch]).unwrap().is_finite());
            adam.step(&mut net, ws.grads());
            assert_eq!(net.forward(&mut ws, &x).unwrap().sizes(), [batch, 16, h / 2, w / 2]);
        }
    };
    run(1);
    assert_eq!(allocations(|| run(STEPS)), 0, "sizes, threads: {threads}");
}

/// No `#[test]`: the harness allocates beside a test, when it takes a minute or its output is
/// shown.
fn main() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1, "allocations count");
    // Ten whole batches and a smaller one.
    let data = DIGITS.clone().take(10 * BATCH + BATCH / 3);
    for threads in [1, 2] {
        let sgd = |net: &_| Sgd::new(net, 0.01)?.momentum(0.9);
        let adam = |net: &_| Adam::new(net, 1e-3);
        allocates_nothing!(LeNet, adam, &data, threads);
        allocates_nothing!(Mlp, sgd, &data, threads);
        allocates_nothing!(Nested, |net: &_| AdamW::new(net, 1e-3), &data, threads);
        assert_eq!(by_turns(&data, threads), 0, "threads: {threads}");
        sizes_allocate_nothing(threads);
    }
}
