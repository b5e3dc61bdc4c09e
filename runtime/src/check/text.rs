//! Messages of checks, in decimals.

use super::{Size, TypeSig, size};

/// A message that is written while rustc evaluates; what does not fit is left out.
pub(super) struct Text {
    bytes: [u8; 512],
    len: usize,
}

impl Text {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; 512], len: 0 }
    }

    pub(super) const fn str(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        if self.len + text.len() <= self.bytes.len() {
            let mut i = 0;
            while i < text.len() {
                self.bytes[self.len + i] = text[i];
                i += 1;
            }
            self.len += text.len();
        }
        self
    }

    pub(super) const fn number(self, number: usize) -> Self {
        self.exact(size(number))
    }

    pub(super) const fn exact(self, number: i128) -> Self {
        if number < 0 {
            return self.str("-").digits(number.unsigned_abs());
        }
        // Where arithmetic stopped.
        match number {
            i128::MAX => self.str("a number beyond 2^127"),
            _ => self.digits(number.unsigned_abs()),
        }
    }

    pub(super) const fn digits(self, number: u128) -> Self {
        let text = if number >= 10 { self.digits(number / 10) } else { self };
        // One digit.
        let digit = [b'0' + (number % 10) as u8];
        match core::str::from_utf8(&digit) {
            Ok(digit) => text.str(digit),
            Err(_) => text,
        }
    }

    /// `D = 64`, or `64` when the text is the number itself.
    pub(super) const fn named(self, name: &'static str, number: i128) -> Self {
        let plain = Text::new().exact(number);
        if same_text(plain.as_str(), name) {
            self.exact(number)
        } else {
            self.str(name).str(" = ").exact(number)
        }
    }

    pub(super) const fn shape(self, ty: &TypeSig) -> Self {
        let mut text = if ty.classes { self.str("Classes[") } else { self.str("[") };
        let mut i = 0;
        while i < ty.dims.len() {
            if i > 0 {
                text = text.str(", ");
            }
            text = text.size(ty.dims[i]);
            i += 1;
        }
        text.str("]")
    }

    pub(super) const fn size(self, size: Size) -> Self {
        match size {
            Size::Fixed(size) => self.number(size),
            Size::Run(name) | Size::Made(_, name) => self.str(name),
            Size::Unknown => self.str("?"),
        }
    }

    pub(super) const fn as_str(&self) -> &str {
        let (text, _) = self.bytes.split_at(self.len);
        match core::str::from_utf8(text) {
            Ok(text) => text,
            Err(_) => "sizes do not fit",
        }
    }
}

/// Whether two texts are equal.
pub(super) const fn same_text(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}
