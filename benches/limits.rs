//! The limits of this machine that the other benchmarks are held against, for one thread and for
//! all: `cargo bench --bench limits`.

#[path = "common/limits.rs"]
mod limits;

use limits::{LEVELS, copies, multiply_adds};

fn main() {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in if all == 1 { vec![1] } else { vec![1, all] } {
        println!("{threads} threads: multiply-adds {:7.1} GFLOP/s", multiply_adds(threads));
        for (level, floats) in LEVELS {
            println!("{threads} threads: copy in {level:4} {:9.1} GB/s", copies(threads, floats));
        }
    }
}
