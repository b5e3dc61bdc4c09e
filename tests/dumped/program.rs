//! Models whose arguments and constants are called as variables of generated code are. The program
//! prints the bits of some steps. `dumped.rs` compiles it, and once more with the Rust that was
//! dumped in the place of each `model!`.

use gradiron::prelude::*;

const WIDTH: usize = 8;

model! {
    const GRID: [[f32; 4]; 3] = [[0.5, -0.25, 1.0, 0.0], [2.0, 0.125, -1.5, 0.75], [1.0; 4]];

    #[budget(train = "1 MiB", batch = 5)]
    pub struct Names {
        n: Linear(4 -> WIDTH),
        k: Linear(WIDTH -> 3),
        m: Embedding(3 -> WIDTH),
    }

    fn forward(&self, n: [batch, 3, 4], k: [batch], m: Classes[batch]) -> [batch, 3] {
        let grid: [3, 4] = GRID;
        let x = self.n((n * grid).mean(dim = 1)).tanh() * k.unsqueeze(1);
        self.k(x + self.m(m))
    }

    fn loss(&self, ws: [batch, 3, 4], args: [batch], r#loop: Classes[batch]) -> [] {
        cross_entropy(self.forward(ws, args, r#loop), r#loop)
    }

    fn several(&self, inputs: [batch, 3, 4], d_result: [batch], results: Classes[batch]) -> [batch] {
        self.forward(inputs, d_result, results).sum(dim = 1)
    }
}

model! {
    pub struct Block<const D: usize> {
        conv: Conv2d(D -> D, kernel = 3, padding = 1),
        bn: BatchNorm2d(D),
    }

    fn forward(&self, batch_size: [batch, D, h, w]) -> [batch, D, h, w] {
        batch_size + self.bn(self.conv(batch_size)).relu()
    }

    pub struct Net {
        stem: Conv2d(1 -> 4, kernel = 3, padding = 1),
        blocks: [Block<4>; 2],
        head: Linear(4 -> 3),
    }

    fn forward(&self, params: [batch, 1, h, w]) -> [batch, 3] {
        self.head(self.blocks(self.stem(params)).adaptive_avg_pool2d(1).flatten())
    }

    fn loss(&self, params: [batch, 1, h, w], want: Classes[batch]) -> [] {
        cross_entropy(self.forward(params), want)
    }
}

model! {
    fn distance(values: [batch, 4], given: [batch, 4]) -> [] {
        (values - given).square().mean()
    }
}

#[derive(Module)]
pub struct Derived(Linear<4, 3>, Tanh, Linear<3, 1>);

fn show(what: &str, values: &[f32]) {
    let bits: Vec<String> = values.iter().map(|x| format!("{:08x}", x.to_bits())).collect();
    println!("{what} {}", bits.join(" "));
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let number = |i: usize| (i as f32 * 0.37).sin();
    let mut net = Net::init(Seed(1));
    let mut ws = Net::workspace(3, 6, 5)?;
    let mut adam = Adam::new(&net, 1e-2)?;
    let image: Vec<f32> = (0..3 * 30).map(number).collect();
    for _ in 0..3 {
        let image = TensorView::new(&image, [3, 1, 6, 5])?;
        let loss = net.loss_grad(&mut ws, &image, &[0_u8, 2, 1])?;
        show("loss", &[loss]);
        adam.step(&mut net, ws.grads());
    }
    show("params", net.params());
    println!("{}", Net::summary(3, 6, 5).colored(false));

    let mut net = Names::init(Seed(2));
    let mut ws = Names::workspace(5)?;
    let mut sgd = Sgd::new(&net, 0.1)?;
    let x: Vec<[[f32; 4]; 3]> = (0..5).map(|b| [[number(b); 4], [0.5; 4], [-1.0; 4]]).collect();
    let (scale, class) = ([1.0, -0.5, 0.25, 2.0, 3.0], [0_u8, 1, 2, 1, 0]);
    for _ in 0..3 {
        let loss = net.loss_grad(&mut ws, &x, &scale, &class)?;
        show("loss", &[loss]);
        sgd.step(&mut net, ws.grads());
    }
    let (sums, (d_x, d_scale)) =
        net.several_grad_inputs(&mut ws, &x, &scale, &class, &[1.0, 2.0, 3.0, 4.0, 5.0])?;
    show("sums", sums);
    show("gradients", d_x.as_flattened().as_flattened());
    show("gradients", d_scale);
    show("params", net.params());

    let (derived, mut ws) = (Derived::init(Seed(3)), Derived::workspace(2)?);
    show("derived", derived.forward(&mut ws, &[[0.5; 4], [-1.0; 4]])?.as_flattened());

    let mut ws = distance_workspace(2)?;
    let (loss, (a, b)) = distance_grad(&mut ws, &[[1.0; 4]; 2], &[[0.1; 4]; 2])?;
    show("distance", &[loss]);
    show("gradients", a.as_flattened());
    show("gradients", b.as_flattened());
    Ok(())
}
