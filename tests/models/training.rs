//! Runs as in training, and steps of losses with further results.

use gradiron::prelude::*;

use crate::data::batch;

model! {
    #[allow(bias_before_batch_norm)]
    struct Block {
        fc: Linear(4 -> 4),
        norm: BatchNorm1d(4),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 4] {
        self.norm(self.fc(x)).tanh().dropout(0.3)
    }
}

model! {
    struct Net {
        stem: Linear(3 -> 4),
        blocks: [Block; 2],
        norm: BatchNorm1d(4),
        #[frozen]
        last: Block,
    }

    fn forward(&self, x: [batch, 3]) -> [batch, 4] {
        self.last(self.norm(self.blocks(self.stem(x))).dropout(0.5))
    }

    fn loss(&self, x: [batch, 3]) -> ([], [batch, 4]) {
        let y = self.forward(x);
        (y.square().mean(), y)
    }
}

#[test]
fn calls_without_gradients_run_as_in_training() {
    let net = Net::init(Seed(1));
    let x = batch::<[f32; 3]>(1, 5);
    let mut ws = Net::workspace(6).unwrap();
    ws.poison();
    let inferred = net.forward(&mut ws, &x).unwrap().to_vec();
    ws.manual_seed(Seed(7));
    let (_, y) = net.loss_grad(&mut ws, &x).unwrap();
    let trained = y.to_vec();
    let made = (ws.grads().as_slice().to_vec(), ws.grads().state().to_vec());
    ws.set_training(true);
    ws.manual_seed(Seed(7));
    assert_eq!(net.forward(&mut ws, &x).unwrap(), trained);
    // Each call draws anew; gradients and state are those of the call before.
    assert_ne!(net.forward(&mut ws, &x).unwrap(), trained);
    assert_eq!((ws.grads().as_slice(), ws.grads().state()), (&made.0[..], &made.1[..]));
    ws.set_training(false);
    assert_eq!(net.forward(&mut ws, &x).unwrap(), inferred);
}

#[test]
fn a_step_gives_what_comes_with_the_loss() {
    let (mut net, x) = (Net::init(Seed(1)), batch::<[f32; 3]>(1, 5));
    let mut other = net.clone();
    let [mut ws, mut other_ws] = [0, 1].map(|_| Net::workspace(5).unwrap());
    let mut adam = Adam::new(&net, 0.01).unwrap();
    let mut other_adam = adam.clone();
    for _ in 0..3 {
        let (loss, y) = net.loss_train(&mut ws, &mut adam, &x).unwrap();
        let (expected, expected_y) = other.loss_grad(&mut other_ws, &x).unwrap();
        assert_eq!((loss.value().unwrap(), y), (expected, expected_y));
        other_adam.step(&mut other, other_ws.grads());
        assert_eq!(net.params(), other.params());
        assert_eq!(net.state(), other.state());
    }
}

model! {
    struct Line {
        line: Linear(2 -> 1),
    }

    fn loss(&self, x: [batch, 2], y: [batch, 1]) -> [] {
        mse_loss(self.line(x), y)
    }
}

/// Whether a step is refused.
fn is_refused(step: impl FnOnce()) -> bool {
    let step = std::panic::AssertUnwindSafe(step);
    let panic = std::panic::catch_unwind(step).err();
    panic.is_some_and(|text| {
        let text = text.downcast_ref::<&str>().copied().unwrap_or_default();
        text.starts_with("gradiron: there are no")
    })
}

#[test]
fn a_step_goes_along_new_gradients() {
    let mut net = Line::init(Seed(1));
    let mut ws = Line::workspace(4).unwrap();
    let mut sgd = Sgd::new(&net, 0.1).unwrap();
    let (x, y) = (batch::<[f32; 2]>(1, 4), batch::<[f32; 1]>(2, 4));
    net.loss(&mut ws, &x, &y).unwrap();
    assert!(is_refused(|| sgd.step(&mut net, ws.grads())));
    // A call for a log line leaves them as they are, and so does one that refuses its inputs.
    net.loss_grad(&mut ws, &x, &y).unwrap();
    assert!(ws.grads().are_fresh());
    net.loss(&mut ws, &x, &y).unwrap();
    net.loss_grad(&mut ws, &x, &y[..2]).unwrap_err();
    let before = net.params().to_vec();
    sgd.step(&mut net, ws.grads());
    assert_ne!(net.params(), before);
    let after = net.params().to_vec();
    assert!(is_refused(|| sgd.step(&mut net, ws.grads())));
    assert_eq!(net.params(), after);
    sgd.step(&mut net, ws.grads().again());
    assert_ne!(net.params(), after);
    // What is written there is new, and a step of a call is its own.
    ws.grads_mut().as_mut_slice().fill(0.0);
    sgd.step(&mut net, ws.grads());
    net.loss_train(&mut ws, &mut sgd, &x, &y).unwrap();
    assert!(is_refused(|| sgd.step(&mut net, ws.grads())));
}

