//! Data sets on disk: the slice of MNIST that the repository ships, and broken folders.

use std::fs;
use std::path::{Path, PathBuf};

use gradiron::data::mnist::{self, Image, MEAN, STD};
use gradiron::data::{DataError, Dataset, idx};

fn slice() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/mnist-slice")
}

const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// A folder with a tiny sound set: two images and labels in each part.
fn tiny(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28];
    images.resize(16 + 2 * 784, 255);
    let labels = [0, 0, 8, 1, 0, 0, 0, 2, 3, 9];
    for name in NAMES {
        let contents: &[u8] = match name.contains("images") {
            true => &images,
            false => &labels,
        };
        fs::write(folder.join(name), contents).unwrap();
    }
    folder
}

/// Overwrites the byte at `at` of a file, or truncates it there.
fn damage(file: PathBuf, at: usize, byte: Option<u8>) {
    let mut contents = fs::read(&file).unwrap();
    match byte {
        Some(byte) => contents[at] = byte,
        None => contents.truncate(at),
    }
    fs::write(file, contents).unwrap();
}

/// Asserts that loading fails with a message that has each of `parts`.
fn assert_fails(folder: &Path, parts: &[&str]) {
    let message = mnist::load(folder).unwrap_err().to_string();
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}

#[test]
fn the_slice_loads() {
    let (train, test) = mnist::load(slice()).unwrap();
    assert_eq!((train.len(), test.len()), (6000, 1000));
    assert_eq!(train.targets[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    assert_eq!(test.targets[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);

    let pixels = || train.inputs.as_flattened().as_flattened().as_flattened();
    let (low, high) = ((0.0 - MEAN) / STD, (1.0 - MEAN) / STD);
    assert!(pixels().iter().all(|pixel| (low..=high).contains(pixel)));
    let mean = pixels().iter().map(|&pixel| f64::from(pixel)).sum::<f64>() / pixels().len() as f64;
    assert!(mean.abs() < 0.02, "{mean}");

    let bytes = idx::read::<3>(slice().join("train-images-idx3-ubyte.gz")).unwrap();
    assert_eq!(bytes.dims, [6000, 28, 28]);
    for (&pixel, &byte) in pixels().iter().zip(&bytes.bytes) {
        assert!((f32::from(byte) / 255.0 - (pixel * STD + MEAN)).abs() < 1e-6);
    }
}

#[test]
#[ignore = "needs `scripts/fetch-data.sh mnist`"]
fn the_full_set_loads() {
    let (train, test) = mnist::load(slice().join("../../../data/mnist")).unwrap();
    assert_eq!((train.len(), test.len()), (60_000, 10_000));
    let pixels = train.inputs.as_flattened().as_flattened().as_flattened();
    let moment = |power| {
        let sum: f64 = pixels.iter().map(|&x| f64::from(x).powi(power)).sum();
        sum / pixels.len() as f64
    };
    let (mean, square) = (moment(1), moment(2));
    assert!(mean.abs() < 1e-3 && (square - 1.0).abs() < 1e-3, "{mean} {square}");
    let (head, _) = train.split(6000);
    assert_eq!(head, mnist::load(slice()).unwrap().0);
}

#[test]
fn the_slice_is_handed_out_in_batches() {
    let (train, _) = mnist::load(slice()).unwrap();
    let (mut train, held_out): (Dataset<Image, u8>, _) = train.split(5000);
    assert_eq!(held_out.len(), 1000);
    let before = train.clone();
    train.shuffle(3);
    let sizes: Vec<_> = train.batches(64).map(|(x, y)| (x.len(), y.len())).collect();
    assert_eq!(sizes.len(), 79);
    assert!(sizes[..78].iter().all(|&size| size == (64, 64)));
    assert_eq!(sizes[78], (8, 8));
    // The pairs stay pairs.
    for (image, &digit) in train.inputs.iter().zip(&train.targets).take(20) {
        let at = before.inputs.iter().position(|other| other == image);
        assert_eq!(before.targets[at.unwrap()], digit);
    }
}

#[test]
fn loading_needs_little_stack() {
    let load = || mnist::load(slice()).map(|(mut train, _)| train.shuffle(1));
    let thread = std::thread::Builder::new().stack_size(128 * 1024);
    thread.spawn(load).unwrap().join().unwrap().unwrap();
}

#[test]
fn plain_files_load_before_compressed_ones() {
    let folder = tiny("plain");
    fs::write(folder.join("t10k-images-idx3-ubyte.gz"), "not read").unwrap();
    let (train, test) = mnist::load(&folder).unwrap();
    assert_eq!((train.targets, test.targets), (vec![3, 9], vec![3, 9]));
    assert_eq!(train.inputs, vec![[[[(1.0 - MEAN) / STD; 28]; 28]; 1]; 2]);
}

#[test]
fn a_missing_file_is_named() {
    assert_fails(Path::new("no/such"), &["no/such", "no such file", "fetch-data.sh"]);
    for name in NAMES {
        let folder = tiny("missing");
        fs::remove_file(folder.join(name)).unwrap();
        assert_fails(&folder, &[name, "no such file", "`.gz`"]);
    }
}

#[test]
fn sets_that_do_not_fit_are_refused() {
    let [images, labels, ..] = NAMES;

    let folder = tiny("label");
    damage(folder.join(labels), 9, Some(10));
    assert_fails(&folder, &[labels, "below 10", "label 1 is 10"]);

    let folder = tiny("size");
    damage(folder.join(images), 11, Some(14));
    damage(folder.join(images), 16 + 784, None);
    assert_fails(&folder, &[images, "28 x 28", "14 x 28"]);

    let folder = tiny("unpaired");
    damage(folder.join(images), 7, Some(1));
    damage(folder.join(images), 16 + 784, None);
    assert_fails(&folder, &[images, labels, "1 images", "2 labels"]);

    let folder = tiny("truncated");
    damage(folder.join(images), 1000, None);
    assert_fails(&folder, &[images, "1568 bytes", "only 984"]);

    let folder = tiny("swapped");
    fs::copy(folder.join(labels), folder.join(images)).unwrap();
    assert_fails(&folder, &[images, "expected 3 dimension", "found 1"]);

    let folder = tiny("folder");
    fs::remove_file(folder.join(images)).unwrap();
    fs::create_dir(folder.join(images)).unwrap();
    assert!(matches!(mnist::load(&folder), Err(DataError::Io { .. })));
}
