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
