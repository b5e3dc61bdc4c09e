//! dims
