//! Arrays that are constants of the program, as values.

use gradiron::prelude::*;

use crate::data::{batch, bits};

/// Numbers that are no multiples of each other.
const fn numbers<const N: usize>(start: u32) -> [f32; N] {
    let (mut made, mut at) = ([0.0; N], 0);
    while at < N {
        made[at] = ((start + at as u32) * 37 % 64) as f32 / 32.0 - 1.0;
        at += 1;
    }
    made
}

const fn rows<const M: usize, const N: usize>(start: u32) -> [[f32; N]; M] {
    let (mut made, mut at) = ([[0.0; N]; M], 0);
    while at < M {
        made[at] = numbers(start + (N * at) as u32);
        at += 1;
    }
    made
}

mod tables {
    pub const MEL: [[f32; 4]; 6] = super::rows(5);
    pub static GRID: [[f32; 6]; 3] = super::rows(11);
    pub const KERNEL: [[[[f32; 3]; 3]; 2]; 2] = [[super::rows(1), super::rows(12)]; 2];
    pub const ORDER: [i64; 3] = [2, 0, 1];
}

/// Sizes that a model has as a parameter.
struct Position<const D: usize>;

impl<const D: usize> Position<D> {
    const ROWS: [[f32; D]; 3] = rows(21);
}

const SHIFT: f32 = 0.25;
const SEEN: [[f32; 3]; 3] = {
    let hidden = f32::NEG_INFINITY;
    [[0.0, hidden, hidden], [0.0, 0.0, hidden], [0.5, 0.0, 0.0]]
};

model! {
    /// A token in front of each sequence.
    const TOKEN: [f32; 6] = numbers(3);
    pub(crate) static PLACES: [[u8; 3]; 2] = [[4, 1, 0], [2, 2, 3]];
    const COLUMNS: [[usize; 2]; 3] = [[5, 0], [1, 1], [3, 2]];
    /// No array, but a number as others are.
    const HALF: f32 = 0.5;

    struct Fixed {
        fc: Linear(6 -> 6),
        table: Embedding(5 -> 6),
        attn: MultiheadAttention(6, num_heads = 2),
        inner: Inner<6>,
    }

    fn forward(&self, x: [batch, 3, 6], image: [batch, 2, 5, 5]) -> ([batch, 4, 4], [batch, 2, 3, 3]) {
        let grid: [3, 6] = tables::GRID;
        let seen: [3, 3] = SEEN;
        let (kernel, order): ([2, 2, 3, 3], Classes[3]) = (tables::KERNEL, tables::ORDER);
        let x = self.inner(self.fc(x) + grid) * HALF + SHIFT;
        let x = self.attn(x, attn_mask = seen) + self.table(PLACES).select(0, 1);
        let x = x + embedding(order, self.table.weight) - grid.gather(1, COLUMNS).sum(dim = 1, keepdim = true);
        let mel: [6, 4] = tables::MEL;
        let y = cat([TOKEN.expand([batch, 1, 6]), x], dim = 1).matmul(mel.sin());
        (where_(y.gt(0.0), y, -y * mel.mean()), conv2d(image, kernel).tanh())
    }

    fn loss(&self, x: [batch, 3, 6], image: [batch, 2, 5, 5], y: [batch, 4, 4]) -> [] {
        let (a, b) = self.forward(x, image);
        mse_loss(a, y) + b.square().mean()
    }

    struct Inner<const D: usize> {
        norm: LayerNorm(D),
    }

    fn forward(&self, x: [n, 3, D]) -> [n, 3, D] {
        let position: [3, D] = Position::<D>::ROWS;
        self.norm(x * position) - position * TOKEN
    }
}

