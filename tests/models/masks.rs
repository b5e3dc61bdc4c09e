//! Masks that are added to the scores of an attention, and their gradients: as a parameter and as
//! an input, of a layer, of a model, of models in a row and of the steps of a sequence.

use gradiron::prelude::*;

use crate::data::batch;

model! {
    struct Block {
        attn: MultiheadAttention(2, num_heads = 1),
    }

    fn forward(&self, x: [batch, 2, 2], mask: [2, 2]) -> [batch, 2, 2] {
        self.attn(x, attn_mask = mask)
    }
}

model! {
    /// The mask of a model that is called is the caller's parameter.
    #[allow(sum_over_batch)]
    struct Nested {
        bias: Param([2, 2]),
        block: Block,
    }

    fn forward(&self, x: [batch, 2, 2]) -> [batch, 2, 2] {
        self.block(x, self.bias)
    }

    fn loss(&self, x: [batch, 2, 2]) -> [] {
        self.forward(x).square().sum()
    }
}

#[test]
fn a_parameter_as_the_mask_of_a_model() {
    let x = batch::<[[f32; 2]; 2]>(1, 3);
    gradients!(
        Nested::init(Seed(1)), Nested::workspace(3), [loss, loss_grad, loss_grad_inputs],
        (x) -> number);
    gradients!(
        Nested::init(Seed(2)), Nested::workspace(5), [forward, forward_grad, forward_grad_inputs],
        (x) -> (y));
}

/// Rows of the gradient sum up to 0, since a constant behind all keys of a query changes nothing,
/// and the gradient is that of difference quotients, which is far from 0.
#[test]
fn the_gradient_is_that_of_difference_quotients() {
    let mut net = Nested::init(Seed(1));
    let mut ws = Nested::workspace(2).expect("it is small");
    let x = [[[1.0, -0.5], [0.25, 2.0]], [[-1.5, 0.5], [1.0, 1.0]]];
    // The mask is the first parameter.
    net.params_mut()[..4].copy_from_slice(&[0.5, -0.25, 0.0, 1.0]);
    net.loss_grad(&mut ws, &x).expect("inputs fit");
    let got = ws.grads().as_slice()[..4].to_vec();
    for (i, got) in got.iter().enumerate() {
        let middle = net.params()[i];
        let mut at = |step: f32| {
            net.params_mut()[i] = middle + step;
            f64::from(net.loss(&mut ws, &x).expect("inputs fit"))
        };
        // Third derivatives are below 1 here, and losses are rounded by 2⁻²².
        let (h, quotient) = (1.0 / 64.0, (at(1.0 / 64.0) - at(-1.0 / 64.0)) * 32.0);
        at(0.0);
        let bound = h * h / 6.0 + 64.0 / 4_194_304.0;
        assert!((f64::from(*got) - quotient).abs() < bound, "{i}: {got}, {quotient}");
    }
    let rows = got.chunks(2);
    assert!({ rows }.all(|row| row[0].abs() > 0.01 && (row[0] + row[1]).abs() < 1e-6), "{got:?}");
}

model! {
    struct Direct {
        bias: Param([2, 3, 3]),
        attn: MultiheadAttention(4, num_heads = 2),
        encoder: TransformerEncoderLayer(4, nhead = 2, dim_feedforward = 4, dropout = 0.0),
        decoder: TransformerDecoderLayer(4, nhead = 1, dim_feedforward = 4, dropout = 0.0),
        rows: Param([3, 3]),
        keys: Param([3]),
    }

    fn forward(&self, x: [batch, 3, 4], pad: [batch, 3]) -> [batch, 3, 4] {
        let x = self.attn(x, attn_mask = self.bias, key_padding_mask = pad);
        let y = self.encoder(x, src_mask = self.rows.tanh(), is_causal = true);
        self.decoder(y, x, tgt_mask = self.keys, memory_mask = self.rows)
    }
}

#[test]
fn masks_of_layers() {
    let (x, pad) = (batch::<[[f32; 4]; 3]>(1, 2), batch::<[f32; 3]>(2, 2));
    gradients!(
        Direct::init(Seed(3)), Direct::workspace(2), [forward, forward_grad, forward_grad_inputs],
        (x, pad) -> (y));
}

model! {
    struct Function {
        q: Linear(4 -> 4),
        k: Linear(4 -> 4),
    }

    /// Only the keys depend on a parameter.
    fn forward(&self, x: [batch, 5, 4], mask: [5, 5]) -> [batch, 5, 4] {
        let mask = mask.sin();
        scaled_dot_product_attention(x, self.k(x), x, attn_mask = mask, is_causal = true)
    }

    /// Only the mask does.
    fn scores(&self, x: [batch, 4, 4]) -> [batch, 4, 4] {
        scaled_dot_product_attention(x, x, x, attn_mask = self.q(x).transpose(1, 2))
    }

    /// The rows of the mask are as long as the batch is not.
    fn heads(&self, x: [batch, 2, 3, 4], mask: [batch, 1, 1, 3]) -> [batch, 2, 3, 4] {
        scaled_dot_product_attention(x, self.q(x), self.k(x), attn_mask = mask)
    }
}

