//! Models called for each step of a sequence.

use gradiron::prelude::*;
use gradiron::view::flat;

use crate::data::{Labels, batch};

model! {
    /// One state, which is also the result.
    struct Elman {
        of_x: Linear(3 -> 4),
        of_h: Linear(4 -> 4, bias = false),
    }

    fn forward(&self, x: [batch, 3], h: [batch, 4]) -> ([batch, 4], [batch, 4]) {
        let h = (self.of_x(x) + self.of_h(h)).tanh();
        (h, h)
    }
}

model! {
    struct Inner {
        fc: Linear(5 -> 5),
    }

    fn forward(&self, x: [batch, 5]) -> [batch, 5] {
        x + self.fc(x).sin()
    }
}

model! {
    /// Two states of different shapes, a result of another one, and a model inside.
    #[allow(linear_after_linear)]
    struct Cell {
        join: Linear(3 + 4 -> 5),
        inner: [Inner; 2],
        to_h: Linear(5 -> 4),
        gate: Linear(5 -> 6),
        out: Linear(4 -> 2),
    }

    fn forward(&self, x: [batch, 3], h: [batch, 4], c: [batch, 2, 3]) -> ([batch, 2], [batch, 4], [batch, 2, 3]) {
        let z = self.inner(self.join(cat([x, h], 1)));
        let h = self.to_h(z).tanh();
        let c = c * self.gate(z).sigmoid().reshape([batch, 2, 3]);
        (self.out(h) + c.sum(2), h, c)
    }

    fn step(&self, x: [batch, 3], h: [batch, 4]) -> ([batch, 4], [batch, 4]) {
        let h = self.to_h(self.join(cat([x, h], 1))).tanh();
        (h, h * 0.5)
    }
}

model! {
    struct Net {
        elman: Elman,
        cell: Cell,
        other: Cell,
    }

    fn simple(&self, x: [batch, 5, 3], h: [batch, 4]) -> ([batch, 5, 4], [batch, 4]) {
        scan(self.elman, x, h)
    }

    fn unrolled(&self, x: [batch, 5, 3], h: [batch, 4]) -> ([batch, 5, 4], [batch, 4]) {
        let (a, h) = scan(self.elman, x.narrow(1, 0, 1), h);
        let (b, h) = scan(self.elman, x.narrow(1, 1, 2), h);
        let (c, h) = scan(self.elman, x.narrow(1, 3, 2), h);
        (cat([a, b, c], 1), h)
    }

    fn both(
        &self, x: [batch, 4, 3], h: [batch, 4], c: [batch, 2, 3], len: Classes[batch],
    ) -> ([batch, 4, 2], [batch, 4], [batch, 2, 3], [batch, 4, 4]) {
        let (y, h, c) = scan(self.cell, x, h, c, out = [2], lengths = len);
        let (z, g) = scan(self.other.step, x, h, reverse = true, lengths = len);
        (y, h + g, c, z)
    }
}

model! {
    struct Trained {
        cell: Cell,
        head: Linear(2 -> 3),
    }

    fn loss(&self, x: [batch, 4, 3], h: [batch, 4], c: [batch, 2, 3], label: Classes[batch]) -> [] {
        let (y, h, _c) = scan(self.cell, x, h, c, out = [2]);
        let last = y.narrow(1, 3, 1).reshape([batch, 2]);
        cross_entropy(self.head(last), label) + h.square().mean()
    }
}

#[test]
fn one_state() {
    let (x, h) = (batch::<[[f32; 3]; 5]>(1, 3), batch::<[f32; 4]>(2, 3));
    gradients!(
        Net::init(Seed(1)), Net::workspace(3),
        [simple, simple_grad, simple_grad_inputs], (x, h) -> (y, last));
}

#[test]
fn two_states_lengths_and_the_other_way_round() {
    let (x, h, c) =
        (batch::<[[f32; 3]; 4]>(1, 3), batch::<[f32; 4]>(2, 3), batch::<[[f32; 3]; 2]>(3, 3));
    let len = Labels(vec![4, 0, 2]);
    gradients!(
        Net::init(Seed(1)), Net::workspace(4),
        [both, both_grad, both_grad_inputs], (x, h, c, len) -> (y, h1, c1, z));
    let label = Labels(vec![0, 1, 2]);
    gradients!(
        Trained::init(Seed(1)), Trained::workspace(3),
        [loss, loss_grad, loss_grad_inputs], (x, h, c, label) -> number);
}

