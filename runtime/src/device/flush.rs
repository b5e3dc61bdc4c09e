//! Numbers below the normal ones. What decays towards zero, such as the state of a recurrent layer
//! after its input has fallen silent, ends among them, and many processors compute with them tens
//! of times more slowly. A thread can be told to take them for zeros, and to make zeros of results
//! that would be such.
//!
//! That is a mode of the thread, which the compiler knows nothing of: an operation that it
//! evaluated itself would keep such a number. Operations on the memory of a run are none of these.

#[cfg(target_arch = "x86_64")]
use std::arch::asm;

/// The mode of this thread before it was changed, which it has again when this is dropped.
pub(crate) struct Flush {
    before: Control,
}

impl Flush {
    /// Flushes such numbers of this thread to zero.
    #[inline]
    pub fn on() -> Self {
        let before = control();
        set(before | MODE);
        Self { before }
    }

    /// The same where it is asked for.
    #[inline]
    pub fn on_if(wanted: bool) -> Option<Self> {
        wanted.then(Self::on)
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        // Flags that were raised meanwhile stay raised.
        set(control() & !MODE | self.before & MODE);
    }
}

#[cfg(target_arch = "x86_64")]
type Control = u32;
/// Flush to zero and denormals are zeros, bits 15 and 6 of MXCSR.
#[cfg(target_arch = "x86_64")]
const MODE: Control = 1 << 15 | 1 << 6;

#[cfg(target_arch = "x86_64")]
#[inline]
fn control() -> Control {
    let mut control: Control = 0;
    // SAFETY: stores the register, which every x86-64 has, in 4 bytes of this function's.
    unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut control, options(nostack, preserves_flags)) };
    control
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn set(control: Control) {
    // SAFETY: loads the register with what it held, but for `MODE`. No exception is unmasked and no
    // rounding changed; results differ only where the mode says so, and no code here relies on such
    // a number. The statement may touch memory, so loads and stores stay on their side of it, and
    // what is computed with them.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const control, options(nostack, preserves_flags)) };
}

#[cfg(target_arch = "aarch64")]
type Control = u64;
/// Flush to zero, bit 24 of FPCR.
#[cfg(target_arch = "aarch64")]
const MODE: Control = 1 << 24;

#[cfg(target_arch = "aarch64")]
#[inline]
fn control() -> Control {
    let control: Control;
    // SAFETY: reads a register that every program may read.
    unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) control, options(nostack, preserves_flags)) };
    control
}

#[cfg(target_arch = "aarch64")]
#[inline]
fn set(control: Control) {
    // SAFETY: writes a register that every program may write, with what it held but for `MODE`. No
    // exception is unmasked and no rounding changed; results differ only where the mode says so,
    // and no code here relies on such a number. The statement may touch memory, so loads and stores
    // stay on their side of it, and what is computed with them.
    unsafe { std::arch::asm!("msr fpcr, {}", in(reg) control, options(nostack, preserves_flags)) };
}

/// Other processors have no such mode, or no name for it here, and nobody can ask for it.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
type Control = u32;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const MODE: Control = 0;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn control() -> Control {
    0
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn set(_: Control) {}

#[cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use std::hint::black_box;

    use super::*;

    /// Half of the smallest normal number.
    fn half() -> f32 {
        black_box(f32::MIN_POSITIVE) * black_box(0.5)
    }

    /// An interpreter knows nothing of modes.
    #[cfg_attr(miri, ignore = "inline assembly")]
    #[test]
    fn the_mode_lasts_as_long_as_its_value() {
        assert!(half() > 0.0);
        let outer = Flush::on();
        assert_eq!(half(), 0.0);
        drop(Flush::on());
        assert_eq!(half(), 0.0, "an inner one leaves it as it was");
        drop(outer);
        assert!(half() > 0.0);
    }

    #[cfg_attr(miri, ignore = "inline assembly")]
    #[test]
    fn a_panic_ends_it() {
        let run = || {
            let _flush = Flush::on();
            std::panic::resume_unwind(Box::new(()));
        };
        assert!(std::panic::catch_unwind(run).is_err());
        assert!(half() > 0.0);
    }
}
