//! Five small models: training steps with an optimizer, inference, and a file, with two threads.

use gradiron::prelude::*;

model! {
    struct Mlp {
        fc1: Linear(5 -> 7),
        fc2: Linear(7 -> 3),
    }

    fn forward(&self, x: [batch, 5]) -> [batch, 3] {
        self.fc2(self.fc1(x).relu())
    }

    fn loss(&self, x: [batch, 5], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(x), label)
    }
}

model! {
    struct Convs {
        conv1: Conv2d(1 -> 3, kernel = 3, padding = 1, bias = false),
        bn: BatchNorm2d(3),
        conv2: Conv2d(3 -> 4, kernel = 3),
        fc: Linear(4 -> 3),
    }

    fn forward(&self, x: [batch, 1, 6, 6]) -> [batch, 3] {
        let x = self.bn(self.conv1(x)).relu().max_pool2d(2);
        self.fc(self.conv2(x).tanh().flatten())
    }

    fn loss(&self, x: [batch, 1, 6, 6], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(x), label)
    }
}

model! {
    struct Listener {
        lstm: LSTM(3 -> 4, num_layers = 2),
        gru: GRU(4 -> 3, bidirectional = true),
        head: Linear(6 -> 2),
    }

    fn forward(&self, x: [batch, 4, 3], len: Classes[batch]) -> [batch, 4, 2] {
        let (y, _h, _c) = self.lstm(x, lengths = len);
        let (y, _h) = self.gru(y, lengths = len);
        self.head(y)
    }

    fn loss(&self, x: [batch, 4, 3], len: Classes[batch], y: [batch, 4, 2]) -> [] {
        mse_loss(self.forward(x, len), y)
    }
}

const CONTEXT: usize = 5;
const WIDTH: usize = 8;
const VOCAB: usize = 7;

model! {
    struct Block {
        ln_1: LayerNorm(WIDTH),
        attn: MultiheadAttention(WIDTH, num_heads = 2),
        ln_2: RMSNorm(WIDTH),
        fc: Linear(WIDTH -> 12),
        proj: Linear(12 -> WIDTH),
    }

    #[step(CONTEXT)]
    fn forward(&self, x: [batch, CONTEXT, WIDTH]) -> [batch, CONTEXT, WIDTH] {
        let x = x + self.attn(self.ln_1(x), is_causal = true);
        x + self.proj(self.fc(self.ln_2(x)).gelu())
    }
}

model! {
    struct Gpt {
        wte: Embedding(VOCAB -> WIDTH),
        h: [Block; 2],
        head: Linear(WIDTH -> VOCAB, bias = false, tied = self.wte),
    }

    #[step(CONTEXT)]
    fn forward(&self, token: Classes[batch, CONTEXT]) -> [batch, CONTEXT, VOCAB] {
        self.head(self.h(self.wte(token)))
    }

    fn loss(&self, token: Classes[batch, CONTEXT], next: Classes[batch, CONTEXT]) -> [] {
        cross_entropy(self.forward(token).permute([0, 2, 1]), next)
    }
}

model! {
    struct Cell {
        x: Linear(3 -> 4),
        h: Linear(4 -> 4, bias = false),
    }

    fn forward(&self, x: [batch, 3], h: [batch, 4]) -> ([batch, 4], [batch, 4]) {
        let h = (self.x(x) + self.h(h)).tanh();
        (h, h)
    }
}

model! {
    /// A model in a row of models, dropout, a loop over time.
    struct Nested {
        cell: Cell,
        rows: [Mixer; 2],
    }

    #[step(6)]
    fn forward(&self, x: [batch, 6, 3], h: [batch, 4]) -> [batch, 6, 4] {
        let (y, _h) = scan(self.cell, x, h);
        self.rows(y).dropout(0.2)
    }

    fn loss(&self, x: [batch, 6, 3], h: [batch, 4], y: [batch, 6, 4]) -> [] {
        mse_loss(self.forward(x, h), y)
    }
}

model! {
    #[allow(linear_after_linear)]
    struct Mixer {
        up: Linear(4 -> 6),
        down: Linear(6 -> 4),
    }

    #[step(6)]
    fn forward(&self, x: [batch, 6, 4]) -> [batch, 6, 4] {
        x + self.down(self.up(x).silu()) * self.down(self.up(x.sin())).sigmoid()
    }
}

