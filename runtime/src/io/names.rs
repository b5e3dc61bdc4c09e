//! Names of tensors: which ones a part stands for, which ones might be meant, which ones are there twice.

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

/// How many names an error suggests.
const NEAR: usize = 3;

/// Whether `part` is the name, or what stands before one of its dots.
pub fn is_below(name: &str, part: &str) -> bool {
    name.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The names, and what stands before their dots, that differ least from `name`, the nearest first: those of
/// which at most a half differs, or the shortest ones where there are none.
pub fn near(name: &str, all: &BTreeSet<&String>) -> Vec<String> {
    let parts: BTreeSet<&str> = all
        .iter()
        .flat_map(|name| {
            let dots = name.match_indices('.').map(|(dot, _)| &name[..dot]);
            dots.chain([name.as_str()])
        })
        .collect();
    let mut ranked: Vec<(usize, &str)> =
        parts.iter().map(|part| (strsim::damerau_levenshtein(name, part), *part)).collect();
    if ranked.iter().any(|(distance, _)| 2 * distance <= name.chars().count()) {
        ranked.retain(|(distance, _)| 2 * distance <= name.chars().count());
        ranked.sort();
    } else {
        ranked.sort_by_key(|(_, part)| (part.matches('.').count(), part.len()));
    }
    ranked.into_iter().take(NEAR).map(|(_, part)| part.to_owned()).collect()
}

/// A key that the header, an object of JSON, has twice. Parsers take the last of them, or any.
pub fn twice(header: &[u8]) -> Option<String> {
    // What is no JSON is found by whoever reads the header.
    serde_json::from_slice::<Twice>(header).ok()?.0
}

struct Twice(Option<String>);

impl<'de> Deserialize<'de> for Twice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Twice;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Twice, A::Error> {
                let (mut known, mut twice) = (HashSet::new(), None);
                while let Some((key, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                    if known.contains(&key) {
                        twice = twice.or(Some(key));
                    } else {
                        known.insert(key);
                    }
                }
                Ok(Twice(twice))
            }
        }

        deserializer.deserialize_map(Keys)
    }
}