#[test]
fn steps_in_pieces_are_the_same() {
    let net = Net::init(Seed(1));
    let mut ws = Net::workspace(3).unwrap();
    let (x, h) = (batch::<[[f32; 3]; 5]>(1, 3), batch::<[f32; 4]>(2, 3));
    let d_y = batch::<[[f32; 4]; 5]>(4, 3);
    let mut grads = Vec::new();
    let (y, last) = net.simple_grad(&mut ws, &x, &h, &d_y, &h).unwrap();
    let whole = (flat(y).to_vec(), flat(last).to_vec());
    grads.push(ws.grads().as_slice().to_vec());
    let (y, last) = net.unrolled_grad(&mut ws, &x, &h, &d_y, &h).unwrap();
    assert_eq!(whole, (flat(y).to_vec(), flat(last).to_vec()));
    grads.push(ws.grads().as_slice().to_vec());
    for (a, b) in grads[0].iter().zip(&grads[1]) {
        assert!((a - b).abs() <= 1e-6 * (1.0 + a.abs()), "{a} {b}");
    }
}

#[test]
fn a_sample_ends_with_its_length() {
    let net = Net::init(Seed(1));
    let mut ws = Net::workspace(3).unwrap();
    let (mut x, h, c) =
        (batch::<[[f32; 3]; 4]>(1, 3), batch::<[f32; 4]>(2, 3), batch::<[[f32; 3]; 2]>(3, 3));
    let len = [4_u8, 0, 2];
    let (y, _, last, z) = net.both(&mut ws, &x, &h, &c, &len).unwrap();
    assert_eq!((last[1], y[1], z[1]), (c[1], [[0.0; 2]; 4], [[0.0; 4]; 4]));
    assert_eq!((y[2][2..].to_vec(), z[2][2..].to_vec()), (vec![[0.0; 2]; 2], vec![[0.0; 4]; 2]));
    let before = (flat(y).to_vec(), flat(z).to_vec());
    // What stands behind the end is not looked at.
    x[2][2] = [f32::NAN; 3];
    x[1] = [[f32::NAN; 3]; 4];
    let (y, .., z) = net.both(&mut ws, &x, &h, &c, &len).unwrap();
    assert_eq!(before, (flat(y).to_vec(), flat(z).to_vec()));
    let error = net.both(&mut ws, &x, &h, &c, &[4_u8, 5, 2]).unwrap_err();
    assert_eq!(error.to_string(), "`len[1]` is the length 5, but sequences have 0 to 4 steps");
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let net = Trained::init(Seed(1));
    let (x, h, c) =
        (batch::<[[f32; 3]; 4]>(1, 200), batch::<[f32; 4]>(2, 200), batch::<[[f32; 3]; 2]>(3, 200));
    let label: Vec<u8> = (0..200).map(|i| i % 3).collect();
    let grads = [1, 2, 3].map(|threads| {
        let mut ws = Trained::workspace_on(Cpu::with_threads(threads), 200).unwrap();
        ws.poison();
        let loss = net.loss_grad(&mut ws, &x, &h, &c, &label).unwrap();
        (loss, ws.grads().as_slice().to_vec())
    });
    assert_eq!(grads[0], grads[1]);
    assert_eq!(grads[0], grads[2]);
}

model! {
    /// A sequence model whose steps carry states on.
    struct Stream {
        cell: Elman,
        head: Linear(4 -> 3),
    }

    #[step(6)]
    fn forward(&self, x: [batch, 6, 3], h: [batch, 4]) -> [batch, 6, 3] {
        let (y, _last) = scan(self.cell, x, h);
        self.head(y)
    }
}

#[test]
fn a_scan_goes_on_step_by_step() {
    let net = Stream::init(Seed(2));
    let mut ws = Stream::workspace(3).unwrap();
    let check = net.forward_step_check(&mut ws, Seed(3)).unwrap();
    assert!(check.difference < 1e-6, "{check:?}");
}

