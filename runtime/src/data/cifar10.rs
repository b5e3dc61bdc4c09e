//! CIFAR-10: 32 x 32 colour images of ten kinds of things (A. Krizhevsky, Learning Multiple Layers
//! of Features from Tiny Images, 2009).
//!
//! A folder holds the six files of the set's binary version, `cifar-10-batches-bin`:
//!
//! | file | contents |
//! | --- | --- |
//! | `data_batch_1.bin` to `data_batch_5.bin` | 10,000 training images each |
//! | `test_batch.bin` | 10,000 other images |
//!
//! An image is a byte for its class, then 32 rows of 32 bytes of red, of green and of blue. Files
//! with fewer images load too.

use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

use super::{DataError, Dataset};
use crate::files::open;

/// One image: red, green and blue, each 32 rows of 32 pixels.
pub type Image = [[[f32; SIDE]; SIDE]; 3];

/// The mean of all training pixels when they are scaled to 0..1: red, green, blue.
pub const MEAN: [f32; 3] = [0.4914, 0.4822, 0.4465];

/// The standard deviation of all training pixels when they are scaled to 0..1.
pub const STD: [f32; 3] = [0.2470, 0.2435, 0.2616];

/// The number of classes: labels are below this.
pub const CLASSES: usize = 10;

/// What the labels stand for.
pub const NAMES: [&str; CLASSES] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

const SIDE: usize = 32;
const PIXELS: usize = SIDE * SIDE;
/// A label and an image.
const RECORD: usize = 1 + 3 * PIXELS;

/// Loads the training set and the test set from `folder`.
///
/// Pixels are scaled to 0..1, then normalised with [`MEAN`] and [`STD`]. All 60,000 images
/// take 740 MB of memory. What is read of a file follows from its length.
///
/// ```no_run
/// use gradiron::data::cifar10;
///
/// let (train, test) = cifar10::load("data/cifar-10-batches-bin")?;
/// println!("{} + {} images, the first is a {}", train.len(), test.len(),
///     cifar10::NAMES[usize::from(train.targets[0])]);
/// # Ok::<(), gradiron::data::DataError>(())
/// ```
///
/// # Errors
///
/// When a file is missing, no regular file, cannot be read or is no whole number of records, or
/// when a label is not a class.
#[allow(clippy::type_complexity)]
pub fn load(
    folder: impl AsRef<Path>,
) -> Result<(Dataset<Image, u8>, Dataset<Image, u8>), DataError> {
    let folder = folder.as_ref();
    let train = (1..=5).map(|n| format!("data_batch_{n}.bin"));
    Ok((load_files(folder, train)?, load_files(folder, ["test_batch.bin".into()])?))
}

fn load_files(
    folder: &Path,
    names: impl IntoIterator<Item = String>,
) -> Result<Dataset<Image, u8>, DataError> {
    let tables: [[f32; 256]; 3] = std::array::from_fn(|channel| {
        std::array::from_fn(|pixel| (pixel as f32 / 255.0 - MEAN[channel]) / STD[channel])
    });
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for name in names {
        let path = folder.join(name);
        let (file, len) = match open(&path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(DataError::NotFound {
                    path,
                    help: "expected it next to the other files of the set; in the repository, \
                           `scripts/fetch-data.sh cifar10` puts all six in \
                           `data/cifar-10-batches-bin`",
                });
            }
            Err(source) => return Err(DataError::Io { path, source }),
        };
        read(&path, BufReader::new(file), len, &tables, &mut images, &mut labels)?;
    }
    Dataset::new(images, labels)
}

/// The images and labels of one file, from bytes in memory: for tests of the reader.
#[doc(hidden)]
pub fn read_bytes(bytes: &[u8]) -> Result<Dataset<Image, u8>, DataError> {
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    let tables = [[0.0; 256]; 3];
    read(Path::new("bytes"), bytes, bytes.len() as u64, &tables, &mut images, &mut labels)?;
    Dataset::new(images, labels)
}

/// Appends the images and the labels of a file of `len` bytes, which is what memory follows from,
/// one image after the other.
fn read(
    path: &Path,
    mut file: impl Read,
    len: u64,
    tables: &[[f32; 256]; 3],
    images: &mut Vec<Image>,
    labels: &mut Vec<u8>,
) -> Result<(), DataError> {
    if !len.is_multiple_of(RECORD as u64) {
        return Err(DataError::Records { path: path.into(), record: RECORD, found: len });
    }
    let records = usize::try_from(len / RECORD as u64).unwrap_or(usize::MAX);
    let memory =
        |_| DataError::Memory { path: path.into(), samples: records, bytes: size_of::<Image>() };
    images.try_reserve_exact(records).map_err(memory)?;
    labels.try_reserve_exact(records).map_err(memory)?;
    let mut record = [0; RECORD];
    for index in 0..records {
        let read = file.read_exact(&mut record);
        read.map_err(|source| DataError::Io { path: path.into(), source })?;
        let (label, pixels) = (record[0], &record[1..]);
        if usize::from(label) >= CLASSES {
            let (found, classes) = (label, CLASSES);
            return Err(DataError::Label { path: path.into(), index, found, classes });
        }
        labels.push(label);
        images.push([[[0.0; SIDE]; SIDE]; 3]);
        let image = images.last_mut().into_iter().flatten();
        for ((plane, bytes), table) in image.zip(pixels.chunks(PIXELS)).zip(tables) {
            for (pixel, byte) in plane.as_flattened_mut().iter_mut().zip(bytes) {
                *pixel = table[usize::from(*byte)];
            }
        }
    }
    Ok(())
}
