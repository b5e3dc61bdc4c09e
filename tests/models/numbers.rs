//! Sizes as numbers.

use gradiron::prelude::*;

use crate::data::{batch, bits};

const WIDTH: usize = 6;
const FACTOR: f32 = 0.75;

model! {
    struct Scaled<const D: usize> {
        fc: Linear(D -> D),
        gain: Param([D], init = ones),
    }

    fn forward(&self, x: [batch, D]) -> [batch, D] {
        let x = self.fc(x) / (D as f32).sqrt();
        let x = x * (1.0 / D as f32) + x.clamp(-1.0 / batch as f32, D as f32);
        x + self.gain * ((2 * D + 1) as f32 - FACTOR * D as f32) / (WIDTH as f32)
    }

    // What is prepared of parameters is not of the number of rows.
    fn by_rows(&self, x: [batch, D]) -> [batch, D] {
        linear(x, self.fc.weight / batch, self.gain * (batch as f32).recip())
    }

    fn sum(&self, x: [batch, D]) -> [] {
        let mut sum = x.square().sum() / batch;
        for i in 1..3 {
            sum += x.sum() * (i as f32 * 0.5) + i / 2 + D / 4 - i * 0.25;
        }
        sum * -(D as f32) / (batch * D)
    }
}

#[test]
fn sizes_are_numbers() {
    let x = batch::<[f32; 6]>(1, 3);
    gradients!(
        Scaled::<6>::init(Seed(1)), Scaled::<6>::workspace(3),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    gradients!(
        Scaled::<6>::init(Seed(1)), Scaled::<6>::workspace(3),
        [by_rows, by_rows_grad, by_rows_grad_inputs], (x) -> (y));
    let net = Scaled::<6>::init(Seed(2));
    let mut ws = Scaled::<6>::workspace(3).unwrap();
    for rows in [3, 1, 2] {
        let y = net.forward(&mut ws, &x[..rows]).unwrap().to_vec();
        for (x, y) in x.iter().zip(&y) {
            for (o, y) in y.iter().enumerate() {
                let dot = net.fc().weight()[o].iter().zip(x);
                let dot = dot.map(|(w, x)| f64::from(*w) * f64::from(*x)).sum::<f64>();
                let z = (dot + f64::from(net.fc().bias()[o])) / 6_f64.sqrt();
                let z = z * (1.0 / 6.0) + z.clamp(-1.0 / rows as f64, 6.0);
                let z = z + (13.0 - 0.75 * 6.0) / 6.0;
                assert!((z - f64::from(*y)).abs() < 1e-5, "{z} and {y}");
            }
        }
        let y = net.by_rows(&mut ws, &x[..rows]).unwrap().to_vec();
        for (x, y) in x.iter().zip(&y) {
            for (o, y) in y.iter().enumerate() {
                let dot = net.fc().weight()[o].iter().zip(x);
                let dot = dot.map(|(w, x)| f64::from(*w) * f64::from(*x)).sum::<f64>();
                let z = (dot + f64::from(net.gain()[o])) / rows as f64;
                assert!((z - f64::from(*y)).abs() < 1e-5, "{z} and {y}");
            }
        }
        let sum: f64 = x[..rows].iter().flatten().map(|x| f64::from(*x)).sum();
        let squares: f64 = x[..rows].iter().flatten().map(|x| f64::from(*x).powi(2)).sum();
        let z = squares / rows as f64 + sum * 1.5 + 1.0 + 2.0 - 0.75;
        let z = z * -6.0 / (rows as f64 * 6.0);
        let y = f64::from(net.sum(&mut ws, &x[..rows]).unwrap());
        assert!((z - y).abs() < 1e-4 * z.abs().max(1.0), "{z} and {y}");
    }
}

model! {
    fn exact(x: [batch, 3]) -> [batch, 3] { x / batch - x * (1.0 / (batch as f32).sqrt()) }
}

#[test]
fn they_are_rounded_as_in_rust() {
    let x = batch::<[f32; 3]>(1, 7);
    free_gradients!(exact_workspace(7), [exact, exact_grad], (x) -> (y));
    let mut ws = exact_workspace(7).unwrap();
    for rows in [7, 5, 3] {
        let y = exact(&mut ws, &x[..rows]).unwrap();
        let n = rows as f32;
        let expected = x[..rows].iter().map(|row| row.map(|x| x / n - x * (1.0 / n.sqrt())));
        assert_eq!(bits(y.as_flattened()), bits(expected.collect::<Vec<_>>().as_flattened()));
    }
}

const CONTEXT: usize = 5;

model! {
    struct Steps {
        token: Embedding(9 -> 8),
        attn: MultiheadAttention(8, num_heads = 2),
    }

    #[step(CONTEXT)]
    fn forward(&self, x: Classes[batch, CONTEXT]) -> [batch, CONTEXT, 8] {
        let x = self.token(x) / (CONTEXT as f32).sqrt();
        x + self.attn(x, is_causal = true) * (1.0 / batch as f32)
    }
}

#[test]
fn steps_know_the_sizes_of_the_whole() {
    let net = Steps::init(Seed(1));
    let mut ws = Steps::workspace(2).unwrap();
    let check = net.forward_step_check(&mut ws, Seed(1)).unwrap();
    assert!(check.difference < 1e-5, "{check:?}");
}
