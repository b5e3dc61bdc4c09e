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
