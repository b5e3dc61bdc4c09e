//! Optimizers at gradients that strain their formulas: the bits of the CPU.

use gradiron::device::Device;
use gradiron::optim::HyperParamError;
use gradiron::prelude::*;

use crate::gpu;

model! {
    /// The gradient of `w` is the input.
    pub struct Slope {
        w: Param([4], init = zeros),
    }

    fn loss(&self, x: [batch, 4]) -> [] {
        #[allow(sum_over_batch)]
        (x * self.w).sum()
    }
}

/// The parameters behind `steps` steps along the gradients `grad(step)`.
fn run<D: Device, O: Optimizer<Slope>>(
    device: D,
    build: impl Fn(&Slope) -> Result<O, HyperParamError>,
    steps: usize,
    grad: impl Fn(usize) -> f32,
) -> Vec<u32> {
    let mut net = Slope::init(Seed(0));
    let mut ws = Slope::workspace_on(device, 1).expect("it fits");
    let mut optimizer = build(&net).expect("sound hyper-parameters");
    for step in 0..steps {
        let x = [[1.0, -1.0, 0.5, 0.0].map(|part| part * grad(step))];
        net.loss_train(&mut ws, &mut optimizer, &x).expect("it fits");
    }
    net.params().iter().map(|p| p.to_bits()).collect()
}

macro_rules! same {
    ($gpu:expr, $steps:expr, $grad:expr, $build:expr) => {{
        let cpu = run(Cpu::new(), $build, $steps, $grad);
        assert!(cpu.iter().all(|bits| f32::from_bits(*bits).is_finite()));
        assert_eq!(run($gpu.clone(), $build, $steps, $grad), cpu);
    }};
}

#[test]
fn a_centred_rmsprop_finds_no_negative_variance() {
    let Some(gpu) = gpu("a_centred_rmsprop_finds_no_negative_variance") else { return };
    let grad = |step| 1e-3 * if step % 2 == 0 { 1.0 + 5e-5 } else { 1.0 - 5e-5 };
    let build = |net: &_| Ok(RMSprop::new(net, 1e-6)?.centered(true));
    same!(gpu, 1600, grad, build);
    same!(gpu, 60, grad, |net: &_| RMSprop::new(net, 1e-6)?.centered(true).momentum(0.9));
}

#[test]
fn gradients_at_the_ends_of_the_range() {
    let Some(gpu) = gpu("gradients_at_the_ends_of_the_range") else { return };
    for scale in [0.0, 1e-45, 1e-30, 1e8, 1e18] {
        let grad = |step| if step % 3 == 0 { -scale } else { scale };
        same!(gpu, 6, grad, |net: &_| Ok(Adam::new(net, 0.1)?.amsgrad(true)));
        same!(gpu, 6, grad, |net: &_| AdamW::new(net, 0.1)?.weight_decay(0.1));
        same!(gpu, 6, grad, |net: &_| RMSprop::new(net, 0.1)?.momentum(0.5));
        same!(gpu, 6, grad, |net: &_| Sgd::new(net, 0.1)?.momentum(0.5)?.nesterov(true));
    }
    // A norm above the range of `f32`.
    same!(gpu, 2, |_| 3e38, |net: &_| Sgd::new(net, 1.0)?.clip_norm(1.0));
}

/// Gradients that the host changes lie on the GPU as it left them.
#[test]
fn gradients_are_changed_by_the_host() {
    let Some(gpu) = gpu("gradients_are_changed_by_the_host") else { return };
    fn run<D: Device>(device: D) -> Vec<f32> {
        let mut net = Slope::init(Seed(0));
        let mut ws = Slope::workspace_on(device, 1).expect("it fits");
        let mut sgd = Sgd::new(&net, 0.5).expect("a rate");
        for _ in 0..2 {
            net.loss_grad(&mut ws, &[[1.0, 2.0, 3.0, 4.0]]).expect("it fits");
            ws.grads_mut().select_mut("w").expect("it is there").scale(0.5);
            ws.grads_mut().as_mut_slice()[3] = 1.0;
            assert_eq!(ws.grads().select("w").expect("it is there").count(), 4);
            sgd.step(&mut net, ws.grads());
        }
        net.params().to_vec()
    }
    assert_eq!(run(gpu), run(Cpu::new()));
    assert_eq!(run(Cpu::new()), [-0.5, -1.0, -1.5, -1.0]);
}

model! {
    pub struct Parts {
        body: Linear(4 -> 40),
        norm: BatchNorm1d(4),
        last: BatchNorm1d(4),
        head: Linear(40 -> 3),
    }

    fn loss(&self, x: [batch, 4]) -> [] {
        self.head(self.body(self.norm(x) + self.last(x)).relu()).square().mean()
    }
}

