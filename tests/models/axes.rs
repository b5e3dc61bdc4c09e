//! Axes counted from the end, sizes that are left to the compiler, and parts of axes.

use gradiron::prelude::*;

use crate::data::{All, batch, random};

const WIDTH: usize = 4;

model! {
    struct FromTheEnd {
        softmax: Softmax(dim = -2),
        log_softmax: LogSoftmax(-1),
        flatten: Flatten(-2),
    }

    fn negative(&self, x: [batch, 3, WIDTH], i: Classes[batch, 3, 1]) -> ([batch, 1], [batch, 3, 1]) {
        let a = self.softmax(x) + self.log_softmax(x) + x.softmax(-1) * x.log_softmax(dim = -2);
        let b = x.sum(-1, keepdim = true) * x.mean(dim = [-1, -2], keepdim = true);
        let c = cat([x, a], dim = -1).narrow(-1, 2, WIDTH).cumsum(-2);
        let d = c.transpose(-1, -2).permute([0, -1, -2]).unsqueeze(-1).squeeze(-1);
        let e = a.matmul(d.transpose(-2, -1)).amax(-1, keepdim = true) - x.amin(dim = -1, keepdim = true);
        let f = self.flatten(x * e).mean(dim = -1, keepdim = true) + x.select(-1, 1).sum(-1, true);
        (f + x.flatten(-2).sum(-1, true), b + x.gather(-1, i) * x.cross(a, dim = -2).sum(-1, true))
    }

    fn positive(&self, x: [batch, 3, WIDTH], i: Classes[batch, 3, 1]) -> ([batch, 1], [batch, 3, 1]) {
        let a = x.softmax(1) + x.log_softmax(2) + x.softmax(2) * x.log_softmax(dim = 1);
        let b = x.sum(2, keepdim = true) * x.mean(dim = [2, 1], keepdim = true);
        let c = cat([x, a], dim = 2).narrow(2, 2, WIDTH).cumsum(1);
        let d = c.transpose(2, 1).permute([0, 2, 1]).unsqueeze(3).squeeze(3);
        let e = a.matmul(d.transpose(1, 2)).amax(2, keepdim = true) - x.amin(dim = 2, keepdim = true);
        let f = (x * e).flatten().mean(dim = 1, keepdim = true) + x.select(2, 1).sum(1, true);
        (f + x.flatten(1).sum(1, true), b + x.gather(2, i) * x.cross(a, dim = 1).sum(2, true))
    }
}

#[test]
fn axes_are_counted_from_the_end() {
    let x = batch::<[[f32; WIDTH]; 3]>(1, 2);
    let i = [[[0_u8], [3], [1]], [[2], [2], [0]]];
    let net = FromTheEnd::init(Seed(0));
    let mut ws = FromTheEnd::workspace(2).unwrap();
    let (d_a, d_b) = (batch::<[f32; 1]>(2, 2), batch::<[[f32; 1]; 3]>(3, 2));
    let made = net.negative_grad_inputs(&mut ws, &x, &i, &d_a, &d_b).unwrap();
    let (y, d_x) = (All::all(&made.0), All::all(&made.1));
    let made = net.positive_grad_inputs(&mut ws, &x, &i, &d_a, &d_b).unwrap();
    assert_eq!((y, d_x), (All::all(&made.0), All::all(&made.1)));
}

model! {
    fn left(x: [batch, 6, WIDTH]) -> ([batch, 24], [batch, 2, 12], [batch, 3, 2, WIDTH], [WIDTH]) {
        let rows = x.reshape([-1, 6 * WIDTH]);
        let halves = x.reshape([batch, -1, 3 * WIDTH]);
        let last = x.reshape([batch, 3, 2, -1]).square();
        (rows, halves, last, x.reshape([6 * batch, -1]).sum(0))
    }

    fn written(x: [batch, 6, WIDTH]) -> ([batch, 24], [batch, 2, 12], [batch, 3, 2, WIDTH], [WIDTH]) {
        let last = x.reshape([batch, 3, 2, WIDTH]).square();
        (x.flatten(), x.reshape([batch, 2, 3 * WIDTH]), last, x.sum([0, 1]))
    }
}

#[test]
fn a_size_is_left_to_the_compiler() {
    let x = batch::<[[f32; WIDTH]; 6]>(1, 2);
    free_gradients!(left_workspace(2), [left, left_grad], (x) -> (a, b, c, d));
    let mut ws = left_workspace(2).unwrap();
    let y = All::all(&left(&mut ws, &x).unwrap());
    let z = All::all(&written(&mut ws, &x).unwrap());
    assert!(y.iter().zip(&z).all(|(y, z)| (y - z).abs() < 1e-5), "{y:?} and {z:?}");
}

model! {
    struct ClassToken {
        class: Param([WIDTH], init = normal(0.0, 1.0)),
    }

    fn forward(&self, x: [batch, 3, WIDTH]) -> [batch, 4, WIDTH] {
        cat([self.class.expand([batch, 1, WIDTH]), x], dim = 1)
    }

    fn by_products(&self, x: [batch, 3, WIDTH]) -> [batch, 4, WIDTH] {
        cat([x.narrow(1, 0, 1) * 0.0 + self.class, x], dim = 1)
    }
}

model! {
    fn parts(x: [batch, 5, WIDTH], y: [3, 1]) -> ([batch, 5, 2], [batch, WIDTH], [batch, 3, 6]) {
        let columns = x.slice(2, 1..3) * x.slice(dim = -1, range = ..=1) + x.slice(2, -2..);
        let row = x.select(1, -1) * x.select(1, 0) + x.slice(1, -2..-1).squeeze(1);
        let y = y.expand([2, -1, 6]).sum(0) + y.expand([3, 6]).square();
        (columns, row, x.slice(1, ..3).slice(2, WIDTH - 1..).expand([-1, -1, 6]) * y)
    }

    fn parts_by_narrow(x: [batch, 5, WIDTH], y: [3, 1]) -> ([batch, 5, 2], [batch, WIDTH], [batch, 3, 6]) {
        let columns = x.narrow(2, 1, 2) * x.narrow(2, 0, 2) + x.narrow(2, 2, 2);
        let row = x.select(1, 4) * x.select(1, 0) + x.select(1, 3);
        let y = y * 2.0 + y.square();
        let z = x.narrow(1, 0, 3).narrow(2, 3, 1);
        (columns, row, cat([z, z, z, z, z, z], -1) * y)
    }
}

#[test]
fn parts_of_axes_and_repetitions() {
    let (x, y) = (batch::<[[f32; WIDTH]; 5]>(1, 2), random::<[[f32; 1]; 3]>(2));
    free_gradients!(parts_workspace(2), [parts, parts_grad], (x, y) -> (a, b, c));
    let mut ws = parts_workspace(2).unwrap();
    let made = All::all(&parts(&mut ws, &x, &y).unwrap());
    let same = All::all(&parts_by_narrow(&mut ws, &x, &y).unwrap());
    assert!(made.iter().zip(&same).all(|(y, z)| (y - z).abs() < 1e-5), "{made:?} and {same:?}");

    let x = batch::<[[f32; WIDTH]; 3]>(1, 3);
    gradients!(
        ClassToken::init(Seed(1)), ClassToken::workspace(3),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    let net = ClassToken::init(Seed(2));
    let mut ws = ClassToken::workspace(3).unwrap();
    let y = All::all(&net.forward(&mut ws, &x).unwrap());
    assert_eq!(y, All::all(&net.by_products(&mut ws, &x).unwrap()));
}
