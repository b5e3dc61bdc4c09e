//! A test for each room, by its name. A room that has no calls does not compile: there is no type
//! of its name.

use crate::calls;
use crate::run::check;

macro_rules! tests {
    ($($name:ident::$Calls:ident,)*) => {
        $(#[test]
        fn $name() {
            check::<calls::$Calls>();
        })*
    };
}

calls::of_rooms!(tests);
