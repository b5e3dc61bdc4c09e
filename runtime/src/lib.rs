//! Neural networks whose shapes the compiler checks.

pub mod device;
pub mod math;
pub mod ops;
pub mod storage;
