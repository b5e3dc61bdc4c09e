//! Broadcasting, reductions, softmax, products, and the operations that only move values.

use gradiron::prelude::*;

use crate::data::{batch, random};

model! {
    fn row_to_batch(x: [batch, 3], y: [3]) -> [batch, 3] { x * y + y - x / (y + 2.0) }
    fn row_from_the_left(x: [batch, 3], y: [3]) -> [batch, 3] { y * x - y.maximum(x * 0.5) }
    fn number(x: [batch, 3], y: []) -> [batch, 3] { x * y + y / (x + 3.0) }
}

#[test]
fn a_row_or_a_number_meets_a_batch() {
    let (x, row, number_) = (batch::<[f32; 3]>(1, 4), random::<[f32; 3]>(2), 0.6875_f32);
    let y = row;
    free_gradients!(row_to_batch_workspace(4), [row_to_batch, row_to_batch_grad], (x, y) -> (z));
    free_gradients!(
        row_to_batch_workspace(4), [row_from_the_left, row_from_the_left_grad], (x, y) -> (z));
    let y = number_;
    free_gradients!(row_to_batch_workspace(4), [number, number_grad], (x, y) -> (z));
}

model! {
    fn outer(x: [batch, 1], y: [1, 4]) -> [batch, 4] { x * y + x - y }
    fn inner_axes(x: [batch, 2, 1], y: [batch, 1, 3]) -> [batch, 2, 3] { x * y - y + x.square() }
    fn both_ways(x: [2, 1, 3], y: [4, 1]) -> [2, 4, 3] { (x + y) * (y - x * 0.5) }
    fn fixed(x: [2, 3], y: [3]) -> [2, 3] { x / (y.exp() + 1.0) + y }
}

#[test]
fn axes_of_one_are_repeated() {
    let (x, y) = (batch::<[f32; 1]>(1, 3), random::<[[f32; 4]; 1]>(2));
    free_gradients!(outer_workspace(3), [outer, outer_grad], (x, y) -> (z));
    let (x, y) = (batch::<[[f32; 1]; 2]>(3, 3), batch::<[[f32; 3]; 1]>(4, 3));
    free_gradients!(outer_workspace(3), [inner_axes, inner_axes_grad], (x, y) -> (z));
    let (x, y) = (random::<[[[f32; 3]; 1]; 2]>(5), random::<[[f32; 1]; 4]>(6));
    free_gradients!(outer_workspace(1), [both_ways, both_ways_grad], (x, y) -> (z));
    let (x, y) = (random::<[[f32; 3]; 2]>(5), random::<[f32; 3]>(6));
    free_gradients!(outer_workspace(1), [fixed, fixed_grad], (x, y) -> (z));
}

model! {
    fn sums(x: [batch, 3, 4]) -> ([batch, 4], [3], [], [batch, 1, 1], [1, 3, 4]) {
        let square = x.square();
        let all = square.sum() * 0.25;
        (square.sum(dim = 1), square.sum(dim = [0, 2]), all, square.sum([1, -1], keepdim = true),
            x.sum(0, true))
    }

    fn means(x: [batch, 3, 4]) -> ([batch, 3], [4], [], [batch, 3, 4]) {
        let e = x.exp();
        (e.mean(dim = -1), e.mean([0, 1]), e.mean(), e - e.mean(dim = 2, keepdim = true))
    }

    fn extremes(x: [batch, 3, 4]) -> ([batch, 3], [4], [], [batch, 3, 4]) {
        let y = x * x + x;
        (y.amax(dim = 2), y.amin([0, 1]), y.amax(), y * y.amin(dim = 1, keepdim = true))
    }
}

#[test]
fn reductions_over_one_axis_several_and_all() {
    let x = batch::<[[f32; 4]; 3]>(7, 2);
    free_gradients!(sums_workspace(3), [sums, sums_grad], (x) -> (a, b, c, d, e));
    free_gradients!(sums_workspace(2), [means, means_grad], (x) -> (a, b, c, d));
    free_gradients!(sums_workspace(2), [extremes, extremes_grad], (x) -> (a, b, c, d));
}

model! {
    fn ties(x: [4]) -> ([], []) { (x.amax(), x.amin()) }
}

#[test]
fn equal_extremes_share_the_gradient() {
    let mut ws = ties_workspace().unwrap();
    let (values, d_x) = ties_grad(&mut ws, &[2.0, -1.0, 2.0, -1.0], 1.0, 10.0).unwrap();
    assert_eq!((values, d_x), ((2.0, -1.0), &[0.5, 5.0, 0.5, 5.0]));
}

model! {
    fn softmaxes(x: [batch, 3, 4]) -> ([batch, 3, 4], [batch, 3, 4], [batch, 3, 4]) {
        let x = x * 3.0;
        (x.softmax(dim = 0), x.softmax(1), x.softmax(dim = -1))
    }

    fn log_softmaxes(x: [batch, 3, 4]) -> ([batch, 3, 4], [batch, 3, 4], [batch, 3, 4]) {
        let x = x * 3.0;
        (log_softmax(x, 0), x.log_softmax(dim = 1), x.log_softmax(dim = 2))
    }
}

