//! Functions that run step by step.

use gradiron::prelude::*;
use gradiron::{InputError, WorkspaceError};

const CONTEXT: usize = 12;
const WIDTH: usize = 16;
const VOCAB: usize = 11;

model! {
    struct Block {
        ln_1: LayerNorm(WIDTH),
        attn: MultiheadAttention(WIDTH, num_heads = 4),
        ln_2: RMSNorm(WIDTH),
        c_fc: Linear(WIDTH -> 24),
        c_proj: Linear(24 -> WIDTH),
    }

    #[step(CONTEXT)]
    fn forward(&self, x: [batch, CONTEXT, WIDTH]) -> [batch, CONTEXT, WIDTH] {
        let x = x + self.attn(self.ln_1(x), is_causal = true);
        x + self.c_proj(self.c_fc(self.ln_2(x)).gelu())
    }
}

model! {
    struct Gpt {
        wte: Embedding(VOCAB -> WIDTH),
        wpe: Param([CONTEXT, WIDTH], init = normal(0.0, 1.0)),
        first: Block,
        h: [Block; 3],
        lm_head: Linear(WIDTH -> VOCAB, bias = false, tied = self.wte),
    }

    /// The next token.
    #[step(CONTEXT)]
    fn forward(&self, token: Classes[batch, CONTEXT]) -> [batch, CONTEXT, VOCAB] {
        self.lm_head(self.h(self.first(self.wte(token) + self.wpe)))
    }
}

model! {
    /// Grouped queries by head, a memory that is the same for all positions, several results.
    struct Decoder<const T: usize> {
        position: PositionalEncoding(8),
        q: Linear(8 -> 16),
        k: Linear(8 -> 8),
        v: Linear(8 -> 8),
        cross: MultiheadAttention(16, num_heads = 2),
        scale: Param([T, 1], init = ones),
    }

    #[step(T)]
    fn decode(&self, x: [batch, T, 8], memory: [batch, 5, 16]) -> ([batch, T, 16], [batch, T]) {
        let x = self.position(x).dropout(0.1);
        let q = self.q(x).reshape([batch, T, 4, 4]).permute([0, 2, 1, 3]).rotary();
        let k = self.k(x).reshape([batch, T, 2, 4]).rotary(dim = 1).permute([0, 2, 1, 3]);
        let v = self.v(x).reshape([batch, T, 2, 4]).permute([0, 2, 1, 3]);
        let y = scaled_dot_product_attention(q, k, v, is_causal = true, scale = 0.3);
        let y = y.permute([0, 2, 1, 3]).reshape([batch, T, 16]);
        let y = self.cross(y, memory, memory) * self.scale.exp();
        (y.softmax(2), cat([y, x], 2).narrow(2, 3, 9).sum(2))
    }
}

model! {
    /// One sequence, without a batch.
    struct Single {
        qkv: Linear(4 -> 12),
    }

    #[step(6)]
    fn forward(&self, x: [6, 4]) -> [6, 4] {
        let y = self.qkv(x);
        let (q, k, v) = (y.narrow(1, 0, 4), y.narrow(1, 4, 4), y.narrow(1, 8, 4));
        scaled_dot_product_attention(q, k, v, is_causal = true)
    }
}

model! {
    /// Recurrent layers carry their states on.
    struct Listener {
        lstm: LSTM(5 -> 6, num_layers = 2),
        gru: GRU(6 -> 4),
        rnn: RNN(4 -> 3),
    }

    #[step(9)]
    fn forward(&self, x: [batch, 9, 5], h: [batch, 4]) -> [batch, 9, 3] {
        let (y, _h, _c) = self.lstm(x);
        let (y, _h) = self.gru(y, h);
        let (y, _h) = self.rnn(y);
        y
    }
}

#[test]
fn steps_agree_with_the_whole() {
    for threads in [1, 2] {
        let gpt = Gpt::init(Seed(1));
        let mut ws = Gpt::workspace_on(Cpu::with_threads(threads), 3).unwrap();
        let check = gpt.forward_step_check(&mut ws, Seed(2)).unwrap();
        assert!(check.difference < 2e-6, "{check:?}");

        let decoder = Decoder::<7>::init(Seed(3));
        let mut ws = Decoder::<7>::workspace_on(Cpu::with_threads(threads), 2).unwrap();
        let check = decoder.decode_step_check(&mut ws, Seed(4)).unwrap();
        assert!(check.difference < 2e-6, "{check:?}");

        let listener = Listener::init(Seed(7));
        let mut ws = Listener::workspace_on(Cpu::with_threads(threads), 3).unwrap();
        let check = listener.forward_step_check(&mut ws, Seed(8)).unwrap();
        assert!(check.difference < 2e-6, "{check:?}");

        let single = Single::init(Seed(5));
        let mut ws = Single::workspace_on(Cpu::with_threads(threads)).unwrap();
        let check = single.forward_step_check(&mut ws, Seed(6)).unwrap();
        assert!(check.difference < 2e-6, "{check:?}");
    }
}

