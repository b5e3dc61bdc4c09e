//! Files that are made to cost time or memory, and counts that are none.

use std::fs::{self, File};

use gradiron::io::{FormatError, LoadError, Mismatch, SaveError};
use gradiron::prelude::*;

use super::faults::{GOOD, error_of, file, format_error, lines, tensors};
use super::{Folder, Net, Normed, load_error};

/// 4 MiB, and 64 times 128 bytes for each tensor, 20 for each size of one, and the names.
const MOST: u64 = (4 << 20) + 64 * (5 * 128 + 8 * 20 + (5 + 12 + 10 + 9 + 7));

#[test]
fn a_header_is_no_longer_than_one_for_the_model_can_be() {
    let folder = Folder::new("long");
    for found in [MOST + 1, 95_000_000, 100_000_000] {
        // A file with as many bytes, of which nothing is read.
        let path = folder.file("net", &found.to_le_bytes());
        File::options().write(true).open(&path).unwrap().set_len(8 + found).unwrap();
        match load_error(&path) {
            LoadError::Format { error, .. } => {
                assert_eq!(error, FormatError::LongHeader { most: MOST, found });
                assert!(error.to_string().contains("64 times what the model's tensors need"));
            }
            other => panic!("{other}"),
        }
    }
    // As long as can be, with room behind it, and with notes.
    let good = tensors(&GOOD);
    let header = std::str::from_utf8(&good[8..good.len() - 4 * 48]).unwrap();
    let longest = format!("{header}{}", " ".repeat(MOST as usize - header.len()));
    let mut net = Net::new(1);
    net.load(folder.file("net", &file(&longest, 4 * 48))).unwrap();
    let notes =
        format!(r#"{{"__metadata__":{{"notes":"{}"}},{}"#, "n".repeat(4_000_000), &header[1..]);
    net.load(folder.file("net", &file(&notes, 4 * 48))).unwrap();
}

#[test]
fn a_name_is_as_long_as_the_models_or_1024_bytes() {
    let one =
        |name: &str| format!(r#"{{"{name}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}"#);
    for len in [1025, 4_000_000] {
        let name = "n".repeat(len);
        let start = format!("{}…", &name[..32]);
        let error = format_error(&file(&one(&name), 4));
        assert_eq!(error, FormatError::Name { most: 1024, found: len, start });
        assert!(error.to_string().len() < 200);
    }
    // Letters of two bytes, and letters of JSON, of which the name is what counts.
    let error = format_error(&file(&one(&format!("n{}", "é".repeat(600))), 4));
    assert!(matches!(error, FormatError::Name { found: 1201, .. }), "{error}");
    let error = format_error(&file(&one(&r"\u00e9".repeat(600)), 4));
    assert!(matches!(error, FormatError::Name { found: 1200, .. }), "{error}");
    assert_eq!(lines(&file(&one(&"n".repeat(1024)), 4)).len(), 6);
}

#[test]
fn a_shape_has_64_sizes_at_most() {
    let one = |rank: usize| {
        let shape = vec!["1"; rank].join(",");
        format!(r#"{{"fc":{{"dtype":"F32","shape":[{shape}],"data_offsets":[0,4]}}}}"#)
    };
    for rank in [65, 1_000_000] {
        let error = format_error(&file(&one(rank), 4));
        assert_eq!(error, FormatError::Rank { tensor: "fc".to_owned(), most: 64 });
    }
    assert_eq!(lines(&file(&one(64), 4)).len(), 6);
}

/// Names that are many, long, alike or full of dots: the hints of a message are looked for among
/// some.
#[test]
fn hints_are_looked_for_within_bounds() {
    let dots = "a.".repeat(127);
    let forms: [fn(usize, &str) -> String; 4] = [
        |i, _| format!("{i}"),
        |i, _| format!("{i:0250}"),
        |i, dots| format!("{dots}{i}"),
        |i, dots| format!("{i}.{}", dots.repeat(4)),
    ];
    let folder = Folder::new("hints");
    for form in forms {
        let mut header = String::from("{");
        for i in 0.. {
            let name = form(i, &dots);
            let entry = format!(r#""{name}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}},"#);
            if header.len() + entry.len() > 1_000_000 {
                break;
            }
            header.push_str(&entry);
        }
        header.pop();
        header.push('}');
        let bytes = file(&header, 0);
        let error = error_of(&bytes);
        assert!(matches!(&error, LoadError::Mismatch { .. }));
        assert!(error.to_string().len() < 20_000);
        let path = folder.file("net", &bytes);
        for part in ["fcc", &"a.".repeat(120)[..], &"n".repeat(100_000)] {
            let error = Net::new(1).load_except(&path, &[part]).unwrap_err();
            assert!(matches!(&error, LoadError::Except { .. }), "{error}");
        }
    }
}

#[cfg(target_pointer_width = "64")]
#[test]
fn tensors_that_are_left_out_are_not_read() {
    // A terabyte of one that is none of the model's, behind which nothing is stored.
    let mut all: Vec<_> = GOOD
        .iter()
        .map(|(name, dtype, size, shape)| (*name, *dtype, *size, shape.to_vec()))
        .collect();
    let huge = 1usize << 40;
    all.push(("huge", "U8", 1, vec![huge]));
    let mut end = 0;
    let entries: Vec<String> = all
        .iter()
        .map(|(name, dtype, size, shape)| {
            let start = end;
            end += size * shape.iter().product::<usize>();
            format!(
                r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{start},{end}]}}"#
            )
        })
        .collect();
    let folder = Folder::new("huge");
    let path = folder.file("net", &file(&format!("{{{}}}", entries.join(",")), 4 * 48));
    let len = fs::metadata(&path).unwrap().len();
    let sparse = File::options().write(true).open(&path).unwrap();
    if sparse.set_len(len + huge as u64).is_err() {
        eprintln!("NOT CHECKED: no file of a terabyte can be made here");
        return;
    }
    assert!(matches!(load_error(&path), LoadError::Mismatch { .. }));
    let mut net = Net::new(1);
    net.load_except(&path, &["huge"]).unwrap();
    assert_eq!(net.params(), [0.0; 48]);
}

/// A file of `Normed` whose count is another.
fn counted(folder: &Folder, count: i64) -> std::path::PathBuf {
    let path = folder.0.join("net.safetensors");
    Normed::init(Seed(1)).save(&path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    // The count is the first tensor: those of eight bytes stand in front.
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[8 + header..][..8].copy_from_slice(&count.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_negative_count_is_no_count() {
    let folder = Folder::new("negative");
    for count in [-1, -3, i64::MIN] {
        let path = counted(&folder, count);
        let mut net = Normed::init(Seed(2));
        let before = (net.params().to_vec(), net.state().to_vec());
        let error = net.load(&path).unwrap_err();
        let LoadError::Mismatch { mismatches, .. } = &error else { panic!("{error}") };
        let tensor = String::from("bn.num_batches_tracked");
        assert_eq!(mismatches[..], [Mismatch::Count { tensor, found: count }]);
        let says = format!("`bn.num_batches_tracked`: expected a count from 0 on, found {count}; ");
        assert!(error.to_string().contains(&says), "{error}");
        assert_eq!((net.params(), net.state()), (&before.0[..], &before.1[..]));
        net.load_except(&path, &["bn.num_batches_tracked"]).unwrap();
    }
    for count in [0, 1, 1 << 24, (1 << 24) + 1, 889_192_447] {
        let mut net = Normed::init(Seed(2));
        net.load(counted(&folder, count)).unwrap();
        assert_eq!(net.bn().num_batches_tracked(), count as f64);
    }
}

#[test]
fn what_is_no_count_is_not_saved_as_one() {
    let folder = Folder::new("no-count");
    let path = folder.0.join("net.safetensors");
    let mut net = Normed::init(Seed(1));
    let at =
        Normed::state_specs().iter().find(|spec| spec.name.ends_with("tracked")).unwrap().start;
    for found in [-1.0, 2.5, f32::NAN, f32::INFINITY] {
        net.state_mut()[at] = found;
        let error = net.save(&path).unwrap_err();
        assert!(matches!(error, SaveError::Count { .. }), "{error}");
        let says = "cannot save `bn.num_batches_tracked`: expected a whole number from 0 on, found";
        assert!(error.to_string().starts_with(says), "{error}");
        assert!(folder.names().is_empty());
    }
}
