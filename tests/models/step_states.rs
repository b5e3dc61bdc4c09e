//! Functions that run step by step and carry states: what they can take back, and how long they go
//! on.

use gradiron::prelude::*;
use gradiron::{InputError, TruncateError};

const CHUNK: usize = 4;

model! {
    /// `s = s + x`
    struct Adder {
        one: Param([1], init = ones),
    }

    fn forward(&self, x: [batch, 1], s: [batch, 1]) -> ([batch, 1], [batch, 1]) {
        let s = s + x * self.one;
        (s, s)
    }
}

model! {
    struct Sum {
        cell: Adder,
    }

    #[step(CHUNK)]
    fn forward(&self, x: [CHUNK, 1, 1], s: [1, 1]) -> [CHUNK, 1, 1] {
        let (y, _s) = scan(self.cell, x.permute([1, 0, 2]), s);
        y.permute([1, 0, 2]).reshape([CHUNK, 1, 1])
    }
}

model! {
    struct Listener {
        lstm: LSTM(3 -> 5),
        gru: GRU(5 -> 4),
        rnn: RNN(4 -> 2),
    }

    #[step(24)]
    fn forward(&self, x: [batch, 24, 3]) -> [batch, 24, 2] {
        let (y, _h, _c) = self.lstm(x);
        let (y, _h) = self.gru(y);
        let (y, _h) = self.rnn(y);
        y
    }
}

model! {
    /// States in models in a model, beside keys and values.
    struct Mixed {
        listener: Listener,
        up: Linear(2 -> 4),
        attn: MultiheadAttention(4, num_heads = 2),
    }

    #[step(24)]
    fn forward(&self, x: [batch, 24, 3]) -> [batch, 24, 4] {
        let y: [batch, 24, 2] = self.listener(x);
        self.attn(self.up(y), is_causal = true)
    }
}

model! {
    struct Gated<const T: usize> {
        gru: GRU(3 -> 3),
    }

    #[step(T)]
    fn forward(&self, x: [batch, T, 3]) -> [batch, T, 3] {
        let (y, _h) = self.gru(x);
        x + y
    }
}

model! {
    /// A row of models with states.
    struct Deep {
        layers: [Gated<7>; 2],
    }

    #[step(7)]
    fn forward(&self, x: [batch, 7, 3]) -> [batch, 7, 3] {
        self.layers(x)
    }
}

model! {
    /// Nothing of the positions before.
    struct Pointwise {
        fc: Linear(2 -> 2),
    }

    #[step(3)]
    fn forward(&self, x: [batch, 3, 2]) -> [batch, 3, 2] {
        self.fc(x).tanh()
    }
}

fn sum(net: &Sum, ws: &mut Workspace<Sum>, cache: &mut Cache<Sum>, x: &[f32]) -> Vec<f32> {
    let x: Vec<_> = x.iter().map(|x| [[*x]]).collect();
    let y = net.forward_step(ws, cache, &x, &[[0.0]]).expect("it fits");
    y.as_flattened().as_flattened().to_vec()
}

#[test]
fn states_do_not_go_back_in_silence() {
    let net = Sum::init(Seed(0));
    let mut ws = Sum::workspace().unwrap();
    let mut cache = Sum::forward_cache(&ws).unwrap();
    assert_eq!(sum(&net, &mut ws, &mut cache, &[1.0; 4]), [1.0, 2.0, 3.0, 4.0]);
    let error = cache.truncate(2).unwrap_err();
    assert!(matches!(error, TruncateError { len: 2, held: 4, .. }));
    assert!(
        error.to_string().starts_with("the cache holds states after 4 positions, and none after 2")
    );
    assert_eq!(cache.len(), 4, "it stays as it was");
    assert_eq!(sum(&net, &mut ws, &mut cache, &[1.0]), [5.0]);
    // Where it is already, or beyond, is no way back.
    cache.truncate(5).unwrap();
    cache.truncate(usize::MAX).unwrap();
    assert_eq!((cache.len(), sum(&net, &mut ws, &mut cache, &[1.0])), (5, vec![6.0]));
    // The start is: the states are zeros, or what they are given.
    cache.truncate(0).unwrap();
    assert!(cache.is_empty());
    assert_eq!(sum(&net, &mut ws, &mut cache, &[1.0, 1.0, 10.0]), [1.0, 2.0, 12.0]);
}

