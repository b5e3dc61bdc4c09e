//! Equalities of sizes that rustc or the run decides, as all phases know them: one form for equal
//! sizes.
//!
//! `A = B` is known when a shape rule needs it. It is left to rustc where both are constants, and
//! to the run where run-time sizes are divided. Every phase behind lowering sees sizes in which
//! this is settled: one of the names stands for both.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::dim::{Atom, Compared, Dim, Shape};

/// More rewriting than this is a sign of sizes that no model has.
const MOST_STEPS: usize = 100;

/// Rules of more names than this are left to rustc alone: each use would make a size longer.
const LONGEST: usize = 32;

/// The most rules.
const MOST_RULES: usize = 100;

/// What is known, as rewriting rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Names and quotients that stand for something else. No right side has one of the left sides.
    atoms: BTreeMap<Atom, Dim>,
    /// Terms that do, `H * (D / H)` for `D` and `2 * (h / 2)` for `h`, each greater than all terms
    /// of its right side.
    products: Vec<(Dim, Dim)>,
}

/// What an equality adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// It followed from the others, or has a form that is left as it is.
    Nothing,
    Something,
    /// It cannot be true beside the others.
    Contradiction,
}

impl Facts {
    pub fn is_empty(&self) -> bool {
        self.atoms.is_empty() && self.products.is_empty()
    }

    /// Takes `left = right` for true.
    pub fn learn(&mut self, left: &Dim, right: &Dim) -> Learned {
        let mut pending = vec![(left.clone(), right.clone())];
        let mut learned = Learned::Nothing;
        for _ in 0..MOST_STEPS {
            if self.atoms.len() + self.products.len() > MOST_RULES {
                break;
            }
            let Some((left, right)) = pending.pop() else { break };
            let (left, right) = (self.canonical(&left), self.canonical(&right));
            let (left, right) = match left.is_run_time() && right.is_run_time() {
                true => left.without_common_factors(&right),
                false => (left, right),
            };
            match left.compare(&right) {
                Compared::Same => continue,
                Compared::Different => return Learned::Contradiction,
                Compared::Unknown => {}
            }
            let difference = left.minus(&right);
            if difference.weight() > LONGEST {
                continue;
            }
            if let Some((atom, value)) = solved(&difference) {
                self.replace(atom, value, &mut pending);
                learned = Learned::Something;
            } else if let Some((term, value)) = leading(&difference) {
                self.products.push((term, value));
                learned = Learned::Something;
            }
        }
        learned
    }

    /// Adds a rule for a name; rules that it changes are to be learned anew.
    fn replace(&mut self, atom: Atom, value: Dim, pending: &mut Vec<(Dim, Dim)>) {
        let only = Self { atoms: BTreeMap::from([(atom.clone(), value)]), products: Vec::new() };
        for (left, right) in std::mem::take(&mut self.products) {
            let is_changed = left.atoms().any(|other| other.mentions(&atom));
            match (is_changed, only.canonical(&right)) {
                (true, _) => pending.push((left, right)),
                // What has grown too long is forgotten.
                (_, value) if value.weight() > LONGEST => {}
                (_, value) => self.products.push((left, value)),
            }
        }
        for (left, right) in std::mem::take(&mut self.atoms) {
            match (left.mentions(&atom), only.canonical(&right)) {
                (true, _) => pending.push((Dim::atom(left), right)),
                (_, value) if value.weight() > LONGEST => {}
                (_, value) => drop(self.atoms.insert(left, value)),
            }
        }
        self.atoms.extend(only.atoms);
    }

    /// The one form of all sizes that equal this one.
    pub fn canonical(&self, dim: &Dim) -> Dim {
        if self.is_empty() || dim.atoms().next().is_none() {
            return dim.clone();
        }
        let mut now = self.with_names(dim);
        for _ in 0..MOST_STEPS {
            if now.weight() > LONGEST * LONGEST {
                break;
            }
            let Some(next) = self.rewritten(&now) else { break };
            now = self.with_names(&next);
        }
        now
    }

