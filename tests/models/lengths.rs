//! What lies behind the end of a sample's sequence plays no part: not in results, not in any
//! gradient.

use gradiron::prelude::*;
use gradiron::view::flat;

use crate::data::batch;

model! {
    struct One {
        rnn: RNN(1 -> 1),
    }

    fn forward(&self, x: [batch, 2, 1], len: Classes[batch]) -> ([batch, 2, 1], [batch, 1]) {
        self.rnn(x, lengths = len)
    }
}

#[test]
fn a_number_that_is_none_behind_the_end() {
    let mut net = One::init(Seed(0));
    net.params_mut().fill(0.5);
    let mut ws = One::workspace(1).unwrap();
    let (y, h) = net
        .forward_grad(&mut ws, &[[[1.0], [f32::NAN]]], &[1_u8], &[[[1.0]; 2]], &[[1.0]])
        .unwrap();
    // tanh(1.5)
    assert!((y[0][0][0] - 0.905_148_25).abs() < 1e-6 && y[0][1] == [0.0] && h[0] == y[0][0]);
    // Twice 1 − tanh², by the input 1, the state 0, and each bias.
    let right = [0.361_413, 0.0, 0.361_413, 0.361_413];
    for (found, right) in ws.grads().as_slice().iter().zip(right) {
        assert!((found - right).abs() < 1e-6, "{:?}", ws.grads().as_slice());
    }
}

model! {
    struct Layers {
        rnn: RNN(3 -> 4, num_layers = 2, bidirectional = true),
        relu: RNN(3 -> 5, nonlinearity = relu, bias = false),
        lstm: LSTM(3 -> 4, num_layers = 2, bidirectional = true),
        gru: GRU(3 -> 4, num_layers = 2, bidirectional = true),
        started: GRU(3 -> 2),
        cells: LSTM(3 -> 2),
    }

    fn forward(&self, x: [batch, 5, 3], len: Classes[batch]) -> ([batch, 5, 8], [batch, 4, 4]) {
        let (a, h) = self.rnn(x, lengths = len);
        let (b, g, c) = self.lstm(x, lengths = len);
        let (d, f) = self.gru(x, lengths = len);
        (a + b * d, h + g * c + f)
    }

    fn others(&self, x: [batch, 5, 3], h: [batch, 2], len: Classes[batch]) -> ([batch, 5, 7], [batch, 2]) {
        let (a, _h) = self.relu(x, lengths = len);
        let (b, g) = self.started(x, h, lengths = len);
        let (c, f, e) = self.cells(x, h, g, lengths = len);
        (cat([a, b + c], 2), g + f * e)
    }
}

model! {
    /// Its functions are defined for positive inputs alone, and read what they made of them.
    struct Rooted {
        of_x: Linear(3 -> 4),
        of_h: Linear(4 -> 4, bias = false),
        out: Linear(3 -> 2, bias = false),
    }

    fn forward(&self, x: [batch, 3], h: [batch, 4], g: [batch, 3]) -> ([batch, 2], [batch, 4], [batch, 3]) {
        let h = (self.of_x(x.log()) + self.of_h(h)).tanh();
        let g = (g * g + x).sqrt();
        (self.out(g / x), h, g)
    }

    fn root(&self, x: [batch, 3], h: [batch, 4]) -> ([batch, 3], [batch, 4]) {
        (x.sqrt(), (h + self.of_x(1.0 / x)).sigmoid())
    }
}

model! {
    struct Scans {
        cell: Rooted,
        other: Rooted,
    }

    fn forward(
        &self, x: [batch, 5, 3], h: [batch, 4], g: [batch, 3], len: Classes[batch],
    ) -> ([batch, 5, 2], [batch, 5, 2], [batch, 4], [batch, 3]) {
        let (y, k, f) = scan(self.cell, x, h, g, out = [2], lengths = len);
        let (z, k, f) = scan(self.other, x, k, f, out = [2], reverse = true, lengths = len);
        (y, z, k, f)
    }

    fn roots(&self, x: [batch, 5, 3], h: [batch, 4], len: Classes[batch]) -> ([batch, 5, 3], [batch, 5, 3], [batch, 4]) {
        let (y, k) = scan(self.cell.root, x, h, out = [3], lengths = len);
        let (z, k) = scan(self.other.root, x, k, out = [3], reverse = true, lengths = len);
        (y, z, k)
    }
}

