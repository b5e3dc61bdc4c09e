//! Scans that see what is around them: the sums of gradients over the steps.

use gradiron::prelude::*;
use gradiron::rng::Rng;

use crate::gpu;

model! {
    const SHIFT: [f32; 4] = [0.5, -0.25, 0.125, 1.0];

    struct Cell {
        join: Linear(3 + 4 + 4 -> 4),
        table: Embedding(5 -> 4),
    }

    fn forward(
        &self, x: [n, 3], h: [n, 4], memory: [n, 6, 4], word: Classes[n], shift: [4],
    ) -> ([n, 6], [n, 4]) {
        let weights = (memory * h.unsqueeze(1)).sum(2).softmax(-1);
        let seen = (memory * weights.unsqueeze(2)).sum(1) + shift;
        (weights, (self.join(cat([x, h, seen], dim = 1)) + self.table(word)).tanh())
    }

    fn map(&self, x: [n, 3], by: [n, 3]) -> [n, 3] {
        (x * by).sin()
    }

    struct Decoder {
        key: Linear(4 -> 4),
        cell: Cell,
    }

    fn forward(
        &self, x: [n, 5, 3], h: [n, 4], memory: [n, 6, 4], word: Classes[n], len: Classes[n],
    ) -> ([n, 5, 6], [n, 4], [n, 5, 3]) {
        let keys = self.key(memory);
        let (a, h) = scan(|x, h| self.cell(x, h, keys, word, SHIFT), x, h, lengths = len);
        let by = h.slice(1, ..3);
        (a, h, scan(|x| self.cell.map(x, by), x))
    }
}

#[test]
fn what_is_around_has_the_same_gradient_on_a_gpu() {
    let Some(gpu) = gpu("what_is_around_has_the_same_gradient_on_a_gpu") else { return };
    let mut rng = Rng::new(Seed(3), 0);
    let mut row = || [(); 4].map(|()| rng.normal());
    let (h, memory) = ([row(), row(), row()], [(); 3].map(|()| [(); 6].map(|()| row())));
    let x = [(); 3].map(|()| [(); 5].map(|()| [row()[0], row()[1], row()[2]]));
    let (d_a, d_y) = ([[[0.5; 6], [1.0; 6], [-1.0; 6], [0.25; 6], [2.0; 6]]; 3], x);
    let (word, len) = ([4_u8, 0, 2], [5_u8, 0, 3]);
    let net = Decoder::init(Seed(1));
    macro_rules! ran {
        ($device:expr) => {{
            let mut ws = Decoder::workspace_on($device, 3).unwrap();
            let ((a, last, y), d) = net
                .forward_grad_inputs(&mut ws, &x, &h, &memory, &word, &len, &d_a, &h, &d_y)
                .unwrap();
            let made = [a.as_flattened().as_flattened(), last.as_flattened()].concat();
            let (d_x, d_h, d_memory) = d;
            let gradients = [
                d_x.as_flattened().as_flattened(),
                d_h.as_flattened(),
                d_memory.as_flattened().as_flattened(),
            ]
            .concat();
            let y = y.as_flattened().as_flattened().to_vec();
            [made, y, gradients, ws.grads().as_slice().to_vec()].concat()
        }};
    }
    let expected = ran!(Cpu::new());
    for (precision, most) in
        [(Precision::F32, 1e-5), (Precision::Bf16, 5e-2), (Precision::F16, 1e-2)]
    {
        let found = ran!(gpu.clone().with_precision(precision));
        for (i, (a, b)) in found.iter().zip(&expected).enumerate() {
            assert!((a - b).abs() <= most * (1.0 + b.abs()), "{precision:?}: {i} is {a}, not {b}");
        }
    }
}
