//! Names of tensors: which ones a part stands for, and which ones might be meant.
//!
//! What a message suggests is looked for within bounds, whatever a file has: among names of at most
//! 256 bytes, and in about four million steps.

use std::collections::BTreeSet;

/// How many names an error suggests.
const NEAR: usize = 3;
/// Bytes of a name that is compared with others.
const LONGEST: usize = 256;
/// How many pairs of characters are compared for one message.
const STEPS: usize = 1 << 22;
/// How many parts of names are compared.
const PARTS: usize = 1 << 14;

/// Whether `part` is the name, or what stands before one of its dots.
pub fn is_below(name: &str, part: &str) -> bool {
    name.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What is left of the steps for a message.
pub struct Effort(usize);

impl Effort {
    pub fn new() -> Self {
        Self(STEPS)
    }

    /// In how much two names differ; nothing where that is not worth it.
    fn distance(&mut self, a: &str, b: &str) -> Option<usize> {
        if a.len().max(b.len()) > LONGEST {
            return None;
        }
        self.0 = self.0.checked_sub((a.len() + 1) * (b.len() + 1))?;
        Some(strsim::damerau_levenshtein(a, b))
    }
}

/// The names, and what stands before their dots, that differ least from `name`, the nearest first:
/// those of which at most a half differs, or the shortest ones where there are none.
pub fn near<'a>(name: &str, all: impl Iterator<Item = &'a str>) -> Vec<String> {
    let parts: BTreeSet<&str> = all
        .filter(|name| name.len() <= LONGEST)
        .flat_map(|name| {
            let dots = name.match_indices('.').map(|(dot, _)| &name[..dot]);
            dots.chain([name])
        })
        .take(PARTS)
        .collect();
    let mut effort = Effort::new();
    let mut ranked: Vec<(usize, &str)> = parts
        .iter()
        .filter_map(|part| Some((effort.distance(name, part)?, *part)))
        .filter(|(distance, _)| 2 * distance <= name.chars().count())
        .collect();
    if ranked.is_empty() {
        ranked = parts.iter().map(|part| (part.matches('.').count(), *part)).collect();
        ranked.sort_by_key(|(dots, part)| (*dots, part.len()));
    } else {
        ranked.sort();
    }
    ranked.into_iter().take(NEAR).map(|(_, part)| part.to_owned()).collect()
}

/// The candidate that is `name` behind or before a prefix (`module.`), or the nearest one of
/// which at most a third differs.
pub fn similar(name: &str, candidates: &[String], effort: &mut Effort) -> Option<String> {
    if name.len() > LONGEST {
        return None;
    }
    let ends_with = |long: &str, short: &str| {
        long.strip_suffix(short).is_some_and(|prefix| prefix.ends_with('.'))
    };
    let short = || candidates.iter().filter(|other| other.len() <= LONGEST);
    let prefixed = short().find(|other| ends_with(other, name) || ends_with(name, other));
    let nearest = || {
        let distances = short().map_while(|other| Some((effort.distance(name, other)?, other)));
        let (distance, other) = distances.min_by_key(|&(distance, _)| distance)?;
        (3 * distance <= name.chars().count()).then_some(other)
    };
    prefixed.or_else(nearest).cloned()
}
