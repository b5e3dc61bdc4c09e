//! Sizes that no memory has: they are the largest number, and a workspace of them is an error.
#![cfg(target_pointer_width = "64")]

use gradiron::__private::MOST;
use gradiron::device::{Cpu, DeviceError};
use gradiron::prelude::*;
use gradiron::workspace::WorkspaceError;

model! {
    struct Mlp {
        fc1: Linear(784 -> 128),
        fc2: Linear(128 -> 10),
    }

    fn forward(&self, x: [batch, 784]) -> [batch, 10] {
        self.fc2(self.fc1(x).relu())
    }

    fn loss(&self, x: [batch, 784], label: Classes[batch]) -> [] {
        cross_entropy(self.fc2(self.fc1(x).relu()), label)
    }
}

model! {
    /// At 2^24 samples its values have 2^64 elements.
    struct Square {
        scale: Param([1]),
    }

    fn forward(&self, x: [batch, 1048576, 1048576]) -> [batch, 1048576, 1048576] {
        (x * self.scale).exp()
    }
}

const SIDE: usize = 1 << 20;

model! {
    /// The same by constants, and by its result alone.
    struct Outer {
        row: Param([SIDE]),
    }

    fn forward(&self, x: [batch, SIDE]) -> [batch, SIDE, SIDE] {
        x.reshape([batch, SIDE, 1]) * self.row
    }

    fn loss(&self, x: [batch, SIDE]) -> [] {
        (x.reshape([batch, SIDE, 1]) * self.row).exp().mean()
    }
}

model! {
    /// Of each pair.
    struct Two {
        fc: Linear(16 -> 32),
    }

    fn forward(&self, x: [batch, 16], y: [others, 16]) -> [batch, 1] {
        self.fc(x).matmul(self.fc(y).permute([1, 0])).exp().mean(1, keepdim = true)
    }
}

model! {
    struct Nested {
        two: Two,
        rows: [Block; 3],
    }

    fn forward(&self, x: [batch, 16], y: [others, 16]) -> [batch, 1] {
        let y: [batch, 1] = self.two(self.rows(x), self.rows(y));
        y
    }
}

model! {
    struct Block {
        fc: Linear(16 -> 16),
    }

    fn forward(&self, x: [rows, 16]) -> [rows, 16] {
        x + self.fc(x)
    }
}

model! {
    struct Images {
        conv: Conv2d(3 -> 8, kernel = 3, padding = 1),
        fc: Linear(10),
    }

    fn forward(&self, x: [batch, 3, 64, 64]) -> [batch, 10] {
        self.fc(self.conv(x).relu().flatten())
    }
}

model! {
    struct Tokens {
        embedding: Embedding(100 -> 32),
        attention: MultiheadAttention(32, num_heads = 4),
        fc: Linear(32 -> 100),
    }

    #[step(128)]
    fn forward(&self, token: Classes[batch, 128]) -> [batch, 128, 100] {
        let x = self.embedding(token);
        self.fc(self.attention(x, x, x, is_causal = true))
    }
}

#[derive(Module)]
#[module(output = [batch, 10])]
struct Derived {
    fc1: Linear<784, 128>,
    relu: Relu,
    fc2: Linear<128, 10>,
}

const ALL: usize = usize::MAX;

/// In a constant, where rustc evaluates it, and when the program runs.
const IN_A_CONSTANT: usize = Mlp::footprint(ALL, Target::Host).train;

#[test]
fn bytes_beyond_all_memory_are_the_largest_number() {
    assert_eq!(IN_A_CONSTANT, ALL);
    let all = std::hint::black_box(ALL);
    assert_eq!(Mlp::footprint(all, Target::Host).train, ALL);
    assert_eq!(Mlp::footprint(all, Target::Host).infer, ALL);
    assert_eq!(Mlp::footprint(all, Precision::Bf16.on_host()).train, ALL);
    assert_eq!(Mlp::footprint(all, Precision::F16.on_device()).train, ALL);
    assert_eq!(Mlp::footprint(all, Precision::F32.on_device()).infer, ALL);
    assert_eq!(Mlp::flops(all), ALL);
    assert_eq!(Two::footprint(all, all, Target::Host).train, ALL);
    assert_eq!(Two::footprint(1 << 20, (1 << 20) + 1, Target::Host).train, ALL);
    assert_eq!(Two::footprint(all, 1, Target::Host).train, ALL);
    assert_eq!(Nested::footprint(all, 2, Target::Host).train, ALL);
    assert_eq!(Nested::footprint(1 << 32, 1 << 32, Target::Host).train, ALL);
    assert_eq!(Nested::footprint(1 << 32, 1 << 32, Target::Host).infer, ALL);
    assert_eq!(Nested::flops(1 << 32, 1 << 32), ALL);
    assert_eq!(Images::footprint(all, Target::Host).train, ALL);
    assert_eq!(Images::footprint(all / 3, Target::Host).infer, ALL);
    assert_eq!(Tokens::footprint(all, Target::Host).train, ALL);
    assert_eq!(Tokens::footprint(all / 128 + 1, Target::Host).infer, ALL);
    assert_eq!(Derived::footprint(all, Target::Host).train, ALL);
    assert_eq!(Square::footprint(1 << 24, Target::Host).train, ALL);
    assert_eq!(Outer::footprint(1 << 24, Target::Host).train, ALL);
    assert_eq!(Outer::footprint(1 << 24, Target::Host).infer, ALL);
}

