//! A generator and a critic that train by turns.

use gradiron::prelude::*;
use gradiron::view::{batch, flat};

use crate::golden::{Golden, Outcome};

model! {
    struct Gan {
        maker: Maker,
        critic: Critic,
    }

    #[trains(critic)]
    fn critic_loss(&self, z: [n, 5], image: [n, 1, 8, 8]) -> [] {
        let made = self.critic(self.maker(z));
        (made.softplus() + (-self.critic(image)).softplus()).mean()
    }

    #[trains(maker)]
    fn maker_loss(&self, z: [n, 5]) -> [] {
        (-self.critic(self.maker(z))).softplus().mean()
    }

    fn made(&self, z: [n, 5]) -> [n, 1, 8, 8] {
        self.maker(z)
    }

    struct Maker {
        fc: Linear(5 -> 64),
        conv1: ConvTranspose2d(16 -> 8, kernel = 2, stride = 2),
        conv2: ConvTranspose2d(8 -> 1, kernel = 2, stride = 2),
    }

    fn forward(&self, z: [n, 5]) -> [n, 1, 8, 8] {
        let x = self.fc(z).relu().reshape([n, 16, 2, 2]);
        self.conv2(self.conv1(x).relu()).tanh()
    }

    struct Critic {
        conv1: Conv2d(1 -> 8, kernel = 3, stride = 2, padding = 1),
        conv2: Conv2d(8 -> 16, kernel = 3, stride = 2, padding = 1),
        fc: Linear(64 -> 1),
    }

    fn forward(&self, x: [n, 1, 8, 8]) -> [n, 1] {
        let x = self.conv1(x).leaky_relu(0.2);
        let x = self.conv2(x).leaky_relu(0.2);
        self.fc(x.flatten())
    }
}

#[test]
fn gan() -> Outcome {
    let mut golden = Golden::open("gan")?;
    let [z, image] = ["z", "image"].map(|name| golden.floats(name));
    let (z, image) = (batch(&z), batch(&image));
    let mut net = golden.load(Gan::init(Seed(0)))?;
    let mut ws = Gan::workspace(4)?;
    golden.compare("out.y", flat(net.made(&mut ws, z)?));
    let (loss, (_, d_image)) = net.critic_loss_grad_inputs(&mut ws, z, image)?;
    golden.compare("critic_loss", &[loss]);
    golden.compare("critic_loss.d.image", flat(d_image));
    let of_critic = AdamW::new(&net, 1e-2)?;
    golden.step("critic_loss", &mut net, &ws, of_critic)?;
    let (loss, d_z) = net.maker_loss_grad_inputs(&mut ws, z)?;
    golden.compare("maker_loss", &[loss]);
    golden.compare("maker_loss.d.z", flat(d_z));
    let of_maker = AdamW::new(&net, 1e-2)?;
    golden.step("maker_loss", &mut net, &ws, of_maker)?;
    // One optimizer for both: what a loss does not train does not decay, and counts no step.
    let mut adam = AdamW::new(&net, 1e-2)?.eps(1e-2)?.weight_decay(0.1)?;
    for turn in "cmmcmccmm".chars() {
        let _ = match turn {
            'c' => net.critic_loss_train(&mut ws, &mut adam, z, image)?,
            _ => net.maker_loss_train(&mut ws, &mut adam, z)?,
        };
    }
    for tensor in net.select("*")?.iter() {
        golden.compare(&format!("turns.after.{}", tensor.name()), tensor.floats());
    }
    Ok(())
}
