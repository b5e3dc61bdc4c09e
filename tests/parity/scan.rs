//! A cell over time: results, gradients and a step as PyTorch makes them (`parity scan`).

use gradiron::module::Model as _;
use gradiron::prelude::*;
use gradiron::view::{batch, flat};
use safetensors::SafeTensors;

use crate::sequence::{assert_close, file, floats};

model! {
    /// PyTorch's `LSTMCell`, with its names.
    struct LstmCell {
        weight_ih: Param([16, 5]),
        weight_hh: Param([16, 4]),
        bias_ih: Param([16]),
        bias_hh: Param([16]),
    }

    fn forward(
        &self, x: [batch, 5], h: [batch, 4], c: [batch, 4],
    ) -> ([batch, 4], [batch, 4], [batch, 4]) {
        let of_x = x.matmul(self.weight_ih.transpose(0, 1)) + self.bias_ih;
        let of_h = h.matmul(self.weight_hh.transpose(0, 1)) + self.bias_hh;
        let gates = of_x + of_h;
        let i = gates.narrow(1, 0, 4).sigmoid();
        let f = gates.narrow(1, 4, 4).sigmoid();
        let g = gates.narrow(1, 8, 4).tanh();
        let o = gates.narrow(1, 12, 4).sigmoid();
        let c = f * c + i * g;
        let h = o * c.tanh();
        (h, h, c)
    }
}

model! {
    struct OverTime {
        cell: LstmCell,
        head: Linear(4 -> 2),
    }

    fn forward(
        &self, x: [batch, 6, 5], h: [batch, 4], c: [batch, 4],
    ) -> ([batch, 6, 2], [batch, 4], [batch, 4]) {
        let (y, h, c) = scan(self.cell, x, h, c);
        (self.head(y), h, c)
    }
}

#[test]
fn an_lstm_cell_over_time() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = std::fs::read(file("scan-run.safetensors"))?;
    let run = SafeTensors::deserialize(&bytes)?;
    let [x, h, c] = ["x", "h", "c"].map(|name| floats(&run, name));
    let [d_y, d_h, d_c] = ["d_y0", "d_y1", "d_y2"].map(|name| floats(&run, name));
    let (x, h, c) = (batch(&x), batch(&h), batch(&c));
    let mut net = OverTime::init(Seed(0));
    net.load(file("scan.safetensors"))?;
    let mut ws = OverTime::workspace(3)?;
    let check = |name: &str, found: &[f32]| assert_close(name, found, &floats(&run, name));
    let (y, last_h, last_c) = net.forward(&mut ws, x, h, c)?;
    check("y0", flat(y));
    check("y1", flat(last_h));
    check("y2", flat(last_c));
    ws.poison();
    let ((y, ..), (d_x, d_h, d_c)) =
        net.forward_grad_inputs(&mut ws, x, h, c, batch(&d_y), batch(&d_h), batch(&d_c))?;
    check("y0", flat(y));
    check("d_x", flat(d_x));
    check("d_h", flat(d_h));
    check("d_c", flat(d_c));
    let mut sgd = Sgd::new(&net, 0.1)?;
    sgd.step(&mut net, ws.grads());
    for spec in OverTime::param_specs() {
        let len: usize = spec.shape.iter().product();
        check(&format!("after.{}", spec.name), &net.params()[spec.start..][..len]);
    }
    Ok(())
}