#[test]
fn gradients_of_parts_are_those_of_the_whole() {
    let (x, y) = (batch::<[f32; 2]>(1, 7), batch::<[f32; 1]>(2, 7));
    let mut net = Line::init(Seed(1));
    let mut ws = Line::workspace(7).unwrap();
    let mut sgd = Sgd::new(&net, 0.1).unwrap();
    assert!(is_refused(|| ws.accumulate(&mut net, &sgd, 7).unwrap()));
    // Twice, so that the second mean has nothing of the first.
    for _ in 0..2 {
        let start = net.clone();
        let mut whole = net.clone();
        whole.loss_grad(&mut ws, &x, &y).unwrap();
        let gradients = ws.grads().as_slice().to_vec();
        sgd.step(&mut whole, ws.grads());
        // 3 + 3 + 1
        for (k, (x, y)) in x.chunks(3).zip(y.chunks(3)).enumerate() {
            net.loss_grad(&mut ws, x, y).unwrap();
            ws.accumulate(&mut net, &sgd, x.len()).unwrap();
            assert_eq!(ws.accumulated(), [3, 6, 7][k]);
            assert!(is_refused(|| ws.accumulate(&mut net, &sgd, x.len()).unwrap()));
            // A line of a log in between.
            net.loss(&mut ws, x, y).unwrap();
        }
        for (a, b) in ws.grads().as_slice().iter().zip(&gradients) {
            assert!((a - b).abs() <= 1e-6 * b.abs().max(1.0), "{a} {b}");
        }
        assert_eq!(net.params(), start.params());
        sgd.step(&mut net, ws.grads());
        for (a, b) in net.params().iter().zip(whole.params()) {
            assert!((a - b).abs() <= 1e-6, "{a} {b}");
        }
        assert!(is_refused(|| sgd.step(&mut net, ws.grads())));
    }
    // What is forgotten is no part of what comes.
    net.loss_grad(&mut ws, &x[..3], &y[..3]).unwrap();
    ws.accumulate(&mut net, &sgd, 3).unwrap();
    ws.zero_grad();
    assert!(is_refused(|| sgd.step(&mut net, ws.grads())));
    net.loss_grad(&mut ws, &x, &y).unwrap();
    let gradients = ws.grads().as_slice().to_vec();
    ws.accumulate(&mut net, &sgd, 7).unwrap();
    assert_eq!((ws.accumulated(), ws.grads().as_slice()), (7, &gradients[..]));
    // A mean may be changed before its step, as other gradients.
    ws.grads_mut().select_mut("*").unwrap().scale(0.5);
    let before = net.params().to_vec();
    sgd.step(&mut net, ws.grads());
    for ((new, old), d) in net.params().iter().zip(&before).zip(&gradients) {
        assert!((new - (old - 0.1 * 0.5 * d)).abs() <= 1e-6);
    }
}

/// Trains any network.
fn fit<N: Network, B>(
    net: &mut N,
    ws: &mut Workspace<N::Module>,
    optimizer: &mut impl Optimizer<N>,
    batches: &[B],
    mut loss_grad: impl FnMut(&N, &mut Workspace<N::Module>, &B) -> Result<f32, InputError>,
) -> f32 {
    let mut last = 0.0;
    for batch in batches {
        last = loss_grad(net, ws, batch).unwrap();
        optimizer.step(net, ws.grads());
    }
    last
}

#[derive(Module)]
struct Derived {
    fc: Linear<2, 1>,
}

#[test]
fn one_loop_trains_any_network() {
    let (x, y) = (batch::<[f32; 2]>(1, 4), batch::<[f32; 1]>(2, 4));
    let mut net = Line::init(Seed(1));
    let first = net.loss(&mut Line::workspace(4).unwrap(), &x, &y).unwrap();
    let (mut ws, mut adam) = (Line::workspace(4).unwrap(), Adam::new(&net, 0.1).unwrap());
    let batches = vec![(x.clone(), y); 20];
    let last =
        fit(&mut net, &mut ws, &mut adam, &batches, |net, ws, (x, y)| net.loss_grad(ws, x, y));
    assert!(last < first);
    let mut net = Derived::init(Seed(1));
    let (mut ws, mut adam) = (Derived::workspace(4).unwrap(), Adam::new(&net, 0.1).unwrap());
    fit(&mut net, &mut ws, &mut adam, &[x], |net, ws, x| {
        net.forward_grad(ws, x, &[[1.0]; 4]).map(|y| y[0][0])
    });
}
