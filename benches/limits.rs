//! The limits of this machine that the other benchmarks are held against:
//! `cargo bench --bench limits [-- --threads N]`.

mod common;

use common::limits::{LEVELS, copies, multiply_adds};
use common::report::Report;

fn main() {
    let most = Report::from_args().threads;
    for threads in 1..=most {
        println!("{threads} threads: multiply-adds {:7.1} GFLOP/s", multiply_adds(threads));
        for (level, floats) in LEVELS {
            println!("{threads} threads: copy in {level:4} {:9.1} GB/s", copies(threads, floats));
        }
    }
}
