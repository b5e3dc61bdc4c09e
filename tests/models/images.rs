//! Convolutions and pools.

use gradiron::prelude::*;

use crate::data::batch;

const STRIDE: usize = 2;

model! {
    struct Convolutions {
        plain: Conv2d(2 -> 3, kernel = 3),
        strided: Conv2d(3 -> 4, kernel = (2, 3), stride = (1, STRIDE), padding = (1, 2)),
        grouped: Conv2d(4 -> 6, 2, groups = 2, bias = false),
        dilated: Conv2d(4, kernel = 2, dilation = (2, 1), padding = 1),
    }

    fn forward(&self, x: [batch, 2, 6, 5]) -> [batch, 4, 4, 3] {
        let y = self.plain(x);
        let y = self.strided(y).tanh();
        self.dilated(self.grouped(y))
    }
}

#[test]
fn convolutions() {
    let x = batch::<[[[f32; 5]; 6]; 2]>(1, 2);
    gradients!(
        Convolutions::init(Seed(1)), Convolutions::workspace(3),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
}

model! {
    struct Depthwise {
        depth: Conv2d(3 -> 6, kernel = 3, padding = 1, groups = 3, stride = 2),
        point: Conv2d(6 -> 2, kernel = 1),
    }

    fn loss(&self, x: [batch, 3, 5, 4]) -> [] {
        self.point(self.depth(x).silu()).square().mean()
    }
}

#[test]
fn depthwise_and_pointwise() {
    let x = batch::<[[[f32; 4]; 5]; 3]>(2, 3);
    gradients!(
        Depthwise::init(Seed(1)), Depthwise::workspace(3),
        [loss, loss_grad, loss_grad_inputs], (x) -> number);
}

model! {
    fn pools(x: [batch, 2, 5, 4]) -> ([batch, 2, 3, 2], [batch, 2, 3, 3], [batch, 2, 2, 2]) {
        let y = x * x + x;
        (y.max_pool2d(3, stride = 2, padding = 1), y.avg_pool2d((3, 2), stride = 1),
            x.max_pool2d((2, 2)))
    }

    fn padded(x: [batch, 2, 5, 4]) -> ([batch, 2, 3, 2], [batch, 2, 3, 3], [batch, 2, 3, 4]) {
        let dilated = x.max_pool2d(kernel = 2, stride = 1, dilation = (2, 1));
        (x.sin().avg_pool2d(3, stride = 2, padding = 1), dilated.exp(),
            x.avg_pool2d((3, 1), stride = 1) * x.max_pool2d((3, 1), stride = (1, 1)))
    }
}

model! {
    struct Transposed {
        plain: ConvTranspose2d(2 -> 3, kernel = 3),
        double: ConvTranspose2d(3 -> 4, kernel = 2, stride = STRIDE, bias = false),
        odd: ConvTranspose2d(4 -> 6, kernel = (3, 2), stride = (2, 3), padding = (1, 0),
            output_padding = (1, 2), groups = 2),
        dilated: ConvTranspose2d(2, kernel = 2, dilation = (2, 1), padding = 1),
    }

    fn forward(&self, x: [batch, 2, 2, 1]) -> [batch, 2, 16, 18] {
        let y = self.double(self.plain(x)).tanh();
        self.dilated(self.odd(y))
    }
}

#[test]
fn transposed_convolutions() {
    let x = batch::<[[[f32; 1]; 2]; 2]>(5, 2);
    gradients!(
        Transposed::init(Seed(2)), Transposed::workspace(3),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
}

model! {
    fn joined(a: [batch, 2, 3], b: [batch, 1, 3], c: [batch, 2, 1])
        -> ([batch, 3, 3], [batch, 2, 7], [2 * batch, 2, 3])
    {
        (cat([a.exp(), b], 1), cat([a * a, c, a], dim = -1), cat([a, a.sin()]))
    }

    fn resized(x: [batch, 2, 4, 2])
        -> ([batch, 2, 8, 4], [batch, 2, 8, 6], [batch, 2, 8, 2], [batch, 2, 1, 1], [batch, 2, 2, 1])
    {
        (x.interpolate(2).sin(), x.interpolate((2, 3), mode = bilinear).exp(),
            x.interpolate(scale_factor = (2, 1), mode = bilinear, align_corners = true),
            x.adaptive_avg_pool2d(1), x.square().adaptive_avg_pool2d((2, 1)))
    }
}

#[test]
fn joining() {
    let a = batch::<[[f32; 3]; 2]>(6, 2);
    let b = batch::<[[f32; 3]; 1]>(7, 2);
    let c = batch::<[[f32; 1]; 2]>(8, 2);
    free_gradients!(joined_workspace(3), [joined, joined_grad], (a, b, c) -> (x, y, z));
}

#[test]
fn resizing() {
    let x = batch::<[[[f32; 2]; 4]; 2]>(9, 2);
    free_gradients!(joined_workspace(2), [resized, resized_grad], (x) -> (a, b, c, d, e));
}

#[test]
fn pools_with_overlap_and_padding() {
    let x = batch::<[[[f32; 4]; 5]; 2]>(3, 2);
    free_gradients!(pools_workspace(2), [pools, pools_grad], (x) -> (a, b, c));
    free_gradients!(pools_workspace(3), [padded, padded_grad], (x) -> (a, b, c));
}

model! {
    struct Layers {
        conv: Conv2d(1 -> 2, kernel = 3, padding = 1),
        max: MaxPool2d(2, stride = 1),
        avg: AvgPool2d((2, 1)),
        flat: Flatten(),
        fc: Linear(3),
    }

    fn forward(&self, x: [batch, 1, 5, 5]) -> [batch, 3] {
        self.fc(self.flat(self.avg(self.max(self.conv(x)))))
    }

    fn loss(&self, x: [batch, 1, 5, 5], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(x), label)
    }
}

#[test]
fn the_layers() {
    let (x, label) = (batch::<[[[f32; 5]; 5]; 1]>(4, 3), crate::data::Labels(vec![2, 0, 1]));
    gradients!(
        Layers::init(Seed(3)), Layers::workspace(4),
        [loss, loss_grad, loss_grad_inputs], (x, label) -> number);
}
