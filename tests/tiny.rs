//! Small functions as one piece against the same functions in parts. Only builds without debug
//! assertions compile them as one piece: `cargo test --release --test tiny`.

use gradiron::math::SimdLevel;
use gradiron::prelude::*;

model! {
    struct Control {
        fc1: Linear(3 -> 17),
        fc2: Linear(17 -> 32),
        fc3: Linear(32 -> 2),
    }

    fn forward(&self, state: [batch, 3]) -> [batch, 2] {
        self.fc3(self.fc2(self.fc1(state).tanh()).relu())
    }

    fn loss(&self, state: [batch, 3], action: [batch, 2]) -> [] {
        mse_loss(self.forward(state), action)
    }
}

model! {
    struct Policy {
        body: Control,
        head: Linear(2 -> 4),
    }

    fn loss(&self, state: [batch, 3], choice: Classes[batch]) -> [] {
        let actions: [batch, 2] = self.body(state);
        cross_entropy(self.head(actions), choice)
    }
}

model! {
    struct Line {
        line: Linear(1 -> 1),
    }

    fn loss(&self, x: [batch, 1], y: [batch, 1]) -> [] {
        mse_loss(self.line(x), y)
    }
}

/// Levels differ in rounding alone. Results of these nets are of order 1 and come of fewer than
/// 1000 roundings, each of at most 2^-24, that later layers do not enlarge.
fn assert_close(name: &str, a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() <= 1000.0 / 16_777_216.0, "{name}[{i}]: {a} and {b}");
    }
}

fn states(count: usize) -> Vec<[f32; 3]> {
    (0..count).map(|i| [0, 1, 2].map(|j| ((3 * i + j) as f32 * 0.7).sin())).collect()
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

const BATCHES: [usize; 6] = [1, 2, 5, 16, 31, 100];

#[test]
fn inference_and_gradients() -> Outcome {
    let net = Control::init(Seed(3));
    // The lowest level has no pieces.
    let parts = Cpu::with_threads(1).with_simd(SimdLevel::PORTABLE);
    let mut parts = Control::workspace_on(parts, 100)?;
    let mut one = Control::workspace_on(Cpu::with_threads(1), 100)?;
    one.poison();
    for batch in BATCHES {
        let x = states(batch);
        let y: Vec<[f32; 2]> = x.iter().map(|[a, b, _]| [a * b, a - b]).collect();
        let flat = |rows: &[[f32; 2]]| rows.as_flattened().to_vec();
        let want = flat(net.forward(&mut parts, &x)?);
        assert_close("forward", net.forward(&mut one, &x)?.as_flattened(), &want);
        let (want, d_want) = net.loss_grad_inputs(&mut parts, &x, &y).map(|(l, (d, _))| (l, d))?;
        let (got, d_got) = net.loss_grad_inputs(&mut one, &x, &y).map(|(l, (d, _))| (l, d))?;
        assert_close("loss", &[got], &[want]);
        assert_close("d_state", d_got.as_flattened(), d_want.as_flattened());
        assert_close("gradients", one.grads().as_slice(), parts.grads().as_slice());
    }
    Ok(())
}

#[test]
fn models_in_models() -> Outcome {
    let net = Policy::init(Seed(4));
    let parts = Cpu::with_threads(1).with_simd(SimdLevel::PORTABLE);
    let mut parts = Policy::workspace_on(parts, 100)?;
    let mut one = Policy::workspace_on(Cpu::with_threads(1), 100)?;
    one.poison();
    for batch in BATCHES {
        let x = states(batch);
        let choice: Vec<u8> = (0..batch).map(|i| (i % 4) as u8).collect();
        let want = net.loss_grad(&mut parts, &x, &choice)?;
        assert_close("loss", &[net.loss_grad(&mut one, &x, &choice)?], &[want]);
        assert_close("gradients", one.grads().as_slice(), parts.grads().as_slice());
    }
    Ok(())
}

#[test]
fn one_weight() -> Outcome {
    let net = Line::init(Seed(5));
    let parts = Cpu::with_threads(1).with_simd(SimdLevel::PORTABLE);
    let mut parts = Line::workspace_on(parts, 100)?;
    let mut one = Line::workspace_on(Cpu::with_threads(1), 100)?;
    one.poison();
    for batch in BATCHES {
        let x: Vec<[f32; 1]> = states(batch).iter().map(|[a, ..]| [*a]).collect();
        let y: Vec<[f32; 1]> = x.iter().map(|[x]| [3.0 * x + 2.0]).collect();
        let want = net.loss_grad(&mut parts, &x, &y)?;
        // The loss is up to 25.
        assert_close("loss", &[net.loss_grad(&mut one, &x, &y)? / 25.0], &[want / 25.0]);
        let scaled = |grads: &[f32]| grads.iter().map(|g| g / 25.0).collect::<Vec<_>>();
        let (got, want) = (scaled(one.grads().as_slice()), scaled(parts.grads().as_slice()));
        assert_close("gradients", &got, &want);
    }
    Ok(())
}
