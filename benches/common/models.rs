//! Networks of the benchmarks, and their data.

use gradiron::prelude::*;

/// Different batches, taken in turn.
pub const BATCHES: usize = 8;

model! {
    pub struct MlpLarge {
        fc1: Linear(784 -> 2048),
        fc2: Linear(2048 -> 2048),
        fc3: Linear(2048 -> 10),
    }

    fn loss(&self, image: [batch, 784], label: Classes[batch]) -> [] {
        let x = self.fc1(image).relu();
        let x = self.fc2(x).relu();
        cross_entropy(self.fc3(x), label)
    }
}

model! {
    pub struct LeNet {
        conv1: Conv2d(1 -> 6, kernel = 5, padding = 2),
        conv2: Conv2d(6 -> 16, kernel = 5),
        fc1: Linear(400 -> 120),
        fc2: Linear(120 -> 84),
        fc3: Linear(84 -> 10),
    }

    fn loss(&self, image: [batch, 1, 28, 28], label: Classes[batch]) -> [] {
        let x = self.conv1(image).relu().max_pool2d(2);
        let x = self.conv2(x).relu().max_pool2d(2).flatten();
        let x = self.fc1(x).relu();
        let x = self.fc2(x).relu();
        cross_entropy(self.fc3(x), label)
    }
}

model! {
    pub struct Lstm {
        rnn: LSTM(64 -> 128),
        fc: Linear(128 -> 10),
    }

    fn loss(&self, x: [batch, 64, 64], label: Classes[batch]) -> [] {
        let (_y, h, _c) = self.rnn(x);
        cross_entropy(self.fc(h), label)
    }
}

model! {
    pub struct Gru {
        rnn: GRU(64 -> 128),
        fc: Linear(128 -> 10),
    }

    fn loss(&self, x: [batch, 64, 64], label: Classes[batch]) -> [] {
        let (_y, h) = self.rnn(x);
        cross_entropy(self.fc(h), label)
    }
}

/// The same samples in each batch with different labels: they cannot be learnt, so gradients do
/// not vanish.
pub fn batches<T: Sample>(batch: usize) -> impl FnMut() -> (&'static [T], &'static [u8]) {
    let x: &'static [T] = Vec::leak((0..batch).map(T::new).collect());
    let label = |i: usize| ((i as u32).wrapping_mul(0x9E37_79B9) >> 16) as u8 % 10;
    let labels: &'static [u8] = Vec::leak((0..BATCHES * batch).map(label).collect());
    let mut at = 0;
    move || {
        at = (at + 1) % BATCHES;
        (x, &labels[at * batch..][..batch])
    }
}

/// A sample of noise, the same for the same number.
pub trait Sample: Copy + 'static {
    fn new(number: usize) -> Self;
}

pub fn noise(i: usize) -> f32 {
    let bits = (i as u32).wrapping_mul(0x85EB_CA6B);
    (bits ^ (bits >> 15)).wrapping_mul(0xC2B2_AE35) as f32 / (1_u32 << 31) as f32 - 1.0
}

impl<const N: usize> Sample for [f32; N] {
    fn new(number: usize) -> Self {
        std::array::from_fn(|i| noise(number * N + i))
    }
}

impl<const H: usize, const W: usize> Sample for [[f32; W]; H] {
    fn new(number: usize) -> Self {
        std::array::from_fn(|i| std::array::from_fn(|j| noise((number * H + i) * W + j)))
    }
}

impl<const C: usize, const H: usize, const W: usize> Sample for [[[f32; W]; H]; C] {
    fn new(number: usize) -> Self {
        std::array::from_fn(|c| {
            std::array::from_fn(|i| {
                std::array::from_fn(|j| noise(((number * C + c) * H + i) * W + j))
            })
        })
    }
}
