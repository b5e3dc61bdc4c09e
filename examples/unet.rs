//! A U-Net that finds discs (O. Ronneberger, P. Fischer, T. Brox, 2015, made small).
//!
//! `cargo run --release --example unet` draws coloured discs and squares on noise, trains on
//! them, and prints how well the discs of new images are found: the intersection over union of the
//! predicted pixels and the true ones. Squares do not count, so colours alone do not tell. The
//! number of steps may be given: `-- 200`.

use std::time::Instant;

use gradiron::prelude::*;
use gradiron::rng::Rng;

const BATCH: usize = 8;
const SIDE: usize = 64;

type Image = [[[f32; SIDE]; SIDE]; 3];
type Mask = [[[f32; SIDE]; SIDE]; 1];

model! {
    /// Twice a convolution, batch normalisation and an activation.
    pub struct Block<const I: usize, const O: usize, const S: usize> {
        conv1: Conv2d(I -> O, kernel = 3, padding = 1, bias = false),
        bn1: BatchNorm2d(O),
        conv2: Conv2d(O -> O, kernel = 3, padding = 1, bias = false),
        bn2: BatchNorm2d(O),
    }

    fn forward(&self, x: [batch, I, S, S]) -> [batch, O, S, S] {
        let x = self.bn1(self.conv1(x)).relu();
        self.bn2(self.conv2(x)).relu()
    }
}

model! {
    /// Three resolutions down, three up again, each with what was there on the way down.
    pub struct UNet {
        down1: Block<3, 16, 64>,
        down2: Block<16, 32, 32>,
        down3: Block<32, 64, 16>,
        middle: Block<64, 128, 8>,
        up3: ConvTranspose2d(128 -> 64, kernel = 2, stride = 2),
        merge3: Block<128, 64, 16>,
        up2: ConvTranspose2d(64 -> 32, kernel = 2, stride = 2),
        merge2: Block<64, 32, 32>,
        up1: ConvTranspose2d(32 -> 16, kernel = 2, stride = 2),
        merge1: Block<32, 16, 64>,
        out: Conv2d(16 -> 1, kernel = 1),
    }

    fn forward(&self, image: [batch, 3, 64, 64]) -> [batch, 1, 64, 64] {
        let fine: [batch, 16, 64, 64] = self.down1(image);
        let half: [batch, 32, 32, 32] = self.down2(fine.max_pool2d(2));
        let quarter: [batch, 64, 16, 16] = self.down3(half.max_pool2d(2));
        let x: [batch, 128, 8, 8] = self.middle(quarter.max_pool2d(2));
        let x: [batch, 64, 16, 16] = self.merge3(cat([quarter, self.up3(x)], 1));
        let x: [batch, 32, 32, 32] = self.merge2(cat([half, self.up2(x)], 1));
        let x: [batch, 16, 64, 64] = self.merge1(cat([fine, self.up1(x)], 1));
        self.out(x)
    }

    fn loss(&self, image: [batch, 3, 64, 64], mask: [batch, 1, 64, 64]) -> [] {
        binary_cross_entropy_with_logits(self.forward(image), mask)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let steps: usize = match std::env::args().nth(1) {
        Some(text) => {
            text.parse().map_err(|_| format!("expected a number of steps, found `{text}`"))?
        }
        None => 150,
    };
    println!("{} parameters, {} kB for training", UNet::PARAMS, UNet::train_bytes(BATCH) / 1000);
    let mut net = UNet::init(Seed(0));
    let mut ws = UNet::workspace(BATCH)?;
    let mut adam = Adam::new(&net, 2e-3)?;
    let mut rng = Rng::new(Seed(1), 0);
    let (mut images, mut masks) = batch();
    let (start, mut drawing) = (Instant::now(), 0.0);
    for step in 1..=steps {
        let drawn = Instant::now();
        draw(&mut rng, &mut images, &mut masks);
        drawing += drawn.elapsed().as_secs_f64();
        // The learning rate falls to 0 over the last third.
        let left = (steps - step + 1) as f32 / steps as f32;
        adam.set_learning_rate(2e-3 * (3.0 * left).min(1.0))?;
        let loss = net.loss_grad(&mut ws, &images, &masks)?;
        adam.step(&mut net, ws.grads());
        if step % 25 == 0 || step == steps {
            println!("step {step:4}  loss {loss:.4}");
        }
    }
    let each = 1e3 * (start.elapsed().as_secs_f64() - drawing) / steps.max(1) as f64;
    println!("{:.1} s, {each:.1} ms a step", start.elapsed().as_secs_f64());

    // New images: the overlap over all of them.
    let mut rng = Rng::new(Seed(2), 0);
    let (mut both, mut either) = (0, 0);
    for _ in 0..16 {
        draw(&mut rng, &mut images, &mut masks);
        let logits = net.forward(&mut ws, &images)?;
        let found = logits.as_flattened().as_flattened().as_flattened();
        let truth = masks.as_flattened().as_flattened().as_flattened();
        for (found, truth) in found.iter().zip(truth) {
            both += u32::from(*found > 0.0 && *truth > 0.5);
            either += u32::from(*found > 0.0 || *truth > 0.5);
        }
    }
    println!("intersection over union {:.2} %", 100.0 * f64::from(both) / f64::from(either.max(1)));
    Ok(())
}

fn batch() -> (Vec<Image>, Vec<Mask>) {
    (vec![[[[0.0; SIDE]; SIDE]; 3]; BATCH], vec![[[[0.0; SIDE]; SIDE]; 1]; BATCH])
}

/// Draws two discs and two squares on each image, later ones over earlier ones, and noise. The
/// mask is 1 where a disc is seen.
fn draw(rng: &mut Rng, images: &mut [Image], masks: &mut [Mask]) {
    for (image, mask) in images.iter_mut().zip(masks) {
        *mask = [[[0.0; SIDE]; SIDE]; 1];
        *image = [[[0.0; SIDE]; SIDE]; 3];
        for shape in 0..4 {
            let is_disc = shape % 2 == 0;
            let centre: [f32; 2] = std::array::from_fn(|_| rng.uniform_range(8.0, 56.0));
            let radius = rng.uniform_range(5.0, 11.0);
            let colour: [f32; 3] = std::array::from_fn(|_| rng.uniform_range(0.5, 1.5));
            for row in 0..SIDE {
                for column in 0..SIDE {
                    let (y, x) = (row as f32 - centre[0], column as f32 - centre[1]);
                    let inside = match is_disc {
                        true => x * x + y * y < radius * radius,
                        false => x.abs().max(y.abs()) < 0.85 * radius,
                    };
                    if inside {
                        mask[0][row][column] = f32::from(u8::from(is_disc));
                        for (plane, colour) in image.iter_mut().zip(colour) {
                            plane[row][column] = colour;
                        }
                    }
                }
            }
        }
        for pixel in image.as_flattened_mut().as_flattened_mut() {
            *pixel += 0.3 * rng.normal();
        }
    }
}
