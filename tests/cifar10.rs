//! CIFAR-10 on disk: tiny sets, broken folders, and the real set where it was fetched.

use std::fs;
use std::path::{Path, PathBuf};

use gradiron::data::cifar10::{self, CLASSES, MEAN, NAMES, STD};

const RECORD: usize = 3073;

fn file(part: usize) -> String {
    if part == 0 { "test_batch.bin".into() } else { format!("data_batch_{part}.bin") }
}

/// A folder with two images in each file: of classes `part` and 9, with bytes that tell the place.
fn tiny(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cifar10").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for part in 0..6 {
        let mut bytes = vec![0; 2 * RECORD];
        (bytes[0], bytes[RECORD]) = (part as u8, 9);
        // The first red, the second row's third green, the last blue pixel of the second image.
        for (at, value) in [(0, 255), (1024 + 32 + 2, 51), (3071, 102)] {
            bytes[RECORD + 1 + at] = value;
        }
        fs::write(folder.join(file(part)), bytes).unwrap();
    }
    folder
}

fn assert_fails(folder: &Path, parts: &[&str]) {
    let message = cifar10::load(folder).unwrap_err().to_string();
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}

#[test]
fn a_tiny_set_loads() {
    let (train, test) = cifar10::load(tiny("sound")).unwrap();
    assert_eq!(train.targets, [1, 9, 2, 9, 3, 9, 4, 9, 5, 9]);
    assert_eq!(test.targets, [0, 9]);
    assert_eq!(NAMES[9], "truck");
    let value = |byte: f32, channel: usize| (byte / 255.0 - MEAN[channel]) / STD[channel];
    for image in [&train.inputs[1], &train.inputs[9], &test.inputs[1]] {
        assert_eq!(image[0][0][0], value(255.0, 0));
        assert_eq!(image[1][1][2], value(51.0, 1));
        assert_eq!(image[2][31][31], value(102.0, 2));
        assert_eq!(image[0][0][1], value(0.0, 0));
    }
    assert_eq!(test.inputs[0][2], [[value(0.0, 2); 32]; 32]);
}

#[test]
fn loading_needs_little_stack() {
    let folder = tiny("stack");
    let thread = std::thread::Builder::new().stack_size(128 * 1024);
    thread.spawn(|| cifar10::load(folder)).unwrap().join().unwrap().unwrap();
}

#[test]
fn what_is_wrong_is_named() {
    assert_fails(Path::new("no/such"), &["data_batch_1.bin", "no such file", "fetch-data.sh"]);
    for part in 0..6 {
        let folder = tiny("missing");
        fs::remove_file(folder.join(file(part))).unwrap();
        assert_fails(&folder, &[&file(part), "no such file"]);

        let folder = tiny("short");
        fs::write(folder.join(file(part)), vec![0; RECORD + 100]).unwrap();
        assert_fails(&folder, &[&file(part), "3073", "3173 bytes", "truncated"]);

        let folder = tiny("label");
        let mut bytes = fs::read(folder.join(file(part))).unwrap();
        bytes[RECORD] = CLASSES as u8;
        fs::write(folder.join(file(part)), bytes).unwrap();
        assert_fails(&folder, &[&file(part), "below 10", "label 1 is 10"]);
    }
}

#[test]
#[ignore = "needs `scripts/fetch-data.sh cifar10`"]
fn the_full_set_loads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/cifar-10-batches-bin");
    let (train, test) = cifar10::load(folder).unwrap();
    assert_eq!((train.len(), test.len()), (50_000, 10_000));
    assert_eq!(train.targets[..10], [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]);
    assert_eq!(test.targets[..10], [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]);
    for channel in 0..3 {
        let pixels = || train.inputs.iter().flat_map(|image| image[channel].as_flattened());
        let moment =
            |power| pixels().map(|&x| f64::from(x).powi(power)).sum::<f64>() / 51_200_000.0;
        let (mean, square) = (moment(1), moment(2));
        assert!(mean.abs() < 1e-3 && (square - 1.0).abs() < 1e-3, "{mean} {square}");
    }
}
