//! Files with mistakes of all kinds, by chance and always the same ones: whatever is in them,
//! reading ends with numbers or with an error, in little memory, and an error changes no model.
//!
//! `GRADIRON_FUZZ_CASES=1000000 cargo test --test memory fuzz -- --nocapture` reads more of them,
//! from another seed with `GRADIRON_FUZZ_SEED`.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use gradiron::data::{DataError, cifar10, idx};
use gradiron::io::{FormatError, LoadError, load_bytes};
use gradiron::prelude::*;
use gradiron::rng::Rng;

use super::{Folder, peak};

model! {
    /// Parameters, state, a count, and a weight under two names.
    struct Small {
        embedding: Embedding(5 -> 3),
        bn: BatchNorm1d(3),
        fc: Linear(3 -> 5, tied = self.embedding),
    }

    fn forward(&self, token: Classes[batch]) -> [batch, 5] {
        self.fc(self.bn(self.embedding(token)))
    }
}

/// Words that stand in headers, and numbers at the ends of ranges.
const WORDS: [&str; 30] = [
    "\"F32\"",
    "\"I64\"",
    "\"F16\"",
    "\"U8\"",
    "\"F4\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "[]",
    "null",
    "-1",
    "0",
    "1",
    "3",
    "15",
    "60",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "1e400",
    "\\u0065",
    "\"__metadata__\":{\"a\":\"b\"},",
    "\"shape\":[",
    "\"data_offsets\":[0,0]",
    "embedding.weight",
];

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Files that are right, from which the others are made.
fn seeds() -> [Vec<Vec<u8>>; 3] {
    let folder = Folder::new("fuzz");
    let path = folder.0.join("small");
    Small::init(Seed(1)).save(&path).unwrap();
    let small = std::fs::read(&path).unwrap();
    let of = |element: u8, dims: &[u32], bytes: usize| {
        let mut file = vec![0, 0, element, dims.len() as u8];
        dims.iter().for_each(|dim| file.extend(dim.to_be_bytes()));
        file.extend((0..bytes).map(|i| i as u8));
        file
    };
    let plain = [of(8, &[2, 3, 4], 24), of(8, &[0, 3, 4], 0), of(8, &[300, 2, 2], 1200)];
    let mut packed: Vec<_> = plain.iter().map(|file| gzip(file)).collect();
    packed.push([&packed[0][..], &[0; 40], &packed[1]].concat());
    packed.push(gzip(&of(8, &[1 << 20, 1, 1], 1 << 20)));
    let mut cifar = vec![7; 2 * 3073];
    cifar[3073] = 9;
    [vec![small], plain.into_iter().chain(packed).collect(), vec![cifar, vec![]]]
}

/// One mistake, or one that a header makes good again.
fn mutate(bytes: &mut Vec<u8>, others: &[Vec<u8>], rng: &mut Rng) {
    let at = rng.below(bytes.len() + 1);
    // Headers are hurt more easily than numbers.
    let at = if rng.below(2) == 0 { at } else { at.min(rng.below(400)) };
    let longest = 1 << rng.below(7);
    let len = (1 + rng.below(longest)).min(bytes.len() - at);
    match rng.below(10) {
        0 | 1 if len > 0 => bytes[at] ^= 1 << rng.below(8),
        2 if len > 0 => bytes[at] = [0, 1, 127, 128, 255][rng.below(5)],
        3 => drop(bytes.drain(at..at + len)),
        4 => {
            let part = bytes[at..at + len].to_vec();
            let to = rng.below(bytes.len() + 1);
            bytes.splice(to..to, part);
        }
        5 => bytes.truncate(at),
        6 => {
            let other = &others[rng.below(others.len())];
            let from = rng.below(other.len() + 1);
            bytes.splice(at..at + len, other[from..].iter().take(len).copied());
        }
        7 | 8 => {
            let word = WORDS[rng.below(WORDS.len())].as_bytes();
            let over = if rng.below(2) == 0 { word.len().min(bytes.len() - at) } else { 0 };
            bytes.splice(at..at + over, word.iter().copied());
        }
        // A number in digits becomes another one.
        _ => {
            let digit = |byte: &u8| byte.is_ascii_digit();
            if let Some(start) = bytes[at..].iter().position(digit).map(|start| at + start) {
                let end = bytes[start..]
                    .iter()
                    .position(|b| !digit(b))
                    .map_or(bytes.len(), |n| start + n);
                let number = WORDS[15 + rng.below(9)].as_bytes();
                bytes.splice(start..end, number.iter().copied());
            }
        }
    }
}

/// An entry of the header is there twice, or no more, or gets the name of another.
fn mutate_entries(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let Some(end) = end_of_header(bytes) else { return };
    let header = String::from_utf8_lossy(&bytes[8..end]).into_owned();
    let inner = header.trim_start_matches('{').trim_end_matches('}');
    let mut entries: Vec<String> = inner.split("},").map(str::to_owned).collect();
    let (at, other) = (rng.below(entries.len()), rng.below(entries.len()));
    match rng.below(4) {
        0 => entries.push(entries[at].clone()),
        1 => drop(entries.remove(at)),
        2 => entries.swap(at, other),
        _ => {
            let name = |entry: &str| entry.split(':').next().unwrap_or_default().to_owned();
            let (old, new) = (name(&entries[at]), name(&entries[other]));
            entries[at] = entries[at].replacen(&old, &new, 1);
        }
    }
    let header = format!("{{{}}}}}", entries.join("},"));
    bytes.splice(8..end, header.into_bytes());
}

