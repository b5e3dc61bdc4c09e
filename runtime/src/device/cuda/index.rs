//! Places of elements, as C computes them.

use std::fmt::Write;

/// The place of element `name` of axes, each a size and a distance of neighbours, the outermost
/// first. The size of the outermost axis is not part of the text, so that it may change from run to
/// run.
pub(crate) fn place(name: &str, axes: &[(usize, usize)]) -> String {
    let (mut text, mut inner) = (String::new(), 1);
    for (number, (size, distance)) in axes.iter().enumerate().rev() {
        if *distance > 0 {
            let _ = write!(text, "{}{name}", if text.is_empty() { "" } else { " + " });
            if inner > 1 {
                let _ = write!(text, " / {inner}");
            }
            if number > 0 {
                let _ = write!(text, " % {size}");
            }
            if *distance > 1 {
                let _ = write!(text, " * {distance}");
            }
        }
        inner *= size;
    }
    if text.is_empty() { "0".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn places_are_sums_over_axes() {
        assert_eq!(place("i", &[(7, 1)]), "i");
        assert_eq!(place("i", &[(7, 0)]), "0");
        assert_eq!(place("i", &[(7, 12), (3, 0), (4, 1)]), "i % 4 + i / 12 * 12");
        assert_eq!(place("i", &[(2, 1), (3, 2)]), "i % 3 * 2 + i / 3");
    }
}
