//! The number of batches in a place of the state, which is an `f32`.
//!
//! Up to 2²⁴ it is a whole number. An `f32` has no odd numbers beyond, so from there on it counts
//! in its bits: each batch takes the next larger `f32`, which goes on for 2²⁴ + 872415231 batches,
//! some 889 million. There it stays: a batch has a weight of 2⁻²⁹ then, which moves no `f32`.

/// The largest number that is its own count.
const WHOLE: f32 = 16_777_216.0;

/// The number of batches that a place of the state holds.
pub(crate) fn count_of(place: f32) -> i64 {
    match place > WHOLE && place.is_finite() {
        true => WHOLE as i64 + i64::from(place.to_bits() - WHOLE.to_bits()),
        false => place as i64,
    }
}

/// The place of the state that holds a number of batches.
pub(crate) fn place_of(count: i64) -> f32 {
    let beyond = count - WHOLE as i64;
    match beyond > 0 {
        true => {
            let bits = i64::from(WHOLE.to_bits()).saturating_add(beyond);
            f32::from_bits(bits.min(i64::from(f32::MAX.to_bits())) as u32)
        }
        false => count as f32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_has_its_place() {
        let whole = WHOLE as i64;
        let last = whole + i64::from(f32::MAX.to_bits() - WHOLE.to_bits());
        assert_eq!(last, 889_192_447);
        let near = |count: i64| count - 3..count + 4;
        for count in near(3).chain(near(whole)).chain(near(2 * whole)).chain(last - 3..=last) {
            assert_eq!(count_of(place_of(count)), count);
        }
        assert_eq!(place_of(16_777_215), 16_777_215.0);
        assert_eq!(count_of(place_of(i64::MAX)), last);
        assert_eq!(count_of(place_of(-1)), -1);
    }
}
