//! Recurrent layers: results, gradients and a step as PyTorch makes them
//! (`parity recurrent`).

use gradiron::module::Model as _;
use gradiron::prelude::*;
use gradiron::view::{batch, flat};
use safetensors::SafeTensors;

use crate::sequence::{assert_close, file, floats};

model! {
    struct Recurrent {
        lstm: LSTM(5 -> 6, num_layers = 2, bidirectional = true),
        gru: GRU(12 -> 4, bidirectional = true),
        rnn: RNN(8 -> 3),
        one: LSTM(3 -> 4),
        deep: GRU(4 -> 3, num_layers = 2),
        plain: RNN(3 -> 2, nonlinearity = relu, bias = false),
    }

    fn forward(
        &self,
        x: [batch, 7, 5],
        lengths: Classes[batch],
        h0: [batch, 4, 6],
        c0: [batch, 4, 6],
        r0: [batch, 3],
    ) -> [batch, 299] {
        let (y, h, c) = self.lstm(x, h0, c0, lengths = lengths);
        let (z, g) = self.gru(y, lengths = lengths);
        let (u, r) = self.rnn(z, r0);
        let (o, oh, oc) = self.one(u);
        let (d, dh) = self.deep(o);
        let (v, s) = self.plain(d);
        let lstm = cat([y.flatten(), h.flatten(), c.flatten()], 1);
        let gru = cat([z.flatten(), g.flatten()], 1);
        let deep = cat([d.flatten(), dh.flatten()], 1);
        cat([lstm, gru, u.flatten(), r, o.flatten(), oh, oc, deep, v.flatten(), s], 1)
    }
}

#[test]
fn layers_directions_states_and_lengths() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = std::fs::read(file("recurrent-run.safetensors"))?;
    let run = SafeTensors::deserialize(&bytes)?;
    let lengths = run.tensor("lengths")?.data().to_vec();
    let [x, h0, c0, r0, d_y] = ["x", "h0", "c0", "r0", "d_y"].map(|name| floats(&run, name));
    let (x, h0, c0, r0) = (batch(&x), batch(&h0), batch(&c0), batch(&r0));
    let mut net = Recurrent::init(Seed(0));
    net.load(file("recurrent.safetensors"))?;
    let mut ws = Recurrent::workspace(5)?;
    let y = net.forward(&mut ws, x, &lengths, h0, c0, r0)?;
    assert_close("y in inference", flat(y), &floats(&run, "y"));
    ws.poison();
    let (y, (d_x, d_h0, d_c0, d_r0)) =
        net.forward_grad_inputs(&mut ws, x, &lengths, h0, c0, r0, batch(&d_y))?;
    assert_close("y", flat(y), &floats(&run, "y"));
    assert_close("d_x", flat(d_x), &floats(&run, "d_x"));
    assert_close("d_h0", flat(d_h0), &floats(&run, "d_h0"));
    assert_close("d_c0", flat(d_c0), &floats(&run, "d_c0"));
    assert_close("d_r0", flat(d_r0), &floats(&run, "d_r0"));
    // The gradients of the parameters, by what a step makes of these.
    let mut sgd = Sgd::new(&net, 0.5)?;
    sgd.step(&mut net, ws.grads());
    for spec in Recurrent::param_specs() {
        let len: usize = spec.shape.iter().product();
        let after = &net.params()[spec.start..][..len];
        assert_close(&spec.name, after, &floats(&run, &format!("after.{}", spec.name)));
    }
    let too_long = net.forward(&mut ws, x, &[7_u8, 4, 8, 6, 2], h0, c0, r0);
    assert!(too_long.is_err_and(|error| error.to_string().contains("8")));
    Ok(())
}
