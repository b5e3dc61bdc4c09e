//! MNIST: 28 x 28 grey images of handwritten digits.
//!
//! A folder holds the four files of the set under their published names, each either plain
//! or compressed with `.gz` appended:
//!
//! | file | contents |
//! | --- | --- |
//! | `train-images-idx3-ubyte` | 60,000 images |
//! | `train-labels-idx1-ubyte` | their digits |
//! | `t10k-images-idx3-ubyte` | 10,000 other images |
//! | `t10k-labels-idx1-ubyte` | their digits |
//!
//! Sets in the same format, such as Fashion-MNIST or a slice with fewer images, load too.

use std::path::{Path, PathBuf};

use super::idx::Reader;
use super::{DataError, Dataset};

/// One image: a channel of 28 rows of 28 pixels.
pub type Image = [[[f32; SIDE]; SIDE]; 1];

/// The mean of all training pixels when they are scaled to 0..1.
pub const MEAN: f32 = 0.1307;

/// The standard deviation of all training pixels when they are scaled to 0..1.
pub const STD: f32 = 0.3081;

/// The number of digits: labels are below this.
pub const CLASSES: usize = 10;

const SIDE: usize = 28;

/// Loads the training set and the test set from `folder`.
///
/// Pixels are scaled to 0..1, then normalised with [`MEAN`] and [`STD`]. All 70,000 images
/// take 220 MB of memory.
///
/// ```no_run
/// use gradiron::data::mnist;
///
/// let (mut train, test) = mnist::load("data/mnist")?;
/// train.shuffle(0);
/// println!("{} training images, {} test images", train.len(), test.len());
/// # Ok::<(), gradiron::data::DataError>(())
/// ```
///
/// # Errors
///
/// When a file is missing or is not a sound IDX file (see [`idx::read`](super::idx::read)), when
/// images are not 28 x 28, a label is not a digit, or images and labels are not equally many.
#[allow(clippy::type_complexity)]
pub fn load(
    folder: impl AsRef<Path>,
) -> Result<(Dataset<Image, u8>, Dataset<Image, u8>), DataError> {
    let folder = folder.as_ref();
    Ok((load_part(folder, "train")?, load_part(folder, "t10k")?))
}

fn load_part(folder: &Path, part: &str) -> Result<Dataset<Image, u8>, DataError> {
    let path = find(folder, &format!("{part}-images-idx3-ubyte"))?;
    let labels_path = find(folder, &format!("{part}-labels-idx1-ubyte"))?;

    // What the headers say is looked at before anything is read that follows them.
    let (images, labels) = (Reader::<_, 3>::open(&path)?, Reader::<_, 1>::open(&labels_path)?);
    let [count, rows, columns] = images.dims;
    if [rows, columns] != [SIDE, SIDE] {
        return Err(DataError::ImageSize { path, expected: [SIDE, SIDE], found: [rows, columns] });
    }
    let [found] = labels.dims;
    if found != count {
        return Err(DataError::Unpaired { path, labels: labels_path, images: count, found });
    }

    let labels = labels.read()?.bytes;
    if let Some(index) = labels.iter().position(|&y| usize::from(y) >= CLASSES) {
        let found = labels[index];
        return Err(DataError::Label { path: labels_path, index, found, classes: CLASSES });
    }
    let images = normalise(&images.read()?.bytes);
    let images = images.ok_or_else(|| {
        let (path, bytes) = (path.clone(), size_of::<Image>());
        DataError::Memory { path, samples: count, bytes }
    })?;
    Dataset::new(images, labels)
}

/// The path of a published file, plain or compressed; plain wins when both are there.
fn find(folder: &Path, name: &str) -> Result<PathBuf, DataError> {
    let plain = folder.join(name);
    if plain.exists() {
        return Ok(plain);
    }
    let compressed = folder.join(format!("{name}.gz"));
    if compressed.exists() {
        return Ok(compressed);
    }
    Err(DataError::NotFound {
        path: plain,
        help: "expected it, or the same with `.gz` appended, next to the other files of the set; \
               in the repository, `scripts/fetch-data.sh mnist` puts all four in `data/mnist`",
    })
}

/// Turns bytes into normalised images, written in place: no image passes over the stack. Nothing
/// when memory does not suffice.
fn normalise(bytes: &[u8]) -> Option<Vec<Image>> {
    let table: [f32; 256] = std::array::from_fn(|pixel| (pixel as f32 / 255.0 - MEAN) / STD);
    let mut images: Vec<Image> = bytemuck::try_zeroed_vec(bytes.len() / (SIDE * SIDE)).ok()?;
    let pixels = images.as_flattened_mut().as_flattened_mut();
    for (pixel, &byte) in pixels.as_flattened_mut().iter_mut().zip(bytes) {
        *pixel = table[usize::from(byte)];
    }
    Some(images)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_scaled_then_normalised() {
        let mut bytes = vec![0; 2 * SIDE * SIDE];
        bytes[SIDE * SIDE + SIDE + 3] = 255;
        let images = normalise(&bytes).unwrap();
        assert_eq!(images.len(), 2);
        assert_eq!(images[0][0][1][3], (0.0 - 0.1307) / 0.3081);
        assert_eq!(images[1][0][1][3], (1.0 - 0.1307) / 0.3081);
        assert_eq!(images[1][0][3][1], images[0][0][0][0]);
        assert!(normalise(&[]).unwrap().is_empty());
    }
}
