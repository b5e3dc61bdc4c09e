//! The first lesson: fit a line, y = 3x + 2, to a hundred points.
//!
//! `cargo run --release --example 01_line`

use gradiron::prelude::*;

model! {
    /// y = w x + b
    pub struct Line {
        line: Linear(1 -> 1),
    }

    fn forward(&self, x: [batch, 1]) -> [batch, 1] {
        self.line(x)
    }

    fn loss(&self, x: [batch, 1], y: [batch, 1]) -> [] {
        mse_loss(self.forward(x), y)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let x: Vec<[f32; 1]> = (0..100).map(|i| [i as f32 / 50.0 - 1.0]).collect();
    let y: Vec<[f32; 1]> = x.iter().map(|[x]| [3.0 * x + 2.0]).collect();

    let mut net = Line::init(Seed(0));
    let mut ws = Line::workspace(100)?;
    let mut sgd = Sgd::new(&net, 0.2)?;
    for epoch in 1..=100 {
        let loss = net.loss_grad(&mut ws, &x, &y)?;
        sgd.step(&mut net, ws.grads());
        if epoch % 10 == 0 {
            println!("epoch {epoch:3}  loss {loss:.7}");
        }
    }

    let (w, b) = (net.line().weight()[0][0], net.line().bias()[0]);
    println!("y = {w:.4} x + {b:.4}");
    assert!((w - 3.0).abs() < 1e-2 && (b - 2.0).abs() < 1e-2, "the line was not found");
    Ok(())
}
