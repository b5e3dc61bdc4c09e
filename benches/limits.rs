//! The limits of this machine that the other benchmarks are held against, for one thread and for
//! all: `cargo bench --bench limits`.

#[path = "common/limits.rs"]
mod limits;

use limits::{bf16_dots, copies, multiply_adds};

/// The floats that two arrays in a level of memory have together, for one thread.
const LEVELS: [(&str, usize); 4] =
    [("L1", 6 << 10), ("L2", 128 << 10), ("L3", 2 << 20), ("DRAM", 96 << 20)];

fn main() {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in if all == 1 { vec![1] } else { vec![1, all] } {
        println!("{threads} threads: multiply-adds {:7.1} GFLOP/s", multiply_adds(threads));
        if let Some(rate) = bf16_dots(threads) {
            println!("{threads} threads: bf16 dot products {rate:7.1} GFLOP/s");
        }
        for (level, floats) in LEVELS {
            println!("{threads} threads: copy in {level:4} {:9.1} GB/s", copies(threads, floats));
        }
    }
}