/// Parameters and state behind steps with groups, some of which freeze and thaw; by one call, and
/// by two.
fn grouped<D: Device, O: Optimizer<Parts>>(
    device: D,
    build: impl Fn(&Parts) -> O,
    set_frozen: impl Fn(&mut O, &str, bool),
) -> (Vec<f32>, Vec<f32>) {
    let mut net = Parts::init(Seed(0));
    let mut ws = Parts::workspace_on(device, 3).expect("it fits");
    let mut optimizer = build(&net);
    for step in 0..8 {
        match step {
            2 => set_frozen(&mut optimizer, "body", true),
            4 => set_frozen(&mut optimizer, "norm", true),
            6 => set_frozen(&mut optimizer, "body", false),
            _ => {}
        }
        let rate = 0.01 / (step + 1) as f32;
        optimizer.set_learning_rate(rate).expect("a rate");
        let x = [[0.1, 0.5, -0.3, step as f32], [1.0, -1.0, 0.2, 0.3], [0.3, 0.3, 0.9, -0.5]];
        if step % 2 == 0 {
            net.loss_train(&mut ws, &mut optimizer, &x).expect("it fits");
        } else {
            net.loss_grad(&mut ws, &x).expect("it fits");
            optimizer.step(&mut net, ws.grads());
        }
    }
    (net.params().to_vec(), net.state().to_vec())
}

/// The sums of products are the GPU's own; what the optimizer does with them is not far from the
/// processor's, and what is frozen has the same bits.
#[test]
fn groups_of_parameters() {
    let Some(gpu) = gpu("groups_of_parameters") else { return };
    macro_rules! same {
        ($optimizer:expr) => {{
            let build = |net: &Parts| {
                let optimizer = $optimizer(net).expect("sound hyper-parameters");
                let optimizer = optimizer.clip_norm(0.5).expect("a norm");
                let optimizer = optimizer.no_decay(Kind::NormsAndBiases).expect("kinds");
                optimizer.group("head", |g| g.learning_rate(0.03)).expect("it is there")
            };
            let cpu = grouped(Cpu::new(), build, Freezes::set);
            let gpu = grouped(gpu.clone(), build, Freezes::set);
            for (cpu, gpu) in [(cpu.0, gpu.0), (cpu.1, gpu.1)] {
                for (i, (a, b)) in cpu.iter().zip(&gpu).enumerate() {
                    assert!((a - b).abs() <= 1e-4 * a.abs().max(1.0), "[{i}]: {a} and {b}");
                }
            }
        }};
    }
    same!(|net| AdamW::new(net, 0.01)?.weight_decay(0.1));
    same!(|net| Sgd::new(net, 0.01)?.momentum(0.9)?.dampening(0.2)?.weight_decay(0.1));
    same!(|net| RMSprop::new(net, 0.01)?.eps(1e-2)?.weight_decay(0.1));
}

/// What the optimizers of a test have in common.
trait Freezes {
    fn set(&mut self, name: &str, frozen: bool);
}

macro_rules! freezes {
    ($($optimizer:ident),*) => {
        $(impl Freezes for $optimizer<Parts> {
            fn set(&mut self, name: &str, frozen: bool) {
                self.set_frozen(name, frozen).expect("it is there");
            }
        })*
    };
}
freezes!(AdamW, Sgd, RMSprop);

/// An optimizer of a user's reads gradients that are there, also where one call does both.
#[test]
fn an_optimizer_of_another_hand() {
    struct Plain(f32);

    impl<M: Model> Optimizer<M> for Plain {
        fn update(&mut self, net: &mut M, grads: gradiron::optim::Grads<'_, M>) {
            for (p, g) in net.params_mut().iter_mut().zip(grads.as_slice()) {
                *p -= self.0 * g;
            }
        }

        fn learning_rate(&self) -> f32 {
            self.0
        }

        fn set_learning_rate(&mut self, lr: f32) -> Result<(), HyperParamError> {
            self.0 = lr;
            Ok(())
        }
    }

    let Some(gpu) = gpu("an_optimizer_of_another_hand") else { return };
    fn run<D: Device>(device: D) -> Vec<f32> {
        let mut net = Slope::init(Seed(0));
        let mut ws = Slope::workspace_on(device, 1).expect("it fits");
        for step in 1..4 {
            let x = [[1.0, 2.0, 3.0, 4.0].map(|part| part * step as f32)];
            net.loss_train(&mut ws, &mut Plain(0.5), &x).expect("it fits");
        }
        net.params().to_vec()
    }
    assert_eq!(run(gpu), [-3.0, -6.0, -9.0, -12.0]);
    assert_eq!(run(Cpu::new()), [-3.0, -6.0, -9.0, -12.0]);
}

model! {
    struct Normed {
        #[allow(bias_before_batch_norm)]
        fc: Linear(4 -> 4),
        norm: BatchNorm1d(4),
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 4] {
        self.norm(self.fc(x)).tanh().dropout(0.5)
    }
}

model! {
    struct Tuned {
        stem: Linear(4 -> 4),
        #[frozen]
        body: Normed,
        #[frozen]
        row: [Normed; 2],
        head: Linear(4 -> 2),
    }

    fn loss(&self, x: [batch, 4]) -> [] {
        self.head(self.row(self.body(self.stem(x)))).square().mean()
    }
}

