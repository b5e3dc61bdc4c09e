//! Constants of the program on a GPU: they are there once, and are what they would be as inputs.

use gradiron::prelude::*;

use crate::gpu;

const fn mix() -> [[f32; 40]; 6] {
    let (mut made, mut at) = ([[0.0; 40]; 6], 0);
    while at < 240 {
        made[at / 40][at % 40] = (at * 37 % 64) as f32 / 32.0 - 1.0;
        at += 1;
    }
    made
}

model! {
    const TOKEN: [f32; 6] = [0.5, -1.0, 0.25, 2.0, -0.125, 1.0];
    static MIX: [[f32; 40]; 6] = mix();
    const PLACES: [[u8; 3]; 2] = [[4, 1, 0], [2, 2, 3]];

    struct Fixed {
        fc: Linear(6 -> 6),
        table: Embedding(5 -> 6),
    }

    #[step(3)]
    fn forward(&self, x: [batch, 3, 6]) -> [batch, 3, 40] {
        (self.fc(x) * TOKEN).matmul(MIX.tanh())
    }

    fn loss(&self, x: [batch, 3, 6], y: [batch, 3, 40]) -> [] {
        mse_loss(self.forward(x + self.table(PLACES).select(0, 1)), y)
    }

    struct Given {
        fc: Linear(6 -> 6),
        table: Embedding(5 -> 6),
    }

    fn loss(
        &self,
        x: [batch, 3, 6],
        y: [batch, 3, 40],
        token: [6],
        mix: [6, 40],
        places: Classes[2, 3],
    ) -> [] {
        let x = self.fc(x + self.table(places).select(0, 1)) * token;
        mse_loss(x.matmul(mix.tanh()), y)
    }
}

#[test]
fn constants_are_uploaded_once() {
    let Some(gpu) = gpu("constants_are_uploaded_once") else { return };
    let x = [[[0.5, -0.25, 1.0, 0.75, -1.0, 0.1]; 3], [[0.1, 0.2, -0.3, 0.4, 0.5, -0.6]; 3]];
    let y = [[[0.5; 40]; 3]; 2];
    for precision in [Precision::F32, Precision::Bf16, Precision::F16] {
        let gpu = gpu.clone().with_precision(precision);
        let (fixed, given) = (Fixed::init(Seed(0)), Given::init(Seed(0)));
        let mut ws = Fixed::workspace_on(gpu.clone(), 2).unwrap();
        let mut other = Given::workspace_on(gpu.clone(), 2).unwrap();
        let loss = fixed.loss_grad(&mut ws, &x, &y).unwrap();
        let same = given.loss_grad(&mut other, &x, &y, &TOKEN, &MIX, &PLACES).unwrap();
        assert_eq!(loss, same);
        assert_eq!(ws.grads().as_slice(), other.grads().as_slice());
        let loss = fixed.loss(&mut ws, &x, &y).unwrap();
        assert_eq!(loss, given.loss(&mut other, &x, &y, &TOKEN, &MIX, &PLACES).unwrap());
        let close = fixed.loss(&mut Fixed::workspace(2).unwrap(), &x, &y).unwrap();
        assert!((loss - close).abs() < 2e-2 * close, "{loss} {close}");
        let check = fixed.forward_step_check(&mut ws, Seed(3)).unwrap();
        assert!(check.difference < 2e-2, "{check:?}");

        // Steps allocate nothing for them, and are those of a model that has them as inputs.
        let (mut net, mut given) = (fixed, given);
        let (mut adam, mut adam2) =
            (Adam::new(&net, 1e-3).unwrap(), Adam::new(&given, 1e-3).unwrap());
        for round in 0..2 {
            let mut ws = Fixed::workspace_on(gpu.clone(), 2).unwrap();
            let mut other = Given::workspace_on(gpu.clone(), 2).unwrap();
            let mut step = || {
                let loss = net.loss_train(&mut ws, &mut adam, &x, &y).unwrap();
                let same = given.loss_train(&mut other, &mut adam2, &x, &y, &TOKEN, &MIX, &PLACES);
                assert_eq!(loss.value().unwrap(), same.unwrap().value().unwrap());
            };
            (0..4).for_each(|_| step());
            let before = gpu.allocations();
            (0..5).for_each(|_| step());
            assert_eq!(gpu.allocations(), before, "round {round}");
        }
    }
}
