//! Sizes that are known when a program runs: as an axis of classes, and under names that are taken;
//! and constants whose values only rustc knows.

use gradiron::prelude::*;

use crate::data::{Labels, batch};

model! {
    /// Each sample's partner is the one of its number (A. Radford et al., "Learning Transferable
    /// Visual Models From Natural Language Supervision", 2021).
    struct Contrast {
        of_a: Linear(4 -> 3),
        of_b: Linear(2 -> 3),
    }

    fn loss(&self, a: [batch, 4], b: [batch, 2], label: Classes[batch]) -> [] {
        let scores = self.of_a(a).matmul(self.of_b(b).transpose(0, 1)) * 2.0;
        let both = cross_entropy(scores, label, label_smoothing = 0.1)
            + nll_loss(scores.transpose(0, 1).log_softmax(dim = 1), label);
        both * 0.5
    }

    fn partner(&self, a: [batch, 4], b: [batch, 2], label: Classes[batch]) -> [batch] {
        let scores = self.of_a(a).matmul(self.of_b(b).transpose(0, 1));
        let own = scores.gather(dim = 1, index = label.unsqueeze(1)).squeeze(1);
        own + scores.gather(dim = 0, index = label.unsqueeze(0)).squeeze(0)
    }
}

model! {
    struct Around {
        first: Linear(4 -> 4),
        contrast: Contrast,
    }

    fn loss(&self, a: [n, 4], b: [n, 2], label: Classes[n]) -> [] {
        let loss: [] = self.contrast.loss(self.first(a), b, label);
        loss
    }
}

#[test]
fn classes_are_the_samples_of_a_batch() {
    let (a, b) = (batch::<[f32; 4]>(1, 3), batch::<[f32; 2]>(2, 3));
    let label = Labels(vec![2, 0, 1]);
    gradients!(
        Contrast::init(Seed(1)), Contrast::workspace(3), [loss, loss_grad, loss_grad_inputs],
        (a, b, label) -> number);
    gradients!(
        Contrast::init(Seed(1)), Contrast::workspace(5),
        [partner, partner_grad, partner_grad_inputs], (a, b, label) -> (y));
    gradients!(
        Around::init(Seed(2)), Around::workspace(5), [loss, loss_grad, loss_grad_inputs],
        (a, b, label) -> number);
}

#[test]
fn a_partner_that_is_not_there_is_an_error() {
    let net = Contrast::init(Seed(1));
    let mut ws = Contrast::workspace(5).expect("it is small");
    let (a, b) = ([[0.5; 4]; 3], [[0.5; 2]; 3]);
    let error = net.loss(&mut ws, &a, &b, &[0_u8, 1, 3]).expect_err("there are three samples");
    assert!(error.to_string().contains("`label[2]` is the class 3"), "{error}");
    assert!(error.to_string().contains("from 0 to 2"), "{error}");
    let error = net.partner(&mut ws, &a, &b, &[3_u8, 1, 2]).expect_err("there are three samples");
    assert!(error.to_string().contains("`label[0]`"), "{error}");
    let around = Around::init(Seed(1));
    let mut ws = Around::workspace(5).expect("it is small");
    around.loss(&mut ws, &a, &b, &[0_u8, 1, 3]).expect_err("there are three samples");
    around.loss(&mut ws, &a, &b, &[0_u8, 1, 2]).expect("the indices are those of samples");
}

model! {
    /// Arguments of the names of sizes.
    struct Names {
        fc: Linear(2 -> 2),
    }

    fn forward(&self, batch: [batch, 2], n: [n, 2], n_size: [n, 2], rows_size: [rows, 2])
        -> ([batch, 1, 2], [n, 2])
    {
        let y = self.fc(batch) * 2.0;
        (y.reshape([batch, 1, 2]) + rows_size.mean(), n + n_size)
    }
}

model! {
    pub fn named(rows: [rows, 2], ws: [n, 2], n: [rows, 2]) -> [] {
        (rows * n).mean() + ws.mean()
    }
}

/// Constants of the names of sizes, in lower case as these.
mod constants {
    use gradiron::prelude::*;

    #[allow(non_upper_case_globals, dead_code)]
    const count: usize = 77;
    #[allow(non_upper_case_globals, dead_code)]
    const samples: usize = 77;

    model! {
        pub struct Counted {
            fc: Linear(2 -> 2),
        }

        #[step(4)]
        fn forward(&self, x: [count, 4, 2]) -> [count, 4, 2] {
            self.fc(x).reshape([count, 4, 2])
        }

        fn loss(&self, samples_: [samples, 2], label: Classes[samples]) -> [] {
            cross_entropy(self.fc(samples_), label)
        }
    }
}

#[test]
fn names_of_sizes_are_free() {
    let (x, n) = (batch::<[f32; 2]>(1, 3), batch::<[f32; 2]>(2, 2));
    let (n_size, rows) = (batch::<[f32; 2]>(3, 2), batch::<[f32; 2]>(4, 1));
    gradients!(
        Names::init(Seed(1)), Names::workspace(3, 2, 1), [forward, forward_grad, forward_grad_inputs],
        (x, n, n_size, rows) -> (y, z));
    let (x, y, z) = (batch::<[f32; 2]>(5, 3), batch::<[f32; 2]>(6, 2), batch::<[f32; 2]>(7, 3));
    free_gradients!(named_workspace(3, 2), [named, named_grad], (x, y, z) -> number);
    let (x, label) = (batch::<[f32; 2]>(8, 3), Labels(vec![1, 0, 1]));
    let net = constants::Counted::init(Seed(1));
    gradients!(
        net, constants::Counted::workspace(2, 3), [loss, loss_grad, loss_grad_inputs],
        (x, label) -> number);
    let net = constants::Counted::init(Seed(1));
    let mut ws = constants::Counted::workspace(2, 3).expect("it is small");
    let check = net.forward_step_check(&mut ws, Seed(2)).expect("it is small");
    assert!(check.difference < 1e-6, "{check:?}");
}

const HEADS: usize = 2;
const GROUPS: usize = 3;
const ONE: usize = 1;
const BETA: f32 = 0.5;
const CUBE: f32 = 3.0;
const SPREAD: f32 = 0.25;

model! {
    struct Constants<const D: usize = 4> {
        attn: MultiheadAttention(D, num_heads = HEADS),
        conv: Conv2d(2 * GROUPS -> GROUPS, kernel = 3, padding = ONE, groups = GROUPS, dilation = ONE),
        shift: Param([D], init = uniform(-SPREAD, SPREAD)),
    }

    fn forward(&self, x: [batch, 3, D], image: [batch, 2 * GROUPS, 4, 4]) -> ([batch, 3, D], [batch, GROUPS, 2, 2]) {
        let x = self.attn(x).rotary() + self.shift;
        let image = self.conv(image).max_pool2d(2 * ONE, stride = 2 * ONE);
        (x.softplus(beta = BETA).powi(CUBE), image.clamp(-f32::INFINITY, 1.0 / BETA))
    }
}

#[test]
fn constants_that_rustc_checks() {
    let (x, image) = (batch::<[[f32; 4]; 3]>(1, 2), batch::<[[[f32; 4]; 4]; 6]>(2, 2));
    gradients!(
        Constants::<4>::init(Seed(3)), Constants::<4>::workspace(2),
        [forward, forward_grad, forward_grad_inputs], (x, image) -> (y, z));
}
