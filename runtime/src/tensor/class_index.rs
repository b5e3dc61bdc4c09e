//! Integers as class indices.

/// A type that class indices come in: any integer.
#[diagnostic::on_unimplemented(
    message = "class indices are integers, not `{Self}`",
    label = "expected integers, such as `u8` or `usize`",
    note = "a label that is a float is `x as usize`; one that is a row of zeros and a one is the place of the one: `row.iter().position(|x| *x == 1.0)`"
)]
pub trait ClassIndex: Copy {
    /// The index, when it is not negative.
    fn class(self) -> Option<usize>;

    #[doc(hidden)]
    fn text(self) -> i128;
}

macro_rules! class_index {
    ($($int:ty),*) => {
        $(#[diagnostic::do_not_recommend]
        impl ClassIndex for $int {
            #[inline]
            fn class(self) -> Option<usize> {
                usize::try_from(self).ok()
            }

            fn text(self) -> i128 {
                self as i128
            }
        })*
    };
}

class_index!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);