/// Behind the two braces that close a header.
fn end_of_header(bytes: &[u8]) -> Option<usize> {
    let from = bytes.get(8..)?;
    from.windows(2).position(|two| two == b"}}").map(|at| 8 + at + 2)
}

/// Lets the length of the header be what it is.
fn mend(bytes: &mut [u8]) {
    if let Some(end) = end_of_header(bytes) {
        bytes[..8].copy_from_slice(&(end as u64 - 8).to_le_bytes());
    }
}

/// What kind of end reading came to.
fn kind(error: &dyn std::fmt::Debug) -> String {
    format!("{error:?}").split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

#[test]
fn whatever_is_in_a_file_reading_ends_well() {
    let from = |name, default| {
        std::env::var(name).ok().map_or(default, |n: String| n.parse().expect("a number"))
    };
    let (cases, seed) = (from("GRADIRON_FUZZ_CASES", 6_000), from("GRADIRON_FUZZ_SEED", 1));
    let mut rng = Rng::new(Seed(seed), 0);
    let seeds = seeds();
    let mut net = Small::init(Seed(2));
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    let mut most = 0;
    for case in 0..cases {
        let which = (case % 4).saturating_sub(1) as usize;
        let of = &seeds[which];
        let mut bytes = of[rng.below(of.len())].clone();
        // Without the blanks that fill it up a header has the length that it is given below.
        if which == 0
            && let Some(end) = end_of_header(&bytes)
        {
            let blanks = bytes[end..].iter().take_while(|byte| **byte == b' ').count();
            bytes.drain(end..end + blanks);
        }
        for _ in 0..rng.below(4) {
            match which == 0 && rng.below(3) == 0 {
                true => mutate_entries(&mut bytes, &mut rng),
                false => mutate(&mut bytes, of, &mut rng),
            }
        }
        if which == 0 && rng.below(8) != 0 {
            mend(&mut bytes);
        }
        let (end, cost) = match which {
            0 => {
                let before = (net.params().to_vec(), net.state().to_vec());
                let except: &[&str] = [&[][..], &["bn"], &["fc", "no"]][rng.below(3)];
                let (loaded, cost) = peak(|| load_bytes(&mut net, &bytes, except));
                let end = match &loaded {
                    Ok(()) => "loaded".to_owned(),
                    Err(error) => {
                        let bits =
                            |floats: &[f32]| floats.iter().map(|f| f.to_bits()).collect::<Vec<_>>();
                        assert_eq!(bits(net.params()), bits(&before.0), "case {case}");
                        assert_eq!(bits(net.state()), bits(&before.1), "case {case}");
                        assert!(error.to_string().len() < 20_000, "case {case}");
                        match error {
                            LoadError::Format { error, .. } => kind(error),
                            error => kind(error),
                        }
                    }
                };
                (end, cost)
            }
            1 => {
                let name = ["images", "images.gz"][usize::from(bytes.starts_with(&[31]))];
                let (read, cost) = peak(|| idx::read_bytes::<3>(name, &bytes));
                let end = match &read {
                    Ok(read) => {
                        assert_eq!(read.bytes.len(), read.dims.iter().product::<usize>());
                        "idx".to_owned()
                    }
                    Err(error) => kind(error),
                };
                (end, cost)
            }
            _ => {
                let (read, cost) = peak(|| cifar10::read_bytes(&bytes));
                let end = match &read {
                    Ok(read) => {
                        assert_eq!(read.len() * 3073, bytes.len());
                        "cifar10".to_owned()
                    }
                    Err(error) => kind(error),
                };
                (end, cost)
            }
        };
        most = most.max(cost);
        *ends.entry(end).or_default() += 1;
    }
    println!("{cases} files from seed {seed}, at most {most} bytes: {ends:?}");
    assert!(most < 8 << 20, "{most} bytes");
    // All that reading can end with is among them.
    let format = [
        FormatError::TooShort { found: 0 },
        FormatError::HeaderLength { most: 0, found: 0 },
        FormatError::Header { reason: String::new() },
        FormatError::Twice { tensor: String::new() },
        FormatError::FileLength { expected: 0, found: 0 },
    ];
    let damaged = DataError::TooLarge { path: "".into(), dims: vec![] };
    let others = ["loaded", "Mismatch", "Except", "idx", "cifar10", "Truncated", "Records"];
    let kinds = format.iter().map(|error| kind(error)).chain([kind(&damaged)]);
    for kind in kinds.chain(others.map(str::to_owned)) {
        assert!(ends.contains_key(&kind), "no file ended with {kind}: {ends:?}");
    }
}
