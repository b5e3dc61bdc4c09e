//! Layers, operations and losses together, each with its options, as rustc and a run see them. The
//! examples of `docs/REFERENCE.md` use each alone.

#![forbid(unsafe_code)]

use gradiron::prelude::*;

model! {
    #[allow(bias_before_batch_norm)]
    struct Layers {
        conv: Conv2d(2 -> 4, kernel = (3, 5), stride = 1, padding = (1, 2), dilation = 1,
            groups = 2, bias = false),
        inferred: Conv2d(4, kernel = 3, padding = 1),
        wide: ConvTranspose2d(4 -> 4, kernel = 2, stride = 2, padding = 0, output_padding = 0,
            dilation = 1, groups = 2, bias = false),
        inferred_wide: ConvTranspose2d(4, kernel = 3, padding = 1),
        smooth: Upsample(2, mode = bilinear, align_corners = true),
        quarters: AdaptiveAvgPool2d(8),
        bn: BatchNorm2d(4, eps = 1e-5, momentum = 0.1, affine = true, track_running_stats = true),
        bn1: BatchNorm1d(6, momentum = none, affine = false),
        ln: LayerNorm(6, eps = 1e-5, elementwise_affine = true, bias = true),
        plane: LayerNorm([1, 6], elementwise_affine = false),
        rms: RMSNorm(6, eps = 1e-6, elementwise_affine = true),
        token: Embedding(10 -> 6, padding_idx = 0),
        max: MaxPool2d(2, stride = 2, padding = 0, dilation = 1),
        avg: AvgPool2d(2, stride = 1, padding = 1),
        flatten: Flatten(start_dim = 1),
        relu: Relu(),
        leaky_relu: LeakyRelu(negative_slope = 0.01),
        elu: Elu(alpha = 1.0),
        gelu: Gelu(),
        silu: Silu(),
        sigmoid: Sigmoid(),
        tanh: Tanh(),
        softplus: Softplus(beta = 1.0, threshold = 20.0),
        softmax: Softmax(dim = -1),
        log_softmax: LogSoftmax(dim = -1),
        attn: MultiheadAttention(6, num_heads = 2, bias = true),
        tied: Linear(6 -> 10, bias = false, tied = self.token),
        drawn: Embedding(10 -> 6, init = uniform(-0.1, 0.1)),
        fc1: Linear(100 -> 6, bias = false),
        fc2: Linear(6),
        normal: Param([6], init = normal(0.0, 0.02)),
        plain: Param([6]),
        zeros: Param([6], init = zeros),
        ones: Param([6], init = ones),
        constant: Param([6], init = constant(0.5)),
        uniform: Param([6], init = uniform(-0.1, 0.1)),
        buffer: Buffer([6], init = ones),
        dropped: Dropout(0.2),
        encoder: TransformerEncoderLayer(6, nhead = 2, dim_feedforward = 8, dropout = 0.1,
            activation = gelu, norm_first = true, layer_norm_eps = 1e-4, bias = false),
        decoder: TransformerDecoderLayer(6, nhead = 3),
        rnn: RNN(6 -> 6, num_layers = 1, nonlinearity = relu, bias = true),
        lstm: LSTM(6 -> 3, bidirectional = true),
        gru: GRU(6, num_layers = 2),
        turned: PositionalEncoding(6, base = 100.0),
    }

    fn norms(&self, index: Classes[batch], x: [batch, 6], length: Classes[batch]) -> [batch, 6] {
        // Masks have no gradient, so they come from an input.
        let mask = x.mean(dim = 1, keepdim = true);
        let bias = mask.sum().reshape([1, 1]);
        let x = self.rms(self.ln(x + self.token(index.reshape([batch, 1]).squeeze(1))));
        let x = x + self.tied(x).narrow(dim = 1, start = 4, length = 6) + self.drawn(index);
        let rows = x.reshape([batch, 1, 6]);
        let y = self.attn(rows, is_causal = true);
        let y = y + self.attn(y, rows, rows, attn_mask = bias, key_padding_mask = mask);
        let y = y + scaled_dot_product_attention(
            y, y, rows, attn_mask = bias, is_causal = true, scale = 0.5);
        let pairs = y.matmul(y.transpose(1, 2)).matmul(y);
        let kept = where_(y.gt(0.0), y, pairs).masked_fill(y.lt(rows), 0.5).cumsum(2);
        let kept = kept + y.ge(rows) * y.le(rows) + y.eq(rows) + y.ne(rows);
        let places = kept.argmax(2).unsqueeze(2) + kept.select(dim = 2, index = 1).unsqueeze(2);
        let y = y + cat([kept, kept], 2).gather(2, index.reshape([batch, 1, 1])) + places * 0.1;
        let y = self.encoder(y, is_causal = true);
        let y = self.encoder(y, src_mask = bias, src_key_padding_mask = mask);
        let y = self.decoder(y, rows, tgt_is_causal = true, memory_mask = bias);
        let y = self.decoder(y, rows, tgt_mask = bias, tgt_key_padding_mask = mask,
            memory_key_padding_mask = mask);
        let y = self.dropped(y).dropout(p = 0.3);
        let y = self.turned(y).rotary() + y.rotary(dim = 1, base = 100.0, interleaved = true);
        let (y, h) = self.rnn(y);
        let (y, _h) = self.rnn(y, h, lengths = length);
        let (y, h, c) = self.lstm(y);
        let (y, h, c) = self.lstm(y, h, c);
        let (y, s) = self.gru(y);
        let y = y + (h + c).reshape([batch, 1, 6]) + s.sum(dim = 1, keepdim = true);
        let x = x + y.reshape([batch, 6]);
        self.plane(x.reshape([batch, 1, 6])).reshape([batch, 6])
    }

    fn forward(&self, x: [batch, 2, 8, 8]) -> [batch, 6] {
        let x = self.inferred_wide(self.wide(self.bn(self.conv(x))));
        let x = self.max(self.relu(self.quarters(self.smooth(x))));
        let x = self.avg(self.leaky_relu(self.inferred(x)));
        let x = self.fc1(self.flatten(self.elu(x)));
        let x = self.bn1(self.fc2(self.gelu(self.silu(self.sigmoid(x)))));
        let params = self.normal + self.plain + self.zeros + self.uniform + self.buffer;
        let x = (x + params) * self.ones / self.constant;
        self.log_softmax(self.softmax(self.softplus(self.tanh(x))))
    }
}

