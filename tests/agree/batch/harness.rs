//! What the programs of a batch are run with. Written once; a batch is compiled with a copy of it.

use std::fmt::Debug;

use gradiron::math::{SimdKind, SimdLevel};
use gradiron::prelude::*;

pub type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The numbers of a program, and what it made of them.
pub struct Data {
    floats: Vec<f32>,
    at: usize,
    found: Vec<u32>,
    wrong: Vec<String>,
    device: (SimdKind, usize),
}

impl Data {
    pub fn take(&mut self, len: usize) -> Vec<f32> {
        self.at += len;
        self.floats[self.at - len..self.at].to_vec()
    }

    pub fn indices(&mut self, len: usize) -> Vec<u32> {
        self.take(len).into_iter().map(|index| index as u32).collect()
    }

    pub fn device(&self) -> Cpu {
        let (kind, threads) = self.device;
        let level = SimdLevel::new(kind).expect("the processor has it");
        Cpu::with_threads(threads).with_simd(level)
    }

    /// Compares with what comes next: the largest error that is allowed, and the numbers.
    pub fn expect(&mut self, name: &str, found: Vec<f32>) {
        let allowed = self.take(1)[0];
        let expected = self.take(found.len());
        let pairs = expected.iter().zip(&found).enumerate();
        let is_off = |(_, (want, got)): &(usize, (&f32, &f32))| {
            !((*want - *got).abs() <= allowed) && want.to_bits() != got.to_bits()
        };
        if let Some((at, (want, got))) = pairs.clone().find(is_off) {
            let device = self.device;
            self.wrong.push(format!("{name}[{at}] is {got}, not {want} ± {allowed:e} ({device:?})"));
        }
        self.found.extend(found.iter().map(|x| x.to_bits()));
    }
}

/// The floats of a result.
pub trait Values {
    fn values(&self) -> Vec<f32>;
}

impl Values for f32 {
    fn values(&self) -> Vec<f32> {
        vec![*self]
    }
}

impl<T: bytemuck::Pod> Values for &[T] {
    fn values(&self) -> Vec<f32> {
        bytemuck::cast_slice(self).to_vec()
    }
}

impl<T: bytemuck::Pod, const N: usize> Values for &[T; N] {
    fn values(&self) -> Vec<f32> {
        bytemuck::cast_slice(&self[..]).to_vec()
    }
}

impl<const RANK: usize> Values for TensorView<'_, RANK> {
    fn values(&self) -> Vec<f32> {
        self.as_slice().to_vec()
    }
}

impl Values for () {
    fn values(&self) -> Vec<f32> {
        Vec::new()
    }
}

/// Runs a program at every level, with one thread and with several: the numbers are those that are
/// expected, and the same bits for any number of threads.
pub fn run(name: &str, file: &str, program: fn(&mut Data) -> Outcome) -> bool {
    let bytes = std::fs::read(file).expect("the numbers of the program are there");
    let (floats, _) = bytes.as_chunks::<4>();
    let floats: Vec<f32> = floats.iter().map(|word| f32::from_le_bytes(*word)).collect();
    let kinds = [SimdKind::Portable, SimdKind::Avx2, SimdKind::Avx512];
    let mut failures: Vec<String> = Vec::new();
    for kind in kinds.into_iter().filter(|kind| SimdLevel::new(*kind).is_some()) {
        let found = [1, 3].map(|threads| {
            let mut data = Data {
                floats: floats.clone(),
                at: 0,
                found: Vec::new(),
                wrong: Vec::new(),
                device: (kind, threads),
            };
            let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| program(&mut data)));
            match ran {
                Ok(Ok(())) => failures.append(&mut data.wrong),
                Ok(Err(error)) => failures.push(format!("{error} ({kind:?}, {threads} threads)")),
                Err(_) => failures.push(format!("a panic ({kind:?}, {threads} threads)")),
            }
            data.found
        });
        if found[0] != found[1] {
            failures.push(format!("other bits with three threads ({kind:?})"));
        }
    }
    failures.iter().for_each(|failure| println!("{name}: {failure}"));
    failures.is_empty()
}

/// Fails loudly where a value does not exist.
pub fn set<T: Copy + Debug>(to: &mut [T], from: &[T]) {
    assert_eq!(to.len(), from.len(), "a flat slice and its numbers");
    to.copy_from_slice(from);
}