#[test]
fn softmax_along_each_axis() {
    let x = batch::<[[f32; 4]; 3]>(8, 2);
    free_gradients!(softmaxes_workspace(4), [softmaxes, softmaxes_grad], (x) -> (a, b, c));
    free_gradients!(softmaxes_workspace(2), [log_softmaxes, log_softmaxes_grad], (x) -> (a, b, c));
}

model! {
    fn moves(x: [batch, 2, 6]) -> ([batch, 12], [batch, 6, 2], [batch, 3, 4], [2, 6]) {
        let y = x.sin();
        let turned = y.permute([1, 0, 2]);
        (y.flatten(), y.transpose(1, 2), y.reshape([batch, 3, 4]), turned.square().sum(1))
    }

    fn ones(x: [batch, 2, 6]) -> ([batch, 1, 2, 6], [batch, 12], [batch, 6, 2], [batch, 2, 6]) {
        let y = x.unsqueeze(1) * x.unsqueeze(dim = 1).cos();
        let z = y.squeeze(1).flatten(start_dim = 1);
        let turned = x.transpose(0, 2).exp().transpose(0, -1).transpose(2, 1);
        (y, z, turned, x.permute([2, 0, 1]).tanh().permute([1, 2, 0]))
    }

    fn same(x: [batch, 2, 6]) -> [batch, 2, 6] { x.permute([2, 0, 1]).permute([1, 2, 0]) }
}

#[test]
fn values_that_move() {
    let x = batch::<[[f32; 6]; 2]>(9, 3);
    free_gradients!(moves_workspace(4), [moves, moves_grad], (x) -> (a, b, c, d));
    free_gradients!(moves_workspace(4), [ones, ones_grad], (x) -> (a, b, c, d));
    let mut ws = moves_workspace(3).unwrap();
    let (flat, turned, rows, _) = moves(&mut ws, &x).unwrap();
    assert_eq!(turned[1][4][1], flat[1][10]);
    assert_eq!(rows[2][1][3], flat[2][7]);
    assert_eq!(same(&mut ws, &x).unwrap(), x);
}

model! {
    fn products(x: [batch, 3], y: [3, 4], z: [4, 2]) -> ([batch, 2], [3, 2]) {
        (x.matmul(y).matmul(z), y.tanh().matmul(z))
    }

    fn with_leading_axes(x: [batch, 2, 3], y: [3, 2]) -> [batch, 2, 2] {
        let z = x.matmul(y);
        z.matmul(y.transpose(0, 1)).matmul(y) + z
    }

    fn squared(x: [batch, 3, 3], y: [3, 3]) -> [batch, 3, 3] {
        x.matmul(y).matmul(y)
    }
}

#[test]
fn matrix_products() {
    let (x, y, z) =
        (batch::<[f32; 3]>(1, 3), random::<[[f32; 4]; 3]>(2), random::<[[f32; 2]; 4]>(3));
    free_gradients!(products_workspace(5), [products, products_grad], (x, y, z) -> (a, b));
    let (x, y) = (batch::<[[f32; 3]; 2]>(4, 2), random::<[[f32; 2]; 3]>(5));
    free_gradients!(
        products_workspace(2), [with_leading_axes, with_leading_axes_grad], (x, y) -> (z));
    let (x, y) = (batch::<[[f32; 3]; 3]>(6, 2), random::<[[f32; 3]; 3]>(7));
    free_gradients!(products_workspace(2), [squared, squared_grad], (x, y) -> (z));
}

const WIDTH: usize = 6;
const PARTS: usize = 3;

model! {
    /// Only rustc knows that `WIDTH` is `PARTS * (WIDTH / PARTS)`.
    fn split(x: [batch, 2, WIDTH]) -> [batch, PARTS, 2, WIDTH / PARTS] {
        (x * 2.0).reshape([batch, 2, PARTS, WIDTH / PARTS]).transpose(1, 2)
    }
}

#[test]
fn constants_split_beside_a_run_time_size() {
    let x = batch::<[[f32; WIDTH]; 2]>(1, 3);
    free_gradients!(split_workspace(3), [split, split_grad], (x) -> (y));
    let mut ws = split_workspace(3).unwrap();
    let y = split(&mut ws, &x).unwrap();
    assert_eq!(y[2][1][0], [2.0 * x[2][0][2], 2.0 * x[2][0][3]]);
}

model! {
    /// A number becomes an array of one element in the memory that it has.
    struct Single {
        scale: Param([1], init = normal(0.0, 1.0)),
    }

    fn loss(&self, x: [batch, 3]) -> [] {
        ((x.mean() + 0.1 * x.square().sum()) * self.scale).sum()
    }
}

#[test]
fn a_number_as_an_array_of_one() {
    let x = batch::<[f32; 3]>(5, 4);
    gradients!(
        Single::init(Seed(1)), Single::workspace(4),
        [loss, loss_grad, loss_grad_inputs], (x) -> number);
}