model! {
    fn elementwise(a: [batch, 6], b: [batch, 6]) -> [batch, 6] {
        let x = a.sub(b).mul(b).div(b.square() + 1.0).maximum(a).minimum(b);
        let x = -x.neg().abs().exp();
        let x = x.square().log() + x.abs().sqrt() + x.sin() - x.cos();
        let x = x.clamp(-2.0, 2.0);
        let x = x.powi(3) + x.abs().powf(1.5);
        let x = x.relu() + x.gelu() + x.silu() + x.sigmoid() + x.tanh() + x.gelu_tanh();
        let x = x.leaky_relu() + x.leaky_relu(negative_slope = 0.1) + x.elu() + x.softplus();
        2.0 * relu(x) / 3.0
    }

    fn others(a: [batch, 6], b: [6, 4]) -> [batch, 4] {
        let x = a.matmul(b).softmax(1) + a.matmul(b).log_softmax(dim = -1);
        let x = x.reshape([batch, 2, 2]).transpose(1, 2).permute([0, 2, 1]);
        let x = x.flatten().unsqueeze(1).squeeze(1);
        let images = x.reshape([batch, 1, 2, 2]);
        let pooled = images.max_pool2d(2).flatten() + images.avg_pool2d(2, stride = 1).flatten();
        let larger = images.interpolate(2) + images.interpolate(2, mode = bilinear);
        let parts = cat([larger.adaptive_avg_pool2d(1), images.adaptive_avg_pool2d((1, 2))
            .reshape([batch, 2, 1, 1])], dim = 1);
        let x = x + parts.flatten().mean(dim = 1, keepdim = true);
        let x = x + x.sum() + x.mean(dim = 1, keepdim = true);
        let x = x + x.amax(dim = [0, 1]) + x.amin(dim = 0);
        x * pooled
    }

    fn losses(x: [batch, 6], t: [batch, 6], label: Classes[batch]) -> [] {
        let of_classes = cross_entropy(x, label) + cross_entropy(x, label, label_smoothing = 0.1)
            + nll_loss(x.log_softmax(1), label);
        let of_values = mse_loss(x, t) + l1_loss(x, t, reduction = sum) + smooth_l1_loss(x, t)
            + smooth_l1_loss(x, t, beta = 0.5) + huber_loss(x, t) + huber_loss(x, t, delta = 2.0)
            + mse_loss(x, t, reduction = none).mean();
        let p = x.sigmoid();
        let of_probabilities = binary_cross_entropy(p, t) + binary_cross_entropy_with_logits(x, t)
            + kl_div(x.log_softmax(1), t) + kl_div(x.log_softmax(1), t, reduction = batchmean);
        of_classes + of_values + of_probabilities
    }
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn finite<const N: usize>(rows: &[[f32; N]]) -> bool {
    rows.as_flattened().iter().all(|x| x.is_finite())
}

#[test]
fn layers() -> Outcome {
    let net = Layers::init(Seed(1));
    let mut ws = Layers::workspace(3)?;
    let (y, d_x) = net.forward_grad_inputs(&mut ws, &[[[[0.3; 8]; 8]; 2]; 3], &[[0.1; 6]; 3])?;
    assert!(finite(y) && d_x.as_flattened().as_flattened().iter().all(|row| finite(&[*row])));
    assert!(ws.grads().as_slice().iter().all(|x| x.is_finite()));
    let x = [[0.1, -0.7, 1.3, 0.4, -0.2, 0.9]; 3];
    let (y, d_x) = net.norms_grad_inputs(&mut ws, &[0, 7, 9], &x, &[1, 0, 1], &[[0.1; 6]; 3])?;
    assert!(finite(y) && finite(d_x));
    assert_eq!(net.constant(), &[0.5; 6]);
    assert_eq!(net.conv().bias(), &());
    Ok(())
}

#[test]
fn operations_and_losses() -> Outcome {
    let a = [[0.1, -0.7, 1.3, 0.4, -0.2, 0.9], [1.1, 0.6, -1.3, 0.8, 0.5, -0.3]];
    let b = [[0.5, 0.7, 0.2, 0.9, 0.3, 0.8], [0.4, 0.6, 0.1, 0.5, 0.9, 0.7]];
    let mut ws = elementwise_workspace(2)?;
    let (y, (d_a, d_b)) = elementwise_grad(&mut ws, &a, &b, &[[1.0; 6]; 2])?;
    assert!(finite(y) && finite(d_a) && finite(d_b));
    let matrix = [[0.1, 0.2, -0.3, 0.4]; 6];
    let (y, (d_a, d_b)) = others_grad(&mut ws, &a, &matrix, &[[1.0; 4]; 2])?;
    assert!(finite(y) && finite(d_a) && finite(d_b));
    let (y, (d_x, d_t)) = losses_grad(&mut ws, &a, &b, &[2, 5])?;
    assert!(y.is_finite() && finite(d_x) && finite(d_t));
    Ok(())
}