#[test]
fn what_is_frozen_is_so_there() {
    let Some(gpu) = gpu("what_is_frozen_is_so_there") else { return };
    fn run<D: Device>(device: D) -> Vec<f32> {
        let net = Tuned::init(Seed(0));
        let mut ws = Tuned::workspace_on(device, 3).expect("it fits");
        let x = [[0.1, 0.5, -0.3, 0.7], [1.0, -1.0, 0.2, 0.3], [0.3, 0.3, 0.9, -0.5]];
        let loss = net.loss_grad(&mut ws, &x).expect("it fits");
        let mut all = vec![loss];
        all.extend(ws.grads().as_slice());
        all.extend(ws.grads().state());
        let (loss, d_x) = net.loss_grad_inputs(&mut ws, &x).expect("it fits");
        all.push(loss);
        all.extend(d_x.as_flattened());
        all.extend(ws.grads().as_slice());
        ws.set_training(true);
        all.push(net.loss(&mut ws, &x).expect("it fits"));
        all
    }
    let (got, want) = (run(gpu), run(Cpu::new()));
    for (i, (got, want)) in got.iter().zip(&want).enumerate() {
        assert!((got - want).abs() <= 1e-5 * want.abs().max(1.0), "{i}: {got}, not {want}");
    }
    assert_eq!(got.len(), want.len());
}

model! {
    /// A generator and a critic, one of which trains at a time.
    struct Gan {
        shift: Buffer([4]),
        maker: Linear(4 -> 6),
        filter: Buffer([6, 6], init = normal(0.0, 0.5)),
        critic: Normed6,
        head: Linear(6 -> 1),
    }

    fn liked(&self, x: [batch, 6]) -> [batch, 1] {
        self.head(self.critic(x.matmul(self.filter)))
    }

    #[trains(maker)]
    fn maker_loss(&self, z: [batch, 4]) -> [] {
        (-self.liked(self.maker(z - self.shift).tanh())).softplus().mean()
    }

    #[trains(critic, head)]
    fn critic_loss(&self, z: [batch, 4]) -> [] {
        self.liked(self.maker(z).tanh()).softplus().mean()
    }

    struct Normed6 {
        scale: Buffer([6], init = ones),
        fc: Linear(6 -> 6, bias = false),
        norm: BatchNorm1d(6),
    }

    fn forward(&self, x: [batch, 6]) -> [batch, 6] {
        self.norm(self.fc(x * self.scale)).tanh()
    }
}

/// By one call and by two, with one optimizer for both losses; buffers are set on the way.
#[test]
fn losses_train_by_turns_and_buffers_stay() {
    let Some(gpu) = gpu("losses_train_by_turns_and_buffers_stay") else { return };
    fn run<D: Device>(device: D) -> Vec<f32> {
        let mut net = Gan::init(Seed(0));
        let mut ws = Gan::workspace_on(device, 3).expect("it fits");
        let adam = AdamW::new(&net, 0.01).expect("a rate").weight_decay(0.1).expect("a decay");
        let mut adam = adam.clip_norm(0.5).expect("a norm");
        let z = [[0.1, 0.5, -0.3, 0.7], [1.0, -1.0, 0.2, 0.3], [0.3, 0.3, 0.9, -0.5]];
        let mut losses = Vec::new();
        for turn in "mcCMmmccMC".chars() {
            losses.push(match turn {
                'm' => net.maker_loss_train(&mut ws, &mut adam, &z).expect("it fits").value(),
                'c' => net.critic_loss_train(&mut ws, &mut adam, &z).expect("it fits").value(),
                _ => {
                    // Of two parts, which weigh what they have.
                    let mut loss = Ok(0.0);
                    for part in [&z[..2], &z[..]] {
                        loss = match turn {
                            'M' => net.maker_loss_grad(&mut ws, part),
                            _ => net.critic_loss_grad(&mut ws, part),
                        };
                        ws.accumulate(&mut net, &adam, part.len()).expect("it fits");
                    }
                    assert_eq!(ws.accumulated(), 5);
                    net.shift_mut()[1] += 0.25;
                    net.select_state_mut("critic.scale").expect("it is there").scale(1.25);
                    adam.step(&mut net, ws.grads());
                    loss.map_err(|error| panic!("{error}"))
                }
            });
        }
        assert_eq!(net.shift(), &[0.0, 1.0, 0.0, 0.0]);
        let mut all: Vec<f32> = losses.into_iter().map(|loss| loss.expect("it ran")).collect();
        all.extend(net.params());
        all.extend(net.state());
        all.extend(ws.grads().as_slice());
        all
    }
    let (got, want) = (run(gpu), run(Cpu::new()));
    assert_eq!(got.len(), want.len());
    for (i, (got, want)) in got.iter().zip(&want).enumerate() {
        assert!((got - want).abs() <= 1e-4 * want.abs().max(1.0), "{i}: {got}, not {want}");
    }
}