/// Powers of two, and what is just below them, in rising order.
fn sizes() -> impl Iterator<Item = usize> {
    (2..64).flat_map(|power| [1, 0].map(|less| (1_usize << power) - less))
}

#[test]
fn bytes_grow_with_sizes() {
    let (mut last, mut cost) = ([0; 8], 0);
    for n in sizes() {
        let now = [
            Mlp::footprint(n, Target::Host).train,
            Mlp::footprint(n, Target::Host).infer,
            Square::footprint(n, Target::Host).train,
            Outer::footprint(n, Target::Host).train,
            Images::footprint(n, Target::Host).train,
            Tokens::footprint(n, Target::Host).infer,
            Nested::footprint(n, 7, Target::Host).train,
            Two::footprint(3, n, Target::Host).train,
        ];
        if n.is_power_of_two() {
            for (at, (last, now)) in last.iter().zip(&now).enumerate() {
                assert!(last <= now, "number {at} at {n}: {last} bytes, then {now}");
            }
            assert!(cost <= Mlp::flops(n));
            (last, cost) = (now, Mlp::flops(n));
        }
        // What 128 bits say of the largest value.
        let floats = 784 * n as u128;
        if 4 * floats > ALL as u128 {
            assert_eq!(now[0], ALL);
        } else if floats <= MOST as u128 {
            assert!(now[0] < ALL && now[0] as u128 > 4 * 128 * n as u128);
        }
    }
}

#[test]
fn a_workspace_that_is_too_large_names_its_sizes() {
    let cpu = Cpu::with_threads(1);
    let error = Square::workspace_on(cpu.clone(), 1 << 24).unwrap_err();
    assert!(matches!(&error, WorkspaceError::TooLarge { .. }));
    assert_eq!(
        error.to_string(),
        "a workspace for `batch` = 16777216 has values of more than 1099511627776 elements, or needs more \
         memory than there are addresses; make it for smaller sizes"
    );
    // As many as are allowed are no more than a lack of memory.
    let error = Square::workspace_on(cpu.clone(), 1).unwrap_err();
    let WorkspaceError::Device(DeviceError::OutOfMemory { bytes, .. }) = error else {
        panic!("{error}")
    };
    assert!(bytes > 4 * MOST && bytes < ALL, "{bytes}");
    assert!(matches!(
        Square::infer_workspace_on(cpu.clone(), 2),
        Err(WorkspaceError::TooLarge { .. })
    ));
    assert!(matches!(Outer::workspace_on(cpu.clone(), 2), Err(WorkspaceError::TooLarge { .. })));
    let error = Two::workspace_on(cpu.clone(), 1 << 24, 1 << 22).unwrap_err().to_string();
    assert!(error.contains("`batch` = 16777216, `others` = 4194304 has values"), "{error}");
    let error = Nested::workspace_on(cpu.clone(), 1 << 24, 1 << 24).unwrap_err();
    assert!(matches!(error, WorkspaceError::TooLarge { .. }));
    for size in [0, (1 << 24) + 1, ALL] {
        let error = Mlp::workspace_on(cpu.clone(), size).unwrap_err();
        assert!(matches!(error, WorkspaceError::Capacity { .. }), "{error}");
    }
}

#[test]
fn what_is_said_before_is_what_a_workspace_has() {
    let cpu = Cpu::with_threads(1);
    for n in [1, 3, 64] {
        assert_eq!(
            Mlp::footprint(n, Target::Host).train,
            Mlp::workspace_on(cpu.clone(), n).unwrap().bytes()
        );
        assert_eq!(
            Images::footprint(n, Target::Host).train,
            Images::workspace_on(cpu.clone(), n).unwrap().bytes()
        );
        assert_eq!(
            Tokens::footprint(n, Target::Host).infer,
            Tokens::infer_workspace_on(cpu.clone(), n).unwrap().bytes()
        );
        assert_eq!(
            Nested::footprint(n, 5, Target::Host).train,
            Nested::workspace_on(cpu.clone(), n, 5).unwrap().bytes()
        );
    }
}
