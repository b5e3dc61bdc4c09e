//! Programs of the usual kinds behind every pass.

use gradiron_agree::passes::check;
use gradiron_agree::program::Program;

fn agrees(models: &[&str]) {
    let constants = [("A", 2), ("B", 3)].map(|(name, value)| (name.to_string(), value));
    let program = Program {
        constants: constants.into(),
        models: models.iter().map(ToString::to_string).collect(),
        sizes: [("batch".to_string(), 3)].into(),
        seed: 7,
    };
    if let Err(failure) = check(&program) {
        panic!("{failure}\n{program}");
    }
}

const BLOCK: &str = "struct Block<const D: usize> { fc: Linear(D -> 2 * D), out: Linear(D), norm: LayerNorm(D) }
    fn forward(&self, x: [batch, D]) -> [batch, D] { x + self.out(self.norm(x).tanh().matmul(self.fc(x).reshape([batch, D, 2]).sum(dim = [0, 2]).reshape([D, 1])).sigmoid() * self.fc(x).reshape([batch, 2, D]).sum(dim = 1)) }";

#[test]
fn products_and_losses() {
    agrees(&["struct M { fc: Linear(4 -> A + 1), norm: BatchNorm1d(A + 1) }
        fn forward(&self, x: [batch, 4]) -> [batch, A + 1] { self.norm(self.fc(x)).relu() * 2.0 }
        fn loss(&self, x: [batch, 4], y: Classes[batch]) -> [] { cross_entropy(self.forward(x), y) }"]);
}

#[test]
fn images() {
    agrees(&["struct M { conv: Conv2d(2 -> 4, kernel = 3, padding = 1, groups = 2), up: ConvTranspose2d(4 -> 2, kernel = 2, stride = 2), norm: BatchNorm2d(4) }
        fn forward(&self, x: [batch, 2, 6, 6]) -> [batch, 2, 6, 6] {
            let y = self.norm(self.conv(x)).relu().max_pool2d(2);
            self.up(y) + x.avg_pool2d(2).interpolate(2, mode = bilinear)
        }"]);
}

#[test]
fn sequences() {
    agrees(&["struct M { token: Embedding(7 -> 4), attn: MultiheadAttention(4, heads = 2), lstm: LSTM(4 -> 3), gru: GRU(3 -> 2, bidirectional = true) }
        fn forward(&self, x: Classes[batch, 5]) -> [batch, 5, 4] {
            let x = self.token(x);
            let (y, h, c) = self.lstm(x + self.attn(x, is_causal = true));
            let (z, h) = self.gru(y.dropout(0.25));
            z * c.sum()
        }"]);
}

#[test]
fn models_in_models() {
    agrees(&[
        BLOCK,
        "struct M { one: Block<4>, row: [Block<{ A + 2 }>; 3] }
        fn forward(&self, x: [batch, 4]) -> [batch, 4] { self.row(self.one(x)).sin() }
        fn loss(&self, x: [batch, 4]) -> [] { self.forward(x).square().mean() }",
    ]);
}

#[test]
fn loops_and_steps() {
    agrees(&[
        "struct Cell { fc: Linear(5 -> 2) }
        fn forward(&self, x: [batch, 3], h: [batch, 2]) -> ([batch, 2], [batch, 2]) { let h = self.fc(cat([x, h], 1)).tanh(); (h, h) }",
        "struct M { cell: Cell, norm: LayerNorm(2), gru: GRU(2 -> 2), attn: MultiheadAttention(2, heads = 1) }
        #[step(4)]
        fn forward(&self, x: [batch, 4, 3], h: [batch, 2]) -> [batch, 4, 2] {
            let (y, h) = scan(self.cell, x, h);
            let (z, last) = self.gru(y);
            self.norm(z + y) + self.attn(y, is_causal = true)
        }",
    ]);
}
