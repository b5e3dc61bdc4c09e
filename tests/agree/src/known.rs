//! Programs of the usual kinds, written by hand.

use crate::program::Program;

fn program(models: &[&str]) -> Program {
    let constants = [("A", 2), ("N", 1)].map(|(name, value)| (name.to_string(), value));
    Program {
        constants: constants.into(),
        models: models.iter().map(ToString::to_string).collect(),
        sizes: [("batch".to_string(), 3)].into(),
        seed: 7,
    }
}

/// Products and losses, images, sequences, models in models, loops and steps.
pub fn programs() -> Vec<Program> {
    vec![
        program(&[
            "struct M { fc: Linear(4 -> A + 1), norm: BatchNorm1d(A + 1) }
    fn forward(&self, x: [batch, 4]) -> [batch, A + 1] { self.norm(self.fc(x)).relu() * 2.0 }
    fn loss(&self, x: [batch, 4], y: Classes[batch]) -> [] { cross_entropy(self.forward(x), y) }",
        ]),
        program(&[
            "struct M {
        conv: Conv2d(2 -> 4, kernel = 3, padding = 1, groups = 2),
        up: ConvTranspose2d(4 -> 2, kernel = 2, stride = 2),
        norm: BatchNorm2d(4),
    }
    fn forward(&self, x: [batch, 2, 6, 6]) -> [batch, 2, 6, 6] {
        let y = self.norm(self.conv(x)).relu().max_pool2d(2);
        self.up(y) + x.avg_pool2d(2).interpolate(2, mode = bilinear)
    }",
        ]),
        program(&[
            "struct M {
        token: Embedding(7 -> 4),
        attn: MultiheadAttention(4, num_heads = 2),
        lstm: LSTM(4 -> 3),
        gru: GRU(3 -> 2, bidirectional = true),
    }
    fn forward(&self, x: Classes[batch, 5]) -> [batch, 5, 4] {
        let x = self.token(x);
        let (y, h, c) = self.lstm(x + self.attn(x, is_causal = true));
        let (z, h) = self.gru(y.dropout(0.25));
        z * c.sum()
    }",
        ]),
        program(&[
            "struct Cell { fc: Linear(5 -> A) }
    fn forward(&self, x: [batch, 3], h: [batch, A]) -> ([batch, A], [batch, A]) {
        let h = self.fc(cat([x, h], 1)).tanh();
        (h.square(), h)
    }",
            "struct M { cell: Cell, rnn: RNN(3 -> 2, bidirectional = true), gru: GRU(2 -> 2, num_layers = 2) }
    fn forward(&self, x: [batch, 4, 3], h: [batch, A], len: Classes[batch]) -> [batch, 4, A] {
        let (y, h) = scan(self.cell, x, h, lengths = len);
        let (z, h) = scan(self.cell, x, h, reverse = true, lengths = len);
        let (a, last) = self.rnn(x, lengths = len);
        let (b, last) = self.gru(y * z, lengths = len);
        b + a.narrow(2, 1, 2) * h.sum()
    }",
        ]),
        program(&[
            "struct Block<const D: usize> { fc: Linear(D -> 2 * D), out: Linear(D), norm: LayerNorm(D) }
    fn forward(&self, x: [batch, D]) -> [batch, D] {
        let y = self.fc(self.norm(x)).tanh().reshape([batch, 2, D]).sum(dim = 1);
        x + self.out(self.fc(y).sigmoid().matmul(self.fc(x).transpose(0, 1)).matmul(y)) * y
    }",
            "struct M { one: Block<4>, row: [Block<{ A + N + 1 }>; 3] }
    fn forward(&self, x: [batch, 4]) -> [batch, 4] { self.row(self.one(x)).sin() }
    fn loss(&self, x: [batch, 4]) -> [] { self.forward(x).square().mean() }",
        ]),
        program(&[
            "struct Rows { mix: Linear(A -> A) }
    fn forward(&self, x: [batch, A + N, A]) -> [batch, A + N, A] {
        let y = self.mix(x);
        x + y.matmul(y.transpose(1, 2)).matmul(x).tanh()
    }",
            "struct M { rows: [Rows; 3] }
    fn forward(&self, x: [batch, A + N, A]) -> [batch, A + N, A] { self.rows(x) }",
        ]),
        program(&[
            "struct Cell { fc: Linear(5 -> A) }
    fn forward(&self, x: [batch, 3], h: [batch, A]) -> ([batch, A], [batch, A]) {
        let h = self.fc(cat([x, h], 1)).tanh();
        (h, h)
    }",
            "struct M {
        cell: Cell, norm: LayerNorm(2), gru: GRU(2 -> 2), attn: MultiheadAttention(2, num_heads = 1),
    }
    #[step(4)]
    fn forward(&self, x: [batch, 4, 3], h: [batch, A]) -> [batch, 4, 2] {
        let (y, h) = scan(self.cell, x, h);
        let (z, last) = self.gru(y);
        self.norm(z + y) + self.attn(y, is_causal = true)
    }",
        ]),
        program(&[
            "struct Cell { query: Linear(2 -> 3), join: Linear(8 -> 2) }
    fn forward(&self, memory: [n, 4, 3], x: [n, 3], h: [n, A], z: [n, 1]) -> ([n, 4], [n], [n, A]) {
        let shift: [2] = Fixed1::<2>::OF;
        let seen = (memory * self.query(h + shift).unsqueeze(1)).sum(2).softmax(-1);
        let h = self.join(cat([x, seen, z], dim = 1)).tanh();
        (seen, h.sum(1), h)
    }
    fn map(&self, x: [n, 3], by: [n, A]) -> [n, 1, A] {
        (self.query(by) * x).sum(1).reshape([n, 1, 1]) * by.unsqueeze(1)
    }",
            "struct M { cell: Cell, fc: Linear(3 -> 3) }
    fn forward(
        &self, x: [batch, 5, 3], z: [batch, 5, 1], h: [batch, A], memory: [batch, 4, 3], len: Classes[batch],
    ) -> [batch, 5, 4] {
        let table: [4, 3] = Fixed2::<4, 3>::OF;
        let keys = self.fc(memory) + table;
        let (a, b, h) = scan(|(x, z), h| self.cell(keys, x, h, z), (x, z), h, out = ([4], []));
        let (c, d, g) = scan(
            |(x, z), h| self.cell(keys * 0.5, x, h, z), (x, z), h,
            out = ([4], []), reverse = true, lengths = len,
        );
        let y = scan(|x| self.cell.map(x, g), x, out = [1, A]);
        (a + c) * y.sum() + b.unsqueeze(2) + d.unsqueeze(2) * h.sum()
    }",
        ]),
    ]
}
