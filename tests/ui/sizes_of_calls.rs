//! Sizes that calls bind, and what a call gives that does not fit.

use gradiron::prelude::*;

model! {
    struct Block {
        conv: Conv2d(4 -> 4, kernel = 3, padding = 1),
    }

    fn forward(&self, x: [batch, 4, h, w]) -> [batch, 4, h / 2, w / 2] {
        self.conv(x).max_pool2d(2)
    }

    fn both(&self, x: [batch, 4, h, w], y: [batch, 4, h, w]) -> [batch, 4, h, w] {
        x + y
    }
}

// Of another `model!`.
model! {
    struct Around {
        block: Block,
    }

    fn fits(&self, x: [batch, 4, h, w]) -> [batch, 4, h / 4, w / 4] {
        let x: [batch, 4, h / 2, w / 2] = self.block(x);
        let y: [batch, 4, h / 4, w / 4] = self.block(x);
        y
    }

    fn stated_wrongly(&self, x: [batch, 4, h, w]) -> [batch, 4, h, w] {
        let x: [batch, 4, h, w] = self.block(x);
        x
    }

    fn fixed(&self, x: [batch, 4, 28, 28]) -> [batch, 4, 15, 14] {
        let x: [batch, 4, 15, 14] = self.block(x);
        x
    }

    // Names of any letters are as good as others.
    fn strided(&self, a: [batch, 4, rows, w]) -> [batch, 4, rows / 2, w / 2 + 1] {
        let y: [batch, 4, rows / 2, w / 2 + 1] = self.block(a);
        y
    }

    fn even(&self, a: [batch, 4, rows, w]) -> [batch, 4, 2 * (rows / 2), w] {
        let x: [batch, 4, 2 * (rows / 2), w] = self.block.both(a, a);
        x
    }

    fn others(&self, x: [batch, 4, h, w], y: [batch, 4, w, h]) -> [batch, 4, h, w] {
        self.block.both(x, y)
    }
}

model! {
    struct UNet {
        down: Down,
    }

    fn forward(&self, x: [batch, 4, h, w]) -> [batch, 4, h, w] {
        x + self.down(x).interpolate(2)
    }

    struct Down {
        conv: Conv2d(4 -> 4, kernel = 2, stride = 2),
    }

    fn forward(&self, x: [batch, 4, h, w]) -> [batch, 4, h / 2, w / 2] {
        self.conv(x)
    }

    struct Odd {
        net: UNet,
    }

    fn forward(&self, x: [batch, 4, 30, 31]) -> [batch, 4, 30, 31] {
        self.net(x)
    }
}

model! {
    struct Mistakes {
        fc: Linear(64 -> 10),
    }

    fn sizes_of_two_names(&self, x: [batch, h, 4], y: [batch, w, 4]) -> [batch, h, 4] {
        x + y
    }

    fn a_layer_of_a_run(&self, x: [batch, 4, h, w]) -> [batch, 10] {
        self.fc(x.flatten())
    }

    fn less_of_more(&self, x: [batch, s], y: [batch, t]) -> [batch, s - t] {
        x.slice(1, t..)
    }

    fn no_largest(&self, x: [batch, s], y: [batch, w], z: [batch, s - w]) -> [] {
        x.mean() + y.mean() + z.mean()
    }

    fn divided(&self, x: [batch, t]) -> [batch] {
        x.reshape([batch, t / batch, batch]).mean(dim = [1, 2])
    }

    fn no_such_size(&self, x: [batch, t]) -> [batch, t / 2] {
        x.narrow(1, 0, u / 2)
    }

    #[step(8)]
    fn step(&self, x: [batch, 8, t]) -> [batch, 8, t] {
        x
    }
}

fn main() {
    let net = UNet::init(Seed(0));
    let mut ws = UNet::workspace(1, 8, 8).unwrap();
    net.forward(&mut ws, &[[0.0; 8]; 8]).unwrap();
    net.forward(&mut ws, vec![0.0; 256]).unwrap();
    let rows: Vec<Vec<f32>> = vec![vec![0.0; 8]; 8];
    net.forward(&mut ws, &rows).unwrap();
}
