//! The fourth lesson: a U-Net that finds discs (O. Ronneberger, P. Fischer, T. Brox, 2015, made
//! small).
//!
//! `cargo run --release --example 04_unet` draws coloured discs and squares on noise, trains on
//! them, and prints how well the discs of new images are found: the intersection over union of the
//! predicted pixels and the true ones. Squares do not count, so colours alone do not tell. The
//! number of steps may be given: `-- 200`.

mod model;

use std::time::Instant;

use gradiron::prelude::*;
use gradiron::rng::Rng;
use model::UNet;

const BATCH: usize = 8;
const SIDE: usize = 64;

type Image = [[[f32; SIDE]; SIDE]; 3];
type Mask = [[[f32; SIDE]; SIDE]; 1];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let steps: usize = match std::env::args().nth(1) {
        Some(text) => {
            text.parse().map_err(|_| format!("expected a number of steps, found `{text}`"))?
        }
        None => 150,
    };
    println!(
        "{} parameters, {} kB for training",
        UNet::PARAMS,
        UNet::footprint(BATCH, SIDE, SIDE, Target::Host).train / 1000
    );
    let mut net = UNet::init(Seed(0));
    let mut ws = UNet::workspace(BATCH, SIDE, SIDE)?;
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
        let truth = masks.as_flattened().as_flattened().as_flattened();
        for (found, truth) in logits.as_slice().iter().zip(truth) {
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
