//! An encoder in both directions and a decoder with Luong's general attention.

use gradiron::prelude::*;
use gradiron::view::flat;

use crate::golden::{Golden, Outcome};

model! {
    struct Seq2Seq {
        encoder: Encoder<11, 6>,
        decoder: Decoder<9, 6>,
    }

    fn forward(&self, source: Classes[n, 7], target: Classes[n, 5]) -> [n, 5, 9] {
        let (memory, h) = self.encoder(source);
        self.decoder(target, memory, h)
    }

    fn loss(
        &self,
        source: Classes[n, 7],
        target: Classes[n, 5],
        following: Classes[n, 5],
    ) -> [] {
        let logits = self.forward(source, target).reshape([5 * n, 9]);
        cross_entropy(logits, following.reshape([5 * n]))
    }

    struct Encoder<const WORDS: usize, const D: usize> {
        token: Embedding(WORDS -> D),
        gru: GRU(D -> D, bidirectional = true),
        bridge: Linear(2 * D -> D),
    }

    fn forward(&self, source: Classes[n, 7]) -> ([n, 7, 2 * D], [n, D]) {
        let (y, h) = self.gru(self.token(source));
        (y, self.bridge(h.flatten()).tanh())
    }

    struct Decoder<const WORDS: usize, const D: usize> {
        token: Embedding(WORDS -> D),
        gru: GRU(D -> D),
        score: Linear(D -> 2 * D, bias = false),
        combine: Linear(3 * D -> D),
        head: Linear(D -> WORDS),
    }

    fn forward(&self, target: Classes[n, 5], memory: [n, 7, 2 * D], h: [n, D]) -> [n, 5, WORDS] {
        let (y, _h) = self.gru(self.token(target), h);
        let weights = self.score(y).matmul(memory.transpose(1, 2)).softmax(-1);
        let y = cat([weights.matmul(memory), y], dim = 2);
        self.head(self.combine(y).tanh())
    }
}

#[test]
fn seq2seq() -> Outcome {
    let mut golden = Golden::open("seq2seq")?;
    let source = golden.classes::<7>("source");
    let [target, following] = ["target", "following"].map(|name| golden.classes::<5>(name));
    let mut net = golden.load(Seq2Seq::init(Seed(0)))?;
    let mut ws = Seq2Seq::workspace(3)?;
    golden.compare("out.y", flat(net.forward(&mut ws, &source, &target)?));
    golden.compare("loss", &[net.loss_grad(&mut ws, &source, &target, &following)?]);
    let adam = AdamW::new(&net, 1e-2)?;
    golden.step("loss", &mut net, &ws, adam)
}
