//! A flow of affine couplings, forwards with its log-determinant and backwards.

use gradiron::prelude::*;
use gradiron::view::{batch, flat};

use crate::golden::{Golden, Outcome};

const LOG_2_PI: f32 = 1.837_877_1;

model! {
    struct RealNvp {
        couplings: [Coupling<3>; 4],
    }

    fn forward(&self, x: [n, 6]) -> ([n, 6], [n]) {
        let (mut z, mut log_det) = self.couplings[0](x);
        for i in 1..4 {
            let (y, s) = self.couplings[i](z);
            z = y;
            log_det += s;
        }
        (z, log_det)
    }

    fn inverse(&self, z: [n, 6]) -> [n, 6] {
        let mut x = z;
        for coupling in self.couplings.rev() {
            x = coupling.inverse(x);
        }
        x
    }

    fn loss(&self, x: [n, 6]) -> [] {
        let (z, log_det) = self.forward(x);
        let log_p = -0.5 * (z.square() + LOG_2_PI).sum(dim = 1);
        -(log_p + log_det).mean()
    }

    struct Coupling<const HALF: usize> {
        fc1: Linear(HALF -> 16),
        fc2: Linear(16),
        scale: Linear(16 -> HALF),
        shift: Linear(16 -> HALF),
    }

    fn affine(&self, a: [n, HALF]) -> ([n, HALF], [n, HALF]) {
        let x = self.fc2(self.fc1(a).relu()).relu();
        (self.scale(x).tanh(), self.shift(x))
    }

    fn forward(&self, x: [n, 2 * HALF]) -> ([n, 2 * HALF], [n]) {
        let (a, b) = (x.slice(1, ..HALF), x.slice(1, HALF..));
        let (s, t) = self.affine(a);
        (cat([b * s.exp() + t, a], dim = 1), s.sum(dim = 1))
    }

    fn inverse(&self, z: [n, 2 * HALF]) -> [n, 2 * HALF] {
        let (b, a) = (z.slice(1, ..HALF), z.slice(1, HALF..));
        let (s, t) = self.affine(a);
        cat([a, (b - t) * (-s).exp()], dim = 1)
    }
}

#[test]
fn realnvp() -> Outcome {
    let mut golden = Golden::open("realnvp")?;
    let x = golden.floats("x");
    let mut net = golden.load(RealNvp::init(Seed(0)))?;
    let mut ws = RealNvp::workspace(5)?;
    let (z, log_det) = net.forward(&mut ws, batch(&x))?;
    golden.compare("out.z", flat(z));
    golden.compare("out.log_det", log_det);
    golden.compare("out.inverse", flat(net.inverse(&mut ws, batch(&x))?));
    let (loss, d_x) = net.loss_grad_inputs(&mut ws, batch(&x))?;
    golden.compare("loss", &[loss]);
    golden.compare("loss.d.x", flat(d_x));
    let adam = AdamW::new(&net, 1e-2)?;
    golden.step("loss", &mut net, &ws, adam)
}