#[test]
fn operands_with_and_without_parameters() {
    let (x, mask) = (batch::<[[f32; 4]; 5]>(1, 2), batch::<[f32; 5]>(2, 5));
    let mask = <[[f32; 5]; 5]>::try_from(mask).expect("five rows");
    gradients!(
        Function::init(Seed(1)), Function::workspace(2),
        [forward, forward_grad, forward_grad_inputs], (x, mask) -> (y));
    let x = batch::<[[f32; 4]; 4]>(3, 3);
    gradients!(
        Function::init(Seed(2)), Function::workspace(3), [scores, scores_grad, scores_grad_inputs],
        (x) -> (y));
    let (x, mask) = (batch::<[[[f32; 4]; 3]; 2]>(4, 2), batch::<[[[f32; 3]; 1]; 1]>(5, 2));
    gradients!(
        Function::init(Seed(2)), Function::workspace(3), [heads, heads_grad, heads_grad_inputs],
        (x, mask) -> (y));
}

model! {
    /// A row of models, each with the same mask, within a model.
    struct Row {
        blocks: [Block; 3],
    }

    fn forward(&self, x: [batch, 2, 2], mask: [2, 2]) -> [batch, 2, 2] {
        self.blocks(x, mask)
    }
}

model! {
    struct Rows {
        bias: Param([2, 2]),
        blocks: [Block; 2],
        row: Row,
    }

    fn forward(&self, x: [batch, 2, 2], mask: [2, 2]) -> [batch, 2, 2] {
        self.row(self.blocks(x, self.bias), mask * self.bias)
    }
}

#[test]
fn masks_of_rows() {
    let (x, mask) = (batch::<[[f32; 2]; 2]>(1, 2), [[0.5, -1.0], [0.25, 0.75]]);
    gradients!(
        Rows::init(Seed(4)), Rows::workspace(2), [forward, forward_grad, forward_grad_inputs],
        (x, mask) -> (y));
}

model! {
    /// The mask is carried from step to step.
    struct Cell {
        attn: MultiheadAttention(2, num_heads = 2),
        bias: Param([2, 2]),
    }

    fn forward(&self, x: [batch, 2, 2], mask: [batch, 2, 2]) -> ([batch, 2, 2], [batch, 2, 2]) {
        let y = self.attn(x, attn_mask = mask.reshape([batch, 1, 2, 2]) + self.bias);
        (y, mask * 0.5 + y)
    }
}

model! {
    struct Scanned {
        cell: Cell,
        first: Linear(2 -> 2),
    }

    fn forward(&self, x: [batch, 3, 2, 2], mask: [batch, 2, 2]) -> ([batch, 3, 2, 2], [batch, 2, 2]) {
        let (y, mask) = scan(self.cell, x, self.first(mask));
        (y, mask)
    }
}

#[test]
fn masks_of_steps() {
    let (x, mask) = (batch::<[[[f32; 2]; 2]; 3]>(1, 2), batch::<[[f32; 2]; 2]>(2, 2));
    gradients!(
        Scanned::init(Seed(5)), Scanned::workspace(2), [forward, forward_grad, forward_grad_inputs],
        (x, mask) -> (y, last));
}

model! {
    /// The generator is trained by the critic's gradients of its input.
    struct Adversaries {
        generator: Linear(2 -> 3),
        critic: Linear(3 -> 1),
    }

    fn generate(&self, z: [batch, 2]) -> [batch, 3] {
        self.generator(z).tanh()
    }

    fn judge(&self, x: [batch, 3]) -> [] {
        self.critic(x).square().mean()
    }
}

#[test]
fn gradients_from_outside() {
    let net = Adversaries::init(Seed(7));
    let mut ws = Adversaries::workspace(2).expect("it is small");
    let z = [[0.5, -0.25], [-1.0, 0.75]];
    let x = net.generate(&mut ws, &z).expect("inputs fit").to_vec();
    let (_, d_x) = net.judge_grad_inputs(&mut ws, &x).expect("inputs fit");
    let d_x = d_x.to_vec();
    net.generate_grad(&mut ws, &z, &d_x).expect("inputs fit");
    // Those of the generator come first.
    let (generator, critic) = ws.grads().as_slice().split_at(9);
    assert!(generator.iter().all(|d| *d != 0.0) && critic.iter().all(|d| *d == 0.0));
}

model! {
    /// What a loss reads by steps alone is trained by another one.
    struct Measured {
        fc: Linear(3 -> 2),
        inner: Chooser,
    }

    fn loss(&self, x: [batch, 3], label: Classes[batch]) -> [] {
        let score: [batch, 2] = self.inner(self.fc(x), x.narrow(1, 0, 2));
        cross_entropy(score, label)
    }

    fn accuracy(&self, x: [batch, 3], label: [batch]) -> [] {
        self.fc(x).argmax(1).eq(label).mean()
    }
}

model! {
    struct Chooser {
        scale: Linear(2 -> 2),
    }

    /// Of the second argument only the signs count.
    fn forward(&self, x: [batch, 2], by: [batch, 2]) -> [batch, 2] {
        where_(by.gt(0.0), self.scale(x), x)
    }
}

#[test]
fn a_measure_beside_a_loss() {
    let mut net = Measured::init(Seed(6));
    let mut ws = Measured::workspace(2).expect("it is small");
    let x = [[0.5, -0.25, 1.0], [-1.0, 0.75, 0.5]];
    let (_, d_x) = net.loss_grad_inputs(&mut ws, &x, &[0_u8, 1]).expect("inputs fit");
    assert!(d_x.iter().flatten().all(|d| *d != 0.0));
    assert!(ws.grads().as_slice().iter().all(|d| *d != 0.0));
    let mut sgd = Sgd::new(&net, 0.1).expect("0.1 is a rate");
    net.loss_train(&mut ws, &mut sgd, &x, &[0_u8, 1]).expect("inputs fit");
    assert!((0.0..=1.0).contains(&net.accuracy(&mut ws, &x, &[0.0, 1.0]).expect("inputs fit")));
}
