//! Files of any content: regular ones to read, and new ones that take the place of old ones at
//! once.

mod aside;
mod error;
mod open;
mod replace;

pub use error::{LayoutError, SaveError};
pub(crate) use open::open;
pub(crate) use replace::replace;
