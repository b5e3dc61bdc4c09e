//! Neural networks whose shapes the compiler checks.

pub mod math;
pub mod storage;
