//! A test for each room, by its name.

use crate::calls::*;
use crate::run::check;

macro_rules! tests {
    ($($room:ident { $($test:ident: $calls:ty),* })*) => {
        /// The rooms that have calls.
        const CALLED: &[&str] = &[$(stringify!($room)),*];

        $(mod $room {
            use super::*;

            $(#[test]
            fn $test() {
                check::<$calls>();
            })*
        })*
    };
}

of_rooms!(tests);

#[test]
fn every_room_is_called() {
    assert_eq!(gradiron::ops::ROOMS, CALLED, "`of_rooms` in `calls/mod.rs` has other rooms");
}
