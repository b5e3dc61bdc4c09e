//! Several losses of one function, whose weights the caller gives.

use gradiron::prelude::*;

use crate::data::batch;

model! {
    struct Net {
        body: Linear(4 -> 6),
        mean: Linear(6 -> 2),
        head: Linear(6 -> 1),
    }

    /// An error and a penalty.
    fn losses(&self, x: [batch, 4], y: [batch, 2]) -> ([], [], []) {
        let h = self.body(x).tanh();
        (mse_loss(self.mean(h), y), self.head(h).square().mean(), self.body.weight.square().sum())
    }

    /// The same, weighed by inputs; the parts come along.
    fn weighed(
        &self, x: [batch, 4], y: [batch, 2], first: [], second: [], third: [],
    ) -> ([], [1], [1], [1]) {
        let (a, b, c) = self.losses(x, y);
        let loss = first * a + second * b + third * c;
        (loss, a.reshape([1]), b.reshape([1]), c.reshape([1]))
    }

    #[trains(mean, head)]
    fn of_heads(&self, x: [batch, 4], y: [batch, 2]) -> ([], []) {
        let (a, b, _) = self.losses(x, y);
        (a, b)
    }
}

#[test]
fn the_caller_weighs_them() {
    let mut net = Net::init(Seed(1));
    let (x, y) = (batch::<[f32; 4]>(1, 5), batch::<[f32; 2]>(2, 5));
    let mut ws = Net::workspace(5).unwrap();
    for weights in [[1.0, 0.0, 0.0], [0.5, 2.0, 0.25], [0.0, 0.0, 1.0], [-1.0, 3.0, 1e-3]] {
        let [a, b, c] = weights;
        ws.poison();
        let losses = net.losses_grad(&mut ws, &x, &y, a, b, c).unwrap();
        assert_eq!(net.losses(&mut ws, &x, &y).unwrap(), losses);
        let own = ws.grads().as_slice().to_vec();
        let (loss, first, second, third) = net.weighed_grad(&mut ws, &x, &y, a, b, c).unwrap();
        assert_eq!((first[0], second[0], third[0]), losses);
        assert!((loss - (a * losses.0 + b * losses.1 + c * losses.2)).abs() < 1e-5);
        for (own, other) in own.iter().zip(ws.grads().as_slice()) {
            assert!((own - other).abs() <= 1e-6 * other.abs().max(1.0), "{own} {other}");
        }
        let (_, (d_x, _)) = net.losses_grad_inputs(&mut ws, &x, &y, a, b, c).unwrap();
        let d_x = d_x.to_vec();
        let (_, (other, ..)) = net.weighed_grad_inputs(&mut ws, &x, &y, a, b, c).unwrap();
        for (own, other) in d_x.as_flattened().iter().zip(other.as_flattened()) {
            assert!((own - other).abs() <= 1e-6, "{own} {other}");
        }
    }

    // A step by one call is that of two.
    let mut other = net.clone();
    let [mut one, mut two] = [&net, &other].map(|net| AdamW::new(net, 1e-2).unwrap());
    for step in 0..4 {
        let beta = 0.1 * step as f32;
        let (error, spread, size) =
            net.losses_train(&mut ws, &mut one, &x, &y, 1.0, beta, 0.01).unwrap();
        let found = (error.value().unwrap(), spread, size);
        assert_eq!(other.losses_grad(&mut ws, &x, &y, 1.0, beta, 0.01).unwrap(), found);
        two.step(&mut other, ws.grads());
        assert_eq!(net.params(), other.params());
    }

    // Of some fields alone.
    let before = net.clone();
    net.of_heads_train(&mut ws, &mut one, &x, &y, 1.0, 0.5).unwrap();
    assert_eq!(net.body().weight(), before.body().weight());
    assert_ne!(net.head().weight(), before.head().weight());
    assert_ne!(net.mean().weight(), before.mean().weight());
}
