//! The operations that the other models leave out.

use gradiron::prelude::*;

model! {
    pub struct Elman {
        of_x: Linear(6 -> 4),
        of_h: Linear(4 -> 4, bias = false),
    }

    fn forward(&self, x: [batch, 6], h: [batch, 4]) -> ([batch, 4], [batch, 4]) {
        let h = (self.of_x(x) + self.of_h(h)).tanh();
        (h, h)
    }
}

model! {
    pub struct Sequences {
        position: PositionalEncoding(6),
        cell: Elman,
        gru: GRU(4 -> 3),
        rnn: RNN(3 -> 3, nonlinearity = relu),
        tanh: RNN(3 -> 3),
        norm: RMSNorm(3),
    }

    fn forward(
        &self, x: [batch, 5, 6], h: [batch, 4], lengths: Classes[batch], index: Classes[batch, 5, 2],
    ) -> [batch, 5, 3] {
        let x = self.position(x).rotary(dim = 1);
        let x = x.rotary(dim = 1, interleaved = true);
        let (y, h) = scan(self.cell, x, h, lengths = lengths);
        let (y, _h) = self.gru(y * h.unsqueeze(1), h.narrow(1, 0, 3));
        let (y, _h) = self.rnn(y);
        let (y, _h) = self.tanh(y);
        let chosen = cat([y.gather(2, index), y.cumsum(1).select(2, 0).unsqueeze(2)], 2);
        self.norm(chosen) + y.argmax(2).unsqueeze(2) + chosen.matmul(chosen.transpose(1, 2)).matmul(y)
    }
}

model! {
    pub struct Planes {
        down: Conv2d(2 -> 6, kernel = 3, stride = 2, padding = 1),
        deep: Conv2d(6 -> 6, kernel = 3, padding = 2, dilation = 2, groups = 6),
        up: ConvTranspose2d(6 -> 2, kernel = 2, stride = 2),
        fc: Linear(8 -> 4),
    }

    fn forward(&self, x: [batch, 2, 8, 8]) -> [batch, 2, 4] {
        let low = self.deep(self.down(x)).gelu().max_pool2d(3, stride = 1, padding = 1);
        let x = self.up(low) + x.avg_pool2d(2).interpolate(2).transpose(2, 3);
        let fine = x.interpolate(2, mode = bilinear);
        let corners = x.interpolate(2, mode = bilinear, align_corners = true);
        let x = (fine * corners).max_pool2d(2).amax(dim = 3);
        self.fc(x.permute([0, 2, 1]).reshape([batch, 2, 8])).softmax(2)
    }

    fn loss(&self, x: [batch, 2, 8, 8], label: Classes[batch]) -> [] {
        let log_probs = self.forward(x).sum(dim = 1).log_softmax(1);
        nll_loss(log_probs, label)
    }
}

model! {
    /// Large enough for tensor cores.
    pub struct Large {
        conv: Conv2d(4 -> 64, kernel = 3, padding = 1),
        attn: MultiheadAttention(64, num_heads = 2),
        fc: Linear(64 -> 4),
    }

    fn loss(&self, x: [batch, 4, 6, 6], label: Classes[batch]) -> [] {
        let x = self.conv(x).relu().flatten(2).transpose(1, 2);
        let x = x + self.attn(x, is_causal = true);
        cross_entropy(self.fc(x.mean(dim = 1)), label)
    }
}

model! {
    /// Convolutions with enough rows and columns for the largest tiles, as in a residual network.
    pub struct Convolutions {
        stem: Conv2d(3 -> 64, kernel = 7, stride = 2, padding = 3, bias = false),
        down: Conv2d(64 -> 128, kernel = 3, stride = 2, padding = 1, bias = false),
        deep: Conv2d(128 -> 128, kernel = 3, padding = 1, bias = false),
        wide: Conv2d(128 -> 256, kernel = 1, bias = false),
        fc: Linear(256 -> 4),
    }

    fn loss(&self, image: [batch, 3, 64, 64], label: Classes[batch]) -> [] {
        let x = self.deep(self.down(self.stem(image).relu()).relu()).relu();
        cross_entropy(self.fc(self.wide(x).mean(dim = [2, 3])), label)
    }
}