    pub fn canonical_shape(&self, shape: &Shape) -> Shape {
        Shape(shape.0.iter().map(|dim| self.canonical(dim)).collect())
    }

    /// The rules for names, in parts of quotients too.
    fn with_names(&self, dim: &Dim) -> Dim {
        let mut sum = Dim::lit(0);
        for (atoms, factor) in dim.terms() {
            let start = Dim::term(Vec::new(), factor);
            let product = atoms.iter().fold(start, |product, atom| product.times(&self.of(atom)));
            sum = sum.plus(&product);
        }
        sum
    }

    fn of(&self, atom: &Atom) -> Dim {
        if let Some(known) = self.atoms.get(atom) {
            return known.clone();
        }
        match atom {
            Atom::Run(_) | Atom::Const(..) => Dim::atom(atom.clone()),
            Atom::Quotient(a, b) => {
                let quotient = self.with_names(a).floor_divided_by(&self.with_names(b));
                let quotient = quotient.unwrap_or_else(|| Dim::atom(atom.clone()));
                match quotient.as_atom().filter(|new| *new != atom) {
                    Some(new) => self.atoms.get(new).cloned().unwrap_or(quotient),
                    None => quotient,
                }
            }
            Atom::Sum(a) => self.with_names(a).closed(),
        }
    }

    /// One term by one of the rules for products.
    fn rewritten(&self, dim: &Dim) -> Option<Dim> {
        for (left, right) in &self.products {
            for (atoms, factor) in dim.terms() {
                let term = Dim::term(atoms.to_vec(), factor);
                if let Some(rest) = term.divided_by(left) {
                    return Some(dim.minus(&term).plus(&rest.times(right)));
                }
            }
        }
        None
    }
}

/// A name or a quotient of which `difference = 0` says what it is: one that stands alone, the last
/// of them, and rather one whose value needs no difference.
fn solved(difference: &Dim) -> Option<(Atom, Dim)> {
    let candidates = difference.terms().filter_map(|(atoms, factor)| {
        let [atom] = atoms else { return None };
        let rest = difference.minus(&Dim::term(vec![atom.clone()], factor));
        let is_alone = !rest.atoms().any(|other| other.mentions(atom));
        let may_stand = matches!(atom, Atom::Const(..) | Atom::Quotient(..));
        let value = match factor {
            1 => Dim::lit(0).minus(&rest),
            -1 => rest,
            _ => return None,
        };
        // A constant has the same value in every run.
        let as_known = atom.is_run_time() || !value.is_run_time();
        (is_alone && may_stand && as_known).then(|| (atom.clone(), value))
    });
    // `A = B` rather than `A = B + C - D`, so that no size that is emitted subtracts.
    candidates.max_by_key(|(atom, value)| {
        let subtracts = value.terms().any(|(_, factor)| factor < 0);
        (Reverse(subtracts), atom.clone())
    })
}

/// The greatest product of which `difference = 0` says what it is, in an order in which each step
/// of rewriting makes a size smaller; of a quotient that only a run knows, with its factor.
fn leading(difference: &Dim) -> Option<(Dim, Dim)> {
    let size = |atoms: &[Atom]| {
        let quotients = atoms.iter().filter(|atom| matches!(atom, Atom::Quotient(..))).count();
        (quotients, atoms.len(), atoms.to_vec())
    };
    let (atoms, factor) = difference.terms().max_by_key(|(atoms, _)| size(atoms))?;
    let rest = difference.minus(&Dim::term(atoms.to_vec(), factor));
    let value = if factor > 0 { Dim::lit(0).minus(&rest) } else { rest };
    let term = Dim::term(atoms.to_vec(), factor.checked_abs()?);
    let is_one = factor.abs() == 1 && atoms.len() > 1;
    let is_quotient = || matches!(atoms, [atom @ Atom::Quotient(..)] if atom.is_run_time());
    (is_one || is_quotient()).then_some((term, value))
}
