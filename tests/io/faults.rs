//! Files that must not load.

use std::fs;
use std::path::Path;

use gradiron::init::Seed;
use gradiron::io::{FormatError, LoadError, Mismatch};
use gradiron::module::Model;
use gradiron::rng::Rng;

use super::{FIXTURE, Folder, Net, load_error};

/// A file of a header and that many bytes.
pub fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

/// A file of tensors, each a name, a dtype, the bytes of one number and a shape.
pub fn tensors(all: &[(&str, &str, usize, &[usize])]) -> Vec<u8> {
    let mut end = 0;
    let entries: Vec<String> = all
        .iter()
        .map(|(name, dtype, size, shape)| {
            let start = end;
            end += size * shape.iter().product::<usize>();
            format!(
                "\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape:?},\
                 \"data_offsets\":[{start},{end}]}}"
            )
        })
        .collect();
    file(&format!("{{{}}}", entries.join(",")), end)
}

pub const GOOD: [(&str, &str, usize, &[usize]); 5] = [
    ("scale", "F32", 4, &[]),
    ("conv1.weight", "F32", 4, &[2, 1, 3, 3]),
    ("conv1.bias", "F32", 4, &[2]),
    ("fc.weight", "F32", 4, &[3, 8]),
    ("fc.bias", "F32", 4, &[3]),
];

pub fn error_of(bytes: &[u8]) -> LoadError {
    let name = format!("error-{:?}", std::thread::current().id());
    let folder = Folder::new(&name);
    load_error(&folder.file("net", bytes))
}

/// The mismatches, each as its line of the message.
pub fn lines(bytes: &[u8]) -> Vec<String> {
    match error_of(bytes) {
        LoadError::Mismatch { mismatches, .. } => {
            mismatches.iter().map(Mismatch::to_string).collect()
        }
        other => panic!("{other}"),
    }
}

pub fn format_error(bytes: &[u8]) -> FormatError {
    match error_of(bytes) {
        LoadError::Format { error, .. } => error,
        other => panic!("{other}"),
    }
}

#[test]
fn tensors_in_another_order_load() {
    let folder = Folder::new("order");
    let mut all = GOOD;
    all.reverse();
    let path = folder.file("net", &tensors(&all));
    let mut net = Net::new(1);
    net.load(&path).unwrap();
    assert_eq!(net.params(), [0.0; 48]);
}

#[test]
fn an_unreadable_path_is_named() {
    let error = load_error(Path::new("no/such/file.safetensors"));
    assert!(matches!(&error, LoadError::Read { .. }));
    assert!(error.to_string().starts_with("cannot read `no/such/file.safetensors`: "), "{error}");
    let folder = Folder::new("unreadable");
    let error = load_error(&folder.0).to_string();
    assert!(
        error.ends_with("expected a regular file, found a folder, which is not read"),
        "{error}"
    );
}

#[test]
fn a_missing_tensor_names_a_similar_one() {
    let mut all = GOOD;
    all[1].0 = "conv_1.weight";
    all[3].0 = "module.fc.weight";
    assert_eq!(
        lines(&tensors(&all)),
        [
            "`conv1.weight`: expected shape [2, 1, 3, 3], found no such tensor; \
             rename `conv_1.weight` if you meant that",
            "`fc.weight`: expected shape [3, 8], found no such tensor; \
             rename `module.fc.weight` if you meant that",
            "`conv_1.weight`: expected no such tensor, found shape [2, 1, 3, 3]; \
             leave it out with `load_except`",
            "`module.fc.weight`: expected no such tensor, found shape [3, 8]; \
             leave it out with `load_except`",
        ]
    );
    let mut all = GOOD;
    all[0].0 = "temperature";
    assert_eq!(lines(&tensors(&all))[0], "`scale`: expected shape [], found no such tensor");
    assert_eq!(lines(&tensors(&GOOD[..4])).len(), 1);
}

#[test]
fn tensors_are_left_out_by_name() {
    let folder = Folder::new("except");
    let mut all = GOOD.to_vec();
    all[3].3 = &[3, 9];
    all.remove(4);
    all.extend([("pooler.weight", "F16", 2, &[2][..]), ("ids", "I64", 8, &[4])]);
    let path = folder.file("net", &tensors(&all));
    let mut net = Net::new(1);
    let before = net.bits();
    // Each of the three is needed, and half a name is none.
    for names in [["fc", "pooler", "id"], ["fc", "pool", "ids"], ["f", "pooler", "ids"]] {
        net.load_except(&path, &names).expect_err("a tensor does not fit");
        assert_eq!(net.bits(), before, "a failed load changed the model");
    }
    net.load_except(&path, &["fc", "pooler.weight", "ids"]).unwrap();
    let (loaded, kept) = net.params().split_at(21);
    assert_eq!(loaded, [0.0; 21]);
    assert_eq!(kept, Net::new(1).params().split_at(21).1);
}

