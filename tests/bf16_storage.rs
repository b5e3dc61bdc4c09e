//! What a device with bf16 stores from the forward to the backward pass.

use gradiron::device::{Cpu, Precision};
use gradiron::prelude::*;

type Outcome = Result<(), Box<dyn std::error::Error>>;
/// Fewer than a product in bf16 takes: all that differs is what is stored.
const BATCH: usize = 5;

model! {
    #[allow(bias_before_batch_norm)]
    struct Block<const D: usize> {
        fc: Linear(D -> D),
        bn: BatchNorm1d(D),
    }

    fn forward(&self, x: [batch, D]) -> [batch, D] {
        x + self.bn(self.fc(x)).gelu()
    }
}

model! {
    /// Values that views read, that several ops read, that only the gradient of the input needs,
    /// models in models, a row of them, and a cell that is small.
    struct Net {
        conv: Conv2d(3 -> 8, kernel = 3, padding = 1),
        first: Block<512>,
        down: Linear(512 -> 256),
        rows: [Block<256>; 3],
        scale: Linear(256 -> 128),
        small: Block<16>,
        head: Linear(128 -> 10),
    }

    fn forward(&self, image: [batch, 3, 16, 16]) -> [batch, 10] {
        let image = image * image.sigmoid();
        let x = self.conv(image).relu().max_pool2d(2).flatten();
        let x: [batch, 512] = self.first(x);
        let x = self.rows(self.down(x)).tanh();
        let y = self.scale(x).reshape([8 * batch, 16]);
        let y: [8 * batch, 16] = self.small(y);
        self.head(y.reshape([batch, 128]).softmax(dim = 1))
    }

    fn loss(&self, image: [batch, 3, 16, 16], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(image), label)
    }
}

type Image = [[[f32; 16]; 16]; 3];

fn images() -> Vec<Image> {
    let value = |n, c, i, j| ((n * 768 + c * 256 + i * 16 + j) as f32 * 0.37).sin();
    let row = |n, c, i| std::array::from_fn(|j| value(n, c, i, j));
    let plane = |n, c| std::array::from_fn(|i| row(n, c, i));
    (0..BATCH).map(|n| std::array::from_fn(|c| plane(n, c))).collect()
}

/// The loss, the gradients of the parameters and those of the images, where the memory held no
/// numbers before; `precision` says what the device stores.
fn gradients(precision: Precision) -> Result<[Vec<f32>; 3], Box<dyn std::error::Error>> {
    let net = Net::init(Seed(3));
    let mut ws = Net::workspace_on(Cpu::new().with_precision(precision), BATCH)?;
    assert_eq!(ws.bytes(), Net::footprint(BATCH, precision.on_host()).train);
    let labels = [0_u8, 1, 2, 3, 4];
    ws.poison();
    net.loss_grad(&mut ws, &images(), &labels)?;
    let without_inputs = ws.grads().as_slice().to_vec();
    ws.poison();
    let (loss, d_images) = net.loss_grad_inputs(&mut ws, &images(), &labels)?;
    let d_images = d_images.as_flattened().as_flattened().as_flattened().to_vec();
    let results = [vec![loss], ws.grads().as_slice().to_vec(), d_images];
    assert_eq!(results[1], without_inputs);
    Ok(results)
}

/// `‖x − y‖ / ‖y‖`
fn distance(x: &[f32], y: &[f32]) -> f64 {
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let wide = |x: &f32| f64::from(*x);
    let apart = norm(&mut x.iter().zip(y).map(|(x, y)| wide(x) - wide(y)));
    apart / norm(&mut y.iter().map(wide))
}

/// Each gradient goes through at most eight layers whose derivatives read stored values. These are
/// off by at most `2^-8` of themselves, batch norm's centred ones by a few times that: `2^-5` for
/// all is generous, and a value that is missing or in the wrong place is off by its whole size.
#[test]
fn gradients_are_those_of_values_rounded_to_bf16() -> Outcome {
    let [loss, d_params, d_images] = gradients(Precision::F32)?;
    let [loss_16, d_params_16, d_images_16] = gradients(Precision::Bf16)?;
    // Nothing is rounded in the forward pass.
    assert_eq!(loss, loss_16);
    for (name, exact, rounded) in
        [("parameters", d_params, d_params_16), ("images", d_images, d_images_16)]
    {
        let distance = distance(&rounded, &exact);
        println!("gradients of the {name}: {distance:.1e} apart");
        assert!((1e-5..1.0 / 32.0).contains(&distance), "{name}: {distance}");
    }
    Ok(())
}

#[test]
fn training_takes_less_memory() {
    let (all, stored) = (
        Net::footprint(256, Target::Host).train - 4 * Net::PARAMS,
        Net::footprint(256, Precision::Bf16.on_host()).train - 4 * Net::PARAMS,
    );
    println!("{all} bytes, {stored} with bf16");
    assert!(stored < all * 4 / 5, "{all} bytes, {stored} with bf16");
}
