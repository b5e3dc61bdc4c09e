//! Small calls of every room, on kernels of any kind: what one test says of a call, others say of
//! the same.

pub mod images;
pub mod products;
pub mod rows;
pub mod sequences;

pub use {images::*, products::*, rows::*, sequences::*};

use std::sync::LazyLock;

use gradiron::device::{Buf, Indices, Kernels, Region};

/// Floats between ranges: a write beside a range is seen.
const GAP: usize = 17;

/// Small whole numbers: classes, places and lengths of anything that has more than two.
pub const INDICES: [u32; 24] =
    [2, 0, 1, 2, 2, 1, 0, 0, 1, 2, 0, 2, 1, 1, 0, 2, 0, 1, 2, 0, 0, 2, 1, 1];

/// Hands out ranges of the arena, one behind the other, and of an input of small numbers.
pub struct Memory {
    end: usize,
    floats: usize,
    input: usize,
    results: Vec<Buf>,
    /// Ranges that hold anything when the calls are done.
    scratch: Vec<Buf>,
}

impl Memory {
    pub fn new(floats: usize) -> Self {
        // Room for the ranges of any calls: one test counts what is allocated meanwhile.
        let [results, scratch] = [(); 2].map(|()| Vec::with_capacity(256));
        Self { end: GAP, floats, input: 0, results, scratch }
    }

    /// Hands out the same again.
    pub fn clear(&mut self) {
        (self.end, self.input) = (GAP, 0);
        self.results.clear();
        self.scratch.clear();
    }

    fn place(&mut self, len: usize) -> Buf {
        let buf = Buf::new(Region::Arena, self.end, len);
        // Odd places, so that nothing is aligned by chance.
        self.end = (self.end + len + GAP) | 1;
        assert!(self.end <= self.floats, "the arena of this room is too small: {}", self.end);
        buf
    }

    /// A range whose floats are results: numbers when all calls are done.
    pub fn result(&mut self, len: usize) -> Buf {
        let buf = self.place(len);
        assert!(self.results.len() < self.results.capacity(), "more than 256 results");
        self.results.push(buf);
        buf
    }

    /// A range for anything else.
    pub fn scratch(&mut self, len: usize) -> Buf {
        let buf = self.place(len);
        self.scratch.push(buf);
        buf
    }

    /// What was handed out of the arena.
    pub fn ranges(&self) -> impl Iterator<Item = Buf> {
        self.results.iter().chain(&self.scratch).copied()
    }

    /// The bits of all results, when nothing was written beside the ranges.
    pub fn results(&self, name: &str, arena: &[f32], are_numbers: bool) -> Vec<u32> {
        check_gaps(name, arena, self.ranges());
        let of = |buf: &Buf| arena[buf.start..][..buf.len].iter();
        assert!(!self.results.is_empty(), "{name}: no results");
        if are_numbers {
            let bad = self.results.iter().position(|buf| of(buf).any(|x| x.is_nan()));
            assert_eq!(bad, None, "{name}: this result is not a number");
        }
        // The bits of what is no number are open in Rust, and Miri draws them.
        let one = |x: &f32| if cfg!(miri) && x.is_nan() { f32::NAN } else { *x };
        self.results.iter().flat_map(of).map(|x| one(x).to_bits()).collect()
    }

    /// Floats to read, between -1 and 1.
    pub fn x(&mut self, len: usize) -> Buf {
        let start = self.input;
        self.input += 7;
        Buf::new(Region::Input(0), start, len)
    }
}

/// Calls of kernels of any kind: a type, since closures are not generic.
pub trait Calls {
    /// The floats of the arena.
    const FLOATS: usize;
    fn call<K: Kernels>(k: &mut K, memory: &mut Memory);
}

/// `calls!(Name, floats of its arena, |k, m| { calls })`
macro_rules! calls {
    ($name:ident, $floats:expr, |$k:ident, $m:ident| $body:block) => {
        pub struct $name;
        impl $crate::calls::Calls for $name {
            const FLOATS: usize = $floats;
            fn call<K: gradiron::device::Kernels>($k: &mut K, $m: &mut $crate::calls::Memory) $body
        }
    };
}
use calls;

/// The numbers of the input.
pub fn input() -> &'static [f32] {
    static INPUT: LazyLock<Vec<f32>> = LazyLock::new(numbers);
    &INPUT
}

fn numbers() -> Vec<f32> {
    let mut bits = 1_u32;
    let mut next = || {
        bits = bits.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        (bits >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..17_000).map(|_| next()).collect()
}

/// Whether ranges alone of an arena were written.
pub fn check_gaps(name: &str, arena: &[f32], ranges: impl IntoIterator<Item = Buf>) {
    let mut ranges: Vec<_> = ranges.into_iter().map(|buf| (buf.start, buf.len)).collect();
    ranges.sort_unstable();
    let mut end = 0;
    for (start, len) in ranges.into_iter().chain([(arena.len(), 0)]) {
        let is_untouched = arena[end..start].iter().all(|x| x.is_nan());
        assert!(is_untouched, "{name}: a kernel wrote beside its ranges, before {start}");
        end = start + len;
    }
}

/// Class indices from the first on.
pub fn indices(len: usize) -> Indices {
    Indices::new(0, len)
}

/// Gives all calls, each as a name and a type, to a macro: those of each room, which are called as
/// its kernel trait is, and more of some rooms, whose names go on behind those of the rooms.
macro_rules! of_rooms {
    ($then:ident) => {
        gradiron::__private::rooms! { $then
            attention_side_by_side::AttentionSideBySide,
            conv2d_chains::Conv2dChains,
            elementwise_long::MapLong,
            matmul_chains::MatmulChains,
            matmul_packed::MatmulPacked,
        }
    };
}
pub(crate) use of_rooms;