const LEN: [u8; 4] = [3, 0, 5, 1];
const PADDINGS: [f32; 6] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38, 0.0, -1.0];

/// A batch in which `padding` stands behind the ends.
fn padded(x: &[[[f32; 3]; 5]], padding: f32) -> Vec<[[f32; 3]; 5]> {
    let mut x = x.to_vec();
    for (x, len) in x.iter_mut().zip(LEN) {
        x[usize::from(len)..].fill([padding; 3]);
    }
    x
}

/// Runs with each padding, and checks that all numbers are the same and finite.
fn the_same_for_any_padding(mut run: impl FnMut(&[[[f32; 3]; 5]]) -> Vec<f32>) {
    let x: Vec<_> = batch::<[[f32; 3]; 5]>(1, 4);
    let x: Vec<_> = x.iter().map(|x| x.map(|x| x.map(|x| 0.5 + x.abs()))).collect();
    let right = run(&padded(&x, 1.0));
    assert!(right.iter().all(|x| x.is_finite()) && right.iter().any(|x| *x != 0.0));
    for padding in PADDINGS {
        let found = run(&padded(&x, padding));
        assert_eq!(found.len(), right.len());
        for (i, (found, right)) in found.iter().zip(&right).enumerate() {
            assert_eq!(found, right, "number {i} with {padding}");
        }
    }
}

/// The gradient of the input is 0 behind the ends.
fn ends(d_x: &[[[f32; 3]; 5]]) {
    for (d_x, len) in d_x.iter().zip(LEN) {
        assert!(flat(&d_x[usize::from(len)..]).iter().all(|d| *d == 0.0), "{d_x:?}");
        assert!(flat(&d_x[..usize::from(len)]).iter().all(|d| *d != 0.0), "{d_x:?}");
    }
}

#[test]
fn recurrent_layers_stop_at_the_end() {
    let net = Layers::init(Seed(2));
    let mut ws = Layers::workspace(4).unwrap();
    let (d_y, d_h) = (padded_gradient::<8>(), batch::<[[f32; 4]; 4]>(4, 4));
    the_same_for_any_padding(|x| {
        let (y, h) = net.forward(&mut ws, x, &LEN).unwrap();
        let mut all = [flat(y), flat(h)].concat();
        let ((y, h), d_x) = net.forward_grad_inputs(&mut ws, x, &LEN, &d_y, &d_h).unwrap();
        ends(d_x);
        all.extend([flat(y), flat(h), flat(d_x)].concat());
        all.extend(ws.grads().as_slice());
        all
    });
    let (d_y, h) = (padded_gradient::<7>(), batch::<[f32; 2]>(5, 4));
    the_same_for_any_padding(|x| {
        let (y, last) = net.others(&mut ws, x, &h, &LEN).unwrap();
        let mut all = [flat(y), flat(last)].concat();
        let ((y, last), (d_x, d_h)) =
            net.others_grad_inputs(&mut ws, x, &h, &LEN, &d_y, &h).unwrap();
        all.extend([flat(y), flat(last), flat(d_x), flat(d_h)].concat());
        all.extend(ws.grads().as_slice());
        all
    });
}

/// Gradients of results, which are no numbers behind the ends either.
fn padded_gradient<const N: usize>() -> Vec<[[f32; N]; 5]> {
    let mut d_y = batch::<[[f32; N]; 5]>(3, 4);
    for (d_y, len) in d_y.iter_mut().zip(LEN) {
        d_y[usize::from(len)..].fill([f32::NAN; N]);
    }
    d_y
}

