//! The two networks that PyTorch's runs and goldens are of (`parity training`), and their data.

use std::path::Path;
use std::sync::LazyLock;

use gradiron::data::{Dataset, mnist};
use gradiron::prelude::*;

pub const BATCH: usize = 64;

model! {
    pub struct LeNet {
        conv1: Conv2d(1 -> 6, kernel = 5, padding = 2),
        conv2: Conv2d(6 -> 16, kernel = 5),
        fc1: Linear(400 -> 120),
        fc2: Linear(120 -> 84),
        fc3: Linear(84 -> 10),
    }

    fn forward(&self, image: [batch, 1, 28, 28]) -> [batch, 10] {
        let x = self.conv1(image).relu().max_pool2d(2);
        let x = self.conv2(x).relu().max_pool2d(2).flatten();
        let x = self.fc1(x).relu();
        let x = self.fc2(x).relu();
        self.fc3(x)
    }

    fn loss(&self, image: [batch, 1, 28, 28], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(image), label)
    }
}

model! {
    pub struct Mlp {
        fc1: Linear(784 -> 128),
        fc2: Linear(128 -> 10),
    }

    fn forward(&self, image: [batch, 1, 28, 28]) -> [batch, 10] {
        let x = self.fc1(image.flatten()).relu();
        self.fc2(x)
    }

    fn loss(&self, image: [batch, 1, 28, 28], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(image), label)
    }
}

/// The training images of the slice of MNIST in this repository, in the order of the file, read
/// once.
///
/// # Panics
/// When they cannot be read.
pub static DIGITS: LazyLock<Dataset<mnist::Image, u8>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/mnist-slice");
    mnist::load(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())).0
});
