use std::io::Write;

use super::*;

fn idx(dims: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dims.len() as u8];
    for dim in dims {
        file.extend(dim.to_be_bytes());
    }
    file.extend(bytes);
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn plain<const RANK: usize>(file: &[u8]) -> Result<Idx<RANK>, DataError> {
    read_bytes("some/images", file)
}

fn zipped<const RANK: usize>(file: &[u8]) -> Result<Idx<RANK>, DataError> {
    read_bytes("some/images.gz", file)
}

/// Asserts that the error names the file and says each of `parts`.
fn assert_says<const RANK: usize>(result: Result<Idx<RANK>, DataError>, parts: &[&str]) {
    let message = result.unwrap_err().to_string();
    for part in ["some/images", "expected", ": "].iter().chain(parts) {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}

#[test]
fn reads_plain_and_compressed_files() {
    let file = idx(&[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
    let expected = Idx { dims: [2, 1, 3], bytes: vec![1, 2, 3, 4, 5, 6] };
    assert_eq!(plain(&file).unwrap(), expected);
    assert_eq!(zipped(&gzip(&file)).unwrap(), expected);
    // gzip files may be concatenated.
    let parts = [gzip(&file[..7]), gzip(&file[7..])].concat();
    assert_eq!(zipped(&parts).unwrap(), expected);
}

#[test]
fn zeros_behind_gzip_data_are_padding() {
    let file = idx(&[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
    let expected = Idx { dims: [2, 1, 3], bytes: vec![1, 2, 3, 4, 5, 6] };
    let good = gzip(&file);
    for zeros in [1, 7, 8, 512, 100_000] {
        let padded = [&good[..], &vec![0; zeros]].concat();
        assert_eq!(zipped::<3>(&padded).unwrap(), expected, "{zeros} zeros");
        // From a reader with little room, in which padding comes in parts.
        let reader = std::io::BufReader::with_capacity(16, &padded[..]);
        let path = Path::new("some/images.gz");
        let len = padded.len() as u64;
        assert_eq!(Reader::<_, 3>::new(path, reader, len).unwrap().read().unwrap(), expected);
        assert_says(zipped::<3>(&[&padded[..], &[7]].concat()), &["gzip", "damaged", "anew"]);
        // Between two members.
        let parts = [gzip(&file[..7]), vec![0; zeros], gzip(&file[7..])].concat();
        assert_eq!(zipped::<3>(&parts).unwrap(), expected, "{zeros} zeros");
    }
}

#[test]
fn reads_files_without_elements() {
    for dims in [[0, 28, 28], [5, 0, 5], [0, 0, 0]] {
        let read = plain::<3>(&idx(&dims, &[])).unwrap();
        assert_eq!(read.dims, dims.map(|n| n as usize));
        assert!(read.bytes.is_empty());
    }
    assert_says(plain::<1>(&idx(&[0], &[1])), &["0 bytes", "more"]);
}

#[test]
fn says_what_is_wrong_with_the_header() {
    let file = idx(&[2], &[7, 9]);
    assert_says(plain::<1>(b"<html>"), &["00 00", "3c 68 74 6d", "right"]);
    assert_says(plain::<1>(&gzip(&file)), &["1f 8b", "`.gz`"]);
    assert_says(plain::<3>(&file), &["3 dimension", "found 1"]);
    assert_says(plain::<1>(&[]), &["8 bytes", "after 0"]);
    assert_says(plain::<1>(&file[..6]), &["8 bytes", "after 6"]);
    let mut floats = file.clone();
    floats[2] = 0x0d;
    assert_says(plain::<1>(&floats), &["0x08", "0x0d (32-bit float)"]);
    floats[2] = 0;
    assert_says(plain::<1>(&floats), &["0x00 (not an IDX type)"]);
}

#[test]
fn says_what_is_wrong_with_the_length() {
    let most = u32::MAX;
    assert_says(plain::<3>(&idx(&[most; 3], &[])), &["4294967295"]);
    assert_says(plain::<3>(&idx(&[0, most, most], &[])), &["[0, 42949"]);
    // Promises nearly 4 GB: must neither wait for nor reserve them.
    assert_says(plain::<1>(&idx(&[most], &[1, 2])), &["only 2", "4294967295"]);
    assert_says(zipped::<1>(&gzip(&idx(&[67_108_864], &[1]))), &["only 1"]);
    assert_says(plain::<1>(&idx(&[2], &[1, 2, 3])), &["2 bytes", "more"]);
    assert_says(zipped::<1>(&gzip(&idx(&[0], &[3]))), &["0 bytes", "more"]);
}

/// A megabyte of gzip data holds a gigabyte of zeros; what it unpacks to is looked at first.
#[test]
fn what_would_unpack_beyond_its_bound_is_not_unpacked() {
    for (dims, bytes) in [(vec![1 << 30], 1000), (vec![u32::MAX], 0), (vec![(64 << 20) + 1], 0)] {
        let file = gzip(&idx(&dims, &vec![0; bytes]));
        let says = ["at most 67108864 bytes", "a hundred times", "gzip -d"];
        assert_says(zipped::<1>(&file), &says);
    }
    // A header that promises little unpacks little, whatever follows.
    let long = gzip(&[idx(&[3], &[1, 2, 3]), vec![0; 10_000_000]].concat());
    assert_says(zipped::<1>(&long), &["3 bytes", "more"]);
    // What is a hundred times as long as its file, and a file whose own length allows more.
    let zeros = vec![0; 1 << 20];
    assert!(zipped::<1>(&gzip(&idx(&[1 << 20], &zeros))).is_ok());
    let file = gzip(&idx(&[1 << 30], &[]));
    let reader = |len| Reader::<_, 1>::new(Path::new("a.gz"), &file[..], len);
    assert!(reader((1 << 30) / 100 + 1).is_ok());
    assert!(matches!(reader((1 << 30) / 100 - 1), Err(DataError::Unpacked { .. })));
}

#[test]
fn says_what_is_wrong_with_the_compression() {
    let file = idx(&[2], &[7, 9]);
    let good = gzip(&file);
    assert_says(zipped::<1>(&file), &["1f 8b", "00 00", "drop `.gz`"]);
    assert_says(zipped::<1>(&[]), &["1f 8b", "nothing", "anew"]);
    assert_says(zipped::<1>(&good[..12]), &["gzip", "truncated", "anew"]);
    let garbage = [&good[..], b"garbage"].concat();
    assert_says(zipped::<1>(&garbage), &["gzip", "damaged", "anew"]);
    let mut checksum = good.clone();
    let at = checksum.len() - 8;
    checksum[at] ^= 1;
    assert_says(zipped::<1>(&checksum), &["gzip", "damaged", "anew"]);
}

#[test]
fn says_when_there_is_no_file() {
    let error = read::<1>("no/such/labels").unwrap_err();
    assert!(matches!(error, DataError::NotFound { .. }));
    assert!(error.to_string().contains("no/such/labels"), "{error}");
    let error = read::<1>(env!("CARGO_MANIFEST_DIR")).unwrap_err();
    assert!(matches!(error, DataError::Io { .. }), "{error}");
}

#[test]
fn every_truncation_is_an_error() {
    let file = idx(&[2, 2, 3], &[5; 12]);
    let compressed = gzip(&file);
    assert!(plain::<3>(&file).is_ok() && zipped::<3>(&compressed).is_ok());
    for n in 0..file.len() {
        assert!(plain::<3>(&file[..n]).is_err(), "{n} bytes");
        assert!(zipped::<3>(&gzip(&file[..n])).is_err(), "{n} bytes");
    }
    for n in 0..compressed.len() {
        assert!(zipped::<3>(&compressed[..n]).is_err(), "{n} bytes");
    }
}

#[test]
fn damage_never_panics() {
    let file = idx(&[3, 2, 4], &(0..24).collect::<Vec<_>>());
    let compressed = gzip(&file);
    let mut state = 1_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    for round in 0..20_000 {
        let (good, parse): (_, fn(&[u8]) -> _) = match round % 2 {
            0 => (&file, plain::<3>),
            _ => (&compressed, zipped::<3>),
        };
        let mut bad = good.clone();
        for _ in 0..=random(3) {
            let at = random(bad.len());
            bad[at] ^= 1 << random(8);
        }
        bad.truncate(bad.len() - random(2) * random(bad.len()));
        if let Ok(read) = parse(&bad) {
            // Flips that leave the format valid: other elements, or dimensions that agree.
            assert_eq!(read.bytes.len(), read.dims.iter().product::<usize>());
        }
    }
}