model! {
    /// The same, with all arrays as inputs.
    struct Given {
        fc: Linear(6 -> 6),
        table: Embedding(5 -> 6),
        attn: MultiheadAttention(6, num_heads = 2),
        inner: InnerGiven<6>,
    }

    fn forward(
        &self,
        x: [batch, 3, 6],
        image: [batch, 2, 5, 5],
        grid: [3, 6],
        seen: [3, 3],
        kernel: [2, 2, 3, 3],
        order: Classes[3],
        mel: [6, 4],
        token: [6],
        places: Classes[2, 3],
        columns: Classes[3, 2],
        position: [3, 6],
    ) -> ([batch, 4, 4], [batch, 2, 3, 3]) {
        let x = self.inner(self.fc(x) + grid, position, token) * 0.5 + 0.25;
        let x = self.attn(x, attn_mask = seen) + self.table(places).select(0, 1);
        let x = x + embedding(order, self.table.weight) - grid.gather(1, columns).sum(dim = 1, keepdim = true);
        let y = cat([token.expand([batch, 1, 6]), x], dim = 1).matmul(mel.sin());
        (where_(y.gt(0.0), y, -y * mel.mean()), conv2d(image, kernel).tanh())
    }

    struct InnerGiven<const D: usize> {
        norm: LayerNorm(D),
    }

    fn forward(&self, x: [n, 3, D], position: [3, D], token: [D]) -> [n, 3, D] {
        self.norm(x * position) - position * token
    }
}

#[test]
fn an_array_is_what_it_would_be_as_an_input() {
    let (fixed, given) = (Fixed::init(Seed(1)), Given::init(Seed(1)));
    let mut ws = Fixed::workspace(3).unwrap();
    let mut other = Given::workspace(3).unwrap();
    let (x, image) = (batch::<[[f32; 6]; 3]>(1, 3), batch::<[[[f32; 5]; 5]; 2]>(2, 3));
    let (d_a, d_b) = (batch::<[[f32; 4]; 4]>(3, 3), batch::<[[[f32; 3]; 3]; 2]>(4, 3));
    let arrays = (&tables::GRID, &SEEN, &tables::KERNEL, &tables::ORDER, &tables::MEL, &TOKEN);
    let rest = (&PLACES, &COLUMNS, &Position::<6>::ROWS);
    let (a, b) = fixed.forward(&mut ws, &x, &image).unwrap();
    let made = [
        bits(a.as_flattened().as_flattened()),
        bits(b.as_flattened().as_flattened().as_flattened()),
    ];
    let (a, b) = given
        .forward(
            &mut other, &x, &image, arrays.0, arrays.1, arrays.2, arrays.3, arrays.4, arrays.5,
            rest.0, rest.1, rest.2,
        )
        .unwrap();
    assert_eq!(made[0], bits(a.as_flattened().as_flattened()));
    assert_eq!(made[1], bits(b.as_flattened().as_flattened().as_flattened()));
    let ((a, b), (d_x, d_image)) =
        fixed.forward_grad_inputs(&mut ws, &x, &image, &d_a, &d_b).unwrap();
    assert_eq!(made[0], bits(a.as_flattened().as_flattened()));
    assert_eq!(made[1], bits(b.as_flattened().as_flattened().as_flattened()));
    let ((..), (d_x2, d_image2, ..)) = given
        .forward_grad_inputs(
            &mut other, &x, &image, arrays.0, arrays.1, arrays.2, arrays.3, arrays.4, arrays.5,
            rest.0, rest.1, rest.2, &d_a, &d_b,
        )
        .unwrap();
    assert_eq!((d_x, d_image), (d_x2, d_image2));
    assert_eq!(bits(ws.grads().as_slice()), bits(other.grads().as_slice()));
}

#[test]
fn gradients_go_around_an_array() {
    let (x, image) = (batch::<[[f32; 6]; 3]>(1, 2), batch::<[[[f32; 5]; 5]; 2]>(2, 2));
    let y = batch::<[[f32; 4]; 4]>(3, 2);
    gradients!(
        Fixed::init(Seed(1)), Fixed::workspace(2), [loss, loss_grad, loss_grad_inputs],
        (x, image, y) -> number);
}

model! {
    /// A function without a model.
    fn mixed(x: [batch, 6]) -> [batch, 4] {
        let mel: [6, 4] = tables::MEL;
        let token: [6] = TOKEN;
        (x - token).matmul(mel.tanh()).sin()
    }
}

