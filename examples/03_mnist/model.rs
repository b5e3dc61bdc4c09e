//! LeNet-5 (LeCun, Bottou, Bengio and Haffner, 1998), with `relu` and maxima in place of its own.

use gradiron::prelude::*;

model! {
    /// LeNet-5 for 28×28 greyscale digits.
    pub struct LeNet {
        conv1: Conv2d(1 -> 6, kernel = 5, padding = 2),
        conv2: Conv2d(6 -> 16, kernel = 5),
        fc1: Linear(400 -> 120),
        fc2: Linear(84), // the input size is inferred when it is left out
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

/// The digit whose score is the largest.
pub fn digit(scores: &[f32; 10]) -> u8 {
    (0..10).max_by(|a, b| scores[*a as usize].total_cmp(&scores[*b as usize])).unwrap_or(0)
}
