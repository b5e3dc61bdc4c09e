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