#[test]
fn a_name_to_leave_out_that_matches_nothing_is_an_error() {
    let folder = Folder::new("nothing");
    let mut all = GOOD.to_vec();
    all.push(("pooler.dense.weight", "F32", 4, &[2]));
    let path = folder.file("net", &tensors(&all));
    let mut net = Net::new(1);
    let before = net.bits();
    for (name, nearest) in [
        // A letter off, a part of a name, too much of one, another case, an empty one, a pattern.
        ("cf", "the nearest names are `fc`"),
        ("f", "the nearest names are `fc`"),
        ("conv1.weigth", "the nearest names are `conv1.weight`"),
        ("pooler.dense.", "the nearest names are `pooler.dense`"),
        ("conv1.weight.0", "the nearest names are `conv1.weight`"),
        ("FC", "the nearest names are `fc`"),
        ("", "the nearest names are `fc`, `conv1`, `scale`"),
        ("fc.*", "the nearest names are `fc`"),
        ("encoder", "the nearest names are `fc`, `conv1`, `scale`"),
    ] {
        let error = net.load_except(&path, &["pooler", name]).expect_err(name);
        assert!(matches!(&error, LoadError::Except { name: found, .. } if found == name));
        let error = error.to_string();
        assert!(error.contains(&format!("`{name}`, which names no tensor of the model or")));
        assert!(error.contains(nearest), "{error}");
        assert_eq!(net.bits(), before, "a failed load changed the model");
    }
    // Names of the model that the file has not, and the other way round.
    let path = folder.file("net", &tensors(&all[..3]));
    net.load_except(&path, &["fc"]).unwrap();
}