#[test]
fn one_position_at_a_time_gives_the_rows_of_the_whole() {
    let net = Gpt::init(Seed(1));
    let mut ws = Gpt::workspace(2).unwrap();
    let tokens: [[u8; CONTEXT]; 2] =
        [std::array::from_fn(|i| (i * 7 % VOCAB) as u8), std::array::from_fn(|i| (i % 4) as u8)];
    let whole = net.forward(&mut ws, &tokens).unwrap().to_vec();
    let mut cache = Gpt::forward_cache(&ws, 2).unwrap();
    for round in 0..2 {
        for at in 0..CONTEXT {
            assert_eq!((cache.len(), cache.is_empty()), (at, at == 0));
            let next = [tokens[0][at], tokens[1][at]];
            let rows = net.forward_step(&mut ws, &mut cache, &next).unwrap();
            for (row, whole) in rows.iter().zip(&whole) {
                for (value, expected) in row.iter().zip(&whole[at]) {
                    assert!((value - expected).abs() < 1e-5, "round {round}, position {at}");
                }
            }
        }
        cache.clear();
    }
}

#[test]
fn a_prompt_may_come_at_once_and_be_taken_back() {
    let net = Gpt::init(Seed(1));
    let mut ws = Gpt::workspace(1).unwrap();
    let prompt = [3_u8, 1, 4, 1, 5, 9, 2, 6];
    let mut cache = Gpt::forward_cache(&ws, 1).unwrap();
    let all = net.forward_step(&mut ws, &mut cache, &prompt).unwrap().to_vec();
    assert_eq!((all.len(), cache.len(), cache.capacity()), (8, 8, CONTEXT));
    cache.truncate(5).unwrap();
    let again = net.forward_step(&mut ws, &mut cache, &prompt[5..]).unwrap();
    for (value, expected) in again.as_flattened().iter().zip(all[5..].as_flattened()) {
        assert!((value - expected).abs() < 1e-5);
    }
}

#[test]
fn mistakes_are_reported_and_change_nothing() {
    let mut net = Gpt::init(Seed(1));
    let mut ws = Gpt::workspace(2).unwrap();
    let error = Gpt::forward_cache(&ws, 3).unwrap_err();
    assert!(matches!(error, WorkspaceError::Sequences { sequences: 3, most: 2 }), "{error}");
    let mut cache = Gpt::forward_cache(&ws, 2).unwrap();
    let error = net.forward_step(&mut ws, &mut cache, &[1_u8, 2, 3]).unwrap_err();
    assert_eq!(error, InputError::NotWhole { input: "token", found: 3, sample: 2 });
    let none: [u8; 0] = [];
    let error = net.forward_step(&mut ws, &mut cache, &none).unwrap_err();
    assert_eq!(error, InputError::Empty { input: "token" });
    let error = net.forward_step(&mut ws, &mut cache, &[1_u8, 200]).unwrap_err();
    assert!(
        matches!(&error, InputError::Class { input: "token", at, found: 200, .. } if at == &[1]),
        "{error}"
    );
    let error = net.forward_step(&mut ws, &mut cache, &[0_u8; 2 * CONTEXT + 2]).unwrap_err();
    assert_eq!(error, InputError::Full { input: "token", new: 13, past: 0, length: CONTEXT });
    assert!(
        error.to_string().ends_with("13 new positions, but sequences have at most 12"),
        "{error}"
    );
    assert!(cache.is_empty());

    net.forward_step(&mut ws, &mut cache, &[1_u8, 2]).unwrap();
    net.params_mut()[0] += 1.0;
    let error = net.forward_step(&mut ws, &mut cache, &[1_u8, 2]).unwrap_err();
    assert_eq!((error, cache.len()), (InputError::Stale, 1));
    cache.clear();
    net.forward_step(&mut ws, &mut cache, &[1_u8, 2]).unwrap();
    let text = format!("{cache:?}");
    assert_eq!(text, "Cache(2 sequences, 1 of 12 positions)");
}