#[test]
fn loops_over_time_stop_at_the_end() {
    let net = Scans::init(Seed(3));
    let mut ws = Scans::workspace(4).unwrap();
    ws.poison();
    let (h, g) = (batch::<[f32; 4]>(6, 4), batch::<[f32; 3]>(7, 4));
    let d_y = padded_gradient::<2>();
    the_same_for_any_padding(|x| {
        let (y, z, k, f) = net.forward(&mut ws, x, &h, &g, &LEN).unwrap();
        let mut all = [flat(y), flat(z), flat(k), flat(f)].concat();
        let ((y, z, k, f), (d_x, d_h, d_g)) =
            net.forward_grad_inputs(&mut ws, x, &h, &g, &LEN, &d_y, &d_y, &h, &g).unwrap();
        ends(d_x);
        all.extend([flat(y), flat(z), flat(k), flat(f), flat(d_x), flat(d_h), flat(d_g)].concat());
        all.extend(ws.grads().as_slice());
        all
    });
    let d_y = padded_gradient::<3>();
    the_same_for_any_padding(|x| {
        let ((y, z, k), (d_x, d_h)) =
            net.roots_grad_inputs(&mut ws, x, &h, &LEN, &d_y, &d_y, &h).unwrap();
        ends(d_x);
        let mut all = [flat(y), flat(z), flat(k), flat(d_x), flat(d_h)].concat();
        all.extend(ws.grads().as_slice());
        all
    });
}

#[test]
fn sequences_of_nothing_have_no_gradient() {
    let net = Scans::init(Seed(3));
    let mut ws = Scans::workspace(2).unwrap();
    let (h, g) = (batch::<[f32; 4]>(6, 2), batch::<[f32; 3]>(7, 2));
    let (x, d_y) = ([[[f32::NAN; 3]; 5]; 2], batch::<[[f32; 2]; 5]>(3, 2));
    let ((y, _, k, f), (d_x, d_h, d_g)) =
        net.forward_grad_inputs(&mut ws, &x, &h, &g, &[0_u8; 2], &d_y, &d_y, &h, &g).unwrap();
    assert_eq!((flat(k), flat(f), flat(d_h), flat(d_g)), (flat(&h), flat(&g), flat(&h), flat(&g)));
    assert!([flat(y), flat(d_x)].concat().iter().all(|x| *x == 0.0));
    assert!(ws.grads().as_slice().iter().all(|x| *x == 0.0));
}

model! {
    struct Inside {
        gru: GRU(2 -> 3),
    }

    fn forward(&self, x: [batch, 16, 2], len: Classes[batch]) -> [batch, 3] {
        let (_y, h) = self.gru(x, lengths = len);
        h
    }
}

model! {
    struct Around {
        inside: Inside,
        head: Linear(3 -> 4),
    }

    fn loss(&self, x: [batch, 16, 2], end: Classes[batch], label: Classes[batch]) -> [] {
        let h: [batch, 3] = self.inside(x, end);
        cross_entropy(self.head(h), label)
    }
}

#[test]
fn a_length_that_is_too_large_is_called_a_length() {
    let x = [[[0.5; 2]; 16]; 2];
    let inside = Inside::init(Seed(1));
    let mut ws = Inside::workspace(2).unwrap();
    assert!(inside.forward(&mut ws, &x, &[16_u8, 0]).is_ok());
    let error = inside.forward(&mut ws, &x, &[17_u8, 0]).unwrap_err().to_string();
    assert_eq!(error, "`len[0]` is the length 17, but sequences have 0 to 16 steps");
    let error = inside.forward(&mut ws, &x, &[16_i64, -1]).unwrap_err().to_string();
    assert_eq!(error, "`len[1]` is the length -1, but sequences have 0 to 16 steps");
    // Handed on to another model, and beside an argument of classes.
    let around = Around::init(Seed(1));
    let mut ws = Around::workspace(2).unwrap();
    let error = around.loss_grad(&mut ws, &x, &[3_u8, 17], &[0_u8, 1]).unwrap_err().to_string();
    assert_eq!(error, "`end[1]` is the length 17, but sequences have 0 to 16 steps");
    let error = around.loss(&mut ws, &x, &[3_u8, 1], &[0_u8, 4]).unwrap_err().to_string();
    assert_eq!(error, "`label[1]` is the class 4, but classes go from 0 to 3");
}