model! {
    /// A loss that gives the last state, for the next piece of the sequence.
    struct Piece {
        cell: Elman,
        head: Linear(4 -> 3),
    }

    fn loss(&self, x: [batch, 3, 3], h: [batch, 4], label: Classes[batch, 3]) -> ([], [batch, 4]) {
        let (y, h) = scan(self.cell, x, h);
        let logits = self.head(y).reshape([3 * batch, 3]);
        (cross_entropy(logits, label.reshape([3 * batch])), h)
    }

    fn last(&self, x: [batch, 3, 3], h: [batch, 4]) -> [batch, 4] {
        let (_y, h) = scan(self.cell, x, h);
        h
    }
}

#[test]
fn a_piece_of_a_sequence_goes_on_where_the_last_one_ended() {
    let net = Piece::init(Seed(4));
    let mut ws = Piece::workspace(2).unwrap();
    let pieces = [1, 2].map(|seed| batch::<[[f32; 3]; 3]>(seed, 2));
    let label = [[0_u8, 1, 2], [2, 1, 0]];
    let mut h = vec![[0.0; 4]; 2];
    for x in &pieces {
        let expected = net.last(&mut ws, x, &h).unwrap().to_vec();
        let (loss, next) = net.loss(&mut ws, x, &h, &label).unwrap();
        assert_eq!(next, expected);
        let (trained, next) = net.loss_grad(&mut ws, x, &h, &label).unwrap();
        assert_eq!((trained, next), (loss, &expected[..]));
        // The gradient is that of the number alone, and stops at the state that came in.
        let grads = ws.grads().as_slice().to_vec();
        let ((again, _), (_, d_h)) = net.loss_grad_inputs(&mut ws, x, &h, &label).unwrap();
        assert!(again == loss && d_h.as_flattened().iter().any(|d| *d != 0.0));
        assert_eq!(grads, ws.grads().as_slice());
        h = expected;
    }
}

model! {
    const SHIFT: [f32; 4] = [0.5, -0.25, 0.125, 1.0];

    /// Looks back at a memory that all steps see, and gives two results.
    struct Looking {
        query: Linear(4 -> 4),
        join: Linear(4 + 4 + 3 -> 4),
        table: Embedding(5 -> 4),
    }

    fn forward(
        &self,
        memory: [n, 6, 4],
        x: [n, 3],
        h: [n, 4],
        word: Classes[n],
        z: [n, 2],
        scale: [4],
    ) -> ([n, 6], [n, 2], [n, 4]) {
        let q = self.query(h).reshape([n, 4, 1]);
        let weights = memory.matmul(q).reshape([n, 6]).softmax(-1);
        let seen = weights.reshape([n, 1, 6]).matmul(memory).reshape([n, 4]);
        let h = (self.join(cat([x, h, seen * scale], dim = 1)) + self.table(word)).tanh();
        (weights, z * h.slice(1, 1..3), h)
    }

    /// A step without a state.
    struct Map {
        fc: Linear(3 -> 4),
    }

    fn forward(&self, x: [n, 3], by: [n, 4]) -> ([n, 4], [n]) {
        let y = self.fc(x).tanh() * by;
        (y, y.sum(1))
    }

    fn plain(&self, x: [n, 3]) -> [n, 4] {
        self.fc(x).sin()
    }

    fn sum(&self, x: [n, 3], h: [n, 4]) -> [n, 4] {
        h + self.fc(x)
    }

    struct Decoder {
        key: Linear(4 -> 4),
        cell: Looking,
        map: Map,
    }

    fn looking(
        &self, x: [n, 5, 3], z: [n, 5, 2], h: [n, 4], memory: [n, 6, 4], word: Classes[n],
    ) -> ([n, 5, 6], [n, 5, 2], [n, 4]) {
        let keys = self.key(memory);
        scan(|(x, z), h| self.cell(keys, x, h, word, z, SHIFT), (x, z), h)
    }

    fn unrolled(
        &self, x: [n, 5, 3], z: [n, 5, 2], h: [n, 4], memory: [n, 6, 4], word: Classes[n],
    ) -> ([n, 5, 6], [n, 5, 2], [n, 4]) {
        let keys = self.key(memory);
        let (a, b, h) = self.cell(keys, x.select(1, 0), h, word, z.select(1, 0), SHIFT);
        let (mut weights, mut made, mut h) = (a.unsqueeze(1), b.unsqueeze(1), h);
        for t in 1..5 {
            let (a, b, next) = self.cell(keys, x.select(1, t), h, word, z.select(1, t), SHIFT);
            weights = cat([weights, a.unsqueeze(1)], dim = 1);
            made = cat([made, b.unsqueeze(1)], dim = 1);
            h = next;
        }
        (weights, made, h)
    }

    fn ended(
        &self, x: [n, 5, 3], z: [n, 5, 2], h: [n, 4], memory: [n, 6, 4], word: Classes[n],
        len: Classes[n],
    ) -> ([n, 5, 6], [n, 5, 2], [n, 4], [n, 5, 4], [n, 5]) {
        let (a, b, h) = scan(
            |(x, z), h| self.cell(memory, x, h, word, z, SHIFT), (x, z), h,
            lengths = len, reverse = true,
        );
        let (y, s) = scan(|x| self.map(x, h), x, lengths = len);
        (a, b, h, y, s)
    }

    fn mapped(&self, x: [n, 5, 3], by: [n, 4]) -> ([n, 5, 4], [n, 5], [n, 5, 4], [n, 4]) {
        let (y, s) = scan(|x| self.map(x, by * 2.0), x);
        (y, s, scan(self.map.plain, x), scan(self.map.sum, x, by))
    }

    #[step(5)]
    fn steps(&self, x: [n, 5, 3], by: [n, 4]) -> [n, 5, 4] {
        let (y, _s) = scan(|x| self.map(x, by), x);
        let z = scan(self.map.plain, x);
        y + z
    }
}

