//! Every loss, with its options, in the gradients of input and target.

use gradiron::prelude::*;

use crate::data::{Labels, batch, mapped};

const BETA: f32 = 0.25;

model! {
    fn cross(x: [batch, 4], label: Classes[batch]) -> [] { cross_entropy(x * 3.0, label) }
    fn smoothed(x: [batch, 4], label: Classes[batch]) -> [] {
        cross_entropy(x * 3.0, label, label_smoothing = 0.1)
    }
    fn nll(x: [batch, 4], label: Classes[batch]) -> [] {
        nll_loss(x.log_softmax(dim = 1), label) * 2.0
    }
    fn pixels(x: [batch, 3, 2], label: Classes[batch, 2]) -> [] {
        cross_entropy(x, label, label_smoothing = 0.2) + nll_loss(x.square(), label)
    }
}

#[test]
fn losses_of_classes() {
    let (x, label) = (batch::<[f32; 4]>(1, 3), Labels(vec![3, 0, 3]));
    free_gradients!(cross_workspace(5), [cross, cross_grad], (x, label) -> number);
    free_gradients!(cross_workspace(3), [smoothed, smoothed_grad], (x, label) -> number);
    free_gradients!(cross_workspace(3), [nll, nll_grad], (x, label) -> number);
    let (x, label) = (batch::<[[f32; 2]; 3]>(1, 2), Labels(vec![[2_u8, 0], [1, 1]]));
    free_gradients!(cross_workspace(3), [pixels, pixels_grad], (x, label) -> number);
}

model! {
    fn mse(x: [batch, 4], t: [batch, 4]) -> ([], [], [batch, 4]) {
        (mse_loss(x, t), mse_loss(x, t, reduction = sum), mse_loss(x, t, reduction = none))
    }
    fn l1(x: [batch, 4], t: [batch, 4]) -> ([], [], [batch, 4]) {
        (l1_loss(x, t, reduction = mean), l1_loss(x, t, reduction = sum),
            l1_loss(x, t, reduction = none))
    }
    fn smooth_l1(x: [batch, 4], t: [batch, 4]) -> ([], [], [batch, 4]) {
        (smooth_l1_loss(x, t), smooth_l1_loss(x, t, beta = 0.5, reduction = sum),
            smooth_l1_loss(x, t, beta = BETA, reduction = none))
    }
    fn huber(x: [batch, 4], t: [batch, 4]) -> ([], [], [batch, 4]) {
        (huber_loss(x, t), huber_loss(x, t, delta = 0.5, reduction = sum),
            huber_loss(x, t, delta = 2.0 * BETA, reduction = none))
    }
}

#[test]
fn losses_of_distances() {
    let (x, t) = (batch::<[f32; 4]>(1, 3), batch::<[f32; 4]>(2, 3));
    free_gradients!(mse_workspace(3), [mse, mse_grad], (x, t) -> (a, b, c));
    free_gradients!(mse_workspace(4), [l1, l1_grad], (x, t) -> (a, b, c));
    free_gradients!(mse_workspace(3), [smooth_l1, smooth_l1_grad], (x, t) -> (a, b, c));
    free_gradients!(mse_workspace(3), [huber, huber_grad], (x, t) -> (a, b, c));
}

model! {
    fn bce(p: [batch, 4], t: [batch, 4]) -> ([], [], [batch, 4]) {
        (binary_cross_entropy(p, t), binary_cross_entropy(p, t, reduction = sum),
            binary_cross_entropy(p, t, reduction = none))
    }
    fn with_logits(x: [batch, 4], t: [batch, 4]) -> ([], [], [batch, 4]) {
        let (x, t) = (x * 4.0, t);
        (binary_cross_entropy_with_logits(x, t),
            binary_cross_entropy_with_logits(x, t, reduction = sum),
            binary_cross_entropy_with_logits(x, t, reduction = none))
    }
    fn divergence(x: [batch, 4], t: [batch, 4]) -> ([], []) {
        let x = x.log_softmax(1);
        (kl_div(x, t), kl_div(x, t, reduction = batchmean))
    }
}

#[test]
fn losses_of_probabilities() {
    let [p, t] = [1, 2].map(|seed| mapped(batch::<[f32; 4]>(seed, 3), |x| 0.5 + 0.3 * x));
    free_gradients!(bce_workspace(4), [bce, bce_grad], (p, t) -> (a, b, c));
    let x = batch::<[f32; 4]>(3, 3);
    free_gradients!(bce_workspace(3), [with_logits, with_logits_grad], (x, t) -> (a, b, c));
    free_gradients!(bce_workspace(3), [divergence, divergence_grad], (x, t) -> (a, b));
}

model! {
    fn triplet(a: [batch, 3], p: [batch, 3], n: [batch, 3]) -> ([], [], [batch]) {
        (triplet_margin_loss(a, p, n),
            triplet_margin_loss(a, p, n, margin = 0.5, p = 3, swap = true, reduction = sum),
            triplet_margin_loss(a, p, n, margin = 2.0, p = 1, reduction = none))
    }
}

/// PyTorch's `pairwise_distance`.
fn distance(a: &[f32; 3], b: &[f32; 3], p: f64) -> f64 {
    let each = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b) + 1e-6).abs().powf(p));
    each.sum::<f64>().powf(1.0 / p)
}

#[test]
fn triplets() {
    let (a, p, n) = (batch::<[f32; 3]>(1, 4), batch::<[f32; 3]>(2, 4), batch::<[f32; 3]>(3, 4));
    let of = |at: usize, margin: f64, power: f64, swap: bool| {
        let far = distance(&a[at], &n[at], power);
        let other = distance(&p[at], &n[at], power);
        let far = if swap { far.min(other) } else { far };
        (distance(&a[at], &p[at], power) - far + margin).max(0.0)
    };
    let mut ws = triplet_workspace(4).expect("memory for four samples");
    let (mean, sum, each) = triplet(&mut ws, &a, &p, &n).expect("inputs of one length");
    let near = |found: f32, expected: f64| {
        assert!((f64::from(found) - expected).abs() < 1e-5, "{found} is not {expected}");
    };
    near(mean, (0..4).map(|at| of(at, 1.0, 2.0, false)).sum::<f64>() / 4.0);
    near(sum, (0..4).map(|at| of(at, 0.5, 3.0, true)).sum());
    (0..4).for_each(|at| near(each[at], of(at, 2.0, 1.0, false)));
    free_gradients!(triplet_workspace(4), [triplet, triplet_grad], (a, p, n) -> (x, y, z));
}
