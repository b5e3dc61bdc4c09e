//! bf16: the upper half of an `f32`, with its exponent and 8 bits of significand. Rounding errs by
//! at most `2^-8` of a number in the normal range.

/// The nearest bf16, the even one of two; NaN stays NaN.
#[inline(always)]
pub const fn narrow(x: f32) -> u16 {
    let bits = x.to_bits();
    let nearest = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    // A quiet NaN: the bits that are cut off may be all that it has.
    let nan = (bits >> 16) | 0x40;
    (if x.is_nan() { nan } else { nearest }) as u16
}

/// The same number.
#[inline(always)]
pub const fn widen(x: u16) -> f32 {
    f32::from_bits((x as u32) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_to_the_nearest_even() {
        let cases: [(u32, u16); 7] = [
            (0x3f80_0000, 0x3f80),
            (0x3f80_7fff, 0x3f80),
            (0x3f80_8000, 0x3f80),
            (0x3f80_8001, 0x3f81),
            (0x3f81_8000, 0x3f82),
            (0xff7f_ffff, 0xff80),
            (0x7f80_0000, 0x7f80),
        ];
        for (x, want) in cases {
            assert_eq!(narrow(f32::from_bits(x)), want);
        }
    }

    #[test]
    fn nan_stays() {
        for bits in [0x7fc0_0000, 0x7f80_0001, 0xffff_ffff] {
            assert!(widen(narrow(f32::from_bits(bits))).is_nan());
        }
    }

    #[test]
    fn every_bf16_is_its_own_rounding() {
        for bits in 0..=u16::MAX {
            let x = widen(bits);
            assert!(x.is_nan() || narrow(x) == bits);
        }
    }
}