#[test]
fn a_function_without_a_model_has_arrays_too() {
    let x = batch::<[f32; 6]>(1, 3);
    free_gradients!(mixed_workspace(3), [mixed, mixed_grad], (x) -> (y));
}

model! {
    const PLACE: [[f32; 4]; 8] = rows(3);
    const WORDS: [u32; 8] = [3, 1, 4, 1, 5, 2, 6, 5];

    /// Positions that are no parameters.
    struct Stream {
        fc: Linear(4 -> 4),
        table: Embedding(7 -> 4),
        attn: MultiheadAttention(4, num_heads = 1),
    }

    #[step(8)]
    fn forward(&self, x: [batch, 8, 4]) -> [batch, 8, 4] {
        let x = self.fc(x * PLACE) + self.table(WORDS);
        self.attn(x, is_causal = true)
    }
}

#[test]
fn positions_are_taken_step_by_step() {
    let net = Stream::init(Seed(5));
    let mut ws = Stream::workspace(2).unwrap();
    let check = net.forward_step_check(&mut ws, Seed(6)).unwrap();
    assert!(check.difference < 1e-6, "{check:?}");
}

#[test]
fn values_in_16_bits_are_made_of_arrays_too() {
    let device = || Cpu::new().with_precision(Precision::Bf16);
    let (fixed, given) = (Fixed::init(Seed(1)), Given::init(Seed(1)));
    let mut ws = Fixed::workspace_on(device(), 40).unwrap();
    let mut other = Given::workspace_on(device(), 40).unwrap();
    let (x, image) = (batch::<[[f32; 6]; 3]>(1, 40), batch::<[[[f32; 5]; 5]; 2]>(2, 40));
    let (d_a, d_b) = (batch::<[[f32; 4]; 4]>(3, 40), batch::<[[[f32; 3]; 3]; 2]>(4, 40));
    let (a, b) = fixed.forward_grad(&mut ws, &x, &image, &d_a, &d_b).unwrap();
    let made = given.forward_grad(
        &mut other,
        &x,
        &image,
        &tables::GRID,
        &SEEN,
        &tables::KERNEL,
        &tables::ORDER,
        &tables::MEL,
        &TOKEN,
        &PLACES,
        &COLUMNS,
        &Position::<6>::ROWS,
        &d_a,
        &d_b,
    );
    assert_eq!((a, b), made.unwrap());
    assert_eq!(bits(ws.grads().as_slice()), bits(other.grads().as_slice()));
}

model! {
    const DEPTH: usize = 3;
    const RESIDUAL: bool = DEPTH > 2;
    const SHIFTED: bool = !RESIDUAL;

    struct Deep {
        fc: [Linear(4 -> 4); 3],
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 4] {
        let mut y = x;
        for i in 0..DEPTH {
            let z = self.fc[i](y).tanh();
            y = if RESIDUAL && i + 1 < DEPTH { y + z } else { z };
        }
        if SHIFTED { y + 1.0 } else { y * DEPTH as f32 }
    }
}

#[test]
fn constants_of_the_text_decide() {
    let x = batch::<[f32; 4]>(1, 3);
    let net = Deep::init(Seed(3));
    let y = net.forward(&mut Deep::workspace(3).unwrap(), &x).unwrap().to_vec();
    for (x, y) in x.iter().zip(y) {
        let mut now = *x;
        for i in 0..3 {
            // The weight, and behind it the bias.
            let (w, b) = Model::params(&net)[20 * i..][..20].split_at(16);
            let z: [f32; 4] = std::array::from_fn(|o| {
                let sum: f32 = w[4 * o..].iter().zip(now).map(|(w, x)| w * x).sum();
                (sum + b[o]).tanh()
            });
            now = std::array::from_fn(|o| if i < 2 { now[o] + z[o] } else { z[o] });
        }
        for (found, expected) in y.iter().zip(now) {
            assert!((found - 3.0 * expected).abs() < 1e-5, "{found} {expected}");
        }
    }
}
