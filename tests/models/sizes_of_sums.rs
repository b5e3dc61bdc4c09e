//! Sizes that are sums, differences and quotients of constants: each is one operand wherever
//! generated code multiplies it.

use gradiron::prelude::*;

use crate::data::batch;

const N: usize = 1;
const SIDE: usize = 9;
const PATCHES: usize = 4;

model! {
    fn product(x: [batch, N + 1, 1]) -> [batch, N + 1, N + 1] {
        x.matmul(x.transpose(1, 2))
    }
}

#[test]
fn products_of_matrices() {
    let mut ws = product_workspace(2).expect("the sizes are small");
    let y = product(&mut ws, &[[[1.0], [2.0]], [[3.0], [4.0]]]).expect("inputs fit");
    assert_eq!(y, [[[1.0, 2.0], [2.0, 4.0]], [[9.0, 12.0], [12.0, 16.0]]]);
}

model! {
    struct Running {}
    fn forward(&self, s: [batch, N + 1], h: [batch, N + 1]) -> ([batch, N + 1], [batch, N + 1]) {
        let h = h + s;
        (h, h)
    }
}

model! {
    struct Sums { running: Running }
    fn forward(&self, x: [batch, 3, N + 1], h: [batch, N + 1]) -> ([batch, 3, N + 1], [batch, N + 1]) {
        scan(self.running, x, h)
    }
}

#[test]
fn steps_of_a_scan() {
    let net = Sums::init(Seed(0));
    let mut ws = Sums::workspace(1).expect("the sizes are small");
    let x = [[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]];
    let (y, h) = net.forward(&mut ws, &x, &[[0.0, 0.0]]).expect("inputs fit");
    assert_eq!(y, [[[1.0, 10.0], [3.0, 30.0], [6.0, 60.0]]]);
    assert_eq!(h, [[6.0, 60.0]]);
}

model! {
    struct Block<const T: usize, const D: usize> { fc: Linear(D -> D), mix: Param([T, T]) }
    fn forward(&self, x: [batch, T, D]) -> [batch, T, D] {
        x + self.fc(x).tanh().transpose(1, 2).matmul(self.mix).transpose(1, 2).sin()
    }
}

model! {
    struct Rows { blocks: [Block<{ PATCHES + 1 }, { N + 1 }>; 3] }
    fn forward(&self, x: [batch, PATCHES + 1, N + 1]) -> [batch, PATCHES + 1, N + 1] {
        self.blocks(x)
    }
    fn loss(&self, x: [batch, PATCHES + 1, N + 1]) -> [] { self.forward(x).square().mean() }
}

#[test]
fn models_in_a_row() {
    let x = batch::<[[f32; 2]; 5]>(5, 3);
    gradients!(
        Rows::init(Seed(1)), Rows::workspace(3),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    gradients!(
        Rows::init(Seed(1)), Rows::workspace(4),
        [loss, loss_grad, loss_grad_inputs], (x) -> number);
}

model! {
    /// Sizes that a stride makes of constants, and sums of constants that `cat` makes.
    struct Inferred { conv: Conv2d(1 -> 2, kernel = 3, stride = 2), head: Linear(2) }
    fn forward(&self, x: [batch, 1, SIDE, SIDE + N]) -> [batch, 2 * ((SIDE - 3) / 2 + 1) + N, 2] {
        let x = self.conv(x);
        let y = x.reshape([batch, 2 * ((SIDE - 3) / 2 + 1), (SIDE + N - 3) / 2 + 1]);
        self.head(cat([y, y.narrow(1, 0, N)], 1))
    }
}

#[test]
fn sizes_that_strides_make() {
    let x = batch::<[[[f32; 10]; 9]; 1]>(2, 3);
    gradients!(
        Inferred::init(Seed(1)), Inferred::workspace(3),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
}

model! {
    /// The first argument's size is known by the second's.
    fn pairs(x: [2 * batch, 3], y: [batch, 3]) -> [batch, 3] {
        x.reshape([batch, 2, 3]).sum(dim = 1) + y
    }
}

#[test]
fn an_argument_of_twice_the_size() {
    let mut ws = pairs_workspace(2).expect("the sizes are small");
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0];
    let y = pairs(&mut ws, &x, &[[0.0; 3], [100.0; 3]]).expect("inputs fit");
    assert_eq!(y, [[5.0, 7.0, 9.0], [117.0, 119.0, 121.0]]);
    assert!(pairs(&mut ws, &x[..9], &[[0.0; 3], [100.0; 3]]).is_err());
}
