//! Division of sizes.

use super::{Atom, Dim};

impl Dim {
    /// The exact quotient, when there is one that the macro can see.
    pub fn divided_by(&self, divisor: &Self) -> Option<Self> {
        let [(atoms, factor)] = divisor.terms.iter().collect::<Vec<_>>()[..] else { return None };
        let mut quotient = Self::lit(0);
        for (own, f) in &self.terms {
            let mut rest = own.clone();
            for atom in atoms {
                rest.remove(rest.iter().position(|a| a == atom)?);
            }
            if f.checked_rem(*factor)? != 0 {
                return None;
            }
            quotient = quotient.plus(&Self::term(rest, f.checked_div(*factor)?));
        }
        Some(quotient)
    }

    /// `⌊self / divisor⌋`; nothing where the divisor is known only when the program runs and is no
    /// factor.
    pub fn floor_divided_by(&self, divisor: &Self) -> Option<Self> {
        if divisor.terms.is_empty() {
            return None;
        }
        if let Some(exact) = self.divided_by(divisor) {
            return Some(exact);
        }
        if divisor.is_run_time() {
            return None;
        }
        let (whole, rest) = self.split_multiples(divisor);
        if rest.terms.is_empty() {
            return Some(whole);
        }
        // ⌊⌊a / b⌋ / c⌋ = ⌊a / (b·c)⌋
        let (rest, divisor) = match rest.as_atom() {
            Some(Atom::Quotient(a, b)) => ((**a).clone(), b.times(divisor)),
            _ => (rest, divisor.clone()),
        };
        let (rest, divisor) = without_common_number(&rest, &divisor);
        Some(whole.plus(&Self::atom(Atom::Quotient(Box::new(rest), Box::new(divisor)))))
    }

    /// The quotients of the terms that are multiples of the divisor, and the sum of the others,
    /// which is zero where it is a number below the divisor: ⌊(q·d + r) / d⌋ = q + ⌊r / d⌋.
    fn split_multiples(&self, divisor: &Self) -> (Self, Self) {
        let whole = (Self::lit(0), self.clone());
        if divisor.terms.len() != 1 {
            return whole;
        }
        let (mut quotient, mut rest) = (Self::lit(0), Self::lit(0));
        for (atoms, factor) in &self.terms {
            let term = Self::term(atoms.clone(), *factor);
            match (term.divided_by(divisor), divisor.as_number()) {
                (Some(exact), _) => quotient = quotient.plus(&exact),
                (None, Some(number)) if atoms.is_empty() && number > 0 => {
                    quotient = quotient.plus(&Self::term(Vec::new(), factor.div_euclid(number)));
                    rest = rest.plus(&Self::term(Vec::new(), factor.rem_euclid(number)));
                }
                _ => rest = rest.plus(&term),
            }
        }
        // Sizes are unsigned, in generated code too: a rest that may be negative stays with the
        // others.
        if rest.terms.values().any(|factor| *factor < 0) {
            return whole;
        }
        match (rest.as_number(), divisor.as_number()) {
            (Some(number), Some(divisor)) if number < divisor => (quotient, Self::lit(0)),
            _ => (quotient, rest),
        }
    }
}

/// Both without the greatest number that divides all their terms: ⌊2·a / 2·b⌋ = ⌊a / b⌋.
fn without_common_number(a: &Dim, b: &Dim) -> (Dim, Dim) {
    let greatest = |a: i128, b: i128| {
        let (mut a, mut b) = (a.saturating_abs(), b.saturating_abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let common = a.terms.values().chain(b.terms.values()).copied().fold(0, greatest);
    let reduced = |dim: &Dim| {
        let terms = dim.terms.iter().map(|(atoms, factor)| (atoms.clone(), factor / common));
        Dim { terms: terms.collect() }
    };
    (reduced(a), reduced(b))
}