#[test]
fn recurrent_layers_start_anew() {
    let net = Listener::init(Seed(1));
    let mut ws = Listener::infer_workspace(2).unwrap();
    let x: [[[f32; 3]; 24]; 2] = std::array::from_fn(|b| {
        std::array::from_fn(|i| std::array::from_fn(|k| ((7 * i + k + 31 * b) as f32).sin()))
    });
    let whole = net.forward(&mut ws, &x).unwrap().to_vec();
    let mut cache = Listener::forward_cache(&ws, 2).unwrap();
    let rows = |from: usize, to: usize| [&x[0][from..to], &x[1][from..to]].concat();
    net.forward_step(&mut ws, &mut cache, &rows(0, 20)).unwrap();
    let error = cache.truncate(10).unwrap_err();
    assert!(matches!(error, TruncateError { len: 10, held: 20, .. }), "{error}");
    cache.truncate(0).unwrap();
    net.forward_step(&mut ws, &mut cache, &rows(0, 10)).unwrap();
    let next = net.forward_step(&mut ws, &mut cache, &rows(10, 11)).unwrap();
    for (found, expected) in next.iter().flatten().zip([whole[0][10], whole[1][10]].as_flattened())
    {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
}

#[test]
fn states_in_models_and_rows_are_seen() {
    let x = [[0.5; 3]; 6];
    let net = Mixed::init(Seed(2));
    let mut ws = Mixed::workspace(1).unwrap();
    let mut cache = Mixed::forward_cache(&ws, 1).unwrap();
    for _ in 0..4 {
        net.forward_step(&mut ws, &mut cache, &x).unwrap();
    }
    assert_eq!((cache.len(), cache.capacity()), (24, 24));
    assert!(cache.truncate(3).is_err());
    let error = net.forward_step(&mut ws, &mut cache, &x[..1]).unwrap_err();
    let expected = InputError::FullOfStates { input: "x", new: 1, past: 24, length: 24 };
    assert_eq!(error, expected);
    assert!(error.to_string().ends_with("states, which do not go back; `clear` it"), "{error}");

    let net = Deep::init(Seed(3));
    let mut ws = Deep::workspace(1).unwrap();
    let mut cache = Deep::forward_cache(&ws, 1).unwrap();
    net.forward_step(&mut ws, &mut cache, &x).unwrap();
    assert!(cache.truncate(3).is_err());
    let check = net.forward_step_check(&mut ws, Seed(4)).unwrap();
    assert!(check.difference < 2e-6, "{check:?}");
}

/// States alone need no positions: a stream ends when its source does.
#[test]
fn streams_go_on_for_ever() {
    let net = Sum::init(Seed(0));
    let mut ws = Sum::infer_workspace().unwrap();
    let mut cache = Sum::forward_cache(&ws).unwrap();
    assert_eq!(cache.capacity(), usize::MAX);
    for round in 0..1000 {
        let y = net.forward_step(&mut ws, &mut cache, &[[[1.0]]; CHUNK], &[[0.0]]).unwrap();
        assert_eq!(y[CHUNK - 1], [[((round + 1) * CHUNK) as f32]]);
    }
    assert_eq!(cache.len(), 1000 * CHUNK);
    assert_eq!(format!("{cache:?}"), "Cache(1 sequences, 4000 positions)");
    // A step has room for as many positions as the whole has.
    let error = net.forward_step(&mut ws, &mut cache, &[[[1.0]]; CHUNK + 1], &[[0.0]]).unwrap_err();
    assert_eq!(error, InputError::TooMany { input: "x", new: 5, length: CHUNK });
    assert_eq!(cache.len(), 1000 * CHUNK);

    let net = Deep::init(Seed(5));
    let mut ws = Deep::infer_workspace(2).unwrap();
    let mut cache = Deep::forward_cache(&ws, 2).unwrap();
    // The same input again and again: the states settle, and so do the results.
    let settled = (0..300).map(|_| {
        let y = net.forward_step(&mut ws, &mut cache, &[[0.3, -0.2, 0.1]; 2]).unwrap();
        y.to_vec()
    });
    let settled: Vec<_> = settled.collect();
    assert_ne!(settled[0], settled[20]);
    for (a, b) in settled[298].iter().flatten().zip(settled[299].iter().flatten()) {
        assert!((a - b).abs() < 1e-6);
    }

    let net = Pointwise::init(Seed(6));
    let mut ws = Pointwise::infer_workspace(1).unwrap();
    let mut cache = Pointwise::forward_cache(&ws, 1).unwrap();
    let first = net.forward_step(&mut ws, &mut cache, &[[1.0, 2.0]]).unwrap().to_vec();
    for _ in 0..10 {
        assert_eq!(net.forward_step(&mut ws, &mut cache, &[[1.0, 2.0]]).unwrap(), first);
    }
    cache.truncate(2).unwrap();
    assert_eq!(cache.len(), 2);
}

/// A cache belongs to one network in one version.
#[test]
fn states_of_other_parameters_are_refused() {
    let (mut net, other) = (Deep::init(Seed(7)), Deep::init(Seed(8)));
    let mut ws = Deep::workspace(1).unwrap();
    let mut cache = Deep::forward_cache(&ws, 1).unwrap();
    let x = [[0.1, 0.2, 0.3]];
    net.forward_step(&mut ws, &mut cache, &x).unwrap();
    assert_eq!(other.forward_step(&mut ws, &mut cache, &x).unwrap_err(), InputError::Stale);
    // Another workspace of the same model goes on with it.
    let mut second = Deep::infer_workspace(4).unwrap();
    net.forward_step(&mut second, &mut cache, &x).unwrap();
    net.params_mut()[0] += 1.0;
    assert_eq!(net.forward_step(&mut ws, &mut cache, &x).unwrap_err(), InputError::Stale);
    cache.clear();
    net.forward_step(&mut ws, &mut cache, &x).unwrap();
}
