//! Bahdanau's decoder: each word looks back at the source, by the state before it.

use gradiron::prelude::*;
use gradiron::view::flat;

use crate::golden::{Golden, Outcome};

model! {
    struct Translator {
        encoder: Encoder<11, 6>,
        decoder: Decoder<9, 6>,
    }

    fn forward(&self, source: Classes[n, 7], target: Classes[n, 5]) -> [n, 5, 9] {
        let (memory, h) = self.encoder(source);
        self.decoder(target, memory, h)
    }

    fn loss(&self, source: Classes[n, 7], target: Classes[n, 5], following: Classes[n, 5]) -> [] {
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

    struct Cell<const D: usize> {
        query: Linear(D -> D),
        score: Linear(D -> 1, bias = false),
        gru: GRU(3 * D -> D),
    }

    fn forward(&self, x: [n, D], h: [n, D], memory: [n, 7, 2 * D], keys: [n, 7, D]) -> ([n, D], [n, D]) {
        let scores = self.score((self.query(h).unsqueeze(1) + keys).tanh());
        let seen = (scores.softmax(1) * memory).sum(1);
        let (y, h) = self.gru(cat([x, seen], dim = 1).unsqueeze(1), h);
        (y.squeeze(1), h)
    }

    struct Decoder<const WORDS: usize, const D: usize> {
        token: Embedding(WORDS -> D),
        key: Linear(2 * D -> D, bias = false),
        cell: Cell<D>,
        head: Linear(D -> WORDS),
    }

    fn forward(&self, target: Classes[n, 5], memory: [n, 7, 2 * D], h: [n, D]) -> [n, 5, WORDS] {
        let keys = self.key(memory);
        let (y, _h) = scan(|x, h| self.cell(x, h, memory, keys), self.token(target), h);
        self.head(y)
    }
}

#[test]
fn bahdanau() -> Outcome {
    let mut golden = Golden::open("bahdanau")?;
    let source = golden.classes::<7>("source");
    let [target, following] = ["target", "following"].map(|name| golden.classes::<5>(name));
    let mut net = golden.load(Translator::init(Seed(0)))?;
    let mut ws = Translator::workspace(3)?;
    golden.compare("out.y", flat(net.forward(&mut ws, &source, &target)?));
    golden.compare("loss", &[net.loss_grad(&mut ws, &source, &target, &following)?]);
    let adam = AdamW::new(&net, 1e-2)?;
    golden.step("loss", &mut net, &ws, adam)
}
