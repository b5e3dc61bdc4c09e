//! Inference, gradients and an optimizer's step allocate nothing after a first step. The first
//! one allocates what each thread keeps for packed matrices.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use gradiron::prelude::*;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
    struct Net28 {
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

/// What steps at these batch sizes allocate.
fn allocations(batches: &[usize]) -> Result<usize, Box<dyn std::error::Error>> {
    let mut net = Net28::init(Seed(0));
    let mut ws = Net28::workspace_on(Cpu::with_threads(1), 64)?;
    let mut adam = Adam::new(&net, 1e-3)?;
    let (x, label) = (vec![[[[0.5; 28]; 28]; 1]; 64], [3_u8; 64]);
    let mut before = 0;
    for batch in [&[64], batches].concat() {
        let (x, label) = (&x[..batch], &label[..batch]);
        net.loss_grad(&mut ws, x, label)?;
        adam.step(&mut net, ws.grads());
        net.loss_grad_inputs(&mut ws, x, label)?;
        net.forward(&mut ws, x)?;
        if before == 0 {
            before = ALLOCATIONS.load(Ordering::Relaxed);
        }
    }
    Ok(ALLOCATIONS.load(Ordering::Relaxed) - before)
}

#[test]
fn steps_allocate_nothing() -> Result<(), Box<dyn std::error::Error>> {
    assert_eq!(allocations(&[64, 64, 64])?, 0);
    Ok(())
}

#[test]
#[ignore = "a nested model does not yet run at less than its workspace's batch size"]
fn smaller_steps_allocate_nothing() -> Result<(), Box<dyn std::error::Error>> {
    assert_eq!(allocations(&[64, 17, 1])?, 0);
    Ok(())
}