#[test]
fn a_name_that_is_there_twice_is_said() {
    let one = r#"{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    let other = one.replace("[0,4]", "[4,8]");
    let twice = |name: &str| FormatError::Twice { tensor: name.to_owned() };
    let header = |text: String, data| format_error(&file(&text, data));
    assert_eq!(header(format!(r#"{{"a":{one},"a":{other}}}"#), 8), twice("a"));
    assert_eq!(header(format!(r#"{{"a":{one},"a":{one}}}"#), 4), twice("a"));
    // The same name in other letters of JSON.
    assert_eq!(header(format!(r#"{{"fc.b":{one},"fc\u002eb":{one}}}"#), 4), twice("fc.b"));
    let metadata = r#""__metadata__":{"format":"pt"}"#;
    assert_eq!(header(format!("{{{metadata},{metadata}}}"), 0), twice("__metadata__"));
    let error = error_of(&file(&format!(r#"{{"a":{one},"a":{one}}}"#), 4)).to_string();
    assert!(error.contains("its header names `a` twice; write or download"), "{error}");
}

#[test]
fn wrong_shapes_and_dtypes_are_listed_together() {
    let mut all = GOOD.to_vec();
    all[1].3 = &[2, 1, 5, 5];
    all[2] = ("conv1.bias", "F16", 2, &[2]);
    all[3] = ("fc.weight", "F64", 8, &[3, 8]);
    all[4] = ("fc.bias", "BF16", 2, &[3]);
    all.push(("bn.num_batches_tracked", "I64", 8, &[]));
    let todo = "convert it in Python with `tensor.float()`";
    assert_eq!(
        lines(&tensors(&all)),
        [
            "`conv1.weight`: expected shape [2, 1, 3, 3], found [2, 1, 5, 5]".to_owned(),
            format!("`conv1.bias`: expected dtype F32, found F16; {todo}"),
            format!("`fc.weight`: expected dtype F32, found F64; {todo}"),
            format!("`fc.bias`: expected dtype F32, found BF16; {todo}"),
            "`bn.num_batches_tracked`: expected no such tensor, found shape []; \
             leave it out with `load_except`"
                .to_owned(),
        ]
    );
}

#[test]
fn a_message_shows_five_of_the_model_and_five_of_the_file() {
    let names: Vec<String> = (0..20).map(|i| format!("block.{i}.weight")).collect();
    let all: Vec<_> = names.iter().map(|name| (name.as_str(), "F32", 4, &[1][..])).collect();
    let error = error_of(&tensors(&all)).to_string();
    assert_eq!(error.lines().count(), 12, "{error}");
    for i in 0..5 {
        let line = format!("\n  `block.{i}.weight`: expected no such tensor, found shape [1]; ");
        assert!(error.contains(&line), "{error}");
    }
    assert!(error.contains("\n  `fc.bias`: expected shape [3], found no such tensor"), "{error}");
    assert!(error.ends_with("\n  and 15 more of the file"), "{error}");
}

#[test]
fn files_of_pytorch_say_how_to_convert() {
    // Two starts of what torch.save writes, and a name cut off after the magic number.
    for start in [&b"PK\x03\x04\x00\x00\x08\x08\x00\x00"[..], b"\x80\x02\x8a\x0al\xfc\x9cF\xf9"] {
        let error = error_of(&[start, &[7; 100]].concat());
        assert!(matches!(&error, LoadError::PyTorch { .. }), "{error}");
        assert!(error.to_string().contains("safetensors.torch.save_file(torch.load("), "{error}");
    }
}

#[test]
fn a_header_of_640_bytes_is_not_taken_for_a_pickle() {
    let good = tensors(&GOOD);
    let header = std::str::from_utf8(&good[8..good.len() - 4 * 48]).unwrap();
    let bytes = file(&format!("{header:640}"), 4 * 48);
    assert!(bytes.starts_with(b"\x80\x02"));
    let folder = Folder::new("640");
    Net::new(1).load(folder.file("net", &bytes)).unwrap();
    let expected = FormatError::HeaderLength { most: 292, found: 640 };
    assert_eq!(format_error(&bytes[..300]), expected);
}

#[test]
fn lengths_that_cannot_be_are_refused() {
    assert_eq!(format_error(b""), FormatError::TooShort { found: 0 });
    assert_eq!(format_error(b"1234567"), FormatError::TooShort { found: 7 });
    for found in [93, 100_000_001, 1 << 40, u64::MAX - 7, u64::MAX] {
        let bytes = [&found.to_le_bytes()[..], &[b' '; 92]].concat();
        assert_eq!(format_error(&bytes), FormatError::HeaderLength { most: 92, found });
    }
    let longer = [FIXTURE, b"\n"].concat();
    let (expected, found) = (FIXTURE.len() as u128, longer.len() as u64);
    assert_eq!(format_error(&longer), FormatError::FileLength { expected, found });
}

#[test]
fn headers_that_tell_nonsense_are_refused() {
    let header = |header: &str, data| match format_error(&file(header, data)) {
        FormatError::Header { reason } => reason,
        other => panic!("{other}"),
    };
    let one = |dtype, shape, offsets| {
        format!(r#"{{"fc":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    header("", 0);
    header("{", 0);
    header("[]", 0);
    header("\u{0}\u{1}", 0);
    header(&"[".repeat(100_000), 0);
    header(&one("F33", "[1]", "[0,4]"), 4);
    header(&one("F32", "[-1]", "[0,4]"), 4);
    header(&one("F32", "[1]", "[0,8]"), 8);
    header(&one("F32", "[18446744073709551615,2]", "[0,4]"), 4);
    header(&one("F32", "[4611686018427387904]", "[0,4]"), 4);
    // A tensor that ends before it starts, one with a gap before it, and two that overlap.
    header(&one("F32", "[1]", "[4,0]"), 4);
    assert!(header(&one("F32", "[1]", "[4,8]"), 8).contains("`fc`"));
    let b = r#"{"dtype":"F32","shape":[2],"data_offsets":[4,12]}"#;
    let a = b.replace("[4,12]", "[0,8]");
    header(&format!(r#"{{"a":{a},"b":{b}}}"#), 12);
    // Sizes whose sum exceeds 64 bits once the header is added.
    let size = 1u64 << 60;
    let entries: Vec<String> = (0..16u64)
        .map(|i| {
            let (start, end) = (i * size, (i * size).saturating_add(size - u64::from(i == 15)));
            let shape = end - start;
            format!(r#""{i}":{{"dtype":"U8","shape":[{shape}],"data_offsets":[{start},{end}]}}"#)
        })
        .collect();
    let bytes = file(&format!("{{{}}}", entries.join(",")), 4);
    assert!(matches!(format_error(&bytes), FormatError::FileLength { .. }));
}

#[test]
fn every_truncation_is_an_error() {
    let folder = Folder::new("truncation");
    for len in 0..FIXTURE.len() {
        let error = load_error(&folder.file("net", &FIXTURE[..len]));
        assert!(matches!(&error, LoadError::Format { .. }), "{len} bytes: {error}");
    }
}

#[test]
fn damaged_bytes_load_or_are_an_error() {
    let folder = Folder::new("damage");
    let mut rng = Rng::new(Seed(11), 0);
    let (mut loaded, mut failed) = (0, 0);
    for round in 0..2_000 {
        let mut bytes = FIXTURE.to_vec();
        for _ in 0..=rng.below(3) {
            // Every other time in the header, which is more easily hurt.
            let end = if round % 2 == 0 { bytes.len() } else { 360 };
            let place = rng.below(end);
            bytes[place] ^= 1 + rng.below(255) as u8;
        }
        let path = folder.file("net", &bytes);
        let mut net = Net::new(1);
        let before = net.bits();
        match net.load(&path) {
            Ok(()) => loaded += 1,
            Err(error) => {
                assert_eq!(net.bits(), before, "{error}");
                assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
                failed += 1;
            }
        }
    }
    assert!(loaded > 100 && failed > 1_000, "{loaded} loaded, {failed} failed");
}

#[test]
fn random_bytes_are_an_error() {
    let folder = Folder::new("random");
    let mut rng = Rng::new(Seed(12), 0);
    for round in 0..500 {
        let mut bytes: Vec<u8> = (0..rng.below(400)).map(|_| rng.next_u32() as u8).collect();
        if round % 2 == 0 && bytes.len() > 8 {
            // A header length that fits, so that the parser sees the rest.
            let header = rng.below(bytes.len() - 7) as u64;
            bytes[..8].copy_from_slice(&header.to_le_bytes());
        }
        load_error(&folder.file("net", &bytes));
    }
    fs::write(folder.0.join("net"), [0xff; 64]).unwrap();
    load_error(&folder.0.join("net"));
}
