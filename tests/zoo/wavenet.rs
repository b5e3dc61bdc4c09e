//! WaveNet's stack: gated causal convolutions whose reach doubles, with sums of what they skip.

use gradiron::prelude::*;
use gradiron::view::{batch, flat};

use crate::golden::{Golden, Outcome};

model! {
    struct WaveNet {
        stem: Conv2d(1 -> 6, kernel = 1),
        #[name = "layers.0"]
        one: Layer<6, 1>,
        #[name = "layers.1"]
        two: Layer<6, 2>,
        #[name = "layers.2"]
        four: Layer<6, 4>,
        #[name = "layers.3"]
        eight: Layer<6, 8>,
        out1: Conv2d(6 -> 6, kernel = 1),
        out2: Conv2d(6 -> 8, kernel = 1),
    }

    fn forward(&self, x: [n, 1, 1, 20]) -> [n, 8, 1, 20] {
        let (x, a) = self.one(self.stem(x));
        let (x, b) = self.two(x);
        let (x, c) = self.four(x);
        let (_x, d) = self.eight(x);
        self.out2(self.out1((a + b + c + d).relu()).relu())
    }

    fn loss(&self, x: [n, 1, 1, 20], target: Classes[n, 1, 20]) -> [] {
        cross_entropy(self.forward(x), target)
    }

    struct Layer<const C: usize, const DILATION: usize> {
        filter: Conv2d(C -> C, kernel = (1, 2), dilation = (1, DILATION)),
        gate: Conv2d(C -> C, kernel = (1, 2), dilation = (1, DILATION)),
        residual: Conv2d(C -> C, kernel = 1),
        skip: Conv2d(C -> C, kernel = 1),
    }

    fn forward(&self, x: [n, C, 1, 20]) -> ([n, C, 1, 20], [n, C, 1, 20]) {
        let padded = cat([(x * 0.0).slice(3, ..DILATION), x], dim = 3);
        let y = self.filter(padded).tanh() * self.gate(padded).sigmoid();
        (x + self.residual(y), self.skip(y))
    }
}

#[test]
fn wavenet() -> Outcome {
    let mut golden = Golden::open("wavenet")?;
    let x = golden.floats("x");
    let target: Vec<[[u8; 20]; 1]> =
        golden.classes::<20>("target").into_iter().map(|row| [row]).collect();
    let mut net = golden.load(WaveNet::init(Seed(0)))?;
    let mut ws = WaveNet::workspace(2)?;
    golden.compare("out.y", flat(net.forward(&mut ws, batch(&x))?));
    let (loss, d_x) = net.loss_grad_inputs(&mut ws, batch(&x), &target)?;
    golden.compare("loss", &[loss]);
    golden.compare("loss.d.x", flat(d_x));
    let adam = AdamW::new(&net, 1e-2)?;
    golden.step("loss", &mut net, &ws, adam)
}