/// Training steps on two threads: each must be finite, and the last be better than the first.
macro_rules! trains {
    ($net:ident, $optimizer:expr, $batch:literal, ($($x:expr),*)) => {{
        let mut net = $net::init(Seed(1));
        let mut ws = $net::workspace_on(Cpu::with_threads(2), $batch).unwrap();
        let mut optimizer = $optimizer(&net).unwrap();
        let steps = if cfg!(miri) { 3 } else { 20 };
        let mut losses = Vec::new();
        for _ in 0..steps {
            losses.push(net.loss_grad(&mut ws, $($x),*).unwrap());
            optimizer.step(&mut net, ws.grads());
        }
        assert!(losses.iter().all(|loss| loss.is_finite()), "{losses:?}");
        assert!(losses[steps - 1] < losses[0], "{losses:?}");
        (net, ws)
    }};
}

/// Writes the parameters and reads them again. Miri cannot ask a system to write a folder out.
macro_rules! comes_back {
    ($net:ident, $saved:expr) => {{
        let name = format!("gradiron-sound-{}-{}", stringify!($net), std::process::id());
        let path = std::env::temp_dir().join(name);
        if cfg!(miri) {
            return;
        }
        $saved.save(&path).unwrap();
        let mut again = $net::init(Seed(9));
        again.load(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(again.params() == $saved.params());
    }};
}

fn floats(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 37 % 19) as f32 - 9.0) / 9.0).collect()
}

/// So many samples of a type.
macro_rules! samples {
    ($sample:ty, $count:expr) => {{
        let floats = floats($count * size_of::<$sample>() / 4);
        gradiron::view::samples::<$sample>(&floats).unwrap().to_vec()
    }};
}

#[test]
fn a_perceptron() {
    let (x, label) = (samples!([f32; 5], 4), [2_u8, 0, 1, 2]);
    let (net, mut ws) = trains!(Mlp, |net| Sgd::new(net, 0.3), 4, (&x, &label));
    assert_eq!(net.forward(&mut ws, &x[..3]).unwrap().len(), 3);
    comes_back!(Mlp, net);
}

#[test]
fn convolutions() {
    let (x, label) = (samples!([[[f32; 6]; 6]; 1], 3), [2_u8, 0, 1]);
    let (net, mut ws) = trains!(Convs, |net| Adam::new(net, 0.05), 3, (&x, &label));
    let all = net.forward(&mut ws, &x).unwrap().to_vec();
    let one = net.forward(&mut ws, &x[..1]).unwrap();
    assert!((one[0][0] - all[0][0]).abs() < 1e-5);
    comes_back!(Convs, net);
}

#[test]
fn recurrent_layers() {
    let (x, y) = (samples!([[f32; 3]; 4], 3), samples!([[f32; 2]; 4], 3));
    let len = [4_u8, 1, 0];
    let (net, mut ws) = trains!(Listener, |net| RMSprop::new(net, 0.01), 3, (&x, &len, &y));
    assert_eq!(net.forward(&mut ws, &x, &len).unwrap().len(), 3);
}

#[test]
fn a_transformer() {
    let token = [[1_u8, 4, 2, 6, 0], [3, 3, 5, 1, 2]];
    let next = [[4_u8, 2, 6, 0, 1], [3, 5, 1, 2, 3]];
    let (net, mut ws) = trains!(Gpt, |net| AdamW::new(net, 0.01), 2, (&token, &next));
    let whole = net.forward(&mut ws, &token).unwrap().to_vec();
    // A prompt, and then one at a time.
    let mut cache = Gpt::forward_cache(&ws, 1).unwrap();
    net.forward_step(&mut ws, &mut cache, &token[0][..3]).unwrap();
    for at in 3..CONTEXT {
        let rows = net.forward_step(&mut ws, &mut cache, &token[0][at..=at]).unwrap();
        assert!((rows[0][0] - whole[0][at][0]).abs() < 1e-4);
    }
    comes_back!(Gpt, net);
}

#[test]
fn models_in_models() {
    let (x, h) = (samples!([[f32; 3]; 6], 2), samples!([f32; 4], 2));
    let y = samples!([[f32; 4]; 6], 2);
    let (net, mut ws) = trains!(Nested, |net| Adam::new(net, 0.03), 2, (&x, &h, &y));
    let whole = net.forward(&mut ws, &x, &h).unwrap().to_vec();
    let mut cache = Nested::forward_cache(&ws, 1).unwrap();
    let rows = net.forward_step(&mut ws, &mut cache, &x[0][..2], &h[..1]).unwrap();
    assert!((rows[1][0] - whole[0][1][0]).abs() < 1e-4);
}