#[test]
fn all_steps_see_what_is_around() {
    let (x, z, h) =
        (batch::<[[f32; 3]; 5]>(1, 2), batch::<[[f32; 2]; 5]>(2, 2), batch::<[f32; 4]>(3, 2));
    let (memory, word) = (batch::<[[f32; 4]; 6]>(4, 2), Labels(vec![4, 1]));
    gradients!(
        Decoder::init(Seed(1)), Decoder::workspace(2),
        [looking, looking_grad, looking_grad_inputs], (x, z, h, memory, word) -> (a, b, last));
    let net = Decoder::init(Seed(1));
    let mut ws = Decoder::workspace(2).unwrap();
    let (d_a, d_b) = (batch::<[[f32; 6]; 5]>(5, 2), batch::<[[f32; 2]; 5]>(6, 2));
    let mut made = Vec::new();
    let ((a, b, last), d) =
        net.looking_grad_inputs(&mut ws, &x, &z, &h, &memory, &word.0, &d_a, &d_b, &h).unwrap();
    made.push([crate::data::All::all(&(a, b, last)), crate::data::All::all(&d)].concat());
    made[0].extend_from_slice(ws.grads().as_slice());
    let ((a, b, last), d) =
        net.unrolled_grad_inputs(&mut ws, &x, &z, &h, &memory, &word.0, &d_a, &d_b, &h).unwrap();
    made.push([crate::data::All::all(&(a, b, last)), crate::data::All::all(&d)].concat());
    made[1].extend_from_slice(ws.grads().as_slice());
    for (a, b) in made[0].iter().zip(&made[1]) {
        assert!((a - b).abs() <= 2e-6 * (1.0 + a.abs()), "{a} {b}");
    }
}

#[test]
fn what_is_around_has_no_gradient_from_behind_an_end() {
    let (x, z, h) =
        (batch::<[[f32; 3]; 5]>(1, 3), batch::<[[f32; 2]; 5]>(2, 3), batch::<[f32; 4]>(3, 3));
    let (memory, word) = (batch::<[[f32; 4]; 6]>(4, 3), Labels(vec![4, 1, 0]));
    let len = Labels(vec![5, 0, 2]);
    gradients!(
        Decoder::init(Seed(1)), Decoder::workspace(3),
        [ended, ended_grad, ended_grad_inputs], (x, z, h, memory, word, len) -> (a, b, last, y, s));
}

#[test]
fn a_scan_without_states_is_a_map_and_one_of_states_alone_a_sum() {
    let (x, by) = (batch::<[[f32; 3]; 5]>(1, 3), batch::<[f32; 4]>(2, 3));
    gradients!(
        Decoder::init(Seed(1)), Decoder::workspace(3),
        [mapped, mapped_grad, mapped_grad_inputs], (x, by) -> (y, s, z, last));
    let net = Decoder::init(Seed(2));
    let mut ws = Decoder::workspace(3).unwrap();
    let check = net.steps_step_check(&mut ws, Seed(3)).unwrap();
    assert!(check.difference < 1e-6, "{check:?}");
}
