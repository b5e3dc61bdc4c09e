//! The header of a safetensors file, read within bounds that follow from the model.
//!
//! A header may have 4 MiB and 64 times what the model's own tensors need ([`Limits::header`]), a
//! name 1,024 bytes or the model's longest, a shape 64 sizes. All that is kept of one is less than
//! 16 times its length, and it is read in a time that is linear in it, but for sorting.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::{FormatError, SHOWN_OF_NAME, SHOWN_OF_REASON, start_of};

/// The format's own limit for headers, in bytes.
pub const MAX_HEADER: u64 = 100_000_000;
/// What a header may have of notes, and of tensors that the model lacks.
const EXTRA: u64 = 4 << 20;
/// How many times what the model needs.
const TIMES: u64 = 64;
/// What an entry takes beside its name, and a size in it.
const ENTRY: u64 = 128;
const SIZE: u64 = 20;
const MAX_NAME: usize = 1024;
const MAX_RANK: usize = 64;

/// What a file for a model may have.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the header.
    pub header: u64,
    /// Bytes of a name.
    name: usize,
}

impl Limits {
    /// From the names of a model's tensors and the number of their sizes.
    pub fn new<'a>(tensors: impl Iterator<Item = (&'a String, usize)>) -> Self {
        let (mut own, mut name) = (0u64, MAX_NAME);
        for (tensor, rank) in tensors {
            name = name.max(tensor.len());
            own = own.saturating_add(ENTRY + tensor.len() as u64 + SIZE * rank as u64);
        }
        let header = EXTRA.saturating_add(own.saturating_mul(TIMES)).min(MAX_HEADER);
        Self { header, name }
    }
}

/// The tensors of a header, whose places are checked: one behind the other, as long as their shapes
/// say.
pub fn parse(header: &[u8], limits: Limits) -> Result<Metadata, FormatError> {
    let mut wrong = None;
    let mut json = serde_json::Deserializer::from_slice(header);
    let parsed = Entries { limits, wrong: &mut wrong }
        .deserialize(&mut json)
        .and_then(|entries| json.end().map(|()| entries));
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    // What the parser says may quote the file.
    let nonsense = |reason: String| FormatError::Header {
        reason: start_of(&reason, SHOWN_OF_REASON).into_owned(),
    };
    let mut tensors = parsed.map_err(|error| nonsense(error.to_string()))?;
    // As many tensors of no bytes as there are may begin at one place.
    tensors.sort_by_key(|(_, info)| info.data_offsets);
    Metadata::new(None, tensors).map_err(|error| nonsense(error.to_string()))
}

/// Reads the object that a header is.
struct Entries<'a> {
    limits: Limits,
    /// What is wrong with it that the parser has no words for.
    wrong: &'a mut Option<FormatError>,
}

impl<'de> DeserializeSeed<'de> for Entries<'_> {
    type Value = Vec<(String, TensorInfo)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = Vec<(String, TensorInfo)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { limits, wrong } = self;
        let mut fail = |error: FormatError| {
            *wrong = Some(error);
            A::Error::custom("")
        };
        // Parsers take the last one of two entries of one name, or any.
        let mut known = HashSet::new();
        let mut tensors = Vec::new();
        while let Some(name) = map.next_key_seed(Name(limits.name))? {
            let name = match name {
                Ok(name) => name,
                Err((start, found)) => {
                    return Err(fail(FormatError::Name { most: limits.name, found, start }));
                }
            };
            if known.contains(&name) {
                return Err(fail(FormatError::Twice { tensor: name }));
            }
            if name == "__metadata__" {
                map.next_value::<Notes>()?;
            } else {
                let Info { dtype, shape: Shape(shape), data_offsets } = map.next_value()?;
                let Some(shape) = shape else {
                    return Err(fail(FormatError::Rank { tensor: name, most: MAX_RANK }));
                };
                tensors.push((name.clone(), TensorInfo { dtype, shape, data_offsets }));
            }
            known.insert(name);
        }
        Ok(tensors)
    }
}

/// A name of so many bytes at most; or the start of a longer one, and its length.
struct Name(usize);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Result<String, (String, usize)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Result<String, (String, usize)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(match name.len() <= self.0 {
            true => Ok(name.to_owned()),
            false => Err((start_of(name, SHOWN_OF_NAME).into_owned(), name.len())),
        })
    }
}

#[derive(Deserialize)]
struct Info {
    dtype: Dtype,
    shape: Shape,
    data_offsets: (usize, usize),
}

/// Nothing of one that is too long.
struct Shape(Option<Vec<usize>>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Sizes;

        impl<'de> Visitor<'de> for Sizes {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of sizes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sizes: A) -> Result<Shape, A::Error> {
                let mut shape = Vec::new();
                while let Some(size) = sizes.next_element()? {
                    if shape.len() == MAX_RANK {
                        while sizes.next_element::<IgnoredAny>()?.is_some() {}
                        return Ok(Shape(None));
                    }
                    shape.push(size);
                }
                Ok(Shape(Some(shape)))
            }
        }

        deserializer.deserialize_seq(Sizes)
    }
}

/// What writers note: texts under names, which are not kept.
struct Notes;

impl<'de> Deserialize<'de> for Notes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = Notes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_unit<E>(self) -> Result<Notes, E> {
                Ok(Notes)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Notes, A::Error> {
                while map.next_entry::<IgnoredAny, Cow<'de, str>>()?.is_some() {}
                Ok(Notes)
            }
        }

        deserializer.deserialize_any(Texts)
    }
}
