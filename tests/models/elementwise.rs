//! Every elementwise method, operator and constant, by itself and in chains.

use gradiron::prelude::*;

use crate::data::{batch, mapped};

const HALF: f32 = 0.5;

model! {
    fn signed(x: [batch, 5], y: [batch, 5]) -> [batch, 5] {
        let a = x.exp() + x.square() - y.sin() * x.cos();
        let b = x.tanh().sigmoid() / (y.square() + 1.0);
        let c = (x.gelu() + y.gelu_tanh()).silu() + x.softplus() * HALF;
        a * b - c.neg() + x.powi(3) + y.powi(0) - y.powi(1) * 0.25
    }

    fn positive(x: [batch, 5], y: [batch, 5]) -> [batch, 5] {
        x.log() * y.sqrt() + x.powf(2.5) / y.powf(-HALF) + y.powi(-2) * (HALF / 2.0)
    }

    fn kinked(x: [batch, 5], y: [batch, 5]) -> [batch, 5] {
        let a = x.abs() * y.relu() + x.leaky_relu() + y.leaky_relu(0.3);
        let b = x.elu() - y.elu(alpha = 0.7) + x.clamp(-0.5, HALF) * y.clamp(min = -0.25, max = 9.0);
        let c = x.maximum(y) * x.minimum(0.1) + maximum(y, x * 2.0);
        a + b * c + y.softplus(beta = 2.0, threshold = 10.0)
    }

    fn scalars(x: [batch, 5], y: [batch, 5]) -> [batch, 5] {
        let z = 1.0 - x * 2 + 3.0 / (y + 4.0) - (2.0 * HALF + 1.0) + -HALF * x;
        let z = -(z / 3.0) * HALF - 0.125;
        &z + x * y
    }

    fn fan_out(x: [batch, 5], y: [batch, 5]) -> [batch, 5] {
        let z = x * y;
        let w = z + x;
        z * w + w * x + z * z
    }
}

#[test]
fn smooth_functions() {
    let (x, y) = (batch::<[f32; 5]>(1, 3), batch::<[f32; 5]>(2, 3));
    free_gradients!(signed_workspace(3), [signed, signed_grad], (x, y) -> (z));
    free_gradients!(signed_workspace(7), [scalars, scalars_grad], (x, y) -> (z));
    free_gradients!(signed_workspace(3), [fan_out, fan_out_grad], (x, y) -> (z));
}

#[test]
fn functions_of_positive_numbers() {
    let [x, y] = [3, 4].map(|seed| mapped(batch::<[f32; 5]>(seed, 3), |x| 1.25 + 0.5 * x));
    free_gradients!(signed_workspace(3), [positive, positive_grad], (x, y) -> (z));
}

#[test]
fn functions_with_kinks() {
    let (x, y) = (batch::<[f32; 5]>(15, 3), batch::<[f32; 5]>(18, 3));
    free_gradients!(signed_workspace(3), [kinked, kinked_grad], (x, y) -> (z));
}

model! {
    fn turned(x: [batch, 5], y: [batch, 5]) -> ([batch, 5], [batch, 5]) {
        ((x * 2.0).sin() - 1.0, (y.cos() * 1e9).sin().gt(0.0) + x.cos())
    }

    fn masked(x: [batch, 3]) -> [batch, 3] {
        x.sqrt().masked_fill(x.le(0.0), 0.0)
    }

    fn chosen(x: [batch, 3]) -> [batch, 3] {
        let is_bad = x.le(0.0);
        where_(is_bad, 1.0, x).sqrt().masked_fill(is_bad, 0.0)
    }
}

/// Angles whose reduction takes another way, among others, in chains, and behind a comparison.
#[test]
fn angles_of_all_sizes() {
    let mut ws = turned_workspace(2).unwrap();
    let x = [[1e9, 1.4e8, 0.5, -1e38, 0.0], [7e7, -0.25, 1e20, 1.0, 2e8_f32]];
    let y = [[0.5, 1e9, -1.0, 2e30, 0.1], [1.0, 2.0, 3.0, 4.0, 5.0_f32]];
    let d = [[1.0; 5]; 2];
    let ((z, w), (d_x, _)) = turned_grad(&mut ws, &x, &y, &d, &d).unwrap();
    let (z, w, d_x) = (z.to_vec(), w.to_vec(), d_x.to_vec());
    assert_eq!(turned(&mut ws, &x, &y).unwrap(), (&z[..], &w[..]));
    // Each function is within 2 ulp, below 2^-23, and so is each sum.
    let check = |found: f32, want: f64| assert!((f64::from(found) - want).abs() < 1e-6, "{want}");
    for i in 0..10 {
        let x = f64::from(x.as_flattened()[i]);
        check(z.as_flattened()[i], (2.0 * x).sin() - 1.0);
        check(d_x.as_flattened()[i], 2.0 * (2.0 * x).cos() - x.sin());
        let is_above = w.as_flattened()[i] - x.cos() as f32 > 0.5;
        check(w.as_flattened()[i], x.cos() + if is_above { 1.0 } else { 0.0 });
    }
    let (z, _) = turned(&mut ws, &[[5e8, 7e7, 0.0, 0.0, 0.0]], &[[0.0; 5]]).unwrap();
    check(z[0][0], 0.545_843_45 - 1.0);
    check(z[0][1], 0.205_034_6 - 1.0);
}

/// What is not chosen has the gradient 0, exactly. Behind it 0 times a derivative that is no number
/// is none: so an argument is made sound before a function, not its result.
#[test]
fn a_result_that_is_not_chosen() {
    let mut ws = turned_workspace(1).unwrap();
    let (x, d_y) = ([[4.0, -1.0, 0.0]], [[1.0; 3]]);
    let (y, d_x) = masked_grad(&mut ws, &x, &d_y).unwrap();
    assert!(y[0] == [2.0, 0.0, 0.0] && d_x[0][0] == 0.25);
    assert!(d_x[0][1].is_nan() && d_x[0][2].is_nan());
    let (y, d_x) = chosen_grad(&mut ws, &x, &d_y).unwrap();
    assert_eq!((y[0], d_x[0]), ([2.0, 0.0, 0.0], [0.25, 0.0, 0.0]));
}
