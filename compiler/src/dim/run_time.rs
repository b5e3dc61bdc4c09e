//! What is known of sizes that depend on a run, before it.

use super::{Atom, Dim};

/// Run-time sizes that a difference is tried at are multiples of this, and such with a little more
/// or less: what is divided by a number up to [`RESTS`] is there with any rest.
const ROUND: usize = 720_720;

/// How much more or less.
const RESTS: usize = 16;

/// The multiples, one for each name: sizes of two names are not equal by chance.
const MULTIPLES: [usize; 8] = [101, 211, 307, 401, 503, 601, 701, 809];

impl Atom {
    /// Whether it is a quotient, or made of one, that only a run knows.
    fn divides_at_run_time(&self) -> bool {
        self.is_run_time()
            && (matches!(self, Self::Quotient(..))
                || self.parts().flat_map(Dim::atoms).any(Self::divides_at_run_time))
    }

    /// The names in it, constants too.
    fn collect_names<'a>(&'a self, names: &mut Vec<&'a Self>) {
        match self {
            Self::Run(_) | Self::Const(..) if !names.contains(&self) => names.push(self),
            Self::Run(_) | Self::Const(..) => {}
            Self::Quotient(..) | Self::Sum(_) => {
                self.parts().flat_map(Dim::atoms).for_each(|atom| atom.collect_names(names));
            }
        }
    }
}

impl Dim {
    /// Of a difference of run-time sizes: whether it may be 0 for some. That is where something is
    /// divided, as `2 * (h / 2) - h`; sizes of two names, or of two factors, are taken to differ.
    pub(super) fn may_vanish(&self) -> bool {
        if !self.atoms().any(Atom::divides_at_run_time) {
            return false;
        }
        let names = self.names();
        // What constants are is not known here, and more names than models have, nobody tries.
        if names.iter().any(|name| !name.is_run_time()) || names.len() > MULTIPLES.len() {
            return true;
        }
        (0..=2 * RESTS).any(|offset| {
            let value = |atom: &Atom| {
                let at = names.iter().position(|name| *name == atom)?;
                Some(MULTIPLES[at] * ROUND + offset - RESTS)
            };
            self.evaluate(&value) == Some(0)
        })
    }

    /// The names in it, parts of quotients and sums too.
    fn names(&self) -> Vec<&Atom> {
        let mut names = Vec::new();
        self.atoms().for_each(|atom| atom.collect_names(&mut names));
        names
    }

    /// Those that a run knows.
    pub fn run_time_names(&self) -> Vec<&Atom> {
        self.names().into_iter().filter(|name| name.is_run_time()).collect()
    }

    /// A number that it is not below for any run-time sizes, which start at 1; nothing where there
    /// is none. Constants count as 0, which some may be.
    pub fn lower_bound(&self) -> Option<i128> {
        let mut bound = 0_i128;
        for (atoms, factor) in self.terms() {
            let is_sure = atoms.iter().all(|atom| matches!(atom, Atom::Run(_)));
            match (atoms.is_empty(), factor > 0) {
                (false, false) => return None,
                (false, true) if !is_sure => {}
                _ => bound = bound.saturating_add(factor),
            }
        }
        Some(bound)
    }

    /// The run-time size of which more makes this less, if there is one. Memory is planned for the
    /// largest sizes, so there is to be none in a shape.
    pub fn falls_with(&self) -> Option<&Atom> {
        // Of `D * batch - batch` the size of a batch has the factor `D - 1`, which is no less than
        // 0.
        let parts = |atoms: &'_ [Atom]| -> Vec<Atom> {
            atoms.iter().filter(|atom| atom.is_run_time()).cloned().collect()
        };
        let less = self.terms().filter(|(_, factor)| *factor < 0).find(|(atoms, _)| {
            let own = parts(atoms);
            // So has `h * w` of `h * w - 2 * w`.
            let is_part = |of: Vec<Atom>| own.iter().all(|atom| of.contains(atom));
            !own.is_empty()
                && !self.terms().any(|(atoms, factor)| factor > 0 && is_part(parts(atoms)))
        });
        let own = less.and_then(|(atoms, _)| atoms.iter().find(|atom| atom.is_run_time()));
        own.or_else(|| {
            self.atoms().find_map(|atom| match atom {
                Atom::Quotient(a, b) => {
                    a.falls_with().or_else(|| b.atoms().find(|atom| atom.is_run_time()))
                }
                Atom::Sum(a) => a.falls_with(),
                Atom::Run(_) | Atom::Const(..) => None,
            })
        })
    }
}
