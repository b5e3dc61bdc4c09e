//! Products and convolutions that go on with a chain.

use gradiron::prelude::*;

use crate::data::{batch, random};

model! {
    /// Chains that read an operand which ends there, two products, a product that others read.
    struct Dense {
        a: Linear(4 -> 4),
        b: Linear(4 -> 4, bias = false),
        scale: Param([4], init = normal(0.0, 1.0)),
    }

    fn forward(&self, x: [batch, 4], w: [4, 4]) -> ([batch, 4], [batch, 4], [batch, 1]) {
        let h = x.exp();
        let y = h + self.b(h);
        let z = (self.a(y) * self.b(x)).tanh() * self.scale;
        let u = self.a(z);
        let v = u.matmul(w);
        (u.gelu() + u.mean(dim = 1, keepdim = true), v.square() - h, (v * self.scale).sum(dim = 1, keepdim = true))
    }
}

#[test]
fn chains_of_products() {
    let (x, w) = (batch::<[f32; 4]>(1, 5), random::<[[f32; 4]; 4]>(2));
    gradients!(
        Dense::init(Seed(1)), Dense::workspace(5),
        [forward, forward_grad, forward_grad_inputs], (x, w) -> (a, b, c));
}

model! {
    /// A bias for each channel, for each pixel, for each image; a residual around two convolutions.
    struct Images {
        c1: Conv2d(2 -> 3, kernel = 3, padding = 1),
        c2: Conv2d(3 -> 2, kernel = 3, padding = 1, bias = false),
        pixel: Param([5, 5], init = normal(0.0, 1.0)),
    }

    fn forward(&self, x: [batch, 2, 5, 5], shift: [batch, 1, 1, 1]) -> [batch, 2, 5, 5] {
        let x = x.sin();
        let y = self.c2(self.c1(x).silu() + shift) * self.pixel;
        self.c2(self.c1(y + x).tanh()) - y
    }
}

#[test]
fn chains_of_convolutions() {
    let x = batch::<[[[f32; 5]; 5]; 2]>(3, 2);
    let shift = batch::<[[[f32; 1]; 1]; 1]>(4, 2);
    gradients!(
        Images::init(Seed(2)), Images::workspace(3),
        [forward, forward_grad, forward_grad_inputs], (x, shift) -> (y));
}
