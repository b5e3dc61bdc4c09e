//! A variational autoencoder; the noise is an input.

use gradiron::prelude::*;
use gradiron::view::{batch, flat};

use crate::golden::{Golden, Outcome};

model! {
    struct Vae {
        encoder: Encoder<3>,
        decoder: Decoder<3>,
    }

    fn forward(&self, x: [n, 16], noise: [n, 3]) -> ([n, 16], [n, 3], [n, 3]) {
        let (mean, log_var) = self.encoder(x);
        let z = mean + (0.5 * log_var).exp() * noise;
        (self.decoder(z), mean, log_var)
    }

    fn loss(&self, x: [n, 16], noise: [n, 3]) -> [] {
        let (y, mean, log_var) = self.forward(x, noise);
        let kl = -0.5 * (1.0 + log_var - mean.square() - log_var.exp()).sum();
        (binary_cross_entropy_with_logits(y, x, reduction = sum) + kl) / n
    }

    struct Encoder<const CODE: usize> {
        fc: Linear(16 -> 12),
        mean: Linear(CODE),
        log_var: Linear(CODE),
    }

    fn forward(&self, x: [n, 16]) -> ([n, CODE], [n, CODE]) {
        let x = self.fc(x).relu();
        (self.mean(x), self.log_var(x))
    }

    struct Decoder<const CODE: usize> {
        fc1: Linear(CODE -> 12),
        fc2: Linear(16),
    }

    fn forward(&self, z: [n, CODE]) -> [n, 16] {
        self.fc2(self.fc1(z).relu())
    }
}

#[test]
fn vae() -> Outcome {
    let mut golden = Golden::open("vae")?;
    let [x, noise] = ["x", "noise"].map(|name| golden.floats(name));
    let (x, noise) = (batch(&x), batch(&noise));
    let mut net = golden.load(Vae::init(Seed(0)))?;
    let mut ws = Vae::workspace(5)?;
    let (y, mean, log_var) = net.forward(&mut ws, x, noise)?;
    golden.compare("out.y", flat(y));
    golden.compare("out.mean", flat(mean));
    golden.compare("out.log_var", flat(log_var));
    let (loss, (d_x, d_noise)) = net.loss_grad_inputs(&mut ws, x, noise)?;
    golden.compare("loss", &[loss]);
    golden.compare("loss.d.x", flat(d_x));
    golden.compare("loss.d.noise", flat(d_noise));
    let adam = AdamW::new(&net, 1e-2)?;
    golden.step("loss", &mut net, &ws, adam)
}
